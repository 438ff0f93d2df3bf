"""Where the journal's work runs. The rest of the journal knows neither threads nor the loop.

ThreadRunner   a writer lane and a reader lane, each with its own thread and connection: in life
InlineRunner   in the caller, one job a transaction, no thread at all: the deterministic world, unit tests
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from holdfast.domain.errors import JournalLost
from holdfast.journal.batches import BatchReader, BatchWriter, Done, ReadJob, WriteJob
from holdfast.journal.lanes import Lane

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.journal.backend import Database, Session
    from holdfast.journal.batches import Outcome


class Runner(Protocol):
    """Runs jobs. Both raise what the job raised, JournalBusy, JournalLost."""

    async def write(self, job: WriteJob) -> Any:
        """Run a job in a transaction; returns after the commit is durable."""
        ...

    async def read(self, run: Callable[[Session], Any]) -> Any:
        """Run a read on one consistent state, not older than the last acknowledged write."""
        ...

    async def read_long(self, run: Callable[[Session], Any]) -> Any:
        """The same for a read that takes long: other reads do not wait for it."""
        ...

    async def close(self) -> None:
        """Finish, then end threads and connections."""
        ...


def _value(outcome: Outcome) -> Any:
    match outcome:
        case Done(value):
            return value
        case _:
            raise outcome.error


class ThreadRunner:
    """Two threads; see the module. Built on the running loop, used from it only."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writer = BatchWriter(database.writer())
        self._reader = BatchReader(database.reader())
        self._writes: Lane[WriteJob] = Lane("journal-writer", self._writer.run)
        self._reads: Lane[ReadJob] = Lane("journal-reader", self._reader.run)

    async def write(self, job: WriteJob) -> Any:
        """Group it with whatever else waits."""
        return await self._writes.run(job)

    async def read(self, run: Callable[[Session], Any]) -> Any:
        """On the reader's connection: it does not wait for the writer's fsync."""
        return await self._reads.run(ReadJob(run))

    async def read_long(self, run: Callable[[Session], Any]) -> Any:
        """On a thread and a connection of its own."""
        return await asyncio.to_thread(self._read_apart, run)

    def _read_apart(self, run: Callable[[Session], Any]) -> Any:
        reader = BatchReader(self._database.reader())
        try:
            return _value(reader.run([ReadJob(run)])[0])
        finally:
            reader.close()

    async def close(self) -> None:
        """Writer first: what was acknowledged is readable until the end."""
        await self._writes.close()
        await self._reads.close()
        self._reader.close()
        self._writer.close()
        self._database.close()


class InlineRunner:
    """Everything in the caller; see the module."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writer = BatchWriter(database.writer())
        self._reader = BatchReader(database.reader())
        self._closed = False

    async def write(self, job: WriteJob) -> Any:
        """Now."""
        self._check_open()
        return _value(self._writer.run([job])[0])

    async def read(self, run: Callable[[Session], Any]) -> Any:
        """Now."""
        self._check_open()
        return _value(self._reader.run([ReadJob(run)])[0])

    async def read_long(self, run: Callable[[Session], Any]) -> Any:
        """Now."""
        return await self.read(run)

    async def close(self) -> None:
        """End the connections."""
        if not self._closed:
            self._closed = True
            self._reader.close()
            self._writer.close()
            self._database.close()

    def _check_open(self) -> None:
        if self._closed:
            raise JournalLost("the journal is closed")
