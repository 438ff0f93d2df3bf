"""What `load_settings` takes and gives."""

from __future__ import annotations

import os
from dataclasses import fields
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.errors import CannotStart
from holdfast.domain.limits import ForeignPolicy, Limits
from holdfast.domain.names import AccountId
from holdfast.domain.sides import PositionMode
from holdfast.settings import Environment, KeyUse, LogFormat, VenueAddresses, load_settings

if TYPE_CHECKING:
    from pathlib import Path

MAIN = AccountId("main")
SMALLEST = """
[accounts.main]
symbols = ["BTCUSDT"]
read_key_env = "SOME_KEY"
read_secret_env = "SOME_SECRET"
"""


def written(tmp_path: Path, text: str) -> Path:
    """Put the text into a settings file."""
    path = tmp_path / "holdfast.toml"
    path.write_text(text, encoding="utf-8")
    return path


def secret_file(tmp_path: Path, name: str, text: str, mode: int = 0o600) -> None:
    """Put a secret into a file beside the settings."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def test_the_smallest_file_gives_the_domain_defaults(tmp_path: Path) -> None:
    """A file with one account and its keys means the futures demo and every default of the domain."""
    settings = load_settings(written(tmp_path, SMALLEST))
    assert settings.accounts == (MAIN,)
    assert settings.limits(MAIN) == Limits(symbols=settings.limits(MAIN).symbols)
    assert settings.limits(MAIN).symbols == {"BTCUSDT"}
    assert settings.venue.environment is Environment.DEMO
    assert settings.bus_url() is None
    assert settings.bus_prefix(MAIN) == "quantum"
    assert settings.data_dir == tmp_path / "holdfast-data"
    assert settings.journal_url().get_secret_value() == f"sqlite:///{tmp_path}/holdfast-data/journal.sqlite"
    assert settings.alert_urls() == ()
    assert settings.metrics.port == 0


def test_every_limit_of_the_domain_can_be_set(tmp_path: Path) -> None:
    """Each field of Limits is a setting of the same name, and its value arrives in Limits."""
    changed = {}
    for field in fields(Limits):
        default = field.default
        if isinstance(default, int):
            changed[field.name] = default + 1
        elif isinstance(default, Decimal):
            changed[field.name] = str(default + Decimal("0.1"))  # type: ignore[assignment]  # the text of the file
    lines = "".join(f"{name} = {value}\n" for name, value in changed.items())
    limits = load_settings(written(tmp_path, SMALLEST + lines + 'foreign = "hold"\n')).limits(MAIN)
    assert len(changed) > 15
    for name, value in changed.items():
        assert str(getattr(limits, name)) == str(value)
    assert limits.foreign is ForeignPolicy.HOLD
    assert limits.order_notional_max == Decimal("50000.1")


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HOLDFAST_TABLE__KEY overrides the file, lists and amounts included; other HOLDFAST_ names are let be."""
    monkeypatch.setenv("HOLDFAST_BUS__URL", "redis://10.0.0.1:6379/2")
    monkeypatch.setenv("HOLDFAST_ACCOUNTS__MAIN__SYMBOLS", "ETHUSDT,SOLUSDT")
    monkeypatch.setenv("HOLDFAST_ACCOUNTS__MAIN__ORDER_NOTIONAL_MAX", "0.1")
    monkeypatch.setenv("HOLDFAST_LOG__FORMAT", "console")
    monkeypatch.setenv("HOLDFAST_READ_KEY", "no setting, only a variable that begins alike")
    settings = load_settings(
        written(tmp_path, SMALLEST + 'stamp_ms = 100\nclose_notional_max = 2.5e3\n[bus]\nurl = "redis://10.0.0.9"\n')
    )
    url = settings.bus_url()
    assert url is not None
    assert url.get_secret_value() == "redis://10.0.0.1:6379/2"
    assert settings.limits(MAIN).symbols == {"ETHUSDT", "SOLUSDT"}
    assert settings.limits(MAIN).order_notional_max == Decimal("0.1")
    assert settings.limits(MAIN).stamp_ms == 100
    assert settings.limits(MAIN).close_notional_max == Decimal(2500)
    assert settings.log.format is LogFormat.CONSOLE


