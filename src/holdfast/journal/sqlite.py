"""SQLite: connections, pragmas, transactions, and what its error codes mean.

Durability: WAL with `synchronous=FULL`, so COMMIT returns after the log is on disk. `BEGIN IMMEDIATE` takes the one
write lock before anything is read; several processes may share the file. Readers use a connection of their own
and see the state of the moment their transaction began, without waiting for a writer's fsync.

    BUSY, LOCKED                                    JournalBusy   nothing was changed, ask again
    FULL, IOERR, READONLY, CORRUPT, NOTADB, ...     JournalLost   the disk or the file; a person must look
    the file was removed, replaced, cut meanwhile   JournalLost   what was written would be gone with this process
    CONSTRAINT                                      Unclassified  a step broke a rule of the schema: a bug of ours
"""

from __future__ import annotations

import os
import sqlite3
import time
from typing import TYPE_CHECKING

from holdfast.domain.errors import CannotStart, HoldfastError, JournalBusy, JournalLost, Unclassified

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from holdfast.journal.sql import Row
    from holdfast.ports.clock import Clock

LOCK_POLL_S = 0.0005
"""SQLite's own waiting goes from 1 to 100 ms a try; a neighbour's transaction lasts half a millisecond."""
READ_WAIT_MS_MAX = 250
"""How long a read may wait for the rare exclusive moments of WAL (recovery, a last close)."""
OPEN_WAIT_MS_MAX = 5_000
"""How long opening may wait for another process that creates or migrates the same file."""
STATEMENTS_CACHED = 256
SQLITE_VERSION_MIN = (3, 35, 0)
"""RETURNING."""
FILE_MODE = 0o600

_BUSY_CODES = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_PRIMARY_CODE = 0xFF


class SqliteSession:
    """`backend.Session` over one connection."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock, path: Path | None = None) -> None:
        """`path` is the file that the connection is open on; None for a database in memory."""
        self.connection = connection
        self._path = path
        self._known: tuple[os.stat_result, os.stat_result] | None = None
        self._cursor = connection.cursor()  # one for all: every result is fetched before the next statement
        self._clock = clock

    def one(self, statement: str, values: Row) -> Row | None:
        """The first row, or None."""
        row: Row | None = self._cursor.execute(statement, values).fetchone()
        return row

    def all(self, statement: str, values: Row) -> list[Row]:
        """All rows."""
        return self._cursor.execute(statement, values).fetchall()

    def run(self, statement: str, values: Row) -> None:
        """Execute."""
        self._cursor.execute(statement, values)

    def run_many(self, statement: str, rows: Iterable[Row]) -> None:
        """Execute once a row."""
        self.connection.executemany(statement, rows)

    def now_ms(self) -> int:
        """The Clock port's reading."""
        return self._clock.now_ms()

    def begin_write(self, lock_tries: int) -> bool:
        """Take the write lock of the file."""
        for attempt in range(lock_tries):
            if attempt > 0:
                time.sleep(LOCK_POLL_S)  # only in the worker thread, and never on a database in memory
            try:
                self.connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not is_busy(error):
                    raise
            else:
                self._check_files()
                return True
        return False

    def _check_files(self) -> None:
        """Raise JournalLost if the path names another file than the one that is open, or none, or one that was cut.

        SQLite itself goes on writing into a file that somebody removed or replaced: all of that would be gone with the
        process. The log stands beside the file as long as we are connected; the file itself never shrinks by itself.
        """
        if self._path is None:
            return
        try:
            found = self._path.stat(), self._path.with_name(f"{self._path.name}-wal").stat()
        except OSError as error:
            raise JournalLost(f"the journal's file was removed while it was open: {error}") from error
        known, self._known = self._known, found
        if known is None:
            return
        if not all(map(os.path.samestat, known, found)):
            raise JournalLost(f"the journal {self._path} was replaced while it was open")
        if found[0].st_size < known[0].st_size:
            raise JournalLost(f"the journal {self._path} was cut while it was open")

    def begin_read(self) -> None:
        """Fix the state that this transaction sees before the clock is read."""
        self.connection.execute("BEGIN")
        self.connection.execute("SELECT version_num FROM alembic_version").fetchone()

    def lock_account(self, account: str) -> None:
        """Nothing to do: `begin_write` locked the whole file."""

    def begin_step(self) -> None:
        """Savepoint."""
        self._cursor.execute("SAVEPOINT step")

    def keep_step(self) -> None:
        """Keep."""
        self._cursor.execute("RELEASE step")

    def undo_step(self) -> None:
        """Undo."""
        self.connection.execute("ROLLBACK TO step")
        self.connection.execute("RELEASE step")

    def commit(self) -> None:
        """Commit; durable on return."""
        self.connection.execute("COMMIT")

    def roll_back(self) -> None:
        """Roll back what is open; SQLite itself may have done so after an error."""
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")

    def classify(self, error: BaseException) -> HoldfastError | None:
        """See the module's table."""
        return classify(error)

    def close(self) -> None:
        """End the connection."""
        self.connection.close()


