"""The episode table, enumerated over a small world in words, and what holds for every move (I9)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.decide.episode import WATERMARK_AGE_MS_MAX, next_move
from holdfast.decide.move import Move, MoveKind, automatic_hold
from holdfast.decide.reconcile import Status
from holdfast.domain.hold import HoldReason, NextStep, StepKind
from holdfast.domain.limits import DeficitPolicy, ForeignPolicy, ReconcileClose, UnledgeredPolicy
from holdfast.domain.names import TradeId
from holdfast.domain.sides import Source, TradingState
from tests.unit.decide.episode_world import PENDING, World, agreed_world, build, differences
from tests.unit.decide.samples import LIMITS, NOW
from tests.unit.decide.tables import Row, hold_to

if TYPE_CHECKING:
    from collections.abc import Callable

VIEWS = {None, HoldReason.VIEW_MISSING, HoldReason.VIEW_STALE}
DRIFTS = {HoldReason.DRIFT, HoldReason.SYMBOL_NOT_TRADING, HoldReason.DEFICIT}
WEAKER: dict[Status, set[HoldReason | None]] = {
    Status.NO_VIEW: {None},
    Status.EXCESS: VIEWS | {HoldReason.DEFICIT, HoldReason.SYMBOL_NOT_TRADING},
    Status.DEFICIT: VIEWS | {HoldReason.DRIFT, HoldReason.SYMBOL_NOT_TRADING},
    Status.UNLEDGERED: VIEWS | set(HoldReason) - {HoldReason.UNLEDGERED},
    Status.FORCED: VIEWS | DRIFTS | {HoldReason.UNKNOWN_ORDER},
}
PERSONS = {
    HoldReason.FORCED_REDUCTION,
    HoldReason.LATE_ACCEPTANCE,
    HoldReason.FOREIGN_ORDER,
    HoldReason.MODE_CHANGED,
}
NOT_TRADING = VIEWS | {HoldReason.DEFICIT, HoldReason.DRIFT}
DIFFER = {Status.EXCESS, Status.DEFICIT, Status.UNLEDGERED}
BLOCKING = {"claimed", "sending", "unknown", "one rests, one is sent"}
USEFUL = {"same", "smaller", "opposite", "flat", "at its age", "same read, another before"}


def differs(also: Callable[[World], bool]) -> Callable[[World], bool]:
    """A row of "the rest": EXCESS, DEFICIT or UNLEDGERED."""
    return lambda w: w.status in DIFFER and also(w)


def excess(also: Callable[[World], bool]) -> Callable[[World], bool]:
    """A row of EXCESS, and of UNLEDGERED under the policy to close."""
    return lambda w: (
        (w.status is Status.EXCESS or (w.status is Status.UNLEDGERED and w.unledgered is UnledgeredPolicy.CLOSE))
        and also(w)
    )


def may_close_at_all(world: World) -> bool:
    """No switch, halt or venue forbids every close."""
    return (
        world.closing is ReconcileClose.ON
        and world.trading is not TradingState.HALTED
        and world.rules not in {"none", "break"}
    )


def weaker(world: World) -> set[HoldReason | None]:
    """The reasons that the verdict's own replaces."""
    closes = world.status is Status.EXCESS and world.foreign is ForeignPolicy.CLOSE
    return NOT_TRADING if closes and world.rules in {"none", "break"} else WEAKER[world.status]


def is_over(world: World) -> bool:
    """A deadline counted from the younger of the hold and its cause."""
    return world.deadline == "after"


def void(world: World) -> bool:
    """An unclaimed close that expired, or the reconciler's above what may be closed."""
    if world.unfinished in {"planned, expired", "person's, expired", "planned, too large"}:
        return True
    return world.status in {Status.DEFICIT, Status.AGREED} and world.unfinished.startswith("planned")


def releasable(world: World) -> bool:
    """A look taken after the hold, newer than its cause, or as old but over REST; no fill of ours may be missing."""
    if world.hold is None or world.hold in PERSONS or world.read <= 0:
        return False
    if world.order in PENDING:
        return False
    return world.as_of > 0 or (world.as_of == 0 and world.source is Source.REST)


