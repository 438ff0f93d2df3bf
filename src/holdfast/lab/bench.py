"""`holdfast bench`: what a plan and a drift cost here, beside the same trips done by bare code.

Ours and the floor are measured in turn, block by block, so that whatever else the machine does meets both. Every
figure is computed from what this run measured. A time begins and ends on CLOCK_MONOTONIC, which all processes share;
where it ends at the exchange, the exchange's own record of the order's acceptance counts, not our word. The first trips
of each kind are not counted (`WARM_PLANS`, `WARM_DRIFTS`, `WARM_S`): they load code and open connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.domain.errors import Unclassified
from holdfast.lab.bench_load import EventReader, Load, PlanDriver, drift
from holdfast.lab.bench_report import Conditions, Figures, Report
from holdfast.lab.bench_rig import LATENCY_SYMBOL, LIMITS_FACTOR, STATS_COMMANDS, Rig, Side, rig
from holdfast.lab.children import while_running
from holdfast.lab.machine import disk_folder, machine_at, require_linux
from holdfast.lab.samples import timing_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.lab.bench_load import Answered, Drift
    from holdfast.lab.desk import Desk

SYMBOLS = 50
IN_FLIGHT = 64
BLOCKS_MAX = 4
PLANS_PER_BLOCK_MIN = 10
GAP_S = 0.005
"""Pause between two trips that are timed one by one, the same for both sides."""
WARM_PLANS = 10
WARM_DRIFTS = 2
WARM_S = 0.5
REFUSED_MAX = 0.1
"""If a larger share of the timed plans is refused, there is nothing to be said about the rest."""
PLAN_QTY = "0.003"
DRIFT_QTY = "0.007"
LOAD_QTY = "1"
METHOD = {
    "blocks": "ours and the floor in turn, block by block",
    "plan_to_order_ms": "one plan in flight on one symbol, 5 ms after the last result; from just before its XADD to "
    "the acceptance in the simulator's own record; a plan that comes before the reconciler has agreed to the last fill "
    "waits for it: included",
    "drift_to_*_ms": "one foreign trade at a time, alternately long and short, 5 ms after the last release; from its "
    "acceptance in the simulator's record",
    "drift_to_hold_ms": "until a blocking reader got HOLD_SET from the bus: publication after the commit is included",
    "drift_to_close_ms": "until the simulator's record says that it accepted the closing order",
    "drift_to_release_ms": "until a blocking reader got HOLD_RELEASED from the bus",
    "cpu_us_per_plan": "user and system time of our process and its Valkey, background work included; neither the "
    "simulator nor the load generator",
    "bus_commands_per_plan": "INFO commandstats of the Valkey under load, without the load generator's XADD and XREAD; "
    "what goes on all the time is included, so that a slower machine shows more of them a plan",
    "rss_mb": "VmRSS of our process and its Valkey, the largest seen between blocks",
    "floor": "redis-py's Connection, sqlite3 (WAL, FULL; what one turn of the loop asks for is one commit, on the loop "
    "itself), aiohttp, uvloop: a task a plan, no permit, no chain, no lease, no fill awaited",
    "warm-up": f"{WARM_PLANS} plans, {WARM_DRIFTS} drifts and {WARM_S:g} s of each load are not counted",
}


@dataclass(frozen=True, slots=True)
class BenchConfig:
    """How much to measure on each side."""

    plans: int = 1_000
    drifts: int = 300
    seconds: float = 12.0
    """Of load."""

    @property
    def blocks(self) -> int:
        """Into how many blocks all of it is cut."""
        return max(1, min(BLOCKS_MAX, self.plans // PLANS_PER_BLOCK_MIN, self.drifts))


@dataclass(slots=True)
class Samples:
    """What one side brought so far."""

    plan_to_order_ns: list[int] = field(default_factory=list)
    drift_to_hold_ns: list[int] = field(default_factory=list)
    drift_to_close_ns: list[int] = field(default_factory=list)
    drift_to_release_ns: list[int] = field(default_factory=list)
    plans: int = 0
    """Executed in the windows of load."""
    seconds: float = 0.0
    cpu_us: int = 0
    bus_commands: int = 0
    rss_mb: float = 0.0
    refused: Counter[str] = field(default_factory=Counter)

    def figures(self) -> Figures:
        """All figures. Raises Unclassified if something was never measured."""
        if not self.plans:
            raise Unclassified(f"no plan was executed under load; refused: {dict(self.refused)}")
        return Figures(
            plan_to_order_ms=timing_of(self.plan_to_order_ns),
            drift_to_hold_ms=timing_of(self.drift_to_hold_ns),
            drift_to_close_ms=timing_of(self.drift_to_close_ns),
            drift_to_release_ms=timing_of(self.drift_to_release_ns),
            plans_per_s=round(self.plans / self.seconds, 1),
            cpu_us_per_plan=round(self.cpu_us / self.plans, 1),
            bus_commands_per_plan=round(self.bus_commands / self.plans, 3),
            rss_mb=round(self.rss_mb, 1),
        )


async def run_bench(config: BenchConfig, say: Callable[[str], None]) -> Report:
    """Measure. Raises CannotStart, or Unclassified if something did not do what it was measured for."""
    require_linux()
    task = asyncio.current_task()
    if task is not None:  # so that the children and the folder are gone after SIGTERM too
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-", dir=disk_folder()) as name:
        machine = machine_at(Path(name))
        say(f"simulator on loopback, its rate limits raised {LIMITS_FACTOR} times, prices frozen; files in {name}")
        async with rig(Path(name), SYMBOLS) as ready:
            ours, floor = await while_running(ready.children, _measure(ready, config, say))
    conditions = Conditions(
        exchange="holdfast sim, prices frozen",
        limits_factor=LIMITS_FACTOR,
        symbols=SYMBOLS,
        in_flight=IN_FLIGHT,
        blocks=config.blocks,
        seconds_of_load=round(ours.seconds, 1),
        refused=dict(ours.refused),
        floor_refused=dict(floor.refused),
        method=METHOD,
    )
    return Report(ours.figures(), floor.figures(), machine, conditions)


async def _measure(ready: Rig, config: BenchConfig, say: Callable[[str], None]) -> tuple[Samples, Samples]:
    found = (Samples(), Samples())
    async with contextlib.AsyncExitStack() as stack:
        sides = []
        for side, samples in zip((ready.ours, ready.floor), found, strict=True):
            driver = await stack.enter_async_context(PlanDriver(side.bus_url, side.name))
            events = await stack.enter_async_context(EventReader(side.bus_url, side.name))
            sides.append(_SideBench(side, samples, driver, events, ready.symbols))
        for bench in sides:
            await bench.warm_up()
        for block in range(config.blocks):
            say(f"block {block + 1} of {config.blocks}")
            for bench in sides:
                await bench.plans(_share(config.plans, config.blocks, block))
            for bench in sides:
                await bench.drifts(_share(config.drifts, config.blocks, block))
            for bench in sides:
                await bench.load(config.seconds / config.blocks)
    return found


def _share(total: int, blocks: int, block: int) -> int:
    """The block's part of a total, so that all parts add up to it."""
    return total * (block + 1) // blocks - total * block // blocks


