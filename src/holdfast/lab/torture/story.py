"""A story: one history written out in full, so that it means tomorrow what it means today.

A seed means another history whenever what is drawn from it changes. A story has no need of that: it holds the world's
shape, each deed and fault with its time or its cue (`schedule.Cue`), and which keyed dice fall meanwhile (`dice`). The
seed that it was found with is kept too: the exchange's prices are drawn from it, and people ask.

A file is JSON, one act a line: `holdfast torture --replay SEED --acts ... --keep FILE` writes it, `--story FILE` plays
it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from holdfast.domain.errors import CannotStart
from holdfast.lab.torture.acts import Act, Shape  # noqa: TC001 - a file is read by these types
from holdfast.lab.torture.schedule import DEED_KINDS, FAULT_KINDS, Schedule
from holdfast.lab.torture.shrink import rule_of
from holdfast.lab.torture.world import SERVICES, play_history

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from holdfast.lab.torture.world import Ended

FORMAT: Final = 1
"""Of the file. Another one is refused."""
DICE_TRIES: Final = 8
"""Keyed dice that are thrown before a history is kept with its seed's own."""


@dataclass(frozen=True, slots=True)
class Story:
    """See the module."""

    format: int
    version: str
    """Of the product that kept it."""
    seed: int
    climate: str
    """With the seed: where it was found."""
    plant: str
    """The planted bug that it shows; empty if it was none."""
    violation: str
    """What the oracle said first when it was kept; empty if nothing was violated."""
    dice: int | None
    """None: those that the seed's own schedule has, which shift with every draw more."""
    active_ms: int
    shape: Shape
    faults: tuple[Act, ...]
    deeds: tuple[Act, ...]

    @property
    def rule(self) -> str:
        """Which rule was broken first."""
        return rule_of((self.violation,)) if self.violation else ""

    def schedule(self, dice: int | None) -> Schedule:
        """What is played, with these dice."""
        return Schedule(self.seed, self.shape, self.deeds, self.faults, dice, self.active_ms)

    def play(self) -> Ended:
        """Play it with its own dice."""
        return play_history(self.schedule(self.dice))

    def text(self) -> str:
        """The file's content: one field a line, and one act a line."""
        told = msgspec.to_builtins(self)
        lines = [f"  {_json(each.name)}: {_shown(told[each.name])}" for each in fields(self)]
        return "{\n" + ",\n".join(lines) + "\n}\n"


def of_schedule(schedule: Schedule, *, version: str, climate: str, plant: str) -> Story:
    """The story of a schedule; with the first keyed dice that break the same rule as its seed's own, if any do."""
    violation = _first(play_history(schedule))
    story = Story(
        format=FORMAT,
        version=version,
        seed=schedule.seed,
        climate=climate,
        plant=plant,
        violation=violation,
        dice=None,
        active_ms=schedule.active_ms,
        shape=schedule.shape,
        faults=schedule.faults,
        deeds=schedule.deeds,
    )
    for dice in range(DICE_TRIES):
        again = _first(play_history(story.schedule(dice)))
        if rule_of((again,)) == rule_of((violation,)):
            return replace(story, dice=dice, violation=again)
    return story


def read_story(path: Path) -> Story:
    """Read a file. Raises CannotStart: it cannot be read, is of another format, or names what this world has not."""
    try:
        raw = msgspec.json.decode(path.read_bytes())
        if isinstance(raw, dict) and raw.get("format") != FORMAT:
            raise CannotStart(f"{path} is a story of format {raw.get('format')!r}; this version reads {FORMAT}")
        story = msgspec.convert(raw, Story)
    except OSError as error:
        raise CannotStart(f"{path} cannot be read: {error}") from None
    except msgspec.MsgspecError as error:
        raise CannotStart(f"{path} is no story: {error}") from None
    strange = next(_strange(story), None)
    if strange is not None:
        raise CannotStart(f"{path}: {strange}")
    return story


def _strange(story: Story) -> Iterator[str]:
    """What this world has not."""
    for unit in story.shape.units:
        if unit not in SERVICES:
            yield f"no process runs {unit!r}"
    for acts, kinds, word in ((story.faults, FAULT_KINDS, "fault"), (story.deeds, DEED_KINDS, "deed")):
        for act in acts:
            if act.kind not in kinds:
                yield f"no {word} is called {act.kind!r}"


def _first(ended: Ended) -> str:
    return ended.violations[0] if ended.violations else ""


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _shown(value: Any) -> str:
    if not isinstance(value, list | tuple) or not value:
        return _json(value)
    acts = [{name: part for name, part in act.items() if part is not None} for act in value]
    return "[\n" + ",\n".join(f"    {_json(act)}" for act in acts) + "\n  ]"
