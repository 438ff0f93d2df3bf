"""What a person may do, against the running services: it is done, or refused with a reason; judged at the exchange."""

from __future__ import annotations

import asyncio
import os
import pty
import subprocess
from typing import TYPE_CHECKING

import pytest

from holdfast.cli.journal_access import open_desk
from holdfast.domain.names import AccountId, Symbol
from holdfast.domain.operator import REQUEST_AGE_MS_MAX, OperatorRequest, RequestKind, RequestState
from tests.integration.cli.command_line import COMMAND, DEADLINE_S, House, Said, say, until

if TYPE_CHECKING:
    from pathlib import Path

    from holdfast.ports.journal import Reads, Tx

WHY = ("--reason", "the test says so", "--name", "ada")


def entries(settings: Path, account: str) -> list[str]:
    """Kinds of the newest entries of the journal."""
    said = say("audit", "show", "--limit", "50", "--account", account, "--settings", str(settings))
    return [line.split()[4] for line in said.out.splitlines()[1:]]


def request_left_behind(settings: Path, account: str, symbol: str, age_ms: int) -> str:
    """Leave a request to hold as a command line did that was killed while it waited; its id."""
    name = AccountId(account)

    def decide(now_ms: int) -> OperatorRequest:
        return OperatorRequest(
            request_id=f"hold-left-{symbol}",
            account=name,
            kind=RequestKind.HOLD,
            symbol=Symbol(symbol),
            position_side=None,
            hold_id=None,
            qty="",
            name="ada",
            reason="long ago",
            created_ms=now_ms - age_ms,
            state=RequestState.OPEN,
            outcome="",
        )

    def write(tx: Tx, request: OperatorRequest, _facts: int) -> None:
        tx.put_request(request)

    async def leave() -> str:
        async with open_desk(settings) as desk:
            left = await desk.journal.transact(
                name, None, read=lambda reads: reads.now_ms(), decide=decide, write=write
            )
            return left.request_id

    return asyncio.run(leave())


def request_now(settings: Path, account: str, request_id: str) -> OperatorRequest | None:
    """The request as the journal has it."""

    def read(reads: Reads) -> OperatorRequest | None:
        return reads.request(request_id)

    async def look() -> OperatorRequest | None:
        async with open_desk(settings) as desk:
            return await desk.journal.query(AccountId(account), read)

    return asyncio.run(look())


def test_a_held_symbol_refuses_plans_until_it_is_released(home: House) -> None:
    """Hold stops one symbol, release frees it; both end with status 0 and are journaled with the name."""
    symbol = home.symbol()
    held = home.ask("auto", "hold", symbol, *WHY)
    assert (held.status, held.err) == (0, "")
    refused = home.ask("auto", "plan", "submit", "--symbol", symbol, "--side", "BUY", "--qty", "1")
    assert refused.status == 1
    assert "hold_active" in refused.out
    assert home.leg("auto", symbol)["reason"] == "operator"
    assert home.ask("auto", "release", symbol, "--yes", *WHY).status == 0
    assert home.leg("auto", symbol)["hold"] is None


def test_release_is_refused_while_drift_stands(home: House) -> None:
    """A drift can't be waved through: release says what differs, and the hold stands."""
    symbol = home.symbol()
    hold = home.held("manual", symbol)["hold"]
    said = home.ask("manual", "release", symbol, "--yes", *WHY)
    assert said.status == 1
    assert f"drift stands ({symbol} 1)" in said.err
    assert home.leg("manual", symbol)["hold"] == hold


def test_adopt_sets_the_ledger_and_frees_the_symbol(home: House) -> None:
    """Adopt takes what the exchange holds as the truth; agreement then ends the hold."""
    symbol = home.symbol()
    home.held("manual", symbol, qty="1.25")
    said = home.ask("manual", "adopt", symbol, "--yes", *WHY)
    assert said.status == 0
    assert "0 -> 1.25" in said.out
    until(lambda: home.leg("manual", symbol)["hold"] is None, "the hold ends")
    assert home.leg("manual", symbol)["ledger_amt"] == "1.25"


