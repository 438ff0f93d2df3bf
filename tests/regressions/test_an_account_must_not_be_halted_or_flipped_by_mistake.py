"""Accounts that other reconcilers stopped whole, flipped, doubled, or half overlooked.

nautilus_trader #4761, #4106, #4411, #4958, #4215; passivbot #980; Vibe-Trading #667; BYTEX #30; what users asked for.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.entry import EntryKind
from holdfast.domain.hold import HoldReason
from holdfast.domain.operator import RequestKind
from holdfast.domain.order import OrderState
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import PlanSide, Side, TradingState
from holdfast.lab.torture.loop import pass_ms, play
from holdfast.ports.venue import AlreadyExists, Unknown
from tests.unit.decide.samples import LEG, LIMITS, OTHER_LEG, OTHER_SYMBOL, ZERO, D
from tests.unit.services.exchange import PRICE
from tests.unit.services.test_healing import everything
from tests.unit.services.weather import Weather, in_weather
from tests.unit.services.world import new_world, running, unseen_world

if TYPE_CHECKING:
    from holdfast.domain.permit import Permit
    from holdfast.ports.venue import SubmitOutcome
    from tests.unit.services.world import World

TWO = replace(LIMITS, symbols=frozenset({LEG.symbol, OTHER_SYMBOL}))


def prices(world: World) -> None:
    """Mark prices of now for both symbols."""
    world.rules.marks.update({symbol: (PRICE, world.clock.now_ms()) for symbol in TWO.symbols})


def test_a_halt_must_not_bar_the_way_out() -> None:
    """Halted, the account opens nothing, and what a person approves to close is closed all the same (#4761)."""

    async def story() -> None:
        world = await new_world()
        await world.own(D(7))
        await world.write(lambda tx: tx.set_trading_state(TradingState.HALTED, "the story wants it so"))
        async with running(*everything(world)):
            await pass_ms(1_000)
            await world.execute(world.plan("p1"))
            await world.ask(RequestKind.CLOSE)
            await pass_ms(5_000)
            refused = await world.result("p1")
        assert refused is not None
        assert refused.error == Reason.HALTED.value
        assert world.venue.positions[LEG] == ZERO == (await world.ledger()).amt
        assert all(permit.reduce_only for permit in world.venue.requests)

    play(story)


@pytest.mark.parametrize(("ledger", "foreign"), [("2", "5"), ("-2", "-5"), ("0", "5")])
def test_a_reducing_fill_must_not_open_a_phantom_opposite_position(ledger: str, foreign: str) -> None:
    """A close's own fill undoes the drift and moves no ledger: neither side ever shows the opposite sign (#4106)."""

    async def story() -> None:
        world = await new_world()
        if D(ledger) != ZERO:
            await world.own(D(ledger))
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.BUY if D(foreign) > ZERO else Side.SELL, abs(D(foreign)))
            await pass_ms(20_000)
        assert (await world.ledger()).amt == D(ledger) == world.venue.positions[LEG]
        assert EntryKind.CLOSE_DONE in await world.entries()

    play(story)


def test_a_stale_position_must_not_lead_to_a_double_entry() -> None:
    """While nobody has seen our first entry, a second plan of the strategy waits or is refused (passivbot #980)."""

    async def story() -> None:
        weather = Weather(tells_after_ms=(2_500,), reads_lag_ms=(LIMITS.settle_ms_max,))
        world = await new_world(LIMITS, partial(in_weather, weather))
        async with running(*everything(world)[1:]):
            await pass_ms(3_000)
            first_ms = world.clock.now_ms()
            await world.execute(world.plan("p1"))
            await world.execute(world.plan("p2"), "2-0")
            entries = await world.query(lambda reads: reads.entries_after(0, 10_000))
        agreed = [e.at_ms for e in entries if e.entry.kind is EntryKind.AGREED and e.at_ms > first_ms]
        second = [e.at_ms for e in entries if e.entry.kind is EntryKind.INTENT and e.entry.plan_id == "p2"]
        assert not second or (agreed and agreed[0] <= second[0])
        result = await world.result("p2")
        assert second or (result is not None and result.error == Reason.NOT_AGREED.value)

    play(story)


