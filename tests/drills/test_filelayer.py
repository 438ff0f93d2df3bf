"""The files as a power cut leaves them, and the layer that knows what was synced."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from holdfast.lab.drills.filelayer import SECTOR_BYTES, Disk

if TYPE_CHECKING:
    from pathlib import Path

_WRITES = """
import sqlite3, sys
from pathlib import Path
from holdfast.lab.drills.effects import Effects
from holdfast.lab.drills.filelayer import FileLayer
folder, synchronous = Path(sys.argv[1]), sys.argv[2]
FileLayer(folder / "trace", Effects(folder)).install()
connection = sqlite3.connect(folder / "db", isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
connection.execute("PRAGMA synchronous = FULL")
connection.execute("CREATE TABLE number (value INTEGER)")
connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
connection.execute(f"PRAGMA synchronous = {synchronous}")
for value in range(200):
    connection.execute("INSERT INTO number VALUES (?)", (value,))
import os, signal
os.kill(os.getpid(), signal.SIGKILL)
"""


def _after_power_cut(folder: Path, synchronous: str) -> int:
    """Rows that are left when 200 commits were acknowledged and then the power went."""
    subprocess.run([sys.executable, "-c", _WRITES, str(folder), synchronous], check=False, env=dict(os.environ))  # noqa: S603 - our own program
    disk = Disk()
    disk.replay((folder / "trace").read_bytes())
    left = disk.cut_power(random.Random(1), 0.0)  # noqa: S311 - a drill's dice
    again = folder / "again"
    again.mkdir()
    for name, content in left.items():
        (again / name).write_bytes(content)
    connection = sqlite3.connect(again / "db")
    try:
        return int(connection.execute("SELECT count(*) FROM number").fetchone()[0])
    finally:
        connection.close()


@pytest.mark.parametrize(("synchronous", "rows"), [("FULL", 200), ("OFF", 0)])
def test_the_layer_tells_a_synced_commit_from_one_that_is_only_acknowledged(
    tmp_path: Path, synchronous: str, rows: int
) -> None:
    """Commits survive the power cut if SQLite synced them, and are gone if it was told not to."""
    assert _after_power_cut(tmp_path, synchronous) == rows


def _write(name: str, offset: int, data: bytes) -> bytes:
    return (
        b"W"
        + len(name).to_bytes(2, "little")
        + offset.to_bytes(8, "little")
        + len(data).to_bytes(4, "little")
        + (name.encode() + data)
    )


def _sync(name: str) -> bytes:
    return b"S" + len(name).to_bytes(2, "little") + bytes(12) + name.encode()


def test_what_was_synced_is_there_and_what_was_not_is_gone() -> None:
    """A write before the sync stays, one after it does not."""
    disk = Disk.of({"db": b"....."})
    disk.replay(_write("db", 0, b"AB") + _sync("db") + _write("db", 2, b"CD"))

    assert disk.cut_power(random.Random(1), 0.0) == {"db": b"AB..."}  # noqa: S311 - a drill's dice
    assert disk.dropped == 1


def test_a_sync_of_one_file_saves_no_other() -> None:
    """Each file is synced by itself."""
    disk = Disk()
    disk.replay(_write("db", 0, b"AB") + _write("db-wal", 0, b"CD") + _sync("db-wal"))

    assert disk.cut_power(random.Random(1), 0.0) == {"db-wal": b"CD"}  # noqa: S311 - a drill's dice


def test_an_unsynced_write_may_be_torn_by_sectors() -> None:
    """Of a long write some sectors survive and others do not."""
    disk = Disk.of({"db": bytes(8 * SECTOR_BYTES)})
    disk.replay(_write("db", 0, b"x" * 8 * SECTOR_BYTES))

    left = disk.cut_power(random.Random(1), 0.5)["db"]  # noqa: S311 - a drill's dice

    sectors = {left[start : start + SECTOR_BYTES] for start in range(0, len(left), SECTOR_BYTES)}
    assert sectors == {bytes(SECTOR_BYTES), b"x" * SECTOR_BYTES}


def test_a_note_that_was_cut_short_changes_nothing() -> None:
    """A process that died while it noted a write had not begun to write."""
    disk = Disk.of({"db": b"...."})
    disk.replay(_write("db", 0, b"AB") + _sync("db") + _write("db", 2, b"CD")[:-1] + b"")

    assert disk.cut_power(random.Random(1), 1.0) == {"db": b"AB.."}  # noqa: S311 - a drill's dice
