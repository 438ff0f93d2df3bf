"""Were the promises of a scenario kept? Facts in, promises out, each judged at the exchange and on the bus. Pure.

`close` / `none`: whether the scenario has a close due. `operator`: it ends held, or freed by hand; `told`: a person is
told (those, and written down).

    | promise              | of          | kept if                                                                 |
    |----------------------|-------------|-------------------------------------------------------------------------|
    | drift_seen           | all         | the DRIFT event says what was traded by hand                            |
    | hold_placed          | all         | the hold's key stood on the bus                                         |
    | plan_refused         | all         | a plan under the hold was not executed: error=hold_active               |
    | close_planned        | close       | one RECONCILE_CLOSE on the plan stream, field for field                 |
    | guardrails_passed    | close       | CLOSE_CLAIMED names that very plan                                      |
    | close_at_exchange    | close       | the exchange filled one reduce-only MARKET order of this side and size, |
    |                      |             | and the result on the bus names it                                      |
    | nothing_closed       | none        | no RECONCILE_CLOSE on the stream, no close claimed                      |
    | nothing_else_ordered | all         | of ours the exchange saw that close alone, until trading resumed        |
    | position_closed      | close, freed | the exchange showed the promised position after the close (by hand)    |
    | operator_alerted     | told        | an alert about the symbol was at the webhook, before anybody acted      |
    | hold_stood           | operator    | while nobody acted the key held this hold at every read, the published  |
    |                      |             | state named a next step, and another plan was refused                   |
    | hold_stands          | held        | at the end the key holds this hold                                      |
    | drift_not_widened    | held        | at the end abs(exchange - ledger) is not above what it was, and both    |
    |                      |             | are as promised                                                         |
    | ledger_written_down  | written     | the WRITTEN_DOWN event says from which to which amount, as promised     |
    | hold_released        | all but held | the hold's key is gone and HOLD_RELEASED names it; freed: only after  |
    |                      |             | the close by hand                                                       |
    | permit_allow         | all but held | P3.3 says ALLOW after that                                            |
    | plan_executed        | all but held | a plan was executed, its order is filled at the exchange              |
    | agreed_at_end        | all but held | exchange and ledger show the promised position, no hold stands        |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.domain.amounts import format_amount
from holdfast.lab.demo.scenarios import SYMBOL, Ending

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from holdfast.lab.demo.facts import Facts, OrderSeen, PlanSeen
    from holdfast.lab.demo.scenarios import Scenario

HOLD_ACTIVE = "hold_active"
FILLED = "FILLED"


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise, judged."""

    name: str
    kept: bool
    seen: str
    """What was promised if kept; what was seen instead if not."""


def judge(scenario: Scenario, facts: Facts) -> tuple[Promise, ...]:
    """Judge every promise of the scenario (see the module's table)."""
    promises = [_drift_seen(scenario, facts), _hold_placed(facts), _plan_refused(facts)]
    if scenario.close:
        promises += [_close_planned(scenario, facts), _guardrails_passed(facts), _close_at_exchange(scenario, facts)]
    else:
        promises.append(_nothing_closed(facts))
    promises.append(_nothing_else_ordered(scenario, facts))
    if scenario.close or scenario.ending is Ending.FREED_BY_HAND:
        promises.append(_position_closed(scenario, facts))
    if scenario.tells_operator:
        promises.append(_operator_alerted(facts))
    if scenario.needs_operator:
        promises.append(_hold_stood(facts))
    if scenario.ending is Ending.WRITTEN_DOWN:
        promises.append(_ledger_written_down(scenario, facts))
    if scenario.ending is Ending.HELD:
        promises += [_hold_stands(facts), _drift_not_widened(scenario, facts)]
    else:
        promises += [_hold_released(scenario, facts), _permit_allow(facts), _plan_executed(facts)]
        promises.append(_agreed_at_end(scenario, facts))
    return tuple(promises)


def _promise(name: str, faults: list[str], meaning: str) -> Promise:
    return Promise(name, not faults, meaning if not faults else "; ".join(faults))


def _faults(checks: Mapping[str, bool]) -> list[str]:
    """The texts of the checks that do not hold."""
    return [text for text, holds in checks.items() if not holds]


def _drift_seen(scenario: Scenario, facts: Facts) -> Promise:
    seen = "no DRIFT event" if facts.drift_amt is None else f"the DRIFT event says {format_amount(facts.drift_amt)}"
    faults = _faults({seen: facts.drift_amt == scenario.by_hand})
    return _promise("drift_seen", faults, f"{seen}, as traded by hand")


