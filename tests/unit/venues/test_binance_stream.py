"""The private stream over a real WebSocket: every loss is a gap, every life opens with StreamUp."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from holdfast.clock import SystemClock
from holdfast.domain.errors import KeysRejected
from holdfast.ports.venue import (
    OrderSeen,
    PositionsSeen,
    StreamAlive,
    StreamGap,
    StreamUp,
    TradeSeen,
)
from holdfast.venues.binance.client import BinanceClient
from holdfast.venues.binance.reader import BinanceReader
from tests.unit.venues.frame_kit import ROW, moved, update
from tests.unit.venues.stream_kit import StreamVenue, stream_venue
from tests.unit.venues.venue_kit import DEADLINE_S, Heard, config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from holdfast.venues.binance.config import BinanceConfig
    from holdfast.venues.binance.stream import BinanceStream


def told(
    venue: StreamVenue,
    *,
    pong_ms_max: int = 3_000,
    keepalive_ms: int = 1_500_000,
    connection_ms_max: int = 86_000_000,
    events_max: int = 10_000,
) -> BinanceConfig:
    """The stream's configuration."""
    return config(
        venue.url,
        stream_url=venue.url.replace("http", "ws"),
        pong_ms_max=pong_ms_max,
        keepalive_ms=keepalive_ms,
        connection_ms_max=connection_ms_max,
        events_max=events_max,
    )


def run(scenario: Callable[[StreamVenue], Coroutine[None, None, None]]) -> None:
    """Run a scenario with a venue and a deadline."""

    async def whole() -> None:
        async with stream_venue() as venue:
            await scenario(venue)

    asyncio.run(asyncio.wait_for(whole(), DEADLINE_S))


@asynccontextmanager
async def heard(built: BinanceConfig) -> AsyncIterator[tuple[Heard, BinanceStream]]:
    """Enter a stream."""
    reader = BinanceReader(BinanceClient(built, SystemClock()))
    try:
        async with reader.stream() as stream:
            yield Heard(stream), stream
    finally:
        await reader.close()


def test_the_first_event_is_stream_up_and_then_events_keep_their_order() -> None:
    """Subscribed by the private address alone; what comes next comes in order; what says nothing is counted."""

    async def scenario(venue: StreamVenue) -> None:
        async with heard(told(venue)) as (events, stream):
            up = await events.until(StreamUp)
            assert up.opened_ms > 0
            assert venue.paths == ["/private/ws/secretlistenkey"]
            for frame in (update(x="NEW", t=0, l="0"), {"e": "TRADE_LITE"}, update(), moved(ROW)):
                await venue.sockets[0].send_json(frame)
            assert isinstance(await events.until(OrderSeen), OrderSeen)
            assert isinstance(await events.until(TradeSeen), TradeSeen)
            assert isinstance(await events.until(PositionsSeen), PositionsSeen)
            assert stream.ignored_total == 1

    run(scenario)


def test_an_answered_probe_proves_life_at_the_moment_before_it_left() -> None:
    """StreamAlive carries our clock from before the ping, and comes again and again."""

    async def scenario(venue: StreamVenue) -> None:
        clock = SystemClock()
        async with heard(told(venue)) as (events, _):
            up = await events.until(StreamUp)
            first = await events.until(StreamAlive)
            second = await events.until(StreamAlive)
            assert up.opened_ms <= first.proved_ms < second.proved_ms <= clock.now_ms()
            assert venue.pings >= 2

    run(scenario)


def test_a_connection_whose_probes_are_answered_outlives_the_pong_bound() -> None:
    """An answered probe is done with: it never counts as overdue."""

    async def scenario(venue: StreamVenue) -> None:
        async with heard(told(venue, pong_ms_max=250)) as (events, _):
            await events.until(StreamUp)
            for _number in range(6):
                await events.until(StreamAlive)
            assert venue.posts == 1

    run(scenario)


def test_the_venues_own_ping_is_answered() -> None:
    """The venue cuts a connection that does not answer its pings with their payload."""

    async def scenario(venue: StreamVenue) -> None:
        async with heard(told(venue)) as (events, _):
            await events.until(StreamUp)
            await venue.sockets[0].ping(b"1790000000000")
            await venue.until(lambda: venue.pongs == [b"1790000000000"])

    run(scenario)


def test_a_pong_that_nobody_asked_for_proves_nothing() -> None:
    """A venue whose pongs answer no probe of ours is not proven alive, and its connection ends as overdue."""

    async def scenario(venue: StreamVenue) -> None:
        venue.answers_pings = False
        async with heard(told(venue, pong_ms_max=300)) as (events, _):
            await events.until(StreamUp)
            await venue.sockets[0].pong(b"hello")
            await venue.sockets[0].pong(bytes(8))
            gap = await events.until(StreamGap)
            assert "no pong" in gap.detail
            assert not any(isinstance(one, StreamAlive) for one in events.events)
            venue.answers_pings = True
            await events.until(StreamUp)
            await events.until(StreamAlive)

    run(scenario)


@pytest.mark.parametrize(
    "frame",
    ['{"e":"listenKeyExpired","E":1736996475556,"listenKey":"secretlistenkey"}', "junk", '{"e":"ORDER_TRADE_UPDATE"}'],
    ids=["key-expired", "junk", "half-an-event"],
)
def test_a_frame_that_ends_the_connection_is_a_gap_then_a_new_life(frame: str) -> None:
    """An expired key or an unreadable frame: StreamGap, a fresh key, a new connection, StreamUp first."""

    async def scenario(venue: StreamVenue) -> None:
        async with heard(told(venue)) as (events, _):
            await events.until(StreamUp)
            await venue.sockets[0].send_str(frame)
            gap = await events.until(StreamGap)
            assert "secretlistenkey" not in gap.detail
            await events.until(StreamUp)
            assert (venue.posts, len(venue.sockets)) == (2, 2)
            await venue.sockets[1].send_json(update())
            await events.until(TradeSeen)

    run(scenario)


