"""Orders without a proven end, from every way into that state to every way out of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.hold import HoldReason
from holdfast.domain.names import ClientOrderId, PlanId, client_order_id
from holdfast.domain.order import OrderState, VenueOrderStatus
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Leg, PositionSide, Side, TradingState
from holdfast.lab.torture.loop import pass_ms, play
from holdfast.ports.venue import Accepted, AlreadyExists, Refused, Unknown
from tests.unit.decide.samples import ACCOUNT, LEG, ORDER, SYMBOL, ZERO, D
from tests.unit.services.world import new_world, running

if TYPE_CHECKING:
    from holdfast.domain.permit import Permit
    from holdfast.ports.journal import Tx
    from holdfast.ports.venue import SubmitOutcome

NAME = client_order_id(ACCOUNT, PlanId("p1"))


@pytest.mark.parametrize("filled", ["5", "2", "0"])
@pytest.mark.parametrize("heard", ["stream", "silence"])
def test_an_order_without_an_answer_ends_as_the_exchange_says(filled: str, heard: str) -> None:
    """Filled, partly filled or never taken: the plan gets that one outcome, and one request was sent."""

    async def story() -> None:
        world = await new_world()
        world.venue.stream_is_silent = heard == "silence"

        async def lost(permit: Permit) -> SubmitOutcome:
            if D(filled) > ZERO:
                world.venue.fill(permit, D(filled))
            return Unknown("timed out")

        world.venue.scripts.append(lost)
        async with running(world.resolver.run):
            await world.execute(world.plan("p1"))
            await pass_ms(20_000)
        (result,) = await world.flushed()
        assert (result.executed, result.filled_qty) == (D(filled) > ZERO, D(filled))
        assert result.error == ("" if D(filled) > ZERO else Reason.NOT_ACCEPTED.value)
        assert (await world.ledger()).amt == D(filled)
        assert len(world.venue.requests) == 1
        assert await world.query(lambda reads: reads.live_orders(None)) == ()

    play(story)


@pytest.mark.parametrize(("is_told", "is_over"), [(True, True), (False, False)], ids=["by trades", "by nothing"])
def test_a_position_that_others_moved_keeps_no_order_in_doubt(is_told: bool, is_over: bool) -> None:  # noqa: FBT001 - a table of truths
    """An order that nobody took ends though somebody traded meanwhile, if that trade explains all of the difference."""

    async def story() -> None:
        world = await new_world()

        async def lost(_permit: Permit) -> SubmitOutcome:
            world.venue.trade(LEG, Side.BUY, D(3))
            if not is_told:
                world.venue.trade_list.clear()
            return Unknown("timed out")

        world.venue.scripts.append(lost)
        async with running(world.resolver.run):
            await world.execute(world.plan("p1"))
            await pass_ms(20_000)
        assert [result.error for result in await world.flushed()] == ([Reason.NOT_ACCEPTED.value] if is_over else [])
        assert (await world.ledger()).amt == ZERO

    play(story)


def test_a_close_of_what_was_there_before_us_ends_though_somebody_closed_it_by_hand() -> None:
    """A position from before the baseline has no trades: what others did since the close was sent explains the rest."""

    async def story() -> None:
        world = await new_world()
        world.venue.positions[LEG], world.venue.updated_ms[LEG] = D(-6), world.clock.now_ms() - 60_000
        await world.hold(HoldReason.UNLEDGERED)
        close = await world.plan_close(D(6), side=Side.BUY)
        await pass_ms(10)

        async def lost(_permit: Permit) -> SubmitOutcome:
            await pass_ms(5)
            world.venue.trade(LEG, Side.BUY, D(6))
            return Unknown("timed out")

        world.venue.scripts.append(lost)
        async with running(world.resolver.run):
            await world.closer.close(close.plan_id)
            await pass_ms(20_000)
        assert [result.error for result in await world.flushed()] == [Reason.NOT_ACCEPTED.value]
        assert len(world.venue.requests) == 1

    play(story)


def test_an_order_that_exists_already_is_adopted() -> None:
    """The venue's "exists already" is asked about, and its fill is ours."""

    async def story() -> None:
        world = await new_world()

        async def exists(permit: Permit) -> SubmitOutcome:
            world.venue.fill(permit)
            return AlreadyExists("-4116")

        world.venue.scripts.append(exists)
        async with running(world.resolver.run):
            await world.execute(world.plan("p1"))
            await pass_ms(2_000)
        assert [result.executed for result in await world.flushed()] == [True]
        assert (await world.ledger()).amt == D(5)

    play(story)


def test_absence_proves_nothing_inside_the_window() -> None:
    """Until timestamp, recvWindow and margin have passed the order stays UNKNOWN, however often it is not there."""

    async def story() -> None:
        world = await new_world()

        async def lost(_permit: Permit) -> SubmitOutcome:
            return Unknown("timed out")

        world.venue.scripts.append(lost)
        async with running(world.resolver.run):
            await world.execute(world.plan("p1"))
            await pass_ms(2_950)
            order = await world.order("p1")
            assert order is not None
            assert order.state is OrderState.UNKNOWN
            assert world.venue.lookups > 2

    play(story)


