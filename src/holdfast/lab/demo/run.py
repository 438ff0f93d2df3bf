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
from holdfast.lab.demo.report import report_of
from holdfast.lab.demo.stage import set_up
from holdfast.lab.demo.strategy import Strategy
from holdfast.lab.demo.watch import BusWatch

if TYPE_CHECKING:
    from holdfast.lab.demo.report import Report
    from holdfast.lab.demo.scenarios import Scenario
    from holdfast.lab.demo.screen import Screen
    from holdfast.lab.demo.stage import Stage
    from holdfast.ports.clock import Clock

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def run_demo(scenario: Scenario, screen: Screen) -> Report:
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


async def _run(scenario: Scenario, screen: Screen, clock: Clock) -> Report:
    screen.story(scenario)
    began_ns = clock.monotonic_ns()
    async with set_up(scenario, clock) as stage:
        took_s = (clock.monotonic_ns() - began_ns) / 1_000_000_000
        screen.note(f"exchange simulator at {stage.exchange_url}, embedded Valkey, reconcile and apply: {took_s:.1f} s")
        report = await while_running(stage.children, _play(scenario, stage, screen, clock))
        screen.end(report)
        return report


async def _play(scenario: Scenario, stage: Stage, screen: Screen, clock: Clock) -> Report:
    async with BusWatch(stage.bus_url, clock) as watch, PlanClient(stage.bus_url, clock=clock) as plans:
        play = Play(scenario, stage, watch, Strategy(plans, clock), screen, clock)
        facts = await play.run()
        return report_of(scenario, facts, play.events)
