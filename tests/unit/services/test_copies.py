"""Published copies: a change is there at once, nothing that lives expires, and quiet symbols are built in turn."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.domain.names import Symbol
from holdfast.domain.sides import Leg, PositionSide
from holdfast.lab.torture.loop import pass_ms, play
from holdfast.ports.venue import StreamAlive, StreamGap, StreamUp
from holdfast.services.copies import PAGE_MAX
from holdfast.services.pace import Pace
from tests.unit.decide.samples import ACCOUNT, LEG, LIMITS
from tests.unit.services.world import new_world, running

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from tests.unit.services.world import World

COUNT = 200
MANY = replace(LIMITS, symbols=frozenset({LEG.symbol, *(Symbol(f"SYM{number:03d}USDT") for number in range(1, COUNT))}))
LAST = Leg(ACCOUNT, Symbol(f"SYM{COUNT - 1:03d}USDT"), PositionSide.BOTH)


async def living_stream(world: World) -> None:
    """A stream that is up and answers its probes."""
    world.venue.stream_events.append((StreamUp(world.clock.now_ms()),))
    while True:
        world.venue.stream_events.append((StreamAlive(world.clock.now_ms()),))
        await pass_ms(250)


def publishing(world: World) -> tuple[Callable[[], Coroutine[Any, Any, None]], ...]:
    """What sees, judges and publishes."""
    publisher = world.reconcile_publisher
    stream: Callable[[], Coroutine[Any, Any, None]] = lambda: living_stream(world)  # noqa: E731 - one of a list of jobs
    return (stream, world.feed.run_stream, world.feed.run_views, world.reconciler.run, publisher.run_copies)


def test_no_copy_of_a_quiet_symbol_expires_and_few_are_written() -> None:
    """Each verdict and permit state is renewed within its life, for forty seconds; nothing else is written again."""

    async def story() -> None:
        world = await new_world(MANY)
        async with running(*publishing(world)):
            await pass_ms(5_000)
            assert world.bus.keys[f"permit:state:{LAST.symbol}"] == {"state": "ALLOW", "reason": ""}
            world.bus.copies.clear()
            world.bus.copied_s.clear()
            await pass_ms(40_000)
        times: dict[str, list[float]] = defaultdict(lambda: [5.0])
        lives: dict[str, int] = {}
        for copy, at_s in zip(world.bus.copies, world.bus.copied_s, strict=True):
            times[copy.key].append(at_s)
            lives[copy.key] = copy.ttl_ms or 0
        expiring = {name for name in times if name.startswith(("reconcile:verdict:", "permit:state:"))}
        assert len(expiring) == 2 * COUNT
        assert set(times) == expiring, "what does not expire and did not change is not written again"
        for name in expiring:
            gaps = [later - earlier for earlier, later in zip(times[name], [*times[name][1:], 45.0], strict=True)]
            assert max(gaps) * 1000 < lives[name], name
        assert len(world.bus.copies) <= 2 * COUNT * 40 / 4, "a symbol is renewed every few seconds, not every step"

    play(story)


def test_a_change_is_published_with_the_next_step_whoever_made_it() -> None:
    """A hold that another process placed is there though nobody knocked here."""

    async def story() -> None:
        world = await new_world(MANY)
        async with running(*publishing(world)):
            await pass_ms(5_000)
            hold = await world.hold(leg=LAST)
            await pass_ms(Pace().copies_ms + 10)
            assert world.bus.keys.get(f"reconcile:hold:{LAST.symbol}") == hold.hold_id

    play(story)


def test_a_stream_that_is_lost_denies_on_every_symbol_within_a_second_of_the_stamps_end() -> None:
    """What concerns the whole account is published for all symbols, page after page, without waiting for a cycle."""

    async def story() -> None:
        world = await new_world(MANY)
        assert COUNT > 2 * PAGE_MAX
        jobs = publishing(world)
        async with running(*jobs[1:]):
            world.venue.stream_events.append((StreamUp(world.clock.now_ms()), StreamAlive(world.clock.now_ms())))
            await pass_ms(900)
            assert world.bus.keys[f"permit:state:{LAST.symbol}"] == {"state": "ALLOW", "reason": ""}
            world.venue.stream_events.append((StreamGap("the story wants it so"),))
            await pass_ms(500)
            states = [world.bus.keys.get(f"permit:state:{symbol}") for symbol in MANY.symbols]
            assert all(isinstance(state, dict) and state["state"] == "DENY" for state in states)

    play(story)
