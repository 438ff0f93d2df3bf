"""`/metrics` and `/health` of one service, on loopback only: neither says anything that a stranger should read.

`/health` answers 200 while the service's own report is healthy, else 503, with the report as JSON. A port that is taken
is CannotStart; port 0 takes any free one, and `address` says which.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from aiohttp import web

from holdfast.domain.errors import CannotStart
from holdfast.telemetry.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from holdfast.telemetry.metrics import PrometheusMetrics

HOST = "127.0.0.1"
CLOSE_SECONDS_MAX = 1.0
"""How long a scrape under way may take when the service ends."""


@dataclass(frozen=True, slots=True)
class Health:
    """A service's report on itself."""

    is_healthy: bool
    parts: Mapping[str, str]
    """Each part's name and a word on it, for instance journal: ok."""


class TelemetryServer:
    """Serves from entering to leaving: `async with TelemetryServer(...) as server: print(server.address)`."""

    def __init__(self, metrics: PrometheusMetrics, health: Callable[[], Health], port: int) -> None:
        self._metrics = metrics
        self._health = health
        self._port = port
        app = web.Application()
        app.router.add_get("/metrics", self._answer_metrics)
        app.router.add_get("/health", self._answer_health)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=CLOSE_SECONDS_MAX)

    @property
    def address(self) -> str:
        """`http://127.0.0.1:PORT`; known once entered."""
        return f"http://{HOST}:{self._port}"

    async def __aenter__(self) -> Self:
        """Listen. Raises CannotStart if the port is taken or may not be used."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, HOST, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise CannotStart(_why(error, self._port)) from error
        self._port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _answer_metrics(self, request: web.Request) -> web.Response:
        del request
        return web.Response(body=self._metrics.render(), headers={"Content-Type": CONTENT_TYPE})

    async def _answer_health(self, request: web.Request) -> web.Response:
        del request
        report = self._health()
        body = {"healthy": report.is_healthy, **report.parts}
        return web.json_response(body, status=200 if report.is_healthy else 503)


def _why(error: OSError, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"metrics.port = {port} is taken by another program: choose another, or 0 for any free one"
    return f"metrics.port = {port} cannot be used ({error.strerror}): choose another, or 0 for any free one"
