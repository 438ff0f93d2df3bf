"""What ends a difference: verdict, hold, closes, trades, looks and policies -> one Move. First match wins.

"Explained" means that the trades since the watermark, all of them and each by its id, add up to the drift
(`Evidence.explains`); the deadline is `evidence_ms_max` after the hold, or after what caused it.

    | verdict        | further facts                                              | move                       |
    |----------------|------------------------------------------------------------|----------------------------|
    | any            | an unclaimed close expired; or the reconciler's is above what may be closed now | SUPERSEDE |
    | UNLEDGERED     | policy hold; policy adopt                                  | OPERATOR; ADOPT, at once   |
    | any            | own fills are missing, by evidence of this ledger           | REPAIR (those)            |
    | any            | a trade of an order of ours that the journal does not know | OPERATOR (and a halt)      |
    | any            | an own order of the leg is not settled                     | LOOK                       |
    | any            | no evidence of this ledger, or no second look              | LOOK                       |
    | any            | not explained, before the deadline                           | LOOK                     |
    | DEFICIT        | explained                                                  | WRITE_DOWN                 |
    | DEFICIT        | not explained, policy flatten, and a close may follow      | FLATTEN (the ledger is 0)  |
    | DEFICIT        | not explained                                              | OPERATOR                   |
    | EXCESS         | policy hold                                                | OPERATOR                   |
    | EXCESS         | policy adopt: explained; not explained                     | ADOPT; OPERATOR            |
    | EXCESS, UNLEDGERED by policy close | a close is unfinished                  | WAIT                       |
    | the same       | closes off, halted, symbol not trading                     | OPERATOR                   |
    | the same       | no two looks of different reads, young and not older than our last fill | LOOK          |
    | the same       | attempts spent                                             | OPERATOR                   |
    | the same       | backing off                                                | WAIT                       |
    | the same       | the looks leave nothing to close, until `evidence_ms_max`; later | LOOK; OPERATOR       |
    | the same       | too small for the venue; notional above the limit or not known | OPERATOR               |
    | the same       | otherwise                                                  | CLOSE                      |

A ledger is written down by trades that are named, never from the position alone (I7): the drift and the trades' sum are
two readings of the same thing, and they must be equal. Invariants I1, I2, I7. Source: DESIGN §5, ADR 0010.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.decide.close import closable, closable_by_both, slice_of, smallest_order
from holdfast.decide.move import Move, MoveKind, look, operator, step_of
from holdfast.decide.reconcile import Status
from holdfast.domain.amounts import ZERO, format_amount
from holdfast.domain.close import CloseState
from holdfast.domain.hold import NextStep, StepKind
from holdfast.domain.limits import DeficitPolicy, ForeignPolicy, ReconcileClose, UnledgeredPolicy
from holdfast.domain.sides import Decision, TradingState

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.decide.move import EpisodeFacts
    from holdfast.decide.reconcile import Verdict
    from holdfast.domain.close import Close
    from holdfast.domain.hold import Hold
    from holdfast.domain.instrument import Instrument
    from holdfast.domain.view import PositionView


def remedy(facts: EpisodeFacts, verdict: Verdict, hold: Hold | None) -> Move:
    """Run the table (see the module) for a verdict of EXCESS, DEFICIT or UNLEDGERED."""
    leg = facts.leg
    may_close = closable(verdict.exchange_amt, verdict.ledger_amt) if verdict.exchange_amt is not None else ZERO
    if facts.unfinished is not None and has_lost_its_cause(facts, facts.unfinished, may_close):
        return supersede(facts)
    if verdict.status is Status.UNLEDGERED and leg.limits.unledgered is not UnledgeredPolicy.CLOSE:
        return _excess(facts, verdict, hold, explained=False)
    evidence = leg.evidence if leg.evidence is not None and leg.evidence.is_of(leg.ledger) else None
    if evidence is not None and evidence.own:
        return Move(MoveKind.REPAIR, step_of(facts, StepKind.EVIDENCE, "own missing fills are booked by trade id"))
    if evidence is not None and evidence.stray:
        return operator(facts, "the venue shows an order of ours that the journal does not know")
    if leg.orders:
        return look(facts, hold, "an own order of the leg is not settled; the venue is asked for it")
    if evidence is None or facts.second is None or verdict.drift is None:
        return look(facts, hold, "a second look and the trades since the watermark are read")
    explained = evidence.explains(verdict.drift, leg.ledger)
    if not explained and leg.now_ms <= _deadline_ms(facts, hold):
        return look(facts, hold, "the venue's trades do not explain the whole drift yet")
    if verdict.status is Status.DEFICIT:
        return _deficit(facts, verdict, explained=explained)
    return _excess(facts, verdict, hold, explained=explained)


def _deficit(facts: EpisodeFacts, verdict: Verdict, *, explained: bool) -> Move:
    if explained:
        text = "the ledger is written down by the trades that explain the drift"
        return Move(MoveKind.WRITE_DOWN, step_of(facts, StepKind.RELEASE, text))
    if facts.leg.limits.deficit is DeficitPolicy.FLATTEN:
        why_not = None if verdict.exchange_amt == ZERO else _why_no_close(facts)
        if why_not is not None:
            return operator(facts, f"no trades explain the deficit; policy is to flatten, but {why_not}")
        text = "no trades explain the deficit: the ledger is given up, what the exchange holds is closed"
        return Move(MoveKind.FLATTEN, step_of(facts, StepKind.RELEASE, text))
    return operator(facts, "the exchange holds less than the ledger, no trades say why, and closing would widen it")


def _deadline_ms(facts: EpisodeFacts, hold: Hold | None) -> int:
    """When looks and trades must agree: counted from the view that caused the hold, which may be younger than it."""
    since = max(hold.opened_ms, hold.cause_as_of_ms) if hold is not None else facts.leg.now_ms
    return since + facts.leg.limits.evidence_ms_max


def has_lost_its_cause(facts: EpisodeFacts, close: Close, may_close: Decimal) -> bool:
    """A close that nobody claimed is void once it expired; the reconciler's, too, above what may be closed now."""
    if close.state is not CloseState.PLANNED:
        return False
    if facts.leg.now_ms > close.expires_ms:
        return True
    return close.decision is not Decision.OPERATOR_CLOSE and close.qty > may_close


