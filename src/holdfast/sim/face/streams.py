"""Send streams: account events to the holders of a live listen key, prices to whoever subscribes.

| address | scope | frames |
|---|---|---|
| `/private/ws/<listenKey>`, `/private/ws?listenKey=` | account | raw |
| `/private/stream?listenKey=&events=A/B`, `/private/stream` + SUBSCRIBE | account | `{"stream","data"}` |
| `/public/...`, `/market/...` `{ws,stream}` | prices | raw, or with stream name |
| `/ws/<anything>`, `/stream` | legacy | connects, and stays silent |

Invariants: frames leave in the order in which the core made them; a socket that reads too slowly is closed, not
buffered without end; a key that died makes its sockets silent, not closed.
Source: venue documentation of the routed stream addresses (April 2026) and of listen key expiry.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote

import msgspec
from aiohttp import WSMsgType, web

from holdfast.sim.core.amounts import plain
from holdfast.sim.core.calls.public import book_ticker_of
from holdfast.sim.core.events import Event, ListenKeyExpired, kind_of
from holdfast.sim.core.refusals import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from holdfast.sim.core.stream_faults import Delivery
    from holdfast.sim.core.venue import Venue

__all__ = ["Hub", "Scope", "Socket", "scope_of"]

SEND_QUEUE_MAX: Final = 20_000
"""Frames that wait for one slow reader before its socket is closed."""
STREAMS_MAX: Final = 1024
PING_S: Final = 180.0
CLOSE_WAIT_S: Final = 1.0


class Scope(StrEnum):
    """What a stream address may carry."""

    PRIVATE = "private"
    PRICES = "prices"
    LEGACY = "legacy"


@dataclass(slots=True, eq=False)
class Socket:
    """One stream connection."""

    ws: web.WebSocketResponse
    scope: Scope
    named: bool
    """Whether frames are wrapped with their stream's name."""
    topics: dict[str, frozenset[str] | None] = field(default_factory=dict)
    """Listen key or market stream, to the events wanted (None: all)."""
    outbox: asyncio.Queue[str | None] = field(default_factory=lambda: asyncio.Queue(SEND_QUEUE_MAX))

    def push(self, frame: str | None) -> None:
        """Queue a frame; None closes the socket after what is queued."""
        try:
            self.outbox.put_nowait(frame)
        except asyncio.QueueFull:
            while not self.outbox.empty():
                self.outbox.get_nowait()
            self.outbox.put_nowait(None)

    async def write(self) -> None:
        """Send what is queued until the socket ends."""
        while (frame := await self.outbox.get()) is not None:
            try:
                await self.ws.send_str(frame)
            except ConnectionError:
                return
        await self.ws.close()


def scope_of(path: str) -> tuple[Scope, bool, str] | None:
    """Read a stream address: scope, whether frames are named, what is named in the path."""
    parts = path.strip("/").split("/")
    scope = {"private": Scope.PRIVATE, "public": Scope.PRICES, "market": Scope.PRICES}.get(parts[0], Scope.LEGACY)
    rest = parts if scope is Scope.LEGACY else parts[1:]
    if not rest or rest[0] not in {"ws", "stream"}:
        return None
    return scope, rest[0] == "stream", unquote("/".join(rest[1:]))


