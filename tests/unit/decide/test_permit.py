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
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Decision, Leg, OrderType, PlanSide, PositionMode, PositionSide, Side, TradingState
from tests.unit.decide.samples import (
    ACCOUNT,
    HOLD,
    INSTRUMENT,
    LEDGER,
    LEG,
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
from tests.unit.decide.tables import Row, hold_to

if TYPE_CHECKING:
    from collections.abc import Iterator

Change = Callable[[PermitFacts], PermitFacts]
TIGHT = replace(LIMITS, order_notional_max=D(50))
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
    "type": [plan(order_type=OrderType.LIMIT)],
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

PENDING = {OrderState.CLAIMED, OrderState.SENDING, OrderState.UNKNOWN}


def old(at_ms: int, bound_ms: int) -> bool:
    """Older than the bound, or from the future."""
    return at_ms > NOW or at_ms + bound_ms < NOW


def is_leg_wrong(f: PermitFacts) -> bool:
    """Row 8, as a list of what fits."""
    named = f.plan.position_side
    fits = {
        (PositionMode.ONE_WAY, None): LEG,
        (PositionMode.ONE_WAY, PositionSide.BOTH): LEG,
        (PositionMode.HEDGE, PositionSide.LONG): LONG_LEG,
        (PositionMode.HEDGE, PositionSide.SHORT): SHORT_LEG,
    }
    return f.mode is None or fits.get((f.mode, named)) != f.ledger.leg


def is_pending(order: Order) -> bool:
    """Row 15."""
    unended_market = order.state is OrderState.OPEN and order.order_type is OrderType.MARKET
    return order.state in PENDING or unended_market or order.booked_qty < order.executed_qty


def reduces(f: PermitFacts) -> bool:
    """`close`, or reduce-only."""
    return f.plan.side is PlanSide.CLOSE or f.plan.reduce_only


def order_side(f: PermitFacts) -> Side:
    """The side of the order; `close` shrinks what the ledger holds."""
    if f.plan.side is PlanSide.CLOSE:
        return Side.SELL if f.ledger.amt > 0 else Side.BUY
    return Side[f.plan.side.name]


def would_increase(f: PermitFacts) -> bool:
    """Row 18: reduce-only would not shrink, or by more than there is; a hedge leg is shrunk by more than it holds."""
    held, qty = f.ledger.amt, f.plan.qty
    shrinks = held > 0 if order_side(f) is Side.SELL else held < 0
    if reduces(f) and (not shrinks or qty > abs(held)):
        return True
    opening = {PositionSide.LONG: Side.BUY, PositionSide.SHORT: Side.SELL}.get(f.ledger.leg.position_side)
    return opening is not None and order_side(f) is not opening and qty > abs(held)


def no(reason: Reason, *, waits: bool = False) -> tuple[str, bool]:
    """What a refusal says."""
    return reason.value, waits


def rule(f: PermitFacts, name: str) -> Any:
    """One of the venue's words or bounds; None where there is none (row 3 has spoken if all are missing)."""
    return getattr(f.instrument or INSTRUMENT, name)


ROWS: list[Row[PermitFacts]] = [
    Row("0", lambda f: f.plan.decision is not Decision.EXECUTE, no(Reason.NOT_JOURNALED)),
    Row("1", lambda f: f.trading is TradingState.HALTED, no(Reason.HALTED)),
    Row("2", lambda f: f.plan.symbol not in f.limits.symbols, no(Reason.NOT_ALLOWED)),
    Row("3", lambda f: f.instrument is None, no(Reason.UNKNOWN_SYMBOL)),
    Row("4", lambda f: rule(f, "status") != "TRADING", no(Reason.SYMBOL_NOT_TRADING)),
    Row(
        "5",
        lambda f: f.plan.timestamp_ms < NOW - AGE or (f.plan.expires_ms is not None and f.plan.expires_ms < NOW),
        no(Reason.STALE_PLAN),
    ),
    Row("6", lambda f: f.plan.timestamp_ms > NOW + FUTURE, no(Reason.FUTURE_PLAN)),
    Row("7", lambda f: f.plan.order_type is not OrderType.MARKET, no(Reason.UNSUPPORTED)),
    Row("8", is_leg_wrong, no(Reason.POSITION_SIDE)),
    Row("9", lambda f: not f.baseline, no(Reason.NO_BASELINE)),
    Row("10", lambda f: len(f.holds) > 0, no(Reason.HOLD_ACTIVE)),
    Row("11", lambda f: f.bus is None, no(Reason.BUS_UNREADABLE)),
    Row("12", lambda f: f.bus is not None and old(f.bus.read_ms, LIMITS.input_age_ms_max), no(Reason.INPUT_STALE)),
    Row("13", lambda f: f.bus is not None and f.bus.value is not None, no(Reason.BUS_HOLD)),
    Row("14", lambda f: f.stamp_ms is None or old(f.stamp_ms, LIMITS.stamp_age_ms_max), no(Reason.STAMP_STALE)),
    Row("15", lambda f: any(is_pending(order) for order in f.orders), no(Reason.ORDER_PENDING, waits=True)),
    Row("16", lambda f: f.ledger.agreed_version != f.ledger.version, no(Reason.NOT_AGREED, waits=True)),
    Row("17", lambda f: reduces(f) and f.ledger.amt == 0, no(Reason.NOTHING_TO_CLOSE)),
    Row("18", would_increase, no(Reason.WOULD_INCREASE)),
    Row("19 positive", lambda f: f.plan.qty <= 0, no(Reason.BAD_QTY)),
    Row("19 on step", lambda f: (f.plan.qty / rule(f, "qty_step")) % 1 != 0, no(Reason.OFF_STEP)),
    Row(
        "20 below",
        lambda f: any(
            least is not None and f.plan.qty < least for least in (rule(f, "qty_min"), rule(f, "market_qty_min"))
        ),
        no(Reason.BELOW_MIN_QTY),
    ),
    Row(
        "20 above",
        lambda f: any(
            most is not None and f.plan.qty > most for most in (rule(f, "qty_max"), rule(f, "market_qty_max"))
        ),
        no(Reason.ABOVE_MAX_QTY),
    ),
    Row("-- reduces", reduces, "permit"),
    Row(
        "21",
        lambda f: f.mark is None or f.mark.price <= 0 or old(f.mark.read_ms, MARK_AGE_MS_MAX),
        no(Reason.ABOVE_MAX_NOTIONAL),
    ),
    Row(
        "22",
        lambda f: f.mark is not None and f.plan.qty * f.mark.price > f.limits.order_notional_max,
        no(Reason.ABOVE_MAX_NOTIONAL),
    ),
    Row(
        "23",
        lambda f: (
            f.mark is not None
            and rule(f, "notional_min") is not None
            and f.plan.qty * f.mark.price < rule(f, "notional_min")
        ),
        no(Reason.BELOW_MIN_NOTIONAL),
    ),
    Row("--", lambda _: True, "permit"),
]


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
        order_type=OrderType.MARKET,
        reduce_only=reduces(f),
        price=None,
        time_in_force=None,
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
