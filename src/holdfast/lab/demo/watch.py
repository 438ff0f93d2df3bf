"""The bus, read as a stranger would read it: the three streams as they grow, and the published keys.

Invariants: every entry carries the monotonic time at which it was read; a wait looks at entries after a mark, so that
nothing is missed between acting and waiting; whatever is waited for in vain is a TimeoutError that names it; the end of
the reading task ends every wait.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Self, TypeVar, cast

from holdfast.bus.connection import BusConnection, checked
from holdfast.bus.keys import Keys
from holdfast.domain.errors import BusUnavailable, Unclassified
from holdfast.domain.names import Symbol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from types import TracebackType

    from holdfast.ports.clock import Clock

READ_WAIT_MS = 1_000
READ_COUNT_MAX = 256
ENTRIES_MAX = 20_000
"""A demo sees some hundreds."""
EAGER_READS_MAX = 20
"""A key that is about to change is read this often without a pause, then every `PAUSE_S`."""
PAUSE_S = 0.001

Value = TypeVar("Value")


class Stream(Enum):
    """The streams of the contract."""

    PLANS = "trading.plan"
    RESULTS = "apply.result"
    EVENTS = "reconcile.events"


@dataclass(frozen=True, slots=True)
class BusEntry:
    """One stream entry, and when it was read."""

    stream: Stream
    at_ns: int
    fields: Mapping[str, str]

    def is_event(self, kind: str) -> bool:
        """Tell whether it is a reconcile event of this kind."""
        return self.stream is Stream.EVENTS and self.fields.get("event") == kind


@dataclass(eq=False, slots=True)
class _Wait:
    after: int
    fits: Callable[[BusEntry], bool]
    found: asyncio.Future[BusEntry]


class BusWatch:
    """Reads along; open it with `async with`."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._clock = clock
        self._keys = Keys()
        self._streams = {
            Stream.PLANS: self._keys.plans,
            Stream.RESULTS: self._keys.results,
            Stream.EVENTS: self._keys.events,
        }
        self._reading = BusConnection(url, "holdfast-demo-streams")
        self._asking = BusConnection(url, "holdfast-demo-keys")
        self._entries: list[BusEntry] = []
        self._waits: list[_Wait] = []
        self._reader: asyncio.Task[None] | None = None

    # --- streams ----------------------------------------------------------------------------------------

    def mark(self) -> int:
        """The place in the story from which a wait may look."""
        return len(self._entries)

    def since(self, mark: int) -> list[BusEntry]:
        """All entries read since the mark."""
        return self._entries[mark:]

    async def entry(self, what: str, fits: Callable[[BusEntry], bool], mark: int, s_max: float) -> BusEntry:
        """The first entry since the mark that fits. Raises TimeoutError naming `what`."""
        for entry in self._entries[mark:]:
            if fits(entry):
                return entry
        if self._reader is None or self._reader.done():
            raise Unclassified("the streams are not read")
        wait = _Wait(mark, fits, asyncio.get_running_loop().create_future())
        self._waits.append(wait)
        try:
            async with asyncio.timeout(s_max):
                return await wait.found
        except TimeoutError:
            raise TimeoutError(what) from None
        finally:
            self._waits.remove(wait)

    async def event(self, kind: str, mark: int, s_max: float) -> BusEntry:
        """The first reconcile event of this kind since the mark. Raises TimeoutError."""
        return await self.entry(f"{kind} on {Stream.EVENTS.value}", lambda e: e.is_event(kind), mark, s_max)

    async def _read(self) -> None:
        names = {key.encode(): stream for stream, key in self._streams.items()}
        last = dict.fromkeys(names, b"0-0")
        while True:
            (reply,) = await self._reading.call(
                ("XREAD", "COUNT", READ_COUNT_MAX, "BLOCK", READ_WAIT_MS, "STREAMS", *last, *last.values()),
                wait_ms=READ_WAIT_MS,
            )
            at_ns = self._clock.monotonic_ns()
            for key, rows in cast("list[tuple[bytes, list[tuple[bytes, list[bytes]]]]] | None", checked(reply)) or ():
                for entry_id, flat in rows:
                    last[key] = entry_id
                    self._take(BusEntry(names[key], at_ns, _texts(flat)))

    def _take(self, entry: BusEntry) -> None:
        if len(self._entries) >= ENTRIES_MAX:
            raise Unclassified(f"more than {ENTRIES_MAX} entries in one demo")
        self._entries.append(entry)
        for wait in self._waits:
            if wait.after < len(self._entries) and not wait.found.done() and wait.fits(entry):
                wait.found.set_result(entry)

    def _ended(self, reader: asyncio.Task[None]) -> None:
        if reader.cancelled():
            return
        error = reader.exception() or Unclassified("the reader returned")
        for wait in self._waits:
            if not wait.found.done():
                wait.found.set_exception(BusUnavailable(f"the streams cannot be read any more: {error}"))

    # --- keys -------------------------------------------------------------------------------------------

    async def hold(self, symbol: str) -> str | None:
        """The hold's key, as its readers take it: None when free."""
        (reply,) = await self._asking.call(("GET", self._keys.hold(Symbol(symbol))))
        return cast("bytes", checked(reply)).decode("utf-8", "replace") if reply is not None else None

    async def state(self, symbol: str) -> dict[str, str]:
        """`reconcile:state`."""
        return await self._hash(f"reconcile:state:{symbol}")

    async def ledger(self, symbol: str) -> str:
        """The ledger's signed amount as published; "" if it is not."""
        return (await self._hash(f"position:ledger:{symbol}")).get("ledger_amt", "")

    async def permit(self, symbol: str) -> str:
        """ALLOW or DENY, as P3.3 publishes it; "" if it does not."""
        return (await self._hash(f"permit:state:{symbol}")).get("state", "")

    async def _hash(self, name: str) -> dict[str, str]:
        (reply,) = await self._asking.call(("HGETALL", self._keys.named(name)))
        return _texts(cast("list[bytes]", checked(reply)))

    async def until(
        self, what: str, read: Callable[[], Awaitable[Value]], fits: Callable[[Value], bool], s_max: float
    ) -> tuple[Value, int]:
        """Read until the value fits; the value, and when it had been read. Raises TimeoutError naming `what`."""
        reads = 0
        try:
            async with asyncio.timeout(s_max):
                while True:
                    value = await read()
                    if fits(value):
                        return value, self._clock.monotonic_ns()
                    reads += 1
                    await asyncio.sleep(0 if reads < EAGER_READS_MAX else PAUSE_S)
        except TimeoutError:
            raise TimeoutError(what) from None

    async def __aenter__(self) -> Self:
        await self._asking.connect()
        await self._reading.connect()
        self._reader = asyncio.create_task(self._read(), name="demo streams")
        self._reader.add_done_callback(self._ended)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])
        await self._reading.close()
        await self._asking.close()


def _texts(flat: list[bytes]) -> dict[str, str]:
    texts = [part.decode("utf-8", "replace") for part in flat]
    return dict(zip(texts[::2], texts[1::2], strict=True))
