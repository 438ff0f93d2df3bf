"""Decide when each user-stream event is delivered, if at all: the stream faults, between the core and the sockets.

Invariants: without an armed fault every event passes at once, in order; a held (reordered) event comes right after the
next one of its account; each deviation is a counted hit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from holdfast.sim.core.events import AccountConfigUpdate, AccountUpdate, Event, ListenKeyExpired, kind_of
from holdfast.sim.core.fault_names import FaultName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.sim.core.faults import Faults

__all__ = ["Delivery", "FaultyStream", "StreamOutlet"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way out."""

    event: Event
    delay_ms: int = 0


class StreamOutlet(Protocol):
    """The sockets, seen from the core."""

    def deliver(self, account: str, deliveries: Sequence[Delivery]) -> None:
        """Send these events to the account's open streams."""

    def close(self, account: str) -> None:
        """Close the account's open streams."""


@dataclass(slots=True)
class FaultyStream:
    """The exchange's sink: applies the stream faults and hands on."""

    faults: Faults
    outlet: StreamOutlet
    held: dict[str, list[Event]] = field(default_factory=dict)

    def emit(self, account: str, events: Sequence[Event]) -> None:
        """Take the events of one match."""
        if not self.faults.armed and not self.held:
            self.outlet.deliver(account, [Delivery(event) for event in events])
            return
        for event in events:
            self._pass(account, event)

    def _pass(self, account: str, event: Event) -> None:
        fault = self.faults.on_event(account, kind_of(event), symbol_of(event))
        name = fault.name if fault is not None else None
        if name is FaultName.STREAM_DROP:
            return
        if name is FaultName.STREAM_CLOSE:
            self.outlet.close(account)
            return
        if name is FaultName.STREAM_REORDER:
            self.held.setdefault(account, []).append(event)
            return
        delay = fault.wait_ms if fault is not None and name is FaultName.STREAM_DELAY else 0
        out = [Delivery(event, delay)]
        if name is FaultName.STREAM_DUPLICATE:
            out.append(Delivery(event))
        out.extend(Delivery(late) for late in self.held.pop(account, ()))
        self.outlet.deliver(account, out)


def symbol_of(event: Event) -> str | None:
    """Return the symbol that an event is about, None if it is about the account."""
    if isinstance(event, ListenKeyExpired):
        return None
    if isinstance(event, AccountUpdate):
        return event.change.positions[0].symbol if event.change.positions else None
    if isinstance(event, AccountConfigUpdate):
        return None
    order = getattr(event, "order", event)
    symbol = getattr(order, "symbol", None)
    return symbol if isinstance(symbol, str) else None
