"""The bus: plans in, results and events out, published copies of state. Nothing on it has authority.

Every call raises `BusUnavailable` when the server does not answer in time or refuses; no call repeats a write
by itself (client retries are off: they write an entry twice).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.domain.close import Close
    from holdfast.domain.entry import JournaledEntry
    from holdfast.domain.names import Symbol
    from holdfast.domain.plan import PlanEntry, PlanResult


@dataclass(frozen=True, slots=True)
class StateCopy:
    """One published key: a string (`text`) or a hash (`fields`), with an optional life. Both None: delete it.

    A hold key is deleted only while it still holds `expected` (compare-and-delete), so that a hold that somebody
    set by hand is never removed by our own clean-up. A `text` with `expected` is written only over nothing, a free
    value or `expected`, so that such a hold is not overwritten before it was imported either.
    """

    key: str
    """Without the prefix, for instance `reconcile:state:BTCUSDT`."""
    text: str | None = None
    fields: Mapping[str, str] | None = None
    ttl_ms: int | None = None
    expected: str | None = None


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much waits on the plan stream for our group."""

    pending: int
    lag: int | None


class Bus(Protocol):
    """One account's streams and keys, all under its prefix."""

    async def ensure_ready(self) -> bool:
        """Create streams and the consumer group where missing.

        True if the bus was empty or lost since the last call (its generation mark is gone): everything must be
        published again.
        """
        ...

    async def read_plans(self, *, count: int, wait_ms: int) -> tuple[PlanEntry, ...]:
        """New plans for this consumer, decoded; () after `wait_ms` without any."""
        ...

    async def reclaim_plans(self, *, idle_ms: int, count: int) -> tuple[PlanEntry, ...]:
        """Plans delivered to a consumer that did not acknowledge them for `idle_ms` (XAUTOCLAIM)."""
        ...

    async def finish(self, results: Sequence[PlanResult], acknowledge: Sequence[str]) -> None:
        """Publish results, then acknowledge the entries, in one round trip and in this order."""
        ...

    async def publish_close(self, close: Close) -> str:
        """Put the close on the plan stream for all to see; it only wakes the apply layer. Returns its entry id."""
        ...

    async def publish_events(self, entries: Sequence[JournaledEntry]) -> None:
        """Put journal entries on `reconcile.events`."""
        ...

    async def hold_values(self, symbols: Sequence[Symbol]) -> Mapping[Symbol, str]:
        """What stands on the symbols' hold keys; free ones (absent, empty, `0`, `false`) are left out."""
        ...

    async def read_text(self, key: str) -> str | None:
        """A published string, by its key without the prefix; None if there is none."""
        ...

    async def publish_copies(self, copies: Sequence[StateCopy]) -> None:
        """Write or delete published copies, in one round trip."""
        ...

    async def backlog(self) -> Backlog:
        """Pending and lag of our consumer group."""
        ...

    async def close(self) -> None:
        """End connections."""
        ...
