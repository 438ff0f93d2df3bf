"""Decide, step by step, what becomes of one request: the order of checks from the edge to the engine.

| step | where | refusals |
|---|---|---|
| `look` | edge | unknown path 404; which faults strike |
| `admit` | edge | 418, 429 (weight); -2014, -2015; -1102, -1021; -1022; -2015 (permission); 429 -1015 |
| `execute` | engine | -5028, then whatever the call itself refuses |

The shell calls the three in order and waits between them as long as the strike says; a deterministic world does the
same with a virtual clock. `handle` does all three at once.

Invariants: nothing is executed before `execute`; an answer fault never undoes an execution; what arrives at the
engine after `timestamp + recvWindow` is refused there.
Source: venue documentation: timestamp < serverTime + 1000 and serverTime - timestamp <= recvWindow (default 5000);
the engine's second check -5028 on order placement and amendment; X-MBX headers.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from holdfast.sim.core.account import Account, ApiKey, Permission
from holdfast.sim.core.events import ListenKeyExpired
from holdfast.sim.core.faults import UNTOUCHED, Execution, Faults, Page, Strike, Target
from holdfast.sim.core.limits import Limits, banned
from holdfast.sim.core.order_request import Params, read_int, required
from holdfast.sim.core.refusals import ApiError, Code, refuse
from holdfast.sim.core.requests import Reply, Request, error_reply, page_reply, signed_correctly
from holdfast.sim.core.resting import tick

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.sim.core.exchange import Exchange
    from holdfast.sim.core.listen_keys import ListenKeys

__all__ = ["Call", "Endpoint", "Flight", "RequestNote", "Security", "Venue"]

RECV_WINDOW_MS: Final = 5000
RECV_WINDOW_MS_MAX: Final = 60_000
AHEAD_MS_MAX: Final = 1000
REQUEST_LOG_MAX: Final = 10_000
AHEAD_TEXT: Final = "Timestamp for this request was 1000ms ahead of the server's time."
BAD_REQUEST: Final = 400
NOT_FOUND: Final = 404
OK: Final = 200


class Security(Enum):
    """What a call asks of its caller."""

    NONE = "none"
    KEY = "key"
    READ = "read"
    TRADE = "trade"


@dataclass(frozen=True, slots=True)
class Call:
    """One admitted request, for the function that carries it out."""

    params: Params
    now_ms: int
    address: str
    owner: Account | None

    @property
    def account(self) -> Account:
        """The caller's account; only public calls have none."""
        if self.owner is None:
            raise refuse(Code.BAD_KEY_FORMAT)
        return self.owner


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One call of the API."""

    method: str
    path: str
    security: Security
    weigh: Callable[[Params], int]
    run: Callable[[Venue, Call], object]
    orders_10s: int = 0
    orders_1m: int = 0
    engine_timed: bool = False
    """Whether the engine looks at the timestamp again (-5028)."""


@dataclass(slots=True)
class Flight:
    """One request on its way."""

    request: Request
    endpoint: Endpoint
    key: ApiKey | None
    strike: Strike
    weight_used: int = 0


@dataclass(frozen=True, slots=True)
class RequestNote:
    """One line of the request log."""

    number: int
    time_ms: int
    channel: str
    method: str
    path: str
    account: str
    params: Params
    status: int


@dataclass(slots=True)
class Venue:
    """The whole exchange behind its API."""

    exchange: Exchange
    limits: Limits
    faults: Faults
    listen_keys: ListenKeys
    endpoints: dict[tuple[str, str], Endpoint]
    log: deque[RequestNote] = field(default_factory=lambda: deque(maxlen=REQUEST_LOG_MAX))
    requests_total: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    """Requests by method and path."""

    def look(self, request: Request) -> Flight | Reply:
        """Find the call, and the faults that strike it."""
        endpoint = self.endpoints.get((request.method, request.path))
        if endpoint is None:
            return Reply(NOT_FOUND, {"code": int(Code.UNSUPPORTED), "msg": "Path not found."})
        key = self.exchange.keys.get(request.api_key or "")
        strike = UNTOUCHED
        if self.faults.armed:
            account = key.account if key is not None else ""
            target = Target(request.method, request.path, request.channel, account, request.params)
            strike = self.faults.strike(target)
        return Flight(request, endpoint, key, strike)

    def admit(self, flight: Flight) -> Reply | None:
        """Check the request at the edge; None means it goes on to the engine."""
        now = self.exchange.clock.now_ms()
        request, endpoint = flight.request, flight.endpoint
        try:
            flight.weight_used = self.limits.spend(request.address, endpoint.weigh(request.params), now)
            if flight.strike.ban_ms:
                until = self.limits.ban(request.address, flight.strike.ban_ms, now)
                raise banned(request.address, until, now)
            if endpoint.security is not Security.NONE:
                _check_caller(flight, now)
            if endpoint.orders_10s and flight.key is not None:
                self.limits.check_pace(flight.key.account, endpoint.orders_10s, now)
        except ApiError as error:
            self.faults.refund(flight.strike)
            return self._done(flight, error_reply(error))
        return None

    def execute(self, flight: Flight) -> Reply:
        """Carry the request out in the engine, and answer as the strike allows."""
        strike = flight.strike
        reply = self._run(flight) if strike.execution is Execution.RUN else None
        if isinstance(strike.answer, ApiError):
            reply = error_reply(strike.answer)
        elif isinstance(strike.answer, Page):
            reply = page_reply(strike.answer)
        return self._done(flight, reply or Reply(OK, None))

    def handle(self, request: Request) -> Reply:
        """Do all steps at once, without waiting for any delay of the strike."""
        flight = self.look(request)
        if isinstance(flight, Reply):
            return flight
        return self.admit(flight) or self.execute(flight)

    def tick(self) -> None:
        """Let time pass: resting orders, countdowns, listen keys."""
        tick(self.exchange)
        now = self.exchange.clock.now_ms()
        for key, account in self.listen_keys.expire(now):
            self.exchange.sink.emit(account, [ListenKeyExpired(now, key)])

    def expire_listen_key(self, account: str) -> str | None:
        """Let an account's listen key expire now."""
        key = self.listen_keys.stop(account)
        if key is not None:
            self.exchange.sink.emit(account, [ListenKeyExpired(self.exchange.clock.now_ms(), key)])
        return key

    def _run(self, flight: Flight) -> Reply:
        request, endpoint = flight.request, flight.endpoint
        now = self.exchange.clock.now_ms()
        owner = self.exchange.accounts[flight.key.account] if flight.key is not None else None
        headers = {"X-MBX-USED-WEIGHT-1M": str(flight.weight_used)}
        try:
            if endpoint.engine_timed:
                _check_engine_time(request.params, now)
            body = endpoint.run(self, Call(request.params, now, request.address, owner))
        except ApiError as error:
            reply = error_reply(error)
            return Reply(reply.status, reply.body, {**headers, **reply.headers})
        if endpoint.orders_10s and owner is not None:
            in_10s, in_1m = self.limits.count_orders(owner.name, endpoint.orders_10s, endpoint.orders_1m, now)
            headers["X-MBX-ORDER-COUNT-10S"] = str(in_10s)
            headers["X-MBX-ORDER-COUNT-1M"] = str(in_1m)
        return Reply(OK, body, headers)

    def _done(self, flight: Flight, reply: Reply) -> Reply:
        request = flight.request
        name = f"{request.method} {request.path}"
        self.counts[name] = self.counts.get(name, 0) + 1
        self.requests_total += 1
        self.log.append(
            RequestNote(
                number=self.requests_total,
                time_ms=self.exchange.clock.now_ms(),
                channel=request.channel.value,
                method=request.method,
                path=request.path,
                account=flight.key.account if flight.key is not None else "",
                params=request.params,
                status=reply.status,
            )
        )
        return reply


