"""`manual-close`: somebody sells a part of the strategy's position by hand. Nothing is closed: the ledger follows.

The exchange's trade history shows the trade only after `LAG_MS`; until then nobody knows whose it was, and the hold
stands.

| promise             | kept if                                                                              |
|---------------------|--------------------------------------------------------------------------------------|
| ledger_waited       | while the history showed nothing, the exchange held less than the ledger, which had    |
|                     | not moved                                                                              |
| ledger_written_down | one WRITTEN_DOWN event names exactly the trade ids of what was done by hand at the      |
|                     | exchange, and says the ledger that is left                                              |

And of `promises`: hold_placed (deficit), plan_refused, nothing_sent, operator_alerted, hold_released (by itself),
permit_allow, plan_executed, agreed_at_end.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from holdfast.domain.amounts import format_amount
from holdfast.lab.demo.scenarios import SYMBOL
from holdfast.lab.demo.tales.promises import (
    agreed_at_end,
    hold_placed,
    hold_released,
    nothing_sent,
    operator_alerted,
    plan_refused,
    promise,
    shown,
    trading_again,
)
from holdfast.lab.demo.tales.tale import Tale

if TYPE_CHECKING:
    from holdfast.lab.demo.facts import Facts
    from holdfast.lab.demo.judge import Promise
    from holdfast.lab.demo.tales.cast import Cast

LEDGER, SOLD = Decimal("0.007"), Decimal("0.003")
LEFT = LEDGER - SOLD
LAG_MS = 700
REASON = "deficit"


async def acts(cast: Cast) -> None:
    """Somebody sells, and the history lags."""
    await cast.open_with((LEDGER, "BOTH"))
    lag = await cast.arm("stale_trades", delay_ms=LAG_MS)
    text = f"somebody sells {format_amount(SOLD)} of the strategy's {format_amount(LEDGER)} by hand"
    await cast.by_hand(-SOLD, text)
    await cast.hold()
    await cast.until_moment("held", f"a hold {REASON}", lambda seen: seen.reasons[SYMBOL] == REASON)
    await cast.plan_under_the_hold()
    written = await cast.event("WRITTEN_DOWN")
    cast.tell("written_down", written.at_ns, "the ledger is written down by the trades that explain it")
    await cast.alert(REASON)
    await cast.let_trade_again()
    await cast.hits({"stale_trades": lag})
    await cast.trade_again()


def judge(facts: Facts) -> tuple[Promise, ...]:
    """Judge the promises of the module's table."""
    return (
        hold_placed(facts, REASON),
        plan_refused(facts, facts.refused),
        _ledger_waited(facts),
        _ledger_written_down(facts),
        nothing_sent(facts),
        operator_alerted(facts, REASON),
        hold_released(facts),
        *trading_again(facts),
        agreed_at_end(facts, {SYMBOL: LEFT}),
    )


def _ledger_waited(facts: Facts) -> Promise:
    held = facts.moments.get("held")
    position = held.positions.get(SYMBOL) if held is not None else None
    ledger = held.ledgers.get(SYMBOL) if held is not None else None
    checks = {
        "the trade history did not lag": facts.faults.get("stale_trades", 0) > 0,
        f"exchange {shown(position)}, ledger {shown(ledger)}": (position, ledger) == (LEFT, LEDGER),
    }
    return promise("ledger_waited", checks, f"without evidence: exchange {shown(position)}, ledger {shown(ledger)}")


def _ledger_written_down(facts: Facts) -> Promise:
    by_hand = {fill.trade_id for fill in facts.fills if fill.source == "manual"}
    events = [event for event in facts.events if event.kind == "WRITTEN_DOWN"]
    named = {trade for event in events for trade in event.trade_ids()}
    said = [event.of("ledger_after") for event in events]
    checks = {
        f"it names trades {sorted(named)}, by hand were {sorted(by_hand)}": bool(by_hand) and named == by_hand,
        f"it says a ledger of {said}": said == [format_amount(LEFT)],
    }
    return promise("ledger_written_down", checks, f"by the trade ids of what was sold by hand, to {said}")


MANUAL_CLOSE = Tale(
    "manual-close",
    "Somebody sells 0.003 of the strategy's 0.007 by hand. The trades explain it: the ledger is written down.",
    acts,
    judge,
)
