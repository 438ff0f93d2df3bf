"""The disk in memory: what was committed stays, what was not is gone, and a full one fails as SQLite does."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.errors import ChainBroken, JournalLost
from holdfast.journal import InlineRunner
from holdfast.journal.store import SqlJournal
from holdfast.lab.torture.disk import Disk
from tests.contract.journal.places import SetClock
from tests.contract.journal.samples import ACCOUNT, LEG, add_one, drift_entry, get, put

if TYPE_CHECKING:
    from holdfast.ports.journal import Tx

CLOCK = SetClock()


def opened(disk: Disk) -> SqlJournal:
    """The journal as one process has it."""
    return SqlJournal(InlineRunner(disk.database(CLOCK)))


def test_a_journal_outlives_its_processes() -> None:
    """What one process committed before the power went is there for the next one, and its chain is whole."""
    disk = Disk()

    async def story() -> tuple[object, int]:
        first = opened(disk)
        await add_one(first)
        await add_one(first)
        disk.lose_power()
        second = opened(disk)
        await add_one(second)
        leg = await get(second, lambda reads: reads.leg(LEG))
        return leg.amt, await second.verify(ACCOUNT)

    assert asyncio.run(story()) == (3, 3)


def test_what_was_not_committed_is_gone() -> None:
    """Power that is lost within a step takes the whole step, state and entries."""
    disk = Disk()

    async def story() -> tuple[object, int, int]:
        first = opened(disk)
        await add_one(first)
        session = disk.database(CLOCK).writer()
        session.begin_write(1)
        session.run("UPDATE leg SET amt = '7'", ())
        session.run("DELETE FROM entry", ())
        disk.lose_power()
        second = opened(disk)
        leg = await get(second, lambda reads: reads.leg(LEG))
        return leg.amt, leg.version, await second.verify(ACCOUNT)

    assert asyncio.run(story()) == (1, 1, 1)


def test_a_full_disk_loses_the_journal_and_nothing_that_was_committed() -> None:
    """A write that needs a page fails as in life, the process must end, and the next one goes on when there is room."""
    disk = Disk()

    def much(tx: Tx) -> None:
        for _ in range(20):
            tx.append(drift_entry("x" * 4_000))

    async def story() -> tuple[int, int, int]:
        first = opened(disk)
        await add_one(first)
        disk.is_full = True
        with pytest.raises(JournalLost, match="SQLITE_FULL"):
            await put(first, much)
        disk.is_full = False
        with pytest.raises(JournalLost, match="reopened"):
            await put(first, much)
        second = opened(disk)
        before = await second.verify(ACCOUNT)
        await put(second, much)
        return disk.refusals, before, await second.verify(ACCOUNT)

    refusals, before, after = asyncio.run(story())

    assert refusals >= 1
    assert (before, after) == (1, 21)


def test_disks_share_nothing() -> None:
    """Each disk begins empty, byte for byte the same, without a migration."""
    one, other = Disk(), Disk()

    async def story() -> None:
        await add_one(opened(one))

    assert one.image() == other.image()
    asyncio.run(story())

    assert one.image() != other.image()
    assert Disk().image() == other.image()


def test_opening_proves_the_tails() -> None:
    """A journal whose newest entry was changed behind its back is not opened, as in life."""
    disk = Disk()

    async def story() -> None:
        await add_one(opened(disk))
        session = disk.database(CLOCK).writer()
        session.run("UPDATE entry SET body = '{}'", ())
        with pytest.raises(ChainBroken):
            opened(disk)

    asyncio.run(story())


def test_opening_runs_no_migration() -> None:
    """Disks are opened without Alembic being asked: it is slow, and one image serves them all."""
    Disk()
    calls: list[str] = []

    def watch(frame: object, event: str, _arg: object) -> None:
        name = getattr(getattr(frame, "f_code", None), "co_filename", "")
        if event == "call" and "alembic" in name:
            calls.append(name)

    sys.setprofile(watch)
    try:
        for _ in range(20):
            Disk()
    finally:
        sys.setprofile(None)

    assert calls == []
