"""What these tests do to a whole system from outside: a bus that dies, requests that are counted."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import redis

from holdfast.bus.embedded import EmbeddedServer
from tests.whole.program import until
from tests.whole.services import AccountPlan, House

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from pathlib import Path

    from tests.whole.exchange import Exchange, ExchangeAccount
    from tests.whole.services import Desk

SYMBOLS = ("BTCUSDT", "ETHUSDT", *(f"SYM{n:03d}USDT" for n in range(1, 9)))
START_S = 25.0
ORDER_PATH = "/fapi/v1/order"


def solo(**limits: int | str) -> AccountPlan:
    """One account with these limits."""
    return AccountPlan("solo", "quantum", SYMBOLS, limits)


@contextmanager
def a_house(
    folder: Path, exchange: Exchange, *, plan: AccountPlan | None = None, bus_url: str = "", alerts_url: str = ""
) -> Iterator[House]:
    """A settings file with one account; whatever was started on it ends with the block."""
    house = House(folder / "house", exchange.url, (plan or solo(),), bus_url=bus_url, alerts_url=alerts_url)
    try:
        yield house
    finally:
        house.close()


class OutsideBus:
    """A server that is none of the services' own, which may be killed and come back empty at the same address."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._server = EmbeddedServer(folder)
        self._run(self._server.start)
        self.url = self._server.url

    def _run(self, work: Callable[[], Awaitable[Any]]) -> None:
        async def waited() -> None:
            await work()

        asyncio.run_coroutine_threadsafe(waited(), self._loop).result(START_S)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        with redis.Redis.from_url(self.url) as line:
            os.kill(int(line.info("server")["process_id"]), signal.SIGKILL)
        self._run(self._server.wait_ended)

    def come_back_empty(self) -> None:
        """Start at the same address without anything that it knew."""
        shutil.rmtree(self._folder / "appendonlydir", ignore_errors=True)
        self._run(self._server.restart)

    def close(self) -> None:
        """End."""
        try:
            self._run(self._server.stop)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


@contextmanager
def a_bus(folder: Path) -> Iterator[OutsideBus]:
    """An outside bus; it ends with the block."""
    bus = OutsideBus(folder)
    try:
        yield bus
    finally:
        bus.close()


def open_again(house: House, account: ExchangeAccount, symbol: str) -> Desk:
    """Sit down at an account whose process was just started again; the ALLOW that the last one left does not count."""
    desk = house.desk(account.name, account)
    desk.bus.redis.delete(desk.bus.key(f"permit:state:{symbol}"))
    desk.until_open(symbol, START_S)
    return desk


def order_requests(exchange: Exchange, symbol: str = "") -> list[dict[str, Any]]:
    """All requests to place an order, accepted or not, oldest first."""
    rows = exchange.get("requests", method="POST", path=ORDER_PATH, limit=100_000)["requests"]
    return [row for row in rows if not symbol or row["params"].get("symbol") == symbol]


def sends(exchange: Exchange, symbol: str) -> list[str]:
    """Client ids of those on one symbol."""
    return [row["params"]["newClientOrderId"] for row in order_requests(exchange, symbol)]


def results_of(desk: Desk, plan: Mapping[str, str]) -> list[dict[str, str]]:
    """Every result of a plan, oldest first."""
    return [one for one in desk.bus.results() if one["plan_id"] == plan["plan_id"]]


def first_result(desk: Desk, plan: Mapping[str, str], within_s: float = START_S) -> dict[str, str]:
    """The first result of a plan, whoever publishes it."""
    until(lambda: results_of(desk, plan), f"a result of {plan['plan_id']}", within_s)
    return results_of(desk, plan)[0]
