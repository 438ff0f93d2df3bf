"""The one place where the graph of objects is built: settings in, running services out.

    run(settings, services)   journal, bus, venue, one reconcile and one apply an account, until one of them ends

Start, in this order, each with a message that says what to do when it fails: data folder, bus, journal, then for each
account the venue's clock, mode, rules and prices; only then leases and tasks. Nothing is traded before all of it
worked. The end of any task ends the process: a machine's supervisor starts it again, which is safe at any time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from holdfast.bus.embedded import EmbeddedServer
from holdfast.bus.valkey import ValkeyBus
from holdfast.clock import SystemClock
from holdfast.domain.entry import EntryKind
from holdfast.domain.errors import BusUnavailable, CannotStart, KeysRejected, VenueUnavailable
from holdfast.journal import open_journal
from holdfast.services.alerting import Alerting
from holdfast.services.closing import Closer
from holdfast.services.context import Context, Lease, Rules, Wakes
from holdfast.services.execute import Executor
from holdfast.services.feed import Feed
from holdfast.services.fills import Fills
from holdfast.services.holds import BusHolds
from holdfast.services.intake import Intake
from holdfast.services.knocks import Knocks
from holdfast.services.operator_close import OperatorClose
from holdfast.services.picture import Picture
from holdfast.services.publishing import Publisher
from holdfast.services.reconcile import Reconciler
from holdfast.services.requests import Requests
from holdfast.services.resolving import Resolver
from holdfast.services.sending import Sender
from holdfast.services.supervisor import acquire_lease, keep_lease, keep_rules, read_marks, run_tasks
from holdfast.settings import KeyUse
from holdfast.telemetry.alerts import AppriseAlerts
from holdfast.telemetry.log import open_log
from holdfast.telemetry.metrics import PrometheusMetrics
from holdfast.telemetry.redact import Redactor
from holdfast.telemetry.serve import Health, TelemetryServer
from holdfast.venues.binance import ApiKey, ApiSecret, BinanceConfig, binance_reader, binance_trader
from holdfast.venues.binance.addresses import Environment as VenueEnvironment

if TYPE_CHECKING:
    from holdfast.domain.names import AccountId, ClientOrderId
    from holdfast.ports.alerts import Alerts
    from holdfast.ports.bus import Bus
    from holdfast.ports.clock import Clock
    from holdfast.ports.journal import Journal
    from holdfast.ports.telemetry import Log
    from holdfast.ports.venue import VenueReader, VenueTrader
    from holdfast.services.supervisor import Task
    from holdfast.settings import Settings


Job = Callable[[], Coroutine[None, None, None]]
"""One service of one account, not started yet."""


class ServiceName(Enum):
    """What one process may run."""

    RECONCILE = "reconcile"
    APPLY = "apply"


BOTH = (ServiceName.RECONCILE, ServiceName.APPLY)
_ENVIRONMENTS = {"live": VenueEnvironment.LIVE, "demo": VenueEnvironment.DEMO, "sim": VenueEnvironment.CUSTOM}


@dataclass(frozen=True, slots=True)
class Started:
    """What a person or a program needs to know of a process that runs."""

    accounts: tuple[AccountId, ...]
    services: tuple[ServiceName, ...]
    bus_file: str
    """Path of the file with the embedded bus's address; "" with a bus of one's own."""
    metrics_url: str
    journal: str
    has_alerts: bool


@dataclass(slots=True)
class _World:
    """What all accounts of the process share."""

    settings: Settings
    services: tuple[ServiceName, ...]
    clock: Clock
    log: Log
    redactor: Redactor
    metrics: PrometheusMetrics
    journal: Journal
    alerts: Alerts
    bus_url: str
    feeds: dict[AccountId, Feed] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        """The name that leases and consumers carry."""
        return f"{os.uname().nodename}-{os.getpid()}"


async def run(settings: Settings, services: tuple[ServiceName, ...], announce: Callable[[Started], None]) -> None:
    """Run until SIGTERM or SIGINT (returns) or until a task ends (raises why).

    `announce` is called once, when everything has started. Raises CannotStart for whatever keeps it from starting.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    work = asyncio.ensure_future(_run_world(settings, services, announce))
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


