"""How one process reaches what lies outside of it: clock, name, lines to bus and venue, journal, alerts, telemetry.

In life (`life_doors`) these are the machine's clock, sockets, a database, apprise and an HTTP port. The deterministic
world opens the same process by other doors, and everything behind them is the code that runs in life.
"""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from holdfast.bus.valkey import ValkeyBus
from holdfast.clock import SystemClock
from holdfast.journal import open_journal
from holdfast.services.pace import Pace
from holdfast.telemetry.alerts import AppriseAlerts
from holdfast.telemetry.log import open_log
from holdfast.telemetry.metrics import PrometheusMetrics
from holdfast.telemetry.serve import TelemetryServer
from holdfast.venues.binance.transport import HttpLine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from holdfast.ports.alerts import Alerts
    from holdfast.ports.bus import Bus
    from holdfast.ports.clock import Clock
    from holdfast.ports.journal import Journal
    from holdfast.ports.telemetry import Log, Metrics
    from holdfast.settings import Settings
    from holdfast.telemetry.redact import Redactor
    from holdfast.telemetry.serve import Health
    from holdfast.venues.binance import BinanceConfig
    from holdfast.venues.binance.transport import Line


class Telemetry(Protocol):
    """What a process counts, and where it tells it."""

    @property
    def metrics(self) -> Metrics:
        """The counters."""
        ...

    def serve(self, health: Callable[[], Health], port: int) -> contextlib.AbstractAsyncContextManager[str]:
        """Answer scrapes from entering to leaving; gives the address."""
        ...


class OpensJournal(Protocol):
    """Opens the journal at an address, as `journal.open_journal` does; raises what that raises."""

    async def __call__(self, url: str, clock: Clock) -> Journal:
        """Open it."""
        ...


class OpensAlerts(Protocol):
    """Opens the alert channels; raises CannotStart naming those that make no sense."""

    async def __call__(self, urls: Sequence[str], log: Log) -> Alerts:
        """Open them."""
        ...


@dataclass(frozen=True, slots=True)
class Doors:
    """See the module."""

    clock: Clock
    owner: str
    """The name that leases and consumers carry; no two processes share it."""
    log: Callable[[Settings, Redactor], Log]
    bus: Callable[[str, str, str], Bus]
    """Address, owner, prefix: one account's bus."""
    line: Callable[[BinanceConfig], Line]
    """One adapter's line to the venue."""
    journal: OpensJournal
    alerts: OpensAlerts
    telemetry: Callable[[Clock], Telemetry]
    pace: Pace = field(default_factory=Pace)


class ServedMetrics:
    """Prometheus' counters, served over HTTP."""

    def __init__(self, clock: Clock) -> None:
        self._metrics = PrometheusMetrics(clock)

    @property
    def metrics(self) -> Metrics:
        """The counters."""
        return self._metrics

    @contextlib.asynccontextmanager
    async def serve(self, health: Callable[[], Health], port: int) -> AsyncIterator[str]:
        """Serve them. Raises CannotStart if the port is taken."""
        async with TelemetryServer(self._metrics, health, port) as server:
            yield server.address


def life_doors() -> Doors:
    """The doors of a process in life."""
    clock = SystemClock()

    def log(settings: Settings, redactor: Redactor) -> Log:
        return open_log(
            clock=clock,
            line_format=settings.log.format,
            level=settings.log.level,
            stream=sys.stderr,
            redactor=redactor,
        )

    return Doors(
        clock=clock,
        owner=f"{os.uname().nodename}-{os.getpid()}",
        log=log,
        bus=ValkeyBus,
        line=HttpLine,
        journal=open_journal,
        alerts=_open_alerts,
        telemetry=ServedMetrics,
    )


async def _open_alerts(urls: Sequence[str], log: Log) -> Alerts:
    alerts = AppriseAlerts(urls, log)
    await alerts.check()
    return alerts
