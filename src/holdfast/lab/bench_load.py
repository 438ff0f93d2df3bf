"""The load generator: hands in plans, trades by hand, and notes when what came of it. The same for both sides.

    PlanDriver     one connection that adds plans, one that blocks in XREAD on the results
    EventReader    one connection that blocks in XREAD on the events of the reconciler
    Load           so many workers, each with one plan in flight, until told to stop
    drift          one foreign trade, until the exchange is flat again and the hold is released

Every time is CLOCK_MONOTONIC in nanoseconds, which all processes of a machine share. Whatever does not come within
`ANSWER_S_MAX` ends the bench: a figure without its slowest samples would be a lie.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self, TypeVar, cast

from holdfast.bus.connection import BusConnection, checked
from holdfast.bus.keys import Keys
from holdfast.domain.errors import Unclassified

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence
    from types import TracebackType

    from holdfast.lab.desk import Desk

    Rows = Sequence[tuple[bytes, Sequence[bytes]]]

ANSWER_S_MAX = 30.0
READ_WAIT_MS = 1_000
READ_COUNT_MAX = 256
LAST_TRIES_MAX = 20
"""Plans by which a stopping worker may try to sell what it holds."""
_Answer = TypeVar("_Answer")
_KEYS = Keys()


@dataclass(frozen=True, slots=True)
class Answered:
    """One plan's outcome."""

    sent_ns: int
    """Just before the XADD was written."""
    client_order_id: str
    error: str
    """A code of docs/reasons.md, "" if executed."""


