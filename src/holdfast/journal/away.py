"""Where the journal's work runs when its database is a server away: whole batches on a thread, reads on a second one.

On a server each statement is a round trip, so steps must not run on the loop (`groups` says why they do on SQLite).
Their `read`, `decide` and `write` run on the thread: they are pure or touch the transaction only.

    waiting -> under way   one account's jobs, oldest first, at most `BATCH_MAX`, in one transaction on the thread;
                           accounts take turns. One account a transaction: two processes can never lock two accounts
                           in opposite order
    under way -> answered  every job of the batch gets its outcome in one turn of the loop
    under way too long     after `ANSWER_S_MAX` the line is cut: the thread finds its connection lost

A lost connection is not replaced: what became of a commit is unknown, so every job that waits or comes later is
JournalLost until the journal was opened anew. Bounds: `QUEUE_MAX` jobs unanswered each way (then JournalBusy).
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from holdfast.domain.errors import HoldfastError, JournalBusy, JournalLost, Unclassified
from holdfast.journal.backend import Session
from holdfast.journal.batches import BatchWriter, Done, Failed, Outcome, Reader, WriteJob
from holdfast.journal.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from holdfast.domain.names import AccountId
    from holdfast.journal.batches import Found

    Look = Callable[[Session], Any]

QUEUE_MAX = 4_096
"""Jobs (or reads) handed in and not yet answered."""
BATCH_MAX = 64
"""Jobs in one transaction, reads in one go: bounds how long the first of a batch waits for the last."""
ANSWER_S_MAX = 20.0
"""How long a batch may take. The server's own timeouts end a statement that waits much earlier; this one is for a
server that stands still."""


class FarSession(Session, Protocol):
    """A session on a line that can be cut."""

    def break_off(self, why: str) -> None:
        """Cut the line, from any thread; whoever waits on it finds the connection lost, and `why`."""
        ...


class FarDatabase(Protocol):
    """Where such sessions come from; opening one blocks."""

    def writer(self) -> FarSession:
        """The session of the one writer."""
        ...

    def reader(self) -> FarSession:
        """A session for reads."""
        ...

    def close(self) -> None:
        """End what the sessions share."""
        ...


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A job or a read, and who waits for it."""

    work: Any
    future: asyncio.Future[Any]


