"""What the scale bench found, and whether each target of it was reached. Pure."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import msgspec

from holdfast.lab.bench_report import Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

    from holdfast.lab.machine import Machine
    from holdfast.lab.samples import Timing

HOLD_MS_MAX = 50.0
PER_ADDRESS_WEIGHT_MAX = 2_400
"""What the venue lets one address use in a minute."""


@dataclass(frozen=True, slots=True)
class ScaleFigures:
    """The figures. The names are those of the JSON."""

    drift_to_hold_ms: Timing
    """The exchange accepted a foreign trade on a random leg, until HOLD_SET was read from the bus."""
    drift_to_release_ms: Timing
    """The same, until HOLD_RELEASED was read: closed and trading again."""
    drifts: int
    drifts_not_held: int
    """Must be 0."""
    drifts_not_released: int
    """Must be 0: closed, agreed and trading again within `EPISODE_S_MAX`."""
    plans: int
    plans_refused: Mapping[str, int]
    """By error code; a plan that meets a hold is refused rightly."""
    plans_per_s: float
    start_s: float
    """From starting the process until every account was proven."""
    leases_lost: int
    """Must be 0."""
    requests_per_min_account: float
    """In the quiet window, whole process over its accounts."""
    weight_per_min: float
    """In the quiet window, of the one address."""
    quiet_cpu_percent: float
    """Of one core, in the quiet window, our process; its Valkey apart."""
    quiet_bus_cpu_percent: float
    load_cpu_percent: float
    rss_mb: float
    """Our process and its Valkey."""
    cpu_percent_per_1000_quiet: float | None
    """From two quiet windows, with many and with few symbols on the first account: CPU of one core, bus included.
    None if there are not more symbols on the first account than on the others."""
    mb_per_1000_quiet: float | None


@dataclass(frozen=True, slots=True)
class ScaleConditions:
    """Under what the figures came about."""

    accounts: int
    symbols_first: int
    symbols_others: int
    legs: int
    plans_per_s_asked: float
    drifts_per_s_asked: float
    quiet_s: float
    load_s: float
    view_age_ms_max: int
    load_average_1m: tuple[float, float]
    """Of the machine, before the first and after the last window: above 2 others were at work too."""
    method: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ScaleReport:
    """Everything that one run found."""

    figures: ScaleFigures
    machine: Machine
    conditions: ScaleConditions


def targets(figures: ScaleFigures) -> tuple[Target, ...]:
    """Every target of the scale of one process."""

    def at_most(figure: str, measured: float, bound: float) -> Target:
        return Target(figure, f"<= {bound:g}", round(measured, 3), measured <= bound)

    return (
        at_most("drift_to_hold_ms p99", figures.drift_to_hold_ms.p99, HOLD_MS_MAX),
        at_most("drifts_not_held", figures.drifts_not_held, 0),
        at_most("drifts_not_released", figures.drifts_not_released, 0),
        at_most("leases_lost", figures.leases_lost, 0),
        at_most("weight_per_min", figures.weight_per_min, PER_ADDRESS_WEIGHT_MAX),
    )


def as_json(report: ScaleReport) -> str:
    """The whole report, the figures at the top."""
    body = {
        **{field.name: getattr(report.figures, field.name) for field in fields(ScaleFigures)},
        "targets": targets(report.figures),
        "machine": report.machine,
        "conditions": report.conditions,
    }
    return msgspec.json.format(msgspec.json.encode(body), indent=2).decode()


def as_tables(report: ScaleReport) -> tuple[Table, Table]:
    """The figures and the targets, for people."""
    from rich.table import Table  # noqa: PLC0415 - heavy, and not needed for JSON

    found = Table(title="figures (times in ms)", title_justify="left")
    found.add_column("figure", no_wrap=True)
    for name in ("value", "p50", "p99", "n"):
        found.add_column(name, justify="right")
    for field in fields(ScaleFigures):
        value = getattr(report.figures, field.name)
        timing = [str(getattr(value, name, "")) for name in ("p50", "p99", "n")]
        found.add_row(field.name, "" if timing[0] else str(value), *timing)
    wanted = Table(title="targets (told, not enforced)", title_justify="left")
    for name in ("figure", "wanted", "measured", "reached"):
        wanted.add_column(name, justify="right" if name == "measured" else "left")
    for target in targets(report.figures):
        wanted.add_row(target.figure, target.wanted, f"{target.measured:g}", "yes" if target.reached else "NO")
    return found, wanted
