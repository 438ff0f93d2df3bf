"""A connection that is lost in the very moment in which its stream is ended, as the deterministic world found it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING

import aiohttp

from holdfast.clock import SystemClock
from holdfast.ports.venue import StreamUp
from holdfast.venues.binance.client import BinanceClient
from holdfast.venues.binance.exchange import Answer
from holdfast.venues.binance.stream import BinanceStream
from holdfast.venues.binance.transport import Reply
from tests.unit.venues.venue_kit import config

if TYPE_CHECKING:
    from holdfast.venues.binance.transport import Frame, Request


@dataclass(slots=True)
class CutLine:
    """A line whose socket ends when it is cut; it is its own socket."""

    sockets: int = 0
    cut: asyncio.Event = field(default_factory=asyncio.Event)
    close_code: int | None = 1006

    async def perform(self, request: Request) -> Reply:
        """A listen key, whatever was asked."""
        del request
        return Reply(Answer(200, b'{"listenKey":"k"}'), {})

    async def open_socket(self, url: str) -> CutLine:
        """A new connection."""
        del url
        self.sockets += 1
        return self

    async def receive(self) -> Frame:
        """Nothing, until the end."""
        await self.cut.wait()
        return SimpleNamespace(type=aiohttp.WSMsgType.CLOSED, data=None)

    async def ping(self, message: bytes) -> None:
        """Sent, never answered."""
        del message

    async def pong(self, message: bytes) -> None:
        """Sent."""
        del message

    async def close(self) -> None:
        """Closed."""


def test_a_connection_lost_while_its_stream_is_ended_does_not_swallow_the_end() -> None:
    """Leaving a stream ends it, although its connection breaks in the same turn of the loop."""

    async def scenario() -> int:
        line = CutLine()
        client = BinanceClient(config("http://127.0.0.1:1"), SystemClock(), None, lambda _config: line)
        async with BinanceStream(client) as stream:
            batch = await stream.next_batch()
            assert isinstance(batch[0], StreamUp)
            await asyncio.sleep(0)
            line.cut.set()
        return line.sockets

    assert asyncio.run(asyncio.wait_for(scenario(), 2.0)) == 1
