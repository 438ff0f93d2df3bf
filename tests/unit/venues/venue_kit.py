"""What the adapter's tests share: a permit, a configuration, a clock to set, and a venue on a bare socket."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

from holdfast.domain.names import AccountId, ClientOrderId, PlanId, Symbol
from holdfast.domain.permit import Permit
from holdfast.domain.sides import Decision, Leg, OrderType, PositionMode, PositionSide, Side
from holdfast.ports.venue import StreamAlive
from holdfast.venues.binance import ApiKey, ApiSecret, BinanceConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from holdfast.domain.sides import TimeInForce
    from holdfast.ports.venue import StreamEvent, VenueStream

Seen = TypeVar("Seen")
ACCOUNT = AccountId("main")
BTC = Symbol("BTCUSDT")
CLIENT_ID = ClientOrderId("hf-abcdefghijklmnopqrstuvwxyz")
DEADLINE_S = 10.0
NOW_MS = 1_790_000_000_000

ORDER_BODY = (
    b'{"clientOrderId":"hf-abcdefghijklmnopqrstuvwxyz","cumQty":"0.007","executedQty":"0.007","orderId":22542179,'
    b'"origQty":"0.007","price":"0","reduceOnly":true,"side":"SELL","positionSide":"BOTH","status":"FILLED",'
    b'"stopPrice":"0","closePosition":false,"symbol":"BTCUSDT","timeInForce":"GTC","type":"MARKET",'
    b'"origType":"MARKET","updateTime":1790000000001,"workingType":"CONTRACT_PRICE","priceProtect":false,'
    b'"priceMatch":"NONE","selfTradePreventionMode":"EXPIRE_MAKER","goodTillDate":0}'
)


def permit(
    *,
    side: Side = Side.SELL,
    position_side: PositionSide = PositionSide.BOTH,
    reduce_only: bool = True,
    order_type: OrderType = OrderType.MARKET,
    price: str | None = None,
    time_in_force: TimeInForce | None = None,
    client_order_id: str = CLIENT_ID,
    timestamp_ms: int = NOW_MS,
    recv_window_ms: int = 2_000,
    qty: str = "0.007",
) -> Permit:
    """A permit to close 0.007 BTCUSDT, or what is asked for instead."""
    return Permit(
        plan_id=PlanId("p1"),
        decision=Decision.RECONCILE_CLOSE,
        leg=Leg(ACCOUNT, BTC, position_side),
        side=side,
        qty=Decimal(qty),
        order_type=order_type,
        reduce_only=reduce_only,
        price=Decimal(price) if price is not None else None,
        time_in_force=time_in_force,
        client_order_id=ClientOrderId(client_order_id),
        against_drift_qty=Decimal(qty),
        hold_id=None,
        timestamp_ms=timestamp_ms,
        recv_window_ms=recv_window_ms,
    )


def config(
    rest_url: str,
    *,
    stream_url: str = "ws://127.0.0.1:1",
    mode: PositionMode = PositionMode.ONE_WAY,
    read_timeout_ms: int = 3_000,
    send_margin_ms: int = 1_000,
    rest_lag_ms: int = 1_000,
    probe_ms: int = 125,
    pong_ms_max: int = 3_000,
    keepalive_ms: int = 1_500_000,
    connection_ms_max: int = 86_000_000,
    backoff_ms_min: int = 5,
    events_max: int = 10_000,
) -> BinanceConfig:
    """A configuration for a venue on loopback."""
    return BinanceConfig(
        account=ACCOUNT,
        rest_url=rest_url,
        stream_url=stream_url,
        api_key=ApiKey("test-key"),
        secret=ApiSecret("test-secret"),
        position_mode=mode,
        rest_lag_ms=rest_lag_ms,
        read_timeout_ms=read_timeout_ms,
        send_margin_ms=send_margin_ms,
        probe_ms=probe_ms,
        pong_ms_max=pong_ms_max,
        keepalive_ms=keepalive_ms,
        connection_ms_max=connection_ms_max,
        backoff_ms_min=backoff_ms_min,
        events_max=events_max,
    )


@dataclass(slots=True)
class SetClock:
    """A clock that stands until it is moved."""

    ms: int = NOW_MS
    ns: int = 0

    def now_ms(self) -> int:
        """Wall clock."""
        return self.ms

    def monotonic_ns(self) -> int:
        """Monotonic clock."""
        return self.ns

    def pass_ms(self, ms: int) -> None:
        """Let time pass on both."""
        self.ms += ms
        self.ns += ms * 1_000_000


def answer(status: int, body: bytes, *headers: str) -> bytes:
    """An HTTP answer on a connection that is kept."""
    lines = [f"HTTP/1.1 {status} Said", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def time_answer(venue_ms: int = NOW_MS) -> bytes:
    """The answer of GET /fapi/v1/time."""
    return answer(200, b'{"serverTime":%d}' % venue_ms)


DROP = b"DROP"
"""Read the whole request, then cut the connection."""
SILENT = b"SILENT"
"""Read the whole request, then say nothing."""


@dataclass(slots=True)
class RawVenue:
    """A venue on a bare socket: it does with the n-th request what the n-th line of its script says.

    A request after the script's end is answered with `last`, so that a request too many would succeed and be counted.
    """

    script: tuple[bytes, ...]
    last: bytes
    url: str = ""
    connections: int = 0
    requests: list[str] = field(default_factory=list)
    """Request lines, in order of arrival."""
    heads: list[str] = field(default_factory=list)
    """Whole heads, in order of arrival."""

    def count(self, method: str) -> int:
        """How many requests of one method arrived."""
        return sum(line.startswith(method + " ") for line in self.requests)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        try:
            while await self._one(reader, writer):
                pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except (asyncio.IncompleteReadError, OSError):
            return False
        self.heads.append(head)
        self.requests.append(head.split("\r\n", 1)[0])
        number = len(self.requests) - 1
        act = self.script[number] if number < len(self.script) else self.last
        if act == DROP:
            writer.transport.abort()
            return False
        if act == SILENT:
            await reader.read()
            return False
        writer.write(act)
        return b"CUT" not in act


@asynccontextmanager
async def raw_venue(*script: bytes, last: bytes = b"") -> AsyncIterator[RawVenue]:
    """Serve the script on a free port of loopback."""
    venue = RawVenue(script, last or answer(200, ORDER_BODY))
    server = await asyncio.start_server(venue.serve, "127.0.0.1", 0)
    venue.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield venue
    finally:
        server.close()
        await server.wait_closed()


class Heard:
    """Events of a stream, one by one."""

    def __init__(self, stream: VenueStream) -> None:
        self._stream = stream
        self.events: list[StreamEvent] = []
        self._next = 0

    async def until(self, kind: type[Seen], *, skip: tuple[type[object], ...] = ()) -> Seen:
        """The next event of a kind. Only kinds of `skip` (and StreamAlive) may come before it."""
        while True:
            while self._next >= len(self.events):
                self.events += await self._stream.next_batch()
            event = self.events[self._next]
            self._next += 1
            if isinstance(event, kind):
                return event
            assert isinstance(event, (StreamAlive, *skip)), event
