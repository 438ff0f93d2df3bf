"""An order that rests, for the stories about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.domain.names import PlanId, client_order_id
from holdfast.lab.torture.loop import pass_ms
from holdfast.ports.venue import Unknown
from tests.unit.decide.samples import ACCOUNT
from tests.unit.services.world import new_world, running

if TYPE_CHECKING:
    from holdfast.domain.permit import Permit
    from holdfast.ports.venue import SubmitOutcome
    from tests.unit.services.world import World

NAME = client_order_id(ACCOUNT, PlanId("p1"))


async def resting() -> World:
    """A LIMIT order of plan p1 in the book; its plan unanswered."""
    world = await new_world()
    await world.execute(world.limit("p1"))
    order = await world.order("p1")
    assert order is not None
    assert order.rests
    assert await world.flushed() == []
    return world


async def resting_unheard() -> World:
    """The same order, but its answer was lost and the stream is silent: nobody here knows that it rests."""
    world = await new_world()

    async def lost(permit: Permit) -> SubmitOutcome:
        world.venue.rest(permit)
        return Unknown("timed out")

    world.venue.stream_is_silent = True
    world.venue.scripts.append(lost)
    await world.execute(world.limit("p1"))
    return world


async def settled(world: World, ms: int = 500) -> None:
    """Let apply's tasks look around."""
    async with running(world.resolver.run, world.canceller.run):
        await pass_ms(ms)
