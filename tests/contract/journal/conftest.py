"""The contract's fixtures: every place, or the file alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.journal.places import FilePlace, MemoryPlace, Place

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=["file", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Each place in turn."""
    return FilePlace(tmp_path / "journal.sqlite") if request.param == "file" else MemoryPlace()


@pytest.fixture
def file_place(tmp_path: Path) -> FilePlace:
    """A journal in a file."""
    return FilePlace(tmp_path / "journal.sqlite")
