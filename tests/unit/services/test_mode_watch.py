"""The account's position mode under the services' eyes, in virtual time: noticed, held, told once, and let go."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.errors import CannotStart
from holdfast.domain.hold import HoldReason
from holdfast.domain.names import Symbol
from holdfast.domain.operator import RequestKind, RequestState
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Leg, PositionMode, PositionSide, Side
from holdfast.lab.torture.loop import pass_ms, play, until
from holdfast.ports.venue import ModeSeen, Refused, StreamUp
from holdfast.services.holding import put_operator_hold
from holdfast.services.mode_watch import MODE_APART_MS, VIEWS_A_READING, ModeWatch, until_mode_is_accepted
from holdfast.services.supervisor import under_lease
from tests.unit.decide.samples import ACCOUNT, LEG, LIMITS, ORDER, SYMBOL, ZERO, D
from tests.unit.services.test_healing import everything
from tests.unit.services.world import LEASE_MS, new_world, running

if TYPE_CHECKING:
    from holdfast.domain.permit import Permit
    from holdfast.ports.journal import Tx
    from holdfast.ports.venue import SubmitOutcome
    from tests.unit.services.world import World

ETH = Symbol("ETHUSDT")
ETH_LEG = Leg(ACCOUNT, ETH, PositionSide.BOTH)
TWO = replace(LIMITS, symbols=frozenset({SYMBOL, ETH}))
NOTICED_MS = VIEWS_A_READING * LIMITS.view_interval_ms + MODE_APART_MS + 500


def watch_of(world: World, setting: PositionMode = PositionMode.ONE_WAY) -> ModeWatch:
    """The watch of the account's reconciler."""
    return ModeWatch(world.reconcile, world.venue, world.picture, world.feed, setting)


async def reasons(world: World) -> dict[Leg, HoldReason]:
    """Why each leg is held."""
    return {hold.leg: hold.reason for hold in await world.holds()}


async def mode_entries(world: World) -> list[str]:
    """What the journal says happened to the mode."""
    found = await world.query(lambda reads: reads.entries_after(0, 10_000))
    return [str(each.entry.body["what"]) for each in found if each.entry.kind.value == "MODE_CHANGED"]


def test_a_mode_that_changes_holds_every_leg_and_nothing_is_sent() -> None:
    """Noticed without any event: both symbols are held, plans refused, a drift not closed, and one person told once."""

    async def story() -> None:
        world = await new_world(TWO)
        watch = watch_of(world)
        async with running(*everything(world), watch.run):
            await pass_ms(3_000)
            world.venue.mode = PositionMode.HEDGE
            await pass_ms(NOTICED_MS)
            assert await reasons(world) == dict.fromkeys((LEG, ETH_LEG), HoldReason.MODE_CHANGED)
            await world.execute(world.plan("p1"))
            result = await world.result("p1")
            assert result is not None
            assert result.error == Reason.HOLD_ACTIVE.value
            world.venue.trade(LEG, Side.BUY, D(7))
            await pass_ms(60_000)
            assert world.venue.requests == []
            assert await reasons(world) == dict.fromkeys((LEG, ETH_LEG), HoldReason.MODE_CHANGED)
            assert len({alert.alert_id for alert in world.person.told}) == 1
            assert "hedge mode at the exchange" in world.person.told[0].text
            assert world.metrics.without_next_step == 0
            assert await mode_entries(world) == ["changed"]

    play(story)


def test_a_mode_that_is_back_lets_every_leg_go_and_trading_goes_on() -> None:
    """The holds end by a view that is newer than the mode's return, without a person; then plans are executed."""

    async def story() -> None:
        world = await new_world(TWO)
        watch = watch_of(world)
        async with running(*everything(world), watch.run):
            await pass_ms(3_000)
            world.venue.mode = PositionMode.HEDGE
            await pass_ms(NOTICED_MS)
            world.venue.mode = PositionMode.ONE_WAY
            await pass_ms(NOTICED_MS + 3_000)
            assert await world.holds() == ()
            assert await mode_entries(world) == ["changed", "back"]
            await world.execute(world.plan("p1"))
            result = await world.result("p1")
            assert result is not None
            assert result.executed

    play(story)


