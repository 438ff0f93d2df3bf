"""The disk under the journal, in memory: the journal's own SQLite code on a database that outlives its processes.

    commit      durable when it returns (in life: WAL, synchronous=FULL, proven by the power drill)
    power loss  what was not committed is gone, what was committed is there
    full        SQLite itself refuses to grow the file (SQLITE_FULL), in the middle of whatever statement needs a page;
                what fits into pages that it already has is still written
    opening     an empty journal costs a copy of a migrated image; an older one is proven as in life (chain tails)

All processes share one connection. That is no loss: a step runs without an await from BEGIN to COMMIT, so two
transactions never overlap in this world, and a process never dies within one; what a crash does there is `lose_power`
with the transaction open, which the tests do by hand.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from holdfast.journal.audit import verify_tails
from holdfast.journal.batches import Reader
from holdfast.journal.opening import migrated_memory
from holdfast.journal.sqlite import SqliteSession
from holdfast.journal.statements import ENTRY_NEW

if TYPE_CHECKING:
    from holdfast.domain.errors import HoldfastError
    from holdfast.journal.sql import Row
    from holdfast.ports.clock import Clock

PAGES_MAX = 2**30
"""No limit to speak of."""


class Disk:
    """One journal's file. `database` opens it for a process, as often as there are processes."""

    def __init__(self) -> None:
        self._connection = migrated_memory()
        self._is_full = False
        self.entries = 0
        """Journal entries that were ever put, also those of a transaction that was undone."""
        self.refusals = 0
        """How often a statement really failed because the disk was full."""

    @property
    def is_full(self) -> bool:
        """Whether the file may not grow."""
        return self._is_full

    @is_full.setter
    def is_full(self, is_full: bool) -> None:
        self._is_full = is_full
        pages = self._connection.execute("PRAGMA page_count").fetchone()[0] if is_full else PAGES_MAX
        self._connection.execute(f"PRAGMA max_page_count = {pages}")

    def lose_power(self) -> None:
        """Undo what is not committed. The processes that used the disk are dead now, or must be."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def database(self, clock: Clock) -> DiskDatabase:
        """Open the journal for one process. Raises ChainBroken, as opening a file does."""
        database = DiskDatabase(DiskSession(self, self._connection, clock))
        Reader(database.reader()).run(verify_tails)
        return database

    def image(self) -> bytes:
        """The whole file, byte for byte."""
        return self._connection.serialize()


class DiskSession(SqliteSession):
    """A session whose end leaves the disk as it is."""

    def __init__(self, disk: Disk, connection: sqlite3.Connection, clock: Clock) -> None:
        super().__init__(connection, clock)
        self._disk = disk

    def classify(self, error: BaseException) -> HoldfastError | None:
        """As in life; a full disk is counted."""
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            self._disk.refusals += 1
        return super().classify(error)

    def run(self, statement: str, values: Row) -> None:
        """As in life; what the oracle has to read is counted."""
        if statement is ENTRY_NEW:
            self._disk.entries += 1
        super().run(statement, values)

    def begin_read(self) -> None:
        """Nothing: a read runs without an await, and nothing is uncommitted between two steps."""

    def close(self) -> None:
        """Nothing: the disk stays."""


class DiskDatabase:
    """`journal.backend.Database`: one session for writer and reader, which never overlap in this world."""

    def __init__(self, session: DiskSession) -> None:
        self._session = session

    def writer(self) -> DiskSession:
        """The session."""
        return self._session

    def reader(self) -> DiskSession:
        """The session."""
        return self._session

    def close(self) -> None:
        """Nothing: the disk stays."""
