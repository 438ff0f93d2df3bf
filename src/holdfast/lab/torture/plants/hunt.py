"""Plants each bug, one at a time, and plays histories until the oracle sees it."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING

from holdfast.lab.torture.litter import collect, kept_aside
from holdfast.lab.torture.plants import PLANTS
from holdfast.lab.torture.plants.caught import Caught
from holdfast.lab.torture.schedule import draw
from holdfast.lab.torture.shrink import rule_of
from holdfast.lab.torture.world import play_history

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def seek(name: str, schedules_max: int) -> Caught | None:
    """The first history from seed 0 on that shows a plant; None if none of the first `schedules_max` seeds does."""
    plant, played = PLANTS[name], 0
    with plant.planted(), kept_aside():
        for seed in range(schedules_max):
            schedule = draw(seed)
            if not plant.needs(schedule):
                continue
            played += 1
            violations = play_history(schedule).violations
            collect()
            if violations:
                return Caught(seed, played, rule_of(violations), violations[0])
    return None


def _seek(asked: tuple[str, int]) -> tuple[str, Caught | None]:
    return asked[0], seek(*asked)


def hunt(
    names: Sequence[str], schedules_max: int, jobs: int, tell: Callable[[str, Caught | None], None]
) -> dict[str, Caught]:
    """Seek every plant, several processes side by side; `tell` hears of each as it ends."""
    found: dict[str, Caught] = {}
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for name, caught in pool.imap_unordered(_seek, [(name, schedules_max) for name in names]):
            tell(name, caught)
            if caught is not None:
                found[name] = caught
    return found
