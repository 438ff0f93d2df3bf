"""Groups waiting transactions into one commit, for life on an asyncio loop.

Steps run on the loop's own thread, the waits (COMMIT's fsync, another process's lock) on a worker thread. Steps do
not run on the worker, because the sqlite3 driver lets go of the interpreter lock at every statement: beside a busy
loop each statement then waits up to 5 ms for it (measured: 40 steps/s instead of thousands).

    idle     -> opening   a job arrives; all that arrive in the same turn of the loop are taken together
    opening  -> working   the write lock is ours; if another process has it, the worker waits for it
    working  -> working   `SLICE_JOBS` jobs a turn, so that the loop's other tasks get theirs
    working  -> sealing   the group's jobs have run; the worker commits
    sealing  -> opening   every job of the group gets its outcome in one turn; the next group is what came meanwhile

Bounds: `QUEUE_MAX` jobs unanswered (then JournalBusy), `GROUP_MAX` jobs a transaction, `SLICE_JOBS` a turn
and no new one after `SLICE_S_MAX`. Renewals of leases go before everything that waits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from holdfast.domain.errors import JournalBusy, JournalLost
from holdfast.journal.batches import Done
from holdfast.journal.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.journal.batches import BatchWriter, WriteJob

    Waiting = tuple[WriteJob, asyncio.Future[Any]]

QUEUE_MAX = 4_096
"""Jobs handed in and not yet answered."""
GROUP_MAX = 128
"""Jobs in one transaction: bounds how long the first of a group waits for the last."""
SLICE_JOBS = 8
"""Jobs run in one turn of the loop: 1 to 2 ms, most of them."""
SLICE_S_MAX = 0.002
"""After so long no further job is begun in the same turn: a step over many legs takes several milliseconds alone."""


class GroupWriter:
    """See the module. Built on the running loop, used from it only."""

    def __init__(self, writer: BatchWriter) -> None:
        self._loop = asyncio.get_running_loop()
        self._writer = writer
        self._worker = Worker("journal-commits")
        self._waiting: deque[Waiting] = deque()
        self._group: list[Waiting] = []
        self._group_size = 0
        self._is_idle = True
        self._is_closed = False
        self._closing: asyncio.Future[None] | None = None

    async def run(self, job: WriteJob) -> Any:
        """Hand in a job and wait until its transaction is durable.

        Raises JournalBusy if `QUEUE_MAX` jobs wait, JournalLost after `close`, and what the job raised. A job whose
        caller was cancelled before it began is dropped; later on it is committed all the same.
        """
        return await self._answer(job, self._waiting.append)

    async def run_first(self, job: WriteJob) -> Any:
        """The same, before every job that waits: a lease must not run out behind hundreds of steps."""
        return await self._answer(job, self._waiting.appendleft)

    async def _answer(self, job: WriteJob, enqueue: Callable[[Waiting], None]) -> Any:
        if self._is_closed:
            raise JournalLost("the journal is closed")
        if len(self._waiting) + len(self._group) >= QUEUE_MAX:
            raise JournalBusy(f"{QUEUE_MAX} transactions wait for the journal")
        future: asyncio.Future[Any] = self._loop.create_future()
        enqueue((job, future))
        if self._is_idle:
            self._is_idle = False
            self._loop.call_soon(self._open)
        return await future

    async def close(self) -> None:
        """Finish what was handed in, then end the worker. The second call waits for the first."""
        if self._closing is None:
            self._is_closed = True
            self._closing = self._loop.create_future()
            if self._is_idle:
                self._end()
        await asyncio.shield(self._closing)

    def _open(self) -> None:
        while self._waiting and self._waiting[0][1].done():  # cancelled
            self._waiting.popleft()
        if not self._waiting:
            self._is_idle = True
            if self._is_closed:
                self._end()
            return
        self._group_size = min(len(self._waiting), GROUP_MAX)
        if self._writer.open_now():
            self._work()
        else:
            self._worker.start(self._writer.open_waiting, self._opened)

    def _opened(self, _error: BaseException | None) -> None:
        self._work()  # the writer keeps what went wrong, and answers every job with it

    def _work(self) -> None:
        until_s = self._loop.time() + SLICE_S_MAX
        for _ in range(min(SLICE_JOBS, self._group_size)):
            if self._loop.time() > until_s:
                break
            job, future = self._waiting.popleft()
            self._group_size -= 1
            if not future.done():
                self._group.append((job, future))
                self._writer.add(job)
        if self._group_size > 0:
            self._loop.call_soon(self._work)
        else:
            self._worker.start(self._writer.seal, self._sealed)

    def _sealed(self, error: BaseException | None) -> None:
        outcomes = self._writer.take_outcomes(error)
        group, self._group = self._group, []
        for (_, future), outcome in zip(group, outcomes, strict=True):
            if future.done():  # cancelled meanwhile
                continue
            if isinstance(outcome, Done):
                future.set_result(outcome.value)
            else:
                future.set_exception(outcome.error)
        self._loop.call_soon(self._open)

    def _end(self) -> None:
        self._worker.stop()
        if self._closing is not None and not self._closing.done():
            self._closing.set_result(None)
