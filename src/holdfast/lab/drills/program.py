"""All drills of one run, one after the other, in a folder that is gone afterwards unless something was found."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.lab.drills.crash import crash_drill
from holdfast.lab.drills.deliveries import Amount, delivery_drill
from holdfast.lab.drills.faults import fault_drill
from holdfast.lab.drills.power import power_drill
from holdfast.lab.drills.report import Report
from holdfast.lab.machine import disk_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.lab.drills.rounds import Round


class DrillName(Enum):
    """Which drill."""

    CRASH = "crash"
    FAULTS = "faults"
    DELIVERIES = "deliveries"
    POWER = "power"


@dataclass(frozen=True, slots=True)
class Program:
    """What is asked for."""

    seed: int
    kills: int = 0
    """Kills of the crash drill; 0: every side of every effect, and every effect of recovery as a second one."""
    fault_rounds: int = 0
    """Rounds of the fault drill; 0: every fault x every side around a send."""
    power_cuts: int = 40
    amount: Amount = field(default_factory=Amount)
    seconds_max: float = 3_600.0
    """For each drill: no round begins after it."""
    play: Round | None = None
    """Only this round of the crash drill, a few times (a replay)."""


async def run_program(drills: tuple[DrillName, ...], program: Program, say: Callable[[str], None]) -> Report:
    """Run the drills; their figures together."""
    folder = Path(tempfile.mkdtemp(prefix="holdfast-drill-", dir=disk_folder()))
    report = Report(program.seed)
    for drill in drills:
        say(f"{drill.value}: seed {program.seed}, in {folder}")
        report.add(await _one(drill, folder, program, say))
    if report.violations:
        say(f"logs, journals and traces are kept in {folder}")
    else:
        shutil.rmtree(folder)
    return report


async def _one(drill: DrillName, folder: Path, program: Program, say: Callable[[str], None]) -> Report:
    seed, seconds = program.seed, program.seconds_max
    match drill:
        case DrillName.CRASH:
            return await crash_drill(folder, seed, program.kills, seconds, say, program.play)
        case DrillName.FAULTS:
            return await fault_drill(folder, seed, program.fault_rounds, seconds, say)
        case DrillName.DELIVERIES:
            return await delivery_drill(folder, seed, program.amount, say)
        case DrillName.POWER:
            return await power_drill(folder, seed, program.power_cuts, seconds, say)
