"""The gate, the clock offset, and what a request carries, over real HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.errors import KeysRejected, VenueUnavailable
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import OrderType, PositionSide, Side, TimeInForce
from holdfast.ports.venue import Accepted, NotExecuted, Refused, Unknown
from holdfast.venues.binance.budget import Counter, Lane, Limit
from holdfast.venues.binance.client import BinanceClient, Security
from holdfast.venues.binance.limits import Gate, Usage
from holdfast.venues.binance.offset import Sample, best_of, sample_of
from holdfast.venues.binance.reader import BinanceReader
from holdfast.venues.binance.trader import BinanceTrader, order_params
from tests.unit.venues.venue_kit import (
    BTC,
    CLIENT_ID,
    DEADLINE_S,
    NOW_MS,
    ORDER_BODY,
    SetClock,
    answer,
    config,
    permit,
    raw_venue,
    time_answer,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from holdfast.domain.permit import Permit

OK = answer(200, ORDER_BODY)


def run(scenario: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run a scenario with a deadline."""
    asyncio.run(asyncio.wait_for(scenario(), DEADLINE_S))


def refusal(status: int, code: int, msg: str, *headers: str) -> bytes:
    """An error answer."""
    return answer(status, b'{"code":%d,"msg":"%s"}' % (code, msg.encode()), *headers)


def test_nothing_leaves_before_a_ban_has_ended() -> None:
    """After a 418 neither order, cancel nor read leaves until the moment that the venue named."""

    async def scenario() -> None:
        banned = refusal(418, -1003, f"Way too many requests; IP banned until {NOW_MS + 60_000}.")
        async with raw_venue(banned) as venue:
            clock = SetClock()
            trader = BinanceTrader(BinanceClient(config(venue.url), clock))
            first = await trader.submit(permit())
            assert isinstance(first, NotExecuted)
            assert first.retry_after_ms == 60_000
            clock.pass_ms(59_000)
            second = await trader.submit(permit(timestamp_ms=clock.ms))
            assert isinstance(second, NotExecuted)
            assert (second.reason, second.retry_after_ms) == (Reason.RATE_LIMITED, 1_000)
            assert isinstance(await trader.cancel(BTC, CLIENT_ID), Unknown)
            with pytest.raises(VenueUnavailable) as blocked:
                await trader.sync_clock()
            assert blocked.value.retry_after_ms == 1_000
            assert len(venue.requests) == 1
            clock.pass_ms(1_000)
            assert isinstance(await trader.submit(permit(timestamp_ms=clock.ms)), Accepted)
            await trader.close()

    run(scenario)


def test_a_wall_clock_that_jumps_does_not_shorten_a_ban() -> None:
    """The wait runs on the monotonic clock."""

    async def scenario() -> None:
        async with raw_venue(refusal(429, -1003, "Too many requests.", "Retry-After: 30")) as venue:
            clock = SetClock()
            trader = BinanceTrader(BinanceClient(config(venue.url), clock))
            await trader.submit(permit())
            clock.ms += 3_600_000
            assert isinstance(await trader.submit(permit(timestamp_ms=clock.ms)), NotExecuted)
            assert len(venue.requests) == 1
            await trader.close()

    run(scenario)


def test_too_many_orders_stops_orders_and_not_cancels() -> None:
    """-1015 counts orders: a cancel leaves, the next order waits."""

    async def scenario() -> None:
        async with raw_venue(refusal(429, -1015, "Too many new orders.", "Retry-After: 10")) as venue:
            trader = BinanceTrader(BinanceClient(config(venue.url), SetClock()))
            await trader.submit(permit())
            assert isinstance(await trader.submit(permit()), NotExecuted)
            await trader.cancel(BTC, CLIENT_ID)
            assert (venue.count("POST"), venue.count("DELETE")) == (1, 1)
            await trader.close()

    run(scenario)


