"""May this CANCEL plan ask for the end of an order? First match wins.

    | # | facts                                                                | refusal           |
    |---|----------------------------------------------------------------------|-------------------|
    | 0 | it names no plan                                                     | missing_field     |
    | 1 | the plan is older than plan_age_ms_max, or past `expires`            | stale_plan        |
    | 2 | from the future by more than plan_future_ms_max                      | future_plan       |
    | 3 | the journal knows no order of the named plan                         | nothing_to_cancel |
    | 4 | that order is on another symbol                                      | bad_field         |
    | 5 | that order is a close's: no plan of anybody's ends a close           | nothing_to_cancel |
    | 6 | that order is final                                                  | nothing_to_cancel |
    | 7 | CANCELS_MAX plans wait for its end already                           | queue_full        |
    | - | otherwise                                                            | the wish          |

Nothing else stands in its way: no hold, no halt, no stamp, no agreement; to end an order is always safe. An order that
has no answer yet may be named too: the wish waits until it rests. A wish that stands keeps its first reason; the plan
is added to those that are answered at the order's end. Source: ADR 0009.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from holdfast.domain.order import CancelAsked, Order
from holdfast.domain.permit import Refusal
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Decision

if TYPE_CHECKING:
    from holdfast.domain.limits import Limits
    from holdfast.domain.plan import Plan

CANCELS_MAX = 16
"""CANCEL plans that wait for one order's end."""


@dataclass(frozen=True, slots=True)
class CancelPlanFacts:
    """All that the table looks at."""

    plan: Plan
    now_ms: int
    limits: Limits
    order: Order | None
    """The journal's order of the plan that is named."""


def ask_to_cancel(facts: CancelPlanFacts) -> CancelAsked | Refusal:
    """Run the table (see the module)."""
    plan, order = facts.plan, facts.order
    if plan.decision is not Decision.CANCEL or plan.cancels is None:
        return _no(Reason.MISSING_FIELD, "cancels: a CANCEL names the plan whose order is to end")
    age = facts.now_ms - plan.timestamp_ms
    if age > facts.limits.plan_age_ms_max:
        return _no(Reason.STALE_PLAN, f"the plan is {age} ms old")
    if plan.expires_ms is not None and facts.now_ms > plan.expires_ms:
        return _no(Reason.STALE_PLAN, f"the plan expired {facts.now_ms - plan.expires_ms} ms ago")
    if -age > facts.limits.plan_future_ms_max:
        return _no(Reason.FUTURE_PLAN, f"the plan is {-age} ms ahead of the journal's clock")
    if order is None:
        return _no(Reason.NOTHING_TO_CANCEL, f"plan {plan.cancels} has no order")
    if order.leg.symbol != plan.symbol:
        return _no(Reason.BAD_FIELD, f"symbol: the order of plan {plan.cancels} is on {order.leg.symbol}")
    if order.decision is not Decision.EXECUTE:
        return _no(Reason.NOTHING_TO_CANCEL, f"{plan.cancels} is a close: its order does not rest")
    if order.state.is_final:
        return _no(Reason.NOTHING_TO_CANCEL, f"the order of plan {plan.cancels} has ended: {order.state.value}")
    if order.cancel is None:
        return CancelAsked(facts.now_ms, f"plan {plan.plan_id}", (plan.plan_id,))
    if len(order.cancel.plans) >= CANCELS_MAX:
        return _no(Reason.QUEUE_FULL, f"{CANCELS_MAX} plans wait for the end of that order")
    return replace(order.cancel, plans=(*order.cancel.plans, plan.plan_id))


def _no(reason: Reason, detail: str) -> Refusal:
    return Refusal(reason, detail, reason.value)