def _check_caller(flight: Flight, now_ms: int) -> None:
    """Check key, timestamp, signature, permission, in the venue's order."""
    request, security = flight.request, flight.endpoint.security
    if not request.api_key:
        raise refuse(Code.BAD_KEY_FORMAT)
    if flight.key is None:
        raise refuse(Code.REJECTED_KEY)
    if security is Security.KEY:
        return
    check_timestamp(request.params, now_ms)
    required(request.params, "signature")
    if not signed_correctly(request, flight.key):
        raise refuse(Code.BAD_SIGNATURE)
    if security is Security.TRADE and flight.key.permission is not Permission.TRADE:
        raise refuse(Code.REJECTED_KEY)


def _times(params: Params) -> tuple[int, int]:
    timestamp = read_int(params, "timestamp")
    if timestamp is None:
        raise refuse(Code.MISSING_PARAMETER, "timestamp")
    window = read_int(params, "recvWindow")
    if window is None:
        return timestamp, RECV_WINDOW_MS
    return timestamp, min(window, RECV_WINDOW_MS_MAX)


def check_timestamp(params: Params, now_ms: int) -> None:
    """Refuse a request that is too old or comes from the future, at the edge."""
    timestamp, window = _times(params)
    if timestamp >= now_ms + AHEAD_MS_MAX:
        raise ApiError(BAD_REQUEST, int(Code.STALE_TIMESTAMP), AHEAD_TEXT)
    if now_ms - timestamp > window:
        raise refuse(Code.STALE_TIMESTAMP)


def _check_engine_time(params: Params, now_ms: int) -> None:
    timestamp, window = _times(params)
    if now_ms - timestamp > window:
        raise refuse(Code.ENGINE_TIMESTAMP)