class _SideBench:
    """Measures one side into its samples."""

    def __init__(
        self, side: Side, samples: Samples, driver: PlanDriver, events: EventReader, symbols: tuple[str, ...]
    ) -> None:
        self._side, self._samples, self._driver, self._events = side, samples, driver, events
        self._symbols = symbols
        self._sides = itertools.cycle(("BUY", "SELL"))

    async def warm_up(self) -> None:
        """The first trips, which are not counted."""
        counted, self._samples = self._samples, Samples()
        await self.plans(WARM_PLANS)
        await self.drifts(WARM_DRIFTS)
        self._samples = counted

    async def plans(self, count: int) -> None:
        """Time `count` executed plans, one by one."""
        before = await _orders_total(self._side.plan_desk)
        answers: list[Answered] = []
        refused = 0
        while len(answers) < count:
            answered = await self._driver.execute(LATENCY_SYMBOL, "SELL" if len(answers) % 2 else "BUY", PLAN_QTY)
            if answered.error:
                refused += 1
                self._samples.refused[answered.error] += 1
                if refused > REFUSED_MAX * count + 1:
                    raise Unclassified(f"{self._side.name}: too many plans refused: {dict(self._samples.refused)}")
            else:
                answers.append(answered)
            await asyncio.sleep(GAP_S)
        orders = await self._side.plan_desk.orders(symbol=LATENCY_SYMBOL, after=str(before))
        accepted = {str(order["clientOrderId"]): int(order["accepted_monotonic_ns"]) for order in orders}
        self._samples.plan_to_order_ns += [accepted[each.client_order_id] - each.sent_ns for each in answers]
        if count % 2:
            await self.flatten()

    async def flatten(self) -> None:
        """Sell by a plan what an odd number of plans left, so that ledger and exchange stay level."""
        answered = await self._driver.execute(LATENCY_SYMBOL, "SELL", PLAN_QTY)
        if answered.error:
            raise Unclassified(f"{self._side.name}: the closing plan was refused: {answered.error}")
        await asyncio.sleep(GAP_S)

    async def drifts(self, count: int) -> None:
        """Time `count` foreign trades, one by one."""
        desk = self._side.drift_desk
        before = await _orders_total(desk)
        found: list[Drift] = []
        for _ in range(count):
            found.append(await drift(desk, self._events, LATENCY_SYMBOL, next(self._sides), DRIFT_QTY))
            await asyncio.sleep(GAP_S)
        closes = _closes(await desk.orders(symbol=LATENCY_SYMBOL, after=str(before)))
        for each in found:
            self._samples.drift_to_hold_ns.append(each.held_ns - each.accepted_ns)
            self._samples.drift_to_close_ns.append(closes[each.order_id] - each.accepted_ns)
            self._samples.drift_to_release_ns.append(each.released_ns - each.accepted_ns)
        self._samples.rss_mb = max(self._samples.rss_mb, self._side.rss_mb())

    async def load(self, seconds: float) -> None:
        """Count what gets through in so many seconds, and what it costs."""
        load = Load(self._driver, self._symbols, IN_FLIGHT, LOAD_QTY)
        samples = self._samples
        async with asyncio.TaskGroup() as workers:
            load.start(workers)
            await asyncio.sleep(WARM_S)
            spent, sent, executed, started = await self._side.spent(), self._driver.sent, load.tally.executed, _now_s()
            await asyncio.sleep(seconds)
            samples.seconds += _now_s() - started
            samples.plans += load.tally.executed - executed
            sent_now = self._driver.sent
            spent_now = await self._side.spent()
            samples.cpu_us += spent_now.cpu_us - spent.cpu_us
            samples.bus_commands += spent_now.bus_commands - spent.bus_commands - (sent_now - sent) - STATS_COMMANDS
            load.stop()
        samples.refused += load.tally.refused
        samples.rss_mb = max(samples.rss_mb, self._side.rss_mb())


def _closes(orders: list[dict[str, Any]]) -> dict[int, int]:
    """When the order that closed each foreign trade was accepted, by the foreign order's number.

    Raises Unclassified unless each was closed by exactly one order of the same quantity: the judge is the exchange.
    """
    found: dict[int, int] = {}
    for foreign, close in zip(orders[::2], orders[1::2], strict=True):
        sources = (foreign["source"], close["source"])
        if sources != ("manual", "api") or close["executedQty"] != foreign["executedQty"]:
            raise Unclassified(f"the exchange's record does not alternate: {foreign} then {close}")
        found[int(foreign["orderId"])] = int(close["accepted_monotonic_ns"])
    return found


async def _orders_total(desk: Desk) -> int:
    return int((await desk.get("orders", limit="1"))["total"])


def _now_s() -> float:
    return time.monotonic_ns() / 1e9
