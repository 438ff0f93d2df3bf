"""One decided move of the reconciler -> what its transaction writes. Nothing here decides.

Every hold that is placed or changed gets its next step here, every step that needs a person its alert (I9), and
every entry what the decision saw.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.decide.close import plan_close
from holdfast.decide.move import MoveKind, automatic_hold
from holdfast.decide.remedies import two_looks
from holdfast.domain.amounts import ZERO
from holdfast.domain.close import CloseState
from holdfast.domain.entry import Entry, EntryKind
from holdfast.domain.hold import Hold, HoldOwner
from holdfast.services.holding import Written, append_entry, new_hold_id
from holdfast.services.judged import Judged, amount_text, seen_in, what_it_saw, write_next_step
from holdfast.services.repairs import flatten, write_adoption, write_down, write_repair

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.decide.evidence import Evidence
    from holdfast.domain.names import TradeId
    from holdfast.domain.view import PositionView
    from holdfast.ports.journal import Tx


def write_move(tx: Tx, judged: Judged, out: Written) -> None:
    """Write the move of one leg."""
    writer = _WRITERS.get(judged.move.kind)
    if writer is not None:
        writer(tx, judged, out)


def _agree(tx: Tx, judged: Judged, out: Written) -> None:
    facts = judged.facts.leg
    leg = facts.ledger.leg
    evidence = facts.evidence
    ids = [tx.last_trade_id(leg), facts.ledger.watermark_trade_id]
    if evidence is not None and evidence.complete and evidence.ledger_version == facts.ledger.version:
        ids += _shown_by(facts.view, evidence)
    known: list[TradeId] = [each for each in ids if each is not None]
    state = replace(
        seen_in(judged, facts.ledger),
        agreed_version=facts.ledger.version,
        divergent_since_ms=None,
        watermark_trade_id=max(known) if known else None,
        watermark_ms=max(facts.ledger.watermark_ms, facts.view.as_of_ms + 1 if facts.view is not None else 0),
    )
    tx.put_leg(state)
    for hold in judged.move.release:
        tx.put_hold(replace(hold, released_ms=facts.now_ms))
        body = what_it_saw(judged) | {"reason": hold.reason.value, "held_ms": facts.now_ms - hold.opened_ms}
        append_entry(tx, out, EntryKind.HOLD_RELEASED, leg, hold.hold_id, body)
    if not judged.move.release:
        standing = automatic_hold(judged.facts.holds)
        body = {
            "position_side": leg.position_side.value,
            "ledger_amt": amount_text(facts.ledger.amt),
            "ledger_version": facts.ledger.version,
        }
        append_entry(tx, out, EntryKind.AGREED, leg, standing.hold_id if standing is not None else None, body)


def _doubt(tx: Tx, judged: Judged, out: Written) -> None:
    facts = judged.facts.leg
    tx.put_leg(replace(seen_in(judged, facts.ledger), agreed_version=None))
    append_entry(tx, out, EntryKind.DOUBTED, facts.ledger.leg, None, what_it_saw(judged))
    write_next_step(tx, judged, out)


def _shown_by(view: PositionView | None, evidence: Evidence) -> list[TradeId]:
    """The trades that the agreeing view can have shown: a later one is not accounted for by it."""
    if view is None:
        return []
    trades = (*evidence.own, *evidence.forced, *evidence.foreign)
    return [trade.trade_id for trade in trades if trade.venue_ms <= view.as_of_ms]


def newest_cause_ms(standing: Hold | None, view: PositionView | None) -> int:
    """As of when the newest was true that ever spoke for the hold (venue epoch ms; 0: nothing was seen).

    It never goes back (ADR 0002): after a start the first view may lag behind what the life before saw, and a hold that
    took that for its cause would be ended by another old view.
    """
    seen_ms = view.as_of_ms if view is not None else 0
    return max(seen_ms, standing.cause_as_of_ms) if standing is not None else seen_ms


def _hold(tx: Tx, judged: Judged, out: Written) -> None:
    facts, verdict = judged.facts.leg, judged.verdict
    leg, step, reason = facts.ledger.leg, judged.move.step, judged.move.reason
    if reason is None or step is None:
        return
    state = seen_in(judged, facts.ledger)
    tx.put_leg(replace(state, agreed_version=None, divergent_since_ms=state.divergent_since_ms or facts.now_ms))
    standing = automatic_hold(judged.facts.holds)
    cause = newest_cause_ms(standing, facts.view)
    body = what_it_saw(judged) | {"reason": reason.value, "next_step": step.text}
    if standing is not None:
        changed = replace(
            standing,
            reason=reason,
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
        reason=reason,
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
        append_entry(
            tx, out, EntryKind.DRIFT, leg, hold.hold_id, {"drift": amount_text(verdict.drift), "row": verdict.row}
        )


def _close(tx: Tx, judged: Judged, out: Written) -> None:
    facts = judged.facts.leg
    hold = automatic_hold(judged.facts.holds)
    looks, rules = two_looks(judged.facts), judged.facts.instrument
    if hold is None or looks is None or rules is None:
        return
    close = plan_close(
        hold,
        looks=(looks[0].amt, looks[1].amt),
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
        "qty": amount_text(close.qty),
        "expires_ms": close.expires_ms,
        "attempt": close.attempt,
    }
    entry = Entry(EntryKind.CLOSE_PLANNED, hold.leg.account, hold.leg.symbol, hold.hold_id, close.plan_id, body)
    out.entries.append(tx.append(entry))
    out.closes.append(close)
    write_next_step(tx, judged, out)


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
    write_next_step(tx, judged, out)


_WRITERS: dict[MoveKind, Callable[[Tx, Judged, Written], None]] = {
    MoveKind.AGREE: _agree,
    MoveKind.HOLD: _hold,
    MoveKind.REPAIR: write_repair,
    MoveKind.WRITE_DOWN: write_down,
    MoveKind.FLATTEN: flatten,
    MoveKind.DOUBT: _doubt,
    MoveKind.ADOPT: write_adoption,
    MoveKind.CLOSE: _close,
    MoveKind.SUPERSEDE: _supersede,
    MoveKind.LOOK: write_next_step,
    MoveKind.WAIT: write_next_step,
    MoveKind.OPERATOR: write_next_step,
}
"""Every kind but NOTHING."""
