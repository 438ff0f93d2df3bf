"""`holdfast explain`: the journal's story of an episode, in order, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from holdfast.cli.entry_words import TELLERS, words
from holdfast.domain.entry import Entry, EntryKind
from holdfast.domain.names import AccountId, HoldId, PlanId, Symbol
from tests.integration.cli.command_line import House, say, until

if TYPE_CHECKING:
    from pathlib import Path

HEALED = (
    "The user stream showed 2.5",
    "Row 8 decided: the exchange holds more than the ledger",
    "was placed: nothing but a close may trade",
    "a second, independent look over REST showed 2.5",
    "1 of somebody else (trade ",
    "was planned: SELL 2.5, MARKET, reduce-only, attempt 1",
    "All guardrails passed",
    "became order hf-",
    "Booked: trade ",
    "The venue's word on hf-",
    "is done: filled, 2.5 executed",
    "Row 5 decided: exchange and ledger agree",
    "was released after ",
    "next  nothing: the hold ended after ",
)
"""The story of a drift that healed, piece by piece, in order."""


def healed(home: House) -> str:
    """Let a drift heal; its symbol."""
    symbol = home.symbol()
    home.trade("auto", symbol, "BUY", "2.5")
    until(lambda: home.ask("auto", "explain", symbol).status == 0, "there is a story")
    home.flat("auto", symbol)
    return symbol


def test_a_healed_drift_is_told_from_the_first_sign_to_the_release(home: House) -> None:
    """What was seen, when, from which source, which row decided, what was sent, what came back: in this order."""
    symbol = healed(home)
    told = home.ask("auto", "explain", symbol).out
    at = 0
    for piece in HEALED:
        found = told.find(piece, at)
        assert found >= 0, (piece, told)
        at = found + 1
    shown = home.ask("auto", "explain", symbol, "--json").json()
    since = [line["since_ms"] for line in shown["lines"]]
    assert since == sorted(since)
    assert 0 <= since[0] < 1_000
    assert [line["seq"] for line in shown["lines"]] == sorted(line["seq"] for line in shown["lines"])
    assert (shown["hold_open"], shown["exchange_amt"], shown["ledger_amt"]) == (False, "0", "0")


def test_the_hold_and_its_close_are_told_by_their_ids(home: House) -> None:
    """A hold's id tells the same story as its symbol; the close's plan id tells its part of it."""
    symbol = healed(home)
    story = home.ask("auto", "explain", symbol, "--json").json()
    assert home.ask("auto", "explain", story["hold_id"], "--json").json()["lines"] == story["lines"]
    plan_id = next(line["plan_id"] for line in story["lines"] if line["kind"] == "CLOSE_PLANNED")
    part = home.ask("auto", "explain", plan_id)
    assert part.status == 0
    assert "became order hf-" in part.out
    assert "executed 2.5" in part.out


def test_an_open_hold_says_what_comes_next_and_what_a_person_can_do(home: House) -> None:
    """While a hold waits for a person, the story ends with the step, the alert, and the commands that end it."""
    symbol = home.symbol()
    home.held("manual", symbol)
    refused = home.ask("manual", "plan", "submit", "--symbol", symbol, "--side", "BUY", "--qty", "1", "--id", "p-told")
    assert refused.status == 1
    told = home.ask("manual", "explain", symbol).out
    assert "A person is needed: RECONCILE_CLOSE is switched off in the settings" in told
    assert "Plan p-told (BUY 1) was refused: hold_active" in told
    hold = home.leg("manual", symbol)["hold"]
    assert f"holdfast approve {hold} --reason ..., or holdfast close {symbol}" in told
    assert "docs/runbooks/drift.md" in told
    assert "has reached nobody yet" in told
    for status in (home.ask("manual", "status"), home.ask("manual", "status", "--json")):
        assert f"holdfast approve {hold}" in status.out
    assert "next  nothing: not executed: hold_active" in home.ask("manual", "explain", "p-told").out


def test_an_order_tells_the_story_of_its_plan(home: House) -> None:
    """The client id of an order of ours leads to its plan, executed or not."""
    symbol = home.symbol()
    words = ("plan", "submit", "--symbol", symbol, "--side", "BUY", "--qty", "1", "--json")
    order = home.ask("auto", *words).json()["client_order_id"]
    told = home.ask("auto", "explain", order)
    assert told.status == 0
    assert f"became order {order}: BUY 1 {symbol}" in told.out


def test_plans_refused_over_and_over_are_told_once(home: House) -> None:
    """The first few refusals under a hold are told, the rest is counted."""
    symbol = home.symbol()
    home.held("manual", symbol)
    for number in range(6):
        words = (
            "plan",
            "submit",
            "--symbol",
            symbol,
            "--side",
            "BUY",
            "--qty",
            "1",
            "--id",
            f"p-again-{symbol}-{number}",
        )
        assert home.ask("manual", *words).status == 1
    told = home.ask("manual", "explain", symbol).out
    assert told.count("was refused: hold_active") == 3
    assert "3 more plans were refused by then." in told
    entries = home.ask("manual", "explain", symbol, "--json").json()["lines"]
    refused = [line["body"]["hold_id"] for line in entries if line["kind"] == "PLAN_REFUSED"]
    assert refused == [home.leg("manual", symbol)["hold"]] * 6


def test_what_a_person_did_belongs_to_the_story(home: House) -> None:
    """Requests, their names and reasons, and what came of them stand among the entries of the hold."""
    symbol = home.symbol()
    home.held("manual", symbol)
    asked = home.ask("manual", "adopt", symbol, "--yes", "--reason", "it is ours", "--name", "ada")
    assert asked.status == 0
    until(lambda: home.leg("manual", symbol)["hold"] is None, "the hold ends")
    told = home.ask("manual", "explain", symbol).out
    assert f"ada asked to adopt {symbol}: it is ours." in told
    assert "The ledger was set to what the exchange holds, by ada: it is ours." in told


def test_what_the_journal_does_not_know_is_said(lonely: Path) -> None:
    """An unknown subject is one line and status 2, also when it is no name at all."""
    for subject in ("BTCUSDT", "hold-1", "'; drop table entry; --", "x" * 5_000):
        said = say("explain", subject, "--settings", str(lonely))
        assert (said.status, len(said.err.splitlines())) == (2, 1)


@pytest.mark.parametrize("kind", list(EntryKind), ids=lambda kind: kind.value)
def test_every_kind_of_entry_has_its_sentence(kind: EntryKind) -> None:
    """No kind falls through to its bare fields, and an entry without any field is told too."""
    assert kind in TELLERS
    bare = Entry(kind, AccountId("main"), Symbol("BTCUSDT"), HoldId("hold-1"), PlanId("plan-1"))
    told = words(bare)
    assert told
    assert "None" not in told
