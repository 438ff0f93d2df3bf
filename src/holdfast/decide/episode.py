"""What to do next about one leg: the verdict, the hold that stands, the looks and the closes -> one Move.

First match wins; "hold" is the leg's open automatic hold.

    | verdict        | further facts                                              | move                       |
    |----------------|------------------------------------------------------------|----------------------------|
    | AGREED         | the reconciler's close is planned, or a person's expired unclaimed | SUPERSEDE          |
    | AGREED         | another close of the leg is unfinished                     | WAIT (its outcome)         |
    | AGREED         | not agreed at this version yet, or a releasable hold       | AGREE (and release)        |
    | AGREED         | no hold stands                                             | NOTHING                    |
    | AGREED         | a hold stands that only a person ends                      | OPERATOR                   |
    | AGREED         | a hold stands that a newer view, or an order's fate, will release | LOOK                |
    | SETTLING       |                                                            | LOOK (newer view, orders)  |
    | any with hold  | no hold of the leg stands, or with a weaker reason         | HOLD (voids agreement)     |
    | NO_VIEW        |                                                            | LOOK                       |
    | REPAIR, FORCED |                                                            | REPAIR                     |
    | the rest       | an unclaimed close expired; or the reconciler's is above what may be closed now | SUPERSEDE |
    | UNLEDGERED     | policy hold; policy adopt                                  | OPERATOR; ADOPT, at once   |
    | the rest       | own fills are missing by evidence that does not explain all | REPAIR (those)            |
    | the rest       | a trade of an order of ours that the journal does not know | OPERATOR (and a halt)      |
    | the rest       | an own order of the leg is not settled                     | LOOK                       |
    | the rest       | no evidence of this ledger version, or no second look      | LOOK                       |
    | the rest       | the evidence is not the whole drift, until `evidence_ms_max` | LOOK                     |
    | DEFICIT        |                                                            | OPERATOR                   |
    | EXCESS         | policy hold                                                | OPERATOR                   |
    | EXCESS         | policy adopt: the evidence is the whole drift; is not      | ADOPT; OPERATOR            |
    | EXCESS, UNLEDGERED by policy close | a close is unfinished                  | WAIT                       |
    | the same       | closes off, halted, symbol not trading                     | OPERATOR                   |
    | the same       | the second look is old, or older than our last fill        | LOOK                       |
    | the same       | attempts spent                                             | OPERATOR                   |
    | the same       | backing off                                                | WAIT                       |
    | the same       | the looks leave nothing to close, until `evidence_ms_max`; later | LOOK; OPERATOR       |
    | the same       | too small for the venue; notional above the limit or not known | OPERATOR               |
    | the same       | otherwise                                                  | CLOSE                      |

Every row but NOTHING leaves a standing hold with a next step (I9). Looking and waiting never move the time by which a
step is due, and never take back that a person was told. A step that is overdue without having changed becomes
OPERATOR, whatever the row: a person is told, and the row is still tried. A hold ends by AGREE alone. What a person
planned is a person's: the reconciler supersedes it only once its life is over. Source: DESIGN §5.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from holdfast.decide.close import closable, closable_by_both, slice_of
from holdfast.decide.reconcile import Evidence, Status
from holdfast.domain.amounts import ZERO
from holdfast.domain.close import CloseState
from holdfast.domain.hold import Hold, HoldOwner, HoldReason, NextStep, StepKind
from holdfast.domain.limits import ForeignPolicy, ReconcileClose, UnledgeredPolicy
from holdfast.domain.sides import Decision, Source, TradingState

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.decide.reconcile import LegFacts, Verdict
    from holdfast.domain.close import Close
    from holdfast.domain.instrument import Instrument
    from holdfast.domain.view import PositionView


class MoveKind(Enum):
    """What the reconciler does next."""

    NOTHING = "nothing"
    AGREE = "agree"
    HOLD = "hold"
    LOOK = "look"
    REPAIR = "repair"
    ADOPT = "adopt"
    CLOSE = "close"
    SUPERSEDE = "supersede"
    WAIT = "wait"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class EpisodeFacts:
    """What the table looks at besides the verdict's own facts."""

    leg: LegFacts
    holds: tuple[Hold, ...]
    """Open holds of this leg, of both owners."""
    unfinished: Close | None
    """The leg's close that is planned or claimed."""
    second: PositionView | None
    """A REST look taken for this episode, after the hold was placed; None before it came."""
    instrument: Instrument | None
    mark_price: Decimal | None
    trading: TradingState


