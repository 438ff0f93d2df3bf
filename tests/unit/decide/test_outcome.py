"""What a request brought back: every report on every order, and that nothing the venue showed is ever taken back."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

from holdfast.decide.outcome import adopt_report, cancel_result, not_accepted, refused, result_of, unknown, was_taken
from holdfast.domain.names import PlanId, VenueOrderId
from holdfast.domain.order import Order, OrderReport, OrderState, VenueOrderStatus
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import OrderType
from tests.unit.decide.samples import NOW, ORDER, REPORT, ZERO, D
from tests.unit.decide.tables import Row, hold_to

if TYPE_CHECKING:
    from collections.abc import Iterator

Pair = tuple[Order, OrderReport]
REPORTED_FINAL = {OrderState.FILLED, OrderState.PARTIAL, OrderState.NOT_FILLED}
ENDED = {
    VenueOrderStatus.FILLED,
    VenueOrderStatus.CANCELED,
    VenueOrderStatus.REJECTED,
    VenueOrderStatus.EXPIRED,
    VenueOrderStatus.EXPIRED_IN_MATCH,
}
"""What the venue's documentation calls final."""


def orders() -> Iterator[Order]:
    """Every state with nothing, a part and all of it executed and booked, as far as the state allows."""
    for state, executed, booked in product(OrderState, (0, 3, 5), (0, 3, 5)):
        is_none = state in {OrderState.NOT_FILLED, OrderState.CLAIMED}
        if (is_none and (executed or booked)) or (state in {OrderState.FILLED, OrderState.PARTIAL} and not executed):
            continue
        number = VenueOrderId(7) if executed or booked or state in REPORTED_FINAL else None
        yield replace(ORDER, state=state, executed_qty=D(executed), booked_qty=D(booked), venue_order_id=number)


def reports() -> Iterator[OrderReport]:
    """Every status with nothing, a part and all of it executed, with and without a price."""
    for status, executed, price in product(VenueOrderStatus, (0, 3, 5), (None, D(11))):
        yield replace(REPORT, status=status, executed_qty=D(executed), avg_price=price)


def most(pair: Pair) -> int:
    """The most that anybody has shown to be executed."""
    order, report = pair
    return int(max(order.executed_qty, order.booked_qty, report.executed_qty))


ROWS: list[Row[Pair]] = [
    Row("was filled", lambda p: p[0].state is OrderState.FILLED, OrderState.FILLED),
    Row(
        "had ended, with a part",
        lambda p: p[0].state in REPORTED_FINAL and p[1].status not in ENDED and most(p) > 0,
        OrderState.PARTIAL,
    ),
    Row(
        "had ended, with nothing",
        lambda p: p[0].state in REPORTED_FINAL and p[1].status not in ENDED,
        OrderState.NOT_FILLED,
    ),
    Row("not ended", lambda p: p[1].status not in ENDED, OrderState.OPEN),
    Row("filled", lambda p: p[1].status is VenueOrderStatus.FILLED and most(p) > 0, OrderState.FILLED),
    Row(
        "contradicts itself, had ended with nothing",
        lambda p: p[1].status is VenueOrderStatus.FILLED and p[0].state is OrderState.NOT_FILLED,
        OrderState.NOT_FILLED,
    ),
    Row("contradicts itself", lambda p: p[1].status is VenueOrderStatus.FILLED, OrderState.OPEN),
    Row("ended with a part", lambda p: most(p) > 0, OrderState.PARTIAL),
    Row("ended with nothing", lambda _: True, OrderState.NOT_FILLED),
]


def seen(pair: Pair) -> OrderState:
    """The state; what holds for every report is checked on the way."""
    order, report = pair
    after = adopt_report(order, report, NOW)
    assert after.executed_qty == most(pair)
    assert after.venue_order_id == report.order_id
    assert was_taken(after)
    assert after.avg_price == (report.avg_price if report.avg_price is not None else order.avg_price)
    assert (after.error == Reason.NOT_FILLED.value) is (after.state is OrderState.NOT_FILLED)
    assert (after.state is OrderState.NOT_FILLED) <= (after.executed_qty == 0)
    assert replace(
        after, state=order.state, executed_qty=order.executed_qty, venue_order_id=order.venue_order_id,
        avg_price=order.avg_price, error=order.error, error_detail=order.error_detail, updated_ms=order.updated_ms,
    ) == order, "a report changes nothing else"  # fmt: skip
    return after.state


def test_every_report_on_every_order() -> None:
    """Over every order and every report the state is that of the first row that applies."""
    hold_to(ROWS, product(orders(), reports()), seen)


