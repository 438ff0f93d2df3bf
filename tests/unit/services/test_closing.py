"""One RECONCILE_CLOSE through its guardrails: what a message can't do, and what a refusal leaves behind."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.close import CloseState, plan_of_close
from holdfast.domain.entry import EntryKind
from holdfast.domain.hold import StepKind
from holdfast.domain.names import PlanId
from holdfast.domain.order import OrderState
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Side
from holdfast.lab.torture.loop import pass_ms, play
from holdfast.ports.venue import NotExecuted, Unknown
from tests.unit.decide.samples import LEG, ZERO, D
from tests.unit.services.world import entry_of, new_world, running

if TYPE_CHECKING:
    from holdfast.domain.close import Close
    from holdfast.domain.permit import Permit
    from holdfast.domain.plan import PlanResult
    from holdfast.ports.venue import SubmitOutcome
    from tests.unit.services.world import World


async def not_executed(_permit: Permit) -> SubmitOutcome:
    """The venue's documented word that it did nothing."""
    return NotExecuted(Reason.VENUE_UNAVAILABLE, "-1008", 20)


async def drifted(exchange: str = "7") -> tuple[World, Close]:
    """A foreign position under a hold, and a close of all of it."""
    world = await new_world()
    world.venue.trade(LEG, Side.BUY, D(exchange))
    await pass_ms(10)
    await world.hold()
    return world, await world.plan_close(D(exchange))


def test_a_close_leaves_the_ledger_alone_and_ends_with_its_order() -> None:
    """The fill undoes the drift: the position is flat, the ledger never moved, close and plan have ended."""

    async def story() -> None:
        world, close = await drifted()
        await world.closer.close(close.plan_id)
        assert world.venue.positions[LEG] == ZERO
        assert (await world.ledger()).amt == ZERO
        ended = await world.close(close.plan_id)
        assert ended is not None
        assert ended.state is CloseState.DONE
        assert [result.executed for result in await world.flushed()] == [True]
        assert world.metrics.executed == 1

    play(story)


@pytest.mark.parametrize("field", ["qty", "side", "hold", "expires", "unknown"])
def test_a_forged_message_is_refused_and_touches_nothing(field: str) -> None:
    """A message that is not the journal's close, field for field, sends nothing and changes no state."""

    async def story() -> None:
        world, close = await drifted()
        plan = plan_of_close(close)
        if field == "qty":
            plan = replace(plan, qty=D(70))
        elif field == "side":
            plan = replace(plan, reduce_only=False)
        elif field == "hold":
            plan = replace(plan, close_claim=None)
        elif field == "expires":
            plan = replace(plan, expires_ms=close.expires_ms + 1)
        else:
            plan = replace(plan, plan_id=PlanId("rc-forged"))
        before = await world.entries()
        await world.closer.take_message(entry_of(plan, "9-0"), plan)
        (result,) = await world.flushed()
        assert (result.executed, result.result_id) == (False, "forged-9-0")
        assert result.error
        assert world.bus.acked == ["9-0"]
        assert world.venue.requests == []
        assert await world.entries() == before
        assert await world.close(close.plan_id) == close
        assert world.wakes.closes.take_now() == ()

    play(story)


def test_the_journals_own_message_only_wakes() -> None:
    """The true message is acknowledged without a result; the close is taken from the journal."""

    async def story() -> None:
        world, close = await drifted()
        await world.closer.take_message(entry_of(plan_of_close(close), "9-0"), plan_of_close(close))
        assert await world.flushed() == []
        assert world.bus.acked == ["9-0"]
        assert world.wakes.closes.take_now() == (close.plan_id,)
        assert world.venue.requests == []

    play(story)


@pytest.mark.parametrize("trouble", ["unreadable", "mended", "flipped", "released", "expired"])
def test_a_refusal_keeps_the_hold_and_backs_off(trouble: str) -> None:
    """Facts that changed refuse the close before anything is sent; an open hold stays and has a timed next step."""

    async def story() -> None:
        world, close = await drifted()
        hold = (await world.holds())[0]
        if trouble == "unreadable":
            world.venue.reads_fail = True
        elif trouble == "mended":
            world.venue.trade(LEG, Side.SELL, D(7))
        elif trouble == "flipped":
            world.venue.trade(LEG, Side.SELL, D(9))
        elif trouble == "released":
            await world.write(lambda tx: tx.put_hold(replace(hold, released_ms=tx.now_ms())))
        else:
            await pass_ms(6_000)
        await world.closer.close(close.plan_id)
        assert world.venue.requests == []
        refused = await world.close(close.plan_id)
        assert refused is not None
        assert refused.state is CloseState.REFUSED
        (result,) = await world.flushed()
        assert (result.executed, result) == (False, await world.result(close.plan_id))
        assert result.error
        for kept in await world.holds():
            assert kept.next_step.kind is StepKind.CLOSE_BACKOFF
            assert kept.next_step.due_ms > world.clock.now_ms()
        assert len(await world.holds()) == (0 if trouble == "released" else 1)

    play(story)


