"""The shared system, for what must never happen again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.whole.shared import shared_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.whole.shared import World


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """The one running system."""
    with shared_world() as running:
        yield running
