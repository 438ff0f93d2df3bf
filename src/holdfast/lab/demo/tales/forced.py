"""`liquidation` and `adl`: the venue takes a part of the strategy's position; a person acknowledges; trading resumes.

| promise         | kept if                                                                                  |
|-----------------|------------------------------------------------------------------------------------------|
| forced_by_venue | the exchange filled an order of its own over that amount, and none of ours or by hand     |
| ledger_repaired | a REPAIR event names exactly the trade ids of that order, and the ledger was what the     |
|                 | exchange held before the operator acted                                                  |

And of `promises`: hold_placed (forced_reduction), plan_refused, nothing_sent, operator_alerted, hold_stood,
operator_done (release), hold_released by the operator, permit_allow, plan_executed, agreed_at_end.
"""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from holdfast.domain.amounts import format_amount
from holdfast.lab.demo.scenarios import SYMBOL
from holdfast.lab.demo.tales.cast import WHY
from holdfast.lab.demo.tales.promises import (
    agreed_at_end,
    hold_placed,
    hold_released,
    hold_stood,
    nothing_sent,
    operator_alerted,
    operator_done,
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

TAKEN = Decimal("0.004")
REASON = "forced_reduction"
RELEASE = f"release {SYMBOL}"


async def acts(cast: Cast, ledger: Decimal, act: str) -> None:
    """The venue takes `TAKEN` of what the strategy holds."""
    await cast.open_with((ledger, "BOTH"))
    text = f"the venue takes {format_amount(TAKEN)} of the strategy's {format_amount(ledger)} by force"
    await cast.act(act, text, qty=format_amount(TAKEN))
    await cast.hold()
    await cast.event("MANUAL_REQUIRED")
    await cast.until_moment(
        "held",
        "the ledger repaired under a forced_reduction hold",
        lambda seen: seen.is_agreed and seen.reasons[SYMBOL] == REASON,
    )
    await cast.plan_under_the_hold()
    await cast.alert(REASON)
    await cast.stand()
    await cast.operator("release", SYMBOL, *WHY)
    await cast.let_trade_again()
    await cast.trade_again()


def judge(facts: Facts, ledger: Decimal) -> tuple[Promise, ...]:
    """Judge the promises of the module's table."""
    left = ledger - TAKEN.copy_sign(ledger)
    return (
        _forced_by_venue(facts, left - ledger),
        hold_placed(facts, REASON),
        plan_refused(facts, facts.refused),
        _ledger_repaired(facts, left),
        nothing_sent(facts),
        operator_alerted(facts, REASON),
        hold_stood(facts),
        operator_done(facts, RELEASE),
        hold_released(facts, RELEASE),
        *trading_again(facts),
        agreed_at_end(facts, {SYMBOL: left}),
    )


def _forced_by_venue(facts: Facts, amount: Decimal) -> Promise:
    done = sum((fill.signed for fill in facts.fills if fill.source == "venue"), Decimal(0))
    by_hand = [fill for fill in facts.fills if fill.source == "manual"]
    checks = {
        f"the venue's own orders did {format_amount(done)}": done == amount,
        f"{len(by_hand)} trades by hand": not by_hand,
    }
    return promise("forced_by_venue", checks, f"the venue's own order did {format_amount(amount)}")


def _ledger_repaired(facts: Facts, left: Decimal) -> Promise:
    forced = {fill.trade_id for fill in facts.fills if fill.source == "venue"}
    named = {trade for event in facts.events if event.kind == "REPAIR" for trade in event.trade_ids()}
    held = facts.moments.get("held")
    ledger = held.ledgers.get(SYMBOL) if held is not None else None
    checks = {
        f"REPAIR names trades {sorted(named)}, the venue's are {sorted(forced)}": bool(forced) and named == forced,
        f"under the hold the ledger was {shown(ledger)}": ledger == left,
    }
    return promise("ledger_repaired", checks, f"REPAIR names the venue's trade ids; the ledger became {shown(left)}")


def _tale(name: str, story: str, act: str, ledger: str) -> Tale:
    amount = Decimal(ledger)
    return Tale(name, story, partial(acts, ledger=amount, act=act), partial(judge, ledger=amount))


LIQUIDATION = _tale(
    "liquidation",
    "The venue liquidates 0.004 of the strategy's 0.007. The ledger is repaired, a person acknowledges.",
    "liquidate",
    "0.007",
)
ADL = _tale(
    "adl",
    "The strategy is short 0.007; the venue deleverages 0.004 of it. The ledger is repaired, a person acknowledges.",
    "adl",
    "-0.007",
)
