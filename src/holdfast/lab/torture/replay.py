"""One history told in full: the world's lines, and what the product wrote into its log meanwhile; kept, if asked."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from holdfast import __version__
from holdfast.domain.errors import CannotStart
from holdfast.lab.torture.climate import STORM, USUAL
from holdfast.lab.torture.jobs import keeping
from holdfast.lab.torture.litter import kept_aside
from holdfast.lab.torture.planting import plant
from holdfast.lab.torture.schedule import draw
from holdfast.lab.torture.story import of_schedule, read_story
from holdfast.lab.torture.world import play_history
from holdfast.ports.telemetry import LogFormat, LogLevel
from holdfast.telemetry.log import open_log

if TYPE_CHECKING:
    from pathlib import Path

    from holdfast.lab.torture.climate import Climate
    from holdfast.lab.torture.schedule import Schedule
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
    schedule = keeping(draw(seed, climate), acts)
    if plant_name:
        plant(plant_name)
    return _text(schedule)


def story_text(path: Path, plant_name: str) -> tuple[str, bool]:
    """A story as text; and whether anything was violated. Raises CannotStart (an unknown plant, no such file)."""
    story = read_story(path)
    if plant_name:
        plant(plant_name)
    return _text(story.schedule(story.dice))


def keep_story(path: Path, seed: int, acts: str, plant_name: str, climate: Climate = USUAL) -> str:
    """Write the history of a seed, with these acts alone, out in full; what was written, as one line.

    Raises CannotStart (an unknown plant, a file that cannot be written), ValueError (acts that are none of the seed's).
    """
    schedule = keeping(draw(seed, climate), acts)
    if plant_name:
        plant(plant_name)
    word = "storm" if climate == STORM else "usual"
    with kept_aside():
        story = of_schedule(schedule, version=__version__, climate=word, plant=plant_name)
    try:
        path.write_text(story.text())
    except OSError as error:
        raise CannotStart(f"{path} cannot be written: {error}") from None
    dice = "the dice of its seed, which shift with every draw more" if story.dice is None else "dice of its own"
    planted = f" --plant {plant_name}" if plant_name else ""
    return (
        f"kept with {dice}: {story.violation or 'nothing was violated'}\n"
        f"play it: holdfast torture --story {path}{planted}"
    )


def _text(schedule: Schedule) -> tuple[str, bool]:
    told: list[tuple[int, str]] = []

    def log_of(unit: Unit, redactor: Redactor) -> Log:
        return open_log(
            clock=unit.machine.clock,
            line_format=LogFormat.CONSOLE,
            level=LogLevel.INFO,
            stream=_Told(unit, told),
            redactor=redactor,
        )

    with kept_aside():
        ended = play_history(schedule, log_of)
    left = [f"  never got its cue: {act}" for act in ended.left]
    lines = _merged(ended.lines, told)
    verdict = [f"  {each}" for each in ended.violations] or ["  nothing was violated"]
    shape = f"shape: {schedule.shape}"
    text = "\n".join((shape, *lines, f"seed {schedule.seed}, hash {ended.digest}:", *verdict, *left))
    return text, bool(ended.violations)


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