def _hold_placed(facts: Facts) -> Promise:
    faults = _faults({"the hold's key was not seen on the bus": facts.hold is not None})
    return _promise("hold_placed", faults, f"{facts.hold.hold_id if facts.hold else ''} stood on the bus")


def _refusal_faults(plan: PlanSeen | None, facts: Facts) -> list[str]:
    if plan is None:
        return ["no plan was answered under the hold"]
    on_bus = [result for result in facts.results if result.plan_id == plan.plan_id]
    return _faults(
        {
            "it was executed": not plan.executed,
            f"its error is {plan.error!r}": plan.error == HOLD_ACTIVE,
            "its result on the bus says otherwise": bool(on_bus)
            and all(not result.executed and result.error == HOLD_ACTIVE for result in on_bus),
        }
    )


def _plan_refused(facts: Facts) -> Promise:
    faults = _refusal_faults(facts.refused, facts)
    return _promise("plan_refused", faults, f"a plan under the HOLD: executed=false, error={HOLD_ACTIVE}")


def _close_planned(scenario: Scenario, facts: Facts) -> Promise:
    if len(facts.closes) != 1:
        return Promise("close_planned", kept=False, seen=f"{len(facts.closes)} RECONCILE_CLOSE on the plan stream")
    wanted = {
        "symbol": SYMBOL,
        "side": "close",
        "type": "MARKET",
        "reduceOnly": "true",
        "qty": format_amount(abs(scenario.close)),
        "reason": "drift_detected:drift",
        "hold_id": facts.hold.hold_id if facts.hold is not None else "",
        "exchange_amt": format_amount(scenario.exchange),
        "ledger_amt": format_amount(scenario.ledger),
    }
    close = facts.closes[0]
    faults = [f"{name}={close.get(name)!r}" for name, text in wanted.items() if close.get(name) != text]
    faults += [f"{name} is missing" for name in ("plan_id", "timestamp", "expires") if not close.get(name)]
    return _promise("close_planned", faults, f"one RECONCILE_CLOSE over {wanted['qty']} on the plan stream")


def _guardrails_passed(facts: Facts) -> Promise:
    planned = tuple(close.get("plan_id", "") for close in facts.closes)
    faults = _faults(
        {f"claimed: {list(facts.claimed)}, planned: {list(planned)}": bool(planned) and facts.claimed == planned}
    )
    return _promise("guardrails_passed", faults, "apply claimed that very plan")


def _closes_by_us(facts: Facts) -> tuple[OrderSeen, ...]:
    return tuple(order for order in facts.orders_by_us() if order.reduce_only)


def _close_at_exchange(scenario: Scenario, facts: Facts) -> Promise:
    closes = _closes_by_us(facts)
    if len(closes) != 1:
        return Promise("close_at_exchange", kept=False, seen=f"{len(closes)} reduce-only orders of ours")
    order = closes[0]
    plan_ids = {close.get("plan_id") for close in facts.closes}
    results = [result for result in facts.results if result.order_id == order.order_id]
    faults = _faults(
        {
            f"it did {format_amount(order.signed)}": order.signed == scenario.close,
            f"it is {order.order_type}": order.order_type == "MARKET",
            f"it is {order.status}": order.status == FILLED,
            "no result on the bus names it, executed, as the close that was planned": any(
                result.executed and result.decision == "RECONCILE_CLOSE" and result.plan_id in plan_ids
                for result in results
            ),
        }
    )
    text = f"the exchange filled one reduce-only {order.side} {format_amount(order.qty)}; the result names it"
    return _promise("close_at_exchange", faults, text)


def _nothing_closed(facts: Facts) -> Promise:
    faults = _faults(
        {
            f"{len(facts.closes)} RECONCILE_CLOSE on the plan stream": not facts.closes,
            f"{len(facts.claimed)} closes claimed": not facts.claimed,
        }
    )
    return _promise("nothing_closed", faults, "no close was planned")


def _nothing_else_ordered(scenario: Scenario, facts: Facts) -> Promise:
    due = 1 if scenario.close else 0
    ours = facts.orders_by_us()
    others = len(ours) - min(due, len(_closes_by_us(facts)))
    faults = _faults({f"{others} other orders of ours": others == 0})
    text = "until then the exchange saw no other order of ours" if due else "the exchange saw no order of ours"
    return _promise("nothing_else_ordered", faults, text)


def _position_closed(scenario: Scenario, facts: Facts) -> Promise:
    wanted = format_amount(scenario.position_end)
    faults = _faults({f"it showed {_shown(facts.position_closed)}": facts.position_closed == scenario.position_end})
    return _promise("position_closed", faults, f"the exchange showed {wanted} afterwards")


