"""The exchange simulator as a process of its own, and its admin face: what others do there, and what is true there."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp

from holdfast.clock import SystemClock
from holdfast.domain.names import AccountId
from holdfast.domain.sides import PositionMode
from holdfast.venues.binance import ApiKey, ApiSecret, BinanceConfig, binance_trader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from holdfast.ports.venue import VenueTrader

_SERVE = """
import sys
from decimal import Decimal
from holdfast.sim.server import SimConfig, serve
sys.exit(serve(SimConfig(volatility=Decimal(0), limits=Decimal(100)), json_line=True))
"""
END_SECONDS = 10
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the process serves."""

    base_url: str
    stream_url: str
    admin_url: str


@contextmanager
def exchange_process() -> Iterator[Addresses]:
    """Start the simulator on a free port; it ends with the block."""
    process = subprocess.Popen([sys.executable, "-c", _SERVE], stdout=subprocess.PIPE, text=True)  # noqa: S603 (our own words)
    if process.stdout is None:
        raise RuntimeError("no pipe")
    try:
        said = json.loads(process.stdout.readline())
        yield Addresses(said["base_url"], said["stream_url"], said["admin_url"])
    finally:
        process.terminate()
        process.wait(END_SECONDS)
        process.stdout.close()


@dataclass(frozen=True, slots=True)
class Desk:
    """One fresh account at the exchange, seen from the admin face."""

    name: str
    exchange: Addresses
    http: aiohttp.ClientSession

    async def post(self, path: str, **body: object) -> dict[str, Any]:
        """Do something there."""
        async with self.http.post(f"{self.exchange.admin_url}/{path}", data=json.dumps(body)) as answer:
            said = await answer.json(content_type=None)
            assert answer.status == 200, said
            return dict(said)

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        """Look something up."""
        async with self.http.get(f"{self.exchange.admin_url}/{path}", params=query) as answer:
            assert answer.status == 200
            return dict(await answer.json(content_type=None))

    async def trade(self, side: str, qty: str, symbol: str = "BTCUSDT", **more: object) -> dict[str, Any]:
        """Somebody trades by hand."""
        return await self.post("trade", account=self.name, symbol=symbol, side=side, qty=qty, **more)

    async def arm(self, fault: str, *, method: str, path: str, **more: object) -> int:
        """Arm a fault for this account's next request of a kind; its number."""
        match = {"method": method, "path": path, "account": self.name}
        return int((await self.post("faults", name=fault, match=match, **more))["id"])

    async def hits(self, fault_id: int) -> int:
        """How often a fault really struck."""
        faults = (await self.get("faults"))["faults"]
        return int(next(one["hits"] for one in faults if one["id"] == fault_id))

    async def orders(self, client_order_id: str) -> list[dict[str, Any]]:
        """Orders ever accepted under a client id: the truth."""
        return list((await self.get("orders", account=self.name, clientOrderId=client_order_id))["orders"])

    async def position(self, symbol: str = "BTCUSDT", side: str = "BOTH") -> str:
        """A position: the truth."""
        rows = (await self.get("positions", account=self.name, symbol=symbol))["positions"]
        return next((str(one["positionAmt"]) for one in rows if one["positionSide"] == side), "0")

    def config(self, mode: PositionMode, *, key: str = "", secret: str = "") -> BinanceConfig:
        """How an adapter of ours reaches the account."""
        return BinanceConfig(
            account=AccountId(self.name),
            rest_url=self.exchange.base_url,
            stream_url=self.exchange.stream_url,
            api_key=ApiKey(key or f"key-{self.name}"),
            secret=ApiSecret(secret or f"secret-{self.name}"),
            position_mode=mode,
            backoff_ms_min=5,
            probe_ms=125,
        )


@asynccontextmanager
async def account(
    exchange: Addresses, mode: PositionMode = PositionMode.ONE_WAY
) -> AsyncIterator[tuple[Desk, VenueTrader]]:
    """A fresh account, its admin desk, and the real adapter for it with the clock measured."""
    name = f"account{next(_numbers)}"
    async with aiohttp.ClientSession() as http:
        desk = Desk(name, exchange, http)
        keys = [
            {"key": f"key-{name}", "secret": f"secret-{name}", "permission": "trade"},
            {"key": f"read-{name}", "secret": f"read-secret-{name}", "permission": "read"},
        ]
        await desk.post("accounts", name=name, keys=keys, mode=mode.value)
        trader = binance_trader(desk.config(mode), SystemClock())
        try:
            await trader.sync_clock()
            yield desk, trader
        finally:
            await trader.close()
