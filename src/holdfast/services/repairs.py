"""The moves that change a ledger: repairs and write-downs by trade ids, adoptions by policy. Nothing here decides.

Invariant I7: what a move adds to the ledger is the signed sum of the trades that its journal line names (an adoption's
is the drift, and its line says by whose word); each move sets the watermark behind the trades that it accounts for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.decide.move import automatic_hold
from holdfast.decide.reconcile import Status
from holdfast.domain.amounts import format_amount
from holdfast.domain.entry import EntryKind, JsonValue
from holdfast.domain.ledger import MoveCause
from holdfast.domain.limits import ForcedPolicy
from holdfast.services.booking import book_trades, fill_entry
from holdfast.services.holding import Written, append_entry, tell_person
from holdfast.services.judged import Judged, trade_ids, what_it_saw, write_next_step
from holdfast.services.late import write_late_acceptance

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.decide.evidence import Evidence
    from holdfast.domain.names import HoldId
    from holdfast.domain.sides import Leg
    from holdfast.ports.journal import Tx

IDS_TOLD_MAX = 5
"""So many trade ids stand in an alert; all of them are in the journal."""


def write_repair(tx: Tx, judged: Judged, out: Written) -> None:
    """Book own missing fills; only once there are none, move the ledger by what the venue forced, by trade ids."""
    evidence = judged.facts.leg.evidence
    if evidence is None:
        return
    if evidence.own:
        _book_own(tx, judged, evidence, out)
    elif judged.verdict.status is Status.FORCED:
        after = _move_by_trades(tx, judged, evidence, MoveCause.REPAIR)
        append_entry(tx, out, EntryKind.REPAIR, _leg(judged), _hold_id(judged), what_it_saw(judged))
        if judged.facts.leg.limits.forced is ForcedPolicy.RESUME:
            was = format_amount(judged.verdict.ledger_amt)
            text = f"the venue reduced the position by force ({_told(evidence)}), the ledger followed from {was}"
            _tell(tx, judged, f"{text} to {format_amount(after)}", out)
    write_next_step(tx, judged, out)


def write_down(tx: Tx, judged: Judged, out: Written) -> None:
    """Move the ledger by what others traded, and tell a person: nothing of it was ours."""
    evidence = judged.facts.leg.evidence
    if evidence is None:
        return
    before = judged.verdict.ledger_amt
    after = _move_by_trades(tx, judged, evidence, MoveCause.WRITE_DOWN)
    body: dict[str, JsonValue] = {"was": format_amount(before), "ledger_after": format_amount(after)}
    append_entry(tx, out, EntryKind.WRITTEN_DOWN, _leg(judged), _hold_id(judged), what_it_saw(judged) | body)
    text = f"the ledger was written down from {format_amount(before)} to {format_amount(after)} by {_told(evidence)}"
    _tell(tx, judged, text, out)
    write_next_step(tx, judged, out)


def flatten(tx: Tx, judged: Judged, out: Written) -> None:
    """Give the ledger up, by the settings' word, and tell a person: what the exchange holds is an excess then."""
    before = judged.verdict.ledger_amt
    tx.move_ledger(_leg(judged), -before, MoveCause.FLATTEN, "policy flatten: no trades explain the deficit")
    body: dict[str, JsonValue] = {"was": format_amount(before), "ledger_after": "0"}
    append_entry(tx, out, EntryKind.FLATTENED, _leg(judged), _hold_id(judged), what_it_saw(judged) | body)
    text = f"no trades explain the deficit: by the settings the ledger was set from {format_amount(before)} to 0"
    _tell(tx, judged, text, out)
    write_next_step(tx, judged, out)


def _tell(tx: Tx, judged: Judged, text: str, out: Written) -> None:
    hold = automatic_hold(judged.facts.holds)
    if hold is not None:
        tell_person(tx, hold, text, out)


def _told(evidence: Evidence) -> str:
    """The trades that were not ours, for a person."""
    ids = [str(each.trade_id) for each in (*evidence.foreign, *evidence.forced)]
    more = f" and {len(ids) - IDS_TOLD_MAX} more" if len(ids) > IDS_TOLD_MAX else ""
    return f"trades {', '.join(ids[:IDS_TOLD_MAX])}{more} of others"


def _leg(judged: Judged) -> Leg:
    return judged.facts.leg.ledger.leg


def _hold_id(judged: Judged) -> HoldId | None:
    hold = automatic_hold(judged.facts.holds)
    return hold.hold_id if hold is not None else None


def _book_own(tx: Tx, judged: Judged, evidence: Evidence, out: Written) -> None:
    """Book own missing fills by trade id."""
    leg, hold_id = _leg(judged), _hold_id(judged)
    for number in dict.fromkeys(trade.order_id for trade in evidence.own):
        trades = [trade for trade in evidence.own if trade.order_id == number]
        order = tx.order_by_number(leg.symbol, number)
        name = next((trade.client_order_id for trade in trades if trade.client_order_id), None)
        if order is None and name is not None:
            order = tx.order(name)
        if order is None:
            continue  # it was found outside this transaction and is gone: the next look says what is true
        before = order
        order, booked = book_trades(tx, order, trades, MoveCause.REPAIR)
        order = write_late_acceptance(tx, before, order, booked, out)
        if booked:
            entry = fill_entry(order, booked, EntryKind.REPAIR)
            out.entries.append(tx.append(replace(entry, hold_id=hold_id, body={**entry.body, **what_it_saw(judged)})))


def _move_by_trades(tx: Tx, judged: Judged, evidence: Evidence, cause: MoveCause) -> Decimal:
    """Move the ledger by all that explains the drift, none of which is ours to book; the ledger after it."""
    leg = _leg(judged)
    others, delta = (*evidence.forced, *evidence.foreign), evidence.total_qty
    names = [*trade_ids(others), *trade_ids(evidence.undone)]
    state = tx.move_ledger(leg, delta, cause, f"trades {names}")
    newest = max((trade.venue_ms for trade in others), default=0)
    ids = (evidence.last_trade_id, state.watermark_trade_id, *(each.trade_id for each in evidence.undone))
    watermark = max((each for each in ids if each is not None), default=None)
    tx.put_leg(replace(state, watermark_trade_id=watermark, last_fill_ms=max(state.last_fill_ms, newest)))
    return state.amt


def write_adoption(tx: Tx, judged: Judged, out: Written) -> None:
    """Ledger := exchange, by the policy that the settings name."""
    facts, verdict = judged.facts.leg, judged.verdict
    leg, hold = facts.ledger.leg, automatic_hold(judged.facts.holds)
    if verdict.drift is None or facts.view is None:
        return
    adopt_view(tx, leg, verdict.drift, facts.view.as_of_ms, facts.evidence)
    hold_id = hold.hold_id if hold is not None else None
    append_entry(
        tx, out, EntryKind.ADOPTED, leg, hold_id, what_it_saw(judged) | {"who": "policy", "reason": "settings"}
    )
    write_next_step(tx, judged, out)


def adopt_view(tx: Tx, leg: Leg, drift: Decimal, as_of_ms: int, evidence: Evidence | None) -> None:
    """Move the ledger by the drift; trades up to now are accounted for from here on."""
    state = tx.move_ledger(leg, drift, MoveCause.ADOPT, "adopted")
    last = evidence.last_trade_id if evidence is not None and evidence.complete else None
    watermark = max((each for each in (last, state.watermark_trade_id) if each is not None), default=None)
    tx.put_leg(replace(state, watermark_trade_id=watermark, watermark_ms=max(state.watermark_ms, as_of_ms)))
