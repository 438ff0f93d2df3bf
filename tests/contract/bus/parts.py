"""What the bus's contract tests are built of: a real server for each test, and a line that can be cut.

The server is the one from the wheel; `HOLDFAST_TEST_BUS_PROGRAM=/usr/bin/redis-server` runs the suite by hand on
another one.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast
from urllib.parse import urlsplit

from holdfast.bus.connection import BusConnection
from holdfast.bus.embedded import EmbeddedServer
from holdfast.bus.valkey import ValkeyBus
from holdfast.domain.plan import PlanResult

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

PLANS = "quantum:stream:trading.plan"
RESULTS = "quantum:stream:apply.result"
HOLD = "quantum:reconcile:hold:"
DEADLINE_S = 10.0
_NAMED = os.environ.get("HOLDFAST_TEST_BUS_PROGRAM")
PROGRAM = Path(_NAMED) if _NAMED else None


def run(test: Coroutine[object, object, None]) -> None:
    """Run one test's coroutine within the deadline."""

    async def bounded() -> None:
        async with asyncio.timeout(3 * DEADLINE_S):
            await test

    asyncio.run(bounded())


@asynccontextmanager
async def running_server(data_dir: Path | None = None) -> AsyncIterator[EmbeddedServer]:
    """A server of its own, on a directory of its own unless one is given."""
    with tempfile.TemporaryDirectory() as fresh:
        async with EmbeddedServer(data_dir or Path(fresh), program=PROGRAM) as server:
            yield server


@asynccontextmanager
async def running_bus(url: str, consumer: str = "one", call_ms_max: int = 2_000) -> AsyncIterator[ValkeyBus]:
    """A bus that is ready, closed at the end."""
    bus = ValkeyBus(url, consumer, call_ms_max=call_ms_max)
    try:
        await bus.ensure_ready()
        yield bus
    finally:
        await bus.close()


@asynccontextmanager
async def raw(url: str) -> AsyncIterator[BusConnection]:
    """A line to the server for what another program would do there."""
    connection = BusConnection(url, "test")
    try:
        yield connection
    finally:
        await connection.close()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Ask until a condition at the server holds, within the deadline; each question is a round trip."""
    async with asyncio.timeout(DEADLINE_S):
        # The event is at the server, which has no other way to tell.
        while not await condition():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0)


async def until_blocked(line: BusConnection) -> None:
    """Wait until one client blocks in the server."""

    async def is_blocked() -> bool:
        (info,) = await line.call(("INFO", "clients"))
        return b"blocked_clients:1" in cast("bytes", info)

    await until(is_blocked)


def plan_fields(plan_id: str, **changes: str) -> dict[str, str]:
    """A good EXECUTE plan as another program writes it."""
    return {
        "plan_id": plan_id,
        "symbol": "BTCUSDT",
        "decision": "EXECUTE",
        "side": "BUY",
        "qty": "0.003",
        "type": "MARKET",
        "reduceOnly": "false",
        "reason": "breakout",
        "timestamp": "1700000000123",
        **changes,
    }


async def add_plan(line: BusConnection, plan_id: str, **changes: str) -> str:
    """XADD a plan; its entry id."""
    flat = [part for pair in plan_fields(plan_id, **changes).items() for part in pair]
    (reply,) = await line.call(("XADD", PLANS, "*", *flat))
    return cast("bytes", reply).decode()


async def entries(line: BusConnection, stream: str) -> list[dict[str, str]]:
    """Everything on a stream, oldest first."""
    (reply,) = await line.call(("XRANGE", stream, "-", "+"))
    rows = cast("list[tuple[bytes, list[bytes]]]", reply)
    return [dict(zip(texts[::2], texts[1::2], strict=True)) for texts in ([t.decode() for t in f] for _, f in rows)]


def result_of(plan_id: str, entry_id: str = "1-0") -> PlanResult:
    """A refusal of a plan."""
    return PlanResult(
        result_id=f"r-{plan_id}",
        plan_id=plan_id,
        entry_id=entry_id,
        symbol="BTCUSDT",
        decision="EXECUTE",
        executed=False,
        status="REFUSED",
        error="hold_active",
        detail="",
        filled_qty=Decimal(0),
        avg_price=None,
        client_order_id="",
        order_id=None,
        duplicate=False,
        timestamp_ms=1_700_000_000_123,
    )


class CutLine:
    """A TCP line to a server, which is cut once, when the client's bytes first hold `marker`.

    With `reply_lost` everything up to the end of that chunk reaches the server, and the line is cut when the server
    has answered it: the command was executed, its answer is lost. Without, the server gets only the bytes before the
    marker, and the line is cut when those are answered (or at once, if there are none).
    """

    def __init__(self, url: str, marker: bytes, *, reply_lost: bool) -> None:
        self._parts = urlsplit(url)
        self._marker = marker
        self._reply_lost = reply_lost
        self._server: asyncio.Server | None = None
        self.cut = asyncio.Event()
        self.connections = 0

    @property
    def url(self) -> str:
        """The address of the line."""
        if self._server is None:
            raise RuntimeError("not started")
        port = self._server.sockets[0].getsockname()[1]
        return f"redis://:{self._parts.password}@127.0.0.1:{port}/0"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        above_reader, above_writer = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        back = asyncio.create_task(_pipe(above_reader, writer))
        try:
            while chunk := await reader.read(65536):
                at = chunk.find(self._marker)
                if at < 0 or self.cut.is_set():
                    above_writer.write(chunk)
                    continue
                back.cancel()
                await asyncio.wait([back])
                passed = chunk if self._reply_lost else chunk[:at].rpartition(b"*")[0]
                if passed:
                    above_writer.write(passed)
                    await above_reader.read(1)
                self.cut.set()
                break
        finally:
            back.cancel()
            await asyncio.wait([back])
            for side in (writer, above_writer):
                side.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65536):
        writer.write(chunk)
    writer.close()
