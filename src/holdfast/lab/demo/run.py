"""One demo from its first child to its verdict: stage, play, judge.

Invariants: SIGINT, SIGTERM and SIGHUP end everything in order, as the end of any child does; nothing that was started
outlives `run`.
"""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from holdfast.client import PlanClient
from holdfast.clock import SystemClock
from holdfast.lab.children import while_running
from holdfast.lab.demo.play import Play
from holdfast.lab.demo.report import report_of, report_of_tale
from holdfast.lab.demo.scenarios import Scenario
from holdfast.lab.demo.stage import set_up
from holdfast.lab.demo.strategy import Strategy
from holdfast.lab.demo.tales.tale import TELLINGS_MAX
from holdfast.lab.demo.tales.telling import tell
from holdfast.lab.demo.watch import BusWatch

if TYPE_CHECKING:
    from holdfast.lab.demo.report import Report
    from holdfast.lab.demo.screen import Screen
    from holdfast.lab.demo.stage import Stage
    from holdfast.lab.demo.tales.tale import Tale
    from holdfast.ports.clock import Clock

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def run_demo(scenario: Scenario | Tale, screen: Screen) -> Report:
    """Play one scenario. Raises CannotStart or Unclassified if a part fails, CancelledError on a signal."""
    loop = asyncio.get_running_loop()
    work = asyncio.ensure_future(_run(scenario, screen, SystemClock()))
    for number in _SIGNALS:
        loop.add_signal_handler(number, _cancel_once, work)
    try:
        return await work
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


def _cancel_once(work: asyncio.Future[Report]) -> None:
    """End it in order; an impatient second Ctrl-C does not keep the children from being ended."""
    for number in _SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, lambda: None)
    work.cancel()


async def _run(scenario: Scenario | Tale, screen: Screen, clock: Clock) -> Report:
    screen.story(scenario)
    report = await _on_a_stage(scenario, screen, clock)
    for _ in range(1, TELLINGS_MAX):
        if isinstance(scenario, Scenario) or not scenario.is_too_late(report.facts):
            break
        screen.note("the HOLD was released before the strategy's plan came: once more, on a new stage")
        report = await _on_a_stage(scenario, screen, clock)
    screen.end(report)
    return report


async def _on_a_stage(scenario: Scenario | Tale, screen: Screen, clock: Clock) -> Report:
    began_ns = clock.monotonic_ns()
    async with set_up(scenario.staging, clock) as stage:
        took_s = (clock.monotonic_ns() - began_ns) / 1_000_000_000
        screen.note(f"exchange simulator at {stage.exchange_url}, embedded Valkey, reconcile and apply: {took_s:.1f} s")
        return await while_running(stage.children, _play(scenario, stage, screen, clock))


async def _play(scenario: Scenario | Tale, stage: Stage, screen: Screen, clock: Clock) -> Report:
    async with BusWatch(stage.bus_url, clock) as watch, PlanClient(stage.bus_url, clock=clock) as plans:
        strategy = Strategy(plans, clock)
        if not isinstance(scenario, Scenario):
            facts, told = await tell(scenario, stage, watch, strategy, screen, clock)
            return report_of_tale(scenario, facts, told)
        play = Play(scenario, stage, watch, strategy, screen, clock)
        facts = await play.run()
        return report_of(scenario, facts, play.events)
