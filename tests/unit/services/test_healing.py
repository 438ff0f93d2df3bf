"""Both services together in virtual time: drifts heal, people are asked, and nothing is closed that is ours."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.entry import EntryKind
from holdfast.domain.hold import HoldReason
from holdfast.domain.limits import ReconcileClose
from holdfast.domain.operator import RequestKind, RequestState
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import PlanSide, Side, TradingState
from holdfast.lab.torture.loop import pass_ms, play, until
from holdfast.ports.venue import StreamAlive, StreamUp, Unknown
from tests.unit.decide.samples import LEG, LIMITS, ZERO, D
from tests.unit.services.exchange import PRICE
from tests.unit.services.world import new_world, running

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from holdfast.domain.permit import Permit
    from holdfast.ports.venue import SubmitOutcome
    from tests.unit.services.world import World


async def living_stream(world: World) -> None:
    """A stream that is up and answers its probes; positions are seen by views alone."""
    world.venue.stream_events.append((StreamUp(world.clock.now_ms()),))
    while True:
        world.venue.stream_events.append((StreamAlive(world.clock.now_ms()),))
        world.rules.marks[LEG.symbol] = (PRICE, world.clock.now_ms())
        await pass_ms(250)


def everything(world: World) -> tuple[Callable[[], Coroutine[Any, Any, None]], ...]:
    """All tasks of both services but the leases."""
    return (
        lambda: living_stream(world),
        world.feed.run_stream,
        world.feed.run_views,
        world.reconciler.run,
        world.reconcile_publisher.run_streams,
        world.reconcile_publisher.run_copies,
        world.requests.run,
        world.requests.run_imports,
        world.alerting.run,
        world.intake.run_plans,
        world.intake.run_closes,
        world.inbox.run,
        world.resolver.run,
        world.operator_close.run,
        world.operator_resolve.run,
        world.publisher.run_streams,
        world.publisher.run_marks,
    )


@pytest.mark.parametrize(
    ("ledger", "foreign", "left"), [("0", "7", "0"), ("0", "-7", "0"), ("2", "5", "2"), ("-3", "-4", "-3")]
)
def test_an_excess_is_held_closed_and_released(ledger: str, foreign: str, left: str) -> None:
    """What somebody else traded on top is closed, the ledger stays, the hold ends, and nobody was asked."""

    async def story() -> None:
        world = await new_world()
        if D(ledger) != ZERO:
            await world.own(D(ledger))
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.BUY if D(foreign) > ZERO else Side.SELL, abs(D(foreign)))
            await pass_ms(20_000)
            assert world.venue.positions[LEG] == D(left)
            assert (await world.ledger()).amt == D(left)
            assert await world.holds() == ()
            assert len(world.venue.requests) == 1
            assert world.venue.requests[0].reduce_only

    play(story)


@pytest.mark.parametrize("sold", ["5", "7"])
def test_a_deficit_that_trades_explain_is_written_down_and_told(sold: str) -> None:
    """What somebody sold by hand is taken off the ledger by its trade id, the hold ends, and a person was told."""

    async def story() -> None:
        world = await new_world()
        await world.own(D(7))
        async with running(*everything(world)):
            await pass_ms(3_000)
            (trade,) = world.venue.trade(LEG, Side.SELL, D(sold))
            await pass_ms(20_000)
            assert world.venue.requests == []
            assert await world.holds() == ()
            assert (await world.ledger()).amt == D(7) - D(sold)
            assert (await world.ledger()).watermark_trade_id == trade.trade_id
            assert world.person.told
            assert (await world.entries()).count(EntryKind.WRITTEN_DOWN) == 1

    play(story)


@pytest.mark.parametrize("sold", ["5", "7"])
def test_a_deficit_that_no_trades_explain_closes_nothing_and_asks_a_person(sold: str) -> None:
    """The exchange holds less than the ledger and nobody knows why: nothing is sent, the hold stands, a person knows.

    Once the trades show at last, the ledger is written down by them all the same.
    """

    async def story() -> None:
        world = await new_world()
        world.venue.trades_are_hidden = True
        await world.own(D(7))
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.SELL, D(sold))
            await pass_ms(20_000)
            assert world.venue.requests == []
            assert [hold.reason for hold in await world.holds()] == [HoldReason.DEFICIT]
            assert (await world.ledger()).amt == D(7)
            assert world.person.told
            assert world.metrics.without_next_step == 0
            world.venue.trades_are_hidden = False
            await pass_ms(20_000)
            assert await world.holds() == ()
            assert (await world.ledger()).amt == D(7) - D(sold)

    play(story)


def test_a_flipped_position_is_closed_and_the_rest_is_written_down() -> None:
    """Exchange -2 against a ledger of 7: the 2 are closed, the missing 7 are written down, and both agree at 0."""

    async def story() -> None:
        world = await new_world()
        await world.own(D(7))
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.SELL, D(9))
            await pass_ms(20_000)
            assert [(permit.side, permit.qty) for permit in world.venue.requests] == [(Side.BUY, D(2))]
            assert (await world.ledger()).amt == ZERO
            assert await world.holds() == ()
            assert world.person.told

    play(story)


def test_the_old_deadlock_tells_a_person_and_ends_by_hand() -> None:
    """With closes switched off the hold stands and is told; closed by hand at the exchange it releases by itself."""

    async def story() -> None:
        world = await new_world(replace(LIMITS, reconcile_close=ReconcileClose.OFF))
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.BUY, D(7))
            await pass_ms(60_000)
            assert len(await world.holds()) == 1
            assert world.person.told
            assert world.venue.requests == []
            world.venue.trade(LEG, Side.SELL, D(7), "web_2")
            await pass_ms(10_000)
            assert await world.holds() == ()

    play(story)


def test_a_venue_that_refuses_every_close_is_given_up_on_after_three() -> None:
    """Three closes of proven absence, spaced, then a person: the hold stands and nothing more is sent."""

    async def story() -> None:
        world = await new_world()

        async def lost(_permit: Permit) -> SubmitOutcome:
            return Unknown("timed out")

        world.venue.scripts.extend([lost] * 50)
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.BUY, D(7))
            await pass_ms(40_000)
            assert len(world.venue.requests) == LIMITS.close_attempts_max
            assert len({permit.client_order_id for permit in world.venue.requests}) == LIMITS.close_attempts_max
            (hold,) = await world.holds()
            assert hold.close_attempts == LIMITS.close_attempts_max
            assert world.person.told
            assert world.metrics.without_next_step == 0

    play(story)


def test_a_strategy_trades_on_and_its_fills_are_never_closed() -> None:
    """Plan after plan, each agreed with before the next: no hold is placed and no close is planned."""

    async def story() -> None:
        world = await new_world()
        async with running(*everything(world)):
            await pass_ms(3_000)
            for number in range(20):
                side = PlanSide.BUY if number % 2 == 0 else PlanSide.SELL
                await world.execute(world.plan(f"p{number}", side), f"{number}-0")
                await pass_ms(2_500)
            assert all(result.executed for result in world.bus.results), world.bus.results
            assert len(world.bus.results) == 20
            assert (await world.ledger()).amt == ZERO
            found = await world.query(lambda reads: reads.holds_of(LEG, 10))
            assert found == ()

    play(story)


def test_a_wiped_bus_costs_nothing() -> None:
    """FLUSHALL in the middle of a hold: the hold's copy is back, the close is sent, the result is published."""

    async def story() -> None:
        world = await new_world(replace(LIMITS, reconcile_close=ReconcileClose.OFF))
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.BUY, D(7))
            await until(lambda: f"reconcile:hold:{LEG.symbol}" in world.bus.keys)
            world.bus.wipe()
            await until(lambda: f"reconcile:hold:{LEG.symbol}" in world.bus.keys, 2_000)
            world.bus.down = True
            await pass_ms(5_000)
            assert len(await world.holds()) == 1
            world.bus.down = False
            await pass_ms(2_000)
            assert world.bus.keys[f"reconcile:hold:{LEG.symbol}"] == (await world.holds())[0].hold_id

    play(story)