@dataclass(frozen=True, slots=True)
class Move:
    """One next step, with what the hold says about it."""

    kind: MoveKind
    step: NextStep | None
    """The hold's next step by this move; None where no hold stands."""
    release: tuple[Hold, ...] = ()
    """Holds that AGREE releases."""
    wait_until_ms: int | None = None
    """When to look again at the latest; None: only on new facts."""


_STRENGTH = {
    HoldReason.VIEW_MISSING: 0,
    HoldReason.VIEW_STALE: 0,
    HoldReason.DRIFT: 1,
    HoldReason.DEFICIT: 1,
    HoldReason.UNLEDGERED: 2,
    HoldReason.UNKNOWN_ORDER: 2,
    HoldReason.FORCED_REDUCTION: 3,
}
WAITS_FOR_A_PERSON = frozenset({HoldReason.FORCED_REDUCTION, HoldReason.LATE_ACCEPTANCE, HoldReason.MODE_CHANGED})
"""Reasons of automatic holds that agreement alone does not end."""


def automatic_hold(holds: tuple[Hold, ...]) -> Hold | None:
    """The leg's open automatic hold; there is at most one."""
    return next((hold for hold in holds if hold.is_open and hold.owner is HoldOwner.AUTO), None)


def next_move(facts: EpisodeFacts, verdict: Verdict) -> Move:
    """Run the table (see the module)."""
    hold = automatic_hold(facts.holds)
    move = _row(facts, verdict, hold)
    if move.kind is MoveKind.HOLD:
        return move
    return replace(move, step=None) if hold is None else _with_step_that_stands(facts, hold, move)


def _with_step_that_stands(facts: EpisodeFacts, hold: Hold, move: Move) -> Move:
    """Weigh the move's step against the one that stands: it may not put off what is due, nor hide that it is over."""
    step, stands = move.step, hold.next_step
    if step is None:
        return move
    now = facts.leg.now_ms
    waits = move.kind in {MoveKind.LOOK, MoveKind.WAIT}
    backs_off = stands.kind is StepKind.CLOSE_BACKOFF and now < stands.due_ms
    if waits and (stands.kind is StepKind.OPERATOR or backs_off):
        return replace(move, step=stands)
    if stands.kind is not step.kind or not (waits or stands.text == step.text):
        return move
    if step.kind is not StepKind.OPERATOR and now > stands.due_ms:
        return replace(move, step=_step(facts, StepKind.OPERATOR, f"overdue: {step.text}"))
    return replace(move, step=replace(step, due_ms=min(step.due_ms, stands.due_ms)))


def _row(facts: EpisodeFacts, verdict: Verdict, hold: Hold | None) -> Move:
    if verdict.status is Status.AGREED:
        return _agreed(facts, hold)
    if verdict.status is Status.SETTLING:
        return _look(facts, hold, "own orders settle; the venue is asked for each")
    if verdict.hold is not None and _needs_hold(hold, verdict.hold):
        return Move(MoveKind.HOLD, _first_step(facts, verdict))
    if verdict.status is Status.NO_VIEW:
        return Move(MoveKind.LOOK, _first_step(facts, verdict))
    if verdict.status in (Status.REPAIR, Status.FORCED):
        return Move(MoveKind.REPAIR, _step(facts, StepKind.RELEASE, "the ledger is repaired by trade ids"))
    return _difference(facts, verdict, hold)


def _agreed(facts: EpisodeFacts, hold: Hold | None) -> Move:
    if facts.unfinished is not None and _has_lost_its_cause(facts, facts.unfinished, ZERO):
        return _supersede(facts)
    if facts.unfinished is not None:
        step = _step(facts, StepKind.RELEASE, f"agreed; waits for close {facts.unfinished.plan_id} to be final")
        return Move(MoveKind.WAIT, step, wait_until_ms=step.due_ms)
    release = (hold,) if hold is not None and _is_releasable(facts, hold) else ()
    if release or not facts.leg.ledger.is_agreed:
        return Move(MoveKind.AGREE, None, release)
    if hold is None:
        return Move(MoveKind.NOTHING, None)
    if hold.reason in WAITS_FOR_A_PERSON:
        return _operator(facts, f"agreed; {hold.reason.value} is a person's to acknowledge")
    return Move(MoveKind.LOOK, _step(facts, StepKind.RELEASE, _AWAITED))


_AWAITED = "agreed; a look newer than the hold's cause, and the fate of an order behind it, are awaited"


