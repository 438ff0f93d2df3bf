"""`hedge`: LONG and SHORT of one symbol drift opposite ways at once; each is held, closed and released apart.

The two drifts cancel out: a system that nets them sees nothing at all.

| promise       | kept if                                                                                  |
|---------------|------------------------------------------------------------------------------------------|
| legs_held     | each leg's DRIFT event says what was traded there, and the two holds are two              |
| legs_closed   | of ours the exchange filled one order a leg until trading resumed: MARKET, of the leg's   |
|               | position side and drift; a RECONCILE_CLOSE of that leg's hold is the plan behind it       |
| legs_released | a HOLD_RELEASED event names each of the two holds, and both legs' keys were seen gone     |

And of `promises`: plan_refused, permit_allow, plan_executed, agreed_at_end.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from holdfast.domain.amounts import format_amount
from holdfast.lab.demo.judge import FILLED, Promise
from holdfast.lab.demo.staging import Staging
from holdfast.lab.demo.tales.cast import leg_key
from holdfast.lab.demo.tales.promises import agreed_at_end, plan_refused, promise, trading_again
from holdfast.lab.demo.tales.tale import Tale, came_too_late

if TYPE_CHECKING:
    from holdfast.lab.demo.facts import Facts
    from holdfast.lab.demo.tales.cast import Cast

LEDGER = {"LONG": Decimal("0.004"), "SHORT": Decimal("-0.005")}
DRIFT = {"LONG": Decimal("0.007"), "SHORT": Decimal("-0.007")}


async def acts(cast: Cast) -> None:
    """Somebody buys more LONG and sells more SHORT."""
    await cast.open_with(*((amount, side) for side, amount in LEDGER.items()))
    tried = asyncio.create_task(_try_under_the_hold(cast), name="demo plan under the hold")
    try:
        for side, amount in DRIFT.items():
            verb = "buys" if amount > 0 else "sells"
            text = f"somebody {verb} {format_amount(abs(amount))} {side} by hand"
            await cast.by_hand(amount, text, positionSide=side)
        await tried
    finally:
        tried.cancel()
    for side in DRIFT:
        released = await cast.event("HOLD_RELEASED", position_side=side)
        cast.tell("leg_released", released.at_ns, f"HOLD on {leg_key(side)} released by itself")
    await cast.until_moment("healed", "both legs free and agreed", lambda seen: seen.is_free and seen.is_agreed)
    await cast.let_trade_again()
    await cast.trade_again("LONG")


async def _try_under_the_hold(cast: Cast) -> None:
    """The strategy trades the SHORT leg in the moment in which it hears of a hold of either."""
    held = await cast.watch.event("HOLD_SET", cast.watch.mark(), 15.0)
    cast.tell("hold_placed", held.at_ns, "HOLD placed on the first leg", hold_id=held.fields["hold_id"])
    await cast.plan_under_the_hold("SHORT")


def judge(facts: Facts) -> tuple[Promise, ...]:
    """Judge the promises of the module's table."""
    holds = {side: _hold_of(facts, side) for side in DRIFT}
    return (
        _legs_held(facts, holds),
        plan_refused(facts, facts.refused),
        _legs_closed(facts, holds),
        _legs_released(facts, holds),
        *trading_again(facts),
        agreed_at_end(facts, {leg_key(side): amount for side, amount in LEDGER.items()}),
    )


def _hold_of(facts: Facts, side: str) -> str:
    held = [event.hold_id for event in facts.events if event.kind == "HOLD_SET" and event.side == side]
    return held[0] if len(held) == 1 else ""


def _legs_held(facts: Facts, holds: dict[str, str]) -> Promise:
    drifts = {
        side: [event.of("drift") for event in facts.events if event.kind == "DRIFT" and event.hold_id == hold]
        for side, hold in holds.items()
    }
    checks = {
        f"{side}: hold {holds[side]!r}, drift {drifts[side]}": bool(holds[side])
        and drifts[side] == [format_amount(amount)]
        for side, amount in DRIFT.items()
    }
    checks["both legs share a hold"] = holds["LONG"] != holds["SHORT"]
    return promise("legs_held", checks, f"LONG by {holds['LONG']}, SHORT by {holds['SHORT']}")


def _legs_closed(facts: Facts, holds: dict[str, str]) -> Promise:
    ours = facts.orders_by_us()
    checks = {f"{len(ours)} orders of ours": len(ours) == len(DRIFT)}
    for side, amount in DRIFT.items():
        orders = [order for order in ours if order.position_side == side]
        done = [format_amount(order.signed) for order in orders]
        checks[f"{side}: {done} instead of {format_amount(-amount)}"] = [o.signed for o in orders] == [-amount]
        checks[f"{side}: not one filled MARKET order"] = all(
            order.order_type == "MARKET" and order.status == FILLED for order in orders
        )
        plans = {close.get("plan_id") for close in facts.closes if close.get("hold_id") == holds[side] and holds[side]}
        named = [result.plan_id for result in facts.results if result.order_id in {order.order_id for order in orders}]
        checks[f"{side}: the plans behind it are {named}"] = bool(named) and set(named) <= plans
    return promise("legs_closed", checks, "one order a leg, each by a RECONCILE_CLOSE of the leg's own hold")


def _legs_released(facts: Facts, holds: dict[str, str]) -> Promise:
    named = {event.hold_id for event in facts.events if event.kind == "HOLD_RELEASED"}
    healed = facts.moments.get("healed")
    checks = {
        f"HOLD_RELEASED names {sorted(named)}": set(holds.values()) <= named and "" not in holds.values(),
        "the keys were not seen gone": healed is not None and healed.is_free,
    }
    return promise("legs_released", checks, "each hold was released by itself, both keys are gone")


HEDGE = Tale(
    "hedge",
    "LONG and SHORT of one symbol drift opposite ways, so that they cancel out. Each leg is closed and released apart.",
    acts,
    judge,
    Staging(mode="hedge"),
    partial(came_too_late, closes=len(DRIFT)),
)
