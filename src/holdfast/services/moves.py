"""One decided move of the reconciler -> what its transaction writes. Nothing here decides.

Every hold that is placed or changed gets its next step here, every step that needs a person its alert (I9), and
every entry what the decision saw.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from holdfast.decide.close import plan_close
from holdfast.decide.episode import EpisodeFacts, Move, MoveKind, automatic_hold
from holdfast.domain.amounts import ZERO, format_amount
from holdfast.domain.close import CloseState
from holdfast.domain.entry import Entry, EntryKind, JsonValue
from holdfast.domain.hold import Hold, HoldOwner, HoldReason, StepKind
from holdfast.domain.ledger import LedgerState, MoveCause
from holdfast.services.booking import book_trades, fill_entry
from holdfast.services.holding import Written, alert_person, append_entry, new_hold_id
from holdfast.services.late import write_late_acceptance

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.decide.reconcile import Evidence, Verdict
    from holdfast.domain.names import HoldId, TradeId
    from holdfast.domain.sides import Leg
    from holdfast.domain.trade import Trade
    from holdfast.domain.view import PositionView
    from holdfast.ports.journal import Tx


@dataclass(frozen=True, slots=True)
class Judged:
    """One leg, judged."""

    facts: EpisodeFacts
    verdict: Verdict
    move: Move
    closes_planned: int
    """Closes planned under the leg's hold so far."""


def write_move(tx: Tx, judged: Judged, out: Written) -> None:
    """Write the move of one leg."""
    match judged.move.kind:
        case MoveKind.NOTHING:
            return
        case MoveKind.AGREE:
            _agree(tx, judged, out)
        case MoveKind.HOLD:
            _hold(tx, judged, out)
        case MoveKind.REPAIR:
            _repair(tx, judged, out)
        case MoveKind.ADOPT:
            _adopt(tx, judged, out)
        case MoveKind.CLOSE:
            _close(tx, judged, out)
        case MoveKind.SUPERSEDE:
            _supersede(tx, judged, out)
        case MoveKind.LOOK | MoveKind.WAIT | MoveKind.OPERATOR:
            _next_step(tx, judged, out)


def what_it_saw(judged: Judged) -> dict[str, JsonValue]:
    """The facts behind a verdict, as the journal keeps them."""
    facts, verdict = judged.facts.leg, judged.verdict
    view, second, evidence = facts.view, judged.facts.second, facts.evidence
    return {
        "position_side": facts.ledger.leg.position_side.value,
        "row": verdict.row,
        "status": verdict.status.value,
        "exchange_amt": _text(verdict.exchange_amt),
        "ledger_amt": _text(verdict.ledger_amt),
        "drift": _text(verdict.drift),
        "ledger_version": facts.ledger.version,
        "last_fill_ms": facts.ledger.last_fill_ms,
        "step": _text(facts.step),
        "view": None
        if view is None
        else {"source": view.source.value, "as_of_ms": view.as_of_ms, "read_ms": view.read_ms},
        "second": None
        if second is None
        else {"amt": _text(second.amt), "as_of_ms": second.as_of_ms, "read_ms": second.read_ms},
        "evidence": None if evidence is None else _evidence(evidence),
        "orders": [order.client_order_id for order in facts.orders],
    }


def _evidence(evidence: Evidence) -> dict[str, JsonValue]:
    return {
        "complete": evidence.complete,
        "own": _ids(evidence.own),
        "forced": _ids(evidence.forced),
        "foreign": _ids(evidence.foreign),
        "read_ms": evidence.read_ms,
    }


def _ids(trades: tuple[Trade, ...]) -> list[JsonValue]:
    return [trade.trade_id for trade in trades]


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else format_amount(amount)


def _seen(judged: Judged, state: LedgerState) -> LedgerState:
    view = judged.facts.leg.view
    return replace(
        state,
        seen_amt=judged.verdict.exchange_amt,
        seen_as_of_ms=view.as_of_ms if view is not None else None,
        status=judged.verdict.status.value,
    )


