"""May this EXECUTE become an order? P3.3 (position state) and P3.2 (limits) in one table, first match wins.

    | #  | facts                                                            | refusal                     | waits |
    |----|------------------------------------------------------------------|-----------------------------|-------|
    |  0 | the plan is no EXECUTE: a close has its own gate                 | close_not_journaled         |       |
    |  1 | trading is HALTED                                                | halted                      |       |
    |  2 | symbol not on the allowlist                                      | symbol_not_allowed          |       |
    |  3 | the venue lists no such symbol                                   | unknown_symbol              |       |
    |  4 | the venue does not trade it now                                  | symbol_not_trading          |       |
    |  5 | plan older than plan_age_ms_max, or past `expires`               | stale_plan                  |       |
    |  6 | plan from the future by more than plan_future_ms_max             | future_plan                 |       |
    |  7 | LIMIT without a price                                            | missing_field               |       |
    |  8 | no baseline: the account's mode is not known either              | no_baseline                 |       |
    |  9 | position side does not fit the mode                              | position_side_mismatch      |       |
    | 10 | a hold stands on the symbol, on any leg                          | hold_active                 |       |
    | 11 | the bus could not be read for holds                              | bus_unreadable              |       |
    | 12 | the bus reading is too old or from the future                    | input_stale                 |       |
    | 13 | a hold was set on the bus                                        | bus_hold                    |       |
    | 14 | stamp missing, older than stamp_age_ms_max, or negative          | stamp_stale                 |       |
    | 15 | an order of ours on the symbol is in flight, UNKNOWN or unbooked; a MARKET order that | |       |
    |    | the venue has not ended is in flight, a LIMIT order that rests is not | order_pending          | yes   |
    | 16 | the reconciler has not seen agreement at this ledger version     | not_agreed                  | yes   |
    | 17 | close or reduce-only, and the ledger is flat                     | nothing_to_close            |       |
    | 18 | reduce-only that would not shrink, or by more than there is      | would_increase              |       |
    | 19 | quantity not above 0; off the step                               | bad_qty; qty_off_step       |       |
    | 20 | below / above the venue's bounds (a LIMIT order has its own)     | qty_below_min/qty_above_max |       |
    | 21 | LIMIT: price off the tick; outside the venue's bounds            | price_off_tick; price_out_of_bounds | |
    | 22 | LIMIT: open_orders_max of ours rest on the symbol                | open_orders_above_max       |       |
    | 23 | it can only shrink the leg, and together with what rests to shrink it exceeds it | position_reserved |   |
    | 24 | not reduce-only, and the mark price is missing, stale or not above 0 | notional_above_max      |       |
    | 25 | not reduce-only, notional above order_notional_max               | notional_above_max          |       |
    | 26 | not reduce-only, notional below the venue's minimum              | notional_below_min          |       |
    | 27 | it can raise the leg, and the worst case is above position_notional_max | position_notional_above_max | |
    | -- | otherwise                                                        | Permit                      |       |

`side=close` means reduce-only in the direction that shrinks the ledger's position; its quantity is never raised
and never cut: a partial close stays the part that it says. A notional is the quantity at the mark price, or at a LIMIT
order's own price if that is higher (row 26 at its own, as the venue counts). The worst case of row 27 is the leg's
position with this order and every resting order of its side filled, and none of the other. Row 15's other half is
the reconciler's: what a resting order seems to have executed unbooked voids the agreement (row 16). Invariants I4, I5.
Source: DESIGN §2.2, ADR 0009.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from holdfast.decide.close import side_that_shrinks
from holdfast.domain.amounts import ZERO, format_amount, is_on_step, sign_of
from holdfast.domain.names import client_order_id
from holdfast.domain.permit import Permit, Refusal
from holdfast.domain.reasons import Reason
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

if TYPE_CHECKING:
    from holdfast.domain.hold import Hold
    from holdfast.domain.instrument import Instrument
    from holdfast.domain.ledger import LedgerState
    from holdfast.domain.limits import Limits
    from holdfast.domain.names import AccountId
    from holdfast.domain.order import Order
    from holdfast.domain.plan import Plan


@dataclass(frozen=True, slots=True)
class BusReading:
    """What stood on the symbol's hold key, read before the transaction."""

    value: str | None
    """None when free, or when it is the id of a journaled hold: that is our own copy, and the journal decides."""
    read_ms: int
    """Our clock before the read."""