def test_a_wrong_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad value or an unknown key from the environment is refused under the variable's name."""
    monkeypatch.setenv("HOLDFAST_METRICS__PORT", "many")
    monkeypatch.setenv("HOLDFAST_BUZ__URL", "redis://10.0.0.1")
    monkeypatch.setenv("HOLDFAST_ACCOUNTS__MAIN", "x")
    monkeypatch.setenv("HOLDFAST_ACCOUNTS__MAIN__STAMP_MS", "100")
    with pytest.raises(CannotStart) as refused:
        load_settings(written(tmp_path, SMALLEST))
    assert "environment HOLDFAST_METRICS__PORT: must be a whole number (it is 'many')" in str(refused.value)
    assert "environment HOLDFAST_BUZ__URL" in str(refused.value) or "buz: unknown key" in str(refused.value)
    assert "environment HOLDFAST_ACCOUNTS__MAIN: must be a table" in str(refused.value)


def test_keys_come_from_environment_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reading key comes from variables, the trading key from 0600 files beside the settings, trimmed."""
    monkeypatch.setenv("SOME_KEY", "read-key")
    monkeypatch.setenv("SOME_SECRET", "read-secret")
    secret_file(tmp_path, "t.key", "trade-key\n")
    secret_file(tmp_path, "t.secret", " trade-secret \n")
    both = SMALLEST + 'trade_key_file = "t.key"\ntrade_secret_file = "t.secret"\n'
    settings = load_settings(written(tmp_path, both))
    read, trade = settings.keys(MAIN, KeyUse.READ), settings.keys(MAIN, KeyUse.TRADE)
    assert (read.key.get_secret_value(), read.secret.get_secret_value()) == ("read-key", "read-secret")
    assert (trade.key.get_secret_value(), trade.secret.get_secret_value()) == ("trade-key", "trade-secret")
    assert "read-secret" not in repr(read)


def test_the_reading_key_trades_if_no_other_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a trade key the read key serves both."""
    monkeypatch.setenv("SOME_KEY", "key")
    monkeypatch.setenv("SOME_SECRET", "secret")
    settings = load_settings(written(tmp_path, SMALLEST))
    assert settings.keys(MAIN, KeyUse.TRADE) == settings.keys(MAIN, KeyUse.READ)


def test_reading_needs_no_trading_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without the trading key's variables can read; trading there names the line and the variable."""
    monkeypatch.setenv("SOME_KEY", "key")
    monkeypatch.setenv("SOME_SECRET", "secret")
    monkeypatch.delenv("NOT_THERE", raising=False)
    more = 'trade_key_env = "NOT_THERE"\ntrade_secret_env = "NOT_THERE_EITHER"\n'
    settings = load_settings(written(tmp_path, SMALLEST + more))
    assert settings.keys(MAIN, KeyUse.READ).key.get_secret_value() == "key"
    with pytest.raises(CannotStart, match=r"holdfast\.toml:6: accounts\.main\.trade_key_env: .*export NOT_THERE="):
        settings.keys(MAIN, KeyUse.TRADE)


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("secret", 0o644, "chmod 600"),
        ("secret", 0o640, "chmod 600"),
        ("", 0o600, "is empty"),
        ("x" * 70_000, 0o600, "larger than"),
        (None, 0o600, "cannot read"),
    ],
)
def test_a_secret_file_that_cannot_be_trusted_is_refused(
    tmp_path: Path, text: str | None, mode: int, said: str
) -> None:
    """A secret's file that others may read, that is empty, huge or missing is refused, and never shown."""
    if text is not None:
        secret_file(tmp_path, "s", text, mode)
    settings = load_settings(written(tmp_path, SMALLEST.replace('read_key_env = "SOME_KEY"', 'read_key_file = "s"')))
    with pytest.raises(CannotStart, match=said) as refused:
        settings.keys(MAIN, KeyUse.READ)
    assert "holdfast.toml:4: accounts.main.read_key_file" in str(refused.value)


def test_passwords_join_their_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password from the environment or a file stands in the address that is asked for, escaped, never in a repr."""
    monkeypatch.setenv("BUS_PASSWORD", "p@ss/word")
    secret_file(tmp_path, "db", "hush")
    settings = load_settings(
        written(
            tmp_path,
            '[bus]\nurl = "rediss://me@bus.test:6380/1"\npassword_env = "BUS_PASSWORD"\n'
            '[journal]\nurl = "postgresql://keeper@db.test/holdfast"\npassword_file = "db"\n' + SMALLEST,
        )
    )
    url = settings.bus_url()
    assert url is not None
    assert url.get_secret_value() == "rediss://me:p%40ss%2Fword@bus.test:6380/1"
    assert settings.journal_url().get_secret_value() == "postgresql://keeper:hush@db.test/holdfast"
    assert "hush" not in repr(settings) + repr(settings.journal_url())


def test_a_relative_journal_lies_beside_the_settings(tmp_path: Path) -> None:
    """Relative paths are taken from the settings file's directory, absolute ones as they are."""
    relative = load_settings(written(tmp_path, '[journal]\nurl = "sqlite:///a/b.sqlite"\n' + SMALLEST))
    assert relative.journal_url().get_secret_value() == f"sqlite:///{tmp_path}/a/b.sqlite"
    absolute = load_settings(written(tmp_path, '[journal]\nurl = "sqlite:////var/b.sqlite"\n' + SMALLEST))
    assert absolute.journal_url().get_secret_value() == "sqlite:////var/b.sqlite"


