"""The table of CANCEL plans, enumerated."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

from holdfast.decide.cancel_plan import CANCELS_MAX, CancelPlanFacts, ask_to_cancel
from holdfast.domain.names import PlanId
from holdfast.domain.order import CancelAsked, OrderState
from holdfast.domain.permit import Refusal
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Decision, OrderType
from tests.unit.decide.samples import LIMITS, NOW, ORDER, OTHER_LEG, PLAN, D
from tests.unit.decide.tables import Row, hold_to

if TYPE_CHECKING:
    from collections.abc import Iterator

CANCEL = replace(PLAN, plan_id=PlanId("c-1"), decision=Decision.CANCEL, cancels=ORDER.plan_id, timestamp_ms=NOW)
RESTING = replace(ORDER, order_type=OrderType.LIMIT, price=D(10), state=OrderState.OPEN)
AGE, FUTURE = LIMITS.plan_age_ms_max, LIMITS.plan_future_ms_max
MANY = tuple(PlanId(f"c-{n}") for n in range(100, 100 + CANCELS_MAX))
FINAL = {
    OrderState.FILLED,
    OrderState.PARTIAL,
    OrderState.NOT_FILLED,
    OrderState.REFUSED,
    OrderState.NOT_ACCEPTED,
}
ROWS: list[Row[CancelPlanFacts]] = [
    Row("0", lambda f: f.plan.decision is not Decision.CANCEL or f.plan.cancels is None, Reason.MISSING_FIELD),
    Row(
        "1",
        lambda f: f.plan.timestamp_ms < NOW - AGE or (f.plan.expires_ms is not None and f.plan.expires_ms < NOW),
        Reason.STALE_PLAN,
    ),
    Row("2", lambda f: f.plan.timestamp_ms > NOW + FUTURE, Reason.FUTURE_PLAN),
    Row("3", lambda f: f.order is None, Reason.NOTHING_TO_CANCEL),
    Row("4", lambda f: f.order is not None and f.order.leg.symbol != f.plan.symbol, Reason.BAD_FIELD),
    Row("5", lambda f: f.order is not None and f.order.decision is not Decision.EXECUTE, Reason.NOTHING_TO_CANCEL),
    Row("6", lambda f: f.order is not None and f.order.state in FINAL, Reason.NOTHING_TO_CANCEL),
    Row(
        "7",
        lambda f: f.order is not None and f.order.cancel is not None and len(f.order.cancel.plans) >= CANCELS_MAX,
        Reason.QUEUE_FULL,
    ),
    Row("-", lambda _: True, "asked"),
]


def world() -> Iterator[CancelPlanFacts]:
    """Every plan with every order."""
    plans = [
        replace(CANCEL, timestamp_ms=NOW - age, expires_ms=expires, decision=decision, cancels=cancels)
        for age, expires, decision, cancels in product(
            (0, AGE, AGE + 1, -FUTURE, -FUTURE - 1),
            (None, NOW, NOW - 1),
            (Decision.CANCEL, Decision.EXECUTE),
            (ORDER.plan_id, None),
        )
    ]
    orders = [None] + [
        replace(RESTING, state=state, decision=decision, cancel=cancel, leg=leg)
        for state, decision, leg, cancel in product(
            OrderState,
            Decision,
            (RESTING.leg, OTHER_LEG),
            (None, CancelAsked(NOW - 9, "hold h-1"), CancelAsked(NOW - 9, "plan", MANY)),
        )
    ]
    for plan, order in product(plans, orders):
        yield CancelPlanFacts(plan, NOW, LIMITS, order)


def seen(facts: CancelPlanFacts) -> object:
    """The refusal's reason, or `asked`; the wish is checked on the way."""
    choice = ask_to_cancel(facts)
    if isinstance(choice, Refusal):
        assert choice.detail
        return choice.reason
    assert choice.plans[-1] == facts.plan.plan_id
    assert facts.order is not None
    if facts.order.cancel is not None:
        assert (choice.at_ms, choice.why) == (facts.order.cancel.at_ms, facts.order.cancel.why)
        assert choice.plans[:-1] == facts.order.cancel.plans
    else:
        assert choice == CancelAsked(NOW, "plan c-1", (PlanId("c-1"),))
    return "asked"


def test_every_cancel_falls_under_its_row() -> None:
    """Over every plan and every order the first row that applies decides."""
    assert sum(hold_to(ROWS, world(), seen).values()) > 2_000
