"""Sizing a close: over every pair of looks and ledgers of a small world, and the instrument's bounds."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from holdfast.decide.close import closable, closable_by_both, plan_close, side_that_shrinks, slice_of, smallest_order
from holdfast.domain.close import CloseState
from holdfast.domain.names import is_plan_id
from holdfast.domain.sides import Decision, Side
from tests.unit.decide.samples import HOLD, INSTRUMENT, LIMITS, NOW, D

GRID = range(-6, 7)


def test_what_is_closable_is_what_can_go_without_touching_the_ledgers_part() -> None:
    """For every E and L the closable quantity is the largest step toward zero that never widens E - L."""
    for exchange, ledger in product(GRID, GRID):
        toward_zero = -1 if exchange > 0 else 1
        best = 0
        for qty in range(1, abs(exchange) + 1):
            after = exchange + toward_zero * qty
            shrinks_all_the_way = abs(after - ledger) == abs(exchange - ledger) - qty
            if shrinks_all_the_way:
                best = qty
        assert closable(D(exchange), D(ledger)) == best, (exchange, ledger)


def test_two_looks_allow_the_smaller_part_of_the_same_side_only() -> None:
    """Two looks close the smaller of what each allows, and nothing if they show different sides of the market."""
    for first, second, ledger in product(GRID, GRID, GRID):
        both = closable_by_both((D(first), D(second)), D(ledger))
        if first * second <= 0:
            assert both == 0
        else:
            assert both == min(closable(D(first), D(ledger)), closable(D(second), D(ledger)))


@pytest.mark.parametrize("step", [1, 2, 4])
def test_a_planned_close_shrinks_both_looks_and_widens_neither_drift(step: int) -> None:
    """A close, if one is planned, takes each look toward zero, never past it, and never past the ledger (I1, I2)."""
    rules = replace(INSTRUMENT, qty_step=D(step), market_qty_max=D(5))
    planned = 0
    for first, second, ledger in product(GRID, GRID, GRID):
        close = plan_close(
            HOLD,
            looks=(D(first), D(second)),
            ledger_amt=D(ledger),
            instrument=rules,
            limits=LIMITS,
            now_ms=NOW,
            number=1,
        )
        if close is None:
            assert closable_by_both((D(first), D(second)), D(ledger)) < step
            continue
        planned += 1
        assert close.qty > 0
        assert close.qty % step == 0
        assert close.qty <= 5
        for look in (first, second):
            after = look + close.side.sign * close.qty
            assert abs(after) == abs(look) - close.qty
            assert abs(after - ledger) == abs(look - ledger) - close.qty
        assert close.exchange_amt in (first, second)
        assert closable(close.exchange_amt, D(ledger)) == closable_by_both((D(first), D(second)), D(ledger))
    assert planned > 100


EXAMPLES = [("0.007", "0", "0.007", Side.SELL), ("0.007", "0.002", "0.005", Side.SELL), ("-0.4", "0", "0.4", Side.BUY),
            ("0.007", "-0.003", "0.007", Side.SELL)]  # fmt: skip


@pytest.mark.parametrize(("exchange", "ledger", "qty", "side"), EXAMPLES)
def test_the_examples_of_the_design(exchange: str, ledger: str, qty: str, side: Side) -> None:
    """The examples that the design gives come out as it says, with all that the journal keeps of a close."""
    look = D(exchange)
    rules = replace(INSTRUMENT, qty_step=D("0.001"))
    close = plan_close(
        HOLD, looks=(look, look), ledger_amt=D(ledger), instrument=rules, limits=LIMITS, now_ms=NOW, number=3
    )
    assert close is not None
    assert (close.qty, close.side, close.exchange_amt, close.ledger_amt) == (D(qty), side, look, D(ledger))
    assert (close.decision, close.state) == (Decision.RECONCILE_CLOSE, CloseState.PLANNED)
    assert (close.hold_id, close.leg, close.attempt) == (HOLD.hold_id, HOLD.leg, 3)
    assert close.reason == "drift_detected:drift"
    assert close.expires_ms == NOW + LIMITS.close_ttl_ms
    assert close.plan_id == "rc-h-1-3"
    assert is_plan_id(close.plan_id)
    assert close.approval is None


@pytest.mark.parametrize(
    ("market_max", "lot_max", "qty", "expected"),
    [
        (None, None, "777.7", "777"),
        ("500", None, "777.7", "500"),
        (None, "100", "777.7", "100"),
        ("500", "100", "777.7", "100"),
        ("100", "500", "777.7", "100"),
        ("100.5", "500", "777.7", "100"),
        ("100", "500", "99.9", "99"),
        ("100", "500", "0.9", "0"),
    ],
)
def test_a_slice_obeys_the_step_and_both_filters(
    market_max: str | None, lot_max: str | None, qty: str, expected: str
) -> None:
    """A slice is rounded down, and is not above LOT_SIZE nor MARKET_LOT_SIZE, whichever is the smaller."""
    rules = replace(
        INSTRUMENT,
        market_qty_max=D(market_max) if market_max is not None else None,
        qty_max=D(lot_max) if lot_max is not None else None,
    )
    assert slice_of(D(qty), rules) == D(expected)


def test_slices_leave_nothing_that_is_too_small_to_close() -> None:
    """Whatever the bounds, slices take off all but less than a step, unless all of it is smaller than an order."""
    for step, bound, largest, qty in product((1, 2), range(1, 6), range(1, 9), range(1, 21)):
        rules = replace(INSTRUMENT, qty_step=D(step), qty_min=None, qty_max=None, market_qty_min=D(bound))
        rules = replace(rules, market_qty_max=D(largest))
        smallest, left = smallest_order(rules), D(qty)
        assert bound <= smallest < bound + step
        while (part := slice_of(left, rules)) >= smallest:
            assert part <= largest
            left -= part
        if largest >= 2 * smallest:
            assert left < step or qty < smallest, (step, bound, largest, qty)


def test_a_large_close_ends_slice_by_slice() -> None:
    """Slices planned one after the other from fresh facts take off exactly the drift, in a bounded number."""
    exchange, ledger, slices = D("12.5"), D(2), 0
    rules = replace(INSTRUMENT, qty_step=D("0.5"), market_qty_max=D(4))
    while slices < 10:
        close = plan_close(
            HOLD, looks=(exchange, exchange), ledger_amt=ledger, instrument=rules, limits=LIMITS, now_ms=NOW,
            number=slices + 1,
        )  # fmt: skip
        if close is None:
            break
        exchange -= close.qty
        slices += 1
    assert (exchange, slices) == (ledger, 3)


def test_a_short_is_closed_by_buying() -> None:
    """SELL shrinks a long position, BUY a short one."""
    assert side_that_shrinks(D("0.001")) is Side.SELL
    assert side_that_shrinks(D("-0.001")) is Side.BUY
