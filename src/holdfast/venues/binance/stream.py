"""The account's private stream: connect, probe, decode, and make every loss a StreamGap.

One life of a connection: listen key (POST: a new one, or the same prolonged) -> WebSocket -> StreamUp -> events ->
StreamGap. Three tasks watch a life, and whatever ends one ends it: frames are read; a ping of our own leaves every
`probe_ms` and its pong proves that the connection lived (StreamAlive carries our clock read BEFORE that ping left);
the listen key is prolonged every `keepalive_ms`. Then comes a bounded backoff, and the next life.

Invariants: the first event of a life is StreamUp and the last one StreamGap; events keep their order; nothing is
dropped without a StreamGap, the overflow of a slow consumer included; the listen key is never deleted (that would
kill it for every process of the account) and never named in a text. Facts: venue documentation of the user data
stream.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Self

import aiohttp

from holdfast.domain.errors import HoldfastError, Unclassified, VenueUnavailable
from holdfast.ports.venue import StreamAlive, StreamGap, StreamUp
from holdfast.venues.binance.client import Security
from holdfast.venues.binance.exchange import Answer
from holdfast.venues.binance.frames import Ignored, KeyExpired, decode_frame
from holdfast.venues.binance.transport import describe
from holdfast.venues.binance.waiting import STATUS_BANNED, STATUS_LIMITED, wait_ms
from holdfast.venues.binance.wire import decode_listen_key

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence
    from types import TracebackType

    from holdfast.ports.venue import StreamEvent
    from holdfast.venues.binance.client import BinanceClient
    from holdfast.venues.binance.transport import Socket

LISTEN_KEY_PATH = "/fapi/v1/listenKey"
_PAYLOAD_BYTES = 8


class BinanceStream:
    """Implements `ports.venue.VenueStream`."""

    def __init__(self, client: BinanceClient) -> None:
        self._client = client
        self._config = client.config
        self._clock = client.clock
        self._events: deque[StreamEvent] = deque()
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self._probes: dict[bytes, int] = {}
        self._probe_number = 0
        self._proven = False
        self._runner: asyncio.Task[None] | None = None
        self.ignored_total = 0
        """Events that said nothing to us, unknown kinds included."""

    async def __aenter__(self) -> Self:
        """Start connecting; the first event is a StreamUp, or a StreamGap that says why there is none yet."""
        self._runner = asyncio.create_task(self._run(), name="binance-stream")
        self._runner.add_done_callback(lambda _: self._filled.set())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the connection."""
        runner = self._runner
        if runner is None:
            return
        runner.cancel()
        await asyncio.wait((runner,))
        if not runner.cancelled():
            runner.exception()  # was raised by `next_batch`, or nobody waits for it any more

    async def next_batch(self) -> tuple[StreamEvent, ...]:
        """Wait for at least one event and return all that are there, in order.

        Raises KeysRejected when the venue refuses the key, Unclassified when the stream ended for an unforeseen reason.
        """
        while not self._events:
            self._require_running()
            self._filled.clear()
            await self._filled.wait()
        batch = tuple(self._events)
        self._events.clear()
        self._drained.set()
        return batch

    def _require_running(self) -> None:
        runner = self._runner
        if runner is None:
            raise Unclassified("the stream was not entered")
        if not runner.done():
            return
        if runner.cancelled():
            raise Unclassified("the stream was ended")
        error = runner.exception()
        if isinstance(error, HoldfastError):
            raise error
        raise Unclassified(f"the stream ended by itself: {type(error).__name__}") from error

    def _push(self, event: StreamEvent) -> None:
        if len(self._events) >= self._config.events_max:
            raise VenueUnavailable(f"{len(self._events)} events wait unread: the consumer is too slow")
        self._events.append(event)
        self._filled.set()

    def _push_gap(self, detail: str) -> None:
        """A gap always finds room: it stands for everything after the events that are there."""
        self._events.append(StreamGap(detail))
        self._filled.set()

    # --- lives

    async def _run(self) -> None:
        """One life after the other, for ever; ends only by cancellation, a refused key or an unforeseen error."""
        pause_ms = self._config.backoff_ms_min
        while True:
            socket: Socket | None = None
            self._proven = False
            try:
                socket = await self._connect()
                await self._watch(socket)
            except VenueUnavailable as lost:
                loss = lost
                self._push_gap(str(loss))  # before the socket is closed: the stamp is void from now on
            else:
                raise Unclassified("the stream's watch ended by itself")
            finally:
                if socket is not None:
                    await socket.close()
            pause_ms = self._config.backoff_ms_min if self._proven else pause_ms
            await asyncio.sleep(max(pause_ms, loss.retry_after_ms or 0) / 1_000)
            pause_ms = min(pause_ms * 2, self._config.backoff_ms_max)
            await self._room()

    async def _room(self) -> None:
        """Wait until the consumer has taken what is there, if that is half of what may be there."""
        while len(self._events) > self._config.events_max // 2:
            self._drained.clear()
            await self._drained.wait()

    async def _connect(self) -> Socket:
        """A listen key and a socket that is subscribed by its address alone. Raises VenueUnavailable, KeysRejected."""
        listen_key = decode_listen_key(await self._client.read("POST", LISTEN_KEY_PATH, (), Security.KEY))
        try:
            async with asyncio.timeout(self._config.connect_timeout_ms / 1_000):
                return await self._client.line().open_socket(f"{self._client.stream_url}/private/ws/{listen_key}")
        except (aiohttp.ClientError, OSError) as error:
            pause_ms = self._handshake_pause_ms(error)
            # `from None`: the cause's text may hold the address, and with it the listen key
            raise VenueUnavailable(f"the stream cannot be opened: {describe(error)}", pause_ms) from None

    def _handshake_pause_ms(self, error: Exception) -> int | None:
        """How long the venue wants no handshake; None if it did not speak of a limit."""
        if not isinstance(error, aiohttp.WSServerHandshakeError) or error.status not in (STATUS_LIMITED, STATUS_BANNED):
            return None
        retry_after = error.headers.get("Retry-After") if error.headers is not None else None
        return wait_ms(Answer(error.status, b"", retry_after), self._client.venue_now_ms())

    async def _watch(self, socket: Socket) -> None:
        """One connection until its loss; always ends with an exception.

        Not a TaskGroup: one whose child fails in the moment in which we are cancelled swallows the cancellation (Python
        3.11 and 3.12), and a stream that was ended would connect again.
        """
        self._probes.clear()
        self._push(StreamUp(self._clock.now_ms()))
        watchers = (
            asyncio.create_task(self._receive(socket), name="binance-stream-receive"),
            asyncio.create_task(self._probe(socket), name="binance-stream-probe"),
            asyncio.create_task(self._keep_alive(), name="binance-stream-keepalive"),
        )
        try:
            await asyncio.wait(watchers, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for watcher in watchers:
                watcher.cancel()
            ends = await asyncio.gather(*watchers, return_exceptions=True)
        raise _cause(ends)

    async def _receive(self, socket: Socket) -> None:
        config, clock = self._config, self._clock
        while True:
            message = await socket.receive()
            match message.type:
                case aiohttp.WSMsgType.TEXT | aiohttp.WSMsgType.BINARY:
                    event = decode_frame(message.data, config.account, config.position_mode, clock.now_ms())
                    if isinstance(event, KeyExpired):
                        raise VenueUnavailable("the listen key expired")
                    if isinstance(event, Ignored):
                        self.ignored_total += 1
                    else:
                        self._push(event)
                case aiohttp.WSMsgType.PONG:
                    self._prove(bytes(message.data))
                case aiohttp.WSMsgType.PING:
                    await _sent(socket.pong(message.data))
                case _:
                    raise VenueUnavailable(f"the stream was closed ({message.type.name}, code {socket.close_code})")

    # --- proof of life

    async def _probe(self, socket: Socket) -> None:
        config = self._config
        started_ns = self._clock.monotonic_ns()
        unanswered_max = config.pong_ms_max // config.probe_ms
        while True:
            if len(self._probes) > unanswered_max:
                raise VenueUnavailable(f"no pong for {config.pong_ms_max} ms")
            if self._clock.monotonic_ns() - started_ns > config.connection_ms_max * 1_000_000:
                raise VenueUnavailable("the connection reached the age at which we change it")
            self._probe_number += 1
            payload = self._probe_number.to_bytes(_PAYLOAD_BYTES, "big")
            self._probes[payload] = self._clock.now_ms()
            await _sent(socket.ping(payload))
            await asyncio.sleep(config.probe_ms / 1_000)

    def _prove(self, payload: bytes) -> None:
        """Note a pong. It answers its probe and every earlier one; a pong that nobody asked for proves nothing."""
        proved_ms = self._probes.get(payload)
        if proved_ms is None:
            return
        self._probes = {key: sent for key, sent in self._probes.items() if key > payload}
        self._proven = True
        self._push(StreamAlive(proved_ms))

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(self._config.keepalive_ms / 1_000)
            await self._client.read("PUT", LISTEN_KEY_PATH, (), Security.KEY)


async def _sent(sending: Awaitable[None]) -> None:
    """Send a control frame; a connection that breaks meanwhile is a loss."""
    try:
        await sending
    except (aiohttp.ClientError, OSError) as error:
        raise VenueUnavailable(f"the stream broke: {describe(error)}") from None


def _cause(ends: Sequence[BaseException | None]) -> BaseException:
    """Why a life ended: what nobody foresaw or a refused key goes before a loss."""
    errors = [end for end in ends if end is not None and not isinstance(end, asyncio.CancelledError)]
    errors.sort(key=lambda error: isinstance(error, VenueUnavailable))
    return errors[0] if errors else Unclassified("the stream's watch ended by itself")
