"""The permit table of EXECUTE, written again from its docstring: each row as a condition on the facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.decide.permit import MARK_AGE_MS_MAX, PermitFacts
from holdfast.domain.order import Order, OrderState
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import (
    Decision,
    OrderType,
    PlanSide,
    PositionMode,
    PositionSide,
    Side,
    TradingState,
)
from tests.unit.decide.samples import (
    INSTRUMENT,
    LEG,
    LIMITS,
    LONG_LEG,
    NOW,
    SHORT_LEG,
    ZERO,
    D,
)
from tests.unit.decide.tables import Row

if TYPE_CHECKING:
    from decimal import Decimal

POSITION_MAX, OPEN_MAX = D(130), 2
AGE, FUTURE = LIMITS.plan_age_ms_max, LIMITS.plan_future_ms_max
"""What the tests' limits say."""
PENDING = {OrderState.CLAIMED, OrderState.SENDING, OrderState.UNKNOWN}


def old(at_ms: int, bound_ms: int) -> bool:
    """Older than the bound, or from the future."""
    return at_ms > NOW or at_ms + bound_ms < NOW


def is_leg_wrong(f: PermitFacts) -> bool:
    """Row 9, as a list of what fits."""
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


def is_limit(f: PermitFacts) -> bool:
    """The plan is a LIMIT."""
    return f.plan.order_type is OrderType.LIMIT


def bounds(f: PermitFacts, which: str) -> list[Decimal]:
    """The venue's bounds of the quantity; those of MARKET orders are no LIMIT order's."""
    names = [f"qty_{which}"] if is_limit(f) else [f"qty_{which}", f"market_qty_{which}"]
    return [found for found in (rule(f, name) for name in names) if found is not None]


def price(f: PermitFacts) -> Decimal:
    """What the venue multiplies the quantity by."""
    if is_limit(f) and f.plan.price is not None:
        return f.plan.price
    return f.mark.price if f.mark is not None else D(1)


def highest(f: PermitFacts) -> Decimal:
    """The dearest that a unit can come to by these facts."""
    return max(price(f), f.mark.price) if f.mark is not None else price(f)


def is_price_out(f: PermitFacts) -> bool:
    """Row 21, its second half."""
    least, most = rule(f, "price_min"), rule(f, "price_max")
    if not is_limit(f):
        return False
    return price(f) <= 0 or (least is not None and price(f) < least) or (most is not None and price(f) > most)


def resting(f: PermitFacts) -> list[Order]:
    """LIMIT orders in the book."""
    return [o for o in f.orders if o.state is OrderState.OPEN and o.order_type is OrderType.LIMIT]


def shrinks(f: PermitFacts) -> bool:
    """Nothing that it executes raises or flips the leg."""
    closing = {PositionSide.LONG: Side.SELL, PositionSide.SHORT: Side.BUY}.get(f.ledger.leg.position_side)
    return reduces(f) or order_side(f) is closing


def only_shrinks(order: Order) -> bool:
    """The same of a resting order."""
    closing = {PositionSide.LONG: Side.SELL, PositionSide.SHORT: Side.BUY}.get(order.leg.position_side)
    return order.reduce_only or order.side is closing


def left(orders: list[Order]) -> Decimal:
    """What they may still execute."""
    return sum((o.qty - o.booked_qty for o in orders), ZERO)


def is_reserved(f: PermitFacts) -> bool:
    """Row 23."""
    side = order_side(f)
    rivals = [o for o in resting(f) if o.leg == f.ledger.leg and o.side is side and only_shrinks(o)]
    return shrinks(f) and left(rivals) + f.plan.qty > abs(f.ledger.amt)


def worst_notional(f: PermitFacts) -> Decimal:
    """Row 27: everything of this side filled."""
    side = order_side(f)
    same = [o for o in resting(f) if o.leg == f.ledger.leg and o.side is side and not only_shrinks(o)]
    held = f.ledger.amt if side is Side.BUY else -f.ledger.amt
    return (held + left(same) + f.plan.qty) * highest(f)


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
    Row("7", lambda f: is_limit(f) and f.plan.price is None, no(Reason.MISSING_FIELD)),
    Row("8", lambda f: not f.baseline, no(Reason.NO_BASELINE)),
    Row("9", is_leg_wrong, no(Reason.POSITION_SIDE)),
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
    Row("20 below", lambda f: any(f.plan.qty < one for one in bounds(f, "min")), no(Reason.BELOW_MIN_QTY)),
    Row("20 above", lambda f: any(f.plan.qty > one for one in bounds(f, "max")), no(Reason.ABOVE_MAX_QTY)),
    Row(
        "21 tick",
        lambda f: is_limit(f) and rule(f, "price_tick") is not None and price(f) % rule(f, "price_tick") != 0,
        no(Reason.PRICE_OFF_TICK),
    ),
    Row("21 bounds", is_price_out, no(Reason.PRICE_OUT_OF_BOUNDS)),
    Row("22", lambda f: is_limit(f) and len(resting(f)) >= OPEN_MAX, no(Reason.TOO_MANY_OPEN)),
    Row("23", is_reserved, no(Reason.POSITION_RESERVED)),
    Row("-- reduces", reduces, "permit"),
    Row(
        "24",
        lambda f: f.mark is None or f.mark.price <= 0 or old(f.mark.read_ms, MARK_AGE_MS_MAX),
        no(Reason.ABOVE_MAX_NOTIONAL),
    ),
    Row(
        "25",
        lambda f: f.plan.qty * highest(f) > f.limits.order_notional_max,
        no(Reason.ABOVE_MAX_NOTIONAL),
    ),
    Row(
        "26",
        lambda f: rule(f, "notional_min") is not None and f.plan.qty * price(f) < rule(f, "notional_min"),
        no(Reason.BELOW_MIN_NOTIONAL),
    ),
    Row("27", lambda f: not shrinks(f) and worst_notional(f) > POSITION_MAX, no(Reason.ABOVE_POSITION_NOTIONAL)),
    Row("--", lambda _: True, "permit"),
]
