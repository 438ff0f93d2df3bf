"""Decide which armed fault strikes a request, a reading or a stream event, and count the real strikes.

A fault is armed with a match and a count, strikes what it matches until the count is used up, and keeps its number of
hits after that: a drill whose fault was never hit has proven nothing.

| stage | faults | a hit is |
|---|---|---|
| request | answers, delays, cuts | a request that was answered, delayed or cut so |
| reading | `stale_*` | an answer that really differed from the truth |
| stream | `stream_*` | an event that was dropped, doubled, moved, delayed, or that closed its stream |

Invariants: at most one answer fault strikes a request, delays add to it; the -1008 answer spares orders that reduce
risk and cancels, as documented; nothing strikes the admin face.
Source: the venue's documentation of 503 texts, -1006, -1007, -1008, -5028 and stream expiry; the texts decide what a
client may conclude, so they are exact.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Final

import msgspec

from holdfast.sim.core.fault_names import FaultName
from holdfast.sim.core.order_request import Params
from holdfast.sim.core.refusals import ApiError, Code, refuse

__all__ = ["Channel", "Cut", "Execution", "Fault", "Faults", "Match", "Page", "Strike"]

FAULTS_MAX: Final = 1000
HANG_MS: Final = 60_000


class Channel(StrEnum):
    """How a request came."""

    REST = "rest"
    WS = "ws"


UNKNOWN_ERROR_TEXT: Final = "Unknown error, please check your request or try again later."
PROXY_PAGE: Final = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center><h1>502 Bad Gateway</h1>"
    "</center></body>\r\n</html>\r\n"
)
DEFAULT_DELAY_MS: Final = MappingProxyType(
    {
        FaultName.BANNED: 120_000,
        FaultName.HANG_EXECUTED: HANG_MS,
        FaultName.HANG_NOT_EXECUTED: HANG_MS,
        FaultName.EDGE_DELAY: 6_000,
        FaultName.ENGINE_DELAY: 6_000,
        FaultName.REPLY_DELAY: 1_000,
        FaultName.STALE_ORDERS: 1_000,
        FaultName.STALE_POSITIONS: 1_000,
        FaultName.STALE_TRADES: 1_000,
        FaultName.STREAM_DELAY: 1_000,
    }
)


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a fault strikes; an absent field matches anything."""

    method: str | None = None
    path: str | None = None
    channel: Channel | None = None
    account: str | None = None
    symbol: str | None = None
    side: str | None = None
    event: str | None = None
    """Stream faults: the frame's `e`, as ORDER_TRADE_UPDATE."""


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """One armed fault."""

    name: FaultName
    match: Match = msgspec.field(default_factory=Match)
    count: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 1
    """How often it may strike; 0 is for ever."""
    delay_ms: Annotated[int, msgspec.Meta(ge=0, le=86_400_000)] | None = None
    skip: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Let this many matches pass first."""
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] | None = None
    """Another HTTP status than the usual one."""
    code: int | None = None
    """Another code than the usual one, where the venue does not document it."""
    id: int = 0
    hits: int = 0

    @property
    def spent(self) -> bool:
        """Whether it has struck as often as it may."""
        return self.count != 0 and self.hits >= self.count

    @property
    def wait_ms(self) -> int:
        """Its delay, or the usual one."""
        return DEFAULT_DELAY_MS.get(self.name, 0) if self.delay_ms is None else self.delay_ms


class Execution(StrEnum):
    """Whether a struck request is carried out."""

    RUN = "run"
    SKIP = "skip"


class Cut(StrEnum):
    """What happens to the connection instead of an answer."""

    NONE = "none"
    RESET = "reset"
    HANG = "hang"


@dataclass(frozen=True, slots=True)
class Page:
    """An answer that is not JSON."""

    status: int
    text: str


@dataclass(frozen=True, slots=True)
class Strike:
    """What the faults do to one request."""

    execution: Execution = Execution.RUN
    answer: ApiError | Page | None = None
    """Sent instead of the real answer."""
    cut: Cut = Cut.NONE
    hang_ms: int = 0
    edge_delay_ms: int = 0
    engine_delay_ms: int = 0
    reply_delay_ms: int = 0
    ban_ms: int = 0
    struck_by: Fault | None = None
    """The fault behind `answer`, whose hit is taken back if the request never gets that far."""


UNTOUCHED: Final = Strike()
DELAYS: Final = frozenset({FaultName.EDGE_DELAY, FaultName.ENGINE_DELAY, FaultName.REPLY_DELAY})
CUTS: Final = MappingProxyType(
    {
        FaultName.HANG_EXECUTED: (Execution.RUN, Cut.HANG),
        FaultName.HANG_NOT_EXECUTED: (Execution.SKIP, Cut.HANG),
        FaultName.RESET_EXECUTED: (Execution.RUN, Cut.RESET),
        FaultName.RESET_NOT_EXECUTED: (Execution.SKIP, Cut.RESET),
    }
)
REFUSALS: Final = MappingProxyType(
    {
        FaultName.UNKNOWN_ERROR_EXECUTED: (Execution.RUN, ApiError(503, -1000, UNKNOWN_ERROR_TEXT)),
        FaultName.UNKNOWN_ERROR_NOT_EXECUTED: (Execution.SKIP, ApiError(503, -1000, UNKNOWN_ERROR_TEXT)),
        FaultName.SERVICE_UNAVAILABLE: (Execution.SKIP, ApiError(503, -1000, "Service Unavailable.")),
        FaultName.INTERNAL_ERROR: (Execution.SKIP, refuse(Code.DISCONNECTED)),
        FaultName.OVERLOADED: (Execution.SKIP, refuse(Code.OVERLOADED)),
        FaultName.TIMEOUT_EXECUTED: (Execution.RUN, refuse(Code.TIMEOUT)),
        FaultName.TIMEOUT_NOT_EXECUTED: (Execution.SKIP, refuse(Code.TIMEOUT)),
        FaultName.BUS_EXECUTED: (Execution.RUN, refuse(Code.UNEXPECTED_RESPONSE)),
        FaultName.BUS_NOT_EXECUTED: (Execution.SKIP, refuse(Code.UNEXPECTED_RESPONSE)),
        FaultName.RATE_LIMITED: (Execution.SKIP, refuse(Code.TOO_MANY_REQUESTS, "127.0.0.1", 2400)),
        FaultName.ORDERS_LIMITED: (Execution.SKIP, refuse(Code.TOO_MANY_ORDERS, 300, "10 SECOND")),
    }
)
TOO_MANY: Final = 429
RETRY_AFTER: Final = MappingProxyType({"Retry-After": "1"})


@dataclass(frozen=True, slots=True)
class Target:
    """What a fault's match looks at."""

    method: str
    path: str
    channel: Channel
    account: str
    params: Params


