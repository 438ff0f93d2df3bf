"""One EXECUTE plan from its delivery to its result, and what it must never become."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.domain.entry import EntryKind
from holdfast.domain.order import OrderState
from holdfast.domain.plan import PlanEntry
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import PlanSide
from holdfast.lab.torture.loop import pass_ms, play, until
from holdfast.ports.venue import NotExecuted, Unknown
from holdfast.services.intake import _Job
from tests.unit.decide.samples import LEG, ZERO, D
from tests.unit.services.world import entry_of, new_world, running

if TYPE_CHECKING:
    from holdfast.domain.permit import Permit
    from holdfast.domain.plan import Plan
    from holdfast.ports.venue import SubmitOutcome
    from tests.unit.services.world import World


async def not_executed(_permit: Permit) -> SubmitOutcome:
    """The venue's documented word that it did nothing."""
    return NotExecuted(Reason.VENUE_UNAVAILABLE, "-1008", 20)


async def no_answer(_permit: Permit) -> SubmitOutcome:
    """Nothing came back, and nothing was done."""
    return Unknown("timed out")


def queue(world: World, plan: Plan, entry_id: str = "1-0") -> None:
    """Put a plan into its lane, as the reader of the stream does."""
    world.intake._queue(_Job(entry_of(plan, entry_id), plan, world.clock.monotonic_ns()))


def test_a_plan_is_executed_booked_and_answered_once() -> None:
    """An agreed, stamped plan becomes one request, its fill moves the ledger, and one result is published."""

    async def story() -> None:
        world = await new_world()
        await world.execute(world.plan("p1"))
        (result,) = await world.flushed()
        assert (result.executed, result.error, result.filled_qty) == (True, "", D(5))
        assert (await world.ledger()).amt == D(5)
        assert world.bus.acked == ["1-0"]
        assert len(world.venue.requests) == 1

    play(story)


def test_a_repeat_gets_the_first_outcome_and_sends_nothing() -> None:
    """The same plan delivered again is answered with its first result, marked as duplicate."""

    async def story() -> None:
        world = await new_world()
        plan = world.plan("p1")
        await world.execute(plan)
        await world.execute(plan, "2-0")
        first, second = await world.flushed()
        assert second == replace(first, entry_id="2-0", duplicate=True)
        assert len(world.venue.requests) == 1

    play(story)


def test_an_id_with_other_content_is_refused_and_leaves_the_first_alone() -> None:
    """A plan id that comes back with another quantity gets `plan_id_reused` under a result id of its own."""

    async def story() -> None:
        world = await new_world()
        await world.execute(world.plan("p1"))
        await world.execute(world.plan("p1", qty=D(6)), "2-0")
        first, second = await world.flushed()
        assert second.error == Reason.PLAN_ID_REUSED.value
        assert second.result_id != first.result_id
        assert await world.result("p1") == replace(first, entry_id=first.entry_id)

    play(story)


def test_a_repeat_that_comes_before_the_outcome_gets_it_when_it_is_there() -> None:
    """A plan whose order is UNKNOWN answers nothing; its repeat is answered together with it, once resolved."""

    async def story() -> None:
        world = await new_world()
        plan = world.plan("p1")

        async def answer_lost(permit: Permit) -> SubmitOutcome:
            world.venue.fill(permit)
            return Unknown("timed out")

        world.venue.stream_is_silent = True
        world.venue.scripts.append(answer_lost)
        await world.execute(plan)
        await world.execute(plan, "2-0")
        assert await world.flushed() == []
        async with running(world.resolver.run):
            await pass_ms(2_000)
        first, second = await world.flushed()
        assert (first.executed, first.duplicate) == (True, False)
        assert (second.executed, second.duplicate, second.entry_id) == (True, True, "2-0")
        assert len(world.venue.requests) == 1
        assert (await world.ledger()).amt == D(5)

    play(story)