@pytest.mark.parametrize("state", [OrderState.SENDING, OrderState.CLAIMED])
def test_a_start_takes_over_what_a_dead_process_left(state: OrderState) -> None:
    """SENDING becomes UNKNOWN and is only asked about; CLAIMED was never sent and ends; neither is sent."""

    async def story() -> None:
        world = await new_world()
        now = world.clock.now_ms()
        order = replace(
            ORDER, client_order_id=NAME, plan_id=PlanId("p1"), state=state, timestamp_ms=now, created_ms=now
        )

        def left(tx: Tx) -> None:
            tx.put_order(order)
            tx.put_plan(PlanId("p1"), "hash", SYMBOL, None)

        await world.write(left)
        await world.resolver.take_over()
        found = await world.order("p1")
        assert found is not None
        assert found.state is (OrderState.UNKNOWN if state is OrderState.SENDING else OrderState.REFUSED)
        async with running(world.resolver.run):
            await pass_ms(20_000)
        assert [result.executed for result in await world.flushed()] == [False]
        assert all(result.error for result in world.bus.results)
        assert world.venue.requests == []

    play(story)


def test_a_late_fill_of_a_refused_order_is_booked_corrected_and_held() -> None:
    """A fill under an id that was given up moves the ledger once, corrects the result and asks a person."""

    async def story() -> None:
        world = await new_world()

        async def refuse(_permit: Permit) -> SubmitOutcome:
            return Refused(Reason.VENUE_REFUSED, -2019, "margin")

        world.venue.scripts.append(refuse)
        async with running(world.resolver.run):
            await world.execute(world.plan("p1"))
            world.venue.trade(LEG, Side.BUY, D(5), NAME)
            await pass_ms(1_000)
        assert (await world.ledger()).amt == D(5)
        result = await world.result("p1")
        assert result is not None
        assert (result.executed, result.error, result.filled_qty) == (True, "", D(5))
        assert result.result_id.endswith("-late")
        assert [hold.reason for hold in await world.holds()] == [HoldReason.LATE_ACCEPTANCE]

    play(story)


def test_a_late_trade_survives_a_busy_journal() -> None:
    """A late trade that could not be booked now is booked at the next look, though no lookup helps."""

    async def story() -> None:
        world = await new_world()
        await world.execute(world.plan("p1"))
        world.venue.reads_fail = True
        world.journal.busy_steps.append(True)
        async with running(world.resolver.run):
            world.venue.trade(LEG, Side.BUY, D(1), NAME)
            await pass_ms(1_000)
        assert (await world.ledger()).amt == D(6)

    play(story)


def test_a_trade_under_our_prefix_that_the_journal_does_not_know_halts() -> None:
    """An order of ours that is not in the journal means that the journal is not the newest one."""

    async def story() -> None:
        world = await new_world()
        async with running(world.resolver.run):
            world.venue.trade(LEG, Side.BUY, D(1), "hf-nobody-knows")
            await pass_ms(500)
        assert await world.query(lambda reads: reads.account().trading_state) is TradingState.HALTED

    play(story)


def test_an_order_that_stays_unknown_is_held_and_told() -> None:
    """After `unknown_ms_max` a person is asked, once, and the order is still only asked about."""

    async def story() -> None:
        world = await new_world()

        async def lost(_permit: Permit) -> SubmitOutcome:
            world.venue.reads_fail = True
            return Unknown("timed out")

        world.venue.scripts.append(lost)
        async with running(world.resolver.run, world.alerting.run):
            await world.execute(world.plan("p1"))
            await pass_ms(60_000)
        assert [hold.reason for hold in await world.holds()] == [HoldReason.UNKNOWN_ORDER]
        assert len(world.person.told) == 1
        assert world.metrics.without_next_step == 0
        assert len(world.venue.requests) == 1

    play(story)


def test_hopeless_orders_do_not_starve_the_others() -> None:
    """With more orders in doubt than are asked about at once, the last one is resolved all the same."""

    async def story() -> None:
        world = await new_world()
        now = world.clock.now_ms()

        def many(tx: Tx) -> None:
            for number in range(100):
                leg = Leg(ACCOUNT, SYMBOL, PositionSide.BOTH)
                name = ClientOrderId(f"hf-{number:03d}")
                order = replace(
                    ORDER, client_order_id=name, plan_id=PlanId(f"q{number:03d}"), leg=leg, state=OrderState.UNKNOWN
                )
                tx.put_order(replace(order, timestamp_ms=now, created_ms=now + number))

        await world.write(many)
        world.venue.trade(LEG, Side.BUY, D(5), "hf-099")  # only the last one ever reached the exchange
        world.fills.take_late(ClientOrderId("hf-099"))
        world.resolve.take_now()
        async with running(world.resolver.run):
            await pass_ms(10_000)
        last = await world.query(lambda reads: reads.order(ClientOrderId("hf-099")))
        assert last is not None
        assert (last.state, last.booked_qty) == (OrderState.FILLED, D(5))

    play(story)


def test_a_market_order_that_the_venue_never_ends_is_told() -> None:
    """An accepted MARKET order without an end keeps its symbol from trading: a person is asked, as for UNKNOWN."""

    async def story() -> None:
        world = await new_world()

        async def taken(permit: Permit) -> SubmitOutcome:
            report = world.venue.fill(permit)
            world.venue.positions.clear()
            world.venue.trade_list.clear()
            report = replace(report, status=VenueOrderStatus.NEW, executed_qty=ZERO)
            world.venue.orders[permit.client_order_id].report = report
            return Accepted(report)

        world.venue.stream_is_silent = True
        world.venue.scripts.append(taken)
        async with running(world.resolver.run):
            await world.execute(world.plan("p1"))
            await pass_ms(40_000)
        assert [hold.reason for hold in await world.holds()] == [HoldReason.UNKNOWN_ORDER]

    play(story)