class _StreamReader:
    """Reads one stream from its present end on, and wakes those who wait for something on it."""

    def __init__(self, url: str, name: str, stream: str) -> None:
        self._connection = BusConnection(url, name)
        self._stream = stream
        self._task: asyncio.Task[None] | None = None
        self._after = "0-0"

    async def __aenter__(self) -> Self:
        (newest,) = await self._connection.call(("XREVRANGE", self._stream, "+", "-", "COUNT", 1))
        rows = cast("Rows", checked(newest))
        self._after = rows[0][0].decode() if rows else "0-0"
        self._task = asyncio.create_task(self._read(), name=f"bench reads {self._stream}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._connection.close()

    async def _read(self) -> None:
        while True:
            (reply,) = await self._connection.call(
                ("XREAD", "COUNT", READ_COUNT_MAX, "BLOCK", READ_WAIT_MS, "STREAMS", self._stream, self._after),
                wait_ms=READ_WAIT_MS,
            )
            read_ns = time.monotonic_ns()
            streams = cast("list[tuple[bytes, Rows]] | None", checked(reply))
            for entry_id, flat in streams[0][1] if streams else ():
                self._after = entry_id.decode()
                self._take(dict(zip(flat[::2], flat[1::2], strict=True)), read_ns)

    def _take(self, fields: dict[bytes, bytes], read_ns: int) -> None:
        raise NotImplementedError

    async def in_time(self, what: str, answer: Awaitable[_Answer]) -> _Answer:
        """Wait for something on the stream; the end of the reader counts as no answer."""
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                return await answer
        except TimeoutError:
            if self._task is not None and self._task.done() and not self._task.cancelled():
                raise Unclassified(f"{what}: the reader ended") from self._task.exception()
            raise Unclassified(f"{what}: nothing came within {ANSWER_S_MAX:g} s") from None


class PlanDriver(_StreamReader):
    """Hands in EXECUTE plans and waits for their results."""

    def __init__(self, url: str, name: str, keys: Keys = _KEYS) -> None:
        super().__init__(url, f"bench-{name}-results", keys.results)
        self._name = name
        self._writes = BusConnection(url, f"bench-{name}-plans")
        self._waiting: dict[bytes, asyncio.Future[dict[bytes, bytes]]] = {}
        self._numbers = itertools.count(1)
        self._plans = keys.plans
        self.sent = 0
        """Plans handed in so far: each is one XADD of ours."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        await self._writes.close()

    async def execute(self, symbol: str, side: str, qty: str) -> Answered:
        """Hand in one plan and wait for its outcome."""
        plan_id = f"bench-{self._name}-{next(self._numbers)}"
        answer: asyncio.Future[dict[bytes, bytes]] = asyncio.get_running_loop().create_future()
        self._waiting[plan_id.encode()] = answer
        self.sent += 1
        fields = ("plan_id", plan_id, "symbol", symbol, "decision", "EXECUTE", "side", side, "qty", qty)
        more = ("type", "MARKET", "reduceOnly", "false", "reason", "bench", "timestamp", time.time_ns() // 1_000_000)
        sent_ns = time.monotonic_ns()
        (reply,) = await self._writes.call(("XADD", self._plans, "*", *fields, *more))
        checked(reply)
        result = await self.in_time(f"the result of {plan_id}", answer)
        return Answered(sent_ns, result[b"client_order_id"].decode(), result[b"error"].decode())

    def _take(self, fields: dict[bytes, bytes], read_ns: int) -> None:
        del read_ns
        answer = self._waiting.pop(fields[b"plan_id"], None)
        if answer is not None and not answer.done():
            answer.set_result(fields)


class EventReader(_StreamReader):
    """Notes when the two events of a hold were read."""

    def __init__(self, url: str, name: str, keys: Keys = _KEYS) -> None:
        super().__init__(url, f"bench-{name}-events", keys.events)
        self._waiting: dict[tuple[bytes, bytes], asyncio.Future[int]] = {}

    def expect(self, event: str, symbol: str) -> asyncio.Future[int]:
        """When the symbol's next such event is read, CLOCK_MONOTONIC. Expect it BEFORE what causes it."""
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[event.encode(), symbol.encode()] = answer
        return answer

    def _take(self, fields: dict[bytes, bytes], read_ns: int) -> None:
        answer = self._waiting.pop((fields[b"event"], fields[b"symbol"]), None)
        if answer is not None and not answer.done():
            answer.set_result(read_ns)


@dataclass(slots=True)
class Drift:
    """One foreign trade and what came of it; the close's time is looked up at the exchange later."""

    order_id: int
    qty: str
    accepted_ns: int
    held_ns: int
    released_ns: int


async def drift(desk: Desk, events: EventReader, symbol: str, side: str, qty: str) -> Drift:
    """Trade by hand, and wait until the hold was set and released."""
    held, released = events.expect("HOLD_SET", symbol), events.expect("HOLD_RELEASED", symbol)
    traded = await desk.trade(symbol, side, qty)
    held_ns = await events.in_time(f"the hold of {symbol}", held)
    released_ns = await events.in_time(f"the release of {symbol}", released)
    return Drift(int(traded["orderId"]), qty, int(traded["accepted_monotonic_ns"]), held_ns, released_ns)


@dataclass(slots=True)
class Tally:
    """What a load brought so far."""

    executed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """By error code."""


class Load:
    """So many plans in flight, spread over the symbols, until told to stop; each worker buys and sells in turn."""

    def __init__(self, driver: PlanDriver, symbols: Sequence[str], in_flight: int, qty: str) -> None:
        self._driver, self._symbols, self._in_flight, self._qty = driver, symbols, in_flight, qty
        self._stopping = False
        self.tally = Tally()

    def start(self, workers: asyncio.TaskGroup) -> None:
        """Start the workers in a group: the failure of one ends the others."""
        for symbol in itertools.islice(itertools.cycle(self._symbols), self._in_flight):
            workers.create_task(self._work(symbol), name=f"bench load {symbol}")

    def stop(self) -> None:
        """Let every worker finish its plan and sell what it bought."""
        self._stopping = True

    async def _work(self, symbol: str) -> None:
        holds, last_tries = False, 0
        while not self._stopping or (holds and last_tries < LAST_TRIES_MAX):
            last_tries += self._stopping
            answered = await self._driver.execute(symbol, "SELL" if holds else "BUY", self._qty)
            if answered.error:
                self.tally.refused[answered.error] += 1
            else:
                self.tally.executed += 1
                holds = not holds
