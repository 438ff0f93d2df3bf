"""`missed-fill`: the stream loses our own fill, and the trade history lags. It is repaired by its trade id.

| promise           | kept if                                                                                   |
|-------------------|-------------------------------------------------------------------------------------------|
| fill_lost         | the exchange's faults really struck: events were dropped, a trade history was stale         |
| plan_once         | the plan was executed, and the exchange saw one order of it                                 |
| ledger_lagged     | the exchange held what was bought, the ledger did not, no hold stood (own orders explain it), |
|                   | and the strategy's next plan was refused: error=order_pending                              |
| ledger_repaired   | a REPAIR event names exactly the trade ids of that order at the exchange                     |

And of `promises`: nothing_sent (no close above all), permit_allow, plan_executed, agreed_at_end.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from holdfast.domain.amounts import format_amount
from holdfast.lab.demo.judge import FILLED
from holdfast.lab.demo.scenarios import SYMBOL
from holdfast.lab.demo.tales.promises import agreed_at_end, nothing_sent, promise, shown, trading_again
from holdfast.lab.demo.tales.tale import Tale

if TYPE_CHECKING:
    from holdfast.lab.demo.facts import Facts, PlanSeen
    from holdfast.lab.demo.judge import Promise
    from holdfast.lab.demo.tales.cast import Cast

LEDGER, BOUGHT = Decimal("0.004"), Decimal("0.003")
HELD = LEDGER + BOUGHT
LAG_MS = 2_600
"""Longer than what own orders may have done explains a difference, and between two times at which apply asks again."""
FAULTS = ("stream_drop", "stale_trades")
PENDING = "order_pending"


async def acts(cast: Cast) -> None:
    """The strategy buys; nobody hears of the fill."""
    await cast.open_with((LEDGER, "BOTH"))
    faults = {"stream_drop": await cast.arm("stream_drop")}
    faults["stale_trades"] = await cast.arm("stale_trades", delay_ms=LAG_MS)
    await cast.buys_unheard(BOUGHT, f"the strategy buys {format_amount(BOUGHT)}; the stream loses every event of it")
    await cast.moment("lagging")
    await cast.plan_meanwhile()
    repaired = await cast.event("REPAIR")
    cast.tell("repaired", repaired.at_ns, "the ledger is repaired by the fill's trade id")
    await cast.hits(faults)
    await cast.until_moment("repaired", "exchange and ledger to agree", lambda seen: seen.is_agreed and seen.is_free)
    await cast.until_allowed()
    await cast.trade_again()


def judge(facts: Facts) -> tuple[Promise, ...]:
    """Judge the promises of the module's table."""
    return (
        _fill_lost(facts),
        _plan_once(facts),
        _ledger_lagged(facts),
        _ledger_repaired(facts),
        nothing_sent(facts),
        *trading_again(facts),
        agreed_at_end(facts, {SYMBOL: HELD}),
    )


def apply_was_faster(facts: Facts) -> bool:
    """Tell whether apply, asking for its order once more, booked the fill first: no repair was due any more.

    Which of the two comes first depends on how busy the machine is; both book it once, by its trade id.
    """
    end = facts.moments.get("end")
    return end is not None and end.is_agreed and not any(event.kind == "REPAIR" for event in facts.events)


def _fill_lost(facts: Facts) -> Promise:
    checks = {f"{name} struck {facts.faults.get(name, 0)} times": facts.faults.get(name, 0) > 0 for name in FAULTS}
    return promise("fill_lost", checks, f"the exchange's faults struck: {dict(facts.faults)}")


def _unheard(facts: Facts) -> PlanSeen | None:
    return facts.plans.get("unheard")


def _plan_once(facts: Facts) -> Promise:
    plan = _unheard(facts)
    named = plan.order_id if plan is not None else None
    orders = [o for o in facts.orders if o.order_id == named]
    done = [format_amount(order.signed) for order in orders]
    checks = {
        "it was not executed": plan is not None and plan.executed,
        f"the exchange did {done}": [o.signed for o in orders] == [BOUGHT] and orders[0].status == FILLED,
    }
    return promise("plan_once", checks, f"executed=true; the exchange filled it once, {done}")


def _ledger_lagged(facts: Facts) -> Promise:
    seen, plan = facts.moments.get("lagging"), facts.refused
    position = seen.positions.get(SYMBOL) if seen is not None else None
    ledger = seen.ledgers.get(SYMBOL) if seen is not None else None
    checks = {
        f"exchange {shown(position)}, ledger {shown(ledger)}": (position, ledger) == (HELD, LEDGER),
        "a hold stood": seen is not None and seen.is_free,
        f"the next plan: {plan}": plan is not None and not plan.executed and plan.error == PENDING,
    }
    text = f"exchange {shown(position)}, ledger {shown(ledger)}, no false alarm; the next plan: error={PENDING}"
    return promise("ledger_lagged", checks, text)


def _ledger_repaired(facts: Facts) -> Promise:
    plan = _unheard(facts)
    ours = {fill.trade_id for fill in facts.fills if plan is not None and fill.order_id == plan.order_id}
    named = {trade for event in facts.events if event.kind == "REPAIR" for trade in event.trade_ids()}
    checks = {f"REPAIR names {sorted(named)}, the order's trades are {sorted(ours)}": bool(ours) and named == ours}
    return promise("ledger_repaired", checks, f"REPAIR names the order's own trades {sorted(ours)}")


MISSED_FILL = Tale(
    "missed-fill",
    "The stream loses our own fill and the trade history lags. It is repaired by its trade id; nothing is closed.",
    acts,
    judge,
    is_too_late=apply_was_faster,
)
