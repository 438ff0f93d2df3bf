"""Who may end an order that rests, and how that is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.entry import EntryKind
from holdfast.domain.hold import HoldReason
from holdfast.domain.names import ClientOrderId, PlanId, client_order_id
from holdfast.domain.order import VenueOrderStatus
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import PlanSide, TradingState
from holdfast.lab.torture.loop import pass_ms, play
from holdfast.ports.venue import Cancelled, Refused, Unknown
from tests.unit.decide.samples import ACCOUNT, LEG, D
from tests.unit.services.resting import NAME, resting, settled
from tests.unit.services.world import new_world, running

if TYPE_CHECKING:
    from holdfast.domain.permit import Permit
    from holdfast.ports.journal import Tx
    from holdfast.ports.venue import CancelOutcome, SubmitOutcome
    from tests.unit.services.world import World


async def gone(world: World, name: ClientOrderId = NAME) -> bool:
    """Tell whether the venue's book lacks the order now."""
    return world.venue.orders[name].report.status.is_final


@pytest.mark.parametrize("reduces", [False, True])
@pytest.mark.parametrize("reason", [HoldReason.DRIFT, HoldReason.VIEW_STALE])
def test_a_hold_cancels_what_could_raise_the_exposure(reason: HoldReason, *, reduces: bool) -> None:
    """Any hold ends an order that may open; an exit rests on under a blind moment, not where amounts are disputed."""

    async def story() -> None:
        world = await new_world()
        await world.own(D(8))
        side = PlanSide.SELL if reduces else PlanSide.BUY
        await world.execute(world.limit("p1", side=side, reduce_only=reduces))
        await world.hold(reason)
        await settled(world)
        ends = not reduces or reason is HoldReason.DRIFT
        assert await gone(world) is ends
        kinds = await world.entries()
        assert (EntryKind.CANCEL_ASKED in kinds) is ends
        results = await world.flushed()
        assert [result.error for result in results] == ([Reason.CANCELED.value] if ends else [])

    play(story)


def test_a_halt_cancels_entries_and_leaves_exits() -> None:
    """Halted, the resting entry ends and the resting exit stays."""

    async def story() -> None:
        world = await new_world()
        await world.own(D(8))
        await world.execute(world.limit("p1"))
        await world.execute(world.limit("p2", side=PlanSide.CLOSE, price=D(20)))
        await world.write(lambda tx: tx.set_trading_state(TradingState.HALTED, "the test"))
        await settled(world)
        assert await gone(world)
        assert not await gone(world, client_order_id(ACCOUNT, PlanId("p2")))

    play(story)


def test_the_wish_is_journaled_before_the_cancel_leaves() -> None:
    """When the cancel reaches the venue the journal holds the wish and its reason already."""

    async def story() -> None:
        world = await resting()

        async def look(name: ClientOrderId) -> CancelOutcome:
            order = await world.order("p1")
            assert order is not None
            assert order.cancel is not None
            assert "drift" in order.cancel.why
            return Cancelled(world.venue.end(name, VenueOrderStatus.CANCELED))

        world.venue.cancel_scripts.append(look)
        await world.hold()
        await settled(world)
        assert world.venue.cancels == [NAME]

    play(story)


def test_a_cancel_without_an_answer_is_asked_about_and_repeated_while_the_order_rests() -> None:
    """A lost answer proves nothing: the order is looked up, and cancelled again if it still rests."""

    async def story() -> None:
        world = await resting()

        async def lost(_name: ClientOrderId) -> CancelOutcome:
            return Unknown("timed out")

        world.venue.cancel_scripts.extend([lost, lost])
        await world.hold()
        await settled(world, 2_000)
        assert len(world.venue.cancels) == 3
        assert world.venue.lookups == 2
        assert (await world.flushed())[0].error == Reason.CANCELED.value

    play(story)


def test_a_cancel_that_worked_without_an_answer_is_not_repeated() -> None:
    """The order was cancelled and the answer lost: one lookup tells, and no second cancel leaves."""

    async def story() -> None:
        world = await resting()
        world.venue.stream_is_silent = True

        async def worked(name: ClientOrderId) -> CancelOutcome:
            world.venue.end(name, VenueOrderStatus.CANCELED)
            return Unknown("timed out")

        world.venue.cancel_scripts.append(worked)
        await world.hold()
        await settled(world, 2_000)
        assert len(world.venue.cancels) == 1
        assert (await world.flushed())[0].error == Reason.CANCELED.value

    play(story)


def test_a_fill_that_comes_before_the_cancel_wins() -> None:
    """The venue's final state decides: an order that was filled first is executed, whatever was asked of it."""

    async def story() -> None:
        world = await resting()
        world.venue.stream_is_silent = True
        await world.hold()
        world.venue.reach(NAME, D(5))
        await settled(world, 2_000)
        (result,) = await world.flushed()
        assert (result.executed, result.status, result.filled_qty) == (True, "FILLED", D(5))
        assert (await world.ledger()).amt == D(5)

    play(story)


def test_a_part_filled_before_the_cancel_is_booked_with_it() -> None:
    """A cancel's answer that tells of a fill nobody heard of lets its trades be asked for first."""

    async def story() -> None:
        world = await resting()
        world.venue.stream_is_silent = True
        world.venue.reach(NAME, D(2))
        await world.hold()
        await settled(world, 2_000)
        (result,) = await world.flushed()
        assert (result.executed, result.status, result.filled_qty) == (True, "PARTIAL", D(2))
        assert (await world.ledger()).amt == D(2)

    play(story)


def test_a_close_ends_what_rests_on_its_leg_first() -> None:
    """A resting exit would use the position up (-4118): it ends before the close is claimed, which works."""

    async def story() -> None:
        world = await new_world()
        await world.own(D(8))
        await world.execute(world.limit("p1", side=PlanSide.CLOSE, qty=D(8), price=D(20)))
        world.venue.positions[LEG] = D(10)

        async def conflict(permit: Permit) -> SubmitOutcome:
            if not await gone(world):
                return Refused(Reason.VENUE_REFUSED, -4118, "ReduceOnly Order Failed.")
            world.venue.fill(permit)
            return Unknown("asked about")

        await world.hold()
        world.venue.scripts.append(conflict)
        close = await world.plan_close(D(2))
        async with running(world.resolver.run):
            await world.closer.close(close.plan_id)
            await pass_ms(1_000)
        assert world.venue.cancels == [NAME]
        assert world.venue.positions[LEG] == D(8)
        result = await world.result(close.plan_id)
        assert result is not None
        assert result.executed

    play(story)


def test_an_asked_cancel_survives_a_restart() -> None:
    """A wish that was journaled and never left is carried out by whoever looks next, hold or no hold."""

    async def story() -> None:
        world = await resting()

        async def down(_name: ClientOrderId) -> CancelOutcome:
            return Unknown("the line is down")

        world.venue.cancel_scripts.append(down)
        hold = await world.hold()
        await settled(world, 20)

        def release(tx: Tx) -> None:
            tx.put_hold(replace(hold, released_ms=tx.now_ms()))

        await world.write(release)
        again = type(world.canceller)(world.apply, world.venue, world.sender, world.publisher)
        async with running(again.run):
            await pass_ms(500)
        assert await gone(world)

    play(story)
