"""Targets and the report's JSON, from figures made up here."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from holdfast.lab.bench_report import Conditions, Figures, Report, as_json, as_tables, ratios, targets
from holdfast.lab.machine import Machine
from holdfast.lab.samples import Timing, TimingRatio

FLOOR = Figures(
    plan_to_order_ms=Timing(2.0, 4.0, 1_000),
    drift_to_hold_ms=Timing(1.0, 2.0, 300),
    drift_to_close_ms=Timing(4.0, 8.0, 300),
    drift_to_release_ms=Timing(5.0, 9.0, 300),
    plans_per_s=1_000.0,
    cpu_us_per_plan=600.0,
    bus_commands_per_plan=3.0,
    rss_mb=60.0,
)
REACHED = Figures(
    plan_to_order_ms=Timing(5.0, 8.0, 1_000),
    drift_to_hold_ms=Timing(5.0, 9.0, 300),
    drift_to_close_ms=Timing(10.0, 60.0, 300),
    drift_to_release_ms=Timing(40.0, 90.0, 300),
    plans_per_s=500.0,
    cpu_us_per_plan=1_500.0,
    bus_commands_per_plan=6.0,
    rss_mb=150.0,
)


def test_a_figure_on_its_bound_reaches_its_target() -> None:
    """Every target counts as reached by a figure that is exactly its bound."""
    assert [target.figure for target in targets(REACHED, FLOOR) if not target.reached] == []


@pytest.mark.parametrize(
    ("worse", "missed"),
    [
        (replace(REACHED, plan_to_order_ms=Timing(5.01, 8.0, 1_000)), ["plan_to_order_ms p50"]),
        (replace(REACHED, drift_to_hold_ms=Timing(5.01, 9.0, 300)), ["drift_to_hold_ms p50"]),
        (replace(REACHED, drift_to_close_ms=Timing(10.01, 60.0, 300)), ["drift_to_close_ms p50"]),
        (
            replace(REACHED, drift_to_close_ms=Timing(15.01, 60.0, 300)),
            ["drift_to_close_ms p50", "drift_to_close_ms p50"],
        ),
        (replace(REACHED, drift_to_close_ms=Timing(10.0, 60.01, 300)), ["drift_to_close_ms p99"]),
        (replace(REACHED, drift_to_release_ms=Timing(40.01, 90.0, 300)), ["drift_to_release_ms p50"]),
        (replace(REACHED, plans_per_s=499.9), ["plans_per_s"]),
        (replace(REACHED, cpu_us_per_plan=1_500.1), ["cpu_us_per_plan"]),
        (replace(REACHED, bus_commands_per_plan=6.001), ["bus_commands_per_plan"]),
        (replace(REACHED, rss_mb=150.1), ["rss_mb"]),
    ],
)
def test_a_figure_past_its_bound_misses_its_target_alone(worse: Figures, missed: list[str]) -> None:
    """One figure that is a little worse than its bound misses its target, and no other target."""
    assert [target.figure for target in targets(worse, FLOOR) if not target.reached] == missed


def test_ratios_carry_the_names_of_the_figures() -> None:
    """There is a ratio for every figure: two numbers for a time, one for anything else."""
    found = ratios(REACHED, FLOOR)
    assert found["plan_to_order_ms"] == TimingRatio(2.5, 2.0)
    assert found["plans_per_s"] == 0.5
    assert len(found) == 8


def _report() -> Report:
    machine = Machine(2, "a cpu", "6", "3.11", "ext4", Timing(0.3, 0.6, 200), 0.1)
    conditions = Conditions("holdfast sim", 100, 50, 64, 4, 12.0, {"stamp_stale": 2}, {}, {"floor": "bare"})
    return Report(REACHED, FLOOR, machine, conditions)


def test_the_json_has_our_figures_at_the_top_and_the_floors_under_the_same_names() -> None:
    """The report's JSON holds every figure twice, beside ratios, targets, machine and conditions."""
    body: dict[str, Any] = json.loads(as_json(_report()))
    names = list(body["floor"])
    assert [name for name in body if name in names] == names
    assert list(body["ratio"]) == names
    assert body["plan_to_order_ms"] == {"p50": 5.0, "p99": 8.0, "n": 1_000}
    assert body["conditions"]["limits_factor"] == 100
    assert body["conditions"]["refused"] == {"stamp_stale": 2}
    assert all(set(target) == {"figure", "wanted", "measured", "reached"} for target in body["targets"])


def test_the_tables_have_a_row_for_each_figure_and_each_target() -> None:
    """People see every figure and every target."""
    figures, wanted = as_tables(_report())
    assert (figures.row_count, wanted.row_count) == (8, 10)