@dataclass(frozen=True, slots=True)
class MarkPrice:
    """The venue's mark price of the symbol."""

    price: Decimal
    read_ms: int


@dataclass(frozen=True, slots=True)
class PermitFacts:
    """All that the table looks at."""

    account: AccountId
    plan: Plan
    now_ms: int
    venue_offset_ms: int
    """Venue clock minus ours."""
    limits: Limits
    trading: TradingState
    mode: PositionMode | None
    baseline: bool
    instrument: Instrument | None
    holds: tuple[Hold, ...]
    """Open holds of the symbol, any leg, any owner."""
    bus: BusReading | None
    """None: the bus could not be read."""
    orders: tuple[Order, ...]
    """Own orders on the symbol that are not settled."""
    ledger: LedgerState
    stamp_ms: int | None
    mark: MarkPrice | None


MARK_AGE_MS_MAX = 10_000
"""A mark price older than this cannot bound a notional."""


def leg_of_plan(account: AccountId, plan: Plan, mode: PositionMode | None) -> Leg | None:
    """The leg that the plan is about; None if its position side does not fit the account's mode.

    In one-way mode the side may be left out or BOTH; in hedge mode LONG or SHORT must be named.
    """
    side = plan.position_side
    if mode is PositionMode.HEDGE:
        return None if side in (None, PositionSide.BOTH) else Leg(account, plan.symbol, side)
    if mode is None or side not in (None, PositionSide.BOTH):
        return None
    return Leg(account, plan.symbol, PositionSide.BOTH)


def permit_execute(facts: PermitFacts) -> Permit | Refusal:
    """Run the table (see the module)."""
    refusal = _standing(facts) or _plan_itself(facts) or _reconciled(facts)
    if refusal is not None:
        return refusal
    side = _side(facts)
    if isinstance(side, Refusal):
        return side
    refusal = _size(facts) or _price(facts) or _beside(facts, side) or _notional(facts, side)
    if refusal is not None:
        return refusal
    plan = facts.plan
    return Permit(
        plan_id=plan.plan_id,
        decision=Decision.EXECUTE,
        leg=facts.ledger.leg,
        side=side,
        qty=plan.qty,
        order_type=plan.order_type,
        reduce_only=_reduces(facts),
        price=plan.price if _is_limit(facts) else None,
        time_in_force=(plan.time_in_force or TimeInForce.GTC) if _is_limit(facts) else None,
        client_order_id=client_order_id(facts.account, plan.plan_id),
        against_drift_qty=ZERO,
        hold_id=None,
        timestamp_ms=facts.now_ms + facts.venue_offset_ms,
        recv_window_ms=facts.limits.recv_window_ms,
    )


def refuse(reason: Reason, detail: str) -> Refusal:
    """A refusal for good."""
    return Refusal(reason, detail, reason.value)


def _refuse_for_now(reason: Reason, detail: str) -> Refusal:
    return Refusal(reason, detail, reason.value, can_wait=True)


def _standing(facts: PermitFacts) -> Refusal | None:
    symbol = facts.plan.symbol
    if facts.plan.decision is not Decision.EXECUTE:
        return refuse(Reason.NOT_JOURNALED, f"{facts.plan.decision.value} has no authority here")
    if facts.trading is TradingState.HALTED:
        return refuse(Reason.HALTED, "trading on the account is halted")
    if symbol not in facts.limits.symbols:
        return refuse(Reason.NOT_ALLOWED, f"{symbol} is not on the account's allowlist")
    if facts.instrument is None:
        return refuse(Reason.UNKNOWN_SYMBOL, f"the venue lists no {symbol}")
    if not facts.instrument.is_trading:
        return refuse(Reason.SYMBOL_NOT_TRADING, f"{symbol} is {facts.instrument.status} at the venue")
    return None