def test_a_close_that_is_refused_at_its_second_try_leaves_no_order_behind() -> None:
    """Not executed, then mended by hand: the retry is refused, and its order blocks nothing afterwards."""

    async def story() -> None:
        world, close = await drifted()

        async def mended_meanwhile(permit: Permit) -> SubmitOutcome:
            world.venue.trade(LEG, Side.SELL, D(7))
            return await not_executed(permit)

        world.venue.scripts.append(mended_meanwhile)
        await world.closer.close(close.plan_id)
        order = await world.order(close.plan_id)
        assert order is not None
        assert order.state is OrderState.REFUSED
        assert await world.query(lambda reads: reads.live_orders(None)) == ()
        assert [result.error for result in await world.flushed()] == [Reason.POSITION_FLAT.value]
        assert len(world.venue.requests) == 1

    play(story)


@pytest.mark.parametrize("busy_step", [3, 4])
def test_a_busy_journal_between_two_tries_leaves_no_close_unfinished(busy_step: int) -> None:
    """A retry that finds the journal busy ends the close one way or the other, by at most one more request."""

    async def story() -> None:
        world, close = await drifted()
        world.venue.scripts.append(not_executed)
        world.journal.busy_steps.extend([False] * (busy_step - 1) + [True])
        async with running(world.inbox.run, world.intake.run_closes, world.resolver.run):
            await pass_ms(3_000)
        ended = await world.close(close.plan_id)
        assert ended is not None
        assert not ended.state.is_unfinished
        assert await world.query(lambda reads: reads.live_orders(None)) == ()
        assert await world.result(close.plan_id) is not None
        assert len(world.venue.requests) <= 2

    play(story)


def test_a_close_without_an_answer_stays_claimed_and_is_never_sent_again() -> None:
    """A close of unknown fate is asked about; proven absent it counts as an attempt without progress."""

    async def story() -> None:
        world, close = await drifted()

        async def lost(_permit: Permit) -> SubmitOutcome:
            return Unknown("timed out")

        world.venue.scripts.append(lost)
        async with running(world.inbox.run, world.intake.run_closes, world.resolver.run):
            await pass_ms(1_000)
            claimed = await world.close(close.plan_id)
            assert claimed is not None
            assert claimed.state is CloseState.CLAIMED
            await pass_ms(20_000)
        assert [result.error for result in await world.flushed()] == [Reason.NOT_ACCEPTED.value]
        (hold,) = await world.holds()
        assert (hold.close_attempts, hold.next_step.kind) == (1, StepKind.CLOSE_BACKOFF)
        assert len(world.venue.requests) == 1
        assert EntryKind.CLOSE_FAILED in await world.entries()

    play(story)


def test_a_close_is_not_undone_by_a_plan_that_took_its_name() -> None:
    """A result that already stands under the close's id, of whatever plan, does not keep the close from ending."""

    async def story() -> None:
        world, close = await drifted()
        squatter = replace((await drifted_result(world)), plan_id=close.plan_id)
        await world.write(lambda tx: tx.put_plan(close.plan_id, "other", LEG.symbol, squatter))
        await world.closer.close(close.plan_id)
        ended = await world.close(close.plan_id)
        assert ended is not None
        assert ended.state is CloseState.DONE
        result = await world.result(close.plan_id)
        assert result is not None
        assert result.executed

    play(story)


async def drifted_result(world: World) -> PlanResult:
    """A refusal, as a hold gives it."""
    await world.execute(world.plan("squatter"))
    result = await world.result("squatter")
    assert result is not None
    return result


def test_what_will_not_pass_is_planned_ever_more_rarely() -> None:
    """Refusals in a row double the wait, so that a close that never passes does not fill the journal."""

    async def story() -> None:
        world, first = await drifted()
        waits = []
        world.venue.reads_fail = True
        for number in range(1, 10):
            close = first if number == 1 else await world.plan_close(D(7), number)
            await world.closer.close(close.plan_id)
            (hold,) = await world.holds()
            waits.append(hold.next_step.due_ms - world.clock.now_ms())
            await pass_ms(waits[-1] + 1)
        assert waits == [500, 1_000, 2_000, 4_000, 8_000, 16_000, 16_000, 16_000, 16_000]

    play(story)
