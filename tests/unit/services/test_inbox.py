"""One look into the journal wakes whoever is to carry out what others put there, and nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from holdfast.domain.operator import RequestKind
from holdfast.lab.torture.loop import pass_ms, play
from holdfast.services.pace import Pace
from tests.unit.decide.samples import D
from tests.unit.services.world import new_world, running

if TYPE_CHECKING:
    from tests.unit.services.world import World

ONE_LOOK_MS = Pace().asked_ms + 10


def woken(world: World) -> set[str]:
    """Who was knocked at since this was asked last."""
    wakes = world.apply.wakes
    found = {
        "closes": wakes.closes.take_now(),
        "operator closes": wakes.operator_closes.take_now(),
        "resolves": wakes.operator_resolves.take_now(),
    }
    return {name for name, keys in found.items() if keys}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (RequestKind.CLOSE, {"operator closes"}),
        (RequestKind.RESOLVE_FILLED, {"resolves"}),
        (RequestKind.RESOLVE_ENDED, {"resolves"}),
        (RequestKind.RESOLVE_NOT_ACCEPTED, {"resolves"}),
        (RequestKind.ADOPT, set[str]()),
        (RequestKind.HOLD, set[str]()),
    ],
)
def test_a_request_wakes_whoever_carries_it_out(kind: RequestKind, expected: set[str]) -> None:
    """An operator's request is found within one look, and what the reconciler carries out wakes nobody in apply."""

    async def story() -> None:
        world = await new_world()
        await world.ask(kind)
        woken(world)
        async with running(world.inbox.run):
            await pass_ms(ONE_LOOK_MS)
        assert woken(world) == expected

    play(story)


def test_a_planned_close_wakes_its_lane_and_an_empty_journal_nobody() -> None:
    """A close whose message was lost is found; where nothing was put nobody is woken."""

    async def story() -> None:
        world = await new_world()
        async with running(world.inbox.run):
            await pass_ms(ONE_LOOK_MS)
            assert woken(world) == set()
            await world.hold()
            await world.plan_close(D(3))
            woken(world)
            await pass_ms(ONE_LOOK_MS)
        assert woken(world) == {"closes"}

    play(story)


def test_a_busy_journal_is_looked_into_again() -> None:
    """A look that finds the journal busy ends nothing: the next one finds what was put."""

    async def story() -> None:
        world = await new_world()
        await world.ask(RequestKind.CLOSE)
        woken(world)
        async with running(world.inbox.run):
            world.journal.busy_queries = 1
            await pass_ms(ONE_LOOK_MS)
            assert woken(world) == set()
            await pass_ms(ONE_LOOK_MS)
        assert woken(world) == {"operator closes"}

    play(story)