def test_alert_urls_come_from_all_three_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Local webhooks stand in the file; other channels come from a variable or from a 0600 file with comments."""
    secret_file(tmp_path, "alerts", "# on call\ntgram://token/chat\nmailto://a:b@mail.test\n")
    text = '[alerts]\nurls = ["json://127.0.0.1:8000/hook"]\n'
    from_file = load_settings(written(tmp_path, text + 'urls_file = "alerts"\n' + SMALLEST))
    assert [url.get_secret_value() for url in from_file.alert_urls()] == [
        "json://127.0.0.1:8000/hook",
        "tgram://token/chat",
        "mailto://a:b@mail.test",
    ]
    monkeypatch.setenv("ON_CALL", "tgram://token/chat json://127.0.0.1:1/x")
    from_env = load_settings(written(tmp_path, '[alerts]\nurls_env = "ON_CALL"\n' + SMALLEST))
    assert len(from_env.alert_urls()) == 2


def test_several_accounts_have_their_own_prefixes(tmp_path: Path) -> None:
    """Two accounts with a prefix each are served under it."""
    other = SMALLEST.replace("[accounts.main]", '[accounts.desk_2]\nbus_prefix = "desk2"\nposition_mode = "hedge"')
    settings = load_settings(written(tmp_path, SMALLEST + 'bus_prefix = "desk1"\n' + other))
    assert settings.accounts == ("main", "desk_2")
    assert [settings.bus_prefix(account) for account in settings.accounts] == ["desk1", "desk2"]
    assert settings.position_mode(AccountId("desk_2")) is PositionMode.HEDGE
    with pytest.raises(CannotStart, match=r"no table \[accounts\.nobody\]; it has: main, desk_2"):
        settings.limits(AccountId("nobody"))


LIVE = ("https://fapi.binance.com", "wss://fstream.binance.com")
DEMO = ("https://demo-fapi.binance.com", "wss://demo-fstream.binance.com")
ADDRESSES = [
    ("", Environment.DEMO, *DEMO),
    ('environment = "demo"', Environment.DEMO, *DEMO),
    ('environment = "live"', Environment.LIVE, *LIVE),
    (f'rest_url = "{DEMO[0]}/"', Environment.DEMO, *DEMO),
    ('rest_url = "http://127.0.0.1:8080"', Environment.SIM, "http://127.0.0.1:8080", "ws://127.0.0.1:8080"),
    ('rest_url = "http://[::1]:8080"', Environment.SIM, "http://[::1]:8080", "ws://[::1]:8080"),
    (
        'rest_url = "https://sim.test"\nenvironment = "sim"\nstream_url = "wss://other.test/x/"',
        Environment.SIM,
        "https://sim.test",
        "wss://other.test/x",
    ),
    (
        'rest_url = "https://testnet.binancefuture.com"\nstream_url = "wss://fstream.binancefuture.com"',
        Environment.DEMO,
        "https://testnet.binancefuture.com",
        "wss://fstream.binancefuture.com",
    ),
]


@pytest.mark.parametrize(("lines", "environment", "rest_url", "stream_url"), ADDRESSES)
def test_the_address_selects_the_world(
    tmp_path: Path, lines: str, environment: Environment, rest_url: str, stream_url: str
) -> None:
    """Addresses alone select the simulator or the demo; what is left out is filled in beside them."""
    settings = load_settings(written(tmp_path, f'[venue]\n{lines}\n{SMALLEST}foreign = "close"\n'))
    assert settings.venue == VenueAddresses(environment, rest_url, stream_url)


def test_no_variable_of_ours_leaks_into_these_tests() -> None:
    """The tests above see no HOLDFAST_ setting of whoever runs them."""
    assert [name for name in os.environ if name.startswith("HOLDFAST_") and "__" in name] == []
