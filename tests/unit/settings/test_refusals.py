"""Every kind of wrong settings is refused with file, line and reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from holdfast.domain.errors import CannotStart
from holdfast.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

KEYS = 'read_key_env = "SOME_KEY"\nread_secret_env = "SOME_SECRET"\n'
HEAD = f'[accounts.main]\nsymbols = ["BTCUSDT"]\n{KEYS}'
"""Four lines: what is appended stands on line 5."""

PASTED = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"


def refusal(tmp_path: Path, text: str | bytes) -> str:
    """Load the text and return what it is refused with, the directory left out."""
    path = tmp_path / "holdfast.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CannotStart) as refused:
        load_settings(path)
    return str(refused.value).replace(f"{tmp_path}/", "")


ACCOUNT_LINES = [
    ("stamp_mss = 1", "accounts.main.stamp_mss: unknown key; did you mean stamp_ms?"),
    ("zzz = 1", "accounts.main.zzz: unknown key; known here: "),
    ("stamp_ms = 0", "accounts.main.stamp_ms: must be greater than or equal to 1 (it is 0)"),
    ("stamp_ms = -5", "accounts.main.stamp_ms: must be greater than or equal to 1 (it is -5)"),
    ("stamp_ms = 0.5", "accounts.main.stamp_ms: must be a whole number (it is 0.5)"),
    ("stamp_ms = true", "accounts.main.stamp_ms: must be a whole number, not true or false"),
    ('stamp_ms = "soon"', "accounts.main.stamp_ms: must be a whole number (it is 'soon')"),
    ("stamp_ms = 86400001", "accounts.main.stamp_ms: must be less than or equal to 86400000"),
    ("stamp_ms = 1000", "accounts.main.stamp_ms: stamp_age_ms_max = 1000 must be above stamp_ms = 1000"),
    ("stamp_age_ms_max = 250", "accounts.main.stamp_age_ms_max: stamp_age_ms_max = 250 must be above stamp_ms = 250"),
    ("view_interval_ms = 5000", "accounts.main.view_interval_ms: view_age_ms_max = 5000 must be above"),
    ("agree_ms_max = 10000", "accounts.main.agree_ms_max: plan_age_ms_max = 10000 must be above"),
    ("unknown_ms_max = 3000", "accounts.main.unknown_ms_max: unknown_ms_max = 3000 must be above recv_window_ms + unk"),
    ("recv_window_ms = 60001", "accounts.main.recv_window_ms: must be less than or equal to 60000"),
    ("close_attempts_max = 101", "accounts.main.close_attempts_max: must be less than or equal to 100"),
    ("order_notional_max = nan", "accounts.main.order_notional_max: not a plain number"),
    ("order_notional_max = inf", "accounts.main.order_notional_max: not a plain number"),
    ("order_notional_max = 0", "accounts.main.order_notional_max: must be above 0 (it is 0)"),
    ("order_notional_max = -1.5", "accounts.main.order_notional_max: must be above 0 (it is -1.5)"),
    ("order_notional_max = 1e15", "accounts.main.order_notional_max: out of bounds"),
    ("order_notional_max = 1e999999", "accounts.main.order_notional_max: not a plain number"),
    ('order_notional_max = "much"', "accounts.main.order_notional_max: not a plain number"),
    ("order_notional_max = true", "accounts.main.order_notional_max: must be a number, not true or false"),
    ('foreign = "keep"', "accounts.main.foreign: must be 'close', 'adopt' or 'hold' (it is 'keep')"),
    ('deficit = "close"', "accounts.main.deficit: must be 'hold' or 'flatten'"),
    ('forced = "ignore"', "accounts.main.forced: must be 'hold' or 'resume'"),
    ("reconcile_close = true", "accounts.main.reconcile_close: must be 'on' or 'off'"),
    ('position_mode = "both"', "accounts.main.position_mode: must be 'one_way' or 'hedge'"),
    ('bus_prefix = "a b"', "accounts.main.bus_prefix: must match pattern"),
    (
        'read_secret = "hush"',
        "accounts.main.read_secret: a secret does not belong into this file: write read_secret_env",
    ),
    ('trade_key = "hush"', "accounts.main.trade_key: a secret does not belong into this file: write trade_key_env"),
    ('api_secret = "hush"', "accounts.main.api_secret: unknown key; and a secret does not belong into this file"),
    ('read_key_file = "x"', "accounts.main.read_key_file: read_key_env and read_key_file are both given"),
    (
        f'trade_key_env = "{PASTED}"',
        "accounts.main.trade_key_env: must be the NAME of an environment variable, not the",
    ),
    (
        'trade_key_env = "A"',
        "accounts.main.trade_secret_env: is missing (or trade_secret_file): a key needs its secret",
    ),
]


@pytest.mark.parametrize(("line", "said"), ACCOUNT_LINES, ids=[line[:30] for line, _ in ACCOUNT_LINES])
def test_a_wrong_line_of_an_account_is_named(tmp_path: Path, line: str, said: str) -> None:
    """One wrong line of an account's table is refused with its number, its key and the reason; secrets don't show."""
    message = refusal(tmp_path, HEAD + line + "\n")
    shown_at = "1" if "is missing" in said else "5"
    assert message.startswith(f"holdfast.toml:{shown_at}: {said}"), message
    assert "hush" not in message
    assert PASTED not in message


TABLES = [
    ("[bus]\nurl = 'http://x'", 2, "bus.url: must begin with one of: redis://, rediss://, unix://"),
    ("[bus]\nurl = 'redis://:hush@x'", 2, "bus.url: must not carry the password: name it by password_env"),
    ("[bus]\nurl = 'redis://x?password=hush'", 2, "bus.url: must not carry the password"),
    ("[bus]\nurl = 'redis://[::1'", 2, "bus.url: "),
    ("[bus]\npassword_env = 'A'", 2, "bus.password_env: a password without bus.url"),
    ("[bus]\nprefix = ''", 2, "bus.prefix: must match pattern"),
    ("[bus]\nprefix = 3", 2, "bus.prefix: must be text in quotes (it is 3)"),
    ("[journal]\nurl = 'mysql://x/y'", 2, "journal.url: must begin with one of: sqlite://, postgresql://"),
    ("[journal]\nurl = 'postgresql://a:hush@x/y'", 2, "journal.url: must not carry the password"),
    ("[journal]\nurl = 'sqlite://'", 2, "journal.url: must be sqlite:///PATH"),
    ("[journal]\nurl = 'sqlite:///:memory:'", 2, "journal.url: must be sqlite:///PATH"),
    ("[alerts]\nurls = ['tgram://hush/chat']", 2, "alerts.urls.0: only json://127.0.0.1... may stand here"),
    ("[alerts]\nurls = ['json://user:hush@127.0.0.1']", 2, "alerts.urls.0: only json://127.0.0.1... may stand here"),
    ("[alerts]\nurls = ['json://example.test/hush']", 2, "alerts.urls.0: only json://127.0.0.1... may stand here"),
    ("[metrics]\nport = 65536", 2, "metrics.port: must be less than or equal to 65535"),
    ("[metrics]\nport = -1", 2, "metrics.port: must be greater than or equal to 0"),
    ("[log]\nformat = 'xml'", 2, "log.format: must be 'json' or 'console'"),
    ("[logs]\nformat = 'json'", 1, "logs: unknown key; did you mean log?"),
    ("_cli_parse_args = true", 1, "_cli_parse_args: unknown key"),
    ("log = 3", 1, "log: must be a table"),
    ("[accounts.'Ümlaut']\nsymbols = ['BTC']", 1, "accounts.Ümlaut: an account's name is lower-case letters"),
    ("[venue]\nenvironment = 'testnet'", 2, "venue.environment: must be 'sim', 'demo' or 'live' (it is 'testnet')"),
    ("[venue]\nenvironment = 'sim'", 2, "venue.environment: needs rest_url: `holdfast sim` prints its address"),
    ("[venue]\nrest_url = 'https://fapi.binance.com'", 2, "venue.rest_url: fapi.binance.com trades real money"),
    ("[venue]\nrest_url = 'https://FAPI.Binance.com.'", 2, "venue.rest_url: fapi.binance.com trades real money"),
    ("[venue]\nrest_url = 'https://fapi1.binance.com:443'", 2, "venue.rest_url: fapi1.binance.com trades real money"),
    ("[venue]\nstream_url = 'wss://fstream.binance.com'", 2, "venue.stream_url: fstream.binance.com trades real money"),
    ("[venue]\nrest_url = 'https://fapi.binance.com@127.0.0.1'", 2, "venue.rest_url: must not carry user names"),
    ("[venue]\nrest_url = 'https://testnet.binance.vision'", 2, "venue.rest_url: testnet.binance.vision is the Spot"),
    (
        "[venue]\nrest_url = 'https://somewhere.test'",
        2,
        "venue.rest_url: somewhere.test says nothing about which world",
    ),
    (
        "[venue]\nrest_url = 'http://demo-fapi.binance.com'",
        2,
        "venue.rest_url: demo-fapi.binance.com is reached over T",
    ),
    ("[venue]\nrest_url = 'ftp://127.0.0.1'", 2, "venue.rest_url: must be http://HOST[:PORT] or https://HOST[:PORT]"),
    ("[venue]\nrest_url = 'http://127.0.0.1:99999'", 2, "venue.rest_url: cannot be read as an address"),
    ("[venue]\nrest_url = 'http://127.0.0.1?x=1'", 2, "venue.rest_url: must not carry user names, a query"),
]


@pytest.mark.parametrize(("text", "line", "said"), TABLES, ids=[text[-40:] for text, _, _ in TABLES])
def test_a_wrong_line_of_another_table_is_named(tmp_path: Path, text: str, line: int, said: str) -> None:
    """One wrong line of any other table is refused with its number, its key and the reason."""
    message = refusal(tmp_path, f"{text}\n\n{HEAD}")
    assert message.startswith(f"holdfast.toml:{line}: {said}"), message
    assert "hush" not in message


MIXED_WORLDS = [
    ("environment = 'demo'\nrest_url = 'https://fapi.binance.com'", "venue.rest_url: fapi.binance.com trades real"),
    (
        "environment = 'live'\nrest_url = 'https://demo-fapi.binance.com'",
        "venue.rest_url: demo-fapi.binance.com is the",
    ),
    (
        "environment = 'sim'\nrest_url = 'https://testnet.binancefuture.com'",
        "venue.rest_url: testnet.binancefuture.com",
    ),
    (
        "rest_url = 'http://127.0.0.1:1'\nstream_url = 'wss://demo-fstream.binance.com'",
        "venue.stream_url: demo-fstream.binance.com is the futures demo, but",
    ),
    (
        "rest_url = 'https://demo-fapi.binance.com'\nstream_url = 'wss://fstream.binance.com'",
        "venue.stream_url: fstream.binance.com trades real money",
    ),
]


@pytest.mark.parametrize(("lines", "said"), MIXED_WORLDS)
def test_two_worlds_are_never_mixed(tmp_path: Path, lines: str, said: str) -> None:
    """The word and both addresses must mean the same world."""
    message = refusal(tmp_path, f"[venue]\n{lines}\n{HEAD}")
    assert message.startswith(f"holdfast.toml:3: {said}"), message


def test_real_money_needs_a_policy_for_foreign_trades(tmp_path: Path) -> None:
    """Live trading without an explicit `foreign` is refused for each account that lacks it."""
    message = refusal(tmp_path, f"[venue]\nenvironment = 'live'\n{HEAD}")
    assert message.startswith("holdfast.toml:3: accounts.main.foreign: real money: say what happens"), message


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('foreign = "adopt"', 'which foreign = "adopt" forbids: set foreign = "close", or deficit = "hold"'),
        ('reconcile_close = "off"', 'which reconcile_close = "off" forbids: set reconcile_close = "on"'),
    ],
)
def test_flattening_needs_closes(tmp_path: Path, line: str, said: str) -> None:
    """A deficit can't be flattened where nothing may be closed: the contradiction is refused at its line."""
    message = refusal(tmp_path, f'{HEAD}deficit = "flatten"\n{line}\n')
    key = line.partition(" ")[0]
    assert f'accounts.main.{key}: deficit = "flatten" closes what is left, {said}' in message, message


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    """Several problems come in one message, each with its own line."""
    message = refusal(tmp_path, f"[metrics]\nport = -1\n{HEAD}stamp_mz = 1\nforeign = 'x'\n[log]\nlevel = 'loud'\n")
    assert message.startswith("the settings have 4 problems:")
    assert [line.split(":")[1] for line in message.splitlines()[1:]] == ["2", "7", "8", "10"]


