"""One process: bus, journal, alerts, telemetry and every account, until a signal or the end of any of them."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections import deque
from typing import TYPE_CHECKING

from holdfast.bus.embedded import EmbeddedServer
from holdfast.domain.errors import BusUnavailable, CannotStart
from holdfast.telemetry.redact import Redactor
from holdfast.telemetry.serve import Health
from holdfast.venues.binance import Gate

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.compose.doors import Doors
    from holdfast.settings import Settings


from holdfast.compose.account import build_account
from holdfast.compose.doors import life_doors
from holdfast.compose.room import Room
from holdfast.compose.world import BOTH, UNWRAPPED, Job, ServiceName, Started, World, Wrapping


async def run(
    settings: Settings,
    services: tuple[ServiceName, ...],
    announce: Callable[[Started], None],
    wrapping: Wrapping = UNWRAPPED,
) -> None:
    """Run until SIGTERM or SIGINT (returns) or until a task ends (raises why).

    `announce` is called once, when everything has started. Raises CannotStart for whatever keeps it from starting.
    """
    _make_data_dir(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    work = asyncio.ensure_future(run_by_doors(settings, services, announce, life_doors(), wrapping))
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
            return
        work.result()
    finally:
        stopped.cancel()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def run_by_doors(
    settings: Settings,
    services: tuple[ServiceName, ...],
    announce: Callable[[Started], None],
    doors: Doors,
    wrapping: Wrapping = UNWRAPPED,
) -> None:
    """Run until a task ends, and raise why. `run` does this by the doors of life; see there for the rest."""
    clock, redactor = doors.clock, Redactor()
    log = doors.log(settings, redactor)
    async with contextlib.AsyncExitStack() as stack:
        server = await _start_bus(settings, services, stack)
        bus_url = server.url if server is not None else _own_bus(settings)
        redactor.add(bus_url)
        alert_urls = [url.get_secret_value() for url in settings.alert_urls()]
        for url in alert_urls:
            redactor.add(url)
        alerts = await doors.alerts(alert_urls, log)
        journal = await doors.journal(settings.journal_url().get_secret_value(), clock)
        stack.push_async_callback(journal.close)
        telemetry = doors.telemetry(clock)
        gate = Gate(clock)
        world = World(
            settings=settings,
            services=services,
            doors=doors,
            log=log,
            redactor=redactor,
            metrics=telemetry.metrics,
            journal=wrapping.journal(journal),
            alerts=alerts,
            bus_url=bus_url,
            gate=gate,
            room=Room(gate, clock, log, len(settings.accounts) if ServiceName.APPLY in services else 0),
            wrapping=wrapping,
        )
        jobs = [await build_account(world, account, stack) for account in settings.accounts]
        address = await stack.enter_async_context(telemetry.serve(lambda: _health(world), settings.metrics.port))
        announce(_started(world, server, address))
        await _until_one_ends([job for each in jobs for job in each], server, world)


def _started(world: World, server: EmbeddedServer | None, metrics_url: str) -> Started:
    return Started(
        accounts=world.settings.accounts,
        services=world.services,
        bus_file=str(server.url_path) if server is not None else "",
        metrics_url=metrics_url,
        journal=world.settings.journal_url().get_secret_value().split("@")[-1],
        has_alerts=world.alerts.has_channel,
    )


def _make_data_dir(settings: Settings) -> None:
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CannotStart(f"the data folder {settings.data_dir} cannot be made: {error.strerror}") from error


async def _start_bus(
    settings: Settings, services: tuple[ServiceName, ...], stack: contextlib.AsyncExitStack
) -> EmbeddedServer | None:
    if settings.bus_url() is not None:
        return None
    if len(services) < len(BOTH):
        raise CannotStart("separate services need one bus for both: set bus.url, or run them in one process")
    server = EmbeddedServer(settings.data_dir)
    return await stack.enter_async_context(server)


def _own_bus(settings: Settings) -> str:
    url = settings.bus_url()
    if url is None:
        raise CannotStart("bus.url is not set")
    return url.get_secret_value()


def _health(world: World) -> Health:
    parts = {f"feed {name}": "proved" if feed.proof_ms is not None else "blind" for name, feed in world.feeds.items()}
    return Health(all(word == "proved" for word in parts.values()), parts)


async def _until_one_ends(jobs: list[Job], server: EmbeddedServer | None, world: World) -> None:
    """Run every service; the first end of any, or the embedded bus's, is raised."""
    running = [asyncio.ensure_future(job()) for job in jobs]
    if server is not None:
        running.append(asyncio.ensure_future(_keep_bus(server, world)))
    try:
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    for each in done:
        each.result()


async def _keep_bus(server: EmbeddedServer, world: World) -> None:
    """Start the embedded bus again when it ends; raises when it ends too often to be worth it.

    Meanwhile nothing is permitted, because holds on the bus cannot be read; nothing is lost: the journal has it.
    """
    ended_ns: deque[int] = deque(maxlen=BUS_RESTARTS_MAX)
    while True:
        status = await server.wait_ended()
        now_ns = world.clock.monotonic_ns()
        world.log.error("bus_ended", status=status)
        if len(ended_ns) == BUS_RESTARTS_MAX and now_ns - ended_ns[0] < BUS_RESTARTS_MS * 1_000_000:
            raise BusUnavailable(f"the embedded bus ended {BUS_RESTARTS_MAX} times within a minute, last with {status}")
        ended_ns.append(now_ns)
        await server.restart()
        world.log.info("bus_restarted")


BUS_RESTARTS_MAX = 5
BUS_RESTARTS_MS = 60_000
