"""`holdfast plan`, `alerts`, `audit`, `init`, `docs`: success and wrong input."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.reasons_page import reasons_page
from tests.integration.cli.command_line import House, say, settings_text

if TYPE_CHECKING:
    from pathlib import Path


def submit(home: House, symbol: str, side: str, qty: str, *more: str) -> tuple[int, str, str]:
    """Hand a plan in; its exit status and what was said."""
    words = ("plan", "submit", "--symbol", symbol, "--side", side, "--qty", qty)
    said = home.ask("auto", *words, "--wait", "10", *more)
    return said.status, said.out, said.err


def test_a_plan_is_executed_once_and_its_outcome_told(home: House) -> None:
    """Status 0 is for executed plans; the same id again gets the first outcome and trades nothing."""
    symbol = home.symbol()
    status, out, err = submit(home, symbol, "buy", "1", "--id", f"plan-{symbol}")
    assert (status, err) == (0, "")
    assert f"plan plan-{symbol}: executed: FILLED 1 {symbol} at " in out
    again = submit(home, symbol, "buy", "1", "--id", f"plan-{symbol}")
    assert (again[0], "duplicate" in again[1]) == (0, True)
    assert home.leg("auto", symbol)["exchange_amt"] == "1"
    assert submit(home, symbol, "close", "1", "--reduce-only")[0] == 0
    assert home.leg("auto", symbol)["exchange_amt"] == "0"


def test_a_limit_plan_rests_and_is_cancelled_by_its_id(home: House) -> None:
    """Without an outcome in time status is 3 and the order rests; `plan cancel` ends it, once."""
    symbol = home.symbol()
    resting = ("--id", f"rest-{symbol}", "--price", "99.00", "--time-in-force", "GTX", "--wait", "1")
    assert submit(home, symbol, "BUY", "1", *resting)[0] == 3
    (account,) = home.ask("auto", "status", "--json").json()["accounts"]
    assert [one["price"] for one in account["working_orders"] if one["plan_id"] == f"rest-{symbol}"] == ["99"]
    words = ("plan", "cancel", f"rest-{symbol}", "--symbol", symbol, "--wait", "10")
    said = home.ask("auto", *words)
    assert (said.status, "cancelled: the order of plan rest-" in said.out) == (0, True)
    said = home.ask("auto", *words)
    assert (said.status, "nothing_to_cancel" in said.out) == (1, True)
    assert submit(home, symbol, "BUY", "1", *resting[:2])[0] == 1


def test_a_refused_plan_names_its_code(home: House) -> None:
    """Not executed is status 1, with the documented code and its meaning, in words and in JSON."""
    symbol = home.symbol()
    status, out, _ = submit(home, symbol, "SELL", "1", "--reduce-only")
    assert (status, "not executed: nothing_to_close" in out) == (1, True)
    words = ("plan", "submit", "--symbol", symbol, "--side", "SELL", "--qty", "0.001", "--json")
    shown = home.ask("auto", *words).json()
    assert (shown["executed"], shown["filled_qty"]) == (False, "0")
    assert shown["error"] in {"qty_off_step", "qty_below_min"}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--symbol", "B!", "--side", "BUY", "--qty", "1"), "is no symbol"),
        (("--symbol", "BTCUSDT", "--side", "UP", "--qty", "1"), "--side is BUY, SELL or close"),
        (("--symbol", "BTCUSDT", "--side", "BUY", "--qty", "NaN"), "not a plain number"),
        (("--symbol", "BTCUSDT", "--side", "BUY", "--qty", "-1"), "qty"),
        (("--symbol", "BTCUSDT", "--side", "BUY", "--qty", "1", "--id", "no good"), "--id has 1 to 128"),
        (("--symbol", "BTCUSDT", "--side", "BUY", "--qty", "1", "--wait", "x"), "--wait"),
        (("--symbol", "BTCUSDT", "--side", "BUY"), "--qty"),
        (("--symbol", "BTCUSDT", "--side", "BUY", "--qty", "1", "--time-in-force", "GTX"), "needs --price"),
    ],
)
def test_a_plan_that_makes_no_sense_is_not_sent(home: House, words: tuple[str, ...], why: str) -> None:
    """Wrong input is status 2 and says what is wrong."""
    said = home.ask("auto", "plan", "submit", *words)
    assert said.status == 2
    assert why in said.err


def test_without_a_bus_no_plan_is_sent(lonely: Path) -> None:
    """No embedded bus's address, or one where nobody listens, is status 3 and asks for holdfast run."""
    words = ("plan", "submit", "--symbol", "BTCUSDT", "--side", "BUY", "--qty", "1", "--account", "auto")
    said = say(*words, "--settings", str(lonely))
    assert (said.status, "is `holdfast run` running?" in said.err) == (3, True)
    (lonely.parent / "holdfast-data" / "bus.url").write_text("redis://:secret-word@127.0.0.1:9/0\n")
    dead = say(*words, "--settings", str(lonely))
    assert (dead.status, len(dead.err.splitlines())) == (3, 1)
    assert "secret-word" not in dead.err


