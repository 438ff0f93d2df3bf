"""From a verdict of row 8 to one close: how much, in which slice, for how long.

    qty = min over both looks of min(abs(E - L), abs(E)), rounded down to the step, cut to MARKET_LOT_SIZE.maxQty
          (and by a little more where the rest would be smaller than the venue's smallest order)

Looks of different signs close nothing: one of them shows a position that the close would raise.
A larger amount is closed slice by slice: each slice is a plan of its own, planned from fresh facts after the one
before it is final. The side shrinks the position: SELL for a long, BUY for a short. Invariants I1, I2.

    | E      | L      | qty   | side |
    |--------|--------|-------|------|
    | +0.007 | 0      | 0.007 | SELL |
    | +0.007 | +0.002 | 0.005 | SELL |
    | -0.4   | 0      | 0.4   | BUY  |
    | +0.007 | -0.003 | 0.007 | SELL |   and leaves row 9
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.domain.amounts import ZERO, floor_to_step, same_sign, sign_of
from holdfast.domain.close import Close, CloseState
from holdfast.domain.names import PlanId
from holdfast.domain.sides import Decision, Side

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.domain.hold import Hold
    from holdfast.domain.instrument import Instrument
    from holdfast.domain.limits import Limits


def closable(exchange_amt: Decimal, ledger_amt: Decimal) -> Decimal:
    """How much a close may take off the position without touching what the ledger holds; 0 if nothing."""
    drift = exchange_amt - ledger_amt
    if not same_sign(exchange_amt, drift):
        return ZERO
    return min(abs(drift), abs(exchange_amt))


def closable_by_both(looks: tuple[Decimal, Decimal], ledger_amt: Decimal) -> Decimal:
    """How much both looks allow to take off; 0 if they do not show the same side of the market."""
    if not same_sign(*looks):
        return ZERO
    return min(closable(amt, ledger_amt) for amt in looks)


def side_that_shrinks(exchange_amt: Decimal) -> Side:
    """SELL for a long position, BUY for a short one. `exchange_amt` is not 0."""
    return Side.SELL if sign_of(exchange_amt) > 0 else Side.BUY


def smallest_order(instrument: Instrument) -> Decimal:
    """The smallest MARKET order on the step that both LOT_SIZE and MARKET_LOT_SIZE allow; 0 if neither says."""
    bound = max(instrument.market_qty_min or ZERO, instrument.qty_min or ZERO)
    floored = floor_to_step(bound, instrument.qty_step)
    return floored if floored == bound else floored + instrument.qty_step


def slice_of(qty: Decimal, instrument: Instrument) -> Decimal:
    """Round down to the step and cut to the largest order that both LOT_SIZE and MARKET_LOT_SIZE allow.

    A slice is made smaller if what it leaves would be too small for an order of its own, and can be large enough.
    """
    bounds = [bound for bound in (instrument.market_qty_max, instrument.qty_max) if bound is not None]
    part = floor_to_step(min([qty, *bounds]), instrument.qty_step)
    smallest = smallest_order(instrument)
    if ZERO < floor_to_step(qty - part, instrument.qty_step) < smallest:
        shorter = floor_to_step(qty - smallest, instrument.qty_step)
        return shorter if smallest <= shorter < part else part
    return part


def close_plan_id(hold: Hold, attempt: int) -> PlanId:
    """Name the close by its hold and its number: the same close has the same name on every restart."""
    return PlanId(f"rc-{hold.hold_id}-{attempt}")


def plan_close(
    hold: Hold,
    *,
    looks: tuple[Decimal, Decimal],
    ledger_amt: Decimal,
    instrument: Instrument,
    limits: Limits,
    now_ms: int,
    number: int,
) -> Close | None:
    """Plan one close from two looks at the exchange amount; None if no whole step can be closed.

    `number` counts the closes planned under the hold, 1 for the first.
    """
    smaller = min(looks, key=lambda amt: closable(amt, ledger_amt))
    qty = slice_of(closable_by_both(looks, ledger_amt), instrument)
    if qty <= ZERO:
        return None
    return Close(
        plan_id=close_plan_id(hold, number),
        decision=Decision.RECONCILE_CLOSE,
        hold_id=hold.hold_id,
        leg=hold.leg,
        side=side_that_shrinks(smaller),
        qty=qty,
        exchange_amt=smaller,
        ledger_amt=ledger_amt,
        reason=f"drift_detected:{hold.reason.value}",
        created_ms=now_ms,
        expires_ms=now_ms + limits.close_ttl_ms,
        attempt=number,
        state=CloseState.PLANNED,
    )