def test_a_drift_that_came_meanwhile_is_closed_once_the_mode_is_back() -> None:
    """What was traded by hand while the mode was another is judged like any drift afterwards, and closed once."""

    async def story() -> None:
        world = await new_world()
        watch = watch_of(world)
        async with running(*everything(world), watch.run):
            await pass_ms(3_000)
            world.venue.mode = PositionMode.HEDGE
            await pass_ms(NOTICED_MS)
            world.venue.trade(LEG, Side.BUY, D(7))
            await pass_ms(2_000)
            assert world.venue.requests == []
            world.venue.mode = PositionMode.ONE_WAY
            await pass_ms(NOTICED_MS + 5_000)
            assert [(permit.side, permit.qty) for permit in world.venue.requests] == [(Side.SELL, D(7))]
            assert await world.holds() == ()
            assert world.venue.positions[LEG] == ZERO

    play(story)


@pytest.mark.parametrize("sign", ["stream up", "event", "view failed", "order refused"])
def test_whatever_speaks_for_it_makes_the_mode_be_read_at_once(sign: str) -> None:
    """A new connection, a configuration event, a failed view and a refused order do not wait for the next reading."""

    async def story() -> None:
        world = await new_world()
        watch = watch_of(world)
        async with running(*everything(world), watch.run):
            await pass_ms(3_000)
            before = world.venue.mode_reads
            await until(lambda: world.venue.mode_reads > before)  # so that the next one is as far away as it can be
            await pass_ms(MODE_APART_MS + 100)
            world.venue.mode = PositionMode.HEDGE
            match sign:
                case "stream up":
                    world.venue.stream_events.append((StreamUp(world.clock.now_ms()),))
                case "event":
                    world.venue.stream_events.append((ModeSeen("a LONG position"),))
                case "view failed":
                    world.wakes.mode.knock("a view failed")
                case _:
                    world.venue.scripts.append(wrong_side)
                    await world.execute(world.plan("p1"))
            await pass_ms(MODE_APART_MS + 300)
            assert await reasons(world) == {LEG: HoldReason.MODE_CHANGED}

    async def wrong_side(_permit: Permit) -> SubmitOutcome:
        return Refused(Reason.VENUE_REFUSED, -4061, "Order's position side does not match user's setting.")

    play(story)


def test_a_failed_view_speaks_for_a_changed_mode() -> None:
    """Rows of another mode make a complete view none; the feed then asks for the mode to be read."""

    async def story() -> None:
        world = await new_world()
        world.venue.reads_fail = True
        async with running(world.feed.run_views):
            await pass_ms(50)
        assert "a view failed" in world.wakes.mode.take_now()

    play(story)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (HoldReason.DRIFT, HoldReason.VIEW_STALE),
        (HoldReason.UNKNOWN_ORDER, HoldReason.VIEW_STALE),
        (HoldReason.FORCED_REDUCTION, HoldReason.FORCED_REDUCTION),
        (HoldReason.LATE_ACCEPTANCE, HoldReason.LATE_ACCEPTANCE),
        (HoldReason.UNLEDGERED, HoldReason.UNLEDGERED),
    ],
)
def test_a_leg_that_was_held_gets_back_what_was_a_persons_to_end(before: HoldReason, after: HoldReason) -> None:
    """The standing hold takes the mode's reason; when the mode is back, a person's reason is a person's again."""

    async def story() -> None:
        world = await new_world()
        held = await world.hold(before)
        watch = watch_of(world)
        async with running(watch.run):
            world.venue.mode = PositionMode.HEDGE
            await pass_ms(NOTICED_MS)
            assert await reasons(world) == {LEG: HoldReason.MODE_CHANGED}
            world.venue.mode = PositionMode.ONE_WAY
            await pass_ms(NOTICED_MS)
        (hold,) = await world.holds()
        assert (hold.hold_id, hold.reason) == (held.hold_id, after)
        assert hold.cause_as_of_ms > 0

    play(story)


def test_a_close_of_any_leg_is_refused_while_the_mode_is_another() -> None:
    """A close that was planned before is refused by the guardrail `mode`, a person's too; nothing is sent."""

    async def story() -> None:
        world = await new_world(TWO)
        world.venue.trade(LEG, Side.BUY, D(7))
        await world.hold()
        close = await world.plan_close(D(7))
        await world.hold(HoldReason.MODE_CHANGED, ETH_LEG)
        await pass_ms(100)
        await world.closer.close(close.plan_id)
        result = await world.result(close.plan_id)
        assert result is not None
        assert result.error == Reason.MODE_CHANGED.value
        await world.ask(RequestKind.CLOSE)
        async with running(world.inbox.run, world.operator_close.run, world.intake.run_closes):
            await pass_ms(2_000)
        assert (await world.request()).state is RequestState.REFUSED
        assert world.venue.requests == []

    play(story)


