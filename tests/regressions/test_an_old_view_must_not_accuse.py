"""Must not happen again: a view older than our own fill closes what the ledger rightly holds, or deletes it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.decide.episode import next_move
from holdfast.decide.guardrails import CloseFacts, permit_close
from holdfast.decide.move import EpisodeFacts, MoveKind
from holdfast.decide.reconcile import LegFacts, Status, judge
from holdfast.domain.close import plan_of_close
from holdfast.domain.permit import Permit, Refusal
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import TradingState
from tests.unit.decide.samples import ACCOUNT, CLOSE, HOLD, INSTRUMENT, LEDGER, LIMITS, NOW, VIEW, D

FILL_MS = NOW - 400
LOT = D("0.001")


def facts(exchange: str, ledger: str, as_of_ms: int, settling_since_ms: int | None = None) -> LegFacts:
    """A leg whose ledger's last own fill was 400 ms ago."""
    view = replace(VIEW, amt=D(exchange), as_of_ms=as_of_ms, read_ms=NOW)
    book = replace(LEDGER, amt=D(ledger), last_fill_ms=FILL_MS, agreed_version=None)
    return LegFacts(NOW, LIMITS, LOT, view, NOW, book, True, False, (), settling_since_ms, None)


CASES = [("0.007", "0.002"), ("0", "0.007"), ("0.002", "0.007"), ("-0.4", "0"), ("0.007", "-0.003")]
"""A partial close whose old view still shows all; a fresh open whose old view is flat; and their like."""


@pytest.mark.parametrize(("exchange", "ledger"), CASES)
@pytest.mark.parametrize("behind_ms", [0, 1, 5_000])
def test_a_view_not_newer_than_our_fill_starts_nothing(exchange: str, ledger: str, behind_ms: int) -> None:
    """A view from before, or of the very millisecond of, our last fill only asks for a newer one: no hold, no close."""
    given = facts(exchange, ledger, FILL_MS - behind_ms)
    verdict = judge(given)
    assert (verdict.status, verdict.hold) == (Status.SETTLING, None)
    whole = EpisodeFacts(given, (), None, None, None, INSTRUMENT, D(10), TradingState.ACTIVE)
    assert next_move(whole, verdict).kind is MoveKind.LOOK


@pytest.mark.parametrize(("exchange", "ledger"), CASES)
def test_a_venue_that_stays_behind_is_held_not_closed(exchange: str, ledger: str) -> None:
    """If no newer view comes in time the symbol is held as without a view; the difference is not acted on."""
    given = facts(exchange, ledger, FILL_MS - 1, settling_since_ms=NOW - LIMITS.settle_ms_max - 1)
    verdict = judge(given)
    assert verdict.status is Status.NO_VIEW
    whole = EpisodeFacts(given, (HOLD,), None, given.view, None, INSTRUMENT, D(10), TradingState.ACTIVE)
    assert next_move(whole, verdict).kind is MoveKind.LOOK


@pytest.mark.parametrize("behind_ms", [0, 1, 5_000])
def test_a_close_is_not_sent_on_a_position_from_before_our_fill(behind_ms: int) -> None:
    """The guardrails refuse a position that may lack our last fill, though it was read just now."""
    close = replace(CLOSE, qty=D("0.005"), exchange_amt=D("0.007"), ledger_amt=D("0.002"))
    position = replace(VIEW, amt=D("0.007"), as_of_ms=FILL_MS - behind_ms, read_ms=NOW)
    given = CloseFacts(
        account=ACCOUNT,
        plan=plan_of_close(close),
        close=close,
        hold=HOLD,
        now_ms=NOW,
        venue_offset_ms=0,
        limits=LIMITS,
        trading=TradingState.ACTIVE,
        instrument=replace(INSTRUMENT, qty_step=LOT),
        position=position,
        ledger=replace(LEDGER, amt=D("0.002"), last_fill_ms=FILL_MS),
        mode_changed=False,
        orders=(),
        unfinished=close,
    )
    refusal = permit_close(given)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.POSITION_STALE
    newer = replace(position, as_of_ms=FILL_MS + 1)
    assert isinstance(permit_close(replace(given, position=newer)), Permit)
