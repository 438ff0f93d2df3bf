"""A person's word on an order whose fate nobody could prove: believed once, and never counted twice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.ledger import MoveCause
from holdfast.domain.names import PlanId, client_order_id
from holdfast.domain.operator import RequestKind, RequestState
from holdfast.domain.order import OrderState
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Side
from holdfast.lab.torture.loop import pass_ms, play
from holdfast.ports.venue import Unknown
from holdfast.services.booking import book_trades
from tests.unit.decide.samples import ACCOUNT, LEG, ZERO, D
from tests.unit.services.world import new_world, running

if TYPE_CHECKING:
    from holdfast.domain.permit import Permit
    from holdfast.ports.journal import Tx
    from holdfast.ports.venue import SubmitOutcome
    from tests.unit.services.world import World

NAME = client_order_id(ACCOUNT, PlanId("p1"))


async def no_answer(_permit: Permit) -> SubmitOutcome:
    """Nothing came back."""
    return Unknown("timed out")


async def world_with_an_unknown_order() -> World:
    """A BUY of 5 whose answer never came, past its window."""
    world = await new_world()
    world.venue.scripts.append(no_answer)
    await world.execute(world.plan("p1"))
    await pass_ms(4_000)
    return world


@pytest.mark.parametrize("busy_step", range(1, 5))
def test_a_word_that_is_found_again_moves_the_ledger_once(busy_step: int) -> None:
    """Whichever transaction finds the journal busy, "filled" moves the ledger by the order's quantity once."""

    async def story() -> None:
        world = await world_with_an_unknown_order()
        await world.ask(RequestKind.RESOLVE_FILLED, client_order_id=NAME)
        world.journal.busy_steps.extend([False] * (busy_step - 1) + [True])
        async with running(world.inbox.run, world.operator_resolve.run):
            await pass_ms(2_000)
        assert (await world.ledger()).amt == D(5)
        order = await world.order("p1")
        assert order is not None
        assert order.state is OrderState.FILLED
        assert (await world.request()).state is RequestState.DONE
        (result,) = await world.flushed()
        assert (result.executed, result.filled_qty) == (True, D(5))

    play(story)


def test_the_trade_of_an_order_that_a_person_called_filled_moves_nothing_more() -> None:
    """The trade that shows up later is booked on its order, and leaves the ledger where the word put it."""

    async def story() -> None:
        world = await world_with_an_unknown_order()
        await world.ask(RequestKind.RESOLVE_FILLED, client_order_id=NAME)
        async with running(world.inbox.run, world.operator_resolve.run, world.resolver.run):
            await pass_ms(500)
            world.venue.trade(LEG, Side.BUY, D(5), NAME)
            await pass_ms(1_000)
        order = await world.order("p1")
        assert order is not None
        assert (order.state, order.booked_qty) == (OrderState.FILLED, D(5))
        assert (await world.ledger()).amt == D(5)

    play(story)


def test_the_word_that_it_never_arrived_ends_the_plan() -> None:
    """The word "not accepted" gives the plan that result and moves nothing."""

    async def story() -> None:
        world = await world_with_an_unknown_order()
        await world.ask(RequestKind.RESOLVE_NOT_ACCEPTED, client_order_id=NAME)
        async with running(world.inbox.run, world.operator_resolve.run):
            await pass_ms(500)
        (result,) = await world.flushed()
        assert (result.executed, result.error) == (False, Reason.NOT_ACCEPTED.value)
        assert (await world.ledger()).amt == ZERO

    play(story)


def test_a_word_before_the_window_has_ended_is_refused() -> None:
    """While the venue may still take the request nobody can say what became of it."""

    async def story() -> None:
        world = await new_world()
        world.venue.scripts.append(no_answer)
        await world.execute(world.plan("p1"))
        await world.ask(RequestKind.RESOLVE_NOT_ACCEPTED, client_order_id=NAME)
        async with running(world.inbox.run, world.operator_resolve.run):
            await pass_ms(500)
        assert (await world.request()).state is RequestState.REFUSED
        order = await world.order("p1")
        assert order is not None
        assert order.state is OrderState.UNKNOWN

    play(story)


def test_nobody_can_say_that_an_order_never_arrived_once_it_has_traded() -> None:
    """An order with a booked trade can't be called not accepted."""

    async def story() -> None:
        world = await world_with_an_unknown_order()
        world.venue.reads_fail = True
        world.venue.stream_is_silent = True
        trades = world.venue.trade(LEG, Side.BUY, D(2), NAME)

        def repair(tx: Tx) -> None:
            order = tx.order(NAME)
            assert order is not None
            book_trades(tx, order, trades, MoveCause.REPAIR)

        async with running(world.resolver.run):
            await world.write(repair)
            await pass_ms(500)
            await world.ask(RequestKind.RESOLVE_NOT_ACCEPTED, client_order_id=NAME)
            async with running(world.inbox.run, world.operator_resolve.run):
                await pass_ms(500)
        assert (await world.request()).state is RequestState.REFUSED
        order = await world.order("p1")
        assert order is not None
        assert replace(order, booked_qty=ZERO).state is OrderState.UNKNOWN
        assert (await world.ledger()).amt == D(2)

    play(story)