def _is_releasable(facts: EpisodeFacts, hold: Hold) -> bool:
    """A hold ends by a look taken after it was placed that is not older than its cause (ADR 0002)."""
    view = facts.leg.view
    if view is None or hold.reason in WAITS_FOR_A_PERSON:
        return False
    if hold.reason is HoldReason.UNKNOWN_ORDER and any(order.state.blocks_symbol for order in facts.leg.orders):
        return False
    if view.as_of_ms < hold.cause_as_of_ms or view.read_ms <= hold.opened_ms:
        return False
    return view.as_of_ms > hold.cause_as_of_ms or view.source is Source.REST


def _needs_hold(hold: Hold | None, reason: HoldReason) -> bool:
    """Tell whether the verdict's reason must be written: on no hold, a weaker one, or another of the same weight."""
    if hold is None:
        return True
    stands, wanted = _STRENGTH.get(hold.reason, 3), _STRENGTH.get(reason, 3)
    return stands < wanted or (stands == wanted == 1 and hold.reason is not reason)


def _first_step(facts: EpisodeFacts, verdict: Verdict) -> NextStep:
    if verdict.status is Status.NO_VIEW:
        return _step(facts, StepKind.VIEW, "a complete, fresh view is awaited")
    return _step(facts, StepKind.EVIDENCE, "a second look and the trades since the watermark are read")


def _difference(facts: EpisodeFacts, verdict: Verdict, hold: Hold | None) -> Move:
    leg = facts.leg
    may_close = closable(verdict.exchange_amt, verdict.ledger_amt) if verdict.exchange_amt is not None else ZERO
    if facts.unfinished is not None and _has_lost_its_cause(facts, facts.unfinished, may_close):
        return _supersede(facts)
    if verdict.status is Status.UNLEDGERED and leg.limits.unledgered is not UnledgeredPolicy.CLOSE:
        return _excess(facts, verdict, hold, None)
    evidence = leg.evidence if _is_current(leg) else None
    if evidence is not None and evidence.own:
        return Move(MoveKind.REPAIR, _step(facts, StepKind.EVIDENCE, "own missing fills are booked by trade id"))
    if evidence is not None and evidence.stray:
        return _operator(facts, "the venue shows an order of ours that the journal does not know")
    if leg.orders:
        return _look(facts, hold, "an own order of the leg is not settled; the venue is asked for it")
    if evidence is None or facts.second is None:
        return _look(facts, hold, "a second look and the trades since the watermark are read")
    explained = evidence.complete and evidence.forced_qty + evidence.foreign_qty == verdict.drift
    if not explained and leg.now_ms <= _deadline_ms(facts, hold):
        return _look(facts, hold, "the venue's trades do not explain the whole drift yet")
    if verdict.status is Status.DEFICIT:
        text = "the exchange holds less than the ledger: closing would widen the drift"
        return Move(MoveKind.OPERATOR, _step(facts, StepKind.OPERATOR, text))
    return _excess(facts, verdict, hold, evidence if explained else None)


def _deadline_ms(facts: EpisodeFacts, hold: Hold | None) -> int:
    """When looks and trades must agree: counted from the view that caused the hold, which may be younger than it."""
    since = max(hold.opened_ms, hold.cause_as_of_ms) if hold is not None else facts.leg.now_ms
    return since + facts.leg.limits.evidence_ms_max


def _has_lost_its_cause(facts: EpisodeFacts, close: Close, may_close: Decimal) -> bool:
    """A close that nobody claimed is void once it expired; the reconciler's, too, above what may be closed now."""
    if close.state is not CloseState.PLANNED:
        return False
    if facts.leg.now_ms > close.expires_ms:
        return True
    return close.decision is not Decision.OPERATOR_CLOSE and close.qty > may_close


def _supersede(facts: EpisodeFacts) -> Move:
    text = "the planned close has lost its cause; facts are read again"
    return Move(MoveKind.SUPERSEDE, _step(facts, StepKind.EVIDENCE, text))


def _is_current(leg: LegFacts) -> bool:
    return leg.evidence is not None and leg.evidence.ledger_version == leg.ledger.version


