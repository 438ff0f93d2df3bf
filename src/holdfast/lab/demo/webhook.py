"""The operator's end of an alert: a small HTTP server on loopback that keeps what was delivered to it.

Invariants: it listens on 127.0.0.1 at a free port; it answers 200 only to a POST that it could read; at most
`KEPT_MAX` deliveries are kept.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

import msgspec
from aiohttp import web

from holdfast.lab.demo.facts import AlertSeen

if TYPE_CHECKING:
    from types import TracebackType

    from holdfast.ports.clock import Clock

BODY_BYTES_MAX = 64 * 1024
KEPT_MAX = 1_000


class _Delivery(msgspec.Struct):
    """What is read of the JSON that apprise posts."""

    title: str
    message: str


class Webhook:
    """Takes alerts; open it with `async with`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._runner: web.ServerRunner | None = None
        self._port = 0
        self._taken: list[AlertSeen] = []
        self._news = asyncio.Event()

    @property
    def apprise_url(self) -> str:
        """What stands in the settings."""
        return f"json://127.0.0.1:{self._port}/"

    async def about(self, words: str, s_max: float) -> AlertSeen:
        """The first alert whose title has these words. Raises TimeoutError."""
        async with asyncio.timeout(s_max):
            while True:
                found = next((alert for alert in self._taken if words in alert.title), None)
                if found is not None:
                    return found
                self._news.clear()
                await self._news.wait()

    async def first(self, s_max: float) -> AlertSeen:
        """The first alert that was delivered. Raises TimeoutError."""
        async with asyncio.timeout(s_max):
            await self._news.wait()
        return self._taken[0]

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        try:
            said = msgspec.json.decode(await request.content.read(BODY_BYTES_MAX), type=_Delivery)
        except msgspec.MsgspecError:
            return web.Response(status=400)
        if len(self._taken) < KEPT_MAX:
            self._taken.append(AlertSeen(said.title, self._clock.monotonic_ns()))
        self._news.set()
        return web.Response(status=200)

    async def __aenter__(self) -> Self:
        runner = web.ServerRunner(web.Server(self._handle, access_log=None))
        await runner.setup()
        self._runner = runner
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._port = int(runner.addresses[0][1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
