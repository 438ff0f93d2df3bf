"""What to do next about one leg: the verdict, the hold that stands, the looks and the closes -> one Move.

First match wins; "hold" is the leg's open automatic hold.

    | verdict        | further facts                                              | move                       |
    |----------------|------------------------------------------------------------|----------------------------|
    | any            | the hold says that the position mode changed; a close is void | SUPERSEDE               |
    | the same       | otherwise                                                  | OPERATOR (as it stands)    |
    | AGREED         | the reconciler's close is planned, or a person's expired unclaimed | SUPERSEDE          |
    | AGREED         | another close of the leg is unfinished                     | WAIT (its outcome)         |
    | AGREED         | own fills are missing, by evidence of this ledger          | REPAIR (those)             |
    | AGREED         | not agreed at this version yet, or a releasable hold, or an old watermark; and no own | |
    |                | order of the leg is pending                                | AGREE (and release)        |
    | AGREED         | no hold stands; not agreed at this version yet             | WAIT (an order's fate)     |
    | AGREED         | no hold stands                                             | NOTHING                    |
    | AGREED         | a hold stands that only a person ends                      | OPERATOR                   |
    | AGREED         | a hold stands that a newer view, or an order's fate, will release | LOOK                |
    | SETTLING       | agreed until now, a view not older than our last fill shows a difference, and no own order | |
    |                | blocks the symbol                                          | DOUBT (voids agreement)    |
    | SETTLING       |                                                            | LOOK (newer view, orders)  |
    | any with hold  | no hold of the leg stands, or with a weaker reason (a drift that would be closed is | |
    |                | held as symbol_not_trading while the venue does not trade the symbol) | HOLD (voids agreement) |
    | NO_VIEW        |                                                            | LOOK                       |
    | REPAIR, FORCED |                                                            | REPAIR                     |
    | the rest       |                                                            | as `remedies` says         |

Every row but NOTHING leaves a standing hold with a next step (I9). Looking and waiting never move the time by which a
step is due, and never take back that a person was told. A step that is overdue without having changed becomes
OPERATOR, whatever the row: a person is told, and the row is still tried. A hold ends by AGREE alone. What a person
planned is a person's: the reconciler supersedes it only once its life is over. Source: DESIGN §5.

Equal amounts are no agreement while a fill of ours may be missing from the ledger: somebody else's trade may hide it
for a moment (ADR 0015). So AGREE waits for every own order of the leg that is pending:

    | state of the order          | pending | why                                                            |
    |-----------------------------|---------|----------------------------------------------------------------|
    | CLAIMED, SENDING            | yes     | it may be sent, or executed, at any moment                     |
    | UNKNOWN                     | yes     | it may have executed; its own deadline makes it a person's     |
    | OPEN, a MARKET order        | yes     | it should have ended: the venue is asked                       |
    | OPEN, a LIMIT order         | no      | it may rest for days; what it executes is heard and booked     |
    | any, executed beyond booked | yes     | the ledger is known to lack its fills                          |
    | final, all booked           | no      | settled                                                        |
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.decide.mode import MODE_STEP_TEXT
from holdfast.decide.move import WAITS_FOR_A_PERSON, Move, MoveKind, automatic_hold, look, operator, step_of
from holdfast.decide.reconcile import Status
from holdfast.decide.remedies import has_lost_its_cause, is_tradable, remedy, supersede
from holdfast.domain.amounts import ZERO
from holdfast.domain.hold import Hold, HoldReason, NextStep, StepKind
from holdfast.domain.limits import ForeignPolicy
from holdfast.domain.sides import Source

if TYPE_CHECKING:
    from holdfast.decide.move import EpisodeFacts
    from holdfast.decide.reconcile import Verdict


_STRENGTH = {
    HoldReason.VIEW_MISSING: 0,
    HoldReason.VIEW_STALE: 0,
    HoldReason.DRIFT: 1,
    HoldReason.SYMBOL_NOT_TRADING: 1,
    HoldReason.DEFICIT: 1,
    HoldReason.UNKNOWN_ORDER: 2,
    HoldReason.FORCED_REDUCTION: 3,
    HoldReason.UNLEDGERED: 4,
}
"""3 for all others. `unledgered` is the strongest: once the baseline stands, it alone tells what was there before from
drift, which is closed."""


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
    waits = move.kind in {MoveKind.LOOK, MoveKind.DOUBT, MoveKind.WAIT}
    backs_off = stands.kind is StepKind.CLOSE_BACKOFF and now < stands.due_ms
    if waits and (stands.kind is StepKind.OPERATOR or backs_off):
        return replace(move, step=stands)
    if stands.kind is not step.kind or not (waits or stands.text == step.text):
        return move
    if step.kind is not StepKind.OPERATOR and now > stands.due_ms:
        return replace(move, step=step_of(facts, StepKind.OPERATOR, f"overdue: {step.text}"))
    return replace(move, step=replace(step, due_ms=min(step.due_ms, stands.due_ms)))


def _row(facts: EpisodeFacts, verdict: Verdict, hold: Hold | None) -> Move:
    if hold is not None and hold.reason is HoldReason.MODE_CHANGED:
        return _mode_changed(facts)
    if verdict.status is Status.AGREED:
        return _agreed(facts, hold)
    if verdict.status is Status.SETTLING:
        return _settling(facts, verdict, hold)
    reason = _reason(facts, verdict)
    if reason is not None and _needs_hold(hold, reason):
        return Move(MoveKind.HOLD, _first_step(facts, verdict), reason=reason)
    if verdict.status is Status.NO_VIEW:
        return Move(MoveKind.LOOK, _first_step(facts, verdict))
    if verdict.status in (Status.REPAIR, Status.FORCED):
        return Move(MoveKind.REPAIR, step_of(facts, StepKind.RELEASE, "the ledger is repaired by trade ids"))
    return remedy(facts, verdict, hold)


def _settling(facts: EpisodeFacts, verdict: Verdict, hold: Hold | None) -> Move:
    """A difference that is known ends the agreement: no permit may be given beside it, whatever explains it."""
    move, leg = look(facts, hold, "own orders settle; the venue is asked for each"), facts.leg
    is_known = leg.view is not None and verdict.drift != ZERO and leg.view.as_of_ms >= leg.ledger.last_fill_ms
    is_blocked = any(order.state.blocks_symbol for order in leg.orders)
    return replace(move, kind=MoveKind.DOUBT) if is_known and leg.ledger.is_agreed and not is_blocked else move


def _mode_changed(facts: EpisodeFacts) -> Move:
    """Legs of the wrong mode mean nothing: no agreement, no repair, no close, until a person has settled it."""
    if facts.unfinished is not None and has_lost_its_cause(facts, facts.unfinished, ZERO):
        return supersede(facts)
    return operator(facts, MODE_STEP_TEXT)


def _agreed(facts: EpisodeFacts, hold: Hold | None) -> Move:
    if facts.unfinished is not None and has_lost_its_cause(facts, facts.unfinished, ZERO):
        return supersede(facts)
    if facts.unfinished is not None:
        step = step_of(facts, StepKind.RELEASE, f"agreed; waits for close {facts.unfinished.plan_id} to be final")
        return Move(MoveKind.WAIT, step, wait_until_ms=step.due_ms)
    if facts.leg.evidence is not None and facts.leg.evidence.is_of(facts.leg.ledger) and facts.leg.evidence.own:
        return Move(MoveKind.REPAIR, step_of(facts, StepKind.EVIDENCE, "own missing fills are booked by trade id"))
    pending = next((order for order in facts.leg.orders if order.is_pending), None)
    release = (hold,) if hold is not None and _is_releasable(facts, hold) else ()
    is_due = release or not facts.leg.ledger.is_agreed or (hold is None and _is_watermark_old(facts))
    if is_due and pending is None:
        return Move(MoveKind.AGREE, None, release)
    if hold is None:
        return Move(MoveKind.NOTHING if facts.leg.ledger.is_agreed else MoveKind.WAIT, None)
    if hold.reason in WAITS_FOR_A_PERSON:
        return operator(facts, f"agreed; {hold.reason.value} is a person's to acknowledge")
    awaited = (
        "a look newer than the hold's cause is" if pending is None else f"order {pending.client_order_id}'s fate is"
    )
    return Move(MoveKind.LOOK, step_of(facts, StepKind.RELEASE, f"agreed; {awaited} awaited"))


WATERMARK_AGE_MS_MAX = 6 * 24 * 3_600_000
"""The venue lists trades in windows of 7 days, and keeps them for 3 months: a leg without trades of ours moves on."""


def _is_watermark_old(facts: EpisodeFacts) -> bool:
    view, ledger = facts.leg.view, facts.leg.ledger
    if view is None or ledger.watermark_trade_id is not None:
        return False
    return view.as_of_ms - ledger.watermark_ms > WATERMARK_AGE_MS_MAX


def _is_releasable(facts: EpisodeFacts, hold: Hold) -> bool:
    """A hold ends by a look taken after it was placed that is not older than its cause (ADR 0002)."""
    view = facts.leg.view
    if view is None or hold.reason in WAITS_FOR_A_PERSON:
        return False
    if view.as_of_ms < hold.cause_as_of_ms or view.read_ms <= hold.opened_ms:
        return False
    return view.as_of_ms > hold.cause_as_of_ms or view.source is Source.REST


def _reason(facts: EpisodeFacts, verdict: Verdict) -> HoldReason | None:
    """Why the verdict holds: the table's word, but a drift that would be closed says if the symbol does not trade."""
    closes = facts.leg.limits.foreign is ForeignPolicy.CLOSE
    if verdict.hold is HoldReason.DRIFT and closes and not is_tradable(facts.instrument):
        return HoldReason.SYMBOL_NOT_TRADING
    return verdict.hold


def _needs_hold(hold: Hold | None, reason: HoldReason) -> bool:
    """Tell whether the verdict's reason must be written: on no hold, a weaker one, or another of the same weight."""
    if hold is None:
        return True
    stands, wanted = _STRENGTH.get(hold.reason, 3), _STRENGTH.get(reason, 3)
    return stands < wanted or (stands == wanted == 1 and hold.reason is not reason)


def _first_step(facts: EpisodeFacts, verdict: Verdict) -> NextStep:
    if verdict.status is Status.NO_VIEW:
        return step_of(facts, StepKind.VIEW, "a complete, fresh view is awaited")
    return step_of(facts, StepKind.EVIDENCE, "a second look and the trades since the watermark are read")
