"""`foreign-order`: somebody's order rests in the book. It is reported and left alone; trading goes on.

| promise          | kept if                                                                                   |
|------------------|-------------------------------------------------------------------------------------------|
| order_reported   | a FOREIGN_ORDER event names that order by the exchange's number, with its side, quantity and |
|                  | price, and the policy `report`                                                             |
| status_shows_it  | `holdfast status` lists that order among those that are not ours                            |
| never_held       | while it rested the hold's key stood at no read, no hold was set, and P3.3 said ALLOW        |
| order_left_alone | at the end it still rests at the exchange, with nothing executed                            |

And of `promises`: operator_alerted, nothing_sent (until the strategy traded again), permit_allow, plan_executed,
agreed_at_end.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

from holdfast.domain.amounts import format_amount
from holdfast.lab.demo.scenarios import SYMBOL
from holdfast.lab.demo.tales.promises import (
    agreed_at_end,
    nothing_sent,
    operator_alerted,
    promise,
    trading_again,
    typed,
)
from holdfast.lab.demo.tales.tale import Tale

if TYPE_CHECKING:
    from holdfast.lab.demo.facts import Facts, OrderSeen, WordSeen
    from holdfast.lab.demo.judge import Promise
    from holdfast.lab.demo.tales.cast import Cast

RESTING, RESTING_PRICE = Decimal("0.2"), "1000"
ALERT, POLICY = "foreign order", "report"
STATUS = "status"


async def acts(cast: Cast) -> None:
    """Somebody leaves an order far below the market."""
    await cast.open_with()
    text = f"somebody bids for {format_amount(RESTING)} at {RESTING_PRICE}, far below the market"
    await cast.by_hand(RESTING, text, price=RESTING_PRICE)
    reported = await cast.event("FOREIGN_ORDER")
    cast.tell("order_reported", reported.at_ns, "the order is reported: it is not ours")
    await cast.alert(ALERT)
    await cast.operator(STATUS, "--json")
    await cast.moment("rests")
    await cast.stand()
    await cast.until_allowed()
    await cast.trade_again()


def judge(facts: Facts) -> tuple[Promise, ...]:
    """Judge the promises of the module's table."""
    return (
        _order_reported(facts),
        operator_alerted(facts, ALERT),
        _status_shows_it(facts),
        _never_held(facts),
        nothing_sent(facts),
        _order_left_alone(facts),
        *trading_again(facts),
        agreed_at_end(facts, {SYMBOL: Decimal(0)}),
    )


def _resting(facts: Facts) -> OrderSeen | None:
    return next((order for order in facts.orders if order.source == "manual"), None)


def _order_reported(facts: Facts) -> Promise:
    order = _resting(facts)
    named = [
        (e.of("order_id"), e.of("side"), e.of("qty"), e.of("price"), e.of("policy"))
        for e in facts.events
        if e.kind == "FOREIGN_ORDER"
    ]
    wanted = (str(order.order_id if order is not None else None), "BUY", format_amount(RESTING), RESTING_PRICE, POLICY)
    checks = {f"FOREIGN_ORDER says {named}, the order is {wanted}": order is not None and named == [wanted]}
    return promise("order_reported", checks, f"FOREIGN_ORDER names order {wanted[0]}, policy {POLICY}")


def _listed(word: WordSeen | None) -> list[object]:
    try:
        said = json.loads(word.out) if word is not None else {}
        (account,) = said["accounts"]
        return [each["order_id"] for each in account["foreign_orders"]]
    except (ValueError, KeyError, TypeError):
        return []


def _status_shows_it(facts: Facts) -> Promise:
    order, listed = _resting(facts), _listed(typed(facts, STATUS))
    checks = {f"it lists {listed}": order is not None and listed == [order.order_id]}
    return promise("status_shows_it", checks, f"`holdfast status` lists {listed} as not ours")


def _never_held(facts: Facts) -> Promise:
    rests = facts.moments.get("rests")
    held = [event.hold_id for event in facts.events if event.kind == "HOLD_SET"]
    checks = {
        "the hold's key was not watched": bool(facts.hold_ids_watched),
        f"the key held {sorted(set(facts.hold_ids_watched))}": set(facts.hold_ids_watched) <= {""},
        f"holds were set: {held}": not held,
        "P3.3 did not say ALLOW": rests is not None and rests.permit == "ALLOW",
    }
    return promise("never_held", checks, "no hold, P3.3 said ALLOW while it rested")


def _order_left_alone(facts: Facts) -> Promise:
    order = _resting(facts)
    seen = f"{order.status}, {format_amount(order.executed)} executed" if order is not None else "not there"
    checks = {f"at the exchange: {seen}": order is not None and order.status == "NEW" and not order.executed}
    return promise("order_left_alone", checks, "somebody's order still rests at the exchange")


FOREIGN_ORDER = Tale(
    "foreign-order",
    "Somebody leaves an order in the book. It is reported and left alone; the strategy goes on trading.",
    acts,
    judge,
)
