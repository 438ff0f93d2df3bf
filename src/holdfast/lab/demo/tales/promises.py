"""What several tales promise, each judged at the exchange, on the bus, at the webhook or at an exit status. Pure.

| promise          | kept if                                                                               |
|------------------|---------------------------------------------------------------------------------------|
| hold_placed      | the hold's key stood on the bus, HOLD_SET names it, and this reason was published     |
| plan_refused     | a plan under the hold was not executed: error=hold_active, on the bus too             |
| nothing_sent     | no RECONCILE_CLOSE on the plan stream, none claimed, and no order of ours at the      |
|                  | exchange until trading resumed                                                        |
| operator_alerted | an alert about the symbol, with these words, was at the webhook                       |
| hold_stood       | while nobody acted the key held this hold at every read; a next step was published    |
| operator_done    | the operator's command ended with status 0                                            |
| hold_released    | the key is gone, HOLD_RELEASED names the hold; where a person ends it, only after     |
|                  | that person's command began                                                           |
| permit_allow     | P3.3 said ALLOW after that                                                            |
| plan_executed    | the strategy's next plan was executed, its order filled at the exchange               |
| agreed_at_end    | every leg's position is the promised one, its ledger the same, and no hold stands     |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.domain.amounts import format_amount
from holdfast.lab.demo.judge import FILLED, HOLD_ACTIVE, Promise
from holdfast.lab.demo.scenarios import SYMBOL

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from holdfast.lab.demo.facts import Facts, PlanSeen, WordSeen


def promise(name: str, checks: Mapping[str, bool], meaning: str) -> Promise:
    """Kept if every check holds; the others' texts say what was seen instead."""
    faults = [text for text, holds in checks.items() if not holds]
    return Promise(name, not faults, meaning if not faults else "; ".join(faults))


def shown(amount: Decimal | None) -> str:
    """An amount in words."""
    return "unknown" if amount is None else format_amount(amount)


def hold_placed(facts: Facts, reason: str, key: str = SYMBOL, moment: str = "held") -> Promise:
    """See the table."""
    hold_id = facts.hold.hold_id if facts.hold is not None else ""
    seen = facts.moments.get(moment)
    stated = seen.reasons.get(key, "") if seen is not None else ""
    checks = {
        "the hold's key was not seen on the bus": bool(hold_id),
        "no HOLD_SET names it": any(e.kind == "HOLD_SET" and e.hold_id == hold_id for e in facts.events),
        f"its published reason is {stated!r}": stated == reason,
    }
    return promise("hold_placed", checks, f"{hold_id} stood on the bus: {reason}")


def plan_refused(facts: Facts, plan: PlanSeen | None) -> Promise:
    """See the table."""
    if plan is None:
        return Promise("plan_refused", kept=False, seen="no plan was answered under the hold")
    on_bus = [result for result in facts.results if result.plan_id == plan.plan_id]
    checks = {
        "it was executed": not plan.executed,
        f"its error is {plan.error!r}": plan.error == HOLD_ACTIVE,
        "its result on the bus says otherwise": bool(on_bus)
        and all(not result.executed and result.error == HOLD_ACTIVE for result in on_bus),
    }
    return promise("plan_refused", checks, f"a plan under the HOLD: executed=false, error={HOLD_ACTIVE}")


def nothing_sent(facts: Facts) -> Promise:
    """See the table."""
    ours = facts.orders_by_us()
    checks = {
        f"{len(facts.closes)} RECONCILE_CLOSE on the plan stream": not facts.closes,
        f"{len(facts.claimed)} closes claimed": not facts.claimed,
        f"{len(ours)} orders of ours at the exchange": not ours,
        "the exchange's orders were not read": bool(facts.orders),
    }
    return promise("nothing_sent", checks, "no close was planned, the exchange saw no order of ours meanwhile")


def operator_alerted(facts: Facts, words: str) -> Promise:
    """See the table."""
    title = facts.alert.title if facts.alert is not None else ""
    checks = {
        "no alert arrived at the webhook": facts.alert is not None,
        f"the alert says {title!r}": SYMBOL in title and words in title,
    }
    return promise("operator_alerted", checks, f"the webhook got: {title}")


def hold_stood(facts: Facts) -> Promise:
    """See the table."""
    hold_id = facts.hold.hold_id if facts.hold is not None else ""
    checks = {
        "its key was not watched": bool(facts.hold_ids_watched),
        f"its key held {sorted(set(facts.hold_ids_watched))}": set(facts.hold_ids_watched) <= {hold_id},
        "the published state names no next step": bool(facts.next_step),
    }
    text = f"nobody acted for {facts.watched_ms} ms, and the HOLD stood; next step: {facts.next_step}"
    return promise("hold_stood", checks, text)


def typed(facts: Facts, begins: str) -> WordSeen | None:
    """The operator's command that begins so."""
    return next((word for word in facts.words if word.words.startswith(begins)), None)


def operator_done(facts: Facts, begins: str) -> Promise:
    """See the table."""
    word = typed(facts, begins)
    checks = {
        f"`holdfast {begins}` was not typed": word is not None,
        f"it ended with status {word.status if word else None}": word is not None and word.status == 0,
    }
    return promise("operator_done", checks, f"`holdfast {begins}` ended with status 0")


def hold_released(facts: Facts, by: str = "") -> Promise:
    """See the table. `by`: how the operator's command begins that ends it; "": it ends by itself."""
    hold_id = facts.hold.hold_id if facts.hold is not None else ""
    checks = {
        "its key was not seen gone": facts.released_ns is not None,
        f"HOLD_RELEASED names {facts.release_event_hold!r}": bool(hold_id) and facts.release_event_hold == hold_id,
    }
    if by:
        word = typed(facts, by)
        checks["it was gone before the operator acted"] = word is not None and (facts.released_ns or 0) > word.began_ns
    return promise("hold_released", checks, f"its key is gone{', by the operator' if by else ', by itself'}")


def trading_again(facts: Facts) -> list[Promise]:
    """permit_allow and plan_executed."""
    after = facts.after
    filled = after is not None and any(o.order_id == after.order_id and o.status == FILLED for o in facts.orders)
    executed = {
        "no plan was answered afterwards": after is not None,
        f"refused: {after.error if after else ''}": after is not None and after.executed,
        "no filled order at the exchange": filled,
    }
    return [
        promise("permit_allow", {"P3.3 did not say ALLOW": facts.allow_ns is not None}, "P3.3 says ALLOW"),
        promise("plan_executed", executed, "the strategy's plan: executed=true, filled at the exchange"),
    ]


def agreed_at_end(facts: Facts, wanted: Mapping[str, Decimal]) -> Promise:
    """See the table. `wanted`: the position by leg."""
    end = facts.moments.get("end")
    checks = {"nothing was read at the end": end is not None}
    for key, amount in wanted.items():
        position = end.positions.get(key) if end is not None else None
        ledger = end.ledgers.get(key) if end is not None else None
        checks[f"{key}: exchange {shown(position)}"] = position == amount
        checks[f"{key}: ledger {shown(ledger)}"] = ledger == amount
    checks["a hold stands"] = end is not None and end.is_free
    held = ", ".join(f"{key} {format_amount(amount)}" for key, amount in wanted.items())
    return promise("agreed_at_end", checks, f"exchange and ledger agree ({held}), no HOLD")
