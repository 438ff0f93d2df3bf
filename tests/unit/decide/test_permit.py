"""The permit table of EXECUTE: every three dimensions at once, with the amounts that meet as a full product."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.decide.permit import MARK_AGE_MS_MAX, BusReading, MarkPrice, PermitFacts, leg_of_plan, permit_execute
from holdfast.domain.hold import HoldOwner, HoldReason
from holdfast.domain.names import client_order_id
from holdfast.domain.order import Order, OrderState
from holdfast.domain.permit import Permit, Refusal
from holdfast.domain.sides import (
    Decision,
    Leg,
    OrderType,
    PlanSide,
    PositionMode,
    PositionSide,
    Side,
    TimeInForce,
    TradingState,
)
from tests.unit.decide.permit_rows import OPEN_MAX, POSITION_MAX, ROWS, is_limit, order_side, reduces
from tests.unit.decide.samples import (
    ACCOUNT,
    HOLD,
    INSTRUMENT,
    LEDGER,
    LIMITS,
    LONG_LEG,
    NOW,
    ORDER,
    OTHER_LEG,
    PLAN,
    SHORT_LEG,
    SYMBOL,
    ZERO,
    D,
)
from tests.unit.decide.tables import hold_to

if TYPE_CHECKING:
    from collections.abc import Iterator

Change = Callable[[PermitFacts], PermitFacts]
TIGHT = replace(LIMITS, order_notional_max=D(50), position_notional_max=POSITION_MAX, open_orders_max=OPEN_MAX)
GOOD = PermitFacts(
    account=ACCOUNT,
    plan=PLAN,
    now_ms=NOW,
    venue_offset_ms=11,
    limits=TIGHT,
    trading=TradingState.ACTIVE,
    mode=PositionMode.ONE_WAY,
    baseline=True,
    instrument=INSTRUMENT,
    holds=(),
    bus=BusReading(None, NOW),
    orders=(),
    ledger=replace(LEDGER, amt=D(8)),
    stamp_ms=NOW,
    mark=MarkPrice(D(10), NOW),
)
LIMIT_ORDER = replace(ORDER, order_type=OrderType.LIMIT, price=D(10), state=OrderState.OPEN)
SELL_REST = replace(LIMIT_ORDER, side=Side.SELL, qty=D(1), reduce_only=True)


def plan(**changes: Any) -> Change:
    """Change the plan."""
    return lambda f: replace(f, plan=replace(f.plan, **changes))


def facts(**changes: Any) -> Change:
    """Change other facts."""
    return lambda f: replace(f, **changes)


def ledger(**changes: Any) -> Change:
    """Change the ledger."""
    return lambda f: replace(f, ledger=replace(f.ledger, **changes))


def rules(**changes: Any) -> Change:
    """Change the instrument's rules."""
    return lambda f: f if f.instrument is None else replace(f, instrument=replace(f.instrument, **changes))


def hedge(leg: Leg, amount: int) -> Change:
    """Hedge mode, the plan naming the leg, whose ledger holds the amount."""
    return lambda f: replace(
        f,
        mode=PositionMode.HEDGE,
        plan=replace(f.plan, position_side=leg.position_side),
        ledger=replace(f.ledger, leg=leg, amt=D(amount)),
    )


def orders(*found: Order) -> Change:
    """Own orders on the symbol that are not settled."""
    return facts(orders=found)


def limit(price: str, tif: TimeInForce | None = None) -> Change:
    """A LIMIT plan."""
    return plan(order_type=OrderType.LIMIT, price=D(price), time_in_force=tif)


