"""The file: how it is made, what is refused as a journal, and what a failing disk or a foreign lock does."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.errors import CannotStart, JournalBusy, JournalLost
from holdfast.journal import InlineRunner, ThreadRunner
from holdfast.journal.sqlite import SqliteSession, connect_file
from tests.contract.journal.places import FilePlace, OtherWriter
from tests.contract.journal.samples import ACCOUNT, HOLD, LEG, RESULT, add_one, drift_entry, get, put

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from holdfast.journal.backend import Database
    from holdfast.journal.runners import Runner
    from holdfast.journal.store import SqlJournal


def test_file_is_created_for_its_owner_alone(file_place: FilePlace) -> None:
    """A missing file is created with mode 0600, its log and shared memory as well."""

    async def body(journal: SqlJournal) -> None:
        await add_one(journal)
        files = sorted(file_place.path.parent.iterdir())
        assert [file.name for file in files] == ["journal.sqlite", "journal.sqlite-shm", "journal.sqlite-wal"]
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}

    file_place.run(body)


def test_restart_finds_everything(file_place: FilePlace) -> None:
    """What one process acknowledged, the next one reads: state, entries, leases."""

    async def before(journal: SqlJournal) -> None:
        assert await journal.acquire(ACCOUNT, "apply", "one", 1_000) is not None
        await put(
            journal, lambda tx: tx.put_hold(HOLD), lambda tx: tx.set_stamp(5), lambda tx: tx.append(drift_entry("x"))
        )
        await put(journal, lambda tx: tx.put_plan(RESULT.plan_id, "h", "BTCUSDT", RESULT))  # type: ignore[arg-type]  # results carry plain text

    async def after(journal: SqlJournal) -> None:
        assert await get(journal, lambda reads: reads.open_holds(None)) == (HOLD,)
        assert await get(journal, lambda reads: reads.unpublished_results(5)) == (RESULT,)
        account = await get(journal, lambda reads: reads.account())
        assert (account.stamp_ms, account.last_seq) == (5, 2)
        assert await journal.acquire(ACCOUNT, "apply", "two", 1_000) is None
        await add_one(journal)
        assert await journal.verify(ACCOUNT) == 3

    file_place.run(before)
    file_place.run(after)


def test_missing_directory_and_wrong_address_can_not_start(tmp_path: Path) -> None:
    """A path that can not work is refused with words that say what to change."""
    for place, words in (
        (FilePlace(tmp_path / "no" / "journal.sqlite"), "does not exist: create it"),
        (FilePlace(tmp_path), "is a directory"),
    ):
        with pytest.raises(CannotStart, match=words):
            place.run(add_one)


def test_other_schemes_can_not_start(tmp_path: Path) -> None:
    """An address of another kind is refused by name."""

    class Elsewhere(FilePlace):
        @property
        def url(self) -> str:
            return "mysql://somewhere/db"

    with pytest.raises(CannotStart, match="'mysql'"):
        Elsewhere(tmp_path).run(add_one)


def test_file_that_is_no_database_is_lost(file_place: FilePlace) -> None:
    """A file with other content is JournalLost, and stays as it is."""
    file_place.path.write_bytes(b"this is not a database at all" * 100)
    with pytest.raises(JournalLost, match="file is not a database"):
        file_place.run(add_one)
    assert file_place.path.read_bytes().startswith(b"this is not")


def test_damaged_pages_are_lost(file_place: FilePlace) -> None:
    """A database whose pages were overwritten is JournalLost, never an empty journal."""
    file_place.run(add_one)
    content = bytearray(file_place.path.read_bytes())
    content[4096:] = b"\xaa" * (len(content) - 4096)
    file_place.path.write_bytes(content)
    with pytest.raises(JournalLost, match="malformed"):
        file_place.run(add_one)


def test_database_of_another_program_can_not_start(file_place: FilePlace) -> None:
    """A database with other tables is left alone."""
    with closing(sqlite3.connect(file_place.path)) as connection:
        connection.execute("CREATE TABLE song (title TEXT)")
    with pytest.raises(CannotStart, match="no Holdfast journal"):
        file_place.run(add_one)


def test_journal_of_a_newer_version_can_not_start(file_place: FilePlace) -> None:
    """A schema newer than this code is refused, not guessed at."""
    file_place.run(add_one)
    file_place.tamper("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(CannotStart, match="run the newer Holdfast"):
        file_place.run(add_one)


def test_lock_held_elsewhere_is_busy_and_passes(file_place: FilePlace) -> None:
    """While another process holds the lock a step ends as JournalBusy, unchanged; afterwards steps work again."""

    async def body(journal: SqlJournal) -> None:
        await add_one(journal)
        with closing(sqlite3.connect(file_place.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            outcomes = await asyncio.gather(*(add_one(journal) for _ in range(3)), return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [JournalBusy] * 3
            assert (await get(journal, lambda reads: reads.leg(LEG))).version == 1
            other.execute("ROLLBACK")
        assert await add_one(journal) == 1

    file_place.run(body)


def test_loop_goes_on_while_the_lock_is_awaited(file_place: FilePlace) -> None:
    """A step that waits for another process's lock lets queries and other tasks run, and is done once it is free."""

    async def body(journal: SqlJournal) -> None:
        with closing(sqlite3.connect(file_place.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            step = asyncio.ensure_future(add_one(journal))
            for _ in range(100):
                assert (await get(journal, lambda reads: reads.leg(LEG))).version == 0
                await asyncio.sleep(0)
            assert not step.done()
            other.execute("COMMIT")
        assert await step == 0

    file_place.run(body)


@pytest.mark.parametrize("kind", [ThreadRunner, InlineRunner])
@pytest.mark.parametrize(
    ("pragma", "words"),
    [
        ("PRAGMA max_page_count = 1", "SQLITE_FULL.*full"),
        ("PRAGMA query_only = ON", "SQLITE_READONLY.*readonly"),
    ],
)
def test_failing_disk_is_lost_for_good(
    file_place: FilePlace, kind: Callable[[Database], Runner], pragma: str, words: str
) -> None:
    """A full or read-only disk ends every step of the group as JournalLost, and all later ones until reopened."""
    file_place.run(add_one)

    async def body(journal: SqlJournal) -> None:
        big = drift_entry("x" * 100_000)
        tasks = [put(journal, lambda tx: tx.set_stamp(7)), put(journal, lambda tx: tx.append(big))]
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(outcomes[1], JournalLost)
        for _ in range(3):
            with pytest.raises(JournalLost, match=words):
                await put(journal, lambda tx: tx.set_stamp(8))
        assert (await get(journal, lambda reads: reads.leg(LEG))).version == 1

    def failing() -> SqliteSession:
        connection = connect_file(file_place.path, 0)
        connection.execute(pragma)
        return SqliteSession(connection, file_place.clock)

    file_place.run(body, runner=lambda database: kind(OtherWriter(database, failing)))

    async def reopened(journal: SqlJournal) -> None:
        assert await add_one(journal) == 1
        assert await journal.verify(ACCOUNT) == 2

    file_place.run(reopened)
