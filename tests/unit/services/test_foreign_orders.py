"""Open orders that are nobody's here: seen, told once, dealt with by policy, forgotten when they are gone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.domain.entry import EntryKind
from holdfast.domain.hold import HoldReason
from holdfast.domain.limits import ForeignOrderPolicy
from holdfast.domain.names import ClientOrderId
from holdfast.domain.order import VenueOrderStatus
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Side, TradingState
from holdfast.lab.torture.loop import pass_ms, play
from holdfast.ports.venue import Refused
from holdfast.services.foreign_orders import FOREIGN_MAX, NAMED_MAX
from tests.unit.decide.samples import LEG, LIMITS, OTHER_LEG, D
from tests.unit.services.resting import NAME, resting
from tests.unit.services.world import new_world, running

if TYPE_CHECKING:
    from holdfast.domain.foreign import ForeignOrder
    from holdfast.ports.venue import CancelOutcome
    from tests.unit.services.world import World

WEB = ClientOrderId("web_1")
CANCELLING = replace(LIMITS, foreign_orders=ForeignOrderPolicy.CANCEL)
HOLDING = replace(LIMITS, foreign_orders=ForeignOrderPolicy.HOLD)


async def foreign(world: World) -> tuple[ForeignOrder, ...]:
    """What the journal keeps of them."""
    return await world.query(lambda reads: reads.foreign_orders())


async def told(world: World) -> list[str]:
    """What alerts wait for a person."""
    return [alert.text for alert in await world.query(lambda reads: reads.alerts_unacked())]


def test_a_reading_finds_a_foreign_order_and_tells_once() -> None:
    """The first reading writes it down, with an event and one alert; later readings say nothing more."""

    async def story() -> None:
        world = await new_world()
        world.venue.place(LEG, Side.BUY, D(3))
        for _ in range(3):
            await world.open_orders.compare()
        (order,) = await foreign(world)
        assert (order.client_order_id, order.side, order.qty, order.price) == (WEB, Side.BUY, D(3), D(10))
        kinds = await world.entries()
        assert kinds.count(EntryKind.FOREIGN_ORDER) == 1
        (text,) = await told(world)
        assert "web_1" in text
        assert "report" in text
        assert world.venue.cancels == []
        assert await world.holds() == ()

    play(story)


def test_a_foreign_order_that_is_gone_is_forgotten() -> None:
    """Ended while nobody listened: a reading beyond the venue's lag writes that down; sooner it proves nothing."""

    async def story() -> None:
        world = await new_world()
        world.venue.place(LEG, Side.BUY, D(3))
        await world.open_orders.compare()
        world.venue.stream_is_silent = True
        world.venue.end(WEB, VenueOrderStatus.CANCELED)
        await world.open_orders.compare()
        assert len(await foreign(world)) == 1
        await pass_ms(LIMITS.settle_ms_max + 1)
        await world.open_orders.compare()
        assert await foreign(world) == ()
        assert (await world.entries()).count(EntryKind.FOREIGN_ORDER_GONE) == 1

    play(story)


def test_the_stream_shows_what_rests_without_a_reading() -> None:
    """An order that rests is written down within moments, one that ends at once is not; an end is seen as well."""

    async def story() -> None:
        world = await new_world()
        async with running(world.open_orders.run):
            world.venue.place(LEG, Side.SELL, D(3))
            world.venue.trade(LEG, Side.BUY, D(1), "web_2")
            await pass_ms(LIMITS.settle_ms_max + 1_000)
            assert [order.client_order_id for order in await foreign(world)] == [WEB]
            world.venue.end(WEB, VenueOrderStatus.CANCELED)
            await pass_ms(1_000)
            assert await foreign(world) == ()
        assert world.venue.cancels == []

    play(story)


def test_own_and_forced_orders_are_not_foreign() -> None:
    """Our resting order and one of the venue's own are left out."""

    async def story() -> None:
        world = await resting()
        world.venue.place(LEG, Side.SELL, D(3), "autoclose-1")
        world.venue.place(LEG, Side.SELL, D(3), "adl_autoclose")
        await pass_ms(5_000)
        await world.open_orders.compare()
        assert await foreign(world) == ()
        assert (await world.query(lambda reads: reads.account())).trading_state is TradingState.ACTIVE

    play(story)


def test_an_order_with_our_prefix_that_nobody_journaled_halts() -> None:
    """That is no foreign order: the journal is not the newest truth."""

    async def story() -> None:
        world = await new_world()
        world.venue.stream_is_silent = True
        world.venue.place(LEG, Side.BUY, D(3), "hf-unheard-of")
        await world.open_orders.compare()
        assert (await world.query(lambda reads: reads.account())).trading_state is TradingState.HALTED
        assert await foreign(world) == ()

    play(story)


