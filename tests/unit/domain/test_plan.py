"""Plans: what the content hash covers, what it leaves out, and that it never changes by itself."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import pytest

from holdfast.domain.names import HoldId, PlanId, Symbol
from holdfast.domain.plan import CloseClaim, Plan
from holdfast.domain.sides import Decision, OrderType, PlanSide, PositionSide, TimeInForce
from tests.unit.decide.samples import NOW, PLAN, D

CLAIM = CloseClaim(HoldId("h-1"), D(7), D(2))
INSTRUCTION: dict[str, list[Any]] = {
    "plan_id": [PlanId("plan-2")],
    "symbol": [Symbol("ETHUSDT")],
    "decision": [Decision.RECONCILE_CLOSE, Decision.OPERATOR_CLOSE],
    "side": [PlanSide.SELL, PlanSide.CLOSE],
    "qty": [D("5.1"), D(50), D("0.5")],
    "order_type": [OrderType.LIMIT],
    "reduce_only": [True],
    "price": [D(5), D("5.5"), D(1)],
    "time_in_force": list(TimeInForce),
    "position_side": list(PositionSide),
    "cancels": [PlanId("plan-0"), PlanId("plan-9")],
    "close_claim": [CLAIM, replace(CLAIM, hold_id=HoldId("h-2"))],
}
"""Fields that make the instruction, with other values than the sample's."""
LEFT_OUT: dict[str, list[Any]] = {
    "timestamp_ms": [NOW, 0],
    "source": ["P1", "signal"],
    "reason": ["another word for it"],
    "expires_ms": [NOW, None],
}
"""Fields that a producer may change when it sends its plan again."""


def variants() -> list[Plan]:
    """The sample, and each of its neighbours by one field."""
    return [PLAN, *(replace(PLAN, **{name: value}) for name, values in INSTRUCTION.items() for value in values)]


def test_every_field_of_a_plan_is_one_or_the_other() -> None:
    """Whoever adds a field to a plan says whether a repeat may change it."""
    assert {field.name for field in fields(Plan)} == set(INSTRUCTION) | set(LEFT_OUT)


def test_another_instruction_has_another_hash() -> None:
    """Plans that differ in any field of the instruction differ in their hash, each from every other."""
    plans = variants()
    assert len({plan.content_hash() for plan in plans}) == len(plans)


@pytest.mark.parametrize("name", LEFT_OUT)
def test_a_repeat_may_be_stamped_anew(name: str) -> None:
    """A plan sent again with another timestamp, source, reason or life is the same plan."""
    for value in LEFT_OUT[name]:
        assert replace(PLAN, **{name: value}).content_hash() == PLAN.content_hash()


def test_the_writing_of_a_number_is_no_content() -> None:
    """5, 5.0 and 5E+0 are one quantity."""
    for left, right in pairwise([D(5), D("5.0"), D("5E+0"), D("0.5E+1"), D("5.000000000")]):
        assert replace(PLAN, qty=left).content_hash() == replace(PLAN, qty=right).content_hash()


def test_neighbouring_fields_do_not_run_together() -> None:
    """A price is not mistaken for a quantity, nor a hold's id for a position side."""
    one = replace(PLAN, position_side=PositionSide.LONG, close_claim=None)
    other = replace(PLAN, position_side=None, close_claim=replace(CLAIM, hold_id=HoldId("LONG")))
    assert one.content_hash() != other.content_hash()


def test_the_hash_is_fixed_for_ever() -> None:
    """The hash of a known plan is this very text: a change of the rule would take every repeat for a reused id."""
    assert PLAN.content_hash() == "a8641b6a2974fedd7a79af73b8e47c64e71a3b3359cd2b0560c6f390df84afb3"
