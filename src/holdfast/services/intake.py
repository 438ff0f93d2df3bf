"""Plans from the bus, sorted into lanes: one symbol, one lane, one plan at a time; closes overtake.

A CANCEL goes before the other plans of its lane, but never before the plan that it names. A lane that waits (for
agreement, for an answer that does not come) delays no other symbol. A close goes before everything queued in its lane.
Closes come from the journal by a knock (`inbox` looks ten times a second), so that a lost message costs that long and
nothing else.

Bounds: `LANE_MAX` plans wait in a lane (more are refused with queue_full), `READ_MAX` entries a read.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from holdfast.domain.errors import BusUnavailable, JournalBusy
from holdfast.domain.permit import Refusal
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Decision
from holdfast.services.execute import refusal_result
from holdfast.services.inbox import OWN_LOOK_MS

if TYPE_CHECKING:
    from holdfast.domain.names import PlanId, Symbol
    from holdfast.domain.plan import Plan, PlanEntry
    from holdfast.ports.bus import Bus
    from holdfast.services.cancel_plans import CancelPlans
    from holdfast.services.closing import Closer
    from holdfast.services.context import Context
    from holdfast.services.execute import Executor
    from holdfast.services.holds import BusHolds
    from holdfast.services.publishing import Publisher

READ_MAX = 64
READ_WAIT_MS = 1_000
LANE_MAX = 1_000
RECLAIM_EVERY_MS = 5_000
RECLAIM_IDLE_MS = 10_000
"""Entries that a dead consumer left unacknowledged this long are taken over."""
BUS_RETRY_MS = 100


@dataclass(slots=True)
class _Job:
    """One EXECUTE on its way."""

    entry: PlanEntry
    plan: Plan
    received_ns: int


@dataclass(slots=True)
class _Lane:
    """One symbol's queue."""

    closes: deque[PlanId] = field(default_factory=deque)
    jobs: deque[_Job] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None


