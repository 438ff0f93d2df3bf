"""The private stream over a real WebSocket: every loss is a gap, every life opens with StreamUp."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from holdfast.clock import SystemClock
from holdfast.domain.errors import KeysRejected, VenueUnavailable
from holdfast.domain.order import VenueOrderStatus
from holdfast.domain.sides import PositionMode, PositionSide, Side, Source
from holdfast.ports.venue import (
    ModeSeen,
    OrderSeen,
    PositionsSeen,
    StreamAlive,
    StreamGap,
    StreamUp,
    TradeSeen,
)
from holdfast.venues.binance.client import BinanceClient
from holdfast.venues.binance.frames import IGNORED, KeyExpired, decode_frame
from holdfast.venues.binance.reader import BinanceReader
from tests.unit.venues.venue_kit import ACCOUNT, DEADLINE_S, Heard, config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from holdfast.venues.binance.config import BinanceConfig
    from holdfast.venues.binance.stream import BinanceStream

ORDER: dict[str, Any] = {
    "s": "BTCUSDT",
    "c": "clientId",
    "S": "SELL",
    "o": "MARKET",
    "f": "GTC",
    "q": "0.003",
    "p": "0",
    "ap": "61000",
    "sp": "0",
    "x": "TRADE",
    "X": "PARTIALLY_FILLED",
    "i": 8886774,
    "l": "0.001",
    "z": "0.002",
    "L": "61001.5",
    "N": "USDT",
    "n": "0.01",
    "T": 1568879465651,
    "t": 5,
    "m": False,
    "R": True,
    "ps": "BOTH",
    "rp": "1.0",
    "er": "0",
}
ROW = {"s": "BTCUSDT", "pa": "-0.5", "ep": "61000", "bep": "0", "cr": "200", "up": "0", "mt": "isolated", "ps": "BOTH"}


def update(**changes: object) -> dict[str, Any]:
    """An ORDER_TRADE_UPDATE."""
    return {"e": "ORDER_TRADE_UPDATE", "E": 1568879465652, "T": 1568879465650, "o": {**ORDER, **changes}}


def moved(*rows: dict[str, Any], cause: str = "ORDER") -> dict[str, Any]:
    """An ACCOUNT_UPDATE."""
    return {"e": "ACCOUNT_UPDATE", "E": 8, "T": 7, "a": {"m": cause, "B": [{"a": "USDT", "wb": "1"}], "P": list(rows)}}


def read(frame: object, mode: PositionMode = PositionMode.ONE_WAY) -> object:
    """Decode one frame."""
    return decode_frame(json.dumps(frame).encode(), ACCOUNT, mode, 99)


# --- the codec


def test_an_execution_is_a_trade_with_its_order() -> None:
    """The trade has this fill's quantity and price and the match's time; the report has the cumulated ones."""
    event = read(update())
    assert isinstance(event, TradeSeen)
    trade, report = event.trade, event.report
    assert (trade.trade_id, trade.order_id, trade.client_order_id) == (5, 8886774, "clientId")
    assert (trade.qty, trade.price, trade.venue_ms) == (Decimal("0.001"), Decimal("61001.5"), 1568879465650)
    assert (trade.side, trade.position_side, trade.source) == (Side.SELL, PositionSide.BOTH, Source.STREAM)
    assert (report.qty, report.executed_qty, report.avg_price) == (Decimal("0.003"), Decimal("0.002"), Decimal(61000))
    assert (report.status, report.reduce_only, report.venue_ms) == (
        VenueOrderStatus.PARTIALLY_FILLED,
        True,
        1568879465651,
    )


@pytest.mark.parametrize("execution", ["NEW", "CANCELED", "EXPIRED", "AMENDMENT", "SOMETHING_NEW"])
def test_another_execution_type_is_an_order_seen(execution: str) -> None:
    """Without a fill only the order's state is reported; fee fields may be absent."""
    frame = update(x=execution, X="NEW", l="0", L="0", t=0, z="0", ap="0")
    del frame["o"]["N"], frame["o"]["n"]
    event = read(frame)
    assert isinstance(event, OrderSeen)
    assert (event.report.avg_price, event.report.executed_qty) == (None, Decimal(0))


