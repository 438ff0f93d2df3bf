"""A person's word to close: carried out once, however often it is found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.domain.close import CloseState
from holdfast.domain.operator import RequestKind, RequestState
from holdfast.domain.order import OrderState
from holdfast.lab.torture.loop import pass_ms, play
from holdfast.ports.venue import Unknown
from tests.unit.decide.samples import INSTRUMENT, LEG, SYMBOL, ZERO, D
from tests.unit.services.world import new_world, running


@pytest.mark.parametrize(
    ("exchange", "ledger", "asked", "ledger_after"),
    [
        ("7", "7", "", "0"),  # no drift: all of the fill moves the ledger
        ("7", "7", "3", "4"),
        ("7", "0", "", "0"),  # all drift: nothing moves it
        ("7", "2", "", "0"),  # the first five undo the drift, the last two move the ledger
        ("7", "2", "5", "2"),
        ("7", "2", "6", "1"),
        ("7", "9", "3", "6"),  # the drift has the other sign: all of it moves the ledger
    ],
)
def test_the_fill_is_split_at_the_drift_of_the_moment(
    exchange: str, ledger: str, asked: str, ledger_after: str
) -> None:
    """Of an operator's close the part up to the drift leaves the ledger alone, the rest moves it."""

    async def story() -> None:
        world = await new_world()
        await world.own(D(ledger))
        world.venue.positions[LEG] = D(exchange)
        world.venue.updated_ms.setdefault(LEG, world.clock.now_ms() - 60_000)
        await world.ask(RequestKind.CLOSE, qty=asked)
        async with running(world.inbox.run, world.operator_close.run, world.intake.run_closes):
            await pass_ms(2_000)
        assert (await world.request()).state is RequestState.DONE
        assert (await world.ledger()).amt == D(ledger_after)
        assert world.venue.positions[LEG] == D(exchange) - D(asked or exchange)

    play(story)


def test_the_lane_and_the_request_work_on_one_close_together() -> None:
    """A slice that its lane finds in the journal while the request carries it out has one order and one result."""

    async def story() -> None:
        world = await new_world()
        await world.own(D(7))
        await world.ask(RequestKind.CLOSE, qty="3")

        async def slow() -> None:
            if len(looks) < 2:  # the request's own looks are quick, that of the guardrails is slow
                looks.append(1)
                world.venue.before_view = slow
            else:
                await pass_ms(250)

        looks: list[int] = []
        world.venue.before_view = slow
        async with running(
            world.inbox.run, world.operator_close.run, world.intake.run_closes, world.publisher.run_streams
        ):
            await pass_ms(3_000)
        assert len(world.venue.requests) == 1
        assert [result.executed for result in world.bus.results] == [True]
        assert (await world.request()).outcome == "3 closed"

    play(story)


@pytest.mark.parametrize("busy_step", range(1, 8))
def test_a_request_that_is_interrupted_closes_what_was_asked_and_no_more(busy_step: int) -> None:
    """Whichever transaction finds the journal busy, a request for 3 of 7 closes at most 3, by one request."""

    async def story() -> None:
        world = await new_world()
        await world.own(D(7))
        await world.ask(RequestKind.CLOSE, qty="3")
        world.journal.busy_steps.extend([False] * (busy_step - 1) + [True])
        async with running(world.inbox.run, world.operator_close.run, world.intake.run_closes, world.resolver.run):
            await pass_ms(20_000)
        assert len(world.venue.requests) == 1
        assert world.venue.positions[LEG] == D(4)
        assert (await world.ledger()).amt == D(4)
        assert (await world.request()).state is not RequestState.OPEN

    play(story)


def test_a_request_found_again_after_its_slice_was_filled_sends_nothing() -> None:
    """A process that died between the fill and the end of the request leaves a successor that counts the fill."""

    async def story() -> None:
        world = await new_world()
        await world.own(D(7))
        request = await world.ask(RequestKind.CLOSE, qty="3")
        async with running(world.inbox.run, world.operator_close.run):
            await pass_ms(1_000)
        await world.write(lambda tx: tx.put_request(request))  # as if its end had never been written
        async with running(world.inbox.run, world.operator_close.run):
            await pass_ms(1_000)
        assert len(world.venue.requests) == 1
        assert (await world.request()).outcome == "3 closed"
        order = await world.order("oc-r1-1")
        assert order is not None
        assert (order.state, order.booked_qty) == (OrderState.FILLED, D(3))

    play(story)


def test_a_request_for_all_of_it_goes_on_with_the_next_slice() -> None:
    """Found again after its first slice, a request for the whole position closes the rest."""

    async def story() -> None:
        world = await new_world()
        world.rules.instruments = {SYMBOL: replace(INSTRUMENT, market_qty_max=D(3))}
        await world.own(D(7))
        await world.ask(RequestKind.CLOSE)
        # plan, claim and outcome of the first slice; the plan of the second finds the journal busy
        world.journal.busy_steps.extend([False, False, False, True])
        async with running(world.inbox.run, world.operator_close.run):
            await pass_ms(3_000)
        assert [permit.qty for permit in world.venue.requests] == [D(3), D(3), D(1)]
        assert world.venue.positions[LEG] == ZERO
        assert (await world.request()).outcome == "7 closed"

    play(story)


def test_a_slice_without_an_answer_is_not_sent_again() -> None:
    """A slice of unknown fate ends the request with that word; its order is asked about, the close stays claimed."""

    async def story() -> None:
        world = await new_world()
        await world.own(D(7))

        async def lost(_permit: object) -> Unknown:
            return Unknown("timed out")

        world.venue.scripts.append(lost)
        await world.ask(RequestKind.CLOSE)
        async with running(world.inbox.run, world.operator_close.run, world.intake.run_closes):
            await pass_ms(1_000)
        assert (await world.request()).state is RequestState.REFUSED
        close = await world.close("oc-r1-1")
        assert close is not None
        assert close.state is CloseState.CLAIMED
        assert len(world.venue.requests) == 1

    play(story)