AGE, FUTURE = LIMITS.plan_age_ms_max, LIMITS.plan_future_ms_max
AMOUNTS: dict[str, list[Change]] = {
    "side": [plan(side=side, reduce_only=reduces) for side in PlanSide for reduces in (True, False)],
    "qty": [plan(qty=D(q)) for q in ("0", "-5", "4.5", "1", "2", "8", "9")],
    "ledger": [ledger(amt=D(q)) for q in (0, 1, 8, -1, -8)],
}
CHANGES: dict[str, list[Change]] = {
    **AMOUNTS,
    "decision": [plan(decision=Decision.RECONCILE_CLOSE), plan(decision=Decision.OPERATOR_CLOSE)],
    "halted": [facts(trading=TradingState.HALTED)],
    "allowed": [facts(limits=replace(TIGHT, symbols=frozenset()))],
    "rules": [
        facts(instrument=None),
        rules(status="SETTLING"),
        rules(qty_min=D(6), market_qty_min=None),
        rules(qty_min=None, market_qty_min=D(6)),
        rules(qty_min=None, market_qty_min=None),
        rules(qty_max=D(4)),
        rules(market_qty_max=D(4)),
        rules(qty_max=None, market_qty_max=None),
        rules(qty_step=D(2)),
        rules(notional_min=D(51)),
        rules(notional_min=None),
    ],
    "age": [plan(timestamp_ms=NOW - age) for age in (AGE, AGE + 1, 0, -FUTURE, -FUTURE - 1)],
    "expires": [plan(expires_ms=NOW), plan(expires_ms=NOW - 1), plan(expires_ms=NOW + 1)],
    "type": [
        plan(order_type=OrderType.LIMIT),
        *(limit(price) for price in ("10", "10.05", "10.1", "0", "-1", "9", "11", "25.1")),
        plan(order_type=OrderType.MARKET, price=D("10.05"), time_in_force=TimeInForce.IOC),
        *(limit("10", tif) for tif in TimeInForce),
        lambda f: rules(price_tick=None, price_max=None)(limit("10.05")(f)),
        lambda f: rules(price_min=D(10), price_max=D(10))(limit("9.9")(f)),
        lambda f: rules(price_min=D(10), price_max=D(10))(limit("10.1")(f)),
        lambda f: rules(price_min=D(10), price_max=D(10))(limit("10")(f)),
        lambda f: rules(qty_min=D(6))(limit("10")(f)),
        lambda f: rules(qty_max=D(4))(limit("10")(f)),
        lambda f: rules(market_qty_min=D(6), market_qty_max=D(4))(limit("10")(f)),
    ],
    "mode": [
        facts(mode=None),
        facts(mode=PositionMode.HEDGE),
        plan(position_side=PositionSide.BOTH),
        plan(position_side=PositionSide.LONG),
        ledger(leg=OTHER_LEG),
        hedge(LONG_LEG, 8),
        hedge(LONG_LEG, 0),
        hedge(SHORT_LEG, -8),
        hedge(SHORT_LEG, 0),
    ],
    "baseline": [facts(baseline=False)],
    "holds": [
        facts(holds=(HOLD,)),
        facts(holds=(replace(HOLD, leg=SHORT_LEG, owner=HoldOwner.OPERATOR, reason=HoldReason.OPERATOR),)),
    ],
    "bus": [
        facts(bus=None),
        facts(bus=BusReading(None, NOW - LIMITS.input_age_ms_max)),
        facts(bus=BusReading(None, NOW - LIMITS.input_age_ms_max - 1)),
        facts(bus=BusReading(None, NOW + 1)),
        facts(bus=BusReading("by hand", NOW)),
        facts(bus=BusReading("by hand", NOW + 1)),
        facts(bus=BusReading("", NOW)),
    ],
    "stamp": [
        facts(stamp_ms=None),
        facts(stamp_ms=NOW - LIMITS.stamp_age_ms_max),
        facts(stamp_ms=NOW - LIMITS.stamp_age_ms_max - 1),
        facts(stamp_ms=NOW + 1),
    ],
    "orders": [
        *(orders(replace(ORDER, state=state)) for state in OrderState),
        *(orders(replace(ORDER, state=state, executed_qty=D(5))) for state in OrderState),
        orders(LIMIT_ORDER),
        orders(LIMIT_ORDER, replace(ORDER, state=OrderState.UNKNOWN)),
        orders(replace(LIMIT_ORDER, executed_qty=D(1))),
        orders(replace(LIMIT_ORDER, executed_qty=D(1), booked_qty=D(1))),
        orders(LIMIT_ORDER, SELL_REST),
        orders(SELL_REST),
        orders(replace(SELL_REST, qty=D(7))),
        orders(replace(SELL_REST, qty=D(7), executed_qty=D(6), booked_qty=D(6))),
        orders(replace(SELL_REST, qty=D(7), reduce_only=False)),
        orders(replace(SELL_REST, qty=D(7), leg=OTHER_LEG)),
        orders(replace(SELL_REST, side=Side.BUY, qty=D(7))),
        orders(replace(LIMIT_ORDER, leg=LONG_LEG, side=Side.SELL, qty=D(7))),
        orders(replace(LIMIT_ORDER, leg=SHORT_LEG, side=Side.BUY, qty=D(7))),
        orders(replace(LIMIT_ORDER, leg=LONG_LEG, qty=D(7))),
    ],
    "agreed": [
        ledger(agreed_version=None),
        ledger(agreed_version=LEDGER.version - 1),
        ledger(agreed_version=LEDGER.version + 1),
    ],
    "mark": [
        facts(mark=None),
        facts(mark=MarkPrice(ZERO, NOW)),
        facts(mark=MarkPrice(D(-1), NOW)),
        facts(mark=MarkPrice(D("10.01"), NOW)),
        facts(mark=MarkPrice(D("0.99"), NOW)),
        facts(mark=MarkPrice(D(10), NOW - MARK_AGE_MS_MAX)),
        facts(mark=MarkPrice(D(10), NOW - MARK_AGE_MS_MAX - 1)),
        facts(mark=MarkPrice(D(10), NOW + 1)),
    ],
}


