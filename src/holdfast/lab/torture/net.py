"""The lines between the product and the exchange: requests, answers and frames that take time, and may be lost.

`WorldLine` is the lowest transport of the real Binance adapter (signing, gate, codec and classification run above it);
below it is the core of the simulator, asked step by step as its HTTP face asks it, on virtual time.

    request   leaves its process, and is the exchange's from then on: a process that dies takes nothing back
    answer    is only heard by a process that still lives
    frame     keeps its order on its socket, unless a fault of the stream says otherwise

What happens at the exchange's end runs outside of every process.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import Context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import aiohttp
import msgspec
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from holdfast.sim.core.events import ListenKeyExpired, kind_of
from holdfast.sim.core.faults import Channel, Cut, Page
from holdfast.sim.core.refusals import ApiError
from holdfast.sim.core.requests import Reply, Request, read_params
from holdfast.venues.binance import transport
from holdfast.venues.binance.exchange import Answer, NoAnswer, Reach

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from holdfast.lab.torture.chronicle import Chronicle
    from holdfast.lab.torture.dice import Dice
    from holdfast.lab.torture.unit import Unit
    from holdfast.sim.core.events import Event
    from holdfast.sim.core.stream_faults import Delivery
    from holdfast.sim.core.venue import Flight, Venue
    from holdfast.venues.binance import BinanceConfig

ORDER_PATH: Final = "/fapi/v1/order"
WATCHED: Final = frozenset({("POST", ORDER_PATH), ("GET", "/fapi/v3/positionRisk")})
KEY_HEADER: Final = "X-MBX-APIKEY"
HANDSHAKE_WEIGHT: Final = 5
TRIP_MS: Final = (0.5, 4.0)
"""One way, usually."""
SLOW_SHARE: Final = 0.03
SLOW_MS: Final = 300.0
"""So many trips take up to this."""
OUTSIDE: Final = Context()
"""What runs in it belongs to no process."""
_ENCODER: Final = msgspec.json.Encoder()


@dataclass(slots=True)
class Weather:
    """How the network is now. Times are the loop's, in seconds; what ended lies in the past."""

    refused_until: float = 0.0
    """No connection can be made: not one byte leaves."""
    cut_until: float = 0.0
    """What is sent is lost, on either way, and no frame passes."""
    mute_until: float = 0.0
    """Frames are lost; pings are answered."""
    torn_answers: int = 0
    """So many answers come with half their body."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame for the adapter to read."""

    type: aiohttp.WSMsgType
    data: bytes | None


class WorldSocket:
    """`transport.Socket`: one private stream of one process."""

    def __init__(self, net: Net, unit: Unit, key: str) -> None:
        self.net = net
        self.unit = unit
        self.key = key
        self.due = 0.0
        """When the newest frame arrives: a later one may not pass it."""
        self.is_open = True
        self._frames: deque[Frame] = deque()
        self._waiter: asyncio.Future[None] | None = None

    @property
    def close_code(self) -> int | None:
        """Gone without a goodbye."""
        return None if self.is_open else 1006

    def push(self, frame: Frame) -> None:
        """A frame has arrived."""
        self._frames.append(frame)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def hang_up(self) -> None:
        """The other end is gone."""
        self.is_open = False
        self.push(Frame(aiohttp.WSMsgType.CLOSED, None))

    async def receive(self) -> transport.Frame:
        """The next frame."""
        while not self._frames:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._frames.popleft()

    async def ping(self, message: bytes) -> None:
        """Ask whether the other end lives."""
        if not self.is_open:
            raise ConnectionResetError
        self.net.answer_ping(self, message)

    async def pong(self, message: bytes) -> None:
        """Nobody asked."""
        del message

    async def close(self) -> None:
        """Leave."""
        self.is_open = False
        self.net.drop(self)


class WorldLine:
    """`transport.Line`: one adapter of one process."""

    def __init__(self, net: Net, unit: Unit, config: BinanceConfig) -> None:
        del config
        self._net = net
        self._unit = unit

    async def perform(self, request: transport.Request) -> transport.Reply:
        """Send once."""
        await self._unit.reach("request")
        answered: asyncio.Future[transport.Reply] = asyncio.get_running_loop().create_future()
        self._net.send(self._unit, request, answered)
        late = asyncio.get_running_loop().call_later(request.timeout_ms / 1_000, _time_out, answered)
        try:
            reply = await answered
        finally:
            late.cancel()
        await self._unit.reach("answer")
        return reply

    async def open_socket(self, url: str) -> transport.Socket:
        """Open the private stream of the listen key that stands in the address."""
        return await self._net.shake_hands(self._unit, url)

    async def close(self) -> None:
        """Nothing is kept."""


def _time_out(answered: asyncio.Future[transport.Reply]) -> None:
    if not answered.done():
        answered.set_result(transport.Reply(NoAnswer(Reach.WRITTEN, "no answer in time"), None))


