"""Results, alerts and the end of services: what others must hear is said, at least once, and in order."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.entry import Entry, EntryKind
from holdfast.domain.errors import Fenced, KeysRejected, Unclassified
from holdfast.domain.hold import HoldOwner, NextStep, StepKind
from holdfast.domain.operator import Alert
from holdfast.lab.torture.loop import pass_ms, play
from holdfast.services.alerting import is_without_next_step
from holdfast.services.publishing import QUEUE_MAX, Publisher
from holdfast.services.supervisor import LEASE_MS, acquire_lease, keep_lease, run_tasks
from tests.unit.decide.samples import ACCOUNT, HOLD, LEG, NOW, SYMBOL, D
from tests.unit.services.world import new_world, running

if TYPE_CHECKING:
    from holdfast.ports.journal import Tx

ALERT = Alert("alert-1", ACCOUNT, HOLD.hold_id, SYMBOL, "held", "why", NOW, None, None, "", 0, NOW)


@pytest.mark.parametrize("owner", list(HoldOwner))
@pytest.mark.parametrize("kind", list(StepKind))
@pytest.mark.parametrize("overdue_ms", [-1, 0, 1])
@pytest.mark.parametrize("alert", ["none", "tried", "delivered", "acknowledged"])
def test_a_hold_is_without_next_step_only_when_nobody_acts_and_nobody_knows(
    owner: HoldOwner, kind: StepKind, overdue_ms: int, alert: str
) -> None:
    """Overdue counts as none, unless it is a person's step and the person was told, or the person's own hold."""
    hold = replace(HOLD, owner=owner, next_step=NextStep(kind, NOW - overdue_ms, "next"))
    alerts = {
        "none": None,
        "tried": replace(ALERT, deliveries=3),
        "delivered": replace(ALERT, delivered_ms=NOW),
        "acknowledged": replace(ALERT, acked_ms=NOW),
    }
    told = alert in {"delivered", "acknowledged"}
    expected = owner is HoldOwner.AUTO and overdue_ms > 0 and not (kind is StepKind.OPERATOR and told)
    assert is_without_next_step(hold, alerts[alert], NOW) is expected


def test_an_alert_is_repeated_until_acknowledged_and_a_deaf_channel_is_tried_again() -> None:
    """Not taken: tried again soon, ever more slowly. Taken: repeated. Acknowledged: silent."""

    async def story() -> None:
        world = await new_world()
        await world.write(lambda tx: tx.put_alert(replace(ALERT, hold_id=None)))
        world.person.deaf = True
        async with running(world.alerting.run):
            await pass_ms(10_000)
            (alert,) = await world.query(lambda reads: reads.alerts_unacked())
            assert 2 <= alert.deliveries <= 4
            world.person.deaf = False
            await pass_ms(40_000)
            assert len(world.person.told) == 1
            await pass_ms(300_000)
            assert len(world.person.told) == 2
            (alert,) = await world.query(lambda reads: reads.alerts_unacked())
            await world.write(lambda tx: tx.put_alert(replace(alert, acked_ms=tx.now_ms())))
            await pass_ms(600_000)
        assert len(world.person.told) == 2

    play(story)


def test_results_survive_a_bus_that_is_gone_and_keep_their_order() -> None:
    """What could not be published waits, in order; its entries are acknowledged only together with it."""

    async def story() -> None:
        world = await new_world()
        await world.execute(world.plan("warm"))
        first = (await world.flushed())[0]
        world.bus.down = True
        async with running(world.publisher.run_streams):
            for number in range(600):
                world.publisher.publish(replace(first, plan_id=f"p{number}"), f"{number}-0")
            await pass_ms(5_000)
            assert world.bus.acked == ["1-0"]
            world.bus.down = False
            await pass_ms(1_000)
        assert [result.plan_id for result in world.bus.results[1:601]] == [f"p{number}" for number in range(600)]
        assert len(world.bus.acked) == 601

    play(story)


def test_a_result_that_was_not_marked_is_published_again_at_a_start() -> None:
    """A process that died after journaling a result leaves a successor that publishes it under the same id."""

    async def story() -> None:
        world = await new_world()
        await world.execute(world.plan("p1"))
        successor = Publisher(world.apply, world.bus, None)
        async with running(successor.run_streams, successor.run_marks):
            await pass_ms(2_000)
        assert [result.plan_id for result in world.bus.results] == ["p1"]
        third = Publisher(world.apply, world.bus, None)
        async with running(third.run_streams, third.run_marks):
            await pass_ms(2_000)
        assert len(world.bus.results) == 1

    play(story)


def test_no_event_is_lost_behind_a_long_silence() -> None:
    """Events after more unpublished entries than one page holds are published at a start, in order."""

    async def story() -> None:
        world = await new_world()

        def many(tx: Tx) -> None:
            for _ in range(QUEUE_MAX + 10):
                tx.append(Entry(EntryKind.AGREED, ACCOUNT, SYMBOL))
            tx.append(Entry(EntryKind.HOLD_SET, ACCOUNT, SYMBOL))
            tx.append(Entry(EntryKind.HOLD_RELEASED, ACCOUNT, SYMBOL))

        await world.write(many)
        async with running(world.reconcile_publisher.run_streams):
            await pass_ms(500)
        kinds = [event.entry.kind for event in world.bus.events]
        assert kinds[-2:] == [EntryKind.HOLD_SET, EntryKind.HOLD_RELEASED]

    play(story)


def test_intake_reads_no_plan_while_too_much_waits_for_the_bus() -> None:
    """The publisher says that it is full, and that is bounded."""

    async def story() -> None:
        world = await new_world()
        await world.execute(world.plan("p1"))
        result = (await world.flushed())[0]
        for number in range(QUEUE_MAX):
            world.publisher.publish(result, f"{number}-0")
        assert world.publisher.is_full
        for number in range(10_000):
            world.publisher.attach("waits", f"9{number}-0")
        assert len(world.publisher._attached["waits"]) < 100

    play(story)


@pytest.mark.parametrize("end", ["clean", "error", "foreseen"])
def test_the_first_end_ends_all(end: str) -> None:
    """A task that returns ends the service as much as one that fails; the others are cancelled, the lease is freed."""

    async def story() -> None:
        world = await new_world()
        cancelled = asyncio.Event()

        async def forever() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        async def ends() -> None:
            await pass_ms(10)
            if end == "error":
                raise ValueError("nobody foresaw it")
            if end == "foreseen":
                raise KeysRejected("no")

        with pytest.raises(KeysRejected if end == "foreseen" else Unclassified):
            await run_tasks(world.apply, [("forever", forever), ("ends", ends)])
        assert cancelled.is_set()
        assert world.apply.lease.fence is None
        assert await world.journal.acquire(ACCOUNT, "apply", "another", 5_000) is not None

    play(story)


def test_a_lost_lease_ends_the_service_and_lets_it_send_nothing_more() -> None:
    """Taken by another: the next renewal ends the service, and no step and no send of it is allowed."""

    async def story() -> None:
        world = await new_world()
        await acquire_lease(world.apply, "the test")
        await world.journal.acquire(ACCOUNT, "apply", "the test", LEASE_MS)  # the same owner's next life
        with pytest.raises(Fenced):
            await run_tasks(world.apply, [("lease", lambda: keep_lease(world.apply))])
        with pytest.raises(Fenced):
            await world.execute(world.plan("p1"))
        assert world.venue.requests == []

    play(story)


def test_a_lease_that_cannot_be_renewed_in_time_counts_as_lost() -> None:
    """A busy journal is forgiven until the lease has run out by our own clock; then nothing is sent."""

    async def story() -> None:
        world = await new_world()
        await acquire_lease(world.apply, "the test")
        world.apply.lease.live_until_ns = world.clock.monotonic_ns() + 500_000_000
        await pass_ms(600)
        with pytest.raises(Fenced):
            await world.execute(world.plan("p1"))
        with pytest.raises(Fenced):
            await keep_lease(world.apply)
        assert world.venue.requests == []
        assert (await world.ledger(LEG)).amt == D(0)

    play(story)