def _plan_itself(facts: PermitFacts) -> Refusal | None:
    plan = facts.plan
    age = facts.now_ms - plan.timestamp_ms
    if age > facts.limits.plan_age_ms_max:
        return refuse(Reason.STALE_PLAN, f"the plan is {age} ms old")
    if plan.expires_ms is not None and facts.now_ms > plan.expires_ms:
        return refuse(Reason.STALE_PLAN, f"the plan expired {facts.now_ms - plan.expires_ms} ms ago")
    if -age > facts.limits.plan_future_ms_max:
        return refuse(Reason.FUTURE_PLAN, f"the plan is {-age} ms ahead of the journal's clock")
    if plan.order_type is OrderType.LIMIT and plan.price is None:
        return refuse(Reason.MISSING_FIELD, "price: a LIMIT plan needs one")
    if not facts.baseline:
        return refuse(Reason.NO_BASELINE, "the account has had no first complete view yet")
    if leg_of_plan(facts.account, plan, facts.mode) != facts.ledger.leg:
        mode = facts.mode.value if facts.mode is not None else "not known yet"
        return refuse(Reason.POSITION_SIDE, f"the account's position mode is {mode}")
    return None


def _reconciled(facts: PermitFacts) -> Refusal | None:
    """Rows 10 to 16: permission is positive, fresh and atomic."""
    for hold in facts.holds:
        return refuse(Reason.HOLD_ACTIVE, f"hold {hold.hold_id} stands ({hold.reason.value})")
    if facts.bus is None:
        return refuse(Reason.BUS_UNREADABLE, "the bus could not be read for holds")
    read_age = facts.now_ms - facts.bus.read_ms
    if not 0 <= read_age <= facts.limits.input_age_ms_max:
        return refuse(Reason.INPUT_STALE, f"the bus was read {read_age} ms ago")
    if facts.bus.value is not None:
        return refuse(Reason.BUS_HOLD, "a hold was set on the bus by hand")
    if facts.stamp_ms is None:
        return refuse(Reason.STAMP_STALE, "the reconciler has no standing proof")
    stamp_age = facts.now_ms - facts.stamp_ms
    if not 0 <= stamp_age <= facts.limits.stamp_age_ms_max:
        return refuse(Reason.STAMP_STALE, f"the reconciler's proof is {stamp_age} ms old")
    for order in facts.orders:
        if order.is_pending:
            return _refuse_for_now(Reason.ORDER_PENDING, f"order {order.client_order_id} is {order.state.value}")
    if not facts.ledger.is_agreed:
        return _refuse_for_now(Reason.NOT_AGREED, f"ledger version {facts.ledger.version} is not agreed yet")
    return None


def _reduces(facts: PermitFacts) -> bool:
    return facts.plan.reduce_only or facts.plan.side is PlanSide.CLOSE


def _side(facts: PermitFacts) -> Side | Refusal:
    """Rows 17 and 18: the order's side, which a reduce-only plan may use only to shrink."""
    plan, held = facts.plan, facts.ledger.amt
    if _reduces(facts) and held == ZERO:
        return refuse(Reason.NOTHING_TO_CLOSE, "the ledger is flat")
    if plan.side is PlanSide.CLOSE:
        side = side_that_shrinks(held)
    else:
        side = Side.BUY if plan.side is PlanSide.BUY else Side.SELL
    if _reduces(facts) and (side.sign == sign_of(held) or plan.qty > abs(held)):
        return refuse(
            Reason.WOULD_INCREASE,
            f"reduce-only {side.value} {format_amount(plan.qty)} against a ledger of {format_amount(held)}",
        )
    if facts.ledger.leg.position_side is not PositionSide.BOTH:
        return _hedge_side(facts, side)
    return side


def _hedge_side(facts: PermitFacts, side: Side) -> Side | Refusal:
    """In hedge mode the side that shrinks a leg cannot flip it: more than it holds would be refused or lost."""
    if side is not _opens(facts) and facts.plan.qty > abs(facts.ledger.amt):
        return refuse(Reason.WOULD_INCREASE, "a hedge leg cannot be closed by more than it holds")
    return side


def _opens(facts: PermitFacts) -> Side:
    """The side that opens the hedge leg."""
    return Side.BUY if facts.ledger.leg.position_side is PositionSide.LONG else Side.SELL