def is_busy(error: sqlite3.Error) -> bool:
    """Tell whether the error says that somebody else holds a lock."""
    return (getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE) in _BUSY_CODES


def classify(error: BaseException) -> HoldfastError | None:
    """The journal's name for SQLite's error; None if it is none of SQLite's."""
    if not isinstance(error, sqlite3.Error):
        return None
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    if is_busy(error):
        return JournalBusy(f"the journal is locked ({name}: {error})")
    if isinstance(error, (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError)):
        return Unclassified(f"a step broke a rule of the journal ({name}: {error})")
    return JournalLost(f"the journal's database failed ({name}: {error})")


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=STATEMENTS_CACHED
    )
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def check_library() -> None:
    """Raise CannotStart if Python's SQLite is too old."""
    if sqlite3.sqlite_version_info < SQLITE_VERSION_MIN:
        raise CannotStart(f"SQLite {sqlite3.sqlite_version} is too old, Holdfast needs 3.35 or newer")


def prepare_file(path: Path) -> None:
    """Create the file with mode 0600 if it is missing. Raises CannotStart, or JournalLost if it can't be written."""
    if not path.parent.is_dir():
        raise CannotStart(f"the journal's directory {path.parent} does not exist: create it, or change journal.url")
    if path.is_dir():
        raise CannotStart(f"{path} is a directory: journal.url must name a file")
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE))
    except PermissionError as error:
        raise JournalLost(f"the journal {path} may not be written: {error.strerror}") from error
    except OSError as error:
        raise CannotStart(f"the journal {path} cannot be opened: {error.strerror}") from error


def connect_file(path: Path, wait_ms: int) -> sqlite3.Connection:
    """A durable connection to the file, whose statements wait up to `wait_ms` for others' locks.

    Raises SQLite's errors for what is no database, CannotStart without WAL.
    """
    connection = _connect(str(path))
    try:
        connection.execute(f"PRAGMA busy_timeout = {OPEN_WAIT_MS_MAX}")
        mode = _switch_to_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")
        connection.execute(f"PRAGMA busy_timeout = {wait_ms}")
    except sqlite3.Error:
        connection.close()
        raise
    if mode != "wal":
        connection.close()
        raise CannotStart(
            f"the file system of {path} does not allow SQLite's write-ahead log ({mode}): use a local disk"
        )
    return connection


def _switch_to_wal(connection: sqlite3.Connection) -> str:
    """Turn the log on. SQLite does not wait here by itself while another process does the same to a new file."""
    deadline_s = (
        time.monotonic() + OPEN_WAIT_MS_MAX / 1000
    )  # a try may itself wait for a lock: their number is no bound
    while True:
        try:
            return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > deadline_s:
                raise
        time.sleep(LOCK_POLL_S)


def connect_memory() -> sqlite3.Connection:
    """A database that lives as long as its connection."""
    return _connect(":memory:")
