"""A visitor of the simulator: signed requests, streams and the admin face, by aiohttp and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import time
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import aiohttp

from holdfast.sim.server import RunningSim, SimConfig, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

DEADLINE_S = 10.0
KEY, SECRET = "demo-key", "demo-secret"
ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.003"}


def signed(params: dict[str, str]) -> str:
    """Return a signed query."""
    text = urlencode({**params, "timestamp": str(time.time_ns() // 1_000_000)})
    return f"{text}&signature={hmac.digest(SECRET.encode(), text.encode(), 'sha256').hex()}"


@dataclass
class Visitor:
    """One client of one simulator."""

    sim: RunningSim
    http: aiohttp.ClientSession

    async def ask(self, method: str, path: str, **params: str) -> tuple[int, Any]:
        """Send a signed request; return status and decoded answer."""
        url = f"{self.sim.base_url}{path}?{signed(params)}"
        async with self.http.request(method, url) as reply:
            text = await reply.text()
            return reply.status, json.loads(text) if "json" in reply.content_type else text

    async def admin(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Send an admin request; return status and decoded answer."""
        async with self.http.request(method, f"{self.sim.admin_url}{path}", json=body) as reply:
            return reply.status, await reply.json()

    async def act(self, path: str, **body: object) -> Any:
        """POST to the admin face what must work."""
        status, answer = await self.admin("POST", path, body)
        if status != 200:
            raise ValueError(f"{path} answered {status}: {answer}")
        return answer

    async def listen_key(self) -> str:
        """Open the account's listen key."""
        return str((await self.ask("POST", "/fapi/v1/listenKey"))[1]["listenKey"])

    async def connect(self, path: str) -> aiohttp.ClientWebSocketResponse:
        """Open a WebSocket."""
        return await self.http.ws_connect(f"{self.sim.stream_url}{path}")


async def next_frame(ws: aiohttp.ClientWebSocketResponse) -> Any:
    """Return the next frame, decoded, or the kind of what ended the stream."""
    message = await asyncio.wait_for(ws.receive(), DEADLINE_S)
    return json.loads(message.data) if message.type is aiohttp.WSMsgType.TEXT else message.type.name


@contextlib.asynccontextmanager
async def visiting(config: SimConfig) -> AsyncIterator[Visitor]:
    """Start a simulator whose prices stand, and visit it."""
    async with (
        running(replace(config, volatility=Decimal(0))) as sim,
        aiohttp.ClientSession(headers={"X-MBX-APIKEY": KEY}) as http,
    ):
        yield Visitor(sim, http)


def visit(story: Callable[[Visitor], Awaitable[None]], config: SimConfig | None = None) -> None:
    """Run a story against a fresh simulator, within a deadline."""

    async def told() -> None:
        async with visiting(config or SimConfig()) as visitor:
            await asyncio.wait_for(story(visitor), 6 * DEADLINE_S)

    asyncio.run(told())
