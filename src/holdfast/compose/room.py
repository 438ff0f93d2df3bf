"""Accounts begin to trade one after the other, each once the venue's limit has room for it.

All accounts of a process share one address, and the venue counts weight by address and minute. What goes on all the
time fits by itself (`venues.binance.budget`), but a start comes on top: clocks, modes, open orders. Begun all at once,
twenty accounts would use up the minute, their views would have to wait for its end, and every symbol would be held. So
an account is let in only if the rest of the minute has room for it and for those that are in already; it waits for the
next one otherwise. Until then nothing of it is permitted, and nothing held. Few accounts never wait.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from holdfast.services.supervisor import MARKS_MS
from holdfast.venues.binance.budget import OPEN_ORDERS_WEIGHT, VIEW_WEIGHT, Wanted

if TYPE_CHECKING:
    from holdfast.ports.clock import Clock
    from holdfast.ports.telemetry import Log
    from holdfast.venues.binance import Gate

MARKS_WEIGHT = 10
CLOCKS_PER_MIN = 6
"""Both adapters of an account measure the venue's clock once a minute, by three requests."""
OPEN_ORDERS_PER_MIN = 20
"""Of one account, at most: 40 every two minutes."""
START_WEIGHT = 10
FIRST_START_WEIGHT = 50
"""Besides, the first start of an account ever reads the whole order book of the account."""
APART_MS = 50
"""Accounts begin so far apart at least, so that their first views do not come all at once."""
LOOK_MS_MAX = 1_000
COUNTED_MS = 2_000
"""After so long what an account used at its start stands in the venue's own count."""
_MINUTE_MS = 60_000


class Room:
    """Lets the accounts of one process in. See the module."""

    def __init__(self, gate: Gate, clock: Clock, log: Log) -> None:
        self._gate = gate
        self._clock = clock
        self._log = log
        self._door = asyncio.Lock()
        self._views_per_min = 0
        self._accounts = 0
        self._uncounted: list[tuple[int, int]] = []

    async def enter(self, account: str, weight: int, view_interval_ms: int, venue_now_ms: int) -> None:
        """Wait for room, then return."""
        async with self._door:
            per_minute = self._views_per_min + _MINUTE_MS // view_interval_ms * VIEW_WEIGHT
            clock_ahead_ms = venue_now_ms - self._clock.now_ms()
            waited = False
            while (wait_ms := self._wait_ms(weight, per_minute, clock_ahead_ms)) > 0:
                if not waited:
                    self._log.warning("start_waits", account=account, ms=wait_ms, detail="the venue's weight limit")
                    waited = True
                await asyncio.sleep(min(wait_ms, LOOK_MS_MAX) / 1000)
            self._views_per_min = per_minute
            self._accounts += 1
            self._uncounted.append((self._clock.monotonic_ns(), weight))
            await asyncio.sleep(APART_MS / 1000)

    def _wait_ms(self, weight: int, views_per_min: int, clock_ahead_ms: int) -> int:
        now_ns = self._clock.monotonic_ns()
        self._uncounted = [each for each in self._uncounted if now_ns - each[0] < COUNTED_MS * 1_000_000]
        accounts = self._accounts + 1
        spacing_ms = max(self._gate.open_orders_spacing_ms(), 1)
        open_orders = min(OPEN_ORDERS_PER_MIN * accounts, OPEN_ORDERS_WEIGHT * _MINUTE_MS // spacing_ms)
        marks = MARKS_WEIGHT * _MINUTE_MS // MARKS_MS
        per_minute = views_per_min + marks + open_orders + CLOCKS_PER_MIN * accounts
        wanted = Wanted(weight + sum(each for _, each in self._uncounted), per_minute)
        return self._gate.room_ms(wanted, self._clock.now_ms() + clock_ahead_ms)
