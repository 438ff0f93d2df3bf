"""Closes that other systems held back themselves, or that something of their own stood in the way of.

hummingbot #6609, #8283, #7094; Qubx #386; MetaMask PR #9719.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.sides import OrderType, PlanSide, Side
from holdfast.lab.torture.loop import pass_ms, play
from tests.unit.decide.samples import INSTRUMENT, LEG, ZERO, D
from tests.unit.services.test_healing import everything
from tests.unit.services.world import new_world, running

if TYPE_CHECKING:
    from holdfast.domain.instrument import Instrument
    from tests.unit.services.world import World


def with_rules(world: World, rules: Instrument) -> None:
    """The venue's rules for the symbol, changed."""
    world.rules.instruments = {LEG.symbol: rules}


def test_a_close_must_not_be_held_back_by_a_minimum_that_the_venue_waives() -> None:
    """A reduce-only close below the smallest notional is sent: the minimum is for what opens (#7094)."""

    async def story() -> None:
        world = await new_world()
        with_rules(world, replace(INSTRUMENT, notional_min=D(1_000)))
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.BUY, D(3))
            await pass_ms(10_000)
        assert [(permit.qty, permit.reduce_only) for permit in world.venue.requests] == [(D(3), True)]
        assert world.venue.positions[LEG] == ZERO
        assert await world.holds() == ()

    play(story)


@pytest.mark.parametrize(("foreign", "sent"), [("2.7", "2"), ("3", "3"), ("5.99", "5")])
def test_a_close_must_not_be_rounded_up_beyond_what_there_is(foreign: str, sent: str) -> None:
    """Off the step the size is cut, never raised: the venue takes it, and what is left is below a step (PR #9719)."""

    async def story() -> None:
        world = await new_world()
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.BUY, D(foreign))
            await pass_ms(10_000)
        assert [permit.qty for permit in world.venue.requests] == [D(sent)]
        assert await world.holds() == ()

    play(story)


def test_an_own_exit_that_rests_must_not_use_the_position_up() -> None:
    """A resting reduce-only order of ours is cancelled before the close is sent, which then finds room (#386)."""

    async def story() -> None:
        world = await new_world()
        await world.own(D(4))
        async with running(*everything(world), world.canceller.run):
            await pass_ms(1_000)
            await world.execute(world.limit("exit", PlanSide.SELL, D(4), reduce_only=True))
            await pass_ms(2_000)
            world.venue.trade(LEG, Side.BUY, D(3))
            await pass_ms(20_000)
        assert [str(name) for name in world.venue.cancels] == [str(world.venue.requests[0].client_order_id)]
        close = world.venue.requests[-1]
        assert (close.order_type, close.qty) == (OrderType.MARKET, D(3))
        assert world.venue.positions[LEG] == D(4) == (await world.ledger()).amt
        assert await world.holds() == ()

    play(story)


def test_a_large_close_must_not_be_refused_for_its_size() -> None:
    """Above the venue's largest MARKET order it goes in slices, each within the bound, until the drift is gone."""

    async def story() -> None:
        world = await new_world()
        with_rules(world, replace(INSTRUMENT, market_qty_max=D(4)))
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.BUY, D(10))
            await pass_ms(20_000)
        assert [permit.qty for permit in world.venue.requests] == [D(4), D(4), D(2)]
        assert world.venue.positions[LEG] == ZERO
        assert await world.holds() == ()

    play(story)


def test_a_close_must_not_wait_for_a_bus_that_lost_its_message() -> None:
    """The bus is down from plan to send: apply takes the close from the journal, and the position is closed."""

    async def story() -> None:
        world = await new_world()
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.bus.down = True
            world.venue.trade(LEG, Side.BUY, D(7))
            await pass_ms(10_000)
            assert world.venue.positions[LEG] == ZERO
            assert await world.holds() == ()

    play(story)
