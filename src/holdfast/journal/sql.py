"""Builds the few shapes of SQL that the journal runs, once, at import.

Table and column names are constants of this package; every value is bound (`?`). The text is what SQLite and
PostgreSQL both understand, but for the placeholder, which the PostgreSQL session rewrites.
"""

from __future__ import annotations

from typing import Any, TypeAlias

Row: TypeAlias = tuple[Any, ...]
"""One row as the driver gives or takes it: text, integers and None, in the order of its column list."""

Columns: TypeAlias = tuple[str, ...]


def insert(table: str, columns: Columns) -> str:
    """INSERT of a whole row; a row that exists is an error."""
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    return f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 constants of this package


def insert_new(table: str, columns: Columns) -> str:
    """INSERT of a whole row; nothing happens, and no row counts, if its key exists."""
    return f"{insert(table, columns)} ON CONFLICT DO NOTHING"


def upsert(table: str, columns: Columns, key: Columns, keep: Columns = ()) -> str:
    """INSERT of a whole row, or by its key an UPDATE of all columns but `keep`."""
    changed = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in key and name not in keep)
    return f"{insert(table, columns)} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changed}"


def select(columns: Columns, table: str, rest: str) -> str:
    """SELECT of the columns; `rest` is everything from WHERE on."""
    return f"SELECT {', '.join(columns)} FROM {table} {rest}"  # noqa: S608 constants of this package


def update(table: str, columns: Columns, where: str) -> str:
    """UPDATE of the columns."""
    return f"UPDATE {table} SET {', '.join(f'{name} = ?' for name in columns)} WHERE {where}"  # noqa: S608 as above