class Intake:
    """Reads and sorts the plans of one account."""

    def __init__(  # noqa: PLR0917 - the seven parts that it joins
        self,
        context: Context,
        bus: Bus,
        executor: Executor,
        closer: Closer,
        publisher: Publisher,
        holds: BusHolds,
        cancel_plans: CancelPlans,
    ) -> None:
        self._context = context
        self._bus = bus
        self._executor = executor
        self._closer = closer
        self._publisher = publisher
        self._holds = holds
        self._cancel_plans = cancel_plans
        self._lanes: dict[Symbol, _Lane] = {}
        self._in_hand: set[str] = set()
        """Entries that wait or run in a lane here: idle on the bus, but not abandoned."""
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run_plans(self) -> None:
        """Read plans until cancelled; raises what broke a lane."""
        try:
            reading = asyncio.create_task(self._read_plans(), name="read plans")
            try:
                await asyncio.wait({reading, self._broken}, return_when=asyncio.FIRST_COMPLETED)
                if self._broken.done():
                    self._broken.result()
                await reading
            finally:
                reading.cancel()
        finally:
            for lane in self._lanes.values():
                if lane.task is not None:
                    lane.task.cancel()

    async def _read_plans(self) -> None:
        clock = self._context.clock
        reclaimed_ns = 0
        while True:
            try:
                if clock.monotonic_ns() - reclaimed_ns > RECLAIM_EVERY_MS * 1_000_000:
                    reclaimed = await self._bus.reclaim_plans(idle_ms=RECLAIM_IDLE_MS, count=READ_MAX)
                    if len(reclaimed) < READ_MAX:  # a full page: a dead consumer left more, which is asked for at once
                        reclaimed_ns = clock.monotonic_ns()
                    await self._take(tuple(entry for entry in reclaimed if entry.entry_id not in self._in_hand))
                if self._publisher.is_full:
                    await asyncio.sleep(BUS_RETRY_MS / 1000)
                    continue
                await self._take(await self._bus.read_plans(count=READ_MAX, wait_ms=READ_WAIT_MS))
            except BusUnavailable as error:
                self._context.log.warning("bus_unavailable", account=self._context.account, detail=str(error))
                await asyncio.sleep(BUS_RETRY_MS / 1000)

    async def _take(self, entries: tuple[PlanEntry, ...]) -> None:
        if not entries:
            return
        received_ns = self._context.clock.monotonic_ns()
        executes = [e.plan.symbol for e in entries if e.plan is not None and e.plan.decision is Decision.EXECUTE]
        if executes:
            await self._holds.refresh(list(dict.fromkeys(executes)))
        for entry in entries:
            if entry.plan is None:
                self._refuse_unread(entry)
            elif entry.plan.decision in {Decision.EXECUTE, Decision.CANCEL}:
                self._queue(_Job(entry, entry.plan, received_ns))
            else:
                await self._closer.take_message(entry, entry.plan)

    def _refuse_unread(self, entry: PlanEntry) -> None:
        reason = entry.problem if isinstance(entry.problem, Reason) else Reason.UNREADABLE
        result = refusal_result(
            self._context, entry, Refusal(reason, entry.detail, reason.value), self._context.clock.now_ms()
        )
        self._context.log.warning("plan_unreadable", entry_id=entry.entry_id, error=reason.value, detail=entry.detail)
        self._publisher.publish(result, entry.entry_id)

    def _queue(self, job: _Job) -> None:
        lane = self._lanes.setdefault(job.plan.symbol, _Lane())
        if len(lane.jobs) >= LANE_MAX:
            refusal = Refusal(Reason.QUEUE_FULL, f"{LANE_MAX} plans wait on the symbol", Reason.QUEUE_FULL.value)
            result = refusal_result(self._context, job.entry, refusal, self._context.clock.now_ms())
            self._publisher.publish(replace(result, result_id=f"full-{job.entry.entry_id}"), job.entry.entry_id)
            return
        self._in_hand.add(job.entry.entry_id)
        lane.jobs.insert(_place_of(job, lane), job)
        self._start(job.plan.symbol, lane)

    def _start(self, symbol: Symbol, lane: _Lane) -> None:
        if lane.task is None:
            lane.task = asyncio.create_task(self._run_lane(lane), name=f"lane {symbol}")
            lane.task.add_done_callback(lambda task: self._lane_ended(symbol, lane, task))

    async def _run_lane(self, lane: _Lane) -> None:
        while lane.closes or lane.jobs:
            if lane.closes:
                await self._close(lane.closes.popleft())
                continue
            job = lane.jobs.popleft()
            try:
                if job.plan.decision is Decision.CANCEL:
                    await self._cancel_plans.execute(job.entry, job.plan)
                else:
                    await self._executor.execute(job.entry, job.plan, job.received_ns)
            except JournalBusy as error:
                self._refuse_busy(job, error)
            finally:
                self._in_hand.discard(job.entry.entry_id)

    async def _close(self, plan_id: PlanId) -> None:
        try:
            await self._closer.close(plan_id)
        except JournalBusy as error:  # nothing was claimed: the next look at the journal takes it up again
            self._context.log.warning("close_waits", plan_id=plan_id, detail=str(error))

    def _refuse_busy(self, job: _Job, error: JournalBusy) -> None:
        refusal = Refusal(Reason.JOURNAL_BUSY, str(error), Reason.JOURNAL_BUSY.value)
        result = refusal_result(self._context, job.entry, refusal, self._context.clock.now_ms())
        self._publisher.publish(replace(result, result_id=f"busy-{job.entry.entry_id}"), job.entry.entry_id)

    def _lane_ended(self, symbol: Symbol, lane: _Lane, task: asyncio.Task[None]) -> None:
        lane.task = None
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self._context.log.failure("lane_broken", error, symbol=symbol)
            if not self._broken.done():
                self._broken.set_exception(error)
                self._broken.exception()  # logged above: nobody may be left to ask for it when others ended first
        elif lane.closes or lane.jobs:
            self._start(symbol, lane)
        else:
            self._lanes.pop(symbol, None)

    async def run_closes(self) -> None:
        """Take unclaimed closes from the journal until cancelled."""
        context = self._context
        while True:
            await context.wakes.closes.take(OWN_LOOK_MS)
            try:
                planned = await context.journal.query(context.account, lambda reads: reads.planned_closes())
            except JournalBusy as error:
                context.log.warning("closes_wait", account=context.account, detail=str(error))
                continue
            for close in planned:
                lane = self._lanes.setdefault(close.leg.symbol, _Lane())
                if close.plan_id not in lane.closes:
                    lane.closes.append(close.plan_id)
                    self._start(close.leg.symbol, lane)


def _place_of(job: _Job, lane: _Lane) -> int:
    """Where a job waits: at the end; a CANCEL behind the cancels there are and behind the plan that it names."""
    if job.plan.decision is not Decision.CANCEL:
        return len(lane.jobs)
    ahead = [
        place
        for place, other in enumerate(lane.jobs)
        if other.plan.decision is Decision.CANCEL or other.plan.plan_id == job.plan.cancels
    ]
    return ahead[-1] + 1 if ahead else 0
