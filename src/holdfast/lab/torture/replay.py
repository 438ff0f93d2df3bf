"""One history told in full: the world's lines, and what the product wrote into its log meanwhile."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from holdfast.lab.torture.climate import USUAL
from holdfast.lab.torture.jobs import keeping
from holdfast.lab.torture.litter import kept_aside
from holdfast.lab.torture.planting import plant
from holdfast.lab.torture.schedule import draw
from holdfast.lab.torture.world import play_history
from holdfast.ports.telemetry import LogFormat, LogLevel
from holdfast.telemetry.log import open_log

if TYPE_CHECKING:
    from holdfast.lab.torture.climate import Climate
    from holdfast.lab.torture.unit import Unit
    from holdfast.ports.telemetry import Log
    from holdfast.telemetry.redact import Redactor


class _Told(io.StringIO):
    """A stream whose lines go into the chronicle's order, without being part of it."""

    def __init__(self, unit: Unit, told: list[tuple[int, str]]) -> None:
        super().__init__()
        self._unit = unit
        self._told = told

    def write(self, text: str) -> int:
        """Keep one line, and after which line of the chronicle it came."""
        chronicle = self._unit.machine.chronicle
        line = f"{chronicle.now_ms():11.3f} {self._unit.name:<9} | {text.rstrip()[13:]}"
        self._told.append((len(chronicle.lines), line))
        return len(text)


def replay_text(seed: int, acts: str, plant_name: str, climate: Climate = USUAL) -> tuple[str, bool]:
    """The history of a seed, with these acts alone, as text; and whether anything was violated.

    Raises CannotStart (an unknown plant), ValueError (acts that are none of the seed's).
    """
    if plant_name:
        plant(plant_name)
    told: list[tuple[int, str]] = []

    def log_of(unit: Unit, redactor: Redactor) -> Log:
        return open_log(
            clock=unit.machine.clock,
            line_format=LogFormat.CONSOLE,
            level=LogLevel.INFO,
            stream=_Told(unit, told),
            redactor=redactor,
        )

    schedule = keeping(draw(seed, climate), acts)
    with kept_aside():
        ended = play_history(schedule, log_of)
    lines = _merged(ended.lines, told)
    verdict = [f"  {each}" for each in ended.violations] or ["  nothing was violated"]
    shape = f"shape: {schedule.shape}"
    return "\n".join((shape, *lines, f"seed {seed}, hash {ended.digest}:", *verdict)), bool(ended.violations)


def _merged(lines: tuple[str, ...], told: list[tuple[int, str]]) -> list[str]:
    merged: list[str] = []
    rest = iter(told)
    next_told = next(rest, None)
    for number, line in enumerate(lines):
        while next_told is not None and next_told[0] <= number:
            merged.append(next_told[1])
            next_told = next(rest, None)
        merged.append(line)
    while next_told is not None:
        merged.append(next_told[1])
        next_told = next(rest, None)
    return merged
