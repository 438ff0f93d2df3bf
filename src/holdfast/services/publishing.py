"""From the journal to the bus: results, events, and copies of state for others to read.

The journal is the truth; everything here can be published again from it. Results are published at least once under
a stable id and marked in the journal afterwards; what was not marked is published again at the next start. Copies
are coalesced: only what changed is written, holds at once, the rest every `Pace.copies_ms`. A bus that was wiped (its
generation mark is gone) gets everything again.

Bounds, while the bus does not answer; a batch is `BATCH_MAX`:

    results   `QUEUE_MAX`: intake stops reading plans at that point, nothing is dropped
    events    `QUEUE_MAX`: what is more is not kept; it is read from the journal again once the queue is empty
    closes    `CLOSES_MAX`: the message is dropped, loudly; it only wakes apply, which finds the close in the journal
    permits   `QUEUE_MAX`: the oldest goes; they are copies for others and expire in a minute anyway
    marks     `QUEUE_MAX`: what is not marked is published again at the next start
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.domain.entry import EntryKind, JournaledEntry
from holdfast.domain.errors import BusUnavailable, JournalBusy
from holdfast.domain.names import PlanId
from holdfast.services.copies import Copies, permit_copy, refusal_copy

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.domain.close import Close
    from holdfast.domain.permit import Permit, Refusal
    from holdfast.domain.plan import Plan, PlanResult
    from holdfast.ports.bus import Bus, StateCopy
    from holdfast.ports.journal import Reads, Tx
    from holdfast.services.context import Context
    from holdfast.services.picture import Picture

BATCH_MAX = 256
QUEUE_MAX = 4_096
CLOSES_MAX = 1_024
"""Planned closes whose message waits for the bus; a leg has one close at a time."""
URGENT_MS = 3
"""How long the copies of an urgent change wait all the same: the event, the look and the close go first."""
SWEEP_AGE_MS = 2_000
"""A result this old that is still unpublished was missed, not just on its way."""
ATTACHED_MAX = 64
"""Repeats of one plan that wait for its outcome; later ones are acknowledged and read the first answer."""
RETRY_MS = 100
"""Wait after a bus that did not answer."""
EVENT_KINDS = frozenset(
    {
        EntryKind.BASELINE,
        EntryKind.DRIFT,
        EntryKind.HOLD_SET,
        EntryKind.HOLD_UPDATED,
        EntryKind.HOLD_RELEASED,
        EntryKind.HOLD_IMPORTED,
        EntryKind.REPAIR,
        EntryKind.WRITTEN_DOWN,
        EntryKind.FLATTENED,
        EntryKind.CLOSE_PLANNED,
        EntryKind.CLOSE_SUPERSEDED,
        EntryKind.CLOSE_CLAIMED,
        EntryKind.CLOSE_REFUSED,
        EntryKind.CLOSE_DONE,
        EntryKind.CLOSE_FAILED,
        EntryKind.OPERATOR_CLOSE_DONE,
        EntryKind.MANUAL_REQUIRED,
        EntryKind.CANCEL_ASKED,
        EntryKind.FOREIGN_ORDER,
        EntryKind.FOREIGN_ORDER_GONE,
        EntryKind.ADOPTED,
        EntryKind.APPROVED,
        EntryKind.MODE_CHANGED,
        EntryKind.HALTED,
        EntryKind.RESUMED,
    }
)
"""Entries that stand on `reconcile.events`."""


class Publisher:
    """Publishes for one account."""

    def __init__(self, context: Context, bus: Bus, picture: Picture | None) -> None:
        self._context = context
        self._bus = bus
        self._copies = Copies(context, picture)
        self._results: deque[PlanResult] = deque()
        self._acks: deque[str] = deque()
        self._events: deque[JournaledEntry] = deque()
        self._closes: deque[Close] = deque()
        self._events_missed_from: int | None = None
        """Entries after this one were not queued, because the queue was full."""
        self._is_missing_more = False
        self._permits: deque[StateCopy] = deque(maxlen=QUEUE_MAX)
        self._published: list[PlanResult] = []
        self._attached: dict[str, list[str]] = {}
        self._awaited: dict[str, str] = {}
        """Entries of plans whose outcome is still to come; a restart forgets them, the plan id stays."""
        self._work = asyncio.Event()
        self._checked_ns = 0
        self._emitted_seq = self._marked_seq = 0

    # --- what the services hand over; nothing here waits ------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Tell whether so much waits for the bus that no new plan should be read."""
        return len(self._results) >= QUEUE_MAX

    def publish(self, result: PlanResult, entry_id: str | None) -> None:
        """Publish a plan's outcome, and to every repeat that waited for it; then acknowledge its entry."""
        self._context.metrics.result(self._context.account, result.error)
        first = self._awaited.pop(result.plan_id, "")
        self._results.append(replace(result, entry_id=entry_id or first or result.entry_id))
        if entry_id:
            self._acks.append(entry_id)
        for repeat in self._attached.pop(result.plan_id, ()):
            self.publish_again(result, repeat)
        self._work.set()

    def publish_again(self, result: PlanResult, entry_id: str) -> None:
        """Answer a repeat of a plan with its first outcome."""
        self._results.append(replace(result, entry_id=entry_id, duplicate=True))
        self._acks.append(entry_id)
        self._work.set()

    def await_outcome(self, plan_id: str, entry_id: str) -> None:
        """A plan's order is of unknown fate: its entry goes, and its outcome will name it."""
        self._awaited[plan_id] = entry_id
        self.acknowledge(entry_id)

    def attach(self, plan_id: str, entry_id: str) -> None:
        """A repeat came before the outcome: it gets it when it is there."""
        waiting = self._attached.setdefault(plan_id, [])
        if len(waiting) < ATTACHED_MAX:
            waiting.append(entry_id)
        self.acknowledge(entry_id)

    def acknowledge(self, entry_id: str) -> None:
        """Acknowledge an entry without a result of its own."""
        if entry_id:
            self._acks.append(entry_id)
            self._work.set()

    def emit(self, entries: list[JournaledEntry]) -> None:
        """Put journaled entries on the event stream, those that belong there."""
        for entry in entries:
            if entry.entry.kind not in EVENT_KINDS:
                continue
            if self._events_missed_from is not None:
                self._is_missing_more = True
            elif len(self._events) >= QUEUE_MAX:
                self._events_missed_from = entry.seq - 1
                self._context.log.warning("events_wait", account=self._context.account, count=QUEUE_MAX)
            else:
                self._events.append(entry)
        if entries:
            self._work.set()

    def plan_closes(self, closes: list[Close]) -> None:
        """Put planned closes on the plan stream."""
        for close in closes:
            if len(self._closes) >= CLOSES_MAX:
                self._context.log.warning("close_not_announced", account=self._context.account, plan_id=close.plan_id)
            else:
                self._closes.append(close)
        self._work.set()

    def show_permit(self, permit: Permit) -> None:
        """Publish the permit of one plan."""
        self._permits.append(permit_copy(permit))
        self._work.set()

    def show_refusal(self, plan: Plan, refusal: Refusal) -> None:
        """Publish the refusal of one plan."""
        self._permits.append(refusal_copy(plan, refusal))
        self._work.set()

    # --- tasks ------------------------------------------------------------------------------------------

    async def run_streams(self) -> None:
        """Publish results, acknowledgements, closes and events as they come, until cancelled."""
        await self._from_journal()
        while True:
            await self._work.wait()
            self._work.clear()
            try:
                await self._flush()
            except (BusUnavailable, JournalBusy) as error:
                self._context.log.warning("publishing_waits", account=self._context.account, detail=str(error))
                self._work.set()
                await asyncio.sleep(RETRY_MS / 1000)

    async def _from_journal(self) -> None:
        """Take up what an earlier process journaled and did not publish."""
        context = self._context
        if context.service == "apply":
            self._results.extend(await context.journal.query(context.account, _unpublished))
        else:
            after = await context.journal.query(context.account, lambda reads: reads.account().events_published_seq)
            self._emitted_seq = after
            while self._events_missed_from is None and (entries := await self._entries_after(after)):
                self.emit(list(entries))
                after = entries[-1].seq
            if not self._events:
                self._emitted_seq = after
        self._work.set()

    async def _entries_after(self, seq: int) -> tuple[JournaledEntry, ...]:
        return await self._context.journal.query(self._context.account, lambda r: r.entries_after(seq, QUEUE_MAX))

    async def _flush(self) -> None:
        while self._closes:
            await self._bus.publish_close(self._closes[0])
            self._closes.popleft()
        while self._results or self._acks:
            results = [self._results[i] for i in range(min(len(self._results), BATCH_MAX))]
            acks = [self._acks[i] for i in range(min(len(self._acks), BATCH_MAX))]
            await self._bus.finish(results, acks)
            for result in results:
                self._results.popleft()
                if not result.duplicate:
                    self._published.append(result)
            for _ in acks:
                self._acks.popleft()
        while self._events:
            batch = [self._events[i] for i in range(min(len(self._events), BATCH_MAX))]
            await self._bus.publish_events(batch)
            for event in batch:
                self._events.popleft()
                self._emitted_seq = max(self._emitted_seq, event.seq)
        await self._read_missed()
        while self._permits:
            copies = [self._permits[i] for i in range(min(len(self._permits), BATCH_MAX))]
            await self._bus.publish_copies(copies)
            for _ in copies:
                self._permits.popleft()

    async def _read_missed(self) -> None:
        """Queue what was not queued while the queue was full: the journal has it, page by page."""
        missed_from = self._events_missed_from
        if missed_from is None:
            return
        self._is_missing_more = False
        page = await self._entries_after(missed_from)
        self._events.extend(entry for entry in page if entry.entry.kind in EVENT_KINDS)
        if page or self._is_missing_more:
            self._events_missed_from = page[-1].seq if page else missed_from
            self._work.set()
        else:
            self._events_missed_from = None

    async def run_marks(self) -> None:
        """Mark in the journal what was published, in batches; what is not marked is published again at a start."""
        while True:
            await asyncio.sleep(self._context.pace.marks_ms / 1000)
            done, self._published = self._published, []
            try:
                if done:
                    await self._mark(_results_published(done))
                if self._context.service == "apply":
                    await self._sweep()
                elif self._emitted_seq > self._marked_seq:
                    seq = self._emitted_seq
                    await self._mark(_events_published(seq))
                    self._marked_seq = seq
            except JournalBusy:
                self._published.extend(done[: QUEUE_MAX - len(self._published)])

    async def _mark(self, mark: Callable[[Tx], None]) -> None:
        await self._context.transact(
            read=lambda _: None, decide=lambda _: None, write=lambda tx, _choice, _facts: mark(tx)
        )

    async def _sweep(self) -> None:
        """Publish results that were journaled elsewhere (a correction by the reconciler)."""
        if self._results:
            return
        young_ms = self._context.clock.now_ms() - SWEEP_AGE_MS
        found = await self._context.journal.query(self._context.account, _unpublished)
        old = [result for result in found if result.timestamp_ms < young_ms]
        if old:
            self._results.extend(old)
            self._work.set()

    async def run_copies(self) -> None:
        """Keep the published copies in step, and fill a bus that was wiped, until cancelled."""
        failures = 0
        knocks, urgent = self._context.wakes.publish, self._context.wakes.urgent
        while True:
            try:
                async with asyncio.timeout(self._context.pace.copies_ms / 1000):
                    await urgent.wait()
                    await asyncio.sleep(URGENT_MS / 1000)
            except TimeoutError:
                pass  # nothing urgent: what was gathered is written now
            urgent.clear()
            symbols = knocks.take_now()
            try:
                await self._check_bus()
                await self._bus.publish_copies(await self._copies.changed(symbols))
                failures = 0
                if self._copies.has_more:
                    urgent.set()
            except (BusUnavailable, JournalBusy) as error:
                failures += 1
                self._copies.forget()
                if failures == 1:
                    self._context.log.warning("copies_wait", account=self._context.account, detail=str(error))
                await asyncio.sleep(RETRY_MS / 1000)

    async def _check_bus(self) -> None:
        """Ask now and then whether the bus still is the one that was filled; if not, fill it again."""
        now_ns = self._context.clock.monotonic_ns()
        if now_ns - self._checked_ns < self._context.pace.marks_ms * 1_000_000:
            return
        if await self._bus.ensure_ready():
            self._copies.forget()
            self._context.log.info("bus_filled", account=self._context.account)
        self._checked_ns = now_ns


def _unpublished(reads: Reads) -> tuple[PlanResult, ...]:
    return reads.unpublished_results(QUEUE_MAX)


def _events_published(seq: int) -> Callable[[Tx], None]:
    return lambda tx: tx.set_events_published(seq)


def _results_published(results: list[PlanResult]) -> Callable[[Tx], None]:
    def mark(tx: Tx) -> None:
        # A result that was corrected meanwhile is not the one that was published: it has to go out too.
        tx.mark_results_published([PlanId(each.plan_id) for each in results if _is_standing(tx, each)])

    return mark


def _is_standing(reads: Reads, result: PlanResult) -> bool:
    record = reads.plan(PlanId(result.plan_id))
    return record is not None and record.result is not None and record.result.result_id == result.result_id