def test_a_shared_gate_closes_for_every_adapter_of_the_address() -> None:
    """A ban that one adapter hears of keeps the other from sending too."""

    async def scenario() -> None:
        async with raw_venue(refusal(418, -1003, "Banned.", "Retry-After: 120")) as venue:
            clock = SetClock()
            gate = Gate(clock)
            reader = BinanceReader(BinanceClient(config(venue.url), clock, gate))
            trader = BinanceTrader(BinanceClient(config(venue.url), clock, gate))
            with pytest.raises(VenueUnavailable):
                await reader.sync_clock()
            assert isinstance(await trader.submit(permit()), NotExecuted)
            assert len(venue.requests) == 1
            await reader.close()
            await trader.close()

    run(scenario)


def test_the_venues_counts_are_kept() -> None:
    """Used weight and order counts are read from the headers; a header that is missing or odd changes nothing."""

    async def scenario() -> None:
        counted = answer(
            200, ORDER_BODY, "X-MBX-USED-WEIGHT-1M: 17", "X-MBX-ORDER-COUNT-10S: 3", "X-MBX-ORDER-COUNT-1M: 9"
        )
        partly = answer(200, ORDER_BODY, "x-mbx-used-weight-1m: 18", "X-MBX-ORDER-COUNT-10S: many")
        async with raw_venue(counted, partly) as venue:
            trader = BinanceTrader(BinanceClient(config(venue.url), SetClock()))
            assert trader.usage == Usage(None, None, None)
            await trader.submit(permit())
            assert trader.usage == Usage(17, 3, 9)
            await trader.submit(permit())
            assert trader.usage == Usage(18, 3, 9)
            await trader.close()

    run(scenario)


def test_the_offset_is_the_venues_clock_minus_the_middle_of_the_round_trip() -> None:
    """A round trip of 40 ms puts the venue's reading 20 ms after ours; the shortest round trip counts."""
    slow = sample_of(1_000, 0, 40_000_000, 1_520)
    assert slow == Sample(500, 40_000_000)
    fast = sample_of(2_000, 0, 2_000_000, 2_490)
    assert best_of((slow, fast)) is fast
    assert fast.offset_ms == 489


def test_sync_clock_keeps_the_offset_and_a_failure_keeps_the_old_one() -> None:
    """`venue_now_ms` follows the last measurement that worked."""

    async def scenario() -> None:
        ahead = time_answer(NOW_MS + 700)
        async with raw_venue(ahead, ahead, ahead, answer(500, b"")) as venue:
            clock = SetClock()
            trader = BinanceTrader(BinanceClient(config(venue.url), clock))
            assert await trader.sync_clock() == 700
            with pytest.raises(VenueUnavailable):
                await trader.sync_clock()
            clock.pass_ms(5)
            assert trader.venue_now_ms() == NOW_MS + 705
            await trader.close()

    run(scenario)


@pytest.mark.parametrize(("set_ms", "measured"), [(0, 3), (19, 3), (20, 6), (700, 6), (-700, 6)])
def test_a_wall_clock_that_was_set_is_noticed_before_the_next_read_is_dated(set_ms: int, measured: int) -> None:
    """The venue's time of a read follows the venue, not whoever set our clock meanwhile."""

    async def scenario() -> None:
        times = (time_answer(NOW_MS),) * 3, (time_answer(NOW_MS + 50),) * (measured - 3)
        async with raw_venue(*times[0], answer(200, b"[]"), *times[1], answer(200, b"[]")) as venue:
            clock = SetClock()
            reader = BinanceReader(BinanceClient(config(venue.url), clock))
            lag_ms = NOW_MS - (await reader.account_view()).absent_as_of_ms
            clock.pass_ms(50)
            clock.ms += set_ms
            view = await reader.account_view()
            assert view.absent_as_of_ms + lag_ms == NOW_MS + 50 + (set_ms if measured == 3 else 0)
            assert venue.count("GET /fapi/v1/time") == measured
            await reader.close()

    run(scenario)


