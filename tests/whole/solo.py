"""A system of one's own, for tests that freeze, kill or flood what others share."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from holdfast.bus.embedded import EmbeddedServer
from tests.whole.exchange import Exchange
from tests.whole.services import AccountPlan, House

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.whole.services import JournalServer

SYMBOLS = ("BTCUSDT", "ETHUSDT", *(f"SYM{n:03d}USDT" for n in range(1, 9)))
ONE = AccountPlan("solo", "quantum", SYMBOLS)
START_S = 15.0
STAMP_AGE_S = 1.0
"""`stamp_age_ms_max` by default."""


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    """A simulator of one's own, which may be frozen and flooded."""
    with Exchange(tmp_path) as running:
        yield running


@contextmanager
def a_house(
    folder: Path, exchange: Exchange, *, bus_url: str = "", journal: JournalServer | None = None
) -> Iterator[House]:
    """A settings file with one account; whatever was started on it ends with the block."""
    house = House(folder / "house", exchange.url, (ONE,), bus_url=bus_url, journal=journal)
    try:
        yield house
    finally:
        house.close()


@contextmanager
def a_bus(folder: Path) -> Iterator[str]:
    """A server that is none of the services' own; its address."""
    ready, ended = threading.Event(), threading.Event()
    address: list[str] = []

    async def serve() -> None:
        async with EmbeddedServer(folder) as server:
            address.append(server.url)
            ready.set()
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(START_S)
        yield address[0]
    finally:
        ended.set()
        thread.join()
