"""What a request brought back -> what the order is now.

    | the outcome of the request             | order state                            | its plan            |
    |----------------------------------------|----------------------------------------|---------------------|
    | Accepted, venue status not final       | OPEN                                   | waits for the end   |
    | Accepted, final, nothing executed      | NOT_FILLED                             | not_filled          |
    | Accepted, final, all or part executed  | FILLED / PARTIAL                       | executed            |
    | Refused                                | REFUSED                                | the refusal's reason |
    | NotExecuted, attempts left             | SENDING again by a whole new permit    | waits               |
    | NotExecuted, attempts spent            | REFUSED                                | the reason          |
    | AlreadyExists                          | UNKNOWN (ask, then adopt)              | waits               |
    | Unknown                                | UNKNOWN                                | waits               |

An order that comes back OPEN after a MARKET request is asked about like an UNKNOWN one until it is final; a LIMIT order
that is OPEN rests. What ended with nothing executed says how in its error: a LIMIT order `canceled` (the venue's status
CANCELED) or `expired_unfilled` (EXPIRED, EXPIRED_IN_MATCH), everything else `not_filled`.

What the venue said once, that it took the order or that it executed a part, is never taken back: not by a later
report that says less, not by a refusal, not by absence. A report outweighs a refusal and an absence: they were
about the order's acceptance, and the report shows it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.domain.amounts import ZERO, format_amount
from holdfast.domain.order import Order, OrderReport, OrderState, VenueOrderStatus
from holdfast.domain.plan import PlanResult
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Decision, OrderType

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.domain.names import PlanId


def adopt_report(order: Order, report: OrderReport, now_ms: int) -> Order:
    """The order with what the venue reports of it. A report never takes back what an earlier one proved."""
    executed = max(order.executed_qty, order.booked_qty, report.executed_qty)
    state = replace(report, executed_qty=executed).state()
    if order.state is OrderState.FILLED:
        state = OrderState.FILLED
    elif order.state in {OrderState.PARTIAL, OrderState.NOT_FILLED} and not state.is_final:
        state = OrderState.PARTIAL if executed > ZERO else OrderState.NOT_FILLED
    error = _why_unfilled(order, report).value if state is OrderState.NOT_FILLED else ""
    is_cut = error or (state is OrderState.PARTIAL and order.order_type is OrderType.LIMIT)
    return replace(
        order,
        state=state,
        venue_order_id=report.order_id,
        executed_qty=executed,
        avg_price=report.avg_price if report.avg_price is not None else order.avg_price,
        error=error,
        error_detail=f"the venue's status is {report.status.value}" if is_cut else "",
        updated_ms=now_ms,
    )


_ENDS = {
    VenueOrderStatus.CANCELED: Reason.CANCELED,
    VenueOrderStatus.EXPIRED: Reason.EXPIRED_UNFILLED,
    VenueOrderStatus.EXPIRED_IN_MATCH: Reason.EXPIRED_UNFILLED,
}


def _why_unfilled(order: Order, report: OrderReport) -> Reason:
    if order.order_type is OrderType.MARKET:
        return Reason.NOT_FILLED
    return _ENDS.get(report.status, Reason.NOT_FILLED)


def was_taken(order: Order) -> bool:
    """Tell whether the venue has shown, by a report or a trade, that it took the order."""
    return order.venue_order_id is not None or order.executed_qty > ZERO or order.booked_qty > ZERO


def refused(order: Order, reason: Reason, detail: str, now_ms: int) -> Order:
    """The order, proven not executed; one that the venue has shown it took is asked about instead."""
    if was_taken(order):
        return unknown(order, f"taken, then refused: {detail}", now_ms)
    return replace(order, state=OrderState.REFUSED, error=reason.value, error_detail=detail, updated_ms=now_ms)


def unknown(order: Order, detail: str, now_ms: int) -> Order:
    """The order, of unknown fate. A final order stays what it is."""
    if order.state.is_final:
        return order
    return replace(order, state=OrderState.UNKNOWN, error_detail=detail, updated_ms=now_ms)


def not_accepted(order: Order, now_ms: int) -> Order:
    """The order, proven by absence not to have been accepted; one that the venue took is asked about instead."""
    if was_taken(order):
        return unknown(order, "taken, then not found", now_ms)
    detail = "two lookups after recvWindow, the trades and the position show no trace of it"
    return replace(
        order,
        state=OrderState.NOT_ACCEPTED,
        error=Reason.NOT_ACCEPTED.value,
        error_detail=detail,
        updated_ms=now_ms,
    )


def ended(order: Order, detail: str, now_ms: int) -> Order:
    """The order, over with what is booked of it; one that executed more than that is asked about instead."""
    if order.state.is_final:
        return order
    if order.executed_qty > order.booked_qty:
        return unknown(order, f"{detail}, but not all that it executed is booked", now_ms)
    state = OrderState.PARTIAL if order.booked_qty > ZERO else OrderState.NOT_FILLED
    error = Reason.ENDED_UNSEEN.value if state is OrderState.NOT_FILLED else ""
    return replace(order, state=state, error=error, error_detail=detail, updated_ms=now_ms)


def result_of(order: Order, entry_id: str, avg_price: Decimal | None, now_ms: int) -> PlanResult:
    """The plan's outcome once its order is settled."""
    executed = order.executed_qty > ZERO or order.booked_qty > ZERO
    return PlanResult(
        result_id=f"res-{order.client_order_id}",
        plan_id=order.plan_id,
        entry_id=entry_id,
        symbol=order.leg.symbol,
        decision=order.decision.value,
        executed=executed,
        status=order.state.value.upper(),
        error="" if executed else (order.error or Reason.INTERNAL.value),
        detail=order.error_detail,
        filled_qty=max(order.booked_qty, order.executed_qty),
        avg_price=order.avg_price if order.avg_price is not None else avg_price,
        client_order_id=order.client_order_id,
        order_id=order.venue_order_id,
        duplicate=False,
        timestamp_ms=now_ms,
    )


def cancel_result(order: Order, plan_id: PlanId, now_ms: int) -> PlanResult:
    """The outcome of a CANCEL plan once the order that it wanted ended is final.

        | the order ended                                   | the CANCEL                                       |
        |---------------------------------------------------|--------------------------------------------------|
        | PARTIAL, NOT_FILLED: a part or all was left       | executed=true, status CANCELED                   |
        | FILLED, or it never rested (REFUSED, NOT_ACCEPTED) | executed=false, nothing_to_cancel               |

    It fills nothing itself: `filled_qty` is 0, and what the order had is its own plan's result.
    """
    ended = order.state in {OrderState.PARTIAL, OrderState.NOT_FILLED}
    filled = format_amount(max(order.executed_qty, order.booked_qty))
    return PlanResult(
        result_id=f"cancel-{plan_id}",
        plan_id=plan_id,
        entry_id="",
        symbol=order.leg.symbol,
        decision=Decision.CANCEL.value,
        executed=ended,
        status="CANCELED" if ended else "REFUSED",
        error="" if ended else Reason.NOTHING_TO_CANCEL.value,
        detail=f"the order of plan {order.plan_id} ended {order.state.value}, {filled} of it filled",
        filled_qty=ZERO,
        avg_price=None,
        client_order_id=order.client_order_id,
        order_id=order.venue_order_id,
        duplicate=False,
        timestamp_ms=now_ms,
    )