def _agree(tx: Tx, judged: Judged, out: Written) -> None:
    facts = judged.facts.leg
    leg = facts.ledger.leg
    evidence = facts.evidence
    ids = [tx.last_trade_id(leg), facts.ledger.watermark_trade_id]
    if evidence is not None and evidence.complete and evidence.ledger_version == facts.ledger.version:
        ids += _shown_by(facts.view, evidence)
    known: list[TradeId] = [each for each in ids if each is not None]
    state = replace(
        _seen(judged, facts.ledger),
        agreed_version=facts.ledger.version,
        divergent_since_ms=None,
        watermark_trade_id=max(known) if known else None,
    )
    tx.put_leg(state)
    for hold in judged.move.release:
        tx.put_hold(replace(hold, released_ms=facts.now_ms))
        body = what_it_saw(judged) | {"reason": hold.reason.value, "held_ms": facts.now_ms - hold.opened_ms}
        append_entry(tx, out, EntryKind.HOLD_RELEASED, leg, hold.hold_id, body)
    if not judged.move.release:
        body = {"ledger_amt": _text(facts.ledger.amt), "ledger_version": facts.ledger.version}
        append_entry(tx, out, EntryKind.AGREED, leg, None, body)


def _shown_by(view: PositionView | None, evidence: Evidence) -> list[TradeId]:
    """The trades that the agreeing view can have shown: a later one is not accounted for by it."""
    if view is None:
        return []
    trades = (*evidence.own, *evidence.forced, *evidence.foreign)
    return [trade.trade_id for trade in trades if trade.venue_ms <= view.as_of_ms]


def _hold(tx: Tx, judged: Judged, out: Written) -> None:
    facts, verdict = judged.facts.leg, judged.verdict
    leg, step = facts.ledger.leg, judged.move.step
    if verdict.hold is None or step is None:
        return
    state = _seen(judged, facts.ledger)
    tx.put_leg(replace(state, agreed_version=None, divergent_since_ms=state.divergent_since_ms or facts.now_ms))
    standing = automatic_hold(judged.facts.holds)
    cause = facts.view.as_of_ms if facts.view is not None and verdict.row > 1 else 0
    body = what_it_saw(judged) | {"reason": verdict.hold.value, "next_step": step.text}
    if standing is not None:
        changed = replace(
            standing,
            reason=verdict.hold,
            cause_as_of_ms=cause,
            exchange_amt=verdict.exchange_amt,
            ledger_amt=verdict.ledger_amt,
            next_step=step,
        )
        tx.put_hold(changed)
        append_entry(tx, out, EntryKind.HOLD_UPDATED, leg, standing.hold_id, body | {"was": standing.reason.value})
        return
    hold = Hold(
        hold_id=new_hold_id(tx, leg),
        leg=leg,
        reason=verdict.hold,
        owner=HoldOwner.AUTO,
        opened_ms=facts.now_ms,
        cause_as_of_ms=cause,
        exchange_amt=verdict.exchange_amt,
        ledger_amt=verdict.ledger_amt,
        next_step=step,
        close_attempts=0,
        detail="",
    )
    tx.put_hold(hold)
    append_entry(tx, out, EntryKind.HOLD_SET, leg, hold.hold_id, body)
    if verdict.drift is not None and verdict.drift != ZERO:
        append_entry(tx, out, EntryKind.DRIFT, leg, hold.hold_id, {"drift": _text(verdict.drift), "row": verdict.row})


def _repair(tx: Tx, judged: Judged, out: Written) -> None:
    """Book own missing fills; with FORCED also what the venue forced, by trade ids."""
    facts, evidence = judged.facts.leg, judged.facts.leg.evidence
    leg, hold = facts.ledger.leg, automatic_hold(judged.facts.holds)
    if evidence is None:
        return
    hold_id = hold.hold_id if hold is not None else None
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
            out.changed = True
    if judged.verdict.hold is HoldReason.FORCED_REDUCTION:
        _book_forced(tx, judged, evidence, out, hold_id)
    _next_step(tx, judged, out)


