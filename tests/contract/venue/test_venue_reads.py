"""What the reads and the private stream say, held against the exchange's own truth."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from holdfast.clock import SystemClock
from holdfast.domain.errors import KeysRejected, VenueUnavailable
from holdfast.domain.names import AccountId, ClientOrderId, Symbol, TradeId
from holdfast.domain.sides import Leg, PositionMode, PositionSide
from holdfast.domain.trade import is_forced_client_order_id
from holdfast.ports.venue import (
    ModeSeen,
    OrderSeen,
    PositionsSeen,
    StreamGap,
    StreamUp,
    TradeCursor,
    TradeSeen,
)
from holdfast.venues.binance import binance_reader
from tests.contract.venue.exchange_process import account
from tests.unit.venues.venue_kit import BTC, DEADLINE_S, Heard

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tests.contract.venue.exchange_process import Addresses

POSITIONS = "/fapi/v3/positionRisk"


def run(scenario: Coroutine[None, None, None]) -> None:
    """Run a scenario with a deadline."""
    asyncio.run(asyncio.wait_for(scenario, DEADLINE_S))


def test_instruments_and_prices_are_there(exchange: Addresses) -> None:
    """BTCUSDT has a step, bounds, a smallest notional and a mark price."""

    async def scenario() -> None:
        async with account(exchange) as (_, trader):
            one = (await trader.instruments())[BTC]
            assert one.is_trading
            assert one.qty_step > 0
            assert one.market_qty_max is not None
            assert one.notional_min is not None
            assert (await trader.mark_prices())[BTC] > 0

    run(scenario())


def test_a_read_only_key_reads(exchange: Addresses) -> None:
    """Everything that the reconciler needs works with a key that may not trade."""

    async def scenario() -> None:
        async with account(exchange) as (desk, _):
            await desk.trade("BUY", "0.007")
            built = desk.config(PositionMode.ONE_WAY, key=f"read-{desk.name}", secret=f"read-secret-{desk.name}")
            reader = binance_reader(built, SystemClock())
            assert len((await reader.account_view()).positions) == 1
            assert await reader.position_mode() is PositionMode.ONE_WAY
            assert (await reader.trades(BTC, TradeCursor(TradeId(0), 0))).complete
            assert await reader.open_orders(None) == ()
            async with reader.stream() as stream:
                await Heard(stream).until(StreamUp)
            await reader.close()

    run(scenario())


def test_a_view_is_complete_and_dated(exchange: Addresses) -> None:
    """A new position is in the view with the venue time of its trade; every other leg is flat at the lag's edge."""

    async def scenario() -> None:
        async with account(exchange) as (desk, trader):
            flat = await trader.account_view()
            assert dict(flat.positions) == {}
            traded = await desk.trade("SELL", "0.4", "ETHUSDT")
            view = await trader.account_view()
            eth = view.of(Leg(AccountId(desk.name), Symbol("ETHUSDT"), PositionSide.BOTH))
            assert (eth.amt, eth.as_of_ms) == (Decimal("-0.4"), traded["time"])
            btc = view.of(Leg(AccountId(desk.name), BTC, PositionSide.BOTH))
            assert btc.amt == 0
            assert abs(view.absent_as_of_ms + 1_000 - traded["time"]) < 500

    run(scenario())


def test_a_stale_read_is_not_dated_as_fresh(exchange: Addresses) -> None:
    """A venue that shows the past is inside the lag that the view's time concedes."""

    async def scenario() -> None:
        async with account(exchange) as (desk, trader):
            await desk.post("faults", name="stale_positions", match={"account": desk.name}, count=0, delay_ms=800)
            traded = await desk.trade("BUY", "0.007")
            stale = await trader.symbol_view(BTC)
            leg = stale.of(Leg(AccountId(desk.name), BTC, PositionSide.BOTH))
            assert leg.amt == 0
            assert leg.as_of_ms < traded["time"]

    run(scenario())


@pytest.mark.parametrize(
    "fault",
    [
        "unknown_error_executed",
        "service_unavailable",
        "internal_error",
        "timeout_executed",
        "bus_executed",
        "proxy_page_executed",
        "rate_limited",
        "reset_executed",
        "reset_not_executed",
    ],
)
def test_a_failed_read_is_never_flat(exchange: Addresses, fault: str) -> None:
    """Whatever goes wrong with the read, it raises; the read is sent once."""

    async def scenario() -> None:
        async with account(exchange) as (desk, trader):
            await desk.trade("BUY", "0.007")
            number = await desk.arm(fault, method="GET", path=POSITIONS, count=3)
            with pytest.raises(VenueUnavailable):
                await trader.account_view()
            assert await desk.hits(number) == 1

    run(scenario())


def test_an_order_that_never_was_is_none(exchange: Addresses) -> None:
    """The venue's -2013 is an answer."""

    async def scenario() -> None:
        async with account(exchange) as (_, trader):
            assert await trader.order(BTC, ClientOrderId("hf-never")) is None

    run(scenario())


def test_trades_since_a_cursor(exchange: Addresses) -> None:
    """By id: what came after it. By time: what came since. Both complete."""

    async def scenario() -> None:
        async with account(exchange) as (desk, trader):
            start_ms = trader.venue_now_ms() - 5
            numbers = [(await desk.trade("BUY", "0.003"))["tradeId"] for _ in range(3)]
            since = await trader.trades(BTC, TradeCursor(None, start_ms))
            assert [one.trade_id for one in since.trades] == numbers
            after = await trader.trades(BTC, TradeCursor(TradeId(numbers[0]), 0))
            assert [one.trade_id for one in after.trades] == numbers[1:]
            assert since.complete
            assert after.complete

    run(scenario())