def test_a_retry_runs_the_whole_permit_again_with_a_new_journaled_timestamp() -> None:
    """After "not executed" a second intent with a later timestamp is journaled before the second request leaves."""

    async def story() -> None:
        world = await new_world()
        world.venue.scripts.append(not_executed)
        await world.execute(world.plan("p1"))
        first, second = world.venue.requests
        assert second.timestamp_ms > first.timestamp_ms
        assert second.client_order_id == first.client_order_id
        assert (await world.entries()).count(EntryKind.INTENT) == 2
        assert (await world.flushed())[0].executed

    play(story)


def test_a_retry_meets_the_hold_that_was_placed_meanwhile() -> None:
    """A hold placed between "not executed" and the retry refuses it: nothing is sent again under a hold."""

    async def story() -> None:
        world = await new_world()

        async def held_meanwhile(permit: Permit) -> SubmitOutcome:
            await world.hold()
            return await not_executed(permit)

        world.venue.scripts.append(held_meanwhile)
        await world.execute(world.plan("p1"))
        (result,) = await world.flushed()
        assert result.error == Reason.HOLD_ACTIVE.value
        assert len(world.venue.requests) == 1
        order = await world.order("p1")
        assert order is not None
        assert order.state is OrderState.REFUSED

    play(story)


def test_requests_for_one_plan_are_bounded() -> None:
    """A venue that executes nothing three times ends the plan with its word."""

    async def story() -> None:
        world = await new_world()
        world.venue.scripts.extend([not_executed] * 9)
        await world.execute(world.plan("p1"))
        (result,) = await world.flushed()
        assert (result.executed, result.error) == (False, Reason.VENUE_UNAVAILABLE.value)
        assert len(world.venue.requests) == 3

    play(story)


def test_a_busy_journal_before_the_claim_refuses_and_lets_the_plan_come_again() -> None:
    """Nothing was claimed, so nothing was sent; the same plan sent again runs."""

    async def story() -> None:
        world = await new_world()
        world.journal.busy_steps.append(True)
        queue(world, world.plan("p1"))
        await until(lambda: bool(world.publisher._results))
        (result,) = await world.flushed()
        assert (result.executed, result.error) == (False, Reason.JOURNAL_BUSY.value)
        assert world.venue.requests == []
        await world.execute(world.plan("p1"), "2-0")
        assert (await world.flushed())[-1].executed

    play(story)


def test_a_busy_journal_between_two_requests_leaves_no_plan_without_a_result() -> None:
    """A retry whose claim finds the journal busy ends as not executed, and its symbol trades again."""

    async def story() -> None:
        world = await new_world()
        world.venue.scripts.append(not_executed)
        world.journal.busy_steps.extend([False, False, True])
        async with running(world.resolver.run):
            queue(world, world.plan("p1"))
            await pass_ms(2_000)
        result = await world.result("p1")
        assert result is not None
        assert (result.executed, result.error) == (False, Reason.VENUE_UNAVAILABLE.value)
        await world.agree()
        await world.execute(world.plan("p2"), "2-0")
        assert (await world.flushed())[-1].executed
        assert [permit.plan_id for permit in world.venue.requests] == ["p1", "p2"]

    play(story)


def test_a_busy_journal_after_the_request_leaves_an_order_that_is_only_asked_about() -> None:
    """The outcome could not be recorded: the order becomes UNKNOWN, is asked about, and never sent again."""

    async def story() -> None:
        world = await new_world()
        world.journal.busy_steps.extend([False, True])
        await world.execute(world.plan("p1"))
        order = await world.order("p1")
        assert order is not None
        assert order.state is OrderState.SENDING
        async with running(world.resolver.run):
            await pass_ms(1_000)
        (result,) = await world.flushed()
        assert (result.executed, result.filled_qty) == (True, D(5))
        assert len(world.venue.requests) == 1
        assert (await world.ledger()).amt == D(5)

    play(story)


def test_a_plan_waits_for_agreement_and_then_runs() -> None:
    """A plan right after an own fill waits until the reconciler agrees, and is executed by the knock of that."""

    async def story() -> None:
        world = await new_world()
        await world.execute(world.plan("p1"))
        async with running(lambda: world.execute(world.plan("p2", PlanSide.SELL), "2-0")) as (task,):
            await pass_ms(300)
            assert len(world.venue.requests) == 1
            await world.agree()
            world.apply.changed(LEG.symbol)
            await task
        assert [result.executed for result in await world.flushed()] == [True, True]
        assert (await world.ledger()).amt == ZERO

    play(story)


