"""What the bench found: the figures of both sides, their ratios, the targets; all of it as JSON or as tables. Pure.

Targets are those of the issue that asked for the bench. They are told, never enforced: a figure is not a test.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import msgspec

from holdfast.lab.samples import Timing, TimingRatio, ratio_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

    from holdfast.lab.machine import Machine


SPEED_MIN = 0.5
"""Our plans a second over the floor's."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One side's figures. The names are those of the JSON."""

    plan_to_order_ms: Timing
    """Just before the XADD of the plan, until the exchange accepted its order."""
    drift_to_hold_ms: Timing
    """The exchange accepted the foreign trade, until HOLD_SET was read from the bus (its publication included)."""
    drift_to_close_ms: Timing
    """The same, until the exchange accepted the closing order."""
    drift_to_release_ms: Timing
    """The same, until HOLD_RELEASED was read from the bus."""
    plans_per_s: float
    cpu_us_per_plan: float
    bus_commands_per_plan: float
    rss_mb: float


Ratio = TimingRatio | float


@dataclass(frozen=True, slots=True)
class Target:
    """One target, and whether it was reached."""

    figure: str
    wanted: str
    measured: float
    reached: bool


@dataclass(frozen=True, slots=True)
class Conditions:
    """Under what the figures came about."""

    exchange: str
    limits_factor: int
    """The simulator's rate limits were raised this many times: otherwise they would be what is measured."""
    symbols: int
    in_flight: int
    blocks: int
    seconds_of_load: float
    refused: Mapping[str, int]
    """Plans of ours that were refused, by error code; they are in no figure."""
    floor_refused: Mapping[str, int]
    method: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that one run found."""

    ours: Figures
    floor: Figures
    machine: Machine
    conditions: Conditions


def ratios(ours: Figures, floor: Figures) -> dict[str, Ratio]:
    """Ours over the floor's, by name."""
    found: dict[str, Ratio] = {}
    for field in fields(Figures):
        mine, bare = getattr(ours, field.name), getattr(floor, field.name)
        found[field.name] = ratio_of(mine, bare) if isinstance(mine, Timing) else round(mine / bare, 2)
    return found


def targets(ours: Figures, floor: Figures) -> tuple[Target, ...]:
    """Every target of the issue."""

    def at_most(figure: str, measured: float, bound: float, unit: str) -> Target:
        return Target(figure, f"<= {bound:g}{unit}", round(measured, 3), measured <= bound)

    plan, close = ours.plan_to_order_ms, ours.drift_to_close_ms
    speed = ours.plans_per_s / floor.plans_per_s
    return (
        at_most("plan_to_order_ms p50", plan.p50 / floor.plan_to_order_ms.p50, 2.5, " x floor"),
        at_most("drift_to_close_ms p50", close.p50 / floor.drift_to_close_ms.p50, 2.5, " x floor"),
        at_most("drift_to_hold_ms p50", ours.drift_to_hold_ms.p50, 5, " ms"),
        at_most("drift_to_close_ms p50", close.p50, 15, " ms"),
        at_most("drift_to_close_ms p99", close.p99, 60, " ms"),
        at_most("drift_to_release_ms p50", ours.drift_to_release_ms.p50, 40, " ms"),
        Target("plans_per_s", f">= {SPEED_MIN:g} x floor", round(speed, 3), speed >= SPEED_MIN),
        at_most("cpu_us_per_plan", ours.cpu_us_per_plan / floor.cpu_us_per_plan, 2.5, " x floor"),
        at_most("bus_commands_per_plan", ours.bus_commands_per_plan, 6, ""),
        at_most("rss_mb", ours.rss_mb, 150, " MB"),
    )


def as_json(report: Report) -> str:
    """The whole report, our figures at the top."""
    body = {
        **{field.name: getattr(report.ours, field.name) for field in fields(Figures)},
        "floor": report.floor,
        "ratio": ratios(report.ours, report.floor),
        "targets": targets(report.ours, report.floor),
        "machine": report.machine,
        "conditions": report.conditions,
    }
    return msgspec.json.format(msgspec.json.encode(body), indent=2).decode()


def as_tables(report: Report) -> tuple[Table, Table]:
    """The figures and the targets, for people."""
    from rich.table import Table  # noqa: PLC0415 - heavy, and not needed for JSON

    figures = Table(title="figures (times in ms)", title_justify="left")
    figures.add_column("figure", no_wrap=True)
    for name in ("p50", "p99", "n", "floor p50", "floor p99", "floor n", "ratio p50", "ratio p99"):
        figures.add_column(name, justify="right")
    found = ratios(report.ours, report.floor)
    for field in fields(Figures):
        mine, bare, ratio = getattr(report.ours, field.name), getattr(report.floor, field.name), found[field.name]
        cells: tuple[object, ...] = (mine, "", "", bare, "", "", ratio, "")
        if isinstance(ratio, TimingRatio):
            cells = (mine.p50, mine.p99, mine.n, bare.p50, bare.p99, bare.n, ratio.p50, ratio.p99)
        figures.add_row(field.name, *map(str, cells))
    wanted = Table(title="targets (told, not enforced)", title_justify="left")
    for name in ("figure", "wanted", "measured", "reached"):
        wanted.add_column(name, justify="right" if name == "measured" else "left")
    for target in targets(report.ours, report.floor):
        wanted.add_row(target.figure, target.wanted, f"{target.measured:g}", "yes" if target.reached else "NO")
    return figures, wanted