def test_a_liquidations_execution_is_a_trade() -> None:
    """CALCULATED with a trade id is an execution, without one it is a change of the order."""
    assert isinstance(read(update(x="CALCULATED", c="autoclose-1596107620040000020")), TradeSeen)
    assert isinstance(read(update(x="CALCULATED", t=0, l="0")), OrderSeen)


def test_positions_are_dated_by_the_match() -> None:
    """`pa` is the new amount, `T` the venue time at which it was true, the receipt our clock."""
    event = read(moved(ROW, {**ROW, "s": "ETHUSDT", "pa": "0", "ep": "0.0"}))
    assert isinstance(event, PositionsSeen)
    first, second = event.positions
    assert (first.leg.symbol, first.amt, first.as_of_ms, first.read_ms) == ("BTCUSDT", Decimal("-0.5"), 7, 99)
    assert (first.source, first.entry_price) == (Source.STREAM, Decimal(61000))
    assert (second.amt, second.entry_price) == (Decimal(0), None)
    assert event.cause == "ORDER"


def test_funding_on_cross_margin_names_no_position() -> None:
    """An event without rows still says that something happened, and what."""
    assert read(moved(cause="FUNDING_FEE")) == PositionsSeen((), "FUNDING_FEE")


def test_hedge_rows_are_legs_and_a_flat_both_row_is_left_out() -> None:
    """In hedge mode the venue sends a BOTH row too; flat, it says nothing."""
    both, long, short = {**ROW, "pa": "0"}, {**ROW, "ps": "LONG", "pa": "2"}, {**ROW, "ps": "SHORT", "pa": "-1"}
    event = read(moved(both, long, short), PositionMode.HEDGE)
    assert isinstance(event, PositionsSeen)
    assert [one.amt for one in event.positions] == [Decimal(2), Decimal(-1)]


@pytest.mark.parametrize(("side", "mode"), [("LONG", PositionMode.ONE_WAY), ("BOTH", PositionMode.HEDGE)])
def test_a_position_that_the_mode_does_not_have_means_that_the_mode_changed(side: str, mode: PositionMode) -> None:
    """The account's configuration is to be read again."""
    assert isinstance(read(moved({**ROW, "ps": side}), mode), ModeSeen)


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ({"e": "listenKeyExpired", "E": 1736996475556, "listenKey": "x"}, KeyExpired()),
        (
            {"e": "ACCOUNT_CONFIG_UPDATE", "E": 0, "T": 0, "ac": {"s": "BTCUSDT", "l": 25}},
            ModeSeen("leverage of BTCUSDT"),
        ),
        ({"e": "ACCOUNT_CONFIG_UPDATE", "E": 0, "T": 0, "ai": {"j": True}}, ModeSeen("account configuration")),
        ({"e": "TRADE_LITE", "s": "BTCUSDT", "q": "0.001"}, IGNORED),
        ({"e": "MARGIN_CALL", "E": 0, "cw": "3.1", "p": []}, IGNORED),
        ({"e": "SOMETHING_NEW", "x": [1]}, IGNORED),
        ({"result": None, "id": 1}, IGNORED),
        ({**update(), "st": 2}, IGNORED),
        (update(st=2), IGNORED),
        (moved({**ROW, "st": 2}), PositionsSeen((), "ORDER")),
    ],
)
def test_the_other_events(frame: object, expected: object) -> None:
    """Each known event has its meaning; unknown ones, and those of the COIN-M product, have none."""
    assert read(frame) == expected