def test_problems_between_values_are_reported_at_once(tmp_path: Path) -> None:
    """Several rules broken between values come in one message too."""
    second = HEAD.replace("main", "desk")
    message = refusal(tmp_path, f"[venue]\nenvironment='live'\n{HEAD}stamp_ms = 5000\n{second}")
    assert message.startswith("the settings have 5 problems:"), message
    assert message.count("bus_prefix: is missing") == 2
    assert message.count("foreign: real money") == 2


def test_a_flood_of_problems_is_cut(tmp_path: Path) -> None:
    """A file with a thousand unknown keys gets a message of bounded length."""
    message = refusal(tmp_path, HEAD + "".join(f"junk{number} = 1\n" for number in range(1000)))
    assert message.startswith("the settings have 1000 problems:")
    assert message.endswith("... and 970 more")


def test_accounts_share_no_prefix(tmp_path: Path) -> None:
    """Two accounts on one prefix are refused at the second."""
    second = HEAD.replace("main", "desk")
    message = refusal(tmp_path, f"{HEAD}bus_prefix = 'a'\n{second}bus_prefix = 'a'\n")
    assert message == "holdfast.toml:10: accounts.desk.bus_prefix: account main has the same: each has its own"


BROKEN_FILES = [
    ("", "holdfast.toml: accounts: is missing: write at least one [accounts.NAME] table"),
    ("[accounts]\n", "holdfast.toml:1: accounts: must not be empty"),
    (f"[accounts.main]\n{KEYS}", "holdfast.toml:1: accounts.main.symbols: is missing"),
    (f"[accounts.main]\nsymbols = []\n{KEYS}", "holdfast.toml:2: accounts.main.symbols: must not be empty"),
    (f"[accounts.main]\nsymbols = ['btc']\n{KEYS}", "holdfast.toml:2: accounts.main.symbols: 'btc' is no symbol"),
    (f"[accounts.main]\nsymbols = ['BTC', 'BTC']\n{KEYS}", "holdfast.toml:2: accounts.main.symbols: a symbol stands"),
    (f"[accounts.main]\nsymbols = 3\n{KEYS}", "holdfast.toml:2: accounts.main.symbols: must be a list"),
    (
        "[accounts.main]\nsymbols = ['BTCUSDT']\n",
        "the settings have 2 problems:\n  holdfast.toml:1: accounts.main.read_k",
    ),
    ("[bus\nx = 1\n", "holdfast.toml:1: not TOML: Expected ']'"),
    ("a = 1\na = 2\n", "holdfast.toml:2: not TOML: Cannot overwrite a value"),
    ("a = [1,\n", "holdfast.toml:2: not TOML: "),
    (b"a = '\xff'\n", "holdfast.toml:1: not UTF-8 text"),
    ("#" * 300_000, "holdfast.toml is larger than 262144 bytes"),
    ("a = " + "[" * 5000, "holdfast.toml: "),
]


