"""The ways in: a journal in a file, on a PostgreSQL server, in memory.

Opening a file: check the path, create the file (mode 0600), bring its schema up to date, prove the tails of all
chains, and only then hand out a journal. `postgres_opening` does the same on a server.
"""

from __future__ import annotations

import asyncio
import sqlite3
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.domain.errors import CannotStart
from holdfast.journal.audit import verify_tails
from holdfast.journal.away import AwayRunner
from holdfast.journal.batches import Reader
from holdfast.journal.migrate import SCHEMA_VERSION, migrate
from holdfast.journal.runners import InlineRunner, ThreadRunner
from holdfast.journal.sqlite import (
    OPEN_WAIT_MS_MAX,
    READ_WAIT_MS_MAX,
    SqliteSession,
    check_library,
    classify,
    connect_file,
    connect_memory,
    prepare_file,
)
from holdfast.journal.store import SqlJournal

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.journal.backend import Database
    from holdfast.journal.runners import Runner
    from holdfast.ports.clock import Clock

SQLITE_URL_PREFIX = "sqlite:///"
POSTGRES_SCHEME = "postgresql"


def sqlite_path(url: str) -> Path:
    """The file that `sqlite:///PATH` names. Raises CannotStart for any other address."""
    if not url.startswith(SQLITE_URL_PREFIX):
        scheme = url.split(":", 1)[0]
        raise CannotStart(
            f"journal.url begins with {scheme!r}: sqlite:///PATH and postgresql://HOST/DATABASE are supported"
        )
    path = Path(url.removeprefix(SQLITE_URL_PREFIX))
    if not path.is_absolute():
        path = Path("/") / path
    return path


def is_postgres(url: str) -> bool:
    """Tell whether the address names a PostgreSQL database."""
    return url.partition(":")[0].partition("+")[0] == POSTGRES_SCHEME


async def open_journal(url: str, clock: Clock, *, runner: Callable[[Database], Runner] | None = None) -> SqlJournal:
    """Open (or create) the journal at `url`: `sqlite:///` and an absolute path, or `postgresql://...`.

    Raises CannotStart (path, address, schema), JournalLost (no database, not writable), JournalBusy (locked),
    ChainBroken. `runner` is where its work runs; left out, it is what the database is made for.
    """
    if is_postgres(url):
        from holdfast.journal.postgres_opening import PostgresDatabase  # noqa: PLC0415 the driver is slow to import

        server = PostgresDatabase(url, clock)
        await asyncio.to_thread(server.prepare)
        return SqlJournal(AwayRunner(server) if runner is None else runner(server))
    database = FileDatabase(sqlite_path(url), clock)
    await asyncio.to_thread(database.prepare)
    return SqlJournal((runner or ThreadRunner)(database))


def open_standing_server(url: str, clock: Clock) -> SqlJournal:
    """Open the journal on a PostgreSQL server as it stands, its chain unproven, in the caller; nothing is migrated.

    Raises CannotStart (address, no journal, another schema), JournalLost.
    """
    from holdfast.journal.postgres_opening import PostgresDatabase  # noqa: PLC0415 the driver is slow to import

    server = PostgresDatabase(url, clock)
    check_version(server.version(), server.shown)
    return SqlJournal(InlineRunner(server))


def check_version(found: str | None, shown: str) -> None:
    """Raise CannotStart unless the version that stands there is this code's."""
    if found is None:
        raise CannotStart(f"there is no journal at {shown} yet: `holdfast run` makes it at its first start")
    if found != SCHEMA_VERSION:
        raise CannotStart(
            f"the journal {shown} has schema version {found}, this Holdfast knows {SCHEMA_VERSION}: "
            "use the version of Holdfast that runs it, or start `holdfast run` of this one first"
        )


def open_inline_journal(clock: Clock) -> SqlJournal:
    """A journal in memory whose work runs in the caller: no thread, no file, gone when closed."""
    check_library()
    return SqlJournal(InlineRunner(MemoryDatabase(clock)))


class FileDatabase:
    """Sessions of one file."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock

    def prepare(self) -> None:
        """Create or migrate the file and prove the tails of its chains; see `open_journal` for what it raises."""
        check_library()
        prepare_file(self._path)
        session = self._session(OPEN_WAIT_MS_MAX)
        try:
            migrate(session.connection)
            Reader(session).run(verify_tails)
        except sqlite3.Error as error:
            raise (classify(error) or error) from error
        finally:
            session.close()

    def writer(self) -> SqliteSession:
        """A durable connection, which asks for the lock itself (`begin_write`)."""
        return self._session(0)

    def reader(self) -> SqliteSession:
        """Another connection to the same file."""
        return self._session(READ_WAIT_MS_MAX)

    def close(self) -> None:
        """Nothing is shared."""

    def _session(self, wait_ms: int) -> SqliteSession:
        try:
            return SqliteSession(connect_file(self._path, wait_ms), self._clock, self._path)
        except sqlite3.Error as error:
            raise (classify(error) or error) from error


class MemoryDatabase:
    """One session in memory, shared by writer and reader, which never overlap inline."""

    def __init__(self, clock: Clock) -> None:
        self._session = SqliteSession(migrated_memory(), clock)

    def writer(self) -> SqliteSession:
        """The session."""
        return self._session

    def reader(self) -> SqliteSession:
        """The session."""
        return self._session

    def close(self) -> None:
        """Writer and reader closed it."""


def migrated_memory() -> sqlite3.Connection:
    """An empty journal in memory: migrating takes 25 ms, copying 0.1 ms, and a world opens thousands."""
    connection = connect_memory()
    connection.deserialize(_image())
    return connection


@lru_cache(maxsize=1)
def _image() -> bytes:
    connection = connect_memory()
    migrate(connection)
    image = connection.serialize()
    connection.close()
    return image
