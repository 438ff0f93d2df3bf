"""The settings of the world's machine: built once, and not read from any file or environment.

Intervals are longer than in life where they only set how often something is looked at: a history should spend its time
on what happens, not on idle ticks. Everything that bounds danger keeps its default.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr

from holdfast.services.pace import Pace
from holdfast.settings import AccountKeys, Settings
from holdfast.settings.problems import Origin
from holdfast.settings.tables import Tables

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

    from holdfast.domain.names import AccountId
    from holdfast.settings import KeyUse

ACCOUNT: Final = "desk"
PREFIX: Final = "quantum"
KEYS: Final = {"read": "KEYthatREADScanary", "trade": "KEYthatTRADEScanary"}
SECRETS: Final = {"read": "SECRETofREADINGcanary", "trade": "SECRETofTRADINGcanary"}
CANARIES: Final = (*KEYS.values(), *SECRETS.values(), "BUSPASSWORDcanary")
"""What must never show in any output."""

PACE: Final = Pace(copies_ms=500, asked_ms=250, marks_ms=1_000)


class _Tables(Tables):
    """The tables, from what is passed in alone."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """No environment, no file."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


@dataclass(frozen=True, slots=True)
class WorldSettings(Settings):
    """Settings whose secrets are the world's canaries."""

    def keys(self, account: AccountId, use: KeyUse) -> AccountKeys:
        """The key for `use`."""
        del account
        return AccountKeys(SecretStr(KEYS[use.value]), SecretStr(SECRETS[use.value]))

    def bus_url(self) -> SecretStr | None:
        """An address with a password, which must never show."""
        return SecretStr("redis://:BUSPASSWORDcanary@127.0.0.1:6379/0")


@lru_cache(maxsize=64)
def world_settings(*, is_hedge: bool, foreign: str, unledgered: str) -> WorldSettings:
    """The settings of one shape."""
    account: dict[str, Any] = {
        "symbols": ["BTCUSDT", "ETHUSDT"],
        "position_mode": "hedge" if is_hedge else "one_way",
        "read_key_env": "READ_KEY",
        "read_secret_env": "READ_SECRET",
        "trade_key_env": "TRADE_KEY",
        "trade_secret_env": "TRADE_SECRET",
        "foreign": foreign,
        "unledgered": unledgered,
        "stamp_ms": 500,
    }
    found: dict[str, Any] = {
        "bus": {"url": "redis://127.0.0.1:6379/0", "prefix": PREFIX},
        "journal": {"url": "sqlite:////world/journal.sqlite"},
        "venue": {"environment": "sim", "rest_url": "http://127.0.0.1:1", "stream_url": "ws://127.0.0.1:1"},
        "accounts": {ACCOUNT: account},
    }
    return WorldSettings(_Tables(**found), Origin(Path("/world/holdfast.toml"), ""))
