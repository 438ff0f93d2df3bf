"""Must not happen again: the close still queued is executed though somebody mended the drift, or days later."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.decide.episode import next_move
from holdfast.decide.guardrails import permit_close
from holdfast.decide.move import EpisodeFacts, MoveKind
from holdfast.decide.permit import permit_execute
from holdfast.decide.reconcile import LegFacts, judge
from holdfast.domain.close import plan_of_close
from holdfast.domain.permit import Permit, Refusal
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import TradingState
from tests.unit.decide.samples import CLOSE, HOLD, INSTRUMENT, LEDGER, LIMITS, NOW, VIEW, D
from tests.unit.decide.test_guardrails import GOOD
from tests.unit.decide.test_permit import GOOD as EXECUTE

DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("exchange", "reason"),
    [
        ("2", Reason.ABOVE_EXPOSURE),  # mended to the ledger: less is there than the plan would sell
        ("0", Reason.POSITION_FLAT),
        ("-3", Reason.POSITION_FLIPPED),
        ("6", Reason.ABOVE_DRIFT),  # mended in part
    ],
)
def test_the_queued_close_meets_the_fresh_position(exchange: str, reason: Reason) -> None:
    """A close planned on 7 against 2 is refused on a fresh position that somebody changed, whatever the plan says."""
    assert isinstance(permit_close(GOOD), Permit)
    refusal = permit_close(replace(GOOD, position=replace(VIEW, amt=D(exchange))))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is reason


def test_a_small_close_of_a_mended_drift_is_refused_as_gone() -> None:
    """Even a close that the position would bear is refused once exchange and ledger agree."""
    small = replace(CLOSE, qty=D(1))
    given = replace(GOOD, plan=plan_of_close(small), close=small, unfinished=small)
    refusal = permit_close(replace(given, position=replace(VIEW, amt=D(2))))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.DRIFT_GONE


def test_the_reconciler_takes_the_planned_close_back() -> None:
    """When the view agrees again, a close that nobody claimed is superseded before the hold is released."""
    view, book = replace(VIEW, amt=D(2)), replace(LEDGER, amt=D(2))
    leg = LegFacts(NOW, LIMITS, D(1), view, NOW, book, True, False, (), None, None)
    facts = EpisodeFacts(leg, (HOLD,), CLOSE, None, None, INSTRUMENT, D(10), TradingState.ACTIVE)
    assert next_move(facts, judge(leg)).kind is MoveKind.SUPERSEDE
    released = next_move(replace(facts, unfinished=None), judge(leg))
    assert (released.kind, released.release) == (MoveKind.AGREE, (HOLD,))


@pytest.mark.parametrize("late_ms", [1, 1_000, 10 * DAY_MS])
def test_an_expired_close_is_refused(late_ms: int) -> None:
    """A close past its life is refused, a millisecond or ten days later, however well it is journaled."""
    old = replace(CLOSE, created_ms=NOW - late_ms - 5_000, expires_ms=NOW - late_ms)
    refusal = permit_close(replace(GOOD, plan=plan_of_close(old), close=old, unfinished=old))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.EXPIRED


def test_a_message_cannot_prolong_its_own_life() -> None:
    """A message that claims a later end, or a larger position, than the journal's close has is refused."""
    longer = replace(GOOD.plan, expires_ms=NOW + 10 * DAY_MS)
    claim = GOOD.plan.close_claim
    assert claim is not None
    larger = replace(GOOD.plan, close_claim=replace(claim, exchange_amt=D(70)))
    for plan in (longer, larger):
        refusal = permit_close(replace(GOOD, plan=plan))
        assert isinstance(refusal, Refusal)
        assert refusal.reason is Reason.CLOSE_DIFFERS


@pytest.mark.parametrize("age_ms", [10_001, 7 * DAY_MS])
def test_a_plan_of_last_week_is_refused(age_ms: int) -> None:
    """An EXECUTE older than its bound is refused, and so is one whose own end has passed."""
    for plan in (
        replace(EXECUTE.plan, timestamp_ms=NOW - age_ms),
        replace(EXECUTE.plan, expires_ms=NOW - 1),
    ):
        refusal = permit_execute(replace(EXECUTE, plan=plan))
        assert isinstance(refusal, Refusal)
        assert refusal.reason is Reason.STALE_PLAN
