"""Brings an empty or older database to this code's schema; an up-to-date one costs one SELECT.

Alembic and SQLAlchemy are imported only when there is something to do. Everything happens in one transaction. Two
processes that open a new journal together create it once: on SQLite the transaction holds the write lock, on
PostgreSQL `postgres_opening` holds an advisory lock around it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.domain.errors import CannotStart

if TYPE_CHECKING:
    import sqlite3

    from sqlalchemy import Engine

SCHEMA_VERSION = "0003"
"""The newest migration's revision; a test compares it with the migrations."""


def version_of(connection: sqlite3.Connection) -> str | None:
    """The schema version of the SQLite database; None if it is empty.

    Raises CannotStart if it holds tables but no journal's.
    """
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not names:
        return None
    if "alembic_version" not in names:
        raise CannotStart("the file is a database, but no Holdfast journal: give journal.url another path")
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def is_current(found: str | None) -> bool:
    """Tell whether the version that was found is this code's. Raises CannotStart for one that a newer Holdfast made."""
    if found is not None and found > SCHEMA_VERSION:
        raise CannotStart(
            f"the journal has schema version {found}, this Holdfast knows {SCHEMA_VERSION}: run the newer Holdfast"
        )
    return found == SCHEMA_VERSION


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the SQLite database to `SCHEMA_VERSION`. Raises CannotStart for one that a newer Holdfast made."""
    if is_current(version_of(connection)):
        return
    from sqlalchemy import create_engine, event  # noqa: PLC0415 slow to import, and needed once in a journal's life
    from sqlalchemy.pool import StaticPool  # noqa: PLC0415 as above

    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)

    @event.listens_for(engine, "begin")
    def _take_the_write_lock(_opened: object) -> None:
        # The driver is in autocommit mode and SQLAlchemy would send no BEGIN at all.
        connection.execute("BEGIN IMMEDIATE")

    upgrade(engine)


def upgrade(engine: Engine) -> None:
    """Run every migration that is missing, in one transaction."""
    from alembic import command  # noqa: PLC0415 slow to import, and needed once in a journal's life
    from alembic.config import Config  # noqa: PLC0415 as above

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    with engine.begin() as opened:
        config.attributes["connection"] = opened
        command.upgrade(config, "head")
