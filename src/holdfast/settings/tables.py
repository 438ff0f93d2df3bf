"""The tables of `holdfast.toml`, one pydantic model each: names, defaults, bounds, and the meaning that `init` prints.

Invariants: an unknown key is refused; no field holds a secret, only where one is found; amounts never pass through a
binary float. What depends on several values is in `rules`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from holdfast.domain.names import is_symbol
from holdfast.domain.sides import PositionMode
from holdfast.ports.telemetry import LogFormat, LogLevel
from holdfast.settings.limits import limit_fields, read_int
from holdfast.settings.secret import require_env_name
from holdfast.settings.venue import DEFAULTS, Environment, is_loopback

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

ENV_PREFIX = "HOLDFAST_"
ENV_SPLIT = "__"
BUS_SCHEMES = ("redis", "rediss", "unix")
JOURNAL_SCHEMES = ("sqlite", "postgresql")
SYMBOLS_MAX = 1_000
ALERT_URLS_MAX = 16


def _list_of_text(value: object) -> object:
    """Let a list come from a variable of the environment, separated by commas or spaces."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _symbols(names: list[str]) -> list[str]:
    for name in names:
        if not is_symbol(name):
            raise ValueError(f"{name[:40]!r} is no symbol: capital letters, digits and _, for instance BTCUSDT")
    if len(set(names)) < len(names):
        raise ValueError("a symbol stands there twice")
    return names


def _without_password(url: str, schemes: tuple[str, ...]) -> str:
    parts = urlsplit(url)
    if parts.scheme.partition("+")[0] not in schemes:
        raise ValueError(f"must begin with one of: {', '.join(scheme + '://' for scheme in schemes)}")
    if parts.password is not None or "password=" in parts.query.lower():
        raise ValueError("must not carry the password: name it by password_env or password_file")
    if parts.scheme.startswith("sqlite") and (parts.netloc or parts.path in {"", "/", "/:memory:"}):
        raise ValueError("must be sqlite:///PATH: a journal in memory is lost with the process")
    return url


def _local_webhook(url: str) -> str:
    parts = urlsplit(url)
    local = parts.scheme == "json" and parts.username is None and is_loopback(parts.hostname or "")
    if not local or parts.query:
        raise ValueError("only json://127.0.0.1... may stand here; others hold secrets: use urls_env or urls_file")
    return url


EnvName = Annotated[str, AfterValidator(require_env_name)]
BusUrl = Annotated[str, AfterValidator(lambda url: _without_password(url, BUS_SCHEMES))]
JournalUrl = Annotated[str, AfterValidator(lambda url: _without_password(url, JOURNAL_SCHEMES))]
LocalWebhook = Annotated[str, AfterValidator(_local_webhook)]
Prefix = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:{}-]{1,64}$")]


class Table(BaseModel):
    """What all tables share."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True)


class BusTable(Table):
    """The bus: Valkey or Redis. Plans come in on it, results and published copies go out; it may be wiped."""

    url: BusUrl | None = Field(default=None, examples=["redis://127.0.0.1:6379/0"])
    """A running server, as redis://HOST:PORT/DB. Left out: an embedded Valkey on loopback."""
    password_env: EnvName | None = None
    """Environment variable that holds that server's password."""
    password_file: Path | None = None
    """File (mode 0600) that holds it."""
    prefix: Prefix = "quantum"
    """What all keys and streams begin with. With several accounts each sets `bus_prefix` instead."""
    data_dir: Path = Path("holdfast-data")
    """Where the journal and the embedded Valkey keep their files; relative to this file."""


class JournalTable(Table):
    """The journal: the durable truth, in SQL."""

    url: JournalUrl | None = Field(default=None, examples=["sqlite:///holdfast-data/journal.sqlite"])
    """sqlite:///PATH, or for several machines postgresql://USER@HOST:PORT/DATABASE (version 14 or newer, a database of
    its own). Left out: journal.sqlite in `bus.data_dir`."""
    password_env: EnvName | None = None
    """Environment variable that holds the database's password."""
    password_file: Path | None = None
    """File (mode 0600) that holds it."""


class VenueTable(Table):
    """The exchange (Binance USD-M futures). Its addresses alone select the simulator or the futures demo."""

    environment: Environment | None = Field(default=None, examples=["demo"])
    """Which world. Real money needs "live" here, in so many words, and `foreign` in every account."""
    rest_url: str | None = Field(default=None, examples=[DEFAULTS[Environment.DEMO][0]])
    """Base address of the REST interface. Left out: the futures demo's (or that of `environment`)."""
    stream_url: str | None = Field(default=None, examples=[DEFAULTS[Environment.DEMO][1]])
    """Base address of the private stream. Left out: the one that belongs to `rest_url`."""


