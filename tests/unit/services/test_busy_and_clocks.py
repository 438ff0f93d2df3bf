"""A journal that is busy for a moment, and a clock that is set back: nothing ends, nothing hides."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.domain.hold import HoldReason
from holdfast.domain.operator import RequestKind, RequestState
from holdfast.domain.sides import Side, Source
from holdfast.domain.view import PositionView
from holdfast.lab.torture.loop import pass_ms, play, until
from holdfast.ports.venue import PositionsSeen, StreamAlive, StreamGap, StreamUp, Unknown
from tests.unit.decide.samples import ACCOUNT, LEG, SYMBOL, ZERO, D
from tests.unit.services.world import new_world, running

if TYPE_CHECKING:
    from holdfast.domain.permit import Permit
    from holdfast.ports.venue import SubmitOutcome
    from tests.unit.services.world import World


async def no_answer(_permit: Permit) -> SubmitOutcome:
    """Nothing came back."""
    return Unknown("timed out")


async def prove(world: World) -> None:
    """A stream that lives, probed every 250 ms."""
    world.venue.stream_events.append((StreamUp(world.clock.now_ms()),))
    while True:
        world.venue.stream_events.append((StreamAlive(world.clock.now_ms()),))
        await pass_ms(250)


def test_a_journal_that_is_busy_for_a_moment_ends_no_service() -> None:
    """Queries that find the journal busy are asked again: every service is still there afterwards."""

    async def story() -> None:
        world = await new_world()
        jobs = (
            world.feed.run_stream,
            world.feed.run_views,
            world.reconciler.run,
            world.resolver.run,
            world.intake.run_closes,
            world.inbox.run,
            world.operator_close.run,
            world.operator_resolve.run,
            world.requests.run,
            world.requests.run_imports,
            world.alerting.run,
            lambda: prove(world),
        )
        async with running(*jobs) as tasks:
            await pass_ms(1_000)
            world.bus.keys[f"reconcile:hold:{SYMBOL}"] = "by hand"
            world.journal.busy_queries = 60
            world.journal.busy_steps.extend([True] * 20)
            await pass_ms(10_000)
            assert [task for task in tasks if task.done()] == []
            assert world.journal.busy_queries == 0
            assert [hold.reason for hold in await world.holds()] == [HoldReason.OPERATOR]

    play(story)


def test_a_gap_voids_the_stamp_though_the_journal_was_busy() -> None:
    """The errand of voiding the stamp is not lost with the transaction that could not begin."""

    async def story() -> None:
        world = await new_world()
        async with running(world.feed.run_stream, world.feed.run_views, world.reconciler.run):
            world.venue.stream_events.append((StreamUp(world.clock.now_ms()), StreamAlive(world.clock.now_ms())))
            await pass_ms(500)
            assert await world.query(lambda reads: reads.account().stamp_ms) is not None
            world.journal.busy_steps.append(True)
            world.venue.stream_events.append((StreamGap("gone"),))
            await pass_ms(200)
            assert await world.query(lambda reads: reads.account().stamp_ms) is None

    play(story)


def test_complete_views_count_again_at_once_after_the_clock_was_set_back() -> None:
    """A wall clock that jumps back by minutes holds for as long as the next view takes, not until it has caught up."""

    async def story() -> None:
        world = await new_world()
        async with running(world.feed.run_stream, world.feed.run_views, world.reconciler.run, lambda: prove(world)):
            await pass_ms(3_000)
            world.clock.jump(-300_000)
            world.venue.stream_events.append((StreamGap("the venue closed it"), StreamUp(world.clock.now_ms())))
            await pass_ms(3_000)
            read_ms = world.picture.complete_read_ms
            assert read_ms is not None
            assert 0 <= world.clock.now_ms() - read_ms <= 2_100
            assert world.feed.proof_ms is not None

    play(story)


def test_a_hold_from_the_future_is_told() -> None:
    """A hold that opened later than now, by a clock that was set back, is told to a person."""

    async def story() -> None:
        world = await new_world()
        await world.hold()
        world.clock.jump(-300_000)
        async with running(world.alerting.run):
            await until(lambda: bool(world.person.told), 2_000)

    play(story)


def test_an_unknown_order_from_the_future_is_held() -> None:
    """An UNKNOWN order whose age is negative is treated as overdue: a person is asked."""

    async def story() -> None:
        world = await new_world()
        world.venue.scripts.append(no_answer)
        await world.execute(world.plan("p1"))
        world.venue.reads_fail = True
        world.clock.jump(-300_000)
        async with running(world.resolver.run):
            await pass_ms(2_000)
        assert [hold.reason for hold in await world.holds()] == [HoldReason.UNKNOWN_ORDER]

    play(story)


def test_a_forced_reduction_stays_a_persons_while_an_order_is_unknown() -> None:
    """A hold that only a person ends keeps its reason when an order's fate is found unknown under it."""

    async def story() -> None:
        world = await new_world()
        world.venue.scripts.append(no_answer)
        await world.execute(world.plan("p1"))
        await world.hold(HoldReason.FORCED_REDUCTION)
        world.venue.reads_fail = True
        async with running(world.resolver.run):
            await pass_ms(40_000)
        (hold,) = await world.holds()
        assert hold.reason is HoldReason.FORCED_REDUCTION
        assert "nobody knows" in hold.next_step.text

    play(story)