def _operator_alerted(facts: Facts) -> Promise:
    if facts.alert is None:
        return Promise("operator_alerted", kept=False, seen="no alert arrived at the webhook")
    faults = _faults(
        {
            f"the alert says {facts.alert.title!r}": SYMBOL in facts.alert.title,
            "it came only after the close by hand": facts.hand_close_ns is None
            or facts.alert.at_ns < facts.hand_close_ns,
        }
    )
    return _promise("operator_alerted", faults, f"the webhook got: {facts.alert.title}")


def _ledger_written_down(scenario: Scenario, facts: Facts) -> Promise:
    wanted = (format_amount(scenario.ledger), format_amount(scenario.position_end))
    if facts.written_down is None:
        return Promise("ledger_written_down", kept=False, seen="no WRITTEN_DOWN event")
    was, now = facts.written_down
    text = f"the ledger was written down from {was} to {now}"
    return _promise("ledger_written_down", _faults({text: facts.written_down == wanted}), text)


def _hold_stood(facts: Facts) -> Promise:
    hold_id = facts.hold.hold_id if facts.hold is not None else ""
    faults = _faults(
        {
            "its key was not watched": bool(facts.hold_ids_watched),
            f"its key held {sorted(set(facts.hold_ids_watched))}": set(facts.hold_ids_watched) <= {hold_id},
            "the published state names no next step": bool(facts.next_step),
        }
    )
    faults += _refusal_faults(facts.refused_again, facts)
    text = f"nobody acted for {facts.watched_ms} ms, and the HOLD stood; next step: {facts.next_step}"
    return _promise("hold_stood", faults, text)


def _hold_stands(facts: Facts) -> Promise:
    stands = facts.hold is not None and facts.hold_end == facts.hold.hold_id
    faults = _faults({f"at the end its key holds {facts.hold_end!r}": stands})
    return _promise("hold_stands", faults, f"{facts.hold_end} stands")


def _drift_not_widened(scenario: Scenario, facts: Facts) -> Promise:
    position, ledger = facts.position_end, facts.ledger_end
    widened = position is None or ledger is None or abs(position - ledger) > abs(scenario.by_hand)
    seen = f"exchange {_shown(position)}, ledger {_shown(ledger)}"
    is_promised = position == scenario.position_end and ledger == scenario.ledger
    return _promise("drift_not_widened", _faults({seen: not widened and is_promised}), seen)


def _hold_released(scenario: Scenario, facts: Facts) -> Promise:
    hold_id = facts.hold.hold_id if facts.hold is not None else ""
    released = facts.released_ns
    checks = {
        "its key was not seen gone": released is not None,
        f"HOLD_RELEASED names {facts.release_event_hold!r}": bool(hold_id) and facts.release_event_hold == hold_id,
    }
    text = "its key is gone, by itself"
    if scenario.ending is Ending.FREED_BY_HAND:
        by_hand = facts.hand_close_ns
        checks["not after the close by hand"] = None not in (released, by_hand) and (released or 0) > (by_hand or 0)
        text = "its key is gone, by itself, once somebody had closed by hand"
    return _promise("hold_released", _faults(checks), text)


def _permit_allow(facts: Facts) -> Promise:
    faults = _faults({"P3.3 did not say ALLOW after the release": facts.allow_ns is not None})
    return _promise("permit_allow", faults, "P3.3 says ALLOW")


def _plan_executed(facts: Facts) -> Promise:
    after = facts.after
    if after is None:
        return Promise("plan_executed", kept=False, seen="no plan was answered after the release")
    filled = any(order.order_id == after.order_id and order.status == FILLED for order in facts.orders)
    faults = _faults({f"refused: {after.error}": after.executed, "no filled order at the exchange": filled})
    return _promise("plan_executed", faults, "the strategy's plan: executed=true, filled at the exchange")


def _agreed_at_end(scenario: Scenario, facts: Facts) -> Promise:
    wanted = scenario.position_end
    faults = _faults(
        {
            f"exchange {_shown(facts.position_end)}": facts.position_end == wanted,
            f"ledger {_shown(facts.ledger_end)}": facts.ledger_end == wanted,
            f"the hold's key holds {facts.hold_end!r}": facts.hold_end is None,
        }
    )
    return _promise("agreed_at_end", faults, f"exchange and ledger agree at {format_amount(wanted)}, no HOLD")


def _shown(amount: Decimal | None) -> str:
    return "unknown" if amount is None else format_amount(amount)
