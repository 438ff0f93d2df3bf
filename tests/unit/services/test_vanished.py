"""Orders that rested and are not there any more: asked about, forgotten by proof alone, else a person's to end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from holdfast.decide.recovery import FORGOTTEN_MS
from holdfast.domain.hold import HoldReason
from holdfast.domain.operator import RequestKind, RequestState
from holdfast.domain.order import OrderState, VenueOrderStatus
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Side
from holdfast.lab.torture.loop import pass_ms, play
from tests.unit.decide.samples import LEG, LIMITS, ZERO, D
from tests.unit.services.resting import NAME, resting, settled
from tests.unit.services.world import running

if TYPE_CHECKING:
    from holdfast.ports.journal import Tx
    from tests.unit.services.world import World


async def vanished(age_ms: int, filled: int = 0) -> World:
    """An order signed so long ago, resting by our books, which the venue does not know any more."""
    world = await resting()
    if filled:
        world.venue.reach(NAME, D(filled))
        await settled(world)
        await world.agree()
    world.venue.stream_is_silent = True

    def age(tx: Tx) -> None:
        order = tx.order(NAME)
        assert order is not None
        tx.put_order(replace(order, timestamp_ms=order.timestamp_ms - age_ms, created_ms=order.created_ms - age_ms))

    await world.write(age)
    del world.venue.orders[NAME]
    await pass_ms(LIMITS.settle_ms_max + 1)
    await world.open_orders.compare()
    return world


def test_what_the_venue_may_have_forgotten_ends_by_proof() -> None:
    """Older than the venue's memory, no trade, the position as it was: it ended, and its plan says so."""

    async def story() -> None:
        world = await vanished(FORGOTTEN_MS + 60_000)
        await settled(world, 5_000)
        (result,) = await world.flushed()
        assert (result.executed, result.error) == (False, Reason.ENDED_UNSEEN.value)
        assert await world.query(lambda reads: reads.live_orders(None)) == ()
        assert await world.holds() == ()

    play(story)


def test_what_the_venue_cannot_have_forgotten_is_held_for_a_person() -> None:
    """Younger, its absence contradicts what was seen: UNKNOWN, nothing else trades, and past the bound a hold."""

    async def story() -> None:
        world = await vanished(60_000)
        await settled(world, 5_000)
        order = await world.order("p1")
        assert order is not None
        assert order.state is OrderState.UNKNOWN
        assert await world.holds() == (), "it counts from when it was missed"
        await settled(world, LIMITS.unknown_ms_max + 10_000)
        (hold,) = await world.holds()
        assert hold.reason is HoldReason.UNKNOWN_ORDER
        assert await world.flushed() == []

    play(story)


@pytest.mark.parametrize("filled", [0, 2])
def test_a_person_may_say_that_it_is_over(filled: int) -> None:
    """`--ended` ends it with what is booked; the ledger does not move by it."""

    async def story() -> None:
        world = await vanished(60_000, filled)
        await settled(world, 5_000)
        await world.ask(RequestKind.RESOLVE_ENDED, client_order_id=NAME)
        async with running(world.inbox.run, world.operator_resolve.run):
            await pass_ms(500)
        assert (await world.request()).state is RequestState.DONE
        (result,) = await world.flushed()
        assert (result.executed, result.filled_qty) == (filled > 0, D(filled))
        assert result.error == ("" if filled else Reason.ENDED_UNSEEN.value)
        assert (await world.ledger()).amt == D(filled)

    play(story)


def test_nobody_can_say_that_what_rested_was_never_accepted() -> None:
    """The venue has shown it: `--not-accepted` is refused."""

    async def story() -> None:
        world = await vanished(60_000)
        await settled(world, 5_000)
        await world.ask(RequestKind.RESOLVE_NOT_ACCEPTED, client_order_id=NAME)
        async with running(world.inbox.run, world.operator_resolve.run):
            await pass_ms(500)
        assert (await world.request()).state is RequestState.REFUSED

    play(story)


def test_a_trade_that_nobody_booked_keeps_it_from_being_forgotten() -> None:
    """However old: while a trade of it is not booked it has not ended."""

    async def story() -> None:
        world = await resting()
        world.venue.stream_is_silent = True
        order = await world.order("p1")
        assert order is not None
        (trade,) = world.venue.trade(LEG, Side.BUY, D(2), "gone")
        world.venue.trade_list[-1] = replace(trade, order_id=world.venue.orders[NAME].report.order_id)
        old = FORGOTTEN_MS + 60_000
        aged = replace(order, timestamp_ms=order.timestamp_ms - old, created_ms=order.created_ms - old)
        await world.write(lambda tx: tx.put_order(aged))
        del world.venue.orders[NAME]
        await pass_ms(LIMITS.settle_ms_max + 1)
        await world.open_orders.compare()
        await settled(world, 5_000)
        order = await world.order("p1")
        assert order is not None
        assert order.state is OrderState.UNKNOWN

    play(story)


def test_an_order_that_was_over_and_rests_is_cancelled() -> None:
    """Given up here and found resting there: it is cancelled, so that it can do nothing later."""

    async def story() -> None:
        world = await resting()
        world.venue.stream_is_silent = True
        order = await world.order("p1")
        assert order is not None
        over = replace(order, state=OrderState.NOT_ACCEPTED, error=Reason.NOT_ACCEPTED.value)
        await world.write(lambda tx: tx.put_order(over))
        await pass_ms(LIMITS.settle_ms_max + 1)
        await world.open_orders.compare()
        assert world.venue.cancels == [NAME]
        assert world.venue.orders[NAME].report.status is VenueOrderStatus.CANCELED
        assert (await world.ledger()).amt == ZERO

    play(story)