@dataclass(slots=True)
class Faults:
    """The table of armed faults, spent ones included."""

    table: list[Fault] = field(default_factory=list)
    armed: list[Fault] = field(default_factory=list)
    """Those that can still strike: empty in normal life, which is what makes the check cheap."""
    last_id: int = 0

    def arm(self, fault: Fault) -> Fault:
        """Arm a fault."""
        if len(self.table) >= FAULTS_MAX:
            raise ValueError(f"{FAULTS_MAX} faults are armed or spent: DELETE /sim/faults first")
        self.last_id += 1
        fault.id, fault.hits = self.last_id, 0
        self.table.append(fault)
        self.armed.append(fault)
        return fault

    def disarm(self, fault_id: int | None) -> int:
        """Remove one fault, or all; return how many."""
        before = len(self.table)
        self.table = [f for f in self.table if fault_id is not None and f.id != fault_id]
        self.armed = [f for f in self.armed if fault_id is not None and f.id != fault_id]
        return before - len(self.table)

    def hit(self, fault: Fault) -> None:
        """Count a strike."""
        fault.hits += 1
        if fault.spent:
            self.armed.remove(fault)

    def refund(self, strike: Strike) -> None:
        """Take back the hit of an answer fault: the request was refused before its answer could be replaced."""
        fault = strike.struck_by
        if fault is None:
            return
        if fault.spent:
            self.armed.append(fault)
        fault.hits -= 1

    def strike(self, target: Target) -> Strike:
        """Return what the armed faults do to a request."""
        if not self.armed:
            return UNTOUCHED
        chosen: Strike | None = None
        delays = dict.fromkeys(DELAYS, 0)
        for fault in list(self.armed):
            is_delay = fault.name in DELAYS
            if not is_delay and (chosen is not None or not is_answer(fault.name)):
                continue
            if not _matches(fault, target) or _spared(fault, target) or not self._due(fault):
                continue
            self.hit(fault)
            if is_delay:
                delays[fault.name] += fault.wait_ms
            else:
                chosen = _strike_of(fault)
        base = chosen or UNTOUCHED
        if not any(delays.values()):
            return base
        return Strike(
            execution=base.execution,
            answer=base.answer,
            cut=base.cut,
            hang_ms=base.hang_ms,
            ban_ms=base.ban_ms,
            struck_by=base.struck_by,
            edge_delay_ms=delays[FaultName.EDGE_DELAY],
            engine_delay_ms=delays[FaultName.ENGINE_DELAY],
            reply_delay_ms=delays[FaultName.REPLY_DELAY],
        )

    def lagging(self, name: FaultName, account: str, symbol: str | None) -> Fault | None:
        """Return the armed `stale_*` fault for a reading; the caller counts the hit if its answer differs."""
        for fault in self.armed:
            match = fault.match
            if (
                fault.name is name
                and match.account in {None, account}
                and (match.symbol is None or symbol is None or match.symbol == symbol)
            ):
                return fault
        return None

    def on_event(self, account: str, kind: str, symbol: str | None) -> Fault | None:
        """Return the stream fault that strikes an event, already counted."""
        for fault in self.armed:
            match = fault.match
            if (
                fault.name.startswith("stream_")
                and match.account in {None, account}
                and match.event in {None, kind}
                and match.symbol in {None, symbol}
                and self._due(fault)
            ):
                self.hit(fault)
                return fault
        return None

    @staticmethod
    def _due(fault: Fault) -> bool:
        if fault.skip > 0:
            fault.skip -= 1
            return False
        return True


