"""What `submit` and `cancel` say, held against what the exchange's own book says."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from holdfast.clock import SystemClock
from holdfast.domain.names import AccountId, ClientOrderId, PlanId
from holdfast.domain.order import OrderState, VenueOrderStatus
from holdfast.domain.permit import Permit
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Decision, Leg, OrderType, PositionMode, PositionSide, Side, TimeInForce
from holdfast.ports.venue import (
    Accepted,
    AlreadyExists,
    Cancelled,
    NotExecuted,
    NothingToCancel,
    Refused,
    TradeCursor,
    Unknown,
)
from holdfast.venues.binance import binance_trader
from tests.contract.venue.exchange_process import account
from tests.unit.venues.venue_kit import BTC, DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from holdfast.ports.venue import VenueTrader
    from tests.contract.venue.exchange_process import Addresses, Desk

ORDER = "/fapi/v1/order"


def run(scenario: Coroutine[None, None, None]) -> None:
    """Run a scenario with a deadline."""
    asyncio.run(asyncio.wait_for(scenario, DEADLINE_S))


def permit(
    desk: Desk,
    trader: VenueTrader,
    side: Side,
    qty: str,
    *,
    reduce_only: bool = False,
    leg: PositionSide = PositionSide.BOTH,
    name: str = "hf-one",
    price: str | None = None,
) -> Permit:
    """A permit for now; LIMIT GTC if it has a price."""
    return Permit(
        plan_id=PlanId("p1"),
        decision=Decision.EXECUTE,
        leg=Leg(AccountId(desk.name), BTC, leg),
        side=side,
        qty=Decimal(qty),
        order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
        reduce_only=reduce_only,
        price=None if price is None else Decimal(price),
        time_in_force=None if price is None else TimeInForce.GTC,
        client_order_id=ClientOrderId(name),
        against_drift_qty=Decimal(0),
        hold_id=None,
        timestamp_ms=trader.venue_now_ms(),
        recv_window_ms=2_000,
    )


def test_a_market_order_is_accepted_filled_and_found_again(exchange: Addresses) -> None:
    """The answer, both queries, the view and the trades tell the same story as the exchange's book."""

    async def scenario() -> None:
        async with account(exchange) as (desk, trader):
            before_ms = trader.venue_now_ms() - 5
            outcome = await trader.submit(permit(desk, trader, Side.BUY, "0.007"))
            assert isinstance(outcome, Accepted)
            report = outcome.report
            assert (report.status, report.executed_qty, report.state()) == (
                VenueOrderStatus.FILLED,
                Decimal("0.007"),
                OrderState.FILLED,
            )
            (truth,) = await desk.orders("hf-one")
            assert truth["orderId"] == report.order_id
            found = await trader.order(BTC, ClientOrderId("hf-one"))
            assert found == await trader.order_by_number(BTC, report.order_id)
            assert found is not None
            assert found.avg_price == Decimal(truth["avgPrice"])
            view = await trader.symbol_view(BTC)
            assert view.of(Leg(AccountId(desk.name), BTC, PositionSide.BOTH)).amt == Decimal("0.007")
            page = await trader.trades(BTC, TradeCursor(None, before_ms))
            assert [(one.order_id, one.signed_qty) for one in page.trades] == [(report.order_id, Decimal("0.007"))]
            assert page.complete

    run(scenario())


def test_a_close_of_nothing_is_refused_by_the_venue(exchange: Addresses) -> None:
    """A reduce-only order on a flat account comes back as the venue's own refusal with its code."""

    async def scenario() -> None:
        async with account(exchange) as (desk, trader):
            outcome = await trader.submit(permit(desk, trader, Side.SELL, "0.007", reduce_only=True))
            assert isinstance(outcome, Refused)
            assert (outcome.reason, outcome.code) == (Reason.VENUE_REFUSED, -2022)
            assert await desk.orders("hf-one") == []

    run(scenario())