def test_events_before_a_gap_are_not_lost() -> None:
    """What was received before the connection ended is delivered before the gap."""

    async def scenario(venue: StreamVenue) -> None:
        async with heard(told(venue)) as (events, _):
            await events.until(StreamUp)
            await venue.sockets[0].send_json(update())
            await venue.sockets[0].close()
            await events.until(TradeSeen)
            gap = await events.until(StreamGap)
            assert "closed" in gap.detail
            await events.until(StreamUp)

    run(scenario)


def test_a_connection_that_is_cut_without_a_word_is_a_gap() -> None:
    """A TCP reset ends the life like a proper close does."""

    async def scenario(venue: StreamVenue) -> None:
        async with heard(told(venue)) as (events, _):
            await events.until(StreamUp)
            transport = venue.sockets[0]._req.transport if venue.sockets[0]._req is not None else None
            assert transport is not None
            transport.abort()
            await events.until(StreamGap)
            await events.until(StreamUp)

    run(scenario)


def test_the_listen_key_is_prolonged_and_never_deleted() -> None:
    """PUT leaves every keepalive interval; leaving the stream leaves the key to the other processes."""

    async def scenario(venue: StreamVenue) -> None:
        async with heard(told(venue, keepalive_ms=20)) as (events, _):
            await events.until(StreamUp)
            await venue.until(lambda: venue.puts >= 3)
            assert venue.posts == 1
        assert venue.deletes == 0

    run(scenario)


def test_a_keepalive_that_fails_is_a_gap_and_a_new_key() -> None:
    """A key that cannot be prolonged is dying: better a new connection now than silence later."""

    async def scenario(venue: StreamVenue) -> None:
        venue.put_status = 400
        async with heard(told(venue, keepalive_ms=200)) as (events, _):
            await events.until(StreamUp)
            gap = await events.until(StreamGap)
            assert "-1125" in gap.detail
            await events.until(StreamUp)
            assert venue.posts == 2

    run(scenario)


def test_an_old_connection_is_changed_before_the_venue_cuts_it() -> None:
    """At its age limit the connection ends with a gap and a new one opens."""

    async def scenario(venue: StreamVenue) -> None:
        async with heard(told(venue, connection_ms_max=200)) as (events, _):
            await events.until(StreamUp)
            gap = await events.until(StreamGap)
            assert "age" in gap.detail
            await events.until(StreamUp)

    run(scenario)


def test_a_slow_consumer_gets_a_gap_instead_of_a_hole() -> None:
    """More events than the bound: those within it, then a gap, and a new life only after they were taken."""

    async def scenario(venue: StreamVenue) -> None:
        async with heard(told(venue, events_max=8)) as (events, _):
            await events.until(StreamUp)
            for _ in range(60):
                await venue.sockets[0].send_json(moved(ROW))
            await venue.until(lambda: venue.sockets[0].closed)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(venue.until(lambda: len(venue.sockets) > 1), 0.3)
            await events.until(StreamGap, skip=(PositionsSeen,))
            seen = sum(isinstance(one, PositionsSeen) for one in events.events)
            assert 0 < seen <= 8
            await events.until(StreamUp)

    run(scenario)


def test_a_refused_key_ends_the_stream_with_the_reason() -> None:
    """Waiting does not help against refused keys: `next_batch` raises, again and again."""

    async def scenario(venue: StreamVenue) -> None:
        venue.post_status, venue.post_body = (
            401,
            b'{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}',
        )
        async with heard(told(venue)) as (_, stream):
            for _ in range(2):
                with pytest.raises(KeysRejected):
                    await stream.next_batch()

    run(scenario)


def test_a_venue_that_is_away_is_tried_again_until_it_is_back() -> None:
    """Each failed attempt is a gap that names no listen key; when the venue is back, StreamUp."""

    async def scenario(venue: StreamVenue) -> None:
        venue.post_status = 502
        async with heard(told(venue)) as (events, _):
            assert "502" in (await events.until(StreamGap)).detail
            venue.post_status, venue.refuse_sockets = 200, 404
            refused = await events.until(StreamGap)
            while "cannot be opened" not in refused.detail:
                refused = await events.until(StreamGap)
            assert "404" in refused.detail
            assert "secretlistenkey" not in refused.detail
            venue.refuse_sockets = 0
            await events.until(StreamUp, skip=(StreamGap,))

    run(scenario)


def test_a_batch_holds_all_that_is_there() -> None:
    """A consumer that comes late gets everything in one call."""

    async def scenario(venue: StreamVenue) -> None:
        async with heard(told(venue)) as (events, stream):
            await events.until(StreamUp)
            pings = venue.pings
            for _ in range(20):
                await venue.sockets[0].send_json(moved(ROW))
            await venue.until(lambda: venue.pings > pings)  # a probe that came later has arrived: so had these
            batch = await stream.next_batch()
            assert sum(isinstance(one, PositionsSeen) for one in batch) == 20

    run(scenario)


def test_a_handshake_limit_is_waited_out() -> None:
    """A 429 on the handshake is not answered with the next handshake."""

    async def scenario(venue: StreamVenue) -> None:
        venue.refuse_sockets = 429
        async with heard(told(venue)) as (events, stream):
            assert "429" in (await events.until(StreamGap)).detail
            venue.refuse_sockets = 0
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(stream.next_batch(), 0.3)
            assert len(venue.paths) == 1

    run(scenario)
