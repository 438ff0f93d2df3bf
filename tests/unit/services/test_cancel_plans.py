"""CANCEL plans from their delivery to their one result, whatever ends the order first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.names import PlanId
from holdfast.domain.order import OrderState, VenueOrderStatus
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Decision, TradingState
from holdfast.lab.torture.loop import pass_ms, play
from holdfast.ports.venue import Unknown
from holdfast.services.intake import _Job
from tests.unit.decide.samples import ZERO, D
from tests.unit.services.resting import NAME, resting, resting_unheard, settled
from tests.unit.services.world import entry_of, new_world, running

if TYPE_CHECKING:
    from holdfast.domain.permit import Permit
    from holdfast.domain.plan import Plan, PlanResult
    from holdfast.ports.venue import SubmitOutcome
    from tests.unit.services.world import World


def cancel(world: World, plan_id: str = "c1", cancels: str = "p1") -> Plan:
    """A CANCEL of plan p1."""
    return replace(world.plan(plan_id, qty=ZERO), decision=Decision.CANCEL, cancels=PlanId(cancels), reduce_only=True)


async def ask(world: World, plan: Plan, entry_id: str = "2-0") -> None:
    """One delivery of it."""
    await world.cancel_plans.execute(entry_of(plan, entry_id), plan)


async def results(world: World) -> dict[str, PlanResult]:
    """What was published, by plan."""
    return {result.plan_id: result for result in await world.flushed()}


@pytest.mark.parametrize("filled", [0, 2])
def test_a_cancel_ends_the_order_and_both_plans_are_answered(filled: int) -> None:
    """The cancelled plan reports what it had, the CANCEL that it is done; each once, each under its own entry."""

    async def story() -> None:
        world = await resting()
        if filled:
            world.venue.reach(NAME, D(filled))
        await ask(world, cancel(world))
        await settled(world)
        found = await results(world)
        assert found["p1"].error == ("" if filled else Reason.CANCELED.value)
        assert (found["p1"].filled_qty, found["p1"].entry_id) == (D(filled), "1-0")
        done = found["c1"]
        assert (done.executed, done.status, done.error) == (True, "CANCELED", "")
        assert (done.filled_qty, done.entry_id, done.client_order_id) == (ZERO, "2-0", NAME)
        assert len(world.bus.results) == 2
        assert world.venue.cancels == [NAME]

    play(story)


def test_a_fill_that_came_first_leaves_nothing_to_cancel() -> None:
    """The venue filled the order before the cancel reached it: executed is the plan, not the CANCEL."""

    async def story() -> None:
        world = await resting()
        world.venue.stream_is_silent = True
        world.venue.reach(NAME, D(5))
        await ask(world, cancel(world))
        await settled(world, 1_000)
        found = await results(world)
        assert (found["p1"].executed, found["p1"].filled_qty) == (True, D(5))
        assert (found["c1"].executed, found["c1"].error) == (False, Reason.NOTHING_TO_CANCEL.value)

    play(story)


@pytest.mark.parametrize("cancels", ["p1", "nobody"])
def test_what_does_not_rest_is_refused_at_once(cancels: str) -> None:
    """A plan that was filled, or that nobody knows, has nothing to cancel; no request leaves."""

    async def story() -> None:
        world = await new_world()
        await world.execute(world.plan("p1"))
        await ask(world, cancel(world, cancels=cancels))
        refused = (await results(world))["c1"]
        assert (refused.executed, refused.error) == (False, Reason.NOTHING_TO_CANCEL.value)
        assert world.venue.cancels == []
        assert await world.result("c1") == refused

    play(story)


def test_a_repeat_of_a_cancel_gets_its_first_outcome() -> None:
    """Repeated before and after the order's end, a CANCEL is answered alike, and asked for once."""

    async def story() -> None:
        world = await resting()
        await ask(world, cancel(world))
        await ask(world, cancel(world), "3-0")
        await settled(world)
        await ask(world, cancel(world), "4-0")
        await world.flushed()
        given = [result for result in world.bus.results if result.plan_id == "c1"]
        assert [(each.entry_id, each.duplicate) for each in given] == [("2-0", False), ("3-0", True), ("4-0", True)]
        assert {each.result_id for each in given} == {"cancel-c1"}
        assert world.venue.cancels == [NAME]

    play(story)


