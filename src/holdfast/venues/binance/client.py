"""Request and answer: addresses, signing, the clock offset, the gate. Knows paths and parameters, no meaning.

Guarantees: parameters travel in the query string, percent-encoded once, and the signature is made over exactly
those characters; a request that the gate blocks does not leave; nothing is ever repeated here.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import quote

from holdfast.domain.errors import KeysRejected, VenueUnavailable
from holdfast.venues.binance.addresses import require_addresses
from holdfast.venues.binance.budget import Lane, Limit
from holdfast.venues.binance.classify import is_clock_fault, is_key_fault
from holdfast.venues.binance.exchange import STATUS_OK, Answer, Blocked, Exchange, NoAnswer, Reach
from holdfast.venues.binance.limits import Gate, Usage
from holdfast.venues.binance.offset import SAMPLES, best_of, sample_of, was_set
from holdfast.venues.binance.transport import HttpLine, Request
from holdfast.venues.binance.waiting import STATUS_BANNED, STATUS_LIMITED, wait_ms
from holdfast.venues.binance.wire import decode_time, decode_word

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.ports.clock import Clock
    from holdfast.venues.binance.config import BinanceConfig
    from holdfast.venues.binance.transport import Line

Params = tuple[tuple[str, str], ...]

CLOSED_TEXT = "the venue adapter was closed"
KEYS_TEXT = (
    "the venue refuses the API key ({code} {msg}): check that key and secret belong together and to this environment, "
    "that the key may do what it is used for, and that this address is on its list"
)


_PLAIN = re.compile(r"[A-Za-z0-9._~-]*")


class Security(Enum):
    """What a request must carry."""

    NONE = "none"
    KEY = "key"
    SIGNED = "signed"


class BinanceClient:
    """One account at one address. Not tied to a loop before its first request."""

    def __init__(
        self,
        config: BinanceConfig,
        clock: Clock,
        gate: Gate | None = None,
        open_line: Callable[[BinanceConfig], Line] = HttpLine,
    ) -> None:
        self._config = config
        self._clock = clock
        self._addresses = require_addresses(config.environment, config.rest_url, config.stream_url)
        self._open_line = open_line
        self._line: Line | None = None
        self._gate = gate if gate is not None else Gate(clock)
        self._offset_ms: int | None = None
        self._measured: tuple[int, int] | None = None
        """Our wall clock (ms) and the monotonic one (ns) when the offset was measured."""
        self._closed = False

    @property
    def config(self) -> BinanceConfig:
        """What the client was built from."""
        return self._config

    @property
    def clock(self) -> Clock:
        """Our clock."""
        return self._clock

    @property
    def usage(self) -> Usage:
        """The venue's last word on weight and order counts."""
        return self._gate.usage

    @property
    def stream_url(self) -> str:
        """Base address of the streams."""
        return self._addresses.stream_url

    def set_limits(self, limits: tuple[Limit, ...]) -> None:
        """Take over the limits that exchangeInfo names."""
        self._gate.set_limits(limits)

    def line(self) -> Line:
        """The one line, made on first use. Raises VenueUnavailable after `close`."""
        if self._closed:
            raise VenueUnavailable(CLOSED_TEXT)
        if self._line is None:
            self._line = self._open_line(self._config)
        return self._line

    async def close(self) -> None:
        """End all connections; nothing can be sent afterwards."""
        self._closed = True
        if self._line is not None:
            await self._line.close()

    # --- the venue's clock

    def venue_ms_at(self, our_ms: int) -> int:
        """The venue's clock at a reading of ours, by the last measured offset (0 before the first)."""
        return our_ms + (self._offset_ms or 0)

    def venue_now_ms(self) -> int:
        """The venue's clock now."""
        return self.venue_ms_at(self._clock.now_ms())

    async def sync_clock(self) -> int:
        """Measure and keep the offset (venue minus ours, ms). Raises VenueUnavailable; the old one is kept then."""
        samples, asked = [], []
        for _ in range(SAMPLES):
            our_ms, started_ns = self._clock.now_ms(), self._clock.monotonic_ns()
            body = await self.read("GET", "/fapi/v1/time", (), Security.NONE)
            samples.append(sample_of(our_ms, started_ns, self._clock.monotonic_ns(), decode_time(body)))
            asked.append((our_ms, started_ns))
        best = best_of(tuple(samples))
        self._offset_ms, self._measured = best.offset_ms, asked[samples.index(best)]
        return self._offset_ms

    async def require_clock(self) -> None:
        """Measure the offset if that was never done, or if our wall clock was set since: it dates what is read next."""
        measured = self._measured
        if measured is None or was_set(measured, (self._clock.now_ms(), self._clock.monotonic_ns())):
            await self.sync_clock()

    # --- requests

    async def read(self, method: str, path: str, params: Params, security: Security, lane: Lane = Lane.READ) -> bytes:
        """The body of a 200, or VenueUnavailable; KeysRejected if the venue refuses the key."""
        return self.require_body(await self.read_exchange(method, path, params, security, lane))

    async def read_exchange(
        self, method: str, path: str, params: Params, security: Security, lane: Lane = Lane.READ
    ) -> Exchange:
        """Perform a read and return how it ended, for callers who can use some refusals."""
        config = self._config
        signed: Params = params
        if security is Security.SIGNED:
            await self.require_clock()
            signed = (
                *params,
                ("recvWindow", str(config.read_recv_window_ms)),
                ("timestamp", str(self.venue_now_ms())),
            )
        exchange = await self.exchange(method, path, signed, security, lane=lane, timeout_ms=config.read_timeout_ms)
        if security is Security.SIGNED and is_clock_fault(exchange):
            await self.sync_clock()
        return exchange

    def require_body(self, exchange: Exchange) -> bytes:
        """Turn an exchange into the body of a 200 or the error that its caller must see."""
        if isinstance(exchange, Blocked):
            raise VenueUnavailable("not asked: the venue wants a pause", exchange.retry_after_ms)
        if isinstance(exchange, NoAnswer):
            raise VenueUnavailable(f"the venue did not answer: {exchange.detail}")
        if exchange.status == STATUS_OK:
            return exchange.body
        word = decode_word(exchange.body)
        if word is not None and is_key_fault(exchange):
            raise KeysRejected(KEYS_TEXT.format(code=word.code, msg=word.msg))
        said = f"{word.code} {word.msg}" if word is not None else "without its JSON"
        limited = exchange.status in (STATUS_LIMITED, STATUS_BANNED)
        pause = wait_ms(exchange, self.venue_now_ms()) if limited else None
        raise VenueUnavailable(f"the venue answered {exchange.status} {said}", pause)

    async def exchange(
        self, method: str, path: str, params: Params, security: Security, *, lane: Lane, timeout_ms: int
    ) -> Exchange:
        """Send one request, or none if the gate is closed, and return how it ended."""
        blocked = self._gate.blocked(lane, self._config.account, self.venue_now_ms())
        if blocked is not None:
            return blocked
        if self._closed:
            return NoAnswer(Reach.UNWRITTEN, CLOSED_TEXT)
        request = Request(method, self._url(path, params, security), self._headers(method, security), timeout_ms)
        reply = await self.line().perform(request)
        if reply.headers is not None:
            self._gate.count(reply.headers, self._config.account, self.venue_now_ms())
        if isinstance(reply.exchange, Answer):
            self._gate.note(reply.exchange, self.venue_now_ms())
        return reply.exchange

    def _url(self, path: str, params: Params, security: Security) -> str:
        query = "&".join(f"{name}={_encoded(value)}" for name, value in params)
        if security is Security.SIGNED:
            query = f"{query}&signature={self._config.secret.sign(query)}"
        return f"{self._addresses.rest_url}{path}?{query}" if query else f"{self._addresses.rest_url}{path}"

    def _headers(self, method: str, security: Security) -> dict[str, str]:
        headers = {} if method == "GET" else {"Content-Type": "application/x-www-form-urlencoded"}
        if security is not Security.NONE:
            headers["X-MBX-APIKEY"] = self._config.api_key.value
        return headers


def _encoded(value: str) -> str:
    """Percent-encode as UTF-8 what is not unreserved (the venue has symbols outside ASCII)."""
    return value if _PLAIN.fullmatch(value) is not None else quote(value, safe="")
