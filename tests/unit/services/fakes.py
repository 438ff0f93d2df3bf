"""Hand-written ports: small, honest, and obedient to their contracts. What a story wants wrong, it says."""
# ruff: noqa: D102, ARG002 - methods and arguments are those of the port; waiting takes no time

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from holdfast.domain.errors import BusUnavailable, JournalBusy
from holdfast.lab.torture.loop import pass_ms
from holdfast.ports.bus import Backlog, StateCopy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from decimal import Decimal

    from holdfast.domain.close import Close
    from holdfast.domain.entry import JournaledEntry
    from holdfast.domain.hold import HoldReason
    from holdfast.domain.names import AccountId, Symbol
    from holdfast.domain.operator import Alert
    from holdfast.domain.plan import PlanEntry, PlanResult
    from holdfast.journal.store import SqlJournal
    from holdfast.ports.journal import Choice, Facts, Fence, Reads, Tx
    from holdfast.ports.telemetry import Stage


class QuietMetrics:
    """Counts what tests ask for, forgets the rest."""

    def __init__(self) -> None:
        self.refused_rules: list[str] = []
        self.results: list[str] = []
        self.executed = 0
        self.unknown = 0
        self.without_next_step = 0
        self.judged: list[Symbol] = []
        """Of every leg that was judged by a view, in order."""

    def closes_before(self, count: int) -> None: ...
    def close_planned(self) -> None: ...
    def close_attempted(self) -> None: ...
    def close_executed(self) -> None:
        self.executed += 1

    def close_refused(self, rule: str) -> None:
        self.refused_rules.append(rule)

    def result(self, account: AccountId, error: str) -> None:
        self.results.append(error)

    def holds(self, account: AccountId, open_by_reason: Mapping[HoldReason, int], without_next_step: int) -> None:
        self.without_next_step = without_next_step

    def drift(self, account: AccountId, symbol: Symbol, amt: Decimal) -> None:
        self.judged.append(symbol)

    def stamp_age(self, account: AccountId, age_ms: int | None) -> None: ...
    def orders_unknown(self, account: AccountId, count: int) -> None:
        self.unknown = count

    def stage(self, stage: Stage, took_ns: int) -> None: ...


class ListLog:
    """Keeps its lines."""

    def __init__(
        self, lines: list[tuple[str, dict[str, object]]] | None = None, bound: dict[str, object] | None = None
    ) -> None:
        self.lines = [] if lines is None else lines
        self._bound = bound or {}

    def bind(self, **fields: object) -> ListLog:
        return ListLog(self.lines, {**self._bound, **fields})

    def _write(self, event: str, fields: dict[str, object]) -> None:
        self.lines.append((event, {**self._bound, **fields}))

    def debug(self, event: str, **fields: object) -> None:
        self._write(event, fields)

    def info(self, event: str, **fields: object) -> None:
        self._write(event, fields)

    def warning(self, event: str, **fields: object) -> None:
        self._write(event, fields)

    def error(self, event: str, **fields: object) -> None:
        self._write(event, fields)

    def failure(self, event: str, error: BaseException, **fields: object) -> None:
        self._write(event, {**fields, "failure": error})

    def events(self) -> list[str]:
        return [event for event, _ in self.lines]


class BusyJournal:
    """The real journal, which says that it is busy when a story wants it: nothing is changed then."""

    def __init__(self, inner: SqlJournal) -> None:
        self.inner = inner
        self.busy_steps: deque[bool] = deque()
        """One a transaction to come: True makes it busy. Empty: none is."""
        self.busy_queries = 0
        """So many queries to come are busy."""
        self.before_step: Callable[[], Awaitable[None]] | None = None
        """Run once before the next transaction begins: what others do meanwhile."""
        self.steps = 0
        """Transactions so far."""

    async def transact(
        self,
        account: AccountId,
        fence: Fence | None,
        *,
        read: Callable[[Reads], Facts],
        decide: Callable[[Facts], Choice],
        write: Callable[[Tx, Choice, Facts], None],
    ) -> Choice:
        await asyncio.sleep(0)
        meanwhile, self.before_step = self.before_step, None
        if meanwhile is not None:
            await meanwhile()
        if self.busy_steps and self.busy_steps.popleft():
            raise JournalBusy("the story wants it so")
        self.steps += 1
        choice = await self.inner.transact(account, fence, read=read, decide=decide, write=write)
        await asyncio.sleep(0)
        return choice

    async def query(self, account: AccountId, read: Callable[[Reads], Facts]) -> Facts:
        if self.busy_queries > 0:
            self.busy_queries -= 1
            raise JournalBusy("the story wants it so")
        return await self.inner.query(account, read)

    async def now_ms(self) -> int:
        return await self.inner.now_ms()

    async def acquire(self, account: AccountId, service: str, owner: str, ttl_ms: int) -> Fence | None:
        return await self.inner.acquire(account, service, owner, ttl_ms)

    async def renew(self, fence: Fence, ttl_ms: int) -> None:
        await self.inner.renew(fence, ttl_ms)

    async def give_up(self, fence: Fence) -> None:
        await self.inner.give_up(fence)

    async def accounts(self) -> tuple[AccountId, ...]:
        return await self.inner.accounts()

    async def verify(self, account: AccountId) -> int:
        return await self.inner.verify(account)

    async def close(self) -> None:
        await self.inner.close()