def world() -> Iterator[PermitFacts]:
    """Every two dimensions at once, in both orders; the amounts that meet with every third dimension in full."""
    yield GOOD
    for (_, lefts), (_, rights) in combinations(CHANGES.items(), 2):
        for first, second in product(lefts, rights):
            yield second(first(GOOD))
            yield first(second(GOOD))
    thirds = [change for name, changes in CHANGES.items() if name not in AMOUNTS for change in changes]
    for side, qty, book in product(*AMOUNTS.values()):
        amounts = qty(side(book(GOOD)))
        for third in thirds:
            yield third(amounts)
    for leg, amount, side, qty in product((LONG_LEG, SHORT_LEG), (8, 1, 0, -1, -8), AMOUNTS["side"], AMOUNTS["qty"]):
        yield qty(side(hedge(leg, amount)(GOOD)))


def judged(f: PermitFacts) -> object:
    """The refusal's code and whether it may wait, or `permit`; a permit is checked field for field on the way."""
    choice = permit_execute(f)
    if isinstance(choice, Refusal):
        assert choice.detail
        assert choice.rule == choice.reason.value
        return choice.reason.value, choice.can_wait
    assert choice == Permit(
        plan_id=f.plan.plan_id,
        decision=Decision.EXECUTE,
        leg=f.ledger.leg,
        side=order_side(f),
        qty=f.plan.qty,
        order_type=f.plan.order_type,
        reduce_only=reduces(f),
        price=f.plan.price if is_limit(f) else None,
        time_in_force=(f.plan.time_in_force or TimeInForce.GTC) if is_limit(f) else None,
        client_order_id=client_order_id(ACCOUNT, f.plan.plan_id),
        against_drift_qty=ZERO,
        hold_id=None,
        timestamp_ms=NOW + 11,
        recv_window_ms=LIMITS.recv_window_ms,
    )
    return "permit"


def test_the_first_row_that_applies_decides() -> None:
    """Over every two facts that may be wrong at once, and every meeting of amounts, the first row decides."""
    decided = hold_to(ROWS, world(), judged)
    assert sum(decided.values()) > 15_000
    assert decided["--"] > 100
    assert decided["-- reduces"] > 100


@pytest.mark.parametrize("mode", [None, *PositionMode])
@pytest.mark.parametrize("side", [None, *PositionSide])
def test_the_leg_of_a_plan(mode: PositionMode | None, side: PositionSide | None) -> None:
    """One-way mode has one leg, named or not; hedge mode two, and the plan must name its own; no mode has none."""
    expected = {
        (PositionMode.ONE_WAY, None): PositionSide.BOTH,
        (PositionMode.ONE_WAY, PositionSide.BOTH): PositionSide.BOTH,
        (PositionMode.HEDGE, PositionSide.LONG): PositionSide.LONG,
        (PositionMode.HEDGE, PositionSide.SHORT): PositionSide.SHORT,
    }
    named = expected.get((mode, side)) if mode is not None else None
    assert leg_of_plan(ACCOUNT, replace(PLAN, position_side=side), mode) == (
        None if named is None else Leg(ACCOUNT, SYMBOL, named)
    )
