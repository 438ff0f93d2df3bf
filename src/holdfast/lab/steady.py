"""A steady load on many accounts: plans on random legs at one rate, foreign trades on random legs at another.

Every time is CLOCK_MONOTONIC in nanoseconds, which all processes of a machine share. A foreign trade is a BUY, and a
plan never sells more than was bought: so each trade is an excess that a close undoes.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from holdfast.bus.keys import Keys
from holdfast.domain.errors import Unclassified
from holdfast.lab.bench_load import EventReader, PlanDriver
from holdfast.lab.desk import Desk
from holdfast.lab.scale_rig import account_at

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType

    from holdfast.lab.scale_rig import Running

PLAN_QTY = "1"
DRIFT_QTY = "0.5"
IN_FLIGHT_MAX = 200
"""Plans under way at once; at a rate that is kept there are never so many."""
EPISODE_S_MAX = 15.0
"""A drift that is not held, or a hold that is not released by then, is counted as such."""


@dataclass(slots=True)
class Found:
    """What the load brought."""

    hold_ns: list[int] = field(default_factory=list)
    release_ns: list[int] = field(default_factory=list)
    not_held: list[str] = field(default_factory=list)
    not_released: list[str] = field(default_factory=list)
    executed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def note(self, leg: tuple[str, str], accepted_ns: int, held_ns: int | None, released_ns: int | None) -> None:
        """Count one foreign trade."""
        if held_ns is None:
            self.not_held.append(" ".join(leg))
        else:
            self.hold_ns.append(held_ns - accepted_ns)
        if released_ns is None:
            self.not_released.append(" ".join(leg))
        else:
            self.release_ns.append(released_ns - accepted_ns)


class SteadyLoad:
    """Plans and foreign trades on random legs."""

    def __init__(self, ready: Running, seed: int) -> None:
        self._ready = ready
        self._stack = contextlib.AsyncExitStack()
        self._random = random.Random(seed)  # noqa: S311 - legs are picked, nothing is kept secret
        self._legs = [(account, each) for account, symbols in ready.fleet.symbols.items() for each in symbols]
        self._drivers: dict[str, PlanDriver] = {}
        self._events: dict[str, EventReader] = {}
        self._desks: dict[str, Desk] = {}
        self._trading: set[tuple[str, str]] = set()
        self._drifting: set[tuple[str, str]] = set()
        self._long: set[tuple[str, str]] = set()
        """Legs on which our plans hold something: a plan sells there, a foreign trade adds to it."""
        self.found = Found()

    async def __aenter__(self) -> Self:
        """Connect, two readers and one writer an account."""
        stack = self._stack
        for account in self._ready.fleet.symbols:
            url, keys, name = self._ready.bus_url, Keys(account), f"scale-{account}"
            self._drivers[account] = await stack.enter_async_context(PlanDriver(url, name, keys))
            self._events[account] = await stack.enter_async_context(EventReader(url, name, keys))
            address = str(self._ready.sim.said["admin_url"])
            desk = Desk(address, account_at(self._ready.child.name, account))
            self._desks[account] = await stack.enter_async_context(desk)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def run(self, seconds: float, plans_per_s: float, drifts_per_s: float) -> None:
        """Keep both rates for so long; then wait for what is under way."""
        started = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as tasks:
            plans = _at_rate(tasks, plans_per_s, seconds, self._plan)
            drifts = _at_rate(tasks, drifts_per_s, seconds, self._drift)
            await asyncio.gather(plans, drifts)
            self.found.seconds = asyncio.get_running_loop().time() - started

    def _pick(self, taken: set[tuple[str, str]]) -> tuple[str, str]:
        if len(taken) >= min(IN_FLIGHT_MAX, len(self._legs)):
            raise Unclassified(f"{len(taken)} plans or drifts are under way at once: the rate is not kept")
        while True:
            leg = self._random.choice(self._legs)
            if leg not in taken:
                taken.add(leg)
                return leg

    async def _plan(self) -> None:
        leg = self._pick(self._trading)
        account, symbol = leg
        sells = leg in self._long
        try:
            answered = await self._drivers[account].execute(symbol, "SELL" if sells else "BUY", PLAN_QTY)
        finally:
            self._trading.discard(leg)
        if answered.error:
            self.found.refused[answered.error] += 1
            return
        self.found.executed += 1
        if sells:
            self._long.discard(leg)
        else:
            self._long.add(leg)

    async def _drift(self) -> None:
        leg = self._pick(self._drifting)
        account, symbol = leg
        events = self._events[account]
        held, released = events.expect("HOLD_SET", symbol), events.expect("HOLD_RELEASED", symbol)
        traded = await self._desks[account].trade(symbol, "BUY", DRIFT_QTY)
        accepted_ns = int(traded["accepted_monotonic_ns"])
        held_ns = await _within(held)
        released_ns = await _within(released)
        self.found.note(leg, accepted_ns, held_ns, released_ns)
        if released_ns is not None:
            self._drifting.discard(leg)  # else it is left alone: a person's by now


async def _within(answer: asyncio.Future[int]) -> int | None:
    """The event's time, or None if it does not come within `EPISODE_S_MAX`."""
    try:
        async with asyncio.timeout(EPISODE_S_MAX):
            return await answer
    except TimeoutError:
        return None


async def _at_rate(
    tasks: asyncio.TaskGroup, per_s: float, seconds: float, act: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    """Start `act` so many times a second, each as a task of its own, whatever the others take."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    for number in range(round(per_s * seconds)):
        await asyncio.sleep(max(started + number / per_s - loop.time(), 0))
        tasks.create_task(act())
