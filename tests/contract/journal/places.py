"""Where the contract is held: a file with its thread, and memory in the caller; and a clock that tests set."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from holdfast.journal import ThreadRunner, open_inline_journal, open_journal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from holdfast.journal.backend import Database, Session
    from holdfast.journal.runners import Runner
    from holdfast.journal.sql import Row
    from holdfast.journal.store import SqlJournal

Outcome = TypeVar("Outcome")


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

    def run(
        self,
        body: Callable[[SqlJournal], Awaitable[Outcome]],
        runner: Callable[[Database], Runner] = ThreadRunner,
    ) -> Outcome:
        """Open, run the body, close."""

        async def main() -> Outcome:
            journal = await open_journal(self.url, self.clock, runner=runner)
            try:
                return await body(journal)
            finally:
                await journal.close()

        return asyncio.run(main())

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


Place = MemoryPlace | FilePlace
