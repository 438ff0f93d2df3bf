"""The numbered invariants of `holdfast.decide`, as properties over facts that nobody chose by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.decide.episode import next_move
from holdfast.decide.evidence import Evidence
from holdfast.decide.guardrails import permit_close
from holdfast.decide.move import MoveKind
from holdfast.decide.outcome import adopt_report, not_accepted, refused, unknown
from holdfast.decide.permit import BusReading, permit_execute
from holdfast.decide.reconcile import LegFacts, Status, judge
from holdfast.domain.close import CloseState, plan_of_close
from holdfast.domain.hold import HoldOwner, HoldReason
from holdfast.domain.limits import ForeignPolicy, UnledgeredPolicy
from holdfast.domain.order import OrderState, VenueOrderStatus
from holdfast.domain.permit import Permit, Refusal
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Decision, Leg, PlanSide, PositionSide, Side
from tests.unit.decide.episode_world import DIMENSIONS, World, build
from tests.unit.decide.samples import (
    HOLD,
    LEDGER,
    LIMITS,
    LONG_LEG,
    NOW,
    ORDER,
    OTHER_LEG,
    REPORT,
    SHORT_LEG,
    TRADE,
    VIEW,
    ZERO,
    D,
)
from tests.unit.decide.test_guardrails import GOOD as CLOSE_GOOD
from tests.unit.decide.test_guardrails import OPERATORS
from tests.unit.decide.test_permit import GOOD as EXECUTE_GOOD

MANY = settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
LOTS = st.integers(-9, 9).map(D)
AT = st.sampled_from([-10_000, -5_001, -1_001, -501, -500, -1, 0, 1, 60_000]).map(lambda ms: NOW + ms)
LEGS: st.SearchStrategy[Leg] = st.sampled_from([*[VIEW.leg] * 8, LONG_LEG, OTHER_LEG])


@st.composite
def close_facts(draw: st.DrawFn) -> Any:
    """Guardrail facts around an arbitrary journaled close: any side, size, amounts, life, hold and position."""
    base = draw(st.sampled_from([CLOSE_GOOD, CLOSE_GOOD, OPERATORS]))
    assert base.close is not None
    close = replace(
        base.close,
        side=draw(st.sampled_from(Side)),
        qty=draw(st.integers(-1, 5).map(D)),
        exchange_amt=draw(LOTS),
        ledger_amt=draw(LOTS),
        leg=draw(LEGS),
        state=draw(st.sampled_from([*[CloseState.PLANNED] * 12, *CloseState])),
    )
    hold = draw(st.sampled_from([*[HOLD] * 9, None, replace(HOLD, released_ms=NOW), replace(HOLD, leg=OTHER_LEG)]))
    return replace(
        base,
        plan=plan_of_close(close),
        close=close,
        hold=hold,
        position=draw(st.none() | st.builds(lambda amt: replace(VIEW, amt=amt), LOTS)),
        ledger=replace(LEDGER, amt=draw(LOTS)),
        limits=LIMITS,
        unfinished=close,
    )


def test_i1_i2_i3_no_journaled_close_can_hurt() -> None:
    """Whatever close the journal holds, a permit for it only shrinks, within the drift, under its open hold."""
    permits = 0

    @settings(MANY, max_examples=800)
    @given(close_facts())
    def holds(facts: Any) -> None:
        nonlocal permits
        choice = permit_close(facts)
        if isinstance(choice, Refusal):
            return
        permits += 1
        held, book = facts.position.amt, facts.ledger.amt
        after = held + choice.side.sign * choice.qty
        assert choice.qty > 0
        assert choice.reduce_only
        assert choice.leg == facts.position.leg
        assert abs(after) == abs(held) - choice.qty, "I1: it opened, grew or flipped"
        assert ZERO <= choice.against_drift_qty <= choice.qty
        if choice.decision is Decision.RECONCILE_CLOSE:
            assert abs(after - book) == abs(held - book) - choice.qty, "I2: it took more than the drift"
            assert choice.against_drift_qty == choice.qty, "I7: its fill would move the ledger"
            assert facts.hold.released_ms is None, "I3"
            assert (facts.hold.hold_id, facts.hold.leg) == (choice.hold_id, choice.leg), "I3"
        else:
            assert facts.close.approval is not None

    holds()
    assert permits > 25, "the property was hardly ever asked"


HOLDS = st.builds(
    lambda reason, owner, leg: replace(HOLD, reason=reason, owner=owner, leg=leg),
    st.sampled_from(HoldReason),
    st.sampled_from(HoldOwner),
    st.sampled_from([VIEW.leg, LONG_LEG, SHORT_LEG]),
)
PLANS = st.builds(
    lambda side, qty, reduces: replace(EXECUTE_GOOD.plan, side=side, qty=qty, reduce_only=reduces),
    st.sampled_from(PlanSide),
    st.integers(1, 9).map(D),
    st.booleans(),
)


@MANY
@given(PLANS, LOTS, st.lists(HOLDS, min_size=1, max_size=3))
def test_i4_no_execute_while_a_hold_stands(plan: Any, held: D, holds: list[Any]) -> None:
    """A hold on the symbol, of any leg, reason or owner, refuses every EXECUTE, a reduce-only one too."""
    ledger = replace(LEDGER, amt=held)
    choice = permit_execute(replace(EXECUTE_GOOD, plan=plan, ledger=ledger, holds=tuple(holds)))
    assert isinstance(choice, Refusal)
    assert choice.reason is Reason.HOLD_ACTIVE
    assert not choice.can_wait


MISSING: list[dict[str, Any]] = [
    {"bus": None},
    {"bus": BusReading(None, NOW + 1)},
    {"bus": BusReading(None, NOW - LIMITS.input_age_ms_max - 1)},
    {"stamp_ms": None},
    {"stamp_ms": NOW + 1},
    {"stamp_ms": NOW - LIMITS.stamp_age_ms_max - 1},
    {"instrument": None},
    {"mode": None},
    {"baseline": False},
    {"mark": None},
    {"ledger": replace(LEDGER, agreed_version=None)},
]


@pytest.mark.parametrize("missing", MISSING, ids="-".join)
def test_i5_a_missing_or_stale_fact_denies_an_execute(missing: dict[str, Any]) -> None:
    """The facts permit a plan; take one away, or make it old or of the future, and it is refused."""
    assert isinstance(permit_execute(EXECUTE_GOOD), Permit)
    assert isinstance(permit_execute(replace(EXECUTE_GOOD, **missing)), Refusal)


@pytest.mark.parametrize(
    "missing",
    [
        {"close": None},
        {"hold": None},
        {"instrument": None},
        {"position": None},
        {"position": replace(VIEW, mark_price=None)},
        {"position": replace(VIEW, read_ms=NOW + 1)},
        {"position": replace(VIEW, read_ms=NOW - LIMITS.input_age_ms_max - 1)},
        {"position": replace(VIEW, leg=OTHER_LEG)},
        {"position": replace(VIEW, as_of_ms=LEDGER.last_fill_ms)},
        {"ledger": replace(CLOSE_GOOD.ledger, leg=OTHER_LEG)},
    ],
    ids="-".join,
)
def test_i5_a_missing_or_stale_fact_denies_a_close(missing: dict[str, Any]) -> None:
    """The facts permit a close; take one away, or make it old or of the future, and it is refused."""
    assert isinstance(permit_close(CLOSE_GOOD), Permit)
    assert isinstance(permit_close(replace(CLOSE_GOOD, **missing)), Refusal)


EVIDENCE = st.builds(
    lambda own, qty, forced, complete, version: Evidence(
        (TRADE,) if own else (), qty if own else ZERO, (TRADE,) if forced else (), (), complete=complete, read_ms=NOW,
        last_trade_id=None, ledger_version=version, last_fill_ms=LEDGER.last_fill_ms,
    ),
    st.booleans(), LOTS, st.booleans(), st.booleans(), st.sampled_from([LEDGER.version, LEDGER.version - 1]),
)  # fmt: skip


ORDERS = st.builds(
    lambda state, qty, executed: replace(ORDER, state=state, qty=qty, executed_qty=executed),
    st.sampled_from(OrderState),
    st.integers(1, 5).map(D),
    st.integers(0, 5).map(D),
)


@st.composite
def leg_facts(draw: st.DrawFn) -> LegFacts:
    """Any facts of one leg."""
    return LegFacts(
        now_ms=NOW,
        limits=LIMITS,
        step=draw(st.sampled_from([ZERO, D(1), D(2)])),
        view=draw(st.none() | st.builds(lambda a, at: replace(VIEW, amt=a, as_of_ms=at, read_ms=at), LOTS, AT)),
        complete_read_ms=draw(st.none() | AT),
        ledger=replace(LEDGER, amt=draw(LOTS), last_fill_ms=draw(AT)),
        baseline=draw(st.booleans()),
        unledgered_hold=draw(st.booleans()),
        orders=tuple(draw(st.lists(ORDERS, max_size=2))),
        settling_since_ms=draw(st.none() | AT),
        evidence=draw(st.none() | EVIDENCE),
    )


@MANY
@given(leg_facts())
def test_i5_without_a_fresh_complete_view_nothing_is_said(facts: LegFacts) -> None:
    """A view that is missing, old or of the future is never agreement and never accuses: only NO_VIEW."""
    verdict = judge(facts)
    read = facts.complete_read_ms
    blind = facts.view is None or read is None or not read <= NOW <= read + LIMITS.view_age_ms_max
    assert (verdict.row == 1) is blind
    if blind:
        assert (verdict.status, verdict.hold is not None) == (Status.NO_VIEW, True)


ACCUSES = {Status.EXCESS, Status.DEFICIT, Status.UNLEDGERED, Status.FORCED, Status.REPAIR}


@MANY
@given(leg_facts())
def test_i6_an_old_view_cannot_accuse(facts: LegFacts) -> None:
    """A verdict that names a difference has seen a view strictly newer than our last fill."""
    if judge(facts).status in ACCUSES:
        assert facts.view is not None
        assert facts.view.as_of_ms > facts.ledger.last_fill_ms


WORLDS = st.builds(World, **{name: st.sampled_from(values) for name, values in DIMENSIONS.items()})


@MANY
@given(WORLDS)
def test_i7_the_ledger_moves_by_trades_or_by_policy(world: World) -> None:
    """REPAIR comes with trades by their ids or a verdict that has them; ADOPT only where the settings say so."""
    facts, verdict = build(world)
    move = next_move(facts, verdict)
    if move.kind is MoveKind.REPAIR and verdict.status in {Status.EXCESS, Status.DEFICIT, Status.UNLEDGERED}:
        evidence = facts.leg.evidence
        assert evidence is not None
        assert evidence.own
        assert evidence.ledger_version == facts.leg.ledger.version
    if move.kind is MoveKind.ADOPT:
        limits = facts.leg.limits
        assert ForeignPolicy.ADOPT is limits.foreign or UnledgeredPolicy.ADOPT is limits.unledgered


@MANY
@given(
    st.sampled_from(OrderState), st.sampled_from(VenueOrderStatus), st.integers(0, 5).map(D), st.integers(0, 5).map(D)
)
def test_i8_nothing_that_comes_back_sends_again(state: OrderState, status: VenueOrderStatus, had: D, has: D) -> None:
    """No report, refusal, silence or absence makes an order one that is about to be sent."""
    order = replace(ORDER, state=state, executed_qty=had)
    report = replace(REPORT, status=status, executed_qty=has)
    about_to_be_sent = {OrderState.CLAIMED, OrderState.SENDING}
    for after in (
        adopt_report(order, report, NOW),
        refused(order, Reason.VENUE_REFUSED, "", NOW),
        unknown(order, "", NOW),
        not_accepted(order, NOW),
    ):
        assert after.state not in about_to_be_sent


@MANY
@given(WORLDS)
def test_i9_every_hold_that_stands_has_a_next_step(world: World) -> None:
    """After every move but a release the hold has a next step that is due in time, and nothing closes under doubt."""
    facts, verdict = build(world)
    move = next_move(facts, verdict)
    if facts.holds and move.kind is not MoveKind.AGREE:
        assert move.step is not None
        assert move.step.text
    if move.kind is MoveKind.CLOSE:
        assert facts.leg.orders == ()
        assert facts.unfinished is None
        assert facts.second is not None
        assert verdict.exchange_amt is not None
        assert facts.second.amt * verdict.exchange_amt > ZERO


def test_a_hedge_leg_is_closed_as_itself() -> None:
    """A close of a hedge leg names that leg, and one for the other leg's position is refused: legs are never netted."""
    for leg, amount, side in ((LONG_LEG, D(7), Side.SELL), (SHORT_LEG, D(-7), Side.BUY)):
        close = replace(CLOSE_GOOD.close or pytest.fail("a sample is missing"), leg=leg, side=side)
        facts = replace(
            CLOSE_GOOD,
            plan=plan_of_close(close),
            close=close,
            unfinished=close,
            hold=replace(HOLD, leg=leg),
            position=replace(VIEW, leg=leg, amt=amount),
            ledger=replace(LEDGER, leg=leg, amt=ZERO),
        )
        choice = permit_close(facts)
        assert isinstance(choice, Permit)
        assert (choice.leg, choice.side) == (leg, side)
        assert facts.plan.position_side in {PositionSide.LONG, PositionSide.SHORT}
        other = SHORT_LEG if leg == LONG_LEG else LONG_LEG
        assert isinstance(permit_close(replace(facts, position=replace(VIEW, leg=other, amt=amount))), Refusal)