async def _run_world(
    settings: Settings, services: tuple[ServiceName, ...], announce: Callable[[Started], None]
) -> None:
    clock, redactor = SystemClock(), Redactor()
    log = open_log(
        clock=clock,
        line_format=settings.log.format,
        level=settings.log.level,
        stream=sys.stderr,
        redactor=redactor,
    )
    _make_data_dir(settings)
    async with contextlib.AsyncExitStack() as stack:
        server = await _start_bus(settings, services, stack)
        bus_url = server.url if server is not None else _own_bus(settings)
        redactor.add(bus_url)
        alert_urls = [url.get_secret_value() for url in settings.alert_urls()]
        for url in alert_urls:
            redactor.add(url)
        alerts = AppriseAlerts(alert_urls, log)
        await alerts.check()
        journal = await open_journal(settings.journal_url().get_secret_value(), clock)
        stack.push_async_callback(journal.close)
        world = _World(
            settings=settings,
            services=services,
            clock=clock,
            log=log,
            redactor=redactor,
            metrics=PrometheusMetrics(clock),
            journal=journal,
            alerts=alerts,
            bus_url=bus_url,
        )
        jobs = [await _account(world, account, stack) for account in settings.accounts]
        telemetry = TelemetryServer(world.metrics, lambda: _health(world), settings.metrics.port)
        await stack.enter_async_context(telemetry)
        announce(_started(world, server, telemetry, has_alerts=alerts.has_channel))
        await _until_one_ends([job for each in jobs for job in each], server)