def test_a_person_cannot_release_what_the_mode_holds() -> None:
    """`holdfast release` is refused with what to do instead."""

    async def story() -> None:
        world = await new_world()
        await world.hold(HoldReason.MODE_CHANGED)
        await world.ask(RequestKind.RELEASE)
        async with running(world.requests.run):
            await pass_ms(1_000)
        asked = await world.request()
        assert asked.state is RequestState.REFUSED
        assert "set it back there" in asked.outcome
        assert len(await world.holds()) == 1

    play(story)


def test_a_new_mode_is_accepted_at_a_start_by_an_account_at_rest() -> None:
    """Exchange and settings say hedge, everything is flat: the journal lives by hedge, the mode's holds are over."""

    async def story() -> None:
        world = await new_world(TWO)
        world.venue.mode = PositionMode.HEDGE
        async with running(watch_of(world).run):
            await pass_ms(NOTICED_MS)
        assert len(await world.holds()) == 2
        await watch_of(world, PositionMode.HEDGE).meet()
        assert await world.holds() == ()
        state = await world.query(lambda reads: reads.account())
        assert state.position_mode is PositionMode.HEDGE
        assert await mode_entries(world) == ["changed", "accepted"]

    play(story)


@pytest.mark.parametrize("lack", ["ledger", "exchange", "order", "close", "operator's hold", "hidden", "not read"])
def test_a_new_mode_is_refused_while_anything_is_left_and_the_lease_is_given_up(lack: str) -> None:
    """Whatever is not at rest refuses the start, says what to do, and leaves the lease to a successor at once."""

    async def story() -> None:
        world = await new_world()
        match lack:
            case "ledger":
                await world.own(D(1))
                world.venue.positions[LEG] = ZERO
            case "exchange":
                world.venue.trade(Leg(ACCOUNT, SYMBOL, PositionSide.LONG), Side.BUY, D(1))
            case "order":
                await world.write(lambda tx: tx.put_order(ORDER))
            case "close":
                await world.hold()
                await world.plan_close(D(7))
            case "operator's hold":
                await world.write(_put_operators)
            case "hidden":
                await world.hold(HoldReason.FORCED_REDUCTION)
                world.venue.mode = PositionMode.HEDGE
                async with running(watch_of(world).run):
                    await pass_ms(NOTICED_MS)
            case _:
                world.venue.reads_fail = True
        world.venue.mode = PositionMode.HEDGE
        with pytest.raises(CannotStart, match="mode"):
            await under_lease(world.reconcile, watch_of(world, PositionMode.HEDGE).meet())
        state = await world.query(lambda reads: reads.account())
        assert state.position_mode is PositionMode.ONE_WAY
        assert await world.journal.inner.acquire(ACCOUNT, "reconcile", "the successor", LEASE_MS) is not None

    def _put_operators(tx: Tx) -> None:
        put_operator_hold(tx, LEG, "ana: looks odd")

    play(story)


def test_a_start_in_the_mode_that_the_journal_lives_by_lets_go_what_was_held_for_it() -> None:
    """A process that ended while the mode was another finds it back, and the holds end by a newer view."""

    async def story() -> None:
        world = await new_world()
        await world.hold(HoldReason.MODE_CHANGED)
        await watch_of(world).meet()
        assert await reasons(world) == {LEG: HoldReason.VIEW_STALE}
        async with running(*everything(world)):
            await pass_ms(6_000)
            assert await world.holds() == ()

    play(story)


def test_a_venue_that_does_not_answer_changes_nothing() -> None:
    """A mode that cannot be read neither holds nor releases anything, and keeps no known account from starting."""

    async def story() -> None:
        world = await new_world()
        await world.hold(HoldReason.MODE_CHANGED)
        world.venue.reads_fail = True
        await watch_of(world).meet()
        async with running(watch_of(world).run):
            await pass_ms(NOTICED_MS)
        assert await reasons(world) == {LEG: HoldReason.MODE_CHANGED}

    play(story)


def test_apply_waits_until_the_reconciler_has_accepted_the_mode() -> None:
    """With other settings than the journal's, apply does not even ask for its lease."""

    async def story() -> None:
        world = await new_world()
        passed: list[int] = []

        async def start() -> None:
            await until_mode_is_accepted(world.apply, PositionMode.HEDGE)
            passed.append(world.clock.now_ms())

        async with running(start):
            await pass_ms(5_000)
            assert not passed
            await world.write(lambda tx: tx.set_position_mode(PositionMode.HEDGE))
            await pass_ms(1_000)
            assert passed

    play(story)
