"""One exchange for all tests of this folder; each opens accounts of its own there, or starts one that it may break."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.exactly_once.quick import quick_system
from tests.whole.exchange import Exchange

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.exactly_once.quick import Quick


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    """A simulator of one's own, which may be frozen and flooded."""
    with Exchange(tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quick]:
    """One running system whose windows are short."""
    with quick_system(tmp_path_factory.mktemp("quick")) as running:
        yield running