@pytest.mark.parametrize("where", ["only at the exchange", "only in the ledger"])
def test_no_side_must_be_iterated_alone(where: str) -> None:
    """A leg that only one of the two knows differs all the same, and is held (Vibe-Trading #667)."""

    async def story() -> None:
        world = await new_world(TWO if where == "only in the ledger" else LIMITS)  # else nobody ever named the symbol
        if where == "only in the ledger":
            await world.own(D(7), OTHER_LEG)
            del world.venue.positions[OTHER_LEG]
        async with running(*everything(world)):
            await pass_ms(3_000)
            if where == "only at the exchange":
                world.venue.scripts.extend([lost] * 50)
                world.venue.trade(OTHER_LEG, Side.SELL, D(7))
            await pass_ms(6_000)
            assert [hold.leg for hold in await world.holds()] == [OTHER_LEG]

    play(story)


@pytest.mark.parametrize("qty", ["1", "7"])
def test_a_drift_must_not_be_logged_and_then_ignored(qty: str) -> None:
    """From one step on a difference is held, and no plan of the symbol passes while it stands (BYTEX #30)."""

    async def story() -> None:
        world = await new_world()
        world.venue.scripts.extend([lost] * 50)
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.BUY, D(qty))
            await pass_ms(2_500)
            for number in range(3):
                await world.execute(world.plan(f"p{number}"))
                result = await world.result(f"p{number}")
                assert result is not None
                assert result.error == Reason.HOLD_ACTIVE.value
                await pass_ms(2_000)

    play(story)


async def lost(_permit: Permit) -> SubmitOutcome:
    """A request that never arrives."""
    return Unknown("timed out")


def test_a_live_order_must_not_be_declared_rejected_because_it_was_late() -> None:
    """A request that reaches the book long after its answer was given up is adopted, not orphaned (#4411, #4958)."""

    async def story() -> None:
        world = await new_world()

        async def late(permit: Permit) -> SubmitOutcome:
            lates.append(permit)
            return Unknown("timed out")

        lates: list[Permit] = []
        world.venue.scripts.append(late)
        async with running(*everything(world)):
            await pass_ms(1_000)
            await world.execute(world.plan("p1"))
            await pass_ms(700)  # inside recvWindow: the engine may still take it
            order = await world.order("p1")
            assert order is not None
            assert order.state is OrderState.UNKNOWN
            world.venue.fill(lates[0])
            await pass_ms(15_000)
        order = await world.order("p1")
        assert order is not None
        assert order.state is OrderState.FILLED
        assert (await world.ledger()).amt == world.venue.positions[LEG] == D(5)
        assert await world.holds() == ()

    play(story)


def test_an_order_that_exists_already_must_not_be_taken_for_refused() -> None:
    """-4116 after a lost answer means that the request was taken: its fill is ours, none is sent again (#4215)."""

    async def story() -> None:
        world = await new_world()

        async def taken(permit: Permit) -> SubmitOutcome:
            world.venue.fill(permit)
            return AlreadyExists("-4116")

        world.venue.scripts.append(taken)
        async with running(*everything(world)):
            await pass_ms(1_000)
            await world.execute(world.plan("p1"))
            await pass_ms(10_000)
        assert len(world.venue.requests) == 1
        assert (await world.ledger()).amt == D(5)
        assert await world.holds() == ()

    play(story)


def test_one_symbol_in_trouble_must_not_stop_the_others() -> None:
    """While one symbol is held for a person, another one trades on (asked for by users)."""

    async def story() -> None:
        world = await new_world(TWO)
        await world.own(D(7))
        world.venue.trades_are_hidden = True
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.SELL, D(3))
            await pass_ms(8_000)
            assert [hold.reason for hold in await world.holds()] == [HoldReason.DEFICIT]
            world.venue.trades_are_hidden = False
            prices(world)
            await world.execute(world.plan("p1", PlanSide.BUY, D(5), OTHER_SYMBOL))
            result = await world.result("p1")
        assert result is not None
        assert result.executed, result.error

    play(story)


def test_a_start_must_not_open_before_it_has_seen() -> None:
    """Before the first complete view and the baseline every plan is refused (asked for: a start that fails closed)."""

    async def story() -> None:
        world = await unseen_world()
        await world.execute(world.plan("p1"))
        result = await world.result("p1")
        assert result is not None
        assert result.error == Reason.NO_BASELINE.value  # not even its mode is known: no word on the position side
        assert world.venue.requests == []

    play(story)