def test_a_hold_by_hand_counts_at_once_and_ends_only_by_a_person() -> None:
    """A value set on the hold key denies, is imported, outlives its deletion, and ends by `release`."""

    async def story() -> None:
        world = await new_world()
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.bus.keys[f"reconcile:hold:{LEG.symbol}"] = "hands off"
            await world.execute(world.plan("p1"))
            await pass_ms(1_000)
            assert world.bus.results[0].error in {Reason.BUS_HOLD.value, Reason.HOLD_ACTIVE.value}
            world.bus.keys.pop(f"reconcile:hold:{LEG.symbol}")
            await pass_ms(2_000)
            assert [hold.reason for hold in await world.holds()] == [HoldReason.OPERATOR]
            await world.ask(RequestKind.RELEASE)
            await pass_ms(2_000)
            assert (await world.request()).state is RequestState.DONE
            assert await world.holds() == ()
            assert f"reconcile:hold:{LEG.symbol}" not in world.bus.keys
            assert await world.query(lambda reads: reads.account().trading_state) is TradingState.ACTIVE

    play(story)


def test_adopting_ends_a_drift_by_a_persons_word() -> None:
    """`adopt` makes the ledger what the exchange shows, and the hold releases by agreement."""

    async def story() -> None:
        world = await new_world(replace(LIMITS, reconcile_close=ReconcileClose.OFF))
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.BUY, D(7))
            await pass_ms(10_000)
            await world.ask(RequestKind.ADOPT)
            await pass_ms(5_000)
            assert (await world.request()).state is RequestState.DONE
            assert (await world.ledger()).amt == D(7)
            assert await world.holds() == ()
            assert world.venue.requests == []

    play(story)


def test_adopting_a_look_of_our_own_fills_millisecond_is_refused() -> None:
    """A look that may lack our last fill can't become the ledger; a second later it can."""

    async def story() -> None:
        world = await new_world()
        world.venue.lag_ms = 1_000
        await world.execute(world.plan("p1"))
        async with running(world.requests.run):
            await world.ask(RequestKind.ADOPT)
            await pass_ms(300)
            assert (await world.request()).state is RequestState.REFUSED
            await pass_ms(1_000)
            await world.ask(RequestKind.ADOPT, request_id="r2")
            await pass_ms(300)
            assert (await world.request("r2")).state is RequestState.DONE
        assert (await world.ledger()).amt == D(5)

    play(story)