def test_policy_cancel_ends_it_and_tries_again_while_it_rests() -> None:
    """Cancelled at the first reading; where the venue refuses, again at the next one."""

    async def story() -> None:
        world = await new_world(CANCELLING)

        async def refuse(_name: ClientOrderId) -> CancelOutcome:
            return Refused(Reason.VENUE_REFUSED, -4088, "can not place order currently")

        world.venue.cancel_scripts.append(refuse)
        world.venue.place(LEG, Side.BUY, D(3))
        await world.open_orders.compare()
        assert len(await foreign(world)) == 1
        await world.open_orders.compare()
        assert world.venue.cancels == [WEB, WEB]
        assert world.venue.orders[WEB].report.status is VenueOrderStatus.CANCELED
        assert await foreign(world) == ()
        assert len(await told(world)) == 1

    play(story)


def test_policy_hold_holds_its_leg_until_it_is_gone() -> None:
    """Held for a person, who is told what to do; once it is gone, the next look that agrees ends the hold."""

    async def story() -> None:
        world = await new_world(HOLDING)
        world.venue.place(LEG, Side.BUY, D(3))
        await world.open_orders.compare()
        (hold,) = await world.holds()
        assert (hold.reason, hold.leg) == (HoldReason.FOREIGN_ORDER, LEG)
        assert "cancel it at the exchange" in hold.next_step.text
        (text,) = await told(world)
        assert "cancel it at the exchange" in text
        async with running(world.reconciler.run, world.feed.run_views):
            await pass_ms(3_000)
            assert len(await world.holds()) == 1, "agreement alone does not end it"
            async with running(world.open_orders.run):
                world.venue.end(WEB, VenueOrderStatus.CANCELED)
                await pass_ms(5_000)
        assert await world.holds() == ()
        assert (await world.ledger()).is_agreed

    play(story)


def test_two_foreign_orders_hold_a_leg_until_both_are_gone() -> None:
    """The first one's end leaves the hold to the second."""

    async def story() -> None:
        world = await new_world(HOLDING)
        for name in ("web_1", "web_2"):
            world.venue.place(LEG, Side.BUY, D(3), name)
        await world.open_orders.compare()
        for name, reason in (("web_1", HoldReason.FOREIGN_ORDER), ("web_2", HoldReason.VIEW_STALE)):
            world.venue.stream_is_silent = True
            world.venue.end(ClientOrderId(name), VenueOrderStatus.CANCELED)
            await pass_ms(LIMITS.settle_ms_max + 1)
            await world.open_orders.compare()
            (hold,) = await world.holds()
            assert hold.reason is reason

    play(story)


def test_very_many_foreign_orders_are_bounded() -> None:
    """So many are kept, so few named, and the alert says how many more there are."""

    async def story() -> None:
        world = await new_world()
        world.venue.stream_is_silent = True
        for number in range(FOREIGN_MAX + 5):
            world.venue.place(OTHER_LEG, Side.BUY, D(3), f"web_{number}")
        await world.open_orders.compare()
        assert len(await foreign(world)) == FOREIGN_MAX
        (text,) = await told(world)
        assert text.count("BUY") == NAMED_MAX
        assert f"{FOREIGN_MAX + 5 - NAMED_MAX} more" in text
        assert "foreign_orders_left_out" in world.log.events()

    play(story)


def test_a_foreign_order_disturbs_no_resting_order_of_ours() -> None:
    """Reported, it leaves ours alone."""

    async def story() -> None:
        world = await resting()
        world.venue.place(LEG, Side.SELL, D(3))
        await world.open_orders.compare()
        async with running(world.canceller.run):
            await pass_ms(500)
        assert not world.venue.orders[NAME].report.status.is_final

    play(story)


def test_its_copy_is_published_and_taken_away() -> None:
    """Others read it on the bus while it rests."""

    async def story() -> None:
        world = await new_world()
        world.venue.place(LEG, Side.BUY, D(3))
        await world.open_orders.compare()
        key = f"reconcile:foreign_orders:{LEG.symbol}"
        async with running(world.reconcile_publisher.run_copies, world.open_orders.run):
            await pass_ms(3_000)
            assert "web_1" in str(world.bus.keys[key])
            world.venue.end(WEB, VenueOrderStatus.CANCELED)
            await pass_ms(3_000)
        assert key not in world.bus.keys

    play(story)