def _excess(facts: EpisodeFacts, verdict: Verdict, hold: Hold | None, explained: Evidence | None) -> Move:
    leg = facts.leg
    policy = leg.limits.foreign
    if verdict.status is Status.UNLEDGERED:
        policy = _UNLEDGERED[leg.limits.unledgered]
    if policy is ForeignPolicy.HOLD:
        return _operator(facts, f"policy is to hold for a person ({verdict.status.value.lower()})")
    if policy is ForeignPolicy.ADOPT:
        if explained is not None or verdict.status is Status.UNLEDGERED:
            return Move(MoveKind.ADOPT, _step(facts, StepKind.RELEASE, "the drift is adopted into the ledger"))
        return _operator(facts, "policy is to adopt, but the trades do not explain the drift")
    if facts.unfinished is not None:
        text = f"close {facts.unfinished.plan_id} is under way"
        until = facts.unfinished.expires_ms
        again = until if until > leg.now_ms else leg.now_ms + leg.limits.view_interval_ms
        return Move(MoveKind.WAIT, NextStep(StepKind.CLOSE, until, text), wait_until_ms=again)
    return _may_close(facts, verdict, hold)


_UNLEDGERED = {
    UnledgeredPolicy.HOLD: ForeignPolicy.HOLD,
    UnledgeredPolicy.ADOPT: ForeignPolicy.ADOPT,
    UnledgeredPolicy.CLOSE: ForeignPolicy.CLOSE,
}


def _may_close(facts: EpisodeFacts, verdict: Verdict, hold: Hold | None) -> Move:
    leg = facts.leg
    limits = leg.limits
    if limits.reconcile_close is ReconcileClose.OFF:
        return _operator(facts, "RECONCILE_CLOSE is switched off in the settings")
    if facts.trading is TradingState.HALTED:
        return _operator(facts, "trading on the account is halted")
    if facts.instrument is None or not facts.instrument.is_trading:
        return _operator(facts, "the venue does not trade the symbol now")
    second = _second_look(facts)
    if hold is None or second is None or verdict.exchange_amt is None:
        return _look(facts, hold, "a second look is awaited")
    if hold.close_attempts >= limits.close_attempts_max:
        return _operator(facts, f"{hold.close_attempts} closes brought no progress")
    if hold.next_step.kind is StepKind.CLOSE_BACKOFF and leg.now_ms < hold.next_step.due_ms:
        return Move(MoveKind.WAIT, hold.next_step, wait_until_ms=hold.next_step.due_ms)
    amount = closable_by_both((verdict.exchange_amt, second.amt), leg.ledger.amt)
    qty = slice_of(amount, facts.instrument)
    if qty <= ZERO:
        if leg.now_ms > _deadline_ms(facts, hold):
            return _operator(facts, "the looks at the position do not agree")
        return _look(facts, hold, "the looks at the position do not agree yet")
    if qty < max(facts.instrument.market_qty_min or ZERO, facts.instrument.qty_min or ZERO):
        return _operator(facts, "the drift is smaller than the venue's smallest order")
    allowed = max(limits.close_notional_max, hold.approved_notional or ZERO)
    if facts.mark_price is None or facts.mark_price <= ZERO or amount * facts.mark_price > allowed:
        return _operator(facts, f"the close is above close_notional_max ({limits.close_notional_max})")
    due = leg.now_ms + limits.close_ttl_ms
    return Move(MoveKind.CLOSE, NextStep(StepKind.CLOSE, due, f"close of {qty} is planned"))


def _second_look(facts: EpisodeFacts) -> PositionView | None:
    """The second look, unless it is too old to size a close by, or older than our last fill (I5, I6)."""
    second, leg = facts.second, facts.leg
    if second is None or second.as_of_ms < leg.ledger.last_fill_ms:
        return None
    return second if 0 <= leg.now_ms - second.read_ms <= leg.limits.view_age_ms_max else None


def _look(facts: EpisodeFacts, hold: Hold | None, text: str) -> Move:
    step = _step(facts, StepKind.EVIDENCE, text) if hold is not None else None
    return Move(MoveKind.LOOK, step)


def _operator(facts: EpisodeFacts, text: str) -> Move:
    return Move(MoveKind.OPERATOR, _step(facts, StepKind.OPERATOR, text))


def _step(facts: EpisodeFacts, kind: StepKind, text: str) -> NextStep:
    waits = {
        StepKind.VIEW: facts.leg.limits.view_age_ms_max,
        StepKind.EVIDENCE: facts.leg.limits.evidence_ms_max,
        StepKind.RELEASE: facts.leg.limits.view_age_ms_max,
        StepKind.CLOSE: facts.leg.limits.close_ttl_ms,
        StepKind.CLOSE_BACKOFF: facts.leg.limits.close_backoff_ms,
        StepKind.OPERATOR: facts.leg.limits.alert_ms_max,
    }
    return NextStep(kind, facts.leg.now_ms + waits[kind], text)
