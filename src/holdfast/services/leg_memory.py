"""What the reconciler remembers of one leg between evaluations: only what a restart may lose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from holdfast.decide.reconcile import Evidence
    from holdfast.domain.view import PositionView


@dataclass(slots=True)
class LegMemory:
    """What a restart may lose about one leg."""

    settling_since_ms: int | None = None
    evidence: Evidence | None = None
    second: PositionView | None = None
    looks: int = 0
    looking: asyncio.Task[None] | None = None
    looked_ns: int = 0
    timer: asyncio.TimerHandle | None = None
    drift_ns: int | None = None
    """CLOCK_MONOTONIC when the drift that now stands was first evaluated."""


def fresh_second(
    second: PositionView | None, view: PositionView | None, last_fill_ms: int, opened_ms: int | None
) -> PositionView | None:
    """The second look counts if it was taken after the hold was placed, and is not older than what we know."""
    if second is None or view is None or opened_ms is None or second.read_ms < opened_ms:
        return None
    if second.as_of_ms < last_fill_ms or (second.as_of_ms < view.as_of_ms and second.amt != view.amt):
        return None
    return second