@pytest.mark.parametrize(("opened", "closes"), [("BUY", Side.SELL), ("SELL", Side.BUY)])
def test_a_close_never_leaves_more_than_it_found(exchange: Addresses, opened: str, closes: Side) -> None:
    """A foreign position is closed by its exact size; a second close of it is refused, not turned into a flip."""

    async def scenario() -> None:
        async with account(exchange) as (desk, trader):
            await desk.trade(opened, "0.007")
            first = await trader.submit(permit(desk, trader, closes, "0.007", reduce_only=True))
            assert isinstance(first, Accepted)
            again = permit(desk, trader, closes, "0.007", reduce_only=True, name="hf-two")
            assert isinstance(await trader.submit(again), Refused)
            assert await desk.position() == "0"

    run(scenario())


def test_a_resting_order_is_listed_refused_twice_and_cancelled_once(exchange: Addresses) -> None:
    """LIMIT rests; its id sent again is AlreadyExists; cancel is Cancelled, and then NothingToCancel."""

    async def scenario() -> None:
        async with account(exchange) as (desk, trader):
            limit = permit(desk, trader, Side.BUY, "0.01", price="62000")
            accepted = await trader.submit(limit)
            assert isinstance(accepted, Accepted)
            assert accepted.report.state() is OrderState.OPEN
            assert [one.client_order_id for one in await trader.open_orders(BTC)] == ["hf-one"]
            assert len(await trader.open_orders(None)) == 1
            assert isinstance(await trader.submit(limit), AlreadyExists)
            ended = await trader.cancel(BTC, ClientOrderId("hf-one"))
            assert isinstance(ended, Cancelled)
            assert ended.report.state() is OrderState.NOT_FILLED
            assert isinstance(await trader.cancel(BTC, ClientOrderId("hf-one")), NothingToCancel)
            assert await trader.open_orders(BTC) == ()
            assert len(await desk.orders("hf-one")) == 1

    run(scenario())


def test_hedge_legs_are_closed_by_their_position_side(exchange: Addresses) -> None:
    """Both legs open and close apart; a permit without a leg is refused there."""

    async def scenario() -> None:
        async with account(exchange, PositionMode.HEDGE) as (desk, trader):
            assert await trader.position_mode() is PositionMode.HEDGE
            await desk.trade("BUY", "0.007", positionSide="LONG")
            await desk.trade("SELL", "0.004", positionSide="SHORT")
            view = await trader.account_view()
            assert {leg.key: one.amt for leg, one in view.positions.items()} == {
                "BTCUSDT:LONG": Decimal("0.007"),
                "BTCUSDT:SHORT": Decimal("-0.004"),
            }
            long = permit(desk, trader, Side.SELL, "0.007", reduce_only=True, leg=PositionSide.LONG)
            assert isinstance(await trader.submit(long), Accepted)
            assert (await desk.position(side="LONG"), await desk.position(side="SHORT")) == ("0", "-0.004")
            short = permit(desk, trader, Side.BUY, "0.004", reduce_only=True, leg=PositionSide.SHORT, name="hf-two")
            assert isinstance(await trader.submit(short), Accepted)
            assert await desk.position(side="SHORT") == "0"
            both = await trader.submit(permit(desk, trader, Side.BUY, "0.007", name="hf-three"))
            assert isinstance(both, Refused)
            assert both.code == -4061

    run(scenario())


FAULTS = [
    ("unknown_error_executed", Unknown, 1),
    ("unknown_error_not_executed", Unknown, 0),
    ("service_unavailable", NotExecuted, 0),
    ("internal_error", NotExecuted, 0),
    ("overloaded", NotExecuted, 0),
    ("timeout_executed", Unknown, 1),
    ("timeout_not_executed", Unknown, 0),
    ("bus_executed", Unknown, 1),
    ("bus_not_executed", Unknown, 0),
    ("proxy_page_executed", Unknown, 1),
    ("proxy_page_not_executed", Unknown, 0),
    ("orders_limited", NotExecuted, 0),
    ("reset_executed", Unknown, 1),
    ("reset_not_executed", Unknown, 0),
]