def test_two_cancels_of_one_order_are_both_answered() -> None:
    """Whoever else wants the same order ended is answered with it."""

    async def story() -> None:
        world = await resting()
        await ask(world, cancel(world))
        await ask(world, cancel(world, "c2"), "3-0")
        await settled(world)
        found = await results(world)
        assert found["c1"].executed
        assert found["c2"].executed
        assert world.venue.cancels == [NAME]

    play(story)


def test_a_cancel_works_under_hold_and_halt() -> None:
    """An exit that rests through a halt and a blind moment is cancelled by its plan all the same."""

    async def story() -> None:
        world = await resting()
        await world.write(lambda tx: tx.set_trading_state(TradingState.HALTED, "the test"))
        await ask(world, cancel(world))
        await settled(world)
        assert (await results(world))["c1"].executed

    play(story)


def test_a_wish_for_an_order_without_an_answer_waits_until_it_rests() -> None:
    """The order's answer was lost: the CANCEL is kept, and leaves once the order is known to rest."""

    async def story() -> None:
        world = await resting_unheard()
        await ask(world, cancel(world))
        assert world.venue.cancels == []
        await settled(world, 2_000)
        assert (await results(world))["c1"].executed
        assert (await results(world))["p1"].error == Reason.CANCELED.value

    play(story)


def test_an_order_that_never_was_leaves_nothing_to_cancel() -> None:
    """Proven not accepted, it ends the CANCEL too."""

    async def story() -> None:
        world = await new_world()

        async def lost(_permit: Permit) -> SubmitOutcome:
            return Unknown("timed out")

        world.venue.scripts.append(lost)
        await world.execute(world.limit("p1"))
        await ask(world, cancel(world))
        await settled(world, 20_000)
        order = await world.order("p1")
        assert order is not None
        assert order.state is OrderState.NOT_ACCEPTED
        assert (await results(world))["c1"].error == Reason.NOTHING_TO_CANCEL.value

    play(story)


def test_an_order_that_somebody_else_ended_answers_the_cancel() -> None:
    """Ended by hand at the exchange while the CANCEL was on its way: done is done."""

    async def story() -> None:
        world = await resting()
        await ask(world, cancel(world))
        world.venue.end(NAME, VenueOrderStatus.CANCELED)
        await settled(world)
        assert (await results(world))["c1"].executed

    play(story)


def test_a_cancel_under_a_closes_name_is_refused() -> None:
    """Ids that the system's own closes have can't be taken by a CANCEL."""

    async def story() -> None:
        world = await resting()
        await ask(world, cancel(world, "rc-hold-1"))
        (refused,) = await world.flushed()
        assert refused.error == Reason.BAD_FIELD.value
        assert await world.recorded("rc-hold-1") is None

    play(story)


def test_a_cancel_overtakes_its_lane_but_not_the_plan_that_it_names() -> None:
    """Behind three plans the CANCEL of the second waits right behind that one, a CANCEL of none goes first."""

    async def story() -> None:
        world = await new_world()
        world.venue.stream_is_silent = True
        for number in (1, 2, 3):
            plan = world.limit(f"p{number}")
            world.intake._queue(_Job(entry_of(plan, f"{number}-0"), plan, 0))
        named, other = cancel(world, "c2", "p2"), cancel(world, "c0", "p0")
        world.intake._queue(_Job(entry_of(named, "4-0"), named, 0))
        world.intake._queue(_Job(entry_of(other, "5-0"), other, 0))
        (lane,) = world.intake._lanes.values()
        assert [job.plan.plan_id for job in lane.jobs] == ["p1", "p2", "c2", "c0", "p3"]
        async with running(world.canceller.run):
            await pass_ms(2_000)
        assert (await results(world))["c2"].executed

    play(story)
