"""What other reconcilers did to their books: fills lost once they were "seen", counted twice, or made up at a restart.

nautilus_trader #4518, #4522, #3493, #4736, #4517, #4617, #4729; LEAN TradeStation #101; point 10 of the older system.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.entry import EntryKind
from holdfast.domain.hold import HoldReason
from holdfast.domain.names import PlanId
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Leg, PlanSide, PositionSide, Side
from holdfast.lab.torture.loop import pass_ms, play
from holdfast.ports.venue import Accepted, Unknown
from tests.unit.decide.samples import ACCOUNT, LEG, LIMITS, OTHER_SYMBOL, ZERO, D
from tests.unit.services.test_healing import everything
from tests.unit.services.weather import Weather, in_weather
from tests.unit.services.world import entry_of, new_world, running

if TYPE_CHECKING:
    from holdfast.domain.permit import Permit
    from holdfast.ports.venue import SubmitOutcome

BOTH = frozenset({LEG.symbol, OTHER_SYMBOL})
OTHER = Leg(ACCOUNT, OTHER_SYMBOL, PositionSide.BOTH)


@pytest.mark.parametrize("busy_step", range(1, 5))
def test_a_fill_must_not_be_lost_because_it_was_seen_before_it_was_booked(busy_step: int) -> None:
    """Whichever transaction around a fill fails, what the stream showed is booked in the end, once (#4518, #4522)."""

    async def story() -> None:
        world = await new_world()
        async with running(*everything(world)):
            await pass_ms(1_000)
            world.journal.busy_steps.extend([False] * (busy_step - 1) + [True])
            world.bus.plans.append(entry_of(world.plan("p1")))
            await pass_ms(15_000)
        filled = sum((trade.qty for trade in world.venue.trade_list), ZERO)
        assert (await world.ledger()).amt == filled
        assert await world.holds() == ()
        assert all(permit.plan_id == PlanId("p1") for permit in world.venue.requests)

    play(story)


@pytest.mark.parametrize("late_ms", [0, 100, 400, 3_000])
def test_a_fill_must_not_count_twice_because_the_answer_told_of_it_first(late_ms: int) -> None:
    """The answer says executed; its trade comes by REST, by the stream, late and again: booked once (#3493)."""

    async def story() -> None:
        weather = Weather(tells_after_ms=(max(late_ms, 1),), tells_again_after_ms=(50, 900), reads_lag_ms=(0, 300))
        world = await new_world(LIMITS, partial(in_weather, weather))
        async with running(*everything(world)[1:]):
            await pass_ms(1_000)
            await world.execute(world.plan("p1"))
            await pass_ms(15_000)
        assert (await world.ledger()).amt == D(5)
        order = await world.order("p1")
        assert order is not None
        assert order.booked_qty == D(5)
        assert await world.holds() == ()

    play(story)


@pytest.mark.parametrize("there", ["3", "-4"])
def test_a_start_must_not_invent_the_fill_that_would_make_the_books_agree(there: str) -> None:
    """A ledger of 7 meets another position at a start: it is held, and no fill of ours is made up (#4736)."""

    async def story() -> None:
        world = await new_world()
        await world.own(D(7))
        world.venue.positions[LEG] = D(there)  # while nobody looked, and no trade tells why
        world.venue.updated_ms[LEG] = world.clock.now_ms() - 1
        async with running(*everything(world)):
            await pass_ms(20_000)
        assert (await world.ledger()).amt == D(7)
        assert not {EntryKind.WRITTEN_DOWN, EntryKind.REPAIR} & set(await world.entries())
        assert len(await world.holds()) == 1
        assert world.person.told

    play(story)


def test_a_stale_snapshot_must_not_become_a_phantom_short() -> None:
    """After our own sale the reads go on showing what was there before: nothing is sold or booked again (#4517)."""

    async def story() -> None:
        positions_ms, trades_ms = 900, 1  # the fill is booked at once, the position shows it late
        weather = Weather(tells_after_ms=(positions_ms, trades_ms), reads_lag_ms=(LIMITS.settle_ms_max,))
        world = await new_world(LIMITS, partial(in_weather, weather))
        async with running(*everything(world)[1:]):
            await pass_ms(1_000)
            await world.execute(world.plan("p1"))
            await pass_ms(6_000)
            await world.execute(world.plan("p2", PlanSide.SELL))
            await pass_ms(10_000)
        assert [permit.plan_id for permit in world.venue.requests] == [PlanId("p1"), PlanId("p2")]
        assert (await world.ledger()).amt == world.venue.positions[LEG] == ZERO
        assert not {EntryKind.CLOSE_PLANNED, EntryKind.HOLD_SET} & set(await world.entries())

    play(story)


def test_a_question_without_an_answer_must_not_be_read_as_flat() -> None:
    """While the venue does not answer, a ledger of 7 stays 7, nothing is closed, and nothing is permitted (#4617)."""

    async def story() -> None:
        world = await new_world()
        await world.own(D(7))
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.reads_fail = True
            await pass_ms(20_000)
            assert (await world.ledger()).amt == D(7)
            assert [hold.reason for hold in await world.holds()] == [HoldReason.VIEW_STALE]
            await world.execute(world.plan("p1"))
            result = await world.result("p1")
            assert result is None or result.error == Reason.HOLD_ACTIVE.value
            world.venue.reads_fail = False
            await pass_ms(10_000)
        assert world.venue.requests == []
        assert await world.holds() == ()
        assert (await world.ledger()).amt == D(7)

    play(story)


def test_a_dropped_fill_frame_must_not_liquidate_the_position() -> None:
    """Our fill is on no stream, and its answer is lost: it is asked for and booked, and never closed (LEAN #101)."""

    async def story() -> None:
        world = await new_world()
        world.venue.stream_is_silent = True

        async def lost(permit: Permit) -> SubmitOutcome:
            world.venue.fill(permit)
            return Unknown("timed out")

        world.venue.scripts.append(lost)
        async with running(*everything(world)):
            await pass_ms(1_000)
            await world.execute(world.plan("p1"))
            await pass_ms(15_000)
        assert len(world.venue.requests) == 1
        assert (await world.ledger()).amt == world.venue.positions[LEG] == D(5)
        assert await world.holds() == ()

    play(story)


def test_a_ledger_that_is_missing_or_zero_must_not_be_overwritten_from_the_exchange() -> None:
    """A position that nobody booked is held as long as it stands, the ledger stays zero (older system, point 10)."""

    async def story() -> None:
        world = await new_world(replace(LIMITS, symbols=BOTH))
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trades_are_hidden = True
            world.venue.scripts.extend([never] * 50)
            world.venue.trade(OTHER, Side.BUY, D(7))
            await pass_ms(70_000)
            assert (await world.ledger(OTHER)).amt == ZERO
            assert [hold.leg for hold in await world.holds()] == [OTHER]
        assert EntryKind.ADOPTED not in await world.entries()
        assert world.person.told

    play(story)


async def never(_permit: Permit) -> SubmitOutcome:
    """A request that is lost on its way."""
    return Unknown("timed out")


def test_an_answer_alone_must_not_book_what_no_trade_shows() -> None:
    """An answer that says executed while no trade of it exists moves no ledger: trades alone do."""

    async def story() -> None:
        world = await new_world()
        world.venue.stream_is_silent = True

        async def claims(permit: Permit) -> SubmitOutcome:
            report = world.venue.fill(permit)
            world.venue.trades_are_hidden = True
            return Accepted(report)

        world.venue.scripts.append(claims)
        async with running(world.resolver.run):
            await world.execute(world.plan("p1"))
            await pass_ms(3_000)
            assert (await world.ledger()).amt == ZERO
            world.venue.trades_are_hidden = False
            await pass_ms(10_000)
        assert (await world.ledger()).amt == D(5)

    play(story)