def supersede(facts: EpisodeFacts) -> Move:
    """Take back a close that nobody has claimed."""
    text = "the planned close has lost its cause; facts are read again"
    return Move(MoveKind.SUPERSEDE, step_of(facts, StepKind.EVIDENCE, text))


def _excess(facts: EpisodeFacts, verdict: Verdict, hold: Hold | None, *, explained: bool) -> Move:
    leg = facts.leg
    policy = leg.limits.foreign
    if verdict.status is Status.UNLEDGERED:
        policy = _UNLEDGERED[leg.limits.unledgered]
    if policy is ForeignPolicy.HOLD:
        return operator(facts, f"policy is to hold for a person ({verdict.status.value.lower()})")
    if policy is ForeignPolicy.ADOPT:
        if explained or verdict.status is Status.UNLEDGERED:
            return Move(MoveKind.ADOPT, step_of(facts, StepKind.RELEASE, "the drift is adopted into the ledger"))
        return operator(facts, "policy is to adopt, but the trades do not explain the drift")
    if facts.unfinished is not None:
        text = f"close {facts.unfinished.plan_id} is under way"
        until = facts.unfinished.expires_ms
        again = until if until > leg.now_ms else leg.now_ms + leg.limits.view_interval_ms
        return Move(MoveKind.WAIT, NextStep(StepKind.CLOSE, until, text), wait_until_ms=again)
    return _may_close(facts, hold)


