"""Commits: nothing is acknowledged before them, the loop goes on during them, and one that fails is the last."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.errors import JournalLost
from holdfast.journal import InlineRunner, ThreadRunner
from holdfast.journal.groups import GROUP_MAX
from holdfast.journal.sqlite import READ_WAIT_MS_MAX, SqliteSession, connect_file
from tests.contract.journal.places import OtherWriter
from tests.contract.journal.samples import ACCOUNT, LEG, add_one, get

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.journal.backend import Database
    from holdfast.journal.runners import Runner
    from holdfast.journal.store import SqlJournal
    from tests.contract.journal.places import FilePlace

SECONDS_MAX = 10


class _GatedCommits(SqliteSession):
    """Commits once the gate opens; counts them."""

    def __init__(self, connection: sqlite3.Connection, place: FilePlace) -> None:
        super().__init__(connection, place.clock)
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.commits = 0

    def commit(self) -> None:
        self.commits += 1
        self.entered.set()
        if not self.gate.wait(SECONDS_MAX):
            raise RuntimeError("the loop stood still during the commit")
        super().commit()


def test_loop_goes_on_during_a_commit_and_nothing_is_acknowledged_before_it(file_place: FilePlace) -> None:
    """While a commit waits for the disk the loop runs and queries answer, and no step of the group is done."""
    file_place.run(add_one)
    session = _GatedCommits(connect_file(file_place.path, 0), file_place)

    async def body(journal: SqlJournal) -> None:
        first = asyncio.ensure_future(add_one(journal))
        assert await asyncio.to_thread(session.entered.wait, SECONDS_MAX)
        later = [asyncio.ensure_future(add_one(journal)) for _ in range(60)]
        for _ in range(100):
            assert (await get(journal, lambda reads: reads.leg(LEG))).version == 1
            await asyncio.sleep(0)
        assert not any(step.done() for step in (first, *later))
        session.gate.set()
        assert await asyncio.gather(first, *later) == list(range(1, 62))
        assert session.commits == 2  # the first alone, then all that waited meanwhile together

    file_place.run(body, runner=lambda database: ThreadRunner(OtherWriter(database, lambda: session)))


def test_a_lease_is_renewed_before_hundreds_of_steps_that_wait(file_place: FilePlace) -> None:
    """A renewal that comes last goes into the next commit, ahead of more steps than one commit takes."""
    file_place.run(add_one)
    session = _GatedCommits(connect_file(file_place.path, 0), file_place)

    async def body(journal: SqlJournal) -> None:
        session.gate.set()
        fence = await journal.acquire(ACCOUNT, "apply", "one", 5_000)
        assert fence is not None
        session.gate.clear()
        session.entered.clear()
        steps = [asyncio.ensure_future(add_one(journal))]
        assert await asyncio.to_thread(session.entered.wait, SECONDS_MAX)
        steps += [asyncio.ensure_future(add_one(journal)) for _ in range(2 * GROUP_MAX)]
        await asyncio.sleep(0)
        renewal = asyncio.ensure_future(journal.renew(fence, 5_000))
        await asyncio.sleep(0)
        session.gate.set()
        await renewal
        assert sum(step.done() for step in steps) <= GROUP_MAX
        await asyncio.gather(*steps)

    file_place.run(body, runner=lambda database: ThreadRunner(OtherWriter(database, lambda: session)))


class _FailingCommits(SqliteSession):
    """Every commit fails as a disk does."""

    def commit(self) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
        error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
        raise error


@pytest.mark.parametrize("kind", [ThreadRunner, InlineRunner])
def test_failed_commit_ends_the_journal(file_place: FilePlace, kind: Callable[[Database], Runner]) -> None:
    """A commit that fails is JournalLost to its whole group and to all later steps; nothing of it is there."""
    file_place.run(add_one)

    async def body(journal: SqlJournal) -> None:
        outcomes = await asyncio.gather(*(add_one(journal) for _ in range(10)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [JournalLost] * 10
        assert len({id(outcome) for outcome in outcomes}) == 10
        with pytest.raises(JournalLost, match=r"IOERR_FSYNC.*until the journal was reopened"):
            await journal.acquire(ACCOUNT, "apply", "one", 1_000)
        assert (await get(journal, lambda reads: reads.leg(LEG))).version == 1

    def failing() -> SqliteSession:
        return _FailingCommits(connect_file(file_place.path, 0), file_place.clock)

    file_place.run(body, runner=lambda database: kind(OtherWriter(database, failing)))
    assert file_place.run(add_one) == 1


def test_connections_are_durable(file_place: FilePlace) -> None:
    """Every connection writes ahead, syncs at each commit, and enforces foreign keys."""
    file_place.run(add_one)
    with closing(connect_file(file_place.path, READ_WAIT_MS_MAX)) as connection:
        values = [
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert values == ["wal", 2, 1, READ_WAIT_MS_MAX]