OF_ANOTHER_MODE: list[Row[World]] = [
    Row(
        "mode changed, void close",
        lambda w: w.hold is HoldReason.MODE_CHANGED and (w.unfinished.startswith("planned") or void(w)),
        MoveKind.SUPERSEDE,
    ),
    Row("mode changed", lambda w: w.hold is HoldReason.MODE_CHANGED, MoveKind.OPERATOR),
]
DIFFERENCES: list[Row[World]] = [
    *OF_ANOTHER_MODE,
    Row("needs hold", lambda w: w.status in WEAKER and w.hold in weaker(w), MoveKind.HOLD),
    Row("no view", lambda w: w.status is Status.NO_VIEW, MoveKind.LOOK),
    Row("trades show it", lambda w: w.status in {Status.REPAIR, Status.FORCED}, MoveKind.REPAIR),
    Row("void close", differs(void), MoveKind.SUPERSEDE),
    Row(
        "unledgered, held",
        lambda w: w.status is Status.UNLEDGERED and w.unledgered is UnledgeredPolicy.HOLD,
        MoveKind.OPERATOR,
    ),
    Row(
        "unledgered, adopted",
        lambda w: w.status is Status.UNLEDGERED and w.unledgered is UnledgeredPolicy.ADOPT,
        MoveKind.ADOPT,
    ),
    Row("own fills missing", differs(lambda w: w.evidence == "own"), MoveKind.REPAIR),
    Row("stray trades", differs(lambda w: w.evidence == "stray"), MoveKind.OPERATOR),
    Row("own order", differs(lambda w: w.order != "none"), MoveKind.LOOK),
    Row("no evidence", differs(lambda w: w.evidence in {"none", "old version"}), MoveKind.LOOK),
    Row("no second look", differs(lambda w: w.second == "none"), MoveKind.LOOK),
    Row("not explained yet", differs(lambda w: w.evidence != "whole" and not is_over(w)), MoveKind.LOOK),
    Row("deficit, explained", lambda w: w.status is Status.DEFICIT and w.evidence == "whole", MoveKind.WRITE_DOWN),
    Row(
        "deficit, given up",
        lambda w: w.status is Status.DEFICIT and w.deficit is DeficitPolicy.FLATTEN and may_close_at_all(w),
        MoveKind.FLATTEN,
    ),
    Row("deficit", lambda w: w.status is Status.DEFICIT, MoveKind.OPERATOR),
    Row(
        "policy hold",
        lambda w: w.status is Status.EXCESS and w.foreign is ForeignPolicy.HOLD,
        MoveKind.OPERATOR,
    ),
    Row(
        "policy adopt",
        lambda w: w.status is Status.EXCESS and w.foreign is ForeignPolicy.ADOPT and w.evidence == "whole",
        MoveKind.ADOPT,
    ),
    Row(
        "policy adopt, not explained",
        lambda w: w.status is Status.EXCESS and w.foreign is ForeignPolicy.ADOPT,
        MoveKind.OPERATOR,
    ),
    Row("under way", excess(lambda w: w.unfinished != "none"), MoveKind.WAIT),
    Row("closes off", excess(lambda w: w.closing is ReconcileClose.OFF), MoveKind.OPERATOR),
    Row("halted", excess(lambda w: w.trading is TradingState.HALTED), MoveKind.OPERATOR),
    Row("not trading", excess(lambda w: w.rules in {"none", "break"}), MoveKind.OPERATOR),
    Row("second look useless", excess(lambda w: w.second not in USEFUL), MoveKind.LOOK),
    Row("attempts spent", excess(lambda w: w.attempts >= LIMITS.close_attempts_max), MoveKind.OPERATOR),
    Row("backing off", excess(lambda w: w.stands == "backing off"), MoveKind.WAIT),
    Row("looks differ", excess(lambda w: w.second in {"opposite", "flat"} and not is_over(w)), MoveKind.LOOK),
    Row("looks differ too long", excess(lambda w: w.second in {"opposite", "flat"}), MoveKind.OPERATOR),
    Row("too small", excess(lambda w: w.rules == "coarse"), MoveKind.OPERATOR),
    Row(
        "too much money",
        # a smaller second look makes a smaller close, which the limit allows
        excess(lambda w: w.mark in {"none", "zero"} or (w.mark == "high" and w.second != "smaller")),
        MoveKind.OPERATOR,
    ),
    Row("close", excess(lambda _: True), MoveKind.CLOSE),
]
AGREEMENTS: list[Row[World]] = [
    *OF_ANOTHER_MODE,
    Row(
        "doubted",
        lambda w: w.status is Status.SETTLING and w.agreed and w.order not in BLOCKING,
        MoveKind.DOUBT,
    ),
    Row("settling", lambda w: w.status is Status.SETTLING, MoveKind.LOOK),
    Row("void close", void, MoveKind.SUPERSEDE),
    Row("close under way", lambda w: w.unfinished != "none", MoveKind.WAIT),
    Row("own fills missing", lambda w: w.evidence == "own", MoveKind.REPAIR),
    Row("agrees", lambda w: (not w.agreed and w.order not in PENDING) or releasable(w), MoveKind.AGREE),
    Row("own order pending", lambda w: w.hold is None and not w.agreed, MoveKind.WAIT),
    Row("nothing", lambda w: w.hold is None, MoveKind.NOTHING),
    Row("a person's", lambda w: w.hold in PERSONS, MoveKind.OPERATOR),
    Row("look", lambda _: True, MoveKind.LOOK),
]


def seen(world: World) -> MoveKind:
    """The move's kind; what holds for every move is checked on the way."""
    facts, verdict = build(world)
    move = next_move(facts, verdict)
    hold = automatic_hold(facts.holds)
    if hold is None:
        assert (move.step is not None) is (move.kind is MoveKind.HOLD), "a step without a hold"
    elif move.kind is not MoveKind.AGREE:
        assert move.step is not None, "a hold that stands has no next step (I9)"
        assert move.step.due_ms <= NOW + 10_000
    assert move.wait_until_ms is None or move.wait_until_ms >= NOW, "a wait that ends in the past is a busy loop"
    assert move.release == ((hold,) if move.kind is MoveKind.AGREE and releasable(world) else ())
    assert_tells_a_person(world, move)
    return move.kind