def test_a_hold_is_not_released_while_a_close_of_it_may_be_leaving() -> None:
    """A person's release is refused as long as an own order of the symbol is on its way."""

    async def story() -> None:
        world = await new_world()
        world.venue.trade(LEG, Side.BUY, D(7))
        hold = await world.hold(HoldReason.LATE_ACCEPTANCE)
        close = await world.plan_close(D(7))
        released: list[RequestState] = []

        async def release_meanwhile(permit: Permit) -> SubmitOutcome:
            world.venue.fill(permit)
            await world.ask(RequestKind.RELEASE)
            async with running(world.requests.run):
                await pass_ms(200)
            released.append((await world.request()).state)
            return Unknown("timed out")

        await pass_ms(10)
        world.venue.scripts.append(release_meanwhile)
        await world.closer.close(close.plan_id)
        assert released == [RequestState.REFUSED]
        assert (await world.query(lambda reads: reads.hold(hold.hold_id))) == replace(hold, next_step=hold.next_step)

    play(story)


def test_new_alerts_are_not_kept_waiting_by_old_ones() -> None:
    """What nobody was told yet is delivered before what is only repeated."""

    async def story() -> None:
        world = await new_world()
        await world.hold()
        await pass_ms(20_000)
        world.person.deaf = True
        async with running(world.alerting.run):
            await pass_ms(3_000)
        alerts = await world.query(lambda reads: reads.alerts_unacked())
        old = alerts[0]
        new = replace(old, alert_id="alert-new", deliveries=0, text="new", created_ms=old.created_ms + 1)
        await world.write(lambda tx: tx.put_alert(new))
        world.person.deaf = False
        await pass_ms(60_000)
        await world.alerting._deliver_due()
        assert world.person.told[0].text == "new"
        assert old.account == ACCOUNT
        assert (await world.ledger()).amt == ZERO

    play(story)


def test_a_stamp_does_not_overtake_a_drift_that_could_not_be_judged_yet() -> None:
    """A drift was seen, its transaction found the journal busy, the stream proves on: no stamp before the hold."""

    async def story() -> None:
        world = await new_world()
        async with running(world.feed.run_stream, world.feed.run_views, world.reconciler.run):
            world.venue.stream_events.append((StreamUp(world.clock.now_ms()), StreamAlive(world.clock.now_ms())))
            await pass_ms(1_000)
            now = world.clock.now_ms()
            drift = PositionView(LEG, D(7), now, now, Source.STREAM, None, D(10))
            world.journal.busy_steps.extend([True] * 3)
            world.venue.stream_events.append((PositionsSeen((drift,), "ORDER"),))
            for _ in range(300):
                world.venue.stream_events.append((StreamAlive(world.clock.now_ms()),))
                await pass_ms(1)
                stamp = await world.query(lambda reads: reads.account().stamp_ms)
                if stamp is not None and stamp > now + 10:
                    break
            assert [hold.reason for hold in await world.holds()] == [HoldReason.DRIFT]

    play(story)
