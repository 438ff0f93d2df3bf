"""`/metrics` and `/health` over real HTTP."""

from __future__ import annotations

import asyncio
import socket

import aiohttp
import pytest

from holdfast.clock import SystemClock
from holdfast.domain.errors import CannotStart
from holdfast.telemetry.metrics import PrometheusMetrics
from holdfast.telemetry.serve import Health, TelemetryServer


async def answer(address: str) -> tuple[int, str, str]:
    """GET the address."""
    async with aiohttp.ClientSession() as session, session.get(address) as reply:
        return reply.status, reply.headers["Content-Type"], await reply.text()


def test_metrics_are_served_on_loopback_at_any_free_port() -> None:
    """Port 0 takes a free port of 127.0.0.1, says which, and serves what is counted."""

    async def scenario() -> tuple[str, tuple[int, str, str], tuple[int, str, str]]:
        metrics = PrometheusMetrics(SystemClock())
        metrics.close_planned()
        async with TelemetryServer(metrics, lambda: Health(is_healthy=True, parts={}), 0) as server:
            return server.address, await answer(server.address + "/metrics"), await answer(server.address + "/nowhere")

    address, (status, kind, text), (missing, _, _) = asyncio.run(scenario())
    assert address.startswith("http://127.0.0.1:")
    assert not address.endswith(":0")
    assert (status, missing) == (200, 404)
    assert kind.startswith("text/plain")
    assert "\nreconcile_close_plans_total 1.0\n" in text


def test_health_says_what_the_service_reports_now() -> None:
    """`/health` asks the service each time: 200 while it is healthy, 503 with the parts when not."""
    reports = [Health(is_healthy=True, parts={"journal": "ok"}), Health(is_healthy=False, parts={"bus": "gone"})]

    async def scenario() -> list[tuple[int, str, str]]:
        metrics = PrometheusMetrics(SystemClock())
        async with TelemetryServer(metrics, lambda: reports.pop(0), 0) as server:
            return [await answer(server.address + "/health") for _ in range(2)]

    first, second = asyncio.run(scenario())
    assert first == (200, "application/json; charset=utf-8", '{"healthy": true, "journal": "ok"}')
    assert second == (503, "application/json; charset=utf-8", '{"healthy": false, "bus": "gone"}')


def test_a_busy_port_is_refused_with_what_to_do() -> None:
    """A port that another program holds is CannotStart, naming the setting; nothing is left open."""

    async def scenario(port: int) -> None:
        metrics = PrometheusMetrics(SystemClock())
        async with TelemetryServer(metrics, lambda: Health(is_healthy=True, parts={}), port):
            raise AssertionError("it must not start")

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotStart, match=rf"metrics\.port = {port} is taken by another program: choose another"):
            asyncio.run(scenario(port))


def test_the_port_is_free_again_afterwards() -> None:
    """Leaving ends the listening: the same port can be taken at once."""

    async def scenario() -> None:
        metrics = PrometheusMetrics(SystemClock())
        async with TelemetryServer(metrics, lambda: Health(is_healthy=True, parts={}), 0) as server:
            port = int(server.address.rsplit(":", 1)[1])
            await answer(server.address + "/health")
        async with TelemetryServer(metrics, lambda: Health(is_healthy=True, parts={}), port) as again:
            assert (await answer(again.address + "/health"))[0] == 200

    asyncio.run(scenario())
