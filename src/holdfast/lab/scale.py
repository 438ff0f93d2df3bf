"""`holdfast bench --scale`: one process, many accounts and symbols, and how soon a drift on any leg is held.

Two processes of ours run one after the other against one exchange: a small one (few symbols everywhere), quiet for a
while; then the large one, quiet for as long, then under load: plans on random legs at a steady rate, and foreign trades
on random legs, each timed from the exchange's own acceptance until HOLD_SET was read from the bus. What quiet symbols
cost is the difference between the two quiet windows.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.lab.children import while_running
from holdfast.lab.machine import disk_folder, machine_at, require_linux
from holdfast.lab.samples import timing_of
from holdfast.lab.scale_report import ScaleConditions, ScaleFigures, ScaleReport
from holdfast.lab.scale_rig import VIEW_AGE_MS_MAX, exchange, fleet_of, running
from holdfast.lab.steady import Found, SteadyLoad

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.lab.scale_rig import Running, Used

CALM_SHARE = 0.3
"""Of a quiet window's length, waited before it: what has just begun is not quiet."""
WARM_DRIFTS = 3
"""Drifts that are not counted: they load code."""
MINUTE_S = 60.0
METHOD = {
    "drift_to_hold_ms": "a foreign BUY on a random leg of a random account; from its acceptance in the simulator's "
    "record until a blocking reader got HOLD_SET from the bus",
    "plans": "EXECUTE, alternately BUY and SELL on a random leg that has none in flight, at a steady rate",
    "per 1,000 quiet symbols": "difference between two quiet windows of processes with as many accounts, the first "
    "account with many and with few symbols",
    "exchange": "holdfast sim, a process of its own, prices frozen, rate limits as the venue's",
}


@dataclass(frozen=True, slots=True)
class ScaleConfig:
    """How large, how long."""

    accounts: int = 20
    symbols_first: int = 500
    symbols_others: int = 10
    plans_per_s: float = 20.0
    drifts_per_s: float = 0.4
    """Each takes some 25 of the address's weight to heal: more than this the venue's own limits do not allow."""
    quiet_s: float = 20.0
    load_s: float = 60.0
    limits_factor: int = 1
    """On the exchange's rate limits; 1 is the venue's own."""
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Window:
    """What one window of time cost."""

    seconds: float
    cpu_percent: float
    bus_cpu_percent: float
    rss_mb: float
    requests_per_min: float
    weight_per_min: float


def window_of(before: Used, after: Used) -> Window:
    """The difference between two moments, by the second."""
    seconds = (after.at_ns - before.at_ns) / 1e9
    return Window(
        seconds=seconds,
        cpu_percent=(after.cpu_us - before.cpu_us) / seconds / 1e4,
        bus_cpu_percent=(after.bus_cpu_us - before.bus_cpu_us) / seconds / 1e4,
        rss_mb=after.rss_mb,
        requests_per_min=(after.requests - before.requests) / seconds * MINUTE_S,
        weight_per_min=(after.weight - before.weight) / seconds * MINUTE_S,
    )


async def run_scale(config: ScaleConfig, say: Callable[[str], None]) -> ScaleReport:
    """Measure. Raises CannotStart, or Unclassified if something did not do what it was measured for."""
    require_linux()
    task = asyncio.current_task()
    if task is not None:  # so that the children and the folder are gone after SIGTERM too
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="holdfast-scale-", dir=disk_folder()) as name:
        folder = Path(name)
        machine = machine_at(folder)
        symbols = max(config.symbols_first, config.symbols_others)
        async with exchange(folder, symbols, "--limits", str(config.limits_factor)) as sim:
            few = fleet_of(config.accounts, config.symbols_others, config.symbols_others)
            quiet_few = None
            many = fleet_of(config.accounts, config.symbols_first, config.symbols_others)
            if many.legs > few.legs:
                async with running(folder, "few", few, sim) as ready:
                    say(f"few: {few.legs} legs on {config.accounts} accounts, proven after {ready.start_s} s")
                    quiet_few = await while_running((sim, ready.child), _quiet(ready, config.quiet_s))
            async with running(folder, "many", many, sim) as ready:
                say(f"many: {many.legs} legs on {config.accounts} accounts, proven after {ready.start_s} s")
                quiet = await while_running((sim, ready.child), _quiet(ready, config.quiet_s))
                say(f"load: {config.plans_per_s:g} plans/s, {config.drifts_per_s:g} drifts/s, {config.load_s:g} s")
                found, loaded = await while_running((sim, ready.child), _load(ready, config))
                leases_lost, start_s = ready.leases_lost(), ready.start_s
    thousand = (many.legs - few.legs) / 1000
    cpu, mb = _more(quiet, quiet_few) if quiet_few is not None else (0.0, 0.0)
    figures = ScaleFigures(
        drift_to_hold_ms=timing_of(found.hold_ns),
        drift_to_release_ms=timing_of(found.release_ns),
        drifts=len(found.hold_ns) + len(found.not_held),
        drifts_not_held=len(found.not_held),
        drifts_not_released=len(found.not_released),
        plans=found.executed,
        plans_refused=dict(found.refused),
        plans_per_s=round(found.executed / found.seconds, 1),
        start_s=start_s,
        leases_lost=leases_lost,
        requests_per_min_account=round(quiet.requests_per_min / config.accounts, 1),
        weight_per_min=round(quiet.weight_per_min, 1),
        quiet_cpu_percent=round(quiet.cpu_percent, 2),
        quiet_bus_cpu_percent=round(quiet.bus_cpu_percent, 2),
        load_cpu_percent=round(loaded.cpu_percent, 2),
        rss_mb=round(loaded.rss_mb, 1),
        cpu_percent_per_1000_quiet=round(cpu / thousand, 2) if thousand else None,
        mb_per_1000_quiet=round(mb / thousand, 2) if thousand else None,
    )
    return ScaleReport(figures, machine, _conditions(config, many.legs, found.seconds, load_before))


def _conditions(config: ScaleConfig, legs: int, seconds: float, load_before: float) -> ScaleConditions:
    return ScaleConditions(
        accounts=config.accounts,
        symbols_first=config.symbols_first,
        symbols_others=config.symbols_others,
        legs=legs,
        plans_per_s_asked=config.plans_per_s,
        drifts_per_s_asked=config.drifts_per_s,
        quiet_s=config.quiet_s,
        load_s=round(seconds, 1),
        view_age_ms_max=VIEW_AGE_MS_MAX,
        load_average_1m=(round(load_before, 2), round(os.getloadavg()[0], 2)),
        method=METHOD,
    )


def _more(many: Window, few: Window) -> tuple[float, float]:
    """CPU percent (bus included) and MB that the larger process needs more."""
    cpu = many.cpu_percent + many.bus_cpu_percent - few.cpu_percent - few.bus_cpu_percent
    return cpu, many.rss_mb - few.rss_mb


async def _quiet(ready: Running, seconds: float) -> Window:
    await asyncio.sleep(CALM_SHARE * seconds)
    before = await ready.used()
    await asyncio.sleep(seconds)
    return window_of(before, await ready.used())


async def _load(ready: Running, config: ScaleConfig) -> tuple[Found, Window]:
    async with SteadyLoad(ready, config.seed) as load:
        await load.run(WARM_DRIFTS / config.drifts_per_s, config.plans_per_s, config.drifts_per_s)
        load.found = Found()
        before = await ready.used()
        await load.run(config.load_s, config.plans_per_s, config.drifts_per_s)
        return load.found, window_of(before, await ready.used())
