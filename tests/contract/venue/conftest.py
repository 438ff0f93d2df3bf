"""One exchange process for the module's tests; each test has an account of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.venue.exchange_process import Addresses, exchange_process

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def exchange() -> Iterator[Addresses]:
    """The exchange, started once a module."""
    with exchange_process() as addresses:
        yield addresses
