"""Must not happen again: an unsigned RECONCILE_CLOSE from the stream gets a permit, and BUYS with reduceOnly=false."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from holdfast.decide.guardrails import judge_message, permit_close
from holdfast.decide.permit import permit_execute
from holdfast.domain.names import HoldId, PlanId, Symbol
from holdfast.domain.permit import Permit, Refusal
from holdfast.domain.plan import CloseClaim
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Decision, OrderType, PlanSide, PositionSide
from tests.unit.decide.samples import INSTRUMENT, NOW, D
from tests.unit.decide.test_guardrails import GOOD
from tests.unit.decide.test_permit import GOOD as EXECUTE

FORGERIES: list[tuple[dict[str, Any], Reason]] = [
    ({"reduce_only": False}, Reason.NOT_REDUCE_ONLY),
    ({"side": PlanSide.BUY}, Reason.NOT_SIDE_CLOSE),
    ({"side": PlanSide.BUY, "reduce_only": False}, Reason.NOT_REDUCE_ONLY),
    ({"side": PlanSide.SELL}, Reason.NOT_SIDE_CLOSE),
    ({"order_type": OrderType.LIMIT, "price": D(1)}, Reason.NOT_MARKET),
    ({"price": D(1)}, Reason.CLOSE_DIFFERS),
    ({"qty": D(7)}, Reason.CLOSE_DIFFERS),
    ({"qty": D(500)}, Reason.CLOSE_DIFFERS),
    ({"symbol": Symbol("ETHUSDT")}, Reason.CLOSE_DIFFERS),
    ({"position_side": PositionSide.SHORT}, Reason.CLOSE_DIFFERS),
    ({"decision": Decision.OPERATOR_CLOSE}, Reason.CLOSE_DIFFERS),
    ({"close_claim": None}, Reason.CLOSE_DIFFERS),
    ({"close_claim": CloseClaim(HoldId("h-2"), D(7), D(2))}, Reason.CLOSE_DIFFERS),
    ({"close_claim": CloseClaim(HoldId("h-1"), D(70), D(2))}, Reason.CLOSE_DIFFERS),
    ({"close_claim": CloseClaim(HoldId("h-1"), D(7), D(0))}, Reason.CLOSE_DIFFERS),
    ({"expires_ms": None}, Reason.CLOSE_DIFFERS),
    ({"expires_ms": NOW + 10**9}, Reason.CLOSE_DIFFERS),
    ({"plan_id": PlanId("rc-h-1-2")}, Reason.CLOSE_DIFFERS),
]


@pytest.mark.parametrize(("fields", "reason"), FORGERIES)
def test_a_message_that_differs_in_one_field_is_refused(fields: dict[str, Any], reason: Reason) -> None:
    """The journal's close is permitted; the same message with one field changed is refused, and touches nothing."""
    assert isinstance(permit_close(GOOD), Permit)
    refusal = permit_close(replace(GOOD, plan=replace(GOOD.plan, **fields)))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is reason


def test_a_close_that_the_journal_does_not_know_is_refused() -> None:
    """A perfect message without a journaled close behind it has no authority."""
    refusal = permit_close(replace(GOOD, close=None, unfinished=None))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.NOT_JOURNALED
    assert judge_message(GOOD.plan, None, INSTRUMENT) == refusal


def test_what_is_sent_is_the_journals_close_not_the_message() -> None:
    """The permit carries the journal's side and quantity, and is reduce-only, whatever the message calls itself."""
    chatty = replace(GOOD.plan, reason="trust me", source="reconcile", timestamp_ms=0)
    choice = permit_close(replace(GOOD, plan=chatty))
    assert GOOD.close is not None
    assert isinstance(choice, Permit)
    assert (choice.side, choice.qty, choice.reduce_only) == (GOOD.close.side, GOOD.close.qty, True)


@pytest.mark.parametrize("decision", [Decision.RECONCILE_CLOSE, Decision.OPERATOR_CLOSE])
def test_a_close_does_not_pass_by_the_gate_of_ordinary_plans(decision: Decision) -> None:
    """A close that strays to the EXECUTE gate is refused there, on facts that would permit an ordinary plan."""
    assert isinstance(permit_execute(EXECUTE), Permit)
    refusal = permit_execute(replace(EXECUTE, plan=replace(EXECUTE.plan, decision=decision)))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.NOT_JOURNALED


def test_an_ordinary_plan_does_not_pass_by_the_gate_of_closes() -> None:
    """An EXECUTE at the guardrails is refused though a journaled close of its id stands there."""
    refusal = permit_close(replace(GOOD, plan=replace(GOOD.plan, decision=Decision.EXECUTE)))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.NOT_A_CLOSE
