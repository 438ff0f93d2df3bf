"""Time, as two readings. The one adapter is `holdfast.clock`; a virtual one drives the deterministic world."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Reads time; waiting is asyncio's, on the running loop."""

    def now_ms(self) -> int:
        """Wall clock, epoch milliseconds. May jump; an age computed from it that is negative is stale."""
        ...

    def monotonic_ns(self) -> int:
        """CLOCK_MONOTONIC, nanoseconds: for durations and for stage timings only."""
        ...
