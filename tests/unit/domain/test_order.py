"""Orders: what a fill does to the ledger, what is settled, and what a venue's report proves."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.order import OrderState, VenueOrderStatus
from holdfast.domain.sides import OrderType
from tests.unit.decide.samples import ORDER, REPORT, ZERO, D

FINAL = {
    OrderState.FILLED,
    OrderState.PARTIAL,
    OrderState.NOT_FILLED,
    OrderState.REFUSED,
    OrderState.NOT_ACCEPTED,
}
QTY = st.integers(0, 12).map(lambda tenths: D(tenths) / 10)


def test_the_part_that_moves_the_ledger_is_what_exceeds_the_drift() -> None:
    """Of every fill, after any that were booked, only what lies beyond `against_drift_qty` moves the ledger."""
    for against, booked, fill in product(range(6), range(6), range(6)):
        order = replace(ORDER, against_drift_qty=D(against), booked_qty=D(booked))
        units = [number for number in range(booked, booked + fill) if number >= against]
        assert order.ledger_part(D(fill)) == len(units), (against, booked, fill)


@given(QTY, st.lists(QTY, max_size=6))
def test_fills_cut_in_any_way_move_the_ledger_alike(against: D, fills: list[D]) -> None:
    """Booked one by one or all at once, the same fills move the ledger by the same amount."""
    order = replace(ORDER, against_drift_qty=against)
    whole = order.ledger_part(sum(fills, ZERO))
    moved = ZERO
    for fill in fills:
        moved += order.ledger_part(fill)
        order = replace(order, booked_qty=order.booked_qty + fill)
    assert moved == whole
    assert ZERO <= moved <= sum(fills, ZERO)


@pytest.mark.parametrize("state", OrderState)
def test_what_a_state_means(state: OrderState) -> None:
    """Each state is final or not, blocks its symbol or not; settled is final and booked, pending may lack a fill."""
    assert state.is_final is (state in FINAL)
    assert state.blocks_symbol is (state in {OrderState.CLAIMED, OrderState.SENDING, OrderState.UNKNOWN})
    for executed, booked in product((0, 2, 5), (0, 2, 5)):
        order = replace(ORDER, state=state, executed_qty=D(executed), booked_qty=D(booked))
        assert order.is_settled is (state in FINAL and booked >= executed)
        for order_type in OrderType:
            is_unended = state is OrderState.OPEN and order_type is OrderType.MARKET
            expected_pending = state.blocks_symbol or is_unended or executed > booked
            assert replace(order, order_type=order_type).is_pending is expected_pending
        expected = (executed if state in FINAL else 5) - booked
        assert order.unbooked_max == max(expected, 0)


PROVES = {
    (VenueOrderStatus.FILLED, 5): OrderState.FILLED,
    (VenueOrderStatus.FILLED, 0): OrderState.OPEN,  # it contradicts itself: asked again
    (VenueOrderStatus.CANCELED, 0): OrderState.NOT_FILLED,
    (VenueOrderStatus.CANCELED, 2): OrderState.PARTIAL,
    (VenueOrderStatus.REJECTED, 0): OrderState.NOT_FILLED,
    (VenueOrderStatus.EXPIRED, 0): OrderState.NOT_FILLED,
    (VenueOrderStatus.EXPIRED, 2): OrderState.PARTIAL,
    (VenueOrderStatus.EXPIRED_IN_MATCH, 2): OrderState.PARTIAL,
    (VenueOrderStatus.NEW, 0): OrderState.OPEN,
    (VenueOrderStatus.PARTIALLY_FILLED, 2): OrderState.OPEN,
    (VenueOrderStatus.OTHER, 0): OrderState.OPEN,
    (VenueOrderStatus.OTHER, 5): OrderState.OPEN,  # a word we do not know ends nothing
}


@pytest.mark.parametrize(("status", "executed"), PROVES)
def test_what_a_report_proves(status: VenueOrderStatus, executed: int) -> None:
    """A report proves an end only by a word that the venue's documentation calls final, and never against itself."""
    report = replace(REPORT, status=status, executed_qty=D(executed))
    assert report.state() is PROVES[status, executed]
    assert {each for each, _ in PROVES} == set(VenueOrderStatus)