def _started(world: _World, server: EmbeddedServer | None, telemetry: TelemetryServer, *, has_alerts: bool) -> Started:
    return Started(
        accounts=world.settings.accounts,
        services=world.services,
        bus_file=str(server.url_path) if server is not None else "",
        metrics_url=telemetry.address,
        journal=world.settings.journal_url().get_secret_value().split("@")[-1],
        has_alerts=has_alerts,
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


def _health(world: _World) -> Health:
    parts = {f"feed {name}": "proved" if feed.proof_ms is not None else "blind" for name, feed in world.feeds.items()}
    return Health(all(word == "proved" for word in parts.values()), parts)


async def _until_one_ends(jobs: list[Job], server: EmbeddedServer | None) -> None:
    """Run every service; the first end of any, or the embedded bus's, is raised."""
    running = [asyncio.ensure_future(job()) for job in jobs]
    if server is not None:
        running.append(asyncio.ensure_future(_bus_ended(server)))
    try:
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    for each in done:
        each.result()


async def _bus_ended(server: EmbeddedServer) -> None:
    status = await server.wait_ended()
    raise BusUnavailable(f"the embedded bus ended with status {status}; start holdfast again")


# --- one account ----------------------------------------------------------------------------------------


def _venue_config(world: _World, account: AccountId, use: KeyUse) -> BinanceConfig:
    venue, keys = world.settings.venue, world.settings.keys(account, use)
    limits = world.settings.limits(account)
    secret = keys.secret.get_secret_value()
    world.redactor.add(secret)
    world.redactor.add(keys.key.get_secret_value())
    return BinanceConfig(
        account=account,
        rest_url=venue.rest_url,
        stream_url=venue.stream_url,
        api_key=ApiKey(keys.key.get_secret_value()),
        secret=ApiSecret(secret),
        position_mode=world.settings.position_mode(account),
        environment=_ENVIRONMENTS[venue.environment.value],
        rest_lag_ms=limits.settle_ms_max,
        probe_ms=limits.stamp_ms,
    )


async def _first_contact(world: _World, reader: VenueReader, context: Context) -> None:
    """Prove that the venue answers, takes the keys, and keeps positions as the settings say."""
    account, rules, address = context.account, context.rules, world.settings.venue.rest_url
    try:
        await reader.sync_clock()
        mode = await reader.position_mode()
        rules.instruments = await reader.instruments()
        await read_marks(context, reader)
    except VenueUnavailable as error:
        raise CannotStart(
            f"account {account}: the exchange at {address} gave no usable answer ({error}); "
            "check venue.rest_url and the network, nothing was traded"
        ) from error
    except KeysRejected as error:
        raise CannotStart(
            f"account {account}: the exchange at {address} refuses the key ({error}); "
            "check key, secret, permissions and IP list, nothing was traded"
        ) from error
    expected = world.settings.position_mode(account)
    if mode is not expected:
        raise CannotStart(
            f"account {account} is in {mode.value} mode at the exchange, position_mode says {expected.value}: "
            "set one to the other"
        )


async def _account(world: _World, account: AccountId, stack: contextlib.AsyncExitStack) -> list[Job]:
    """Build one account's services; their first contact with the venue is made here."""
    prefix = world.settings.bus_prefix(account)
    bus = ValkeyBus(world.bus_url, world.owner, prefix)
    stack.push_async_callback(bus.close)
    wakes, rules, picture = Wakes(), Rules(), Picture()
    known = world.settings.limits(account).symbols
    jobs: list[Job] = []
    feed: Feed | None = None
    if ServiceName.RECONCILE in world.services:
        context = _context(world, account, ServiceName.RECONCILE, wakes, rules)
        reader = binance_reader(_venue_config(world, account, KeyUse.READ), world.clock)
        stack.push_async_callback(reader.close)
        await _first_contact(world, reader, context)
        feed = Feed(context, reader, picture)
        world.feeds[account] = feed
        jobs.append(_reconcile_job(world, context, reader, feed, picture, bus))
    if ServiceName.APPLY in world.services:
        context = _context(world, account, ServiceName.APPLY, wakes, rules)
        trader = binance_trader(_venue_config(world, account, KeyUse.TRADE), world.clock)
        stack.push_async_callback(trader.close)
        await _first_contact(world, trader, context)
        jobs.append(_apply_job(world, context, trader, feed, bus))
    missing = sorted(known - set(rules.instruments))
    if missing:
        raise CannotStart(f"account {account}: the exchange lists no {', '.join(missing)}; correct `symbols`")
    return jobs


def _context(world: _World, account: AccountId, service: ServiceName, wakes: Wakes, rules: Rules) -> Context:
    return Context(
        account=account,
        service=service.value,
        limits=world.settings.limits(account),
        journal=world.journal,
        clock=world.clock,
        metrics=world.metrics,
        log=world.log.bind(service=service.value),
        wakes=wakes,
        rules=rules,
        lease=Lease(),
        emit=lambda _entries: None,
    )


def _reconcile_job(  # noqa: PLR0917 - the parts it joins, each named
    world: _World, context: Context, reader: VenueReader, feed: Feed, picture: Picture, bus: Bus
) -> Job:
    mode = world.settings.position_mode(context.account)
    publisher = Publisher(context, bus, picture)
    context.emit = publisher.emit
    reconciler = Reconciler(context, reader, feed, picture, publisher.plan_closes, mode)
    feed.listen(reconciler)
    requests = Requests(context, reader, picture, bus, mode)
    alerting = Alerting(context, world.alerts)

    async def job() -> None:
        await acquire_lease(context, world.owner)
        tasks: list[Task] = [
            ("lease", lambda: keep_lease(context)),
            ("stream", feed.run_stream),
            ("views", feed.run_views),
            ("evaluate", reconciler.run),
            ("rules", lambda: keep_rules(context, reader)),
            ("streams", publisher.run_streams),
            ("marks", publisher.run_marks),
            ("copies", publisher.run_copies),
            ("requests", requests.run),
            ("imports", requests.run_imports),
            ("alerts", alerting.run),
        ]
        await run_tasks(context, tasks)

    return job


def _apply_job(world: _World, context: Context, trader: VenueTrader, shared: Feed | None, bus: Bus) -> Job:
    resolve: Knocks[ClientOrderId] = Knocks()
    fills = Fills(resolve)
    feed = shared if shared is not None else Feed(context, trader, Picture())
    feed.listen(fills)
    publisher = Publisher(context, bus, None)
    context.emit = publisher.emit
    holds = BusHolds(context, bus)
    sender = Sender(context, trader, fills, resolve)
    executor = Executor(context, trader, sender, publisher, holds)
    closer = Closer(context, trader, sender, publisher)
    resolver = Resolver(context, trader, sender, fills, publisher, resolve)
    operator = OperatorClose(context, trader, closer)

    async def job() -> None:
        await acquire_lease(context, world.owner)
        count = await world.journal.query(context.account, lambda reads: reads.count_entries(EntryKind.CLOSE_DONE))
        context.metrics.closes_before(count)
        await resolver.take_over()
        intake = Intake(context, bus, executor, closer, publisher, holds)
        tasks: list[Task] = [
            ("lease", lambda: keep_lease(context)),
            ("plans", intake.run_plans),
            ("closes", intake.run_closes),
            ("resolver", resolver.run),
            ("operator closes", operator.run),
            ("streams", publisher.run_streams),
            ("marks", publisher.run_marks),
        ]
        if shared is None:
            tasks += [
                ("stream", feed.run_stream),
                ("rules", lambda: keep_rules(context, trader)),
            ]
        await run_tasks(context, tasks)

    return job
