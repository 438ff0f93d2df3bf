"""What all accounts of one process share, and what a process says of itself once it runs."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from holdfast.services.context import Rules

if TYPE_CHECKING:
    from holdfast.compose.doors import Doors
    from holdfast.compose.room import Room
    from holdfast.domain.names import AccountId
    from holdfast.ports.alerts import Alerts
    from holdfast.ports.bus import Bus
    from holdfast.ports.clock import Clock
    from holdfast.ports.journal import Journal
    from holdfast.ports.telemetry import Log, Metrics
    from holdfast.ports.venue import VenueReader, VenueTrader
    from holdfast.services.feed import Feed
    from holdfast.settings import Settings
    from holdfast.telemetry.redact import Redactor
    from holdfast.venues.binance import Gate

Job = Callable[[], Coroutine[None, None, None]]
"""One service of one account, not started yet."""


class ServiceName(Enum):
    """What one process may run."""

    RECONCILE = "reconcile"
    APPLY = "apply"


BOTH = (ServiceName.RECONCILE, ServiceName.APPLY)


class Wrapping(Protocol):
    """What is put around the ports before any service sees them. In life nothing is; drills count and kill there."""

    def journal(self, journal: Journal) -> Journal:
        """The journal that every service gets."""
        ...

    def bus(self, bus: Bus) -> Bus:
        """One account's bus."""
        ...

    def reader(self, reader: VenueReader) -> VenueReader:
        """The reading adapter of one account."""
        ...

    def trader(self, trader: VenueTrader) -> VenueTrader:
        """The trading adapter of one account."""
        ...


class Unwrapped:
    """Life: every port as it is."""

    def journal(self, journal: Journal) -> Journal:
        """The journal itself."""
        return journal

    def bus(self, bus: Bus) -> Bus:
        """The bus itself."""
        return bus

    def reader(self, reader: VenueReader) -> VenueReader:
        """The reader itself."""
        return reader

    def trader(self, trader: VenueTrader) -> VenueTrader:
        """The trader itself."""
        return trader


UNWRAPPED = Unwrapped()


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
class World:
    """What all accounts of the process share."""

    settings: Settings
    services: tuple[ServiceName, ...]
    doors: Doors
    log: Log
    redactor: Redactor
    metrics: Metrics
    journal: Journal
    alerts: Alerts
    bus_url: str
    gate: Gate
    """The venue's limits are per address: one gate for all accounts, so that a ban heard by one stops all."""
    room: Room
    rules: Rules = field(default_factory=Rules)
    """Symbols and prices are the same for all accounts: whichever has its turn reads them for all."""
    feeds: dict[AccountId, Feed] = field(default_factory=dict)
    wrapping: Wrapping = UNWRAPPED

    def view_interval_ms(self, account: AccountId) -> int:
        """How often the account's complete view is read: as its settings say, or more rarely by the venue's limits."""
        spacing_ms = len(self.settings.accounts) * self.gate.view_spacing_ms()
        return max(self.settings.view_interval_ms(account), spacing_ms)

    def open_orders_spacing_ms(self) -> int:
        """How far apart readings of one account's open orders must lie by the venue's limits."""
        return len(self.settings.accounts) * self.gate.open_orders_spacing_ms()

    @property
    def clock(self) -> Clock:
        """The process's clock."""
        return self.doors.clock

    @property
    def owner(self) -> str:
        """The name that leases and consumers carry."""
        return self.doors.owner
