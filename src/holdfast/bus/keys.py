"""Every stream and key under one account's prefix (DESIGN, bus contract), and how far each stream may grow.

Two accounts never share a prefix. On a cluster the prefix carries the hash tag, so that one account is one slot.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.domain.errors import CannotStart

if TYPE_CHECKING:
    from holdfast.domain.names import Symbol

PREFIX_DEFAULT = "quantum"
GROUP = "holdfast-apply"
"""The one consumer group on the plan stream."""
RESULTS_KEPT = 20_000
"""Results kept on the stream (about 10 MB); older ones are in the journal."""
EVENTS_KEPT = 10_000
PLANS_KEPT_MS = 900_000
"""Acknowledged plans stay this long (by their entry id) for people to look at; unacknowledged ones for ever."""

_PREFIX = re.compile(r"[A-Za-z0-9._:{}-]{1,64}")
_CONSUMER = re.compile(r"[A-Za-z0-9._:-]{1,128}")


@dataclass(frozen=True, slots=True)
class Keys:
    """The names under one prefix. Raises CannotStart for a prefix that is not 1 to 64 of `A-Z a-z 0-9 . _ : { } -`."""

    prefix: str = PREFIX_DEFAULT

    def __post_init__(self) -> None:
        if _PREFIX.fullmatch(self.prefix) is None:
            raise CannotStart(f"bus.prefix {self.prefix!r}: use 1 to 64 letters, digits or . _ : {{ }} -")

    def named(self, name: str) -> str:
        """A key by its name without the prefix, for instance `reconcile:state:BTCUSDT`."""
        return f"{self.prefix}:{name}"

    @property
    def plans(self) -> str:
        """The stream that plans arrive on."""
        return self.named("stream:trading.plan")

    @property
    def results(self) -> str:
        """The stream that outcomes are published on."""
        return self.named("stream:apply.result")

    @property
    def events(self) -> str:
        """The stream of what the reconciler saw and did."""
        return self.named("stream:reconcile.events")

    @property
    def generation(self) -> str:
        """The hash of marks, one field a consumer: gone when the bus was wiped."""
        return self.named("holdfast:generation")

    def hold(self, symbol: Symbol) -> str:
        """The string that stands while the symbol is held."""
        return self.named(f"reconcile:hold:{symbol}")

    def state(self, symbol: Symbol) -> str:
        """The hash with the symbol's reconciliation state."""
        return self.named(f"reconcile:state:{symbol}")


def checked_consumer(name: str) -> str:
    """Return `name` if it may name a consumer of the group. Raises CannotStart."""
    if _CONSUMER.fullmatch(name) is None:
        raise CannotStart(f"consumer name {name!r}: use 1 to 128 letters, digits or . _ : -")
    return name
