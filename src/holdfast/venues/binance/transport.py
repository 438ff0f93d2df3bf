"""The aiohttp session, arranged so that one request is at most one request on the wire.

aiohttp repeats GET, PUT and DELETE by itself when a kept connection drops (its `IDEMPOTENT_METHODS`), by catching two
of its own exceptions around the whole middleware chain. Our middleware turns every transport exception into one that
it does not catch: that is the public way to switch the repeat off, and tests/unit/venues/test_send_once.py counts
requests on a raw socket to prove it for POST, DELETE, PUT and GET.

A kept connection on which something unasked arrived is not used (`_CleanRequest`).

How far a request got: aiohttp calls `on_request_headers_sent` before the first byte of the request is handed to
the connection (after the connection stands, TLS included). Not called: not one byte was written. Called: anything
may have happened.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp
from yarl import URL

from holdfast.domain.errors import VenueUnavailable
from holdfast.venues.binance.exchange import Answer, NoAnswer, Reach

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import SimpleNamespace

    from aiohttp.connector import Connection

    from holdfast.venues.binance.config import BinanceConfig

CLOSE_SECONDS = 1.0
"""How long a closing handshake may take before the socket is dropped."""
FRAME_BYTES_MAX = 4 * 1024 * 1024
BODY_BYTES_MAX = 32 * 1024 * 1024
"""The full exchange info is about 2 MB; a longer answer is an accident."""
DNS_SECONDS = 60
_TIMED_OUT = "no answer in time"


@dataclass(slots=True)
class _Progress:
    """Filled in by the trace while one request runs."""

    reach: Reach = Reach.UNWRITTEN


def describe(error: BaseException) -> str:
    """A transport error in words without an address: aiohttp's own texts can carry the signed query."""
    if isinstance(error, TimeoutError):
        return _TIMED_OUT
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"{type(error).__name__}: {error.os_error.strerror or type(error.os_error).__name__}"
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return f"{type(error).__name__}: status {error.status}"
    return type(error).__name__


async def _never_repeat(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    try:
        return await handler(request)
    except (aiohttp.ClientError, OSError) as error:
        # `from None`: the cause's text may hold the address, and with it signature or listen key
        raise VenueUnavailable(describe(error)) from None


class _CleanRequest(aiohttp.ClientRequest):
    """A request that refuses a connection on which an answer already waits.

    aiohttp keeps what a server sends on an idle connection and hands it to the next request as its answer: a stray
    refusal would prove that an order was not executed which had not even been read.
    """

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        if conn.protocol is None or conn.protocol.should_close:
            raise VenueUnavailable("the kept connection was not clean")
        return await super().send(conn)


async def _note_written(
    _session: aiohttp.ClientSession, context: SimpleNamespace, _params: aiohttp.TraceRequestHeadersSentParams
) -> None:
    if isinstance(context.trace_request_ctx, _Progress):
        context.trace_request_ctx.reach = Reach.WRITTEN


def new_session(connections_max: int) -> aiohttp.ClientSession:
    """A session without retry, cookies or environment. TCP_NODELAY is aiohttp's default. Needs a running loop."""
    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(_note_written)
    trace.freeze()
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections_max, ttl_dns_cache=DNS_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        request_class=_CleanRequest,
        headers={"Accept-Encoding": "identity", "User-Agent": "holdfast"},
        trust_env=False,
        middlewares=(_never_repeat,),
        trace_configs=[trace],
    )


@dataclass(frozen=True, slots=True)
class Reply:
    """An exchange, and the answer's headers if there was one."""

    exchange: Answer | NoAnswer
    headers: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Request:
    """What leaves. `url` is sent as it stands: the signature was made over these very characters."""

    method: str
    url: str
    headers: dict[str, str]
    timeout_ms: int


async def perform(session: aiohttp.ClientSession, request: Request, proxy_url: str | None) -> Reply:
    """Send once, read the whole answer, and say how it ended. Raises only CancelledError."""
    progress = _Progress()
    try:
        async with asyncio.timeout(request.timeout_ms / 1_000):
            async with session.request(
                request.method,
                URL(request.url, encoded=True),
                headers=request.headers,
                allow_redirects=False,
                proxy=proxy_url,
                timeout=aiohttp.ClientTimeout(total=None),
                trace_request_ctx=progress,
            ) as response:
                body = await _whole_body(response)
                answer = Answer(response.status, body, response.headers.get("Retry-After"))
                return Reply(answer, response.headers)
    except VenueUnavailable as error:
        return Reply(NoAnswer(progress.reach, str(error)), None)
    except (aiohttp.ClientError, OSError) as error:
        return Reply(NoAnswer(progress.reach, describe(error)), None)


async def _whole_body(response: aiohttp.ClientResponse) -> bytes:
    length = response.content_length
    if length is not None and length <= BODY_BYTES_MAX:
        return await response.read()
    chunks: list[bytes] = []
    total = 0
    async for chunk in response.content.iter_any():
        total += len(chunk)
        if total > BODY_BYTES_MAX:
            response.close()
            raise VenueUnavailable(f"an answer of more than {BODY_BYTES_MAX} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


class Frame(Protocol):
    """One frame of a WebSocket."""

    @property
    def type(self) -> aiohttp.WSMsgType:
        """What kind."""
        ...

    @property
    def data(self) -> Any:
        """Bytes, for the kinds that carry some."""
        ...


class Socket(Protocol):
    """An open WebSocket, as far as the private stream uses it. Sending raises aiohttp's errors or OSError."""

    @property
    def close_code(self) -> int | None:
        """Why it was closed."""
        ...

    async def receive(self) -> Frame:
        """The next frame, control frames included."""
        ...

    async def ping(self, message: bytes) -> None:
        """Send a ping."""
        ...

    async def pong(self, message: bytes) -> None:
        """Send a pong."""
        ...

    async def close(self) -> object:
        """End the connection."""
        ...


class Line(Protocol):
    """One adapter's way to the venue: the lowest layer that knows anything of requests and frames."""

    async def perform(self, request: Request) -> Reply:
        """Send once and say how it ended. Raises only CancelledError."""
        ...

    async def open_socket(self, url: str) -> Socket:
        """Open a WebSocket. Raises aiohttp's errors or OSError."""
        ...

    async def close(self) -> None:
        """End all connections."""
        ...


class HttpLine:
    """`Line` over aiohttp."""

    def __init__(self, config: BinanceConfig) -> None:
        self._proxy_url = config.proxy_url
        self._session = new_session(config.connections_max)

    async def perform(self, request: Request) -> Reply:
        """See the module."""
        return await perform(self._session, request, self._proxy_url)

    async def open_socket(self, url: str) -> Socket:
        """Open it without answering pings, without decoding, and closing in bounded time."""
        return await self._session.ws_connect(
            url,
            autoping=False,
            decode_text=False,
            max_msg_size=FRAME_BYTES_MAX,
            proxy=self._proxy_url,
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
        )

    async def close(self) -> None:
        """End the session."""
        await self._session.close()