def test_adopt_all_asks_for_every_symbol_that_differs(home: House) -> None:
    """--all adopts each leg with a difference, and only those."""
    first, second = home.symbol(), home.symbol()
    home.held("manual", first, qty="2")
    home.held("manual", second, "SELL", "3")
    shown = home.ask("manual", "adopt", "--all", "--yes", "--json", *WHY).json()["requests"]
    assert {each["symbol"] for each in shown} >= {first, second}
    assert {each["state"] for each in shown} == {"done"}
    assert home.leg("manual", second)["ledger_amt"] == "-3"


def test_close_works_during_a_hold_and_a_halt(home: House) -> None:
    """An exit needs a person's word alone: the position is gone at the exchange although trading is halted."""
    symbol = home.symbol()
    home.held("manual", symbol, qty="2")
    assert home.ask("manual", "halt", *WHY).status == 0
    try:
        refused = home.ask("manual", "plan", "submit", "--symbol", home.symbol(), "--side", "BUY", "--qty", "1")
        assert (refused.status, "halted" in refused.out) == (1, True)
        part = home.ask("manual", "close", symbol, "--qty", "0.5", "--yes", *WHY)
        assert (part.status, "0.5 closed" in part.out) == (0, True)
        rest = home.ask("manual", "close", symbol, "--yes", "--json", *WHY)
        assert rest.json()["requests"][0]["outcome"] == "1.5 closed"
    finally:
        assert home.ask("manual", "resume", "--yes", *WHY).status == 0
    home.flat("manual", symbol)
    assert home.leg("manual", symbol)["ledger_amt"] == "0"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("close", "{}", "--qty", "5"), "flat at the exchange already"),
        (("close", "{}", "--position-side", "LONG"), "one_way mode"),
        (("release", "{}"), "no operator's hold stands"),
        (("adopt", "NOSUCHUSDT"), "Invalid symbol"),
        (("hold", "NOSUCHUSDT"), "lists no NOSUCHUSDT"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_reason(home: House, words: tuple[str, ...], why: str) -> None:
    """A refusal is one line on standard error that says why, and status 1."""
    symbol = home.symbol()
    filled = [word.format(symbol) for word in words]
    yes = () if words[0] == "hold" else ("--yes",)
    said = home.ask("auto", *filled, *yes, *WHY)
    assert (said.status, len(said.err.splitlines())) == (1, 1)
    assert why in said.err


def test_an_approval_lets_a_hold_close_above_the_limit_or_is_refused(home: House) -> None:
    """Approve is carried out for an open automatic hold and refused for one that was released."""
    symbol = home.symbol()
    hold = home.held("manual", symbol)["hold"]
    assert "approved" in home.ask("manual", "approve", hold, "--yes", *WHY).out
    home.trade("manual", symbol, "SELL", "1")
    home.flat("manual", symbol)
    assert home.ask("manual", "approve", hold, "--yes", *WHY).status == 1


def test_an_order_with_a_known_fate_is_not_resolved_by_a_word(home: House) -> None:
    """Resolve is for orders that nobody can prove: for a filled one it is refused, and the ledger stays."""
    symbol = home.symbol()
    words = ("plan", "submit", "--symbol", symbol, "--side", "BUY", "--qty", "1", "--json")
    order = home.ask("auto", *words).json()["client_order_id"]
    said = home.ask("auto", "resolve", order, "--not-accepted", "--yes", *WHY)
    assert (said.status, "refused" in said.err) == (1, True)
    assert home.leg("auto", symbol)["ledger_amt"] == "1"


def wrong(said: Said, words: str) -> None:
    """Status 2, one line, nothing done."""
    assert said.status == 2
    assert words in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("close", "no symbol!", "--yes", *WHY), "is no symbol"),
        (("close", "BTCUSDT", "--qty", "nan", "--yes", *WHY), "not a plain number"),
        (("close", "BTCUSDT", "--qty", "-1", "--yes", *WHY), "above 0"),
        (("close", "BTCUSDT", "--position-side", "UP", "--yes", *WHY), "--position-side"),
        (("close", "BTCUSDT", "--yes", "--reason", "  "), "--reason must not be empty"),
        (("close", "BTCUSDT", "--yes", "--reason", "two\nlines"), "one line"),
        (("close", "BTCUSDT", "--yes"), "--reason"),
        (("adopt", "--yes", *WHY), "name one SYMBOL"),
        (("approve", "hold-nobody-set", "--yes", *WHY), "knows no hold"),
        (("resolve", "hf-nobody-sent", "--filled", "--yes", *WHY), "knows no order"),
        (("resolve", "hf-nobody-sent", "--yes", *WHY), "one of --filled, --ended and --not-accepted"),
        (("close", "BTCUSDT", *WHY), "pass --yes"),
        (("adopt", "BTCUSDT", *WHY), "pass --yes"),
        (("release", "BTCUSDT", *WHY), "pass --yes"),
        (("resume", *WHY), "pass --yes"),
    ],
)
def test_wrong_input_and_a_missing_yes_change_nothing(lonely: Path, words: tuple[str, ...], why: str) -> None:
    """What can't be understood, or was not confirmed where there is no terminal, is status 2 and leaves no trace."""
    wrong(say(*words, "--account", "auto", "--settings", str(lonely)), why)
    assert entries(lonely, "auto") == []


