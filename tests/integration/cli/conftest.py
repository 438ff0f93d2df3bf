"""One house for all tests of the command line; and a journal of one's own, without any service."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from holdfast.clock import SystemClock
from holdfast.journal import open_journal
from tests.integration.cli.command_line import House, house, settings_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A running exchange and running services."""
    with house(tmp_path_factory.mktemp("house")) as running:
        yield running


@pytest.fixture
def lonely(tmp_path: Path) -> Path:
    """Settings whose journal is there, and new; no service runs and no exchange answers."""
    settings = tmp_path / "holdfast.toml"
    settings.write_text(settings_text("http://127.0.0.1:9"))
    folder = tmp_path / "holdfast-data"
    folder.mkdir()

    async def create() -> None:
        journal = await open_journal(f"sqlite:///{folder / 'journal.sqlite'}", SystemClock())
        await journal.close()

    asyncio.run(create())
    return settings