@pytest.mark.parametrize(
    "frame",
    [
        [],
        None,
        "x",
        {"e": 5},
        {"e": "ORDER_TRADE_UPDATE"},
        {"e": "ORDER_TRADE_UPDATE", "T": 1},
        update(l="NaN"),
        update(l="0"),
        update(l=0.001),
        update(t=-1),
        update(z="-1"),
        update(S="HOLD"),
        update(ps="NONE"),
        update(i=None),
        {"e": "ACCOUNT_UPDATE", "T": 1},
        moved({**ROW, "pa": "x"}),
        moved({**ROW, "ps": None}),
    ],
)
def test_a_known_event_that_cannot_be_read_is_an_error(frame: object) -> None:
    """Something may have been missed: that is never passed over."""
    with pytest.raises(VenueUnavailable):
        read(frame)


FRAMES = [update(), moved(ROW), {"e": "ACCOUNT_CONFIG_UPDATE", "ac": {"s": "X"}}]
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=8,
)


@given(st.data())
def test_no_frame_raises_anything_but_the_documented_error(data: st.DataObject) -> None:
    """Junk and real events with one field changed are read or refused, never more than that."""
    frame = json.loads(json.dumps(data.draw(st.sampled_from(FRAMES))))
    inner = next((frame[name] for name in ("o", "a", "ac") if name in frame), frame)
    inner[data.draw(st.sampled_from(sorted(inner)))] = data.draw(JSON)
    raw = data.draw(st.one_of(st.binary(max_size=60), JSON.map(lambda one: json.dumps(one).encode())))
    for one in (raw, json.dumps(frame).encode(), b'{"e":' * 50_000):
        try:
            decode_frame(one, ACCOUNT, PositionMode.ONE_WAY, 1)
        except VenueUnavailable:
            continue


# --- the connection


@dataclass(slots=True)
class StreamVenue:
    """A venue's stream face: hands out listen keys, keeps the sockets, answers pings unless told not to."""

    url: str = ""
    posts: int = 0
    puts: int = 0
    deletes: int = 0
    put_status: int = 200
    post_status: int = 200
    post_body: bytes = b'{"listenKey":"secretlistenkey"}'
    answers_pings: bool = True
    refuse_sockets: bool = False
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    pings: int = 0
    pongs: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def key(self, request: web.Request) -> web.Response:
        """The listen key's three methods."""
        self.changed.set()
        if request.method == "POST":
            self.posts += 1
            return web.Response(status=self.post_status, body=self.post_body)
        if request.method == "DELETE":
            self.deletes += 1
            return web.json_response({})
        self.puts += 1
        return web.Response(status=self.put_status, body=b'{"code":-1125,"msg":"This listenKey does not exist."}')

    async def socket(self, request: web.Request) -> web.StreamResponse:
        """One connection."""
        self.paths.append(request.path)
        if self.refuse_sockets:
            return web.Response(status=404)
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        self.sockets.append(socket)
        self.changed.set()
        async for message in socket:
            if message.type is WSMsgType.PING:
                self.pings += 1
                if self.answers_pings:
                    await socket.pong(message.data)
            elif message.type is WSMsgType.PONG:
                self.pongs.append(message.data)
            self.changed.set()
        self.changed.set()
        return socket

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something that this venue sees holds."""
        while not holds():
            self.changed.clear()
            await self.changed.wait()


@asynccontextmanager
async def stream_venue() -> AsyncIterator[StreamVenue]:
    """Serve a stream on a free port."""
    venue = StreamVenue()
    app = web.Application()
    app.router.add_route("*", "/fapi/v1/listenKey", venue.key)
    app.router.add_get("/private/ws/{key}", venue.socket)
    server = TestServer(app)
    await server.start_server()
    venue.url = str(server.make_url("")).rstrip("/")
    try:
        yield venue
    finally:
        for socket in venue.sockets:
            await socket.close()
        await server.close()


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
            assert len(venue.sockets) == 1
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
            venue.post_status, venue.refuse_sockets = 200, True
            refused = await events.until(StreamGap)
            while "cannot be opened" not in refused.detail:
                refused = await events.until(StreamGap)
            assert "404" in refused.detail
            assert "secretlistenkey" not in refused.detail
            venue.refuse_sockets = False
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
