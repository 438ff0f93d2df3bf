"""`holdfast status`: what it shows, and what its exit status says."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from holdfast.cli.journal_access import open_desk
from holdfast.domain.names import AccountId
from tests.integration.cli.command_line import COMMAND, DEADLINE_S, SYMBOLS, House, say, until

if TYPE_CHECKING:
    from pathlib import Path

HEADINGS = ("LEG", "EXCHANGE", "LEDGER", "DRIFT", "VERDICT", "AGE", "TRADING", "HOLD", "REASON", "NEXT STEP")


def stamp(settings: Path, age_ms: int | None) -> None:
    """Leave a stamp of that age in the journal of account auto, as a reconciler that is gone did."""

    async def write() -> None:
        async with open_desk(settings) as desk:
            await desk.journal.transact(
                AccountId("auto"),
                None,
                read=lambda reads: reads.now_ms(),
                decide=lambda now_ms: None if age_ms is None else now_ms - age_ms,
                write=lambda tx, stamp_ms, _facts: tx.set_stamp(stamp_ms),
            )

    asyncio.run(write())


def test_agreement_is_shown_with_the_ledger_version_that_it_is_true_of(home: House) -> None:
    """A leg that agrees shows the version, the verdict's age, ALLOW, and no hold."""
    leg = home.leg("auto", home.symbol())
    assert (leg["agreed"], leg["agreed_version"], leg["ledger_version"]) == (True, 0, 0)
    assert (leg["trading"], leg["trading_reason"], leg["hold"]) == ("ALLOW", None, None)
    assert 0 <= leg["verdict_age_ms"] <= 1_000


def test_a_hold_is_shown_with_amounts_reason_and_next_step(home: House) -> None:
    """During a hold the table and the JSON say what is where, why, and what comes next; the exit status is 1."""
    symbol = home.symbol()
    leg = home.held("manual", symbol, qty="1.5")
    assert (leg["exchange_amt"], leg["ledger_amt"], leg["drift"]) == ("1.5", "0", "1.5")
    assert (leg["reason"], leg["trading"], leg["trading_reason"]) == ("drift", "DENY", "hold_active")
    assert leg["next_step"] == "RECONCILE_CLOSE is switched off in the settings"
    said = home.ask("manual", "status")
    row = next(line for line in said.out.splitlines() if line.startswith(symbol))
    assert all(word in row for word in ("1.5", "EXCESS", "DENY hold_active", leg["hold"], "drift", "operator:"))
    assert said.status == 1
    assert all(heading in said.out for heading in HEADINGS)


def test_a_held_legs_amount_follows_the_exchange(home: House) -> None:
    """What others trade while a hold stands is shown, although it changes no decision."""
    symbol = home.symbol()
    home.held("manual", symbol, qty="1")
    home.trade("manual", symbol, "BUY", "0.5")
    until(lambda: home.leg("manual", symbol)["exchange_amt"] == "1.5", "the shown amount follows")
    assert home.leg("manual", symbol)["drift"] == "1.5"


def test_every_account_is_shown_unless_one_is_named(home: House) -> None:
    """Without --account the accounts stand one after the other, in the file's order."""
    shown = say("status", "--json", "--settings", str(home.settings)).json()
    assert [each["account"] for each in shown["accounts"]] == ["auto", "manual"]


@pytest.mark.parametrize(("age_ms", "word"), [(10_000, "stale"), (-10_000, "stale"), (None, "blind")])
def test_an_old_a_future_and_a_void_stamp_are_said_aloud(lonely: Path, age_ms: int | None, word: str) -> None:
    """Amounts that nobody watches any more are marked, trading is denied, and the exit status is 3."""
    stamp(lonely, age_ms)
    said = say("status", "--account", "auto", "--settings", str(lonely))
    assert said.status == 3
    assert word.upper() in said.out
    shown = say("status", "--account", "auto", "--json", "--settings", str(lonely)).json()
    assert (shown["condition"], shown["accounts"][0]["freshness"]) == ("blind", word)
    assert {leg["trading"] for leg in shown["accounts"][0]["legs"]} == {"DENY"}


def test_status_needs_neither_bus_nor_services(lonely: Path) -> None:
    """A new journal without any service is readable: every allowlisted symbol is there, unseen."""
    said = say("status", "--account", "auto", "--settings", str(lonely))
    assert "no baseline yet" in said.out
    assert said.out.count("NOT SEEN") == SYMBOLS


def test_without_a_journal_it_says_what_makes_one(tmp_path: Path, home: House) -> None:
    """A journal that is not there is one line and status 2; reading never creates it."""
    settings = tmp_path / "holdfast.toml"
    settings.write_text(home.settings.read_text())
    said = say("status", "--settings", str(settings))
    assert said.status == 2
    assert "holdfast run" in said.err
    assert len(said.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [settings]


def test_watch_goes_on_until_it_is_stopped(home: House) -> None:
    """--watch shows the table again and again; Ctrl-C ends it with status 0."""
    words = ("status", "--watch", "--every", "0.1", "--account", "auto", "--settings", str(home.settings))
    with subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, text=True, env=os.environ) as watching:  # noqa: S603 - our own words
        if watching.stdout is None:
            raise RuntimeError("no pipe")
        headings = 0
        for line in watching.stdout:
            headings += line.startswith("account auto")
            if headings == 3:
                break
        watching.send_signal(signal.SIGINT)
        assert watching.wait(DEADLINE_S) == 0
    assert headings == 3
