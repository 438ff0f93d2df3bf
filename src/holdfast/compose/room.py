"""Accounts begin one after the other, when the venue's limit has room for them.

All accounts of a process share one address, and the venue counts weight by address and minute. What goes on all the
time fits by itself (`venues.binance.budget`), but a start comes on top: clocks, modes, all open orders; and so does
what the process that ran here before has used. Begun all at once, twenty accounts would use up the minute, their views
would have to wait for its end, and every symbol would be held; or the venue would ban the address. So:

    1  first contacts and readings of open orders, one account after the other, while four fifths have room for each
    2  once all accounts have had theirs, the reconcilers: when what goes on from then on fits in the rest of the minute

Until then nothing of an account is permitted, and nothing is held. Few accounts never wait.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from holdfast.services.mode_watch import VIEWS_A_READING
from holdfast.services.supervisor import MARKS_MS
from holdfast.venues.binance.budget import OPEN_ORDERS_WEIGHT, VIEW_WEIGHT, Wanted

if TYPE_CHECKING:
    from holdfast.ports.clock import Clock
    from holdfast.ports.telemetry import Log
    from holdfast.venues.binance import Gate

CONTACT_WEIGHT = 20
"""One adapter's clock and mode, and for the first of them rules and prices."""
APPLY_WEIGHT = OPEN_ORDERS_WEIGHT + 5
RECONCILE_WEIGHT = 15
"""The mode, a first view, and what opening the stream takes."""
MARKS_WEIGHT = 10
MODE_WEIGHT_A_VIEW = VIEW_WEIGHT // VIEWS_A_READING
"""The position mode weighs as much as a view, and is read with every so manyth."""
CLOCKS_PER_MIN = 6
"""Both adapters of an account measure the venue's clock once a minute, by three requests."""
OPEN_ORDERS_PER_MIN = 20
"""Of one account, at most: 40 every two minutes."""
APART_MS = 50
"""Accounts begin so far apart at least, so that their first views do not come all at once."""
LOOK_MS_MAX = 1_000
COUNTED_MS = 2_000
"""After so long what an account used at its start stands in the venue's own count."""
_MINUTE_MS = 60_000
_MARKS_PER_MIN = MARKS_WEIGHT * _MINUTE_MS // MARKS_MS


class Room:
    """Lets the accounts of one process in. See the module."""

    def __init__(self, gate: Gate, clock: Clock, log: Log, applying: int) -> None:
        """`applying` accounts will enter with `begin_apply`; the reconcilers wait for all of them."""
        self._gate = gate
        self._clock = clock
        self._log = log
        self._door = asyncio.Lock()
        self._missing = applying
        self._all_in = asyncio.Event()
        if applying == 0:
            self._all_in.set()
        self._views_per_min = 0
        self._accounts = 0
        self._uncounted: list[tuple[int, int]] = []

    async def contact(self, account: str) -> None:
        """Wait for room for one adapter's first contact."""
        async with self._door:
            await self._wait(account, CONTACT_WEIGHT, 0, 0)

    async def begin_apply(self, account: str, venue_now_ms: int) -> None:
        """Wait for room for apply's start."""
        ahead_ms = venue_now_ms - self._clock.now_ms()
        async with self._door:
            await self._wait(account, APPLY_WEIGHT, ahead_ms, _MARKS_PER_MIN)
            self._missing -= 1
            if self._missing <= 0:
                self._all_in.set()

    async def begin_reconcile(self, account: str, venue_now_ms: int, view_interval_ms: int) -> None:
        """Wait until every account's apply has begun, and for room for what goes on from now on."""
        ahead_ms = venue_now_ms - self._clock.now_ms()
        self._views_per_min += _MINUTE_MS // view_interval_ms * (VIEW_WEIGHT + MODE_WEIGHT_A_VIEW)
        self._accounts += 1
        await self._all_in.wait()
        async with self._door:
            await self._wait(account, RECONCILE_WEIGHT, ahead_ms, self._per_minute())
            await asyncio.sleep(APART_MS / 1000)

    def _per_minute(self) -> int:
        """The weight that all accounts together use in a minute, once they run."""
        spacing_ms = max(self._gate.open_orders_spacing_ms(), 1)
        open_orders = min(OPEN_ORDERS_PER_MIN * self._accounts, OPEN_ORDERS_WEIGHT * _MINUTE_MS // spacing_ms)
        return self._views_per_min + _MARKS_PER_MIN + open_orders + CLOCKS_PER_MIN * self._accounts

    async def _wait(self, account: str, weight: int, ahead_ms: int, per_minute: int) -> None:
        """`ahead_ms`: the venue's clock minus ours."""
        has_told = False
        while (wait_ms := self._wait_ms(weight, per_minute, ahead_ms)) > 0:
            if not has_told:
                self._log.warning("start_waits", account=account, ms=wait_ms, detail="the venue's weight limit")
                has_told = True
            await asyncio.sleep(min(wait_ms, LOOK_MS_MAX) / 1000)
        self._uncounted.append((self._clock.monotonic_ns(), weight))

    def _wait_ms(self, weight: int, per_minute: int, ahead_ms: int) -> int:
        now_ns = self._clock.monotonic_ns()
        self._uncounted = [each for each in self._uncounted if now_ns - each[0] < COUNTED_MS * 1_000_000]
        wanted = Wanted(weight + sum(each for _, each in self._uncounted), per_minute)
        return self._gate.room_ms(wanted, self._clock.now_ms() + ahead_ms)
