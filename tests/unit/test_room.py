"""Accounts begin when the venue's minute has room for them, and few accounts never wait."""

from __future__ import annotations

import asyncio

from holdfast.compose.room import Room
from holdfast.lab.torture.clock import VirtualClock
from holdfast.lab.torture.loop import play
from holdfast.venues.binance import Gate
from holdfast.venues.binance.budget import Counter, Limit
from tests.unit.decide.samples import NOW
from tests.unit.services.fakes import ListLog

LIMIT = Limit(Counter.WEIGHT, 60_000, 2_400)


class Start:
    """So many accounts that begin as `compose` begins them; when each was let in, in seconds of virtual time."""

    def __init__(self, accounts: int, used: int) -> None:
        self.clock = VirtualClock(NOW)
        self.gate = Gate(self.clock)
        self.gate.set_limits((LIMIT,))
        self.room = Room(self.gate, self.clock, ListLog(), accounts)
        self.accounts = accounts
        self.used = used
        self.minute = self.clock.now_ms() // 60_000

    def spend(self, weight: int) -> None:
        """What an account uses, as the venue counts it and tells it in its answer."""
        minute = self.clock.now_ms() // 60_000
        if minute != self.minute:
            self.minute, self.used = minute, 0
        self.used += weight
        self.gate.count({"X-MBX-USED-WEIGHT-1M": str(self.used)}, "a", self.clock.now_ms())

    async def begin(self) -> tuple[list[float], list[float]]:
        """When each account's apply began, and its reconciler."""
        loop = asyncio.get_running_loop()
        applied, reconciled = [], []
        self.spend(0)

        async def apply(name: str) -> None:
            await self.room.begin_apply(name, self.clock.now_ms())
            applied.append(loop.time())
            self.spend(45)

        async def reconcile(name: str) -> None:
            interval_ms = max(2_000, self.accounts * self.gate.view_spacing_ms())
            await self.room.begin_reconcile(name, self.clock.now_ms(), interval_ms)
            reconciled.append(loop.time())
            self.spend(10)

        names = [f"a{number}" for number in range(self.accounts)]
        await asyncio.gather(*(job(name) for name in names for job in (reconcile, apply)))
        return applied, reconciled


def test_few_accounts_never_wait() -> None:
    """Three accounts are all in within a second, at any moment of the minute."""

    async def story() -> None:
        applied, reconciled = await Start(3, 100).begin()
        assert max(applied) < 0.1
        assert min(reconciled) >= max(applied)
        assert max(reconciled) < 1

    play(story)


def test_twenty_accounts_are_in_when_the_rest_of_the_minute_has_room_and_by_the_next_at_the_latest() -> None:
    """Their reconcilers begin after all applies, together, and what they use in any minute stays below four fifths."""

    async def story() -> None:
        start = Start(20, 0)
        applied, reconciled = await start.begin()
        assert len(reconciled) == 20
        assert min(reconciled) >= max(applied)
        assert max(reconciled) < 61
        assert max(reconciled) - min(reconciled) < 12, "one soon after the other"

    play(story)


def test_a_minute_that_another_process_has_used_up_is_waited_out() -> None:
    """Whoever ran on this address before has spent it: nothing is asked until the venue counts anew."""

    async def story() -> None:
        start = Start(5, 1_900)
        left_s = 60 - start.clock.now_ms() % 60_000 / 1_000
        applied, _ = await start.begin()
        assert min(applied) >= left_s

    play(story)
