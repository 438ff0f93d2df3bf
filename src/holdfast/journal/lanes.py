"""One worker thread with a bounded queue: what waits is worked off in groups.

The loop's side counts what was handed in and not yet answered; above `queue_max` it refuses. Jobs handed in during
one turn of the loop travel to the thread together, and a group's outcomes come back in one call, so that a group
of 64 costs the loop two wake-ups, not 128. The thread ends when told to, after all that was handed in before.
"""

from __future__ import annotations

import asyncio
import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from holdfast.domain.errors import JournalBusy, JournalLost
from holdfast.journal.batches import Done, Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from holdfast.journal.batches import Outcome

Job = TypeVar("Job")

QUEUE_MAX = 4_096
"""Jobs handed in and not yet answered."""
BATCH_MAX = 128
"""Jobs in one transaction: bounds how long the first of a group waits for the last."""


class Lane(Generic[Job]):
    """A worker thread. `open_worker` runs in it first, so that what it opens belongs to it."""

    def __init__(self, name: str, work: Callable[[Sequence[Job]], Sequence[Outcome]]) -> None:
        self._loop = asyncio.get_running_loop()
        self._work = work
        self._name = name
        self._queue: SimpleQueue[list[tuple[Job, asyncio.Future[Any]]] | None] = SimpleQueue()
        self._fresh: list[tuple[Job, asyncio.Future[Any]]] = []
        self._unanswered = 0
        self._closed = False
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def run(self, job: Job) -> Any:
        """Hand in a job and wait for its outcome. Cancelling the wait does not undo the job.

        Raises JournalBusy if `QUEUE_MAX` jobs wait, JournalLost after `close`, and what the job raised.
        """
        if self._closed:
            raise JournalLost(f"{self._name} is closed")
        if self._unanswered >= QUEUE_MAX:
            raise JournalBusy(f"{QUEUE_MAX} jobs wait for {self._name}")
        future: asyncio.Future[Any] = self._loop.create_future()
        self._unanswered += 1
        self._fresh.append((job, future))
        if len(self._fresh) == 1:
            self._loop.call_soon(self._hand_over)
        return await future

    def _hand_over(self) -> None:
        if self._fresh:
            self._queue.put(self._fresh)
            self._fresh = []

    async def close(self) -> None:
        """Finish what was handed in, then end the thread."""
        if not self._closed:
            self._closed = True
            self._hand_over()
            self._queue.put(None)
        await asyncio.shield(self._ended)
        self._thread.join()

    # --- the thread's side

    def _run(self) -> None:
        waiting: list[tuple[Job, asyncio.Future[Any]]] = []
        open_ended = True
        while open_ended or waiting:
            if open_ended:
                open_ended = self._gather(waiting)
            group, waiting = waiting[:BATCH_MAX], waiting[BATCH_MAX:]
            if group:
                outcomes = self._work([job for job, _ in group])
                self._call(self._answer, [future for _, future in group], outcomes)
        self._call(self._end)

    def _gather(self, waiting: list[tuple[Job, asyncio.Future[Any]]]) -> bool:
        """Add what is queued, waiting for it only if there is nothing to do. False once told to end."""
        try:
            more = self._queue.get() if not waiting else self._queue.get_nowait()
            while True:
                if more is None:
                    return False
                waiting.extend(more)
                if len(waiting) >= BATCH_MAX:
                    return True
                more = self._queue.get_nowait()
        except Empty:
            return True

    def _call(self, function: Callable[..., None], *values: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *values)
        except RuntimeError:
            # The loop was closed without closing the journal: nobody is left who could be told.
            self._queue.put(None)

    # --- back on the loop

    def _answer(self, futures: Sequence[asyncio.Future[Any]], outcomes: Sequence[Outcome]) -> None:
        self._unanswered -= len(futures)
        for future, outcome in zip(futures, outcomes, strict=True):
            if future.done():  # its waiter was cancelled
                continue
            match outcome:
                case Done(value):
                    future.set_result(value)
                case Failed(error):
                    future.set_exception(error)

    def _end(self) -> None:
        if not self._ended.done():
            self._ended.set_result(None)