def test_wrong_keys_halt_a_read_and_the_stream(exchange: Addresses) -> None:
    """A signature that is refused raises KeysRejected, and so does the stream for a key that nobody knows."""

    async def scenario() -> None:
        async with account(exchange) as (desk, _):
            wrong = binance_reader(desk.config(PositionMode.ONE_WAY, secret="wrong"), SystemClock())
            with pytest.raises(KeysRejected):
                await wrong.account_view()
            await wrong.close()
            nobody = binance_reader(desk.config(PositionMode.ONE_WAY, key="nobody"), SystemClock())
            async with nobody.stream() as stream:
                with pytest.raises(KeysRejected):
                    await stream.next_batch()
            await nobody.close()

    run(scenario())


def test_a_foreign_trade_is_seen_on_the_stream(exchange: Addresses) -> None:
    """Somebody's trade arrives with his client id and trade id, and the position with the time of the match."""

    async def scenario() -> None:
        async with account(exchange) as (desk, trader), trader.stream() as stream:
            events = Heard(stream)
            await events.until(StreamUp)
            traded = await desk.trade("BUY", "0.007", clientOrderId="by-hand")
            seen = await events.until(TradeSeen, skip=(OrderSeen, PositionsSeen))
            assert (seen.trade.trade_id, seen.trade.client_order_id) == (traded["tradeId"], "by-hand")
            assert (seen.trade.signed_qty, seen.trade.venue_ms) == (Decimal("0.007"), traded["time"])
            early = [one for one in events.events if isinstance(one, PositionsSeen)]
            moved = early[0] if early else await events.until(PositionsSeen)
            (position,) = moved.positions
            assert (position.amt, position.as_of_ms) == (Decimal("0.007"), traded["time"])

    run(scenario())


@pytest.mark.parametrize("act", ["liquidate", "adl", "settle"])
@pytest.mark.parametrize("execution", ["CALCULATED", "TRADE"])
def test_a_forced_reduction_is_seen_as_a_trade_of_the_venues_own(exchange: Addresses, act: str, execution: str) -> None:
    """Liquidation, deleveraging and settlement arrive as trades whose client id is the venue's."""

    async def scenario() -> None:
        async with account(exchange) as (desk, trader):
            await desk.post("knobs", liquidation_execution=execution)
            await desk.trade("BUY", "0.007")
            async with trader.stream() as stream:
                events = Heard(stream)
                await events.until(StreamUp)
                await desk.post(act, account=desk.name, symbol="BTCUSDT")
                seen = await events.until(TradeSeen, skip=(OrderSeen, PositionsSeen))
                assert is_forced_client_order_id(seen.trade.client_order_id or "")
                assert seen.trade.signed_qty == Decimal("-0.007")
                assert seen.report.is_by_venue
            looked_up = await trader.order_by_number(BTC, seen.trade.order_id)
            assert looked_up is not None
            assert looked_up.is_by_venue
            listed = [one.order_id for one in await trader.forced_orders(BTC)]
            assert listed == ([] if act == "settle" else [seen.trade.order_id])

    run(scenario())


def test_funding_is_seen_without_a_position(exchange: Addresses) -> None:
    """A funding payment on cross margin moves no position and is told all the same."""

    async def scenario() -> None:
        async with account(exchange) as (desk, trader):
            await desk.trade("BUY", "0.007")
            async with trader.stream() as stream:
                events = Heard(stream)
                await events.until(StreamUp)
                await desk.post("funding", account=desk.name, symbol="BTCUSDT", rate="0.0001")
                seen = await events.until(PositionsSeen)
                assert (seen.cause, seen.positions) == ("FUNDING_FEE", ())

    run(scenario())


@pytest.mark.parametrize("act", ["streams/close", "streams/expire"])
def test_a_lost_stream_is_a_gap_and_comes_back(exchange: Addresses, act: str) -> None:
    """Closed by the venue or silenced by an expired key: a gap, then a new stream that works."""

    async def scenario() -> None:
        async with account(exchange) as (desk, trader), trader.stream() as stream:
            events = Heard(stream)
            await events.until(StreamUp)
            await desk.post(act, account=desk.name)
            await events.until(StreamGap)
            await events.until(StreamUp)
            await desk.trade("BUY", "0.007")
            await events.until(TradeSeen, skip=(OrderSeen, PositionsSeen))

    run(scenario())


def test_a_mode_that_changed_makes_no_view_and_no_position_event(exchange: Addresses) -> None:
    """An account switched to hedge mode behind our back is not read as if it were one-way."""

    async def scenario() -> None:
        async with account(exchange) as (desk, trader):
            await desk.post("mode", account=desk.name, mode="hedge")
            assert await trader.position_mode() is PositionMode.HEDGE
            async with trader.stream() as stream:
                events = Heard(stream)
                await events.until(StreamUp)
                await desk.trade("BUY", "0.007", positionSide="LONG")
                await events.until(ModeSeen, skip=(OrderSeen, TradeSeen))
            with pytest.raises(VenueUnavailable, match="mode changed"):
                await trader.account_view()

    run(scenario())