class MemoryBus:
    """A bus in memory: streams as lists, keys as a dict. `down` makes every call fail."""

    def __init__(self) -> None:
        self.down = False
        self.wiped = True
        self.plans: deque[PlanEntry] = deque()
        self.results: list[PlanResult] = []
        self.acked: list[str] = []
        self.closes: list[Close] = []
        self.events: list[JournaledEntry] = []
        self.keys: dict[str, str | Mapping[str, str]] = {}
        self.copies: list[StateCopy] = []
        self.copied_s: list[float] = []
        """When each of `copies` was written, by the loop's clock."""

    def _answer(self) -> None:
        if self.down:
            raise BusUnavailable("the story wants it so")

    def wipe(self) -> None:
        """FLUSHALL."""
        self.keys.clear()
        self.wiped = True

    async def ensure_ready(self) -> bool:
        self._answer()
        was, self.wiped = self.wiped, False
        return was

    async def read_plans(self, *, count: int, wait_ms: int) -> tuple[PlanEntry, ...]:
        self._answer()
        if not self.plans:
            await pass_ms(20)
        return tuple(self.plans.popleft() for _ in range(min(count, len(self.plans))))

    async def reclaim_plans(self, *, idle_ms: int, count: int) -> tuple[PlanEntry, ...]:
        self._answer()
        return ()

    async def finish(self, results: Sequence[PlanResult], acknowledge: Sequence[str]) -> None:
        await asyncio.sleep(0)
        self._answer()
        self.results.extend(results)
        self.acked.extend(acknowledge)

    async def publish_close(self, close: Close) -> str:
        self._answer()
        self.closes.append(close)
        return f"{len(self.closes)}-0"

    async def publish_events(self, entries: Sequence[JournaledEntry]) -> None:
        self._answer()
        self.events.extend(entries)

    async def hold_values(self, symbols: Sequence[Symbol]) -> Mapping[Symbol, str]:
        self._answer()
        found = {symbol: self.keys.get(f"reconcile:hold:{symbol}", "") for symbol in symbols}
        return {symbol: text for symbol, text in found.items() if isinstance(text, str) and text not in {"", "0"}}

    async def read_text(self, key: str) -> str | None:
        self._answer()
        found = self.keys.get(key)
        return found if isinstance(found, str) else None

    async def publish_copies(self, copies: Sequence[StateCopy]) -> None:
        await asyncio.sleep(0)
        self._answer()
        self.copied_s += [asyncio.get_running_loop().time()] * len(copies)
        for copy in copies:
            self.copies.append(copy)
            stands = self.keys.get(copy.key)
            if copy.text is not None:
                if copy.expected is None or stands in {None, "", copy.expected}:
                    self.keys[copy.key] = copy.text
            elif copy.fields is not None:
                self.keys[copy.key] = copy.fields
            elif copy.expected is not None:
                if stands == copy.expected:
                    del self.keys[copy.key]
            elif not copy.key.startswith("reconcile:hold:"):
                self.keys.pop(copy.key, None)

    async def backlog(self) -> Backlog:
        self._answer()
        return Backlog(0, 0)

    async def close(self) -> None: ...


class Person:
    """The Alerts port: one channel, which takes what it is given unless it is `deaf`."""

    def __init__(self) -> None:
        self.deaf = False
        self.told: list[Alert] = []

    @property
    def has_channel(self) -> bool:
        return True

    async def deliver(self, alert: Alert) -> bool:
        if self.deaf:
            return False
        self.told.append(alert)
        return True