@dataclass(slots=True)
class Net:
    """All lines of a history."""

    dice: Dice
    chronicle: Chronicle
    hit: Callable[[str], None]
    """Counts a fault that really struck."""
    weather: Weather = field(default_factory=Weather)
    sockets: list[WorldSocket] = field(default_factory=list)
    arrives: Callable[[str, Request], None] = lambda _owner, _request: None
    """Called as an order or a question about one symbol's position arrives, before the exchange looks at it."""
    looked: Callable[[], None] = lambda: None
    """Called after whatever may have changed the exchange's books."""
    _venue: Venue | None = None
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    @property
    def venue(self) -> Venue:
        """The exchange, which is built after its outlet."""
        if self._venue is None:
            raise RuntimeError("the exchange is not open yet")
        return self._venue

    def open(self, venue: Venue) -> None:
        """Let the exchange answer."""
        self._venue = venue

    def later(self, delay_ms: float, call: Callable[..., object], *args: object) -> None:
        """Do something outside of every process."""
        self._loop.call_later(delay_ms / 1_000, call, *args, context=OUTSIDE)

    def trip_ms(self, purpose: str) -> float:
        """How long one way takes this time."""
        low, high = TRIP_MS
        draw = self.dice(purpose).random()
        if draw < SLOW_SHARE:
            return SLOW_MS * draw / SLOW_SHARE
        return low + (high - low) * draw

    # --- requests ---------------------------------------------------------------------------------------

    def send(self, unit: Unit, request: transport.Request, answered: asyncio.Future[transport.Reply]) -> None:
        """Take a request from a process."""
        now = self._loop.time()
        if now < self.weather.refused_until:
            self.hit("connection refused")
            nothing_left = transport.Reply(NoAnswer(Reach.UNWRITTEN, "ClientConnectorError: Connection refused"), None)
            self.later(0.1, _give, answered, nothing_left)
            return
        if now < self.weather.cut_until:
            self.hit("network cut")
            return
        way = f"{unit.name} {request.method} {urlsplit(request.url).path}"
        self.later(self.trip_ms(way), self._arrive, unit, unit.owner, request, answered)

    def _arrive(
        self, unit: Unit, owner: str, request: transport.Request, answered: asyncio.Future[transport.Reply]
    ) -> None:
        parts = urlsplit(request.url)
        arrived = Request(
            channel=Channel.REST,
            method=request.method,
            path=parts.path,
            address=unit.machine_address,
            api_key=request.headers.get(KEY_HEADER),
            params=read_params(parts.query, ""),
            query=parts.query,
        )
        if (request.method, parts.path) in WATCHED:
            self.arrives(owner, arrived)
        flight = self.venue.look(arrived)
        if isinstance(flight, Reply):
            self._answer(_way_back(unit, arrived), flight, answered)
        elif flight.strike.edge_delay_ms:
            self.later(flight.strike.edge_delay_ms, self._admit, unit, flight, answered)
        else:
            self._admit(unit, flight, answered)

    def _admit(self, unit: Unit, flight: Flight, answered: asyncio.Future[transport.Reply]) -> None:
        reply = self.venue.admit(flight)
        if reply is not None:
            self._leave(unit, flight, reply, answered)
        elif flight.strike.engine_delay_ms:
            self.later(flight.strike.engine_delay_ms, self._execute, unit, flight, answered)
        else:
            self._execute(unit, flight, answered)

    def _execute(self, unit: Unit, flight: Flight, answered: asyncio.Future[transport.Reply]) -> None:
        reply = self.venue.execute(flight)
        self.looked()
        self._leave(unit, flight, reply, answered)

    def _leave(self, unit: Unit, flight: Flight, reply: Reply, answered: asyncio.Future[transport.Reply]) -> None:
        strike, request = flight.strike, flight.request
        way = _way_back(unit, request)
        if request.method in {"POST", "DELETE"} and request.path == ORDER_PATH:
            params = request.params
            name = params.get("newClientOrderId") or params.get("origClientOrderId")
            what = f"{params.get('side', '')} {params.get('quantity', '')} {params.get('symbol')}"
            self.chronicle.say(unit.name, f"{request.method} order {what} {name} -> {reply.status} {_word(reply)}")
        if strike.cut is Cut.RESET:
            self._cut(way, answered, 0)
        elif strike.cut is Cut.HANG:
            self._cut(way, answered, strike.hang_ms)
        elif strike.reply_delay_ms:
            self.later(strike.reply_delay_ms, self._answer, way, reply, answered)
        else:
            self._answer(way, reply, answered)

    def _cut(self, way: str, answered: asyncio.Future[transport.Reply], hang_ms: float) -> None:
        lost = transport.Reply(NoAnswer(Reach.WRITTEN, "ServerDisconnectedError"), None)
        self.later(hang_ms + self.trip_ms(way), _give, answered, lost)

    def _answer(self, way: str, reply: Reply, answered: asyncio.Future[transport.Reply]) -> None:
        if self._loop.time() < self.weather.cut_until:
            self.hit("network cut")
            return
        body = reply.body.text.encode() if isinstance(reply.body, Page) else _ENCODER.encode(reply.body)
        if self.weather.torn_answers and len(body) > 2 and body[:1] == b"[":  # noqa: PLR2004 - a list that has rows
            self.weather.torn_answers -= 1
            self.hit("partial answer")
            body = body[: len(body) // 2]
        headers = dict(reply.headers)
        exchange = Answer(reply.status, body, headers.get("Retry-After"))
        self.later(self.trip_ms(way), _give, answered, transport.Reply(exchange, headers))

    # --- the private stream -----------------------------------------------------------------------------

    async def shake_hands(self, unit: Unit, url: str) -> WorldSocket:
        """Open a socket. Raises aiohttp's errors, as a real one does."""
        await unit.reach("handshake")
        if self._loop.time() < max(self.weather.refused_until, self.weather.cut_until):
            self.hit("connection refused")
            raise ConnectionRefusedError("Connection refused")
        await asyncio.sleep(self.trip_ms(f"{unit.name} handshake") / 1_000)
        now_ms = self.venue.exchange.clock.now_ms()
        try:
            self.venue.limits.spend(unit.machine_address, HANDSHAKE_WEIGHT, now_ms)
        except ApiError as error:
            raise _refused(error) from None
        socket = WorldSocket(self, unit, urlsplit(url).path.rpartition("/")[2])
        self.sockets.append(socket)
        self.chronicle.say(unit.name, "stream opened")
        return socket

    def drop(self, socket: WorldSocket) -> None:
        """The process left."""
        if socket in self.sockets:
            self.sockets.remove(socket)

    def forget(self, unit: Unit) -> None:
        """The process is dead: its connections are gone."""
        self.sockets = [each for each in self.sockets if each.unit is not unit]

    def answer_ping(self, socket: WorldSocket, payload: bytes) -> None:
        """Answer, unless it cannot be heard."""
        if self._loop.time() < self.weather.cut_until:
            self.hit("network cut")
            return
        self._frame(socket, Frame(aiohttp.WSMsgType.PONG, payload), 0.0)

    def deliver(self, account: str, deliveries: Sequence[Delivery]) -> None:
        """Send events to the account's sockets (called by the core)."""
        live = self.venue.listen_keys.by_account.get(account)
        for delivery in deliveries:
            event = delivery.event
            key = event.listen_key if isinstance(event, ListenKeyExpired) else live
            self._tell(key, event, delivery.delay_ms)

    def close(self, account: str) -> None:
        """Close the account's sockets (called by the core)."""
        key = self.venue.listen_keys.by_account.get(account)
        for socket in [each for each in self.sockets if each.key == key]:
            self.end(socket)

    def end(self, socket: WorldSocket) -> None:
        """The exchange hangs up."""
        self.sockets.remove(socket)
        self.later(self.trip_ms(f"{socket.unit.name} hang up"), socket.hang_up)

    def _tell(self, key: str | None, event: Event, delay_ms: float) -> None:
        raw = _ENCODER.encode(event)
        for socket in self.sockets:
            if socket.key != key:
                continue
            if self._loop.time() < max(self.weather.cut_until, self.weather.mute_until):
                self.hit("stream silent")
                self.chronicle.say("net", f"{kind_of(event)} is lost")
                continue
            self._frame(socket, Frame(aiohttp.WSMsgType.TEXT, raw), delay_ms)

    def _frame(self, socket: WorldSocket, frame: Frame, delay_ms: float) -> None:
        now = self._loop.time()
        if delay_ms:
            self.later(delay_ms, socket.push, frame)
            return
        socket.due = max(socket.due, now + self.trip_ms(f"{socket.unit.name} frames") / 1_000)
        self._loop.call_at(socket.due, socket.push, frame, context=OUTSIDE)


def _give(answered: asyncio.Future[transport.Reply], reply: transport.Reply) -> None:
    if not answered.done():
        answered.set_result(reply)


def _way_back(unit: Unit, request: Request) -> str:
    return f"{unit.name} answer {request.method} {request.path}"


def _word(reply: Reply) -> str:
    body = reply.body
    if isinstance(body, Page):
        return "a page"
    told = msgspec.to_builtins(body)
    if not isinstance(told, dict):
        return ""
    if "code" in told:
        return f"{told['code']} {told.get('msg', '')}"
    return f"{told.get('status')} {told.get('executedQty')}"


def _refused(error: ApiError) -> aiohttp.WSServerHandshakeError:
    url = URL("ws://exchange.test/private/ws")
    info = aiohttp.RequestInfo(url, "GET", CIMultiDictProxy(CIMultiDict()), url)
    return aiohttp.WSServerHandshakeError(info, (), status=error.status, headers=CIMultiDict(error.headers))