class AccountBase(Table):
    """One account at the exchange. Its name is part of every order's client id: never change it while orders live."""

    symbols: Annotated[
        list[str],
        BeforeValidator(_list_of_text),
        Field(min_length=1, max_length=SYMBOLS_MAX),
        AfterValidator(_symbols),
    ]
    """Allowlist: EXECUTE plans on other symbols are refused. Reconciliation covers every symbol all the same."""
    position_mode: PositionMode = PositionMode.ONE_WAY
    """How the account is set at the exchange."""
    bus_prefix: Prefix | None = Field(default=None, examples=["desk1"])
    """This account's own prefix on the bus, instead of `bus.prefix`; needed when there are several accounts."""
    read_key_env: EnvName | None = None
    """Environment variable that holds the API key that reads; reconcile needs no other."""
    read_key_file: Path | None = None
    """Or: file (mode 0600) that holds it."""
    read_secret_env: EnvName | None = None
    """Environment variable that holds that key's secret."""
    read_secret_file: Path | None = None
    """Or: file (mode 0600) that holds it."""
    trade_key_env: EnvName | None = None
    """Environment variable that holds the API key that trades, for apply. Left out: the reading key trades too."""
    trade_key_file: Path | None = None
    """Or: file (mode 0600) that holds it."""
    trade_secret_env: EnvName | None = None
    """Environment variable that holds that key's secret."""
    trade_secret_file: Path | None = None
    """Or: file (mode 0600) that holds it."""


class AlertsTable(Table):
    """Who is told when a person is needed: apprise URLs (webhook, Telegram, mail ...). They hold secrets."""

    urls_env: EnvName | None = None
    """Environment variable that holds the URLs, separated by spaces."""
    urls_file: Path | None = None
    """File (mode 0600) that holds them, one a line; # starts a comment."""
    urls: Annotated[list[LocalWebhook], BeforeValidator(_list_of_text), Field(max_length=ALERT_URLS_MAX)] = []
    """Local webhooks, as json://127.0.0.1:PORT/PATH; no other URL may stand in this file."""


class MetricsTable(Table):
    """Where each service answers `/metrics` and `/health`, on loopback."""

    port: Annotated[int, BeforeValidator(read_int), Field(ge=0, le=65_535)] = 0
    """0: any free port; the address is printed."""


class LogTable(Table):
    """Lines on standard error."""

    format: LogFormat = LogFormat.JSON
    """"json" is for machines, "console" for people."""
    level: LogLevel = LogLevel.INFO
    """The least important line that is written."""


if TYPE_CHECKING:
    AccountTable = AccountBase
else:
    AccountTable = create_model("AccountTable", __base__=AccountBase, __doc__=AccountBase.__doc__, **limit_fields())

AccountName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=32)]


class Tables(BaseSettings):
    """The whole file."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    bus: BusTable = BusTable()
    journal: JournalTable = JournalTable()
    venue: VenueTable = VenueTable()
    accounts: Annotated[dict[AccountName, AccountTable], Field(min_length=1)]
    alerts: AlertsTable = AlertsTable()
    metrics: MetricsTable = MetricsTable()
    log: LogTable = LogTable()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment over file (which load passes in); no .env, no directory of secrets."""
        del env_settings, dotenv_settings, file_secret_settings
        return EnvironmentSource(settings_cls), init_settings


class EnvironmentSource(PydanticBaseSettingsSource):
    """HOLDFAST_TABLE__KEY and HOLDFAST_ACCOUNTS__NAME__KEY, unknown ones included, so that a slip is refused.

    Values stay text: what they mean is the field's to say. (pydantic's own source decodes them as JSON, which sends
    amounts through a binary float, and passes over names that it does not know.)
    """

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Unused: the tables are read as a whole."""
        del field
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the tables that the environment gives."""
        tables: dict[str, Any] = {}
        for name, value in sorted(os.environ.items()):
            path = env_path(name)
            if path:
                _place(tables, path, value)
        return tables


def _place(tables: dict[str, Any], path: tuple[str, ...], value: str) -> None:
    for part in path[:-1]:
        inner = tables.setdefault(part, {})
        if not isinstance(inner, dict):
            return  # a shorter name gives text where a table is due: that is what gets refused
        tables = inner
    tables[path[-1]] = value


def env_path(name: str) -> tuple[str, ...]:
    """Return the key path that a variable's name stands for; () if it is none of ours."""
    if not name.startswith(ENV_PREFIX) or ENV_SPLIT not in name[len(ENV_PREFIX) :]:
        return ()
    return tuple(name[len(ENV_PREFIX) :].lower().split(ENV_SPLIT))


def env_name(path: tuple[str, ...]) -> str:
    """Return the variable's name for a key path."""
    return ENV_PREFIX + ENV_SPLIT.join(path).upper()
