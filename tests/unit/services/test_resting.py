"""LIMIT orders from their plan to their one result: rest, fill as the market comes, end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.domain.order import OrderState, VenueOrderStatus
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import OrderType, TimeInForce
from holdfast.lab.torture.loop import pass_ms, play, until
from tests.unit.decide.samples import LEG, ZERO, D
from tests.unit.services.exchange import PRICE
from tests.unit.services.resting import NAME, resting, resting_unheard, settled
from tests.unit.services.world import running


def test_a_limit_order_is_sent_as_planned_and_rests_without_a_result() -> None:
    """Price and time in force reach the venue as planned, GTC if none was named; the plan's entry is acknowledged."""

    async def story() -> None:
        world = await resting()
        (sent,) = world.venue.requests
        assert (sent.order_type, sent.price, sent.time_in_force) == (OrderType.LIMIT, PRICE, TimeInForce.GTC)
        assert world.bus.acked == ["1-0"]
        assert (await world.ledger()).amt == ZERO

    play(story)


def test_fills_are_booked_as_they_come_and_reported_once_at_the_end() -> None:
    """Two fills move the ledger twice; one result with all of it comes with the last, without asking the venue."""

    async def story() -> None:
        world = await resting()
        async with running(world.resolver.run):
            world.venue.reach(NAME, D(2))
            await pass_ms(100)
            assert (await world.ledger()).amt == D(2)
            assert await world.flushed() == []
            world.venue.reach(NAME, D(3))
            await pass_ms(100)
        (result,) = await world.flushed()
        assert (result.executed, result.status, result.filled_qty, result.avg_price) == (True, "FILLED", D(5), PRICE)
        assert result.entry_id == "1-0"
        assert (await world.ledger()).amt == D(5)
        assert world.venue.lookups == 0

    play(story)


@pytest.mark.parametrize(
    ("status", "error"),
    [(VenueOrderStatus.CANCELED, Reason.CANCELED), (VenueOrderStatus.EXPIRED, Reason.EXPIRED_UNFILLED)],
)
@pytest.mark.parametrize("filled", [0, 2])
def test_an_order_that_ends_early_reports_what_it_had(status: VenueOrderStatus, error: Reason, filled: int) -> None:
    """Ended at the exchange: with a part filled it is executed in part, with nothing it says how it ended."""

    async def story() -> None:
        world = await resting()
        if filled:
            world.venue.reach(NAME, D(filled))
        world.venue.end(NAME, status)
        await settled(world)
        (result,) = await world.flushed()
        assert result.executed is (filled > 0)
        assert (result.status, result.filled_qty) == ("PARTIAL" if filled else "NOT_FILLED", D(filled))
        assert result.error == ("" if filled else error.value)
        assert (await world.ledger()).amt == D(filled)

    play(story)


def test_what_the_stream_missed_is_found_by_reading_open_orders() -> None:
    """An order that ended while nobody listened is asked about once a reading of open orders lacks it."""

    async def story() -> None:
        world = await resting()
        world.venue.stream_is_silent = True
        world.venue.reach(NAME, D(5))
        await settled(world, 5_000)
        assert world.venue.lookups == 0, "a resting order is not asked about again and again"
        await world.open_orders.compare()
        await settled(world)
        (result,) = await world.flushed()
        assert (result.executed, result.filled_qty) == (True, D(5))
        assert (await world.ledger()).amt == D(5)

    play(story)


def test_a_reading_that_may_lag_suspects_no_young_order() -> None:
    """An order that came to rest within the venue's lag is not asked about because a reading lacks it."""

    async def story() -> None:
        world = await resting()
        del world.venue.orders[NAME]
        await world.open_orders.compare()
        await settled(world)
        assert world.venue.lookups == 0
        order = await world.order("p1")
        assert order is not None
        assert order.state is OrderState.OPEN

    play(story)


def test_the_stream_coming_back_lets_open_orders_be_read() -> None:
    """A new stream connection is followed by one reading: what the gap hid is found."""

    async def story() -> None:
        world = await resting()
        world.venue.stream_is_silent = True
        world.venue.reach(NAME, D(5))
        await pass_ms(2_000)
        async with running(world.resolver.run, world.open_orders.run):
            world.open_orders.on_up()
            await pass_ms(500)
        assert (await world.ledger()).amt == D(5)

    play(story)


def test_an_order_that_ended_just_before_a_reading_is_found_by_the_next_one_soon() -> None:
    """A reading that may lag proves nothing, so the next one does not wait its whole interval.

    The deterministic world found it: an order was cancelled by hand while its process was stopped; the start's reading
    was too young to say so, and the plan would have waited two minutes for its result.
    """

    async def story() -> None:
        world = await resting()
        world.venue.stream_is_silent = True
        world.venue.reach(NAME, D(5))
        await world.open_orders.compare()
        async with running(world.resolver.run, world.open_orders.run):
            await pass_ms(3_000)
        assert (await world.ledger()).amt == D(5)

    play(story)


def test_a_leg_in_doubt_lets_its_resting_orders_be_asked_about() -> None:
    """While the reconciler does not agree with the leg, its resting orders are asked about by themselves."""

    async def story() -> None:
        world = await resting()
        world.venue.stream_is_silent = True
        world.venue.reach(NAME, D(2))
        await world.write(lambda tx: tx.put_leg(replace(tx.leg(LEG), agreed_version=None)))
        await settled(world, 1_000)
        assert (await world.ledger()).amt == D(2)
        assert world.venue.lookups > 0

    play(story)


def test_a_second_order_is_permitted_beside_one_that_rests() -> None:
    """A MARKET plan on the leg goes through while a LIMIT order rests there."""

    async def story() -> None:
        world = await resting()
        await world.execute(world.plan("p2"), "2-0")
        (result,) = await world.flushed()
        assert (result.plan_id, result.executed) == ("p2", True)
        assert not world.venue.orders[NAME].report.status.is_final

    play(story)


def test_an_unbooked_fill_of_a_resting_order_bars_plans_until_it_is_booked() -> None:
    """The position shows a fill that nobody booked: the agreement is void until that is mended."""

    async def story() -> None:
        world = await resting()
        world.venue.stream_is_silent = True
        world.venue.reach(NAME, D(2))
        world.picture.see_all(await world.venue.account_view())
        async with running(world.reconciler.run):
            world.reconcile.wakes.legs.knock(LEG)
            await pass_ms(50)
            assert not (await world.ledger()).is_agreed
            async with running(world.resolver.run):
                await until(lambda: world.venue.lookups > 0)
                await pass_ms(200)
            await pass_ms(50)
        assert (await world.ledger()).amt == D(2)
        assert (await world.ledger()).is_agreed
        assert await world.holds() == ()

    play(story)


def test_an_order_found_resting_without_its_answer_is_adopted_as_resting() -> None:
    """The answer was lost, the order rests: it is adopted OPEN, and nothing is sent again."""

    async def story() -> None:
        world = await resting_unheard()
        await settled(world, 1_000)
        order = await world.order("p1")
        assert order is not None
        assert order.rests
        assert len(world.venue.requests) == 1
        world.venue.stream_is_silent = False
        world.venue.reach(NAME, D(5))
        await settled(world)
        assert (await world.flushed())[0].filled_qty == D(5)

    play(story)