_UNLEDGERED = {
    UnledgeredPolicy.HOLD: ForeignPolicy.HOLD,
    UnledgeredPolicy.ADOPT: ForeignPolicy.ADOPT,
    UnledgeredPolicy.CLOSE: ForeignPolicy.CLOSE,
}


def _why_no_close(facts: EpisodeFacts) -> str | None:
    """What forbids every close of the leg now, in words for a person; None if nothing does."""
    if facts.leg.limits.reconcile_close is ReconcileClose.OFF:
        return "RECONCILE_CLOSE is switched off in the settings"
    if facts.trading is TradingState.HALTED:
        return "trading on the account is halted"
    if not is_tradable(facts.instrument):
        said = facts.instrument.status if facts.instrument is not None else "that there is no such symbol"
        return f"the venue does not trade the symbol (it says {said}); it is asked again"
    return None


def is_tradable(instrument: Instrument | None) -> bool:
    """Tell whether the venue lists the symbol and trades it now."""
    return instrument is not None and instrument.is_trading


def _may_close(facts: EpisodeFacts, hold: Hold | None) -> Move:
    leg = facts.leg
    limits = leg.limits
    why_not = _why_no_close(facts)
    if why_not is not None or facts.instrument is None:
        return operator(facts, why_not or "the venue lists no such symbol")
    looks = two_looks(facts)
    if hold is None or looks is None:
        return look(facts, hold, "two independent looks at the position are awaited")
    if hold.close_attempts >= limits.close_attempts_max:
        text = f"{hold.close_attempts} closes brought no progress; `holdfast approve {hold.hold_id}` lets it try anew"
        return operator(facts, text)
    if hold.next_step.kind is StepKind.CLOSE_BACKOFF and leg.now_ms < hold.next_step.due_ms:
        return Move(MoveKind.WAIT, hold.next_step, wait_until_ms=hold.next_step.due_ms)
    amount = closable_by_both((looks[0].amt, looks[1].amt), leg.ledger.amt)
    qty = slice_of(amount, facts.instrument)
    if qty <= ZERO:
        if leg.now_ms > _deadline_ms(facts, hold):
            return operator(facts, "the looks at the position do not agree")
        return look(facts, hold, "the looks at the position do not agree yet")
    if qty < smallest_order(facts.instrument):
        text = f"{format_amount(qty)} is smaller than the venue's smallest order ({smallest_order(facts.instrument)})"
        return operator(facts, f"{text}: nothing can be sent")
    allowed = max(limits.close_notional_max, hold.approved_notional or ZERO)
    if facts.mark_price is None or facts.mark_price <= ZERO or amount * facts.mark_price > allowed:
        limit = f"the close is above close_notional_max ({limits.close_notional_max})"
        return operator(facts, f"{limit}; `holdfast approve {hold.hold_id}` lets it be closed")
    due = leg.now_ms + limits.close_ttl_ms
    return Move(MoveKind.CLOSE, NextStep(StepKind.CLOSE, due, f"close of {format_amount(qty)} is planned"))


def two_looks(facts: EpisodeFacts) -> tuple[PositionView, PositionView] | None:
    """Two looks at the position that a close may be sized by: different reads, young, of after our last fill (I5, I6).

    The second one is a REST look taken after the hold was placed. The first is the newest view, or, where that is the
    second look itself, the newest one from before it. None while there are not two.
    """
    second, leg = facts.second, facts.leg
    if second is None or second.as_of_ms < leg.ledger.last_fill_ms or not _is_young(facts, second):
        return None
    for first in (leg.view, facts.earlier):
        if first is not None and first != second:
            counts = first.as_of_ms >= leg.ledger.last_fill_ms and _is_young(facts, first)
            return (first, second) if counts else None
    return None


def _is_young(facts: EpisodeFacts, view: PositionView) -> bool:
    return 0 <= facts.leg.now_ms - view.read_ms <= facts.leg.limits.view_age_ms_max
