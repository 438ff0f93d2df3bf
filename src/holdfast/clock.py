"""The machine's clock: the one place in the product that reads wall clock and monotonic clock.

Everything else gets a `ports.clock.Clock`; the deterministic world gives it a virtual one.
"""

from __future__ import annotations

import time

_NS_PER_MS = 1_000_000


class SystemClock:
    """`ports.clock.Clock` over the operating system's clocks."""

    __slots__ = ()

    def now_ms(self) -> int:
        """Wall clock, epoch milliseconds; may jump."""
        return time.time_ns() // _NS_PER_MS

    def monotonic_ns(self) -> int:
        """CLOCK_MONOTONIC in nanoseconds, shared by all processes of the machine."""
        return time.monotonic_ns()
