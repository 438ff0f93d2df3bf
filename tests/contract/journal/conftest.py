"""The contract's fixtures: every place, those that outlive a process, or one alone."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.contract.journal.places import FilePlace, LastingPlace, MemoryPlace, Place, ServerPlace
from tests.postgres import a_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres import PostgresServer


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """The PostgreSQL of these tests."""
    yield from a_server()


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """One that a test may kill."""
    yield from a_server()


@pytest.fixture(scope="session")
def database(server: PostgresServer) -> str:
    """One database on it, for one test after another."""
    return server.new_database()


@pytest.fixture(params=["file", "memory", "server"])
def place(request: pytest.FixtureRequest, tmp_path: Path, server: PostgresServer, database: str) -> Iterator[Place]:
    """Each place in turn."""
    if request.param == "server":
        with closing(ServerPlace(server, database)) as place:
            yield place
    else:
        yield FilePlace(tmp_path / "journal.sqlite") if request.param == "file" else MemoryPlace()


@pytest.fixture(params=["file", "server"])
def lasting_place(
    request: pytest.FixtureRequest, tmp_path: Path, server: PostgresServer, database: str
) -> Iterator[LastingPlace]:
    """Each place that other processes can open too."""
    if request.param == "server":
        with closing(ServerPlace(server, database)) as place:
            yield place
    else:
        yield FilePlace(tmp_path / "journal.sqlite")


@pytest.fixture(params=["file", "server"])
def new_place(request: pytest.FixtureRequest, tmp_path: Path, server: PostgresServer) -> Iterator[LastingPlace]:
    """Each such place before any journal stands there."""
    if request.param == "server":
        with closing(ServerPlace(server, server.new_database())) as place:
            yield place
        server.drop_database(place.database)
    else:
        yield FilePlace(tmp_path / "journal.sqlite")


@pytest.fixture
def file_place(tmp_path: Path) -> FilePlace:
    """A journal in a file."""
    return FilePlace(tmp_path / "journal.sqlite")


@pytest.fixture
def server_place(server: PostgresServer, database: str) -> Iterator[ServerPlace]:
    """A journal on the server."""
    with closing(ServerPlace(server, database)) as place:
        yield place
