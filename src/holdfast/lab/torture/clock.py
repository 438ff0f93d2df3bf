"""The Clock port on the virtual loop. Each process and the venue has one of its own, so that they may disagree."""

from __future__ import annotations

import asyncio

MS_A_SECOND = 1_000
NS_A_SECOND = 1_000_000_000


class VirtualClock:
    """`now_ms` begins at `start_ms`; `jump` moves the wall clock alone, as somebody does who sets it right."""

    def __init__(self, start_ms: int) -> None:
        """Made on the loop whose time it tells."""
        self._start_ms = start_ms
        self._time = asyncio.get_running_loop().time

    def now_ms(self) -> int:
        """Wall clock, epoch ms."""
        return self._start_ms + round(self._time() * MS_A_SECOND)

    def monotonic_ns(self) -> int:
        """Virtual nanoseconds since the loop began, one for all processes of the machine."""
        return round(self._time() * NS_A_SECOND)

    def jump(self, ms: int) -> None:
        """Move the wall clock; backward if negative."""
        self._start_ms += ms
