"""Exits that other reconcilers tried for ever, too late, or on what was not there any more.

freqtrade #4470, #11783, #6739, #7107; hummingbot #493, #5801; MetaMask PR #9719.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.entry import EntryKind
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import PlanSide, Side
from holdfast.lab.torture.loop import pass_ms, play
from holdfast.ports.venue import NotExecuted, PositionsSeen, Refused, Unknown
from tests.unit.decide.samples import LEG, LIMITS, VIEW, ZERO, D
from tests.unit.services.test_healing import everything
from tests.unit.services.world import new_world, running

if TYPE_CHECKING:
    from holdfast.domain.permit import Permit
    from holdfast.ports.venue import SubmitOutcome
    from tests.unit.services.world import World

REDUCE_ONLY_REJECTED = Refused(Reason.VENUE_REFUSED, -2022, "ReduceOnly Order is rejected.")
UNAVAILABLE = NotExecuted(Reason.VENUE_UNAVAILABLE, "503 Service Unavailable.", 0)


def streams_position(world: World) -> None:
    """The stream tells what the position is now."""
    now = world.clock.now_ms()
    view = replace(VIEW, amt=world.venue.positions[LEG], as_of_ms=now, read_ms=now)
    world.venue.stream_events.append((PositionsSeen((view,), "ORDER"),))


@pytest.mark.parametrize("left", ["4", "0"])
def test_an_exit_must_not_be_tried_for_more_than_there_is(left: str) -> None:
    """Less is there than the ledger says: nobody sends an exit, and the strategy's own meets a hold (#4470)."""

    async def story() -> None:
        world = await new_world()
        await world.own(D(7))
        world.venue.trades_are_hidden = True
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.SELL, D(7) - D(left))
            await pass_ms(3_000)
            for number in range(5):
                await world.execute(world.plan(f"p{number}", PlanSide.CLOSE, D(7)))
                await pass_ms(5_000)
            results = [await world.result(f"p{number}") for number in range(5)]
        assert world.venue.requests == []
        assert {result.error for result in results if result is not None} <= {Reason.HOLD_ACTIVE.value}
        assert world.person.told

    play(story)


@pytest.mark.parametrize("name", ["stop-of-the-web", "autoclose-77"])
def test_a_position_that_the_exchange_itself_closed_must_not_be_closed_again(name: str) -> None:
    """A stop at the exchange, or a liquidation, takes all: nothing more is sold, and the books follow (#11783)."""

    async def story() -> None:
        world = await new_world()
        await world.own(D(7))
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.SELL, D(7), name)
            await pass_ms(20_000)
        assert world.venue.requests == []
        assert world.venue.positions[LEG] == ZERO == (await world.ledger()).amt
        assert world.person.told

    play(story)


def test_a_close_that_the_venue_rejects_must_not_be_sent_in_a_loop() -> None:
    """-2022 again and again: three attempts, spaced, then a person, and not one request more (#6739)."""

    async def story() -> None:
        world = await new_world()

        async def rejects(_permit: Permit) -> SubmitOutcome:
            return REDUCE_ONLY_REJECTED

        world.venue.scripts.extend([rejects] * 50)
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.BUY, D(7))
            await pass_ms(40_000)
        assert len(world.venue.requests) == LIMITS.close_attempts_max
        (hold,) = await world.holds()
        assert hold.close_attempts == LIMITS.close_attempts_max
        assert world.person.told

    play(story)


def test_a_close_that_is_rejected_because_nothing_is_left_must_end_the_episode() -> None:
    """Somebody closes while our close is on its way: the rejection loops nowhere, the hold ends (#6739)."""

    async def story() -> None:
        world = await new_world()

        async def too_late(_permit: Permit) -> SubmitOutcome:
            world.venue.trade(LEG, Side.SELL, D(7), "web_2")
            return REDUCE_ONLY_REJECTED

        world.venue.scripts.append(too_late)
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.BUY, D(7))
            await pass_ms(20_000)
        assert len(world.venue.requests) == 1
        assert await world.holds() == ()
        assert not world.person.told

    play(story)


@pytest.mark.parametrize("name", ["autoclose-1", "adl_autoclose", "settlement_autoclose-1"])
def test_a_liquidation_must_not_be_noticed_an_hour_late(name: str) -> None:
    """What the exchange forces is held within a tenth of a second of the stream's word (#7107)."""

    async def story() -> None:
        world = await new_world()
        await world.own(D(7))
        async with running(*everything(world)):
            await pass_ms(3_100)
            world.venue.trade(LEG, Side.SELL, D(5), name)
            streams_position(world)
            await pass_ms(100)
            assert len(await world.holds()) == 1
            await pass_ms(10_000)
            assert world.person.told

    play(story)


@pytest.mark.parametrize("was_executed", [True, False])
def test_a_time_out_must_not_be_taken_for_a_failure(was_executed: bool) -> None:  # noqa: FBT001 - both truths
    """A close without an answer is asked about, never sent again while it may still be executed (hummingbot #493)."""

    async def story() -> None:
        world = await new_world()

        async def times_out(permit: Permit) -> SubmitOutcome:
            if was_executed:
                world.venue.fill(permit)
            return Unknown("timed out")

        world.venue.scripts.append(times_out)
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.BUY, D(7))
            await pass_ms(2_900)
            assert len(world.venue.requests) == 1
            await pass_ms(30_000)
        assert world.venue.positions[LEG] == ZERO
        assert len(world.venue.requests) == (1 if was_executed else 2)
        assert await world.holds() == ()

    play(story)


def test_a_close_that_met_a_503_must_not_leave_its_position_open() -> None:
    """A documented "not executed" is tried again by a whole new permit until the close is through (#5801)."""

    async def story() -> None:
        world = await new_world()

        async def not_now(_permit: Permit) -> SubmitOutcome:
            return UNAVAILABLE

        world.venue.scripts.extend([not_now] * (LIMITS.send_attempts_max + 1))
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.BUY, D(7))
            await pass_ms(30_000)
        assert world.venue.positions[LEG] == ZERO
        assert await world.holds() == ()
        assert not world.person.told

    play(story)


@pytest.mark.parametrize(("ledger", "meanwhile"), [("0", "4"), ("0", "1"), ("2", "1"), ("2", "6")])
def test_a_close_must_not_fail_for_being_sized_on_what_was(ledger: str, meanwhile: str) -> None:
    """Somebody sells between plan and send: the old size is not sent, the new one is (MetaMask PR #9719)."""

    async def story() -> None:
        world = await new_world()
        if D(ledger) != ZERO:
            await world.own(D(ledger))
        moved: list[bool] = []

        async def sold() -> None:
            if EntryKind.CLOSE_PLANNED in await world.entries() and not moved:
                moved.append(True)
                world.venue.trade(LEG, Side.SELL, D(meanwhile), "web_2")
            elif not moved:
                world.venue.before_view = sold

        world.venue.before_view = sold
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.BUY, D(7))
            await pass_ms(20_000)
        assert moved
        assert world.venue.positions[LEG] == D(ledger) == (await world.ledger()).amt
        assert await world.holds() == ()
        assert sum((permit.qty for permit in world.venue.requests), ZERO) == D(7) - D(meanwhile)

    play(story)
