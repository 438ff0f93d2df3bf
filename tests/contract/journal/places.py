"""Where the contract is held: a file with its thread, memory, a PostgreSQL server; and clocks that tests set."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import psycopg

from holdfast.journal import open_inline_journal, open_journal
from holdfast.journal.schema import metadata

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from holdfast.journal.backend import Database, Session
    from holdfast.journal.runners import Runner
    from holdfast.journal.sql import Row
    from holdfast.journal.store import SqlJournal
    from holdfast.ports.clock import Clock
    from tests.postgres import PostgresServer

Outcome = TypeVar("Outcome")
_TABLES = {*metadata.tables, "alembic_version"}


@dataclass
class SetClock:
    """A clock that stands still until a test moves it."""

    ms: int = 1_700_000_000_000

    def now_ms(self) -> int:
        """The set time."""
        return self.ms

    def monotonic_ns(self) -> int:
        """The set time, in nanoseconds."""
        return self.ms * 1_000_000


@dataclass
class MemoryPlace:
    """A journal in memory whose work runs in the caller."""

    clock: SetClock = field(default_factory=SetClock)

    def run(self, body: Callable[[SqlJournal], Awaitable[Outcome]]) -> Outcome:
        """Open, run the body, close."""

        async def main() -> Outcome:
            journal = open_inline_journal(self.clock)
            try:
                return await body(journal)
            finally:
                await journal.close()

        return asyncio.run(main())


@dataclass
class FilePlace:
    """A journal in a file; what one `run` leaves, the next one finds."""

    path: Path
    clock: SetClock = field(default_factory=SetClock)

    @property
    def url(self) -> str:
        """The address that settings would carry."""
        return f"sqlite:///{self.path}"

    @property
    def shared_url(self) -> str:
        """The address for other processes, whose clock is real."""
        return self.url

    def run(
        self,
        body: Callable[[SqlJournal], Awaitable[Outcome]],
        runner: Callable[[Database], Runner] | None = None,
    ) -> Outcome:
        """Open, run the body, close."""
        return asyncio.run(_open_and_run(self.url, self.clock, body, runner))

    def tamper(self, statement: str, values: Row = ()) -> int:
        """Change the file behind the journal's back; the number of rows changed."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            return connection.execute(statement, values).rowcount


@dataclass
class OtherWriter:
    """A database whose writer's session is the test's."""

    database: Database
    make: Callable[[], Session]

    def writer(self) -> Session:
        """The test's."""
        return self.make()

    def reader(self) -> Session:
        """As it was."""
        return self.database.reader()

    def close(self) -> None:
        """As it was."""
        self.database.close()


class ServerClock:
    """The clock of one database's server, which stands still until a test moves it.

    It is a function that hides the server's own, found first by the `search_path` of the address.
    """

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        for statement in (
            "CREATE SCHEMA IF NOT EXISTS fake",
            "CREATE TABLE IF NOT EXISTS fake.time (ms bigint)",
            "DELETE FROM fake.time",
            "INSERT INTO fake.time VALUES (0)",
            (
                "CREATE OR REPLACE FUNCTION fake.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS "
                "'SELECT to_timestamp(ms / 1000.0) FROM fake.time'"
            ),
        ):
            self._connection.execute(statement.encode())
        self.ms = SetClock.ms

    @property
    def ms(self) -> int:
        """The set time."""
        return self._ms

    @ms.setter
    def ms(self, value: int) -> None:
        self._ms = value
        self._connection.execute("UPDATE fake.time SET ms = %s", (value,))

    def now_ms(self) -> int:
        """This machine's clock agrees with the server's."""
        return self._ms

    def monotonic_ns(self) -> int:
        """The set time, in nanoseconds."""
        return self._ms * 1_000_000

    def close(self) -> None:
        """End its connection."""
        self._connection.close()


class ServerPlace:
    """A journal in a database on the tests' PostgreSQL; what one `run` leaves, the next one finds."""

    def __init__(self, server: PostgresServer, database: str) -> None:
        self.server = server
        self.database = database
        self.clock = ServerClock(server.url(database))

    @property
    def url(self) -> str:
        """The address that settings would carry."""
        return self.shared_url + "?options=-csearch_path%3Dpublic,fake,pg_catalog"

    @property
    def shared_url(self) -> str:
        """The address for other processes, whose clock is real: so is the server's."""
        return self.server.url(self.database)

    def run(
        self,
        body: Callable[[SqlJournal], Awaitable[Outcome]],
        runner: Callable[[Database], Runner] | None = None,
    ) -> Outcome:
        """Open, run the body, close."""
        return asyncio.run(_open_and_run(self.url, self.clock, body, runner))

    def tamper(self, statement: str, values: Row = ()) -> int:
        """Change the tables behind the journal's back, past their rules; the number of rows changed."""
        with psycopg.connect(self.shared_url, autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            return connection.execute(statement.encode(), values or None).rowcount

    def close(self) -> None:
        """Leave an empty journal to the next test: making a database anew costs a second on a busy disk."""
        self.clock.close()
        with psycopg.connect(self.shared_url, autocommit=True) as connection:
            found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            names = {row[0] for row in found}
            statements = ["SET session_replication_role = replica", *(f"DROP TABLE {name}" for name in names - _TABLES)]
            statements += [f"DELETE FROM {name}" for name in names & set(metadata.tables)]  # noqa: S608 - our own names
            connection.execute("; ".join(statements).encode())


async def _open_and_run(
    url: str,
    clock: Clock,
    body: Callable[[SqlJournal], Awaitable[Outcome]],
    runner: Callable[[Database], Runner] | None,
) -> Outcome:
    journal = await open_journal(url, clock, runner=runner)
    try:
        return await body(journal)
    finally:
        await journal.close()


LastingPlace = FilePlace | ServerPlace
Place = MemoryPlace | LastingPlace