class _Lane:
    """One thread, its connection, and the batches that it works off one after another."""

    def __init__(self, name: str, answer_s_max: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._worker = Worker(name)
        self._answer_s_max = answer_s_max
        self._unanswered = 0
        self._batch: list[_Waiting] = []
        self._outcomes: list[Outcome] = []
        self._deadline: asyncio.TimerHandle | None = None
        self._is_idle = True
        self._is_closed = False
        self._closing: asyncio.Future[None] | None = None
        self._session: FarSession | None = None

    async def hand_in(self, work: Any, queue: Callable[[_Waiting], None]) -> Any:
        """Queue the work and wait for its outcome. Raises JournalBusy, JournalLost, and what the work raised."""
        if self._is_closed:
            raise JournalLost("the journal is closed")
        if self._unanswered >= QUEUE_MAX:
            raise JournalBusy(f"{QUEUE_MAX} transactions wait for the journal")
        future: asyncio.Future[Any] = self._loop.create_future()
        self._unanswered += 1
        queue(_Waiting(work, future))
        if self._is_idle:
            self._is_idle = False
            self._loop.call_soon(self._next)  # all that arrive in the same turn are taken together
        return await future

    async def close(self) -> None:
        """Finish what was handed in, then end the thread and its connection. The second call waits for the first."""
        if self._closing is None:
            self._is_closed = True
            self._closing = self._loop.create_future()
            if self._is_idle:
                self._end()
        await asyncio.shield(self._closing)

    def _take(self) -> list[_Waiting]:
        """The next batch; [] if nothing waits."""
        raise NotImplementedError

    def _run(self, works: Sequence[Any]) -> list[Outcome]:
        """One outcome a work. On the thread."""
        raise NotImplementedError

    def _hang_up(self) -> None:
        """End the connection. On the thread."""
        if self._session is not None:
            self._session.close()

    def _next(self) -> None:
        while taken := self._take():
            self._batch = [each for each in taken if not each.future.done()]  # others were cancelled
            self._unanswered -= len(taken) - len(self._batch)
            if self._batch:
                self._deadline = self._loop.call_later(self._answer_s_max, self._cut)
                self._worker.start(self._work, self._answered)
                return
        self._is_idle = True
        if self._is_closed:
            self._end()

    def _work(self) -> None:
        self._outcomes = self._run([each.work for each in self._batch])

    def _cut(self) -> None:
        if self._session is not None:
            self._session.break_off(f"no answer within {self._answer_s_max:g} s")

    def _answered(self, error: BaseException | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        batch, self._batch = self._batch, []
        self._unanswered -= len(batch)
        outcomes = self._outcomes if error is None else _failed(error, len(batch))
        for each, outcome in zip(batch, outcomes, strict=True):
            if each.future.done():  # cancelled meanwhile
                continue
            if isinstance(outcome, Done):
                each.future.set_result(outcome.value)
            else:
                each.future.set_exception(outcome.error)
        self._next()

    def _end(self) -> None:
        self._worker.start(self._hang_up, lambda _error: None)
        self._worker.stop()
        if self._closing is not None and not self._closing.done():
            self._closing.set_result(None)


class _Writing(_Lane):
    """Steps, one account a batch."""

    def __init__(self, database: FarDatabase, answer_s_max: float) -> None:
        super().__init__("journal-steps", answer_s_max)
        self._database = database
        self._writer: BatchWriter | None = None
        self._accounts: dict[AccountId, deque[_Waiting]] = {}

    def queue(self, waiting: _Waiting) -> None:
        """Put it behind its account's."""
        self._accounts.setdefault(waiting.work.account, deque()).append(waiting)

    def queue_first(self, waiting: _Waiting) -> None:
        """Put it before everything that waits, of whatever account."""
        account: AccountId = waiting.work.account
        jobs = self._accounts.pop(account, deque())
        jobs.appendleft(waiting)
        self._accounts = {account: jobs, **self._accounts}

    def _take(self) -> list[_Waiting]:
        if not self._accounts:
            return []
        account = next(iter(self._accounts))
        jobs = self._accounts.pop(account)
        taken = _first(jobs)
        if jobs:
            self._accounts[account] = jobs  # behind the other accounts
        return taken

    def _run(self, works: Sequence[WriteJob]) -> list[Outcome]:
        if self._writer is None:
            self._session = self._database.writer()
            self._writer = BatchWriter(self._session)
        writer = self._writer
        if not writer.open_now():
            writer.open_waiting()
        for job in works:
            writer.add(job)
        writer.seal()
        return writer.take_outcomes(None)


class _Reading(_Lane):
    """Reads, each on one state of its own."""

    def __init__(self, database: FarDatabase, answer_s_max: float) -> None:
        super().__init__("journal-reads", answer_s_max)
        self._database = database
        self._reader: Reader | None = None
        self._reads: deque[_Waiting] = deque()

    def queue(self, waiting: _Waiting) -> None:
        """Put it behind the others."""
        self._reads.append(waiting)

    def _take(self) -> list[_Waiting]:
        return _first(self._reads)

    def _run(self, works: Sequence[Look]) -> list[Outcome]:
        if self._reader is None:
            self._session = self._database.reader()
            self._reader = Reader(self._session)
        return [_look(self._reader, look) for look in works]


class AwayRunner:
    """`runners.Runner`; see the module. Built on the running loop, used from it only."""

    def __init__(self, database: FarDatabase, answer_s_max: float = ANSWER_S_MAX) -> None:
        self._database = database
        self._writing = _Writing(database, answer_s_max)
        self._reading = _Reading(database, answer_s_max)
        self._is_closed = False

    async def write(self, job: WriteJob) -> Any:
        """In a batch of its account."""
        return await self._writing.hand_in(job, self._writing.queue)

    async def write_first(self, job: WriteJob) -> Any:
        """In the next batch."""
        return await self._writing.hand_in(job, self._writing.queue_first)

    async def read(self, look: Callable[[Session], Found]) -> Found:
        """On the reading thread."""
        found: Found = await self._reading.hand_in(look, self._reading.queue)
        return found

    async def read_long(self, look: Callable[[Session], Found]) -> Found:
        """On a thread and a connection of its own."""
        if self._is_closed:
            raise JournalLost("the journal is closed")
        return await asyncio.to_thread(self._read_apart, look)

    def _read_apart(self, look: Callable[[Session], Found]) -> Found:
        reader = Reader(self._database.reader())
        try:
            return reader.run(look)
        finally:
            reader.close()

    async def close(self) -> None:
        """Finish what was handed in, then end."""
        self._is_closed = True
        await self._writing.close()
        await self._reading.close()
        self._database.close()


def _first(jobs: deque[_Waiting]) -> list[_Waiting]:
    return [jobs.popleft() for _ in range(min(len(jobs), BATCH_MAX))]


def _look(reader: Reader, look: Look) -> Outcome:
    try:
        return Done(reader.run(look))
    except BaseException as error:  # noqa: BLE001 the caller is told
        return Failed(_carried(error))


def _carried(error: BaseException) -> BaseException:
    """What a future can carry to its caller."""
    return Unclassified("a read raised StopIteration") if isinstance(error, StopIteration) else error


def _failed(error: BaseException, count: int) -> Iterable[Outcome]:
    """The thread had no connection, or broke: one exception each, so that no two callers share a traceback."""
    said = str(error) if isinstance(error, HoldfastError) else repr(error)
    return [Failed(JournalLost(f"the journal's thread failed: {said}")) for _ in range(count)]