def test_without_a_service_a_request_is_withdrawn(lonely: Path) -> None:
    """Nobody answers: status 3 asks whether holdfast run is running, and the request does not lie in wait."""
    said = say("hold", "BTCUSDT", "--timeout", "0.2", *WHY, "--account", "auto", "--settings", str(lonely))
    assert said.status == 3
    assert "is `holdfast run` running?" in said.err
    assert entries(lonely, "auto") == ["REQUESTED", "REQUEST_ENDED"]


def test_a_request_that_nobody_waits_for_any_more_is_refused(home: House) -> None:
    """A request left behind by a killed command line is refused when it is old, and carried out when it is not."""
    old, new = home.symbol(), home.symbol()
    left = request_left_behind(home.settings, "auto", old, REQUEST_AGE_MS_MAX + 1)
    fresh = request_left_behind(home.settings, "auto", new, 0)
    until(lambda: home.leg("auto", new)["reason"] == "operator", "the fresh one is carried out")
    found = [request_now(home.settings, "auto", each) for each in (left, fresh)]
    assert [each.state for each in found if each is not None] == [RequestState.REFUSED, RequestState.DONE]
    assert home.leg("auto", old)["hold"] is None
    assert home.ask("auto", "release", new, "--yes", *WHY).status == 0


def test_the_kill_switch_works_without_a_service(lonely: Path) -> None:
    """Halt and resume are transactions of the command line itself; repeating one changes nothing."""
    on = ("--account", "auto", "--settings", str(lonely))
    assert say("halt", *WHY, *on).status == 0
    assert "was HALTED already" in say("halt", *WHY, *on).out
    shown = say("status", "--json", *on).json()["accounts"][0]
    assert (shown["trading_state"], shown["halt_detail"]) == ("HALTED", "ada: the test says so")
    assert say("resume", "--yes", *WHY, *on).status == 0
    assert entries(lonely, "auto") == ["HALTED", "RESUMED"]


@pytest.mark.parametrize(
    ("word", "status", "why"), [("n", 2, "not confirmed"), ("", 2, "not confirmed"), ("y", 3, "no answer")]
)
def test_at_a_terminal_what_is_dangerous_is_asked_back(lonely: Path, word: str, status: int, why: str) -> None:
    """The question says what is at stake; only yes goes on (here: to find that nobody answers)."""
    ours, theirs = pty.openpty()
    words = ("close", "SYM001USDT", *WHY, "--timeout", "0.1", "--account", "auto", "--settings", str(lonely))
    with subprocess.Popen([*COMMAND, *words], stdin=theirs, stderr=subprocess.PIPE, text=True) as asking:  # noqa: S603 - our own words
        os.write(ours, f"{word}\n".encode())
        _, err = asking.communicate(timeout=DEADLINE_S)
    os.close(ours)
    os.close(theirs)
    assert (asking.returncode, why in err) == (status, True)
    assert "CLOSE all of SYM001USDT on account auto (SYM001USDT: exchange -, ledger 0, no hold)" in err


def test_several_accounts_need_a_name(lonely: Path) -> None:
    """Which account is meant is never guessed."""
    wrong(say("close", "BTCUSDT", "--yes", *WHY, "--settings", str(lonely)), "one of auto, manual")
    wrong(say("status", "--account", "nobody", "--settings", str(lonely)), "no account 'nobody'")
