"""A bounded part of every drill on the real programs; `make drills` runs them whole.

All four run at once, because most of their time is waiting: for leases that run out, for windows to close.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from holdfast.lab.drills.crash import crash_drill
from holdfast.lab.drills.deliveries import Amount, delivery_drill
from holdfast.lab.drills.faults import CASES, Reach, fault_drill
from holdfast.lab.drills.power import BUS_LOST, CUT, UNDONE, power_drill

if TYPE_CHECKING:
    from pathlib import Path

    from holdfast.lab.drills.report import Report

SEED = 20_260_729
KILLS = 24
FAULT_ROUNDS = 11
"""Enough for each fault to strike once without a kill, and for some crashes around a send."""
POWER_CUTS = 8
AMOUNT = Amount(plans=400, deliveries=2_000)
SECONDS_MAX = 45.0
"""No round begins after it; a machine that is busy then does fewer."""


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    """The figures of all drills, run at once."""
    return asyncio.run(_run(tmp_path_factory.mktemp("drills")))


async def _run(folder: Path) -> dict[str, Report]:
    crash, faults, power, deliveries = await asyncio.gather(
        crash_drill(folder, SEED, KILLS, SECONDS_MAX, print),
        fault_drill(folder, SEED, FAULT_ROUNDS, SECONDS_MAX, print),
        power_drill(folder, SEED, POWER_CUTS, SECONDS_MAX, print),
        delivery_drill(folder, SEED, AMOUNT, print),
    )
    return {"crash": crash, "faults": faults, "power": power, "deliveries": deliveries}


def test_a_kill_at_any_effect_costs_no_order_no_fill_and_no_outcome(reports: dict[str, Report]) -> None:
    """Killed before and after side effects of every port, the services come to rest in agreement with the exchange."""
    report = reports["crash"]
    assert report.violations == []
    assert report.kills >= KILLS // 2
    assert report.orders > KILLS


def test_recovery_is_killed_too_at_effects_that_are_chosen(reports: dict[str, Report]) -> None:
    """Successors die in their recovery, at effects of it that no second kill had hit before."""
    report = reports["crash"]
    assert report.second_kills >= 3
    assert len(report.recovery_killed) >= 3
    assert report.pairs >= 3


def test_the_drills_reach_at_least_a_hundred_effects(reports: dict[str, Report]) -> None:
    """The effects that the instrumented ports name are a hundred and more."""
    points = set[str]().union(*(report.points for report in reports.values()))
    assert len(points) >= 100, sorted(points)


def test_no_fault_of_the_exchange_sends_twice_or_loses_a_fill(reports: dict[str, Report]) -> None:
    """Each fault that was armed really struck, and what was accepted is booked once."""
    report = reports["faults"]
    assert report.violations == []
    assert {case.label for case in CASES if case.reach is Reach.ORDER} <= set(report.faults_hit)


def test_a_power_cut_takes_nothing_that_was_acknowledged(reports: dict[str, Report]) -> None:
    """Writes that were never synced are undone, and neither an intent nor a fill is missing."""
    report = reports["power"]
    assert report.violations == []
    assert report.faults_hit[CUT] >= 1
    assert report.faults_hit[UNDONE] >= 1
    assert set(report.faults_hit) <= {CUT, UNDONE, BUS_LOST}


def test_plans_delivered_many_times_to_two_processes_have_one_effect_each(reports: dict[str, Report]) -> None:
    """One of the two is killed and one stopped past its lease: every plan has one outcome and at most one order."""
    report = reports["deliveries"]
    assert report.violations == []
    assert report.deliveries == AMOUNT.deliveries
    assert report.plans == AMOUNT.plans
    assert report.faults_hit["stopped past its lease"] == 1
