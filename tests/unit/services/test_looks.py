"""Looks that can't learn everything at once: each goes on where the one before ended, and in the end all is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.domain.sides import Side
from holdfast.lab.torture.loop import pass_ms, play
from holdfast.services.looks import take_look
from holdfast.services.origins import ORDERS_ASKED_MAX
from tests.unit.decide.samples import LEG, ZERO, D
from tests.unit.services.test_healing import everything
from tests.unit.services.world import new_world, running

if TYPE_CHECKING:
    from holdfast.decide.evidence import Evidence
    from tests.unit.services.world import World


async def evidence(world: World) -> Evidence:
    """What one look brings."""
    return (await take_look(world.reconcile, world.venue, world.picture, LEG)).evidence


def test_many_unknown_orders_are_told_apart_over_several_looks() -> None:
    """More orders than one look may ask for: what was learnt is kept, and the third look knows them all."""

    async def story() -> None:
        world = await new_world()
        for number in range(2 * ORDERS_ASKED_MAX + 1):
            world.venue.trade(LEG, Side.BUY, D(1), f"web_{number}")
        seen = [await evidence(world) for _ in range(3)]
        assert [each.complete for each in seen] == [False, False, True]
        assert [len(each.foreign) for each in seen] == [20, 40, 41]
        assert world.venue.lookups == 2 * ORDERS_ASKED_MAX + 1, "each was asked for once"

    play(story)


def test_orders_that_the_venue_does_not_know_hide_none_of_the_others() -> None:
    """Orders that don't exist are asked for again after all others; the venue's own are found by its list."""

    async def story() -> None:
        world = await new_world()
        for number in range(ORDERS_ASKED_MAX + 5):
            (trade,) = world.venue.trade(LEG, Side.BUY, D(1), "adl_autoclose" if number < ORDERS_ASKED_MAX else "web_1")
            if number < ORDERS_ASKED_MAX:
                world.venue.unknown_orders.add(trade.order_id)
        (gone,) = world.venue.trade(LEG, Side.SELL, D(1), "web_2")
        world.venue.unknown_orders.add(gone.order_id)
        first, second, third = [await evidence(world) for _ in range(3)]
        assert (len(first.forced), len(first.foreign), first.complete) == (ORDERS_ASKED_MAX, 0, False)
        assert (len(second.forced), len(second.foreign), second.complete) == (ORDERS_ASKED_MAX, 5, False)
        assert not third.complete, "one order's origin cannot be told"
        assert world.venue.forced_reads == 3

    play(story)


def test_more_trades_than_a_look_may_read_are_read_by_the_next_ones() -> None:
    """Each look reads on from the last trade of the one before it, and the drift heals though none reads it all."""

    async def story() -> None:
        world = await new_world()
        world.venue.trades_a_look = 3
        for _ in range(8):
            world.venue.trade(LEG, Side.BUY, D(1))
        seen = [await evidence(world) for _ in range(4)]
        assert [(len(each.foreign), each.complete) for each in seen] == [(3, False), (6, False), (8, True), (3, False)]
        world.picture.trails.clear()
        async with running(*everything(world)):
            await pass_ms(10_000)
            assert world.venue.positions[LEG] == ZERO
            assert await world.holds() == ()

    play(story)