def _size(facts: PermitFacts) -> Refusal | None:
    plan, rules = facts.plan, facts.instrument
    if rules is None:
        return refuse(Reason.UNKNOWN_SYMBOL, "the venue's rules are not known")
    if plan.qty <= ZERO:
        return refuse(Reason.BAD_QTY, f"quantity is {format_amount(plan.qty)}")
    if not is_on_step(plan.qty, rules.qty_step):
        return refuse(Reason.OFF_STEP, f"the step is {format_amount(rules.qty_step)}")
    least, most = [rules.qty_min], [rules.qty_max]
    if not _is_limit(facts):
        least.append(rules.market_qty_min)
        most.append(rules.market_qty_max)
    for smallest in least:
        if smallest is not None and plan.qty < smallest:
            return refuse(Reason.BELOW_MIN_QTY, f"the minimum is {format_amount(smallest)}")
    for largest in most:
        if largest is not None and plan.qty > largest:
            return refuse(Reason.ABOVE_MAX_QTY, f"the maximum is {format_amount(largest)}")
    return None


def _is_limit(facts: PermitFacts) -> bool:
    return facts.plan.order_type is OrderType.LIMIT


def _price(facts: PermitFacts) -> Refusal | None:
    """Row 21."""
    price, rules = facts.plan.price, facts.instrument
    if not _is_limit(facts) or price is None or rules is None:
        return None
    if rules.price_tick is not None and not is_on_step(price, rules.price_tick):
        return refuse(Reason.PRICE_OFF_TICK, f"the tick is {format_amount(rules.price_tick)}")
    lowest = rules.price_min if rules.price_min is not None else ZERO
    if price <= ZERO or price < lowest or (rules.price_max is not None and price > rules.price_max):
        return refuse(Reason.PRICE_OUT_OF_BOUNDS, f"the venue takes no price of {format_amount(price)}")
    return None


def _beside(facts: PermitFacts, side: Side) -> Refusal | None:
    """Rows 22 and 23: what rests already leaves room for this order."""
    resting = [order for order in facts.orders if order.rests]
    if _is_limit(facts) and len(resting) >= facts.limits.open_orders_max:
        return refuse(Reason.TOO_MANY_OPEN, f"{len(resting)} orders of ours rest on {facts.plan.symbol}")
    if not _shrinks_only(facts, side):
        return None
    shrinking = (o for o in resting if o.leg == facts.ledger.leg and o.side is side and o.shrinks_only)
    reserved = sum((o.unbooked_max for o in shrinking), ZERO)
    if reserved + facts.plan.qty > abs(facts.ledger.amt):
        held = format_amount(facts.ledger.amt)
        return refuse(Reason.POSITION_RESERVED, f"resting orders may close {format_amount(reserved)} of {held} already")
    return None


def _shrinks_only(facts: PermitFacts, side: Side) -> bool:
    return _reduces(facts) or (facts.ledger.leg.position_side is not PositionSide.BOTH and side is not _opens(facts))


def _notional(facts: PermitFacts, side: Side) -> Refusal | None:
    """Rows 24 to 27: what it may cost, alone and with what rests."""
    plan, rules, mark = facts.plan, facts.instrument, facts.mark
    if _reduces(facts) or rules is None:
        return None
    if mark is None or mark.price <= ZERO or not 0 <= facts.now_ms - mark.read_ms <= MARK_AGE_MS_MAX:
        return refuse(Reason.ABOVE_MAX_NOTIONAL, "no fresh mark price bounds the notional")
    own_price = plan.price if _is_limit(facts) and plan.price is not None else mark.price
    price = max(mark.price, own_price)
    notional = plan.qty * price
    if notional > facts.limits.order_notional_max:
        return refuse(Reason.ABOVE_MAX_NOTIONAL, f"the notional is about {format_amount(notional.quantize(_CENT))}")
    if rules.notional_min is not None and plan.qty * own_price < rules.notional_min:
        return refuse(Reason.BELOW_MIN_NOTIONAL, f"the venue's minimum is {format_amount(rules.notional_min)}")
    if _shrinks_only(facts, side):
        return None
    raising = (o for o in facts.orders if o.leg == facts.ledger.leg and o.side is side and not o.shrinks_only)
    worst = facts.ledger.amt * side.sign + sum((o.unbooked_max for o in raising), ZERO) + plan.qty
    if worst * price > facts.limits.position_notional_max:
        text = f"with all that rests the position could be {format_amount(worst)}"
        return refuse(Reason.ABOVE_POSITION_NOTIONAL, text)
    return None


_CENT = Decimal("0.01")