@pytest.mark.parametrize("code", [-1021, -5028])
def test_a_refused_timestamp_measures_the_clock_again(code: int) -> None:
    """The outcome is NotExecuted and the next timestamp is right."""

    async def scenario() -> None:
        late = refusal(400, code, "Timestamp for this request is outside of the recvWindow.")
        async with raw_venue(late, *(time_answer(NOW_MS + 4_000),) * 3) as venue:
            trader = BinanceTrader(BinanceClient(config(venue.url), SetClock()))
            outcome = await trader.submit(permit())
            assert isinstance(outcome, NotExecuted)
            assert "offset 4000 ms" in outcome.text
            assert trader.venue_now_ms() == NOW_MS + 4_000
            assert venue.count("POST") == 1
            await trader.close()

    run(scenario)


def test_a_refused_timestamp_stays_not_executed_when_the_clock_cannot_be_measured() -> None:
    """The order's outcome does not depend on the measurement; its failure is said."""

    async def scenario() -> None:
        async with raw_venue(refusal(400, -1021, "Timestamp."), answer(502, b"")) as venue:
            trader = BinanceTrader(BinanceClient(config(venue.url), SetClock()))
            outcome = await trader.submit(permit())
            assert isinstance(outcome, NotExecuted)
            assert "clock not measured" in outcome.text
            await trader.close()

    run(scenario)


def test_a_read_that_is_refused_for_its_timestamp_is_unavailable_and_the_next_one_is_right() -> None:
    """The read is not repeated; the clock is measured again for the next."""

    async def scenario() -> None:
        at, ahead = (time_answer(),) * 3, (time_answer(NOW_MS + 9_000),) * 3
        late = refusal(400, -1021, "Timestamp.")
        async with raw_venue(*at, late, *ahead, last=answer(200, b"[]")) as venue:
            trader = BinanceTrader(BinanceClient(config(venue.url), SetClock()))
            with pytest.raises(VenueUnavailable):
                await trader.account_view()
            assert trader.venue_now_ms() == NOW_MS + 9_000
            await trader.account_view()
            assert f"timestamp={NOW_MS + 9_000}" in venue.requests[-1]
            await trader.close()

    run(scenario)


@pytest.mark.parametrize(("status", "code"), [(401, -2015), (400, -2014), (400, -1022)])
def test_a_read_with_refused_keys_says_what_to_do(status: int, code: int) -> None:
    """Waiting does not help: a read raises KeysRejected with the venue's word and without the key."""

    async def scenario() -> None:
        async with raw_venue(last=refusal(status, code, "Invalid API-key.")) as venue:
            client = BinanceClient(config(venue.url), SetClock())
            with pytest.raises(KeysRejected) as raised:
                await client.read("GET", "/fapi/v3/positionRisk", (), Security.KEY)
            assert str(code) in str(raised.value)
            assert "check" in str(raised.value)
            assert "test-key" not in str(raised.value)
            await client.close()

    run(scenario)


def test_what_is_signed_is_what_is_sent() -> None:
    """The signature over the query as it arrived is the one that arrived last, and the key is in the header."""

    async def scenario() -> None:
        async with raw_venue() as venue:
            trader = BinanceTrader(BinanceClient(config(venue.url), SetClock()))
            await trader.submit(permit())
            await trader._client.exchange(
                "DELETE",
                "/fapi/v1/order",
                (("symbol", "币安USDT"), ("a", "x y&=/:+%")),
                Security.SIGNED,
                lane=Lane.CANCEL,
                timeout_ms=1_000,
            )
            await trader.close()
        for line, head in zip(venue.requests, venue.heads, strict=True):
            query = line.split(" ")[1].split("?", 1)[1]
            payload, signature = query.rsplit("&signature=", 1)
            assert signature == hmac.new(b"test-secret", payload.encode(), hashlib.sha256).hexdigest()
            assert "X-MBX-APIKEY: test-key" in head
        assert "symbol=%E5%B8%81%E5%AE%89USDT&a=x%20y%26%3D%2F%3A%2B%25&" in venue.requests[1]

    run(scenario)


