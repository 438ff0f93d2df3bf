"""Drifts of every size on both services in virtual time: too large for one order, too small for any, not tradable."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.hold import HoldReason
from holdfast.domain.names import TradeId
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Side
from holdfast.lab.torture.loop import pass_ms, play
from holdfast.ports.venue import Accepted, Refused
from holdfast.services.supervisor import RULES_DOUBTED_MS, Turn, keep_rules
from tests.unit.decide.samples import INSTRUMENT, LEG, LIMITS, SYMBOL, ZERO, D
from tests.unit.services.test_healing import everything
from tests.unit.services.world import new_world, running

if TYPE_CHECKING:
    from holdfast.domain.permit import Permit
    from holdfast.ports.venue import SubmitOutcome

LARGE = replace(INSTRUMENT, market_qty_min=D(2), market_qty_max=D(3))


def test_a_large_drift_is_closed_in_slices_each_read_afresh() -> None:
    """A drift of 7 with orders of 2 to 3: slices of 3, 2 and 2, one after the other, and what comes between counts."""

    async def story() -> None:
        world = await new_world()
        world.rules.instruments = {SYMBOL: LARGE}
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.BUY, D(7))
            await pass_ms(20_000)
            assert [permit.qty for permit in world.venue.requests] == [D(3), D(2), D(2)]
            assert len({permit.client_order_id for permit in world.venue.requests}) == 3
            assert (world.venue.positions[LEG], (await world.ledger()).amt) == (ZERO, ZERO)
            assert await world.holds() == ()

    play(story)


def test_a_slice_is_not_sent_for_what_is_gone_meanwhile() -> None:
    """Somebody closes the rest by hand after the first slice: no second one is sent, the hold ends."""

    async def story() -> None:
        world = await new_world()
        world.rules.instruments = {SYMBOL: LARGE}

        async def first(permit: Permit) -> SubmitOutcome:
            report = world.venue.fill(permit)
            world.venue.trade(LEG, Side.SELL, D(4), "web_2")
            return Accepted(report)

        world.venue.scripts.append(first)
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.BUY, D(7))
            await pass_ms(20_000)
            assert [permit.qty for permit in world.venue.requests] == [D(3)]
            assert (world.venue.positions[LEG], (await world.ledger()).amt) == (ZERO, ZERO)
            assert await world.holds() == ()

    play(story)


def test_a_position_too_small_for_any_order_is_a_persons_and_no_loop() -> None:
    """A drift below the venue's smallest order is held, told once, and nothing is planned or sent for it."""

    async def story() -> None:
        world = await new_world()
        world.rules.instruments = {SYMBOL: replace(INSTRUMENT, qty_min=D(5))}
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.BUY, D(3))
            await pass_ms(60_000)
            (hold,) = await world.holds()
            assert hold.reason is HoldReason.DRIFT
            assert "smaller than the venue's smallest order" in hold.next_step.text
            assert world.venue.requests == []
            assert await world.query(lambda reads: reads.planned_closes()) == ()
            assert len({alert.alert_id for alert in world.person.told}) == 1

    play(story)


def test_a_halted_symbol_is_held_told_and_closed_once_it_trades_again() -> None:
    """A symbol that does not trade: a person is told, the venue is asked again, then the close goes out by itself."""

    async def story() -> None:
        world = await new_world()
        world.venue.status = "BREAK"
        world.rules.instruments = await world.venue.instruments()
        async with running(*everything(world), lambda: keep_rules(world.apply, world.venue, Turn())):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.BUY, D(7))
            await pass_ms(10_000)
            (hold,) = await world.holds()
            assert hold.reason is HoldReason.SYMBOL_NOT_TRADING
            assert "it says BREAK" in hold.next_step.text
            assert world.person.told
            assert world.venue.requests == []
            world.venue.status = "TRADING"
            await pass_ms(RULES_DOUBTED_MS + 20_000)
            assert [permit.qty for permit in world.venue.requests] == [D(7)]
            assert await world.holds() == ()

    play(story)


@pytest.mark.parametrize("answer", ["clamp", "reject"])
def test_a_close_that_became_too_large_on_its_way_is_harmless(answer: str) -> None:
    """Somebody takes 5 of 7 while the close of 7 is under way: cut or refused, 2 more at most are sold, both agree."""

    async def story() -> None:
        world = await new_world()

        async def oversized(permit: Permit) -> SubmitOutcome:
            world.venue.trade(LEG, Side.SELL, D(5), "web_2")
            if answer == "reject":
                return Refused(Reason.VENUE_REFUSED, -2022, "ReduceOnly Order is rejected.")
            report = world.venue.fill(permit, D(2))
            return Accepted(replace(report, qty=D(2)))

        world.venue.scripts.append(oversized)
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.BUY, D(7))
            await pass_ms(30_000)
            assert [permit.qty for permit in world.venue.requests] == [D(7), *([D(2)] if answer == "reject" else [])]
            assert all(permit.reduce_only for permit in world.venue.requests)
            assert (world.venue.positions[LEG], (await world.ledger()).amt) == (ZERO, ZERO)
            assert await world.holds() == ()
            assert (await world.ledger()).watermark_trade_id == TradeId(4_999 + len(world.venue.trade_list))

    play(story)


def test_a_notional_limit_counts_the_whole_drift_not_its_slices() -> None:
    """A drift above close_notional_max is not closed slice by slice below it: a person approves, or nobody closes."""

    async def story() -> None:
        world = await new_world(replace(LIMITS, close_notional_max=D(60)))
        world.rules.instruments = {SYMBOL: LARGE}
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.BUY, D(7))
            await pass_ms(10_000)
            (hold,) = await world.holds()
            assert f"holdfast approve {hold.hold_id}" in hold.next_step.text
            assert world.venue.requests == []

    play(story)


def test_apply_alone_asks_again_whether_a_symbol_trades_that_it_refuses_for() -> None:
    """In a process of its own: once it refused a plan for a halted symbol, it reads the rules again within seconds.

    The deterministic world found it: apply, which nobody told, refused every close of a hold for an hour.
    """

    async def story() -> None:
        world = await new_world()
        world.venue.status = "BREAK"
        world.rules.instruments = await world.venue.instruments()
        async with running(lambda: keep_rules(world.apply, world.venue, Turn())):
            await pass_ms(3_000)
            assert not world.rules.instruments[SYMBOL].is_trading
            world.venue.status = "TRADING"
            await pass_ms(RULES_DOUBTED_MS + 5_000)
            assert not world.rules.instruments[SYMBOL].is_trading, "nobody had reason to ask"
            await world.execute(world.plan("p1"))
            (result,) = await world.flushed()
            assert result.error == Reason.SYMBOL_NOT_TRADING.value
            await pass_ms(RULES_DOUBTED_MS + 5_000)
            assert world.rules.instruments[SYMBOL].is_trading

    play(story)
