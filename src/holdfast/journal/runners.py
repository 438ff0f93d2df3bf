"""Where the journal's work runs. The rest of the journal knows neither threads nor the loop.

    ThreadRunner   steps on the loop, commits on a worker thread, grouped (`groups`); reads on the loop: in life
    InlineRunner   in the caller, one job a transaction, no thread at all: the deterministic world, unit tests

Reads use a connection of their own, so they never wait for a writer's fsync, and run on the loop: the reads of a
permit take 50 microseconds, less than a trip to a thread and back.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from holdfast.domain.errors import JournalLost
from holdfast.journal.batches import BatchWriter, Done, Reader
from holdfast.journal.groups import GroupWriter

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.journal.backend import Database, Session
    from holdfast.journal.batches import Found, WriteJob


class Runner(Protocol):
    """Runs jobs. All raise what the job raised, JournalBusy, JournalLost."""

    async def write(self, job: WriteJob) -> Any:
        """Run a job in a transaction; returns after the commit is durable."""
        ...

    async def write_first(self, job: WriteJob) -> Any:
        """The same, before every job that waits for its turn."""
        ...

    async def read(self, look: Callable[[Session], Found]) -> Found:
        """Run a read on one consistent state, not older than the last acknowledged write."""
        ...

    async def read_long(self, look: Callable[[Session], Found]) -> Found:
        """The same for a read that takes long: nothing else waits for it."""
        ...

    async def close(self) -> None:
        """Finish, then end threads and connections."""
        ...


class ThreadRunner:
    """See the module. Built on the running loop, used from it only."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writer = BatchWriter(database.writer())
        self._reader = Reader(database.reader())
        self._groups = GroupWriter(self._writer)
        self._is_closed = False

    async def write(self, job: WriteJob) -> Any:
        """Group it with whatever else waits."""
        return await self._groups.run(job)

    async def write_first(self, job: WriteJob) -> Any:
        """Group it with whatever else waits, at the head."""
        return await self._groups.run_first(job)

    async def read(self, look: Callable[[Session], Found]) -> Found:
        """Now, on the reader's connection."""
        _check_open(self._is_closed)
        return self._reader.run(look)

    async def read_long(self, look: Callable[[Session], Found]) -> Found:
        """On a thread and a connection of its own."""
        _check_open(self._is_closed)
        return await asyncio.to_thread(self._read_apart, look)

    def _read_apart(self, look: Callable[[Session], Found]) -> Found:
        reader = Reader(self._database.reader())
        try:
            return reader.run(look)
        finally:
            reader.close()

    async def close(self) -> None:
        """Finish what was handed in, then end."""
        await self._groups.close()
        if not self._is_closed:
            self._is_closed = True
            self._reader.close()
            self._writer.close()
            self._database.close()


class InlineRunner:
    """Everything in the caller; see the module."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writer = BatchWriter(database.writer())
        self._reader = Reader(database.reader())
        self._is_closed = False

    async def write(self, job: WriteJob) -> Any:
        """Now."""
        _check_open(self._is_closed)
        outcome = self._writer.run(job)
        if isinstance(outcome, Done):
            return outcome.value
        raise outcome.error

    async def write_first(self, job: WriteJob) -> Any:
        """Now."""
        return await self.write(job)

    async def read(self, look: Callable[[Session], Found]) -> Found:
        """Now."""
        _check_open(self._is_closed)
        return self._reader.run(look)

    async def read_long(self, look: Callable[[Session], Found]) -> Found:
        """Now."""
        return await self.read(look)

    async def close(self) -> None:
        """End the connections."""
        if not self._is_closed:
            self._is_closed = True
            self._reader.close()
            self._writer.close()
            self._database.close()


def _check_open(is_closed: bool) -> None:  # noqa: FBT001 a private check of one fact
    if is_closed:
        raise JournalLost("the journal is closed")