def test_a_market_permit_is_sent_to_the_last_field() -> None:
    """One-way, reduce-only: no position side, reduceOnly, plain decimal text, RESULT, the permit's own times."""
    assert order_params(permit(qty="0.00700")) == (
        ("symbol", "BTCUSDT"),
        ("side", "SELL"),
        ("reduceOnly", "true"),
        ("type", "MARKET"),
        ("quantity", "0.007"),
        ("newClientOrderId", CLIENT_ID),
        ("newOrderRespType", "RESULT"),
        ("recvWindow", "2000"),
        ("timestamp", str(NOW_MS)),
    )


def test_a_limit_permit_carries_price_and_time_in_force() -> None:
    """LIMIT without reduce-only: price and timeInForce, no reduceOnly; a tiny quantity has no exponent."""
    limit = permit(
        side=Side.BUY,
        reduce_only=False,
        order_type=OrderType.LIMIT,
        price="61000.10",
        time_in_force=TimeInForce.GTX,
        qty="0.00000001",
    )
    params = dict(order_params(limit))
    assert (params["price"], params["timeInForce"], params["quantity"]) == ("61000.1", "GTX", "0.00000001")
    assert "reduceOnly" not in params
    assert "positionSide" not in params


@pytest.mark.parametrize("reduce_only", [True, False])
@pytest.mark.parametrize(("leg", "side"), [(PositionSide.LONG, Side.SELL), (PositionSide.SHORT, Side.BUY)])
def test_hedge_mode_sends_the_position_side_and_never_reduce_only(
    leg: PositionSide, side: Side, *, reduce_only: bool
) -> None:
    """Closing a hedge leg is expressed by its position side alone."""
    params = dict(order_params(permit(position_side=leg, side=side, reduce_only=reduce_only)))
    assert params["positionSide"] == leg.value
    assert "reduceOnly" not in params


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (permit(position_side=PositionSide.LONG, side=Side.BUY), Reason.WOULD_INCREASE),
        (permit(position_side=PositionSide.SHORT, side=Side.SELL), Reason.WOULD_INCREASE),
        (permit(client_order_id="a:b"), Reason.INTERNAL),
        (permit(client_order_id="a/b"), Reason.INTERNAL),
        (permit(client_order_id=""), Reason.INTERNAL),
        (permit(client_order_id="a" * 37), Reason.INTERNAL),
        (permit(order_type=OrderType.LIMIT), Reason.INTERNAL),
        (permit(order_type=OrderType.LIMIT, price="1"), Reason.INTERNAL),
    ],
)
def test_a_permit_that_must_not_be_sent_is_refused_here(bad: Permit, reason: Reason) -> None:
    """A reduce-only order that would grow its hedge leg, or one that cannot be signed safely, never leaves."""

    async def scenario() -> None:
        async with raw_venue() as venue:
            trader = BinanceTrader(BinanceClient(config(venue.url), SetClock()))
            outcome = await trader.submit(bad)
            assert isinstance(outcome, Refused)
            assert outcome.reason is reason
            assert venue.connections == 0
            await trader.close()

    run(scenario)


def test_looks_stop_before_the_minute_is_used_up_and_what_a_close_reads_does_not() -> None:
    """At nine tenths of the weight the reconciler's adapter asks nothing about a symbol; the one that trades may."""

    async def scenario() -> None:
        used = answer(200, b"[]", "X-MBX-USED-WEIGHT-1M: 2160")
        async with raw_venue(time_answer(), time_answer(), time_answer(), used, *[time_answer()] * 3, used) as venue:
            clock = SetClock()
            gate = Gate(clock)
            gate.set_limits((Limit(Counter.WEIGHT, 60_000, 2_400),))
            reader = BinanceReader(BinanceClient(config(venue.url), clock, gate))
            trader = BinanceTrader(BinanceClient(config(venue.url), clock, gate))
            await reader.symbol_view(BTC)
            with pytest.raises(VenueUnavailable, match="wants a pause"):
                await reader.symbol_view(BTC)
            assert (await trader.symbol_view(BTC)).symbol == BTC
            await reader.close()
            await trader.close()

    run(scenario)