def assert_tells_a_person(world: World, move: Move) -> None:
    """OPERATOR steps where the move is OPERATOR; looking and waiting keep a step that a person was told of."""
    if move.step is None or move.kind is MoveKind.HOLD:
        return
    if move.kind is MoveKind.OPERATOR:
        assert move.step.kind is StepKind.OPERATOR
    elif move.kind in {MoveKind.LOOK, MoveKind.DOUBT, MoveKind.WAIT}:
        assert (move.step.kind is StepKind.OPERATOR) is (world.stands == "told")
        if world.stands == "backing off":
            assert move.step.kind is StepKind.CLOSE_BACKOFF, "a look makes it forget that it backs off"


def test_every_difference_falls_under_its_row() -> None:
    """Over every two dimensions at once, and samples of three and of all, the move is that of the first row."""
    decided = hold_to(DIFFERENCES, differences(), seen)
    assert sum(decided.values()) > 12_000


def test_every_agreement_falls_under_its_row() -> None:
    """Over every input of the AGREED and SETTLING rows the move is that of the first row that applies."""
    hold_to(AGREEMENTS, agreed_world(), seen, alone=frozenset())


def told_after_ms(world: World, tick_ms: int = 250, bound_ms: int = 60_000) -> int | None:
    """Let nothing change but time, write each step down as the service does; when is a person told, if ever."""
    facts, verdict = build(world)
    for at in range(0, bound_ms, tick_ms):
        now = NOW + at
        fresh = (
            replace(facts.second, read_ms=now) if facts.second is not None and world.second != "old" else facts.second
        )
        facts = replace(facts, leg=replace(facts.leg, now_ms=now), second=fresh)
        move = next_move(facts, verdict)
        hold = automatic_hold(facts.holds)
        if hold is None or move.step is None:
            return None
        if move.step.kind is StepKind.OPERATOR:
            return at
        if (move.step.kind, move.step.text) != (hold.next_step.kind, hold.next_step.text):
            hold = replace(hold, next_step=move.step)
        if move.kind is MoveKind.HOLD:
            hold = replace(hold, reason=move.reason or hold.reason)
        facts = replace(facts, holds=(hold,))
    return bound_ms


def test_no_hold_stands_where_nothing_changes_and_nobody_is_told() -> None:
    """Whatever the facts, if they stay as they are a person is told within the sum of two waits (I9)."""
    untold: list[World] = []
    checked = 0
    worlds = [w for w in differences() if w.hold is not None and w.stands != "told"][::19]
    for world in worlds:
        after = told_after_ms(world)
        if after is None:
            continue
        checked += 1
        if after > LIMITS.view_age_ms_max + LIMITS.evidence_ms_max + 2_000:
            untold.append(world)
    assert not untold, untold[:3]
    assert checked > 300


def test_an_agreed_hold_that_cannot_release_tells_a_person() -> None:
    """A hold that agreement alone can't end (an old cause, an unknown order, a close that hangs) is told in time."""
    for world in list(agreed_world())[::17]:
        after = told_after_ms(world)
        assert after is None or after <= LIMITS.view_age_ms_max + 2_000, world


def test_an_agreed_leg_without_trades_of_ours_moves_its_watermark_on() -> None:
    """Trades older than the venue's window need never be read again: after six days the agreement is written anew."""
    facts, verdict = build(World(status=Status.AGREED, hold=None))
    view = facts.leg.view
    assert view is not None
    for age_ms, trade_id, kind in (
        (WATERMARK_AGE_MS_MAX + 1, None, MoveKind.AGREE),
        (WATERMARK_AGE_MS_MAX, None, MoveKind.NOTHING),
        (WATERMARK_AGE_MS_MAX + 1, TradeId(100), MoveKind.NOTHING),
    ):
        ledger = replace(facts.leg.ledger, watermark_trade_id=trade_id, watermark_ms=view.as_of_ms - age_ms)
        assert next_move(replace(facts, leg=replace(facts.leg, ledger=ledger)), verdict).kind is kind


def test_changing_words_do_not_put_off_what_is_due() -> None:
    """Two reasons to look that take turns share one deadline: the step's kind did not change."""
    hold_step = NextStep(StepKind.EVIDENCE, NOW + 5, "a look for another reason")
    facts, verdict = build(World(evidence="none"))
    hold = automatic_hold(facts.holds)
    assert hold is not None
    facts = replace(facts, holds=(replace(hold, next_step=hold_step),))
    step = next_move(facts, verdict).step
    assert step is not None
    assert (step.kind, step.due_ms) == (StepKind.EVIDENCE, NOW + 5)
    assert step.text != hold_step.text
