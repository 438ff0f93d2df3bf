"""`large`: a drift larger than the largest MARKET order is closed slice by slice, every slice from fresh facts.

| promise         | kept if                                                                                    |
|-----------------|--------------------------------------------------------------------------------------------|
| drift_seen      | the DRIFT event says what was traded by hand                                                |
| slices_planned  | as many RECONCILE_CLOSE on the plan stream as it takes, each with a plan id of its own, all  |
|                 | of one hold; each was planned from the position that the one before it had left             |
| slices_filled   | of ours the exchange filled those closes alone until trading resumed: MARKET, reduce-only,   |
|                 | none above the largest order, the whole drift together                                       |

And of `promises`: hold_placed (drift), plan_refused, hold_released, permit_allow, plan_executed, agreed_at_end.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from holdfast.domain.amounts import format_amount
from holdfast.lab.demo.judge import FILLED, Promise
from holdfast.lab.demo.scenarios import SYMBOL
from holdfast.lab.demo.staging import Staging
from holdfast.lab.demo.tales.promises import (
    agreed_at_end,
    hold_placed,
    hold_released,
    plan_refused,
    promise,
    trading_again,
)
from holdfast.lab.demo.tales.tale import Tale, came_too_late

if TYPE_CHECKING:
    from holdfast.lab.demo.facts import Facts
    from holdfast.lab.demo.tales.cast import Cast

MARKET_QTY_MAX = Decimal(120)
"""The simulator's MARKET_LOT_SIZE.maxQty of BTCUSDT."""
BY_HAND = Decimal(250)
SLICES = (Decimal(120), Decimal(120), Decimal(10))
BUYS_ABOVE = "66000"
"""A LIMIT above the market fills at once, and may be larger than a MARKET order."""


async def acts(cast: Cast) -> None:
    """Somebody buys 250 at one stroke."""
    await cast.open_with()
    tried = asyncio.create_task(_try_under_the_hold(cast), name="demo plan under the hold")
    try:
        await cast.by_hand(BY_HAND, f"somebody buys {format_amount(BY_HAND)} by hand", price=BUYS_ABOVE)
        await tried
    finally:
        tried.cancel()
    for number, _ in enumerate(SLICES, start=1):
        planned = await cast.event("CLOSE_PLANNED", attempt=number)
        cast.tell(
            "close_planned", planned.at_ns, f"RECONCILE_CLOSE {number} planned", plan_id=planned.fields["plan_id"]
        )
    await cast.let_trade_again()
    await cast.trade_again()


async def _try_under_the_hold(cast: Cast) -> None:
    await cast.watch.event("HOLD_SET", cast.watch.mark(), 15.0)
    await asyncio.gather(cast.hold(), cast.plan_under_the_hold())
    await cast.moment("held")


def judge(facts: Facts) -> tuple[Promise, ...]:
    """Judge the promises of the module's table."""
    drifts = [event.of("drift") for event in facts.events if event.kind == "DRIFT"]
    return (
        promise("drift_seen", {f"DRIFT says {drifts}": drifts == [format_amount(BY_HAND)]}, f"DRIFT says {drifts}"),
        hold_placed(facts, "drift"),
        plan_refused(facts, facts.refused),
        _slices_planned(facts),
        _slices_filled(facts),
        hold_released(facts),
        *trading_again(facts),
        agreed_at_end(facts, {SYMBOL: Decimal(0)}),
    )


def _slices_planned(facts: Facts) -> Promise:
    closes = facts.closes
    left = [format_amount(BY_HAND - sum(SLICES[:number], Decimal(0))) for number in range(len(SLICES))]
    hold_id = facts.hold.hold_id if facts.hold is not None else ""
    checks = {
        f"quantities {[c.get('qty') for c in closes]}": [c.get("qty") for c in closes]
        == [format_amount(qty) for qty in SLICES],
        f"planned from {[c.get('exchange_amt') for c in closes]}": [c.get("exchange_amt") for c in closes] == left,
        "plan ids repeat": len({c.get("plan_id") for c in closes}) == len(closes),
        "not all of one hold": {c.get("hold_id") for c in closes} == {hold_id} and bool(hold_id),
    }
    return promise("slices_planned", checks, f"{len(closes)} closes of one hold, each from a fresh position: {left}")


def _slices_filled(facts: Facts) -> Promise:
    ours = facts.orders_by_us()
    done = [format_amount(order.signed) for order in ours]
    checks = {
        f"orders of ours: {done}": [order.signed for order in ours] == [-qty for qty in SLICES],
        "not all are filled reduce-only MARKET orders": all(
            order.reduce_only and order.order_type == "MARKET" and order.status == FILLED for order in ours
        ),
        "one is larger than an order may be": all(order.qty <= MARKET_QTY_MAX for order in ours),
    }
    return promise("slices_filled", checks, f"the exchange filled {', '.join(done)}, and nothing else of ours")


LARGE = Tale(
    "large",
    "Somebody buys 250, more than one order may close. It is closed in three slices under one hold.",
    acts,
    judge,
    Staging(limits=('close_notional_max = "50000000"',), balance="100000000", alerts="none"),
    partial(came_too_late, closes=len(SLICES)),
)