def test_a_plan_that_never_sees_agreement_is_refused_in_time() -> None:
    """After `agree_ms_max` without agreement the answer is `not_agreed`, journaled."""

    async def story() -> None:
        world = await new_world()
        await world.execute(world.plan("p1"))
        started = world.clock.now_ms()

        async def stamping() -> None:
            while True:
                await world.write(lambda tx: tx.set_stamp(tx.now_ms()))
                await pass_ms(100)

        async with running(stamping):
            await world.execute(world.plan("p2"), "2-0")
        assert world.clock.now_ms() - started <= 1_700
        result = await world.result("p2")
        assert result is not None
        assert result.error == Reason.NOT_AGREED.value
        assert len(world.venue.requests) == 1

    play(story)


def test_a_bus_that_cannot_be_read_denies() -> None:
    """Without a reading of the hold keys nothing is permitted."""

    async def story() -> None:
        world = await new_world()
        world.bus.down = True
        await world.execute(world.plan("p1"))
        world.bus.down = False
        (result,) = await world.flushed()
        assert result.error == Reason.BUS_UNREADABLE.value
        assert world.venue.requests == []

    play(story)


def test_an_execute_cannot_take_the_name_of_a_close() -> None:
    """An EXECUTE under an id of the system's own closes is refused and journals nothing under that id."""

    async def story() -> None:
        world = await new_world()
        for number, name in enumerate(("rc-h-BTCUSDT-2", "oc-r1-1")):
            await world.execute(world.plan(name), f"{number}-0")
            assert await world.recorded(name) is None
        assert [result.error for result in await world.flushed()] == [Reason.BAD_FIELD.value] * 2
        assert world.venue.requests == []

    play(story)


def test_a_trade_on_the_stream_outweighs_the_word_that_nothing_was_executed() -> None:
    """A "not executed" for an order whose trade was just seen is UNKNOWN: it is asked about, not repeated."""

    async def story() -> None:
        world = await new_world()

        async def liar(permit: Permit) -> SubmitOutcome:
            world.venue.fill(permit)
            return await not_executed(permit)

        world.venue.scripts.append(liar)
        async with running(world.resolver.run):
            await world.execute(world.plan("p1"))
            await pass_ms(1_000)
        (result,) = [each for each in await world.flushed() if not each.duplicate]
        assert (result.executed, result.filled_qty) == (True, D(5))
        assert len(world.venue.requests) == 1
        assert (await world.ledger()).amt == D(5)

    play(story)


def test_a_trade_seen_while_no_answer_came_is_not_dropped() -> None:
    """A trade that the stream showed during a request without an answer is booked though lookups fail."""

    async def story() -> None:
        world = await new_world()

        async def answer_lost(permit: Permit) -> SubmitOutcome:
            world.venue.fill(permit)
            world.venue.reads_fail = True
            return Unknown("timed out")

        world.venue.scripts.append(answer_lost)
        async with running(world.resolver.run):
            await world.execute(world.plan("p1"))
            await pass_ms(1_000)
            assert (await world.ledger()).amt == D(5)
            world.venue.reads_fail = False
            await pass_ms(10_000)
        assert [result.executed for result in await world.flushed()] == [True]

    play(story)


def test_junk_gets_its_own_code_and_is_acknowledged() -> None:
    """An entry that is no plan is answered with its problem under an id made of the entry's."""

    async def story() -> None:
        world = await new_world()
        world.intake._refuse_unread(PlanEntry("7-0", None, "", "", "", Reason.MISSING_FIELD, "no qty"))
        (result,) = await world.flushed()
        assert (result.result_id, result.error, result.executed) == ("bad-7-0", Reason.MISSING_FIELD.value, False)
        assert world.bus.acked == ["7-0"]

    play(story)
