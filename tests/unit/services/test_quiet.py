"""Quiet legs cost nothing: the work of a pass follows what is going on, not how many legs there are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.domain.hold import HoldReason
from holdfast.domain.names import Symbol
from holdfast.domain.sides import Side
from holdfast.lab.torture.loop import pass_ms, play
from holdfast.ports.venue import StreamAlive, StreamUp
from holdfast.services.agenda import QUEUED_MAX
from tests.unit.decide.samples import LEG, LIMITS, ZERO, D
from tests.unit.services.world import new_world, running

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from holdfast.ports.journal import Tx
    from tests.unit.services.world import World

COUNT = 200
MANY = replace(LIMITS, symbols=frozenset({LEG.symbol, *(Symbol(f"SYM{number:03d}USDT") for number in range(1, COUNT))}))
FIRST_PASS_MS = 1_000


async def living_stream(world: World) -> None:
    """A stream that is up and answers its probes; positions are seen by views alone."""
    world.venue.stream_events.append((StreamUp(world.clock.now_ms()),))
    while True:
        world.venue.stream_events.append((StreamAlive(world.clock.now_ms()),))
        await pass_ms(250)


def reconciling(world: World) -> tuple[Callable[[], Coroutine[Any, Any, None]], ...]:
    """What sees and judges; nobody closes."""
    return (lambda: living_stream(world), world.feed.run_stream, world.feed.run_views, world.reconciler.run)


def test_two_hundred_quiet_legs_are_judged_once_and_then_never() -> None:
    """After the first pass neither views nor stamps nor time make anybody judge a leg that agrees."""

    async def story() -> None:
        world = await new_world(MANY)
        async with running(*reconciling(world)):
            await pass_ms(FIRST_PASS_MS)
            assert len(world.metrics.judged) == COUNT, "each was compared with the venue once"
            world.metrics.judged.clear()
            steps = world.journal.steps
            await pass_ms(60_000)
            assert world.metrics.judged == []
            assert world.journal.steps - steps <= 60_000 / 250 + 1, "what is left is the stamp"

    play(story)


def test_first_agreements_take_few_transactions() -> None:
    """Two hundred legs that never agreed do so many together."""

    async def story() -> None:
        world = await new_world(MANY)

        def forget(tx: Tx) -> None:
            for each in tx.legs():
                tx.put_leg(replace(each, agreed_version=None))

        await world.write(forget)
        async with running(*reconciling(world)):
            steps = world.journal.steps
            await pass_ms(FIRST_PASS_MS)
            assert all(each.is_agreed for each in await world.query(lambda reads: reads.legs()))
            assert world.journal.steps - steps <= COUNT / QUEUED_MAX + FIRST_PASS_MS / 250 + 2

    play(story)


def test_a_drift_that_only_a_view_shows_is_held_and_no_other_leg_is_judged() -> None:
    """The amounts of a complete view are compared in memory; only what differs is judged."""

    async def story() -> None:
        world = await new_world(MANY)
        async with running(*reconciling(world)):
            await pass_ms(FIRST_PASS_MS)
            world.metrics.judged.clear()
            world.venue.trade(LEG, Side.BUY, D(7))
            await pass_ms(world.reconcile.limits.view_interval_ms + 100)
            assert [hold.reason for hold in await world.holds()] == [HoldReason.DRIFT]
            assert set(world.metrics.judged) == {LEG.symbol}

    play(story)


def test_a_ledger_that_another_process_moved_is_noticed_without_a_knock() -> None:
    """A version that is not the agreed one makes the leg's rest end, whoever moved the ledger."""

    async def story() -> None:
        world = await new_world(MANY)
        async with running(*reconciling(world)):
            await pass_ms(FIRST_PASS_MS)
            world.metrics.judged.clear()
            ledger = await world.ledger()
            await world.write(lambda tx: tx.put_leg(replace(ledger, agreed_version=None)))
            await pass_ms(world.reconcile.limits.view_interval_ms)
            assert (await world.ledger()).is_agreed
            assert world.metrics.judged == [LEG.symbol]

    play(story)


def test_every_leg_is_held_once_when_views_stop_and_freed_when_they_come_again() -> None:
    """Quiet legs are judged too when the view that they were judged by is too old."""

    async def story() -> None:
        world = await new_world(MANY)
        async with running(*reconciling(world)):
            await pass_ms(FIRST_PASS_MS)
            world.venue.reads_fail = True
            await pass_ms(world.reconcile.limits.view_age_ms_max + 2_000)
            holds = await world.holds()
            assert len(holds) == COUNT
            assert {hold.reason for hold in holds} == {HoldReason.VIEW_STALE}
            world.venue.reads_fail = False
            await pass_ms(world.reconcile.limits.view_interval_ms + 500)
            assert await world.holds() == ()

    play(story)


def test_nothing_is_held_before_the_first_view_is_overdue() -> None:
    """A start whose first view takes a while denies by silence; it holds only once the view is missing."""

    async def story() -> None:
        world = await new_world()
        world.venue.reads_fail = True
        async with running(*reconciling(world)):
            await pass_ms(world.reconcile.limits.view_age_ms_max - 500)
            assert await world.holds() == ()
            await pass_ms(2_000)
            assert HoldReason.VIEW_MISSING in {hold.reason for hold in await world.holds()}
            assert (await world.ledger()).amt == ZERO

    play(story)