def is_answer(name: FaultName) -> bool:
    """Say whether a fault replaces the answer of a request."""
    return not name.startswith(("stale_", "stream_")) and name not in DELAYS


def _matches(fault: Fault, target: Target) -> bool:
    match = fault.match
    return (
        match.method in {None, target.method}
        and match.path in {None, target.path}
        and match.channel in {None, target.channel}
        and match.account in {None, target.account}
        and match.symbol in {None, target.params.get("symbol")}
        and match.side in {None, target.params.get("side")}
    )


def _spared(fault: Fault, target: Target) -> bool:
    """Spare what reduces risk from -1008: reduce-only orders, closing hedge orders, cancels."""
    if fault.name is not FaultName.OVERLOADED:
        return False
    if target.method == "DELETE":
        return True
    params = target.params
    closing = (params.get("positionSide"), params.get("side")) in {("LONG", "SELL"), ("SHORT", "BUY")}
    return closing or params.get("reduceOnly") == "true"


def _strike_of(fault: Fault) -> Strike:
    name = fault.name
    if name in CUTS:
        execution, cut = CUTS[name]
        return Strike(execution=execution, cut=cut, hang_ms=fault.wait_ms if cut is Cut.HANG else 0)
    if name in {FaultName.PROXY_PAGE_EXECUTED, FaultName.PROXY_PAGE_NOT_EXECUTED}:
        run = name is FaultName.PROXY_PAGE_EXECUTED
        page = Page(fault.status or 502, PROXY_PAGE)
        return Strike(execution=Execution.RUN if run else Execution.SKIP, answer=page, struck_by=fault)
    if name is FaultName.BANNED:
        return Strike(execution=Execution.SKIP, ban_ms=fault.wait_ms)
    execution, error = REFUSALS[name]
    headers = RETRY_AFTER if error.status == TOO_MANY else error.headers
    answer = ApiError(
        fault.status or error.status, error.code if fault.code is None else fault.code, error.msg, headers
    )
    return Strike(execution=execution, answer=answer, struck_by=fault)