@dataclass(slots=True)
class Hub:
    """All stream connections, and the core's outlet."""

    venue: Callable[[], Venue]
    """The venue, which is built after its outlet."""
    sockets: set[Socket] = field(default_factory=set)
    holders: dict[str, list[Socket]] = field(default_factory=dict)
    """Listen key to its sockets."""
    _encoder: msgspec.json.Encoder = field(default_factory=msgspec.json.Encoder)

    def deliver(self, account: str, deliveries: Sequence[Delivery]) -> None:
        """Send events to the account's open streams (called by the core)."""
        live = self.venue().listen_keys.by_account.get(account)
        for delivery in deliveries:
            event = delivery.event
            key = event.listen_key if isinstance(event, ListenKeyExpired) else live
            if key is None or key not in self.holders:
                continue
            if delivery.delay_ms:
                loop = asyncio.get_running_loop()
                loop.call_later(delivery.delay_ms / 1000, self._send, key, event)
            else:
                self._send(key, event)

    def close(self, account: str) -> None:
        """Close the account's streams (called by the core)."""
        key = self.venue().listen_keys.by_account.get(account)
        for socket in list(self.holders.get(key or "", ())):
            socket.push(None)

    def _send(self, key: str, event: Event) -> None:
        raw = self._encoder.encode(event).decode()
        kind = kind_of(event)
        for socket in self.holders.get(key, ()):
            wanted = socket.topics.get(key)
            if wanted is None or kind in wanted:
                socket.push(f'{{"stream":"{key}","data":{raw}}}' if socket.named else raw)
        if isinstance(event, ListenKeyExpired):
            self.holders.pop(key, None)

    def subscribe(self, socket: Socket, topic: str, wanted: frozenset[str] | None) -> None:
        """Let a socket hear a topic."""
        if socket.scope is Scope.LEGACY or len(socket.topics) >= STREAMS_MAX:
            return
        known = topic in socket.topics
        socket.topics[topic] = wanted
        if socket.scope is Scope.PRIVATE and not known:
            self.holders.setdefault(topic, []).append(socket)
        elif socket.scope is Scope.PRICES:
            self._send_price(socket, topic)

    def unsubscribe(self, socket: Socket, topic: str) -> None:
        """Stop a socket from hearing a topic."""
        socket.topics.pop(topic, None)
        held = self.holders.get(topic)
        if held is not None and socket in held:
            held.remove(socket)
            if not held:
                del self.holders[topic]

    def tell_prices(self) -> None:
        """Send the prices of this moment to their subscribers."""
        for socket in self.sockets:
            if socket.scope is Scope.PRICES and not socket.outbox.full():
                for topic in socket.topics:
                    self._send_price(socket, topic)

    def _send_price(self, socket: Socket, topic: str) -> None:
        data = _price_frame(self.venue(), topic)
        if data is not None:
            body: object = {"stream": topic, "data": data} if socket.named else data
            socket.push(self._encoder.encode(body).decode())

    async def serve(
        self, request: web.BaseRequest, scope: Scope, *, named: bool, topic: str, query: str
    ) -> web.WebSocketResponse:
        """Serve one stream connection until it ends."""
        # The venue pings every 3 minutes and gives 10 for the pong; aiohttp gives half the interval.
        ws = web.WebSocketResponse(heartbeat=PING_S, timeout=CLOSE_WAIT_S)
        socket = Socket(ws, scope, named)
        # Subscribed before the handshake is answered: who sees the connection open misses nothing from then on.
        for name, wanted in _topics(topic, query):
            self.subscribe(socket, name, wanted)
        self.sockets.add(socket)
        writer: asyncio.Task[None] | None = None
        try:
            await ws.prepare(request)
            writer = asyncio.create_task(socket.write(), name="sim stream writer")
            async for message in ws:
                if message.type is WSMsgType.TEXT:
                    self._on_message(socket, message.data)
        finally:
            self.sockets.discard(socket)
            for name in list(socket.topics):
                self.unsubscribe(socket, name)
            if writer is not None:
                writer.cancel()
                await asyncio.gather(writer, return_exceptions=True)
        return ws

    def _on_message(self, socket: Socket, text: str) -> None:
        try:
            message: Any = msgspec.json.decode(text)
            method, names = message["method"], [str(n) for n in message.get("params") or ()]
        except (msgspec.MsgspecError, KeyError, TypeError, AttributeError):
            socket.push('{"error":{"code":2,"msg":"Invalid request: unreadable"},"id":null}')
            return
        result: object = None
        if method == "SUBSCRIBE":
            for name in names:
                self.subscribe(socket, name, None)
        elif method == "UNSUBSCRIBE":
            for name in names:
                self.unsubscribe(socket, name)
        elif method == "LIST_SUBSCRIPTIONS":
            result = list(socket.topics)
        else:
            reply = {"error": {"code": 2, "msg": f"Invalid request: unknown method {method}"}, "id": message.get("id")}
            socket.push(self._encoder.encode(reply).decode())
            return
        socket.push(self._encoder.encode({"result": result, "id": message.get("id")}).decode())

    async def close_all(self) -> None:
        """Close every stream."""
        for socket in list(self.sockets):
            await socket.ws.close()


def _topics(topic: str, query: str) -> list[tuple[str, frozenset[str] | None]]:
    """Read the topics of an address: its path, `streams=a/b`, or `listenKey=` each with its `events=`."""
    found: list[tuple[str, frozenset[str] | None]] = [(name, None) for name in topic.split("/") if name]
    for name, value in parse_qsl(query):
        if name == "streams":
            found.extend((part, None) for part in value.split("/") if part)
        elif name == "listenKey":
            found.append((value, None))
        elif name == "events" and found:
            found[-1] = (found[-1][0], frozenset(value.split("/")))
    return found


def _price_frame(venue: Venue, topic: str) -> dict[str, object] | None:
    name, _, kind = topic.partition("@")
    now = venue.exchange.clock.now_ms()
    try:
        market = venue.exchange.market(name.upper())
    except ApiError:
        return None
    if kind == "bookTicker":
        row = book_ticker_of(market, now)
        return {
            "e": "bookTicker", "u": now, "E": now, "T": now, "s": row["symbol"], "b": row["bidPrice"],
            "B": row["bidQty"], "a": row["askPrice"], "A": row["askQty"],
        }  # fmt: skip
    if kind.startswith("markPrice"):
        mark = plain(market.quote(now).mark)
        return {
            "e": "markPriceUpdate", "E": now, "s": market.rules.symbol, "p": mark, "i": mark, "P": mark,
            "r": plain(market.funding_rate), "T": now,
        }  # fmt: skip
    return None