@pytest.mark.parametrize(("text", "said"), BROKEN_FILES, ids=[str(text[:30]) for text, _ in BROKEN_FILES])
def test_a_broken_file_is_refused(tmp_path: Path, text: str | bytes, said: str) -> None:
    """A file that is empty, incomplete, no TOML, no text or far too large is refused with what is wrong."""
    message = refusal(tmp_path, text)
    assert message.startswith(said), message
    assert len(message) < 2_000


def test_a_missing_file_says_how_to_write_one(tmp_path: Path) -> None:
    """No file at the path: the message names the path and `holdfast init`; a directory is refused too."""
    with pytest.raises(CannotStart, match=r"no settings at .*nothing\.toml: `holdfast init` writes them"):
        load_settings(tmp_path / "nothing.toml")
    with pytest.raises(CannotStart, match="cannot read the settings"):
        load_settings(tmp_path)


def test_many_accounts_need_a_view_age_that_the_limits_allow(tmp_path: Path) -> None:
    """Fourteen accounts share one address: the default age would not outlast one view that fails."""
    account = """
[accounts.a{0}]
symbols = ["BTCUSDT"]
bus_prefix = "a{0}"
read_key_env = "A"
read_secret_env = "B"
{1}
"""
    path = tmp_path / "holdfast.toml"
    path.write_text("".join(account.format(number, "") for number in range(13)))
    assert len(load_settings(path).accounts) == 13
    path.write_text("".join(account.format(number, "") for number in range(14)))
    with pytest.raises(CannotStart) as refused:
        load_settings(path)
    assert str(refused.value).count("view_age_ms_max = 5000 must be at least 5238") == 14
    path.write_text("".join(account.format(number, "view_age_ms_max = 5238") for number in range(14)))
    assert len(load_settings(path).accounts) == 14
