"""Read the machine's clock for the exchange: the one place of the simulator that does.

Invariants: venue time never goes back, unless an operator shifts it; the monotonic clock is the machine's own, shared
by all processes, so that a bench may subtract across them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

__all__ = ["MachineClock"]

NS_PER_MS = 1_000_000


@dataclass(slots=True)
class MachineClock:
    """Wall clock, shifted by what an operator asks for."""

    offset_ms: int = 0
    _last_ms: int = 0

    def now_ms(self) -> int:
        """Return venue time, epoch milliseconds."""
        now = time.time_ns() // NS_PER_MS + self.offset_ms
        self._last_ms = max(self._last_ms, now)
        return self._last_ms

    def monotonic_ns(self) -> int:
        """Return CLOCK_MONOTONIC."""
        return time.monotonic_ns()

    def shift(self, offset_ms: int) -> None:
        """Set the venue's clock ahead of, or behind, the machine's."""
        self.offset_ms = offset_ms
        self._last_ms = 0
