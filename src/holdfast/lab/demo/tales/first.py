"""`first-start`: the account holds a position and an order when it is first seen. Nothing is traded or assumed.

| promise         | kept if                                                                                     |
|-----------------|---------------------------------------------------------------------------------------------|
| nothing_assumed | under the hold the exchange held what it did before, and the ledger was 0                     |
| report_names_it | `holdfast found` ended with status 1 and names the position with amount and entry price as    |
|                 | they are at the exchange, what adopt and close would do, and the open order as somebody else's |
| order_left_alone | at the end the order that rested is still open at the exchange, and is the only one by hand  |
|                 | that is                                                                                       |

And of `promises`: hold_placed (unledgered), plan_refused, nothing_sent, operator_alerted, operator_done (adopt --all),
hold_released by the operator, permit_allow, plan_executed, agreed_at_end (the adopted position).
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

from holdfast.domain.amounts import format_amount
from holdfast.lab.demo.scenarios import SYMBOL
from holdfast.lab.demo.staging import Staging
from holdfast.lab.demo.tales.cast import READY_S_MAX, WHY
from holdfast.lab.demo.tales.promises import (
    agreed_at_end,
    hold_placed,
    hold_released,
    nothing_sent,
    operator_alerted,
    operator_done,
    plan_refused,
    promise,
    shown,
    trading_again,
    typed,
)
from holdfast.lab.demo.tales.tale import Tale

if TYPE_CHECKING:
    from holdfast.lab.demo.facts import Facts, WordSeen
    from holdfast.lab.demo.judge import Promise
    from holdfast.lab.demo.tales.cast import Cast
    from holdfast.lab.desk import Desk

STOOD = Decimal("0.007")
RESTING, RESTING_PRICE = Decimal("0.2"), "1000"
REASON = "unledgered"
FOUND, ADOPT = "found", "adopt --all"
WAITS = 1
"""The exit status of `holdfast found` while something waits for a choice."""


async def before(desk: Desk) -> None:
    """Somebody has traded, and left an order, before anybody of ours looked."""
    await desk.trade(SYMBOL, "BUY", format_amount(STOOD))
    await desk.act("trade", symbol=SYMBOL, side="BUY", qty=format_amount(RESTING), price=RESTING_PRICE)


async def acts(cast: Cast) -> None:
    """The services have just started; a person looks, and adopts."""
    orders = await cast.stage.desk.orders()
    cast.begin(cast.clock.monotonic_ns(), 0, len(orders), "the services started")
    cast.tell("stood_there", cast.clock.monotonic_ns(), f"the account holds {format_amount(STOOD)}, and an order rests")
    await cast.hold()
    await cast.until_moment("held", f"a hold {REASON}", lambda seen: seen.reasons[SYMBOL] == REASON)
    await cast.alert(REASON)
    await cast.watch.until(
        "P3.3 to say DENY", lambda: cast.watch.permit(SYMBOL), lambda said: said == "DENY", READY_S_MAX
    )
    await cast.plan_under_the_hold()
    await cast.operator("found", "--json")
    await cast.operator("adopt", "--all", *WHY)
    await cast.let_trade_again()
    await cast.trade_again()


def judge(facts: Facts) -> tuple[Promise, ...]:
    """Judge the promises of the module's table."""
    return (
        hold_placed(facts, REASON),
        plan_refused(facts, facts.refused),
        _nothing_assumed(facts),
        nothing_sent(facts),
        operator_alerted(facts, REASON),
        _report_names_it(facts),
        operator_done(facts, ADOPT),
        hold_released(facts, ADOPT),
        _order_left_alone(facts),
        *trading_again(facts),
        agreed_at_end(facts, {SYMBOL: STOOD}),
    )


def _nothing_assumed(facts: Facts) -> Promise:
    held = facts.moments.get("held")
    position = held.positions.get(SYMBOL) if held is not None else None
    ledger = held.ledgers.get(SYMBOL) if held is not None else None
    checks = {f"exchange {shown(position)}, ledger {shown(ledger)}": (position, ledger) == (STOOD, Decimal(0))}
    return promise("nothing_assumed", checks, f"under the hold: exchange {shown(position)}, ledger {shown(ledger)}")


def _reported(word: WordSeen | None) -> dict[str, object]:
    try:
        said = json.loads(word.out) if word is not None else {}
        (account,) = said.get("accounts", [{}])
    except ValueError:
        return {}
    return dict(account) if isinstance(account, dict) else {}


def _report_names_it(facts: Facts) -> Promise:
    word = typed(facts, FOUND)
    report = _reported(word)
    legs, orders = report.get("legs"), report.get("orders")
    leg = legs[0] if isinstance(legs, list) and len(legs) == 1 else {}
    order = orders[0] if isinstance(orders, list) and len(orders) == 1 else {}
    by_hand = [each for each in facts.orders if each.source == "manual"]
    price = by_hand[0].avg_price if by_hand else ""
    resting = [each.order_id for each in by_hand if not each.executed]
    checks = {
        f"it ended with status {word.status if word else None}": word is not None and word.status == WAITS,
        f"it says {leg.get('leg')} {leg.get('found_amt')}": (leg.get("leg"), leg.get("found_amt"))
        == (SYMBOL, format_amount(STOOD)),
        f"it says an entry price of {leg.get('entry_price')}, the exchange {price}": _same(
            leg.get("entry_price"), price
        ),
        "it does not say what adopt and close would do": {"adopt", "close"} <= set(leg.get("choices") or ()),
        f"it names order {order.get('order_id')} as {order.get('owner')}": order.get("owner") == "foreign"
        and [order.get("order_id")] == resting,
    }
    return promise(
        "report_names_it", checks, f"`holdfast found` names {format_amount(STOOD)} at {price}, and the order"
    )


def _same(left: object, right: str) -> bool:
    return isinstance(left, str) and bool(right) and Decimal(left) == Decimal(right)


def _order_left_alone(facts: Facts) -> Promise:
    resting = [order for order in facts.orders if order.source == "manual" and not order.executed]
    states = [order.status for order in resting]
    checks = {f"at the exchange: {states}": states == ["NEW"]}
    return promise("order_left_alone", checks, "somebody's order still rests at the exchange")


FIRST_START = Tale(
    "first-start",
    "The account already holds 0.007 and an open order. Nothing is traded or assumed until a person adopts it.",
    acts,
    judge,
    Staging(before=before),
)