def test_a_limit_order_says_how_it_ended() -> None:
    """Ended with nothing: cancelled, expired, or something else; ended with a part: the venue's status as a detail."""
    limit = replace(ORDER, order_type=OrderType.LIMIT, state=OrderState.OPEN)
    nothing = replace(REPORT, executed_qty=ZERO)
    for status, error in (
        (VenueOrderStatus.CANCELED, Reason.CANCELED),
        (VenueOrderStatus.EXPIRED, Reason.EXPIRED_UNFILLED),
        (VenueOrderStatus.EXPIRED_IN_MATCH, Reason.EXPIRED_UNFILLED),
        (VenueOrderStatus.REJECTED, Reason.NOT_FILLED),
    ):
        after = adopt_report(limit, replace(nothing, status=status), NOW)
        assert (after.state, after.error) == (OrderState.NOT_FILLED, error.value)
        assert status.value in after.error_detail
        part = adopt_report(limit, replace(nothing, status=status, executed_qty=D(2)), NOW)
        assert (part.state, part.error) == (OrderState.PARTIAL, "")
        assert status.value in part.error_detail
    for status in (VenueOrderStatus.NEW, VenueOrderStatus.PARTIALLY_FILLED):
        assert adopt_report(limit, replace(nothing, status=status), NOW).rests


def test_reports_in_any_order_end_alike() -> None:
    """Two reports of one order, the second overtaking the first, leave it as executed as the fuller one says."""
    sending = replace(ORDER, state=OrderState.SENDING)
    sound = [r for r in reports() if r.status is not VenueOrderStatus.FILLED or r.executed_qty > ZERO]
    for first, second in product(sound, sound):
        one = adopt_report(adopt_report(sending, first, NOW), second, NOW)
        other = adopt_report(adopt_report(sending, second, NOW), first, NOW)
        assert one.executed_qty == other.executed_qty
        assert one.state.is_final == other.state.is_final
        assert (one.state is OrderState.NOT_FILLED) == (other.state is OrderState.NOT_FILLED)


def shown(order: Order) -> bool:
    """The venue gave it a number, or executed or filled some of it."""
    return order.venue_order_id is not None or order.executed_qty != ZERO or order.booked_qty != ZERO


def test_a_refusal_or_an_absence_ends_only_what_the_venue_never_took() -> None:
    """REFUSED and NOT_ACCEPTED end an order that nobody ever saw at the venue; one that was seen is asked about."""
    alone = [
        replace(ORDER, executed_qty=D(1)),
        replace(ORDER, booked_qty=D(1)),
        replace(ORDER, venue_order_id=VenueOrderId(1)),
    ]
    for order in (*orders(), *alone):
        for after, state, reason in (
            (refused(order, Reason.VENUE_REFUSED, "-2019", NOW), OrderState.REFUSED, Reason.VENUE_REFUSED),
            (not_accepted(order, NOW), OrderState.NOT_ACCEPTED, Reason.NOT_ACCEPTED),
        ):
            assert was_taken(order) is shown(order)
            if not shown(order):
                assert (after.state, after.error) == (state, reason.value)
                assert after.error_detail
            elif order.state.is_final:
                assert after == order
            else:
                assert after.state is OrderState.UNKNOWN
            assert (after.executed_qty, after.booked_qty) == (order.executed_qty, order.booked_qty)


def test_unknown_leaves_what_is_final() -> None:
    """An answer that did not come makes an order UNKNOWN, unless its end is known already."""
    for order in orders():
        after = unknown(order, "time-out", NOW)
        assert after.state is (order.state if order.state.is_final else OrderState.UNKNOWN)


def test_a_result_never_says_not_executed_without_an_error() -> None:
    """Whatever the order, its plan's result is executed, or names a code of the list; never both, never neither."""
    codes = {reason.value for reason in Reason}
    for order in orders():
        for error in ("", Reason.VENUE_REFUSED.value):
            result = result_of(replace(order, error=error), "1-0", D(9), NOW)
            assert result.executed is (order.executed_qty > ZERO or order.booked_qty > ZERO)
            assert result.executed is (result.error == "")
            assert result.error in codes | {""}
            assert result.filled_qty == max(order.executed_qty, order.booked_qty)
            assert (result.filled_qty > ZERO) is result.executed
            assert result.status == order.state.name
            assert result.result_id == f"res-{order.client_order_id}"
            assert (result.plan_id, result.entry_id, result.duplicate) == (order.plan_id, "1-0", False)


def test_the_venues_average_price_comes_before_ours() -> None:
    """The result carries the venue's average price, and the trades' own if the venue gave none."""
    filled = replace(ORDER, state=OrderState.FILLED, executed_qty=D(5))
    assert result_of(filled, "", D(9), NOW).avg_price == 9
    assert result_of(replace(filled, avg_price=D(8)), "", D(9), NOW).avg_price == 8


def test_a_cancel_is_answered_by_how_the_order_ended() -> None:
    """Over every final order a CANCEL is done if something was left unfilled, and otherwise says nothing_to_cancel."""
    for order in orders():
        if not order.state.is_final:
            continue
        result = cancel_result(order, PlanId("c-1"), NOW)
        assert result.executed is (order.state in {OrderState.PARTIAL, OrderState.NOT_FILLED})
        assert result.error == ("" if result.executed else Reason.NOTHING_TO_CANCEL.value)
        assert (result.plan_id, result.decision, result.filled_qty) == ("c-1", "CANCEL", ZERO)
        assert order.plan_id in result.detail
