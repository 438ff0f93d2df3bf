"""Exchange and ledger equal by coincidence, while what an order of ours did is not booked: that is no agreement."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.domain.entry import EntryKind
from holdfast.domain.hold import HoldReason, StepKind
from holdfast.domain.order import OrderState
from holdfast.domain.sides import OrderType, PlanSide, Side
from holdfast.lab.torture.loop import pass_ms, play
from holdfast.ports.venue import Accepted, Unknown
from tests.unit.decide.samples import LEG, LIMITS, ZERO, D
from tests.unit.services.exchange import PRICE, Book
from tests.unit.services.test_healing import everything
from tests.unit.services.world import new_world, running

if TYPE_CHECKING:
    from holdfast.domain.permit import Permit
    from holdfast.ports.venue import SubmitOutcome
    from tests.unit.services.world import World

SEEN_MS = LIMITS.view_interval_ms + LIMITS.settle_ms_max + 500
"""So long a difference stands before a view has shown it and own orders explain it no more."""


async def buy_unheard(world: World) -> Book:
    """Buy 5 by a plan: executed, and no answer, word on the stream, trade or lookup tells of it; the order there."""
    hidden: list[Book] = []

    async def execute(permit: Permit) -> SubmitOutcome:
        world.venue.stream_is_silent = world.venue.trades_are_hidden = True
        world.venue.fill(permit)
        hidden.append(world.venue.orders.pop(permit.client_order_id))
        world.venue.stream_is_silent = False
        return Unknown("timed out")

    world.venue.scripts.append(execute)
    await world.execute(world.plan("ours", PlanSide.BUY, D(5)))
    return hidden[0]


def test_a_trade_that_cancels_our_unbooked_fill_releases_nothing() -> None:
    """A person sells what our UNKNOWN order bought: the hold waits for the order, whose fill is booked in the end."""

    async def story() -> None:
        world = await new_world()
        async with running(*everything(world)):
            await pass_ms(1_000)
            book = await buy_unheard(world)
            await pass_ms(SEEN_MS)
            (hold,) = await world.holds()
            assert hold.reason is HoldReason.DRIFT
            world.venue.trade(LEG, Side.SELL, D(5))
            await pass_ms(1_000)
            (still,) = await world.holds()
            assert (still.hold_id, still.next_step.kind) == (hold.hold_id, StepKind.RELEASE)
            world.venue.trades_are_hidden = False
            world.venue.orders[book.report.client_order_id] = book
            await pass_ms(20_000)
            order = await world.order("ours")
            assert order is not None
            assert (order.state, order.booked_qty) == (OrderState.FILLED, D(5))
            assert await world.holds() == ()
            assert (await world.ledger()).amt == world.venue.positions[LEG] == ZERO
            assert len(world.venue.requests) == 1
            entries = await world.entries()
            assert (entries.count(EntryKind.HOLD_RELEASED), entries.count(EntryKind.WRITTEN_DOWN)) == (1, 1)

    play(story)


def test_an_order_that_never_settles_is_a_persons_in_the_end() -> None:
    """Equal amounts beside a MARKET order that the venue does not end: the hold stands, and a person is told."""

    async def story() -> None:
        world = await new_world()

        async def take(permit: Permit) -> SubmitOutcome:
            return Accepted(world.venue.rest(permit))

        world.venue.scripts.append(take)
        async with running(*everything(world)):
            await pass_ms(1_000)
            await world.execute(world.plan("ours", PlanSide.BUY, D(5)))
            world.venue.trade(LEG, Side.BUY, D(5))
            await pass_ms(SEEN_MS)
            assert len(await world.holds()) == 1
            world.venue.trade(LEG, Side.SELL, D(5))
            await pass_ms(LIMITS.view_age_ms_max + 3_000)
            (hold,) = await world.holds()
            assert hold.next_step.kind is StepKind.OPERATOR
            assert "overdue: agreed; order" in hold.next_step.text
            assert world.person.told
            assert world.metrics.without_next_step == 0

    play(story)


def test_an_order_that_rests_unfilled_hinders_no_release() -> None:
    """A LIMIT order that rests may rest for days: the hold ends by agreement beside it."""

    async def story() -> None:
        world = await new_world()
        await world.own(D(7))
        await world.execute(replace(world.limit("rests", PlanSide.SELL, D(2), price=PRICE * 2), reduce_only=True))
        async with running(*everything(world)):
            await pass_ms(1_000)
            await world.hold()
            await pass_ms(3_000)
            order = await world.order("rests")
            assert order is not None
            assert (order.state, order.order_type) == (OrderState.OPEN, OrderType.LIMIT)
            assert await world.holds() == ()

    play(story)


def test_a_resting_orders_fill_that_the_trades_show_is_booked_before_anything_agrees() -> None:
    """A person buys back what our resting order sold unheard: the trades show it, it is booked, then all heals."""

    async def story() -> None:
        world = await new_world()
        await world.own(D(7))
        plan = replace(world.limit("rests", PlanSide.SELL, D(2), price=PRICE * 2), reduce_only=True)
        await world.execute(plan)
        async with running(*everything(world), world.canceller.run):
            await pass_ms(1_000)
            world.venue.stream_is_silent = True
            order = await world.order("rests")
            assert order is not None
            world.venue.reach(order.client_order_id, D(1))
            world.venue.trade(LEG, Side.BUY, D(1))
            await world.hold(HoldReason.VIEW_STALE)
            await pass_ms(20_000)
            assert await world.holds() == ()
            assert (await world.ledger()).amt == world.venue.positions[LEG]
            order = await world.order("rests")
            assert order is not None
            assert order.booked_qty == D(1)
            assert (await world.entries()).count(EntryKind.HOLD_RELEASED) == 1

    play(story)