def test_an_alert_waits_until_it_is_acknowledged(home: House) -> None:
    """A hold that needs a person leaves an alert in the list; ack takes it off, once."""
    symbol = home.symbol()
    hold = home.held("manual", symbol)["hold"]
    waiting = home.ask("manual", "alerts", "list", "--json").json()["alerts"]
    alert = next(each for each in waiting if each["hold_id"] == hold)
    assert alert["delivered_ms"] is None
    assert f"{symbol} is held: drift" in home.ask("manual", "alerts", "list").out
    acked = home.ask("manual", "alerts", "ack", alert["alert_id"], "--name", "ada")
    assert (acked.status, "acknowledged by ada" in acked.out) == (0, True)
    left = home.ask("manual", "alerts", "list", "--json").json()["alerts"]
    assert alert["alert_id"] not in {each["alert_id"] for each in left}
    again = home.ask("manual", "alerts", "ack", alert["alert_id"], "--name", "ada")
    assert (again.status, "no alert" in again.err) == (1, True)
    assert home.leg("manual", symbol)["hold"] == hold


def test_a_quiet_journal_has_no_alerts(lonely: Path) -> None:
    """Nothing waits: that is said, and is no failure."""
    said = say("alerts", "list", "--settings", str(lonely))
    assert (said.status, said.out) == (0, "no alert waits\n")


def test_the_running_journal_holds(home: House) -> None:
    """Verify proves chain and sums of every account beside the running services."""
    home.trade("auto", home.symbol(), "BUY", "1")
    said = say("audit", "verify", "--json", "--settings", str(home.settings))
    assert said.status == 0
    shown = said.json()
    assert shown["ok"]
    assert all(each["entries"] > 0 for each in shown["accounts"])


def test_a_tampered_entry_is_found_and_named(home: House, tmp_path: Path) -> None:
    """Whoever changes one letter of one entry in the database is found: the first bad entry is named, status 1."""
    settings = tmp_path / "holdfast.toml"
    settings.write_text(settings_text("http://127.0.0.1:9"))
    (tmp_path / "holdfast-data").mkdir()
    copy = tmp_path / "holdfast-data" / "journal.sqlite"
    home.trade("auto", home.symbol(), "BUY", "1")
    with (
        closing(sqlite3.connect(home.settings.parent / "holdfast-data" / "journal.sqlite")) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    assert say("audit", "verify", "--settings", str(settings)).status == 0
    with closing(sqlite3.connect(copy)) as changed, changed:
        rows = changed.execute("UPDATE entry SET at_ms = at_ms + 1 WHERE account = 'auto' AND seq = 2").rowcount
    assert rows == 1
    said = say("audit", "verify", "--settings", str(settings))
    assert said.status == 1
    assert "first bad entry: 2" in said.err
    assert "account manual: " in said.out
    shown = say("audit", "verify", "--json", "--settings", str(settings)).json()
    assert [each.get("first_bad_entry") for each in shown["accounts"]] == [2, None]


def test_the_newest_entries_are_shown_oldest_first(home: House) -> None:
    """Show prints exactly as many as asked for, in words; with --json whole, hashes chained."""
    home.trade("auto", home.symbol(), "BUY", "1")
    lines = home.ask("auto", "audit", "show", "--limit", "3").out.splitlines()
    numbers = [int(line.split()[0]) for line in lines[1:]]
    assert numbers == list(range(numbers[0], numbers[0] + 3))
    assert home.ask("auto", "audit", "show", "--limit", "0").status == 2


def test_init_writes_private_settings_once(tmp_path: Path) -> None:
    """The file is commented, readable by its owner alone, and never overwritten; a folder gets the usual name."""
    said = say("init", str(tmp_path))
    path = tmp_path / "holdfast.toml"
    assert (said.status, stat.S_IMODE(path.stat().st_mode)) == (0, 0o600)
    assert "[accounts.main]" in path.read_text()
    path.write_text("mine")
    again = say("init", str(path))
    assert (again.status, "never overwrites" in again.err, path.read_text()) == (2, True, "mine")
    assert say("init", str(tmp_path / "nowhere" / "x.toml")).status == 2


def test_the_page_of_reasons_is_printed() -> None:
    """`docs reasons` prints the page that the check of the house compares."""
    assert say("docs", "reasons").out == reasons_page()