def _book_forced(tx: Tx, judged: Judged, evidence: Evidence, out: Written, hold_id: HoldId | None) -> None:
    leg = judged.facts.leg.ledger.leg
    state = tx.move_ledger(leg, evidence.forced_qty, MoveCause.REPAIR, f"forced trades {_ids(evidence.forced)}")
    newest = max(trade.venue_ms for trade in evidence.forced)
    tx.put_leg(replace(state, watermark_trade_id=evidence.last_trade_id, last_fill_ms=max(state.last_fill_ms, newest)))
    append_entry(tx, out, EntryKind.REPAIR, leg, hold_id, what_it_saw(judged))


def _adopt(tx: Tx, judged: Judged, out: Written) -> None:
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
    _next_step(tx, judged, out)


def adopt_view(tx: Tx, leg: Leg, drift: Decimal, as_of_ms: int, evidence: Evidence | None) -> None:
    """Move the ledger by the drift; trades up to now are accounted for from here on."""
    state = tx.move_ledger(leg, drift, MoveCause.ADOPT, "adopted")
    last = evidence.last_trade_id if evidence is not None and evidence.complete else None
    watermark = max((each for each in (last, state.watermark_trade_id) if each is not None), default=None)
    tx.put_leg(replace(state, watermark_trade_id=watermark, watermark_ms=max(state.watermark_ms, as_of_ms)))


def _close(tx: Tx, judged: Judged, out: Written) -> None:
    facts, verdict = judged.facts.leg, judged.verdict
    hold = automatic_hold(judged.facts.holds)
    second, rules = judged.facts.second, judged.facts.instrument
    if hold is None or second is None or rules is None or verdict.exchange_amt is None:
        return
    close = plan_close(
        hold,
        looks=(verdict.exchange_amt, second.amt),
        ledger_amt=facts.ledger.amt,
        instrument=rules,
        limits=facts.limits,
        now_ms=facts.now_ms,
        number=judged.closes_planned + 1,
    )
    if close is None:
        return
    tx.put_close(close)
    body = what_it_saw(judged) | {
        "side": close.side.value,
        "qty": _text(close.qty),
        "expires_ms": close.expires_ms,
        "attempt": close.attempt,
    }
    entry = Entry(EntryKind.CLOSE_PLANNED, hold.leg.account, hold.leg.symbol, hold.hold_id, close.plan_id, body)
    out.entries.append(tx.append(entry))
    out.closes.append(close)
    out.changed = True
    _next_step(tx, judged, out)


def _supersede(tx: Tx, judged: Judged, out: Written) -> None:
    close = judged.facts.unfinished
    if close is None:
        return
    tx.put_close(replace(close, state=CloseState.SUPERSEDED))
    entry = Entry(
        EntryKind.CLOSE_SUPERSEDED,
        close.leg.account,
        close.leg.symbol,
        close.hold_id,
        close.plan_id,
        what_it_saw(judged),
    )
    out.entries.append(tx.append(entry))
    out.changed = True
    _next_step(tx, judged, out)


def _next_step(tx: Tx, judged: Judged, out: Written) -> None:
    """Write the hold's next step if it changed, with an alert if it is a person's."""
    standing, step = automatic_hold(judged.facts.holds), judged.move.step
    if standing is None or step is None:
        return
    hold = tx.hold(standing.hold_id)
    if hold is None or not hold.is_open:
        return
    _keep_what_was_seen(tx, judged)
    if (hold.next_step.kind, hold.next_step.text) == (step.kind, step.text):
        return
    tx.put_hold(replace(hold, next_step=step))
    body = what_it_saw(judged) | {"reason": hold.reason.value, "next_step": step.text, "due_ms": step.due_ms}
    if step.kind is StepKind.OPERATOR:
        append_entry(tx, out, EntryKind.MANUAL_REQUIRED, hold.leg, hold.hold_id, body)
        alert_person(tx, hold, step.text, out)
    else:
        append_entry(tx, out, EntryKind.HOLD_UPDATED, hold.leg, hold.hold_id, body)


def _keep_what_was_seen(tx: Tx, judged: Judged) -> None:
    """A held leg's exchange amount goes on changing: what people are shown follows, also where no move is due."""
    now = tx.leg(judged.facts.leg.ledger.leg)
    seen = _seen(judged, now)
    if (seen.seen_amt, seen.status) != (now.seen_amt, now.status):
        tx.put_leg(seen)
