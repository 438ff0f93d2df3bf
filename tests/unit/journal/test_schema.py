"""The schema: migrations, metadata and running SQL say the same, and every hot query has its index."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from holdfast.journal import migrate as migrate_module
from holdfast.journal import statements
from holdfast.journal.migrate import SCHEMA_VERSION, migrate, version_of
from holdfast.journal.schema import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def migrated() -> Iterator[sqlite3.Connection]:
    """An empty journal in memory."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        yield connection


def _shape(connection: sqlite3.Connection) -> dict[str, object]:
    """Columns in their order, keys and indexes; not the text of the tables, which a column added later stands in."""
    found: dict[str, object] = {}
    rows = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    for kind, name, text in rows:
        if name == "alembic_version":
            continue
        found[name] = " ".join(text.split()) if kind == "index" else _columns(connection, name)
    return found


def _columns(connection: sqlite3.Connection, table: str) -> tuple[list[tuple[object, ...]], ...]:
    """What SQLite knows of a table's columns and foreign keys."""
    return tuple(
        connection.execute(f"SELECT * FROM pragma_{what}(?)", (table,)).fetchall()  # noqa: S608 - two names of ours
        for what in ("table_info", "foreign_key_list")
    )


def test_version_is_the_newest_migration() -> None:
    """The version that opening compares is the head of the migrations."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrate_module.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA_VERSION


def test_migrations_end_at_the_metadata(migrated: sqlite3.Connection) -> None:
    """What the migrations leave behind is what the metadata says, to the partial indexes' conditions."""
    engine = sa.create_engine("sqlite://", creator=lambda: migrated, poolclass=sa.StaticPool)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        fresh_engine = sa.create_engine("sqlite://", creator=lambda: fresh, poolclass=sa.StaticPool)
        metadata.create_all(fresh_engine)
        fresh.commit()
        assert _shape(migrated) == _shape(fresh)


def test_migrating_twice_changes_nothing(migrated: sqlite3.Connection) -> None:
    """A database that is up to date is left alone."""
    before = (_shape(migrated), migrated.total_changes)
    migrate(migrated)
    assert (_shape(migrated), migrated.total_changes) == before
    assert version_of(migrated) == SCHEMA_VERSION


def test_failed_migration_leaves_an_empty_database_empty() -> None:
    """A migration that fails in the middle is rolled back as a whole, so that the next start begins anew."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("PRAGMA max_page_count = 20")
        with pytest.raises(sa.exc.OperationalError, match="full"):
            migrate(connection)
        assert version_of(connection) is None
        connection.execute("PRAGMA max_page_count = 1000000")
        migrate(connection)
        assert version_of(connection) == SCHEMA_VERSION


def test_opening_an_up_to_date_journal_imports_no_migration_tool(tmp_path: Path) -> None:
    """A start on an existing journal imports neither Alembic nor SQLAlchemy."""
    with closing(sqlite3.connect(tmp_path / "journal.sqlite", isolation_level=None)) as connection:
        migrate(connection)
    script = (
        "import asyncio, sys\n"
        "from holdfast.clock import SystemClock\n"
        "from holdfast.journal import open_journal\n"
        "async def main():\n"
        "    await (await open_journal(sys.argv[1], SystemClock())).close()\n"
        "asyncio.run(main())\n"
        "print([name for name in ('alembic', 'sqlalchemy') if name in sys.modules])\n"
    )
    url = f"sqlite:///{tmp_path}/journal.sqlite"
    done = subprocess.run([sys.executable, "-c", script, url], capture_output=True, text=True, timeout=60, check=True)  # noqa: S603 our own code
    assert done.stdout.strip() == "[]"


_WHOLE_TABLE = {"ACCOUNTS"}
"""The one query that means a whole table, of a handful of rows."""


def _selects() -> list[tuple[str, str]]:
    return [
        (name, text)
        for name, text in vars(statements).items()
        if isinstance(text, str) and text.startswith("SELECT") and name not in _WHOLE_TABLE
    ]


@pytest.mark.parametrize(("name", "text"), _selects(), ids=[name for name, _ in _selects()])
def test_query_uses_an_index(migrated: sqlite3.Connection, name: str, text: str) -> None:
    """Every query searches by an index; none scans a table."""
    plan = migrated.execute(f"EXPLAIN QUERY PLAN {text}", ("1",) * text.count("?")).fetchall()
    steps = [row[3] for row in plan]
    assert not any(step.startswith("SCAN") for step in steps), (name, steps)
    assert any("INDEX" in step for step in steps), (name, steps)