@pytest.mark.parametrize(("fault", "kind", "executed"), FAULTS)
def test_what_the_venue_answers_is_never_taken_for_more_than_it_proves(
    exchange: Addresses, fault: str, kind: type[object], executed: int
) -> None:
    """Under each fault one request arrives, and NotExecuted is said only where the book has no order."""

    async def scenario() -> None:
        async with account(exchange) as (desk, trader):
            number = await desk.arm(fault, method="POST", path=ORDER)
            outcome = await trader.submit(permit(desk, trader, Side.BUY, "0.007"))
            assert isinstance(outcome, kind), outcome
            assert await desk.hits(number) == 1
            assert len(await desk.orders("hf-one")) == executed
            found = await trader.order(BTC, ClientOrderId("hf-one"))
            assert (found is not None) == bool(executed)

    run(scenario())


@pytest.mark.parametrize(("fault", "executed"), [("hang_executed", 1), ("hang_not_executed", 0)])
def test_a_hanging_venue_is_unknown_after_the_send_bound(exchange: Addresses, fault: str, executed: int) -> None:
    """The adapter gives up after recvWindow plus its margin, and the book alone knows."""

    async def scenario() -> None:
        async with account(exchange) as (desk, trader):
            number = await desk.arm(fault, method="POST", path=ORDER)
            hanging = replace(permit(desk, trader, Side.BUY, "0.007"), recv_window_ms=200)
            assert await trader.submit(hanging) == Unknown("no answer in time")
            assert await desk.hits(number) == 1
            assert len(await desk.orders("hf-one")) == executed

    run(scenario())


@pytest.mark.parametrize("fault", ["edge_delay", "engine_delay"])
def test_a_request_that_arrives_too_late_is_not_executed(exchange: Addresses, fault: str) -> None:
    """The edge (-1021) and the engine (-5028) refuse a request past its window: nothing was executed."""

    async def scenario() -> None:
        async with account(exchange) as (desk, trader):
            number = await desk.arm(fault, method="POST", path=ORDER, delay_ms=400)
            late = replace(permit(desk, trader, Side.BUY, "0.007"), recv_window_ms=100)
            outcome = await trader.submit(late)
            assert isinstance(outcome, NotExecuted), outcome
            assert "clock measured again" in outcome.text
            assert await desk.hits(number) == 1
            assert await desk.orders("hf-one") == []

    run(scenario())


@pytest.mark.parametrize("fault", ["reset_executed", "unknown_error_executed", "proxy_page_executed"])
def test_a_cancel_without_an_answer_is_unknown_and_sent_once(exchange: Addresses, fault: str) -> None:
    """The order was cancelled there; here that is unknown until asked."""

    async def scenario() -> None:
        async with account(exchange) as (desk, trader):
            await trader.submit(permit(desk, trader, Side.BUY, "0.01", price="62000"))
            number = await desk.arm(fault, method="DELETE", path=ORDER, count=5)
            assert isinstance(await trader.cancel(BTC, ClientOrderId("hf-one")), Unknown)
            assert await desk.hits(number) == 1
            (truth,) = await desk.orders("hf-one")
            assert truth["status"] == "CANCELED"

    run(scenario())


def test_wrong_keys_are_refused_by_name(exchange: Addresses) -> None:
    """A wrong secret, and a key that may only read, end as Refused keys_rejected; nothing reaches the book."""

    async def scenario() -> None:
        async with account(exchange) as (desk, trader):
            configs = (
                desk.config(PositionMode.ONE_WAY, secret="wrong"),
                desk.config(PositionMode.ONE_WAY, key="nobody"),
                desk.config(PositionMode.ONE_WAY, key=f"read-{desk.name}", secret=f"read-secret-{desk.name}"),
            )
            for one in configs:
                other = binance_trader(one, SystemClock())
                await other.sync_clock()
                outcome = await other.submit(permit(desk, trader, Side.BUY, "0.007"))
                await other.close()
                assert isinstance(outcome, Refused)
                assert outcome.reason is Reason.KEYS_REJECTED
            assert await desk.orders("hf-one") == []

    run(scenario())
