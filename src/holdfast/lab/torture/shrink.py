"""From a schedule that fails to the smallest one that still does: first without faults, then without deeds.

Halves are left out while that keeps the failure, then quarters, then single acts. What is left fails in the same rule
(the first word of the first violation); the bound is a number of replays, so that shrinking ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.lab.torture.acts import Act
    from holdfast.lab.torture.schedule import Schedule

REPLAYS_MAX: Final = 150


class _Budget:
    def __init__(self, fails: Callable[[Schedule], bool]) -> None:
        self._fails = fails
        self.left = REPLAYS_MAX

    def fails(self, schedule: Schedule) -> bool:
        if self.left <= 0:
            return False
        self.left -= 1
        return self._fails(schedule)


def shrink(schedule: Schedule, fails: Callable[[Schedule], bool]) -> Schedule:
    """The smallest schedule found for which `fails` still holds."""
    budget = _Budget(fails)
    smaller = schedule
    for with_acts, acts in ((_with_faults, schedule.faults), (_with_deeds, schedule.deeds)):
        smaller = _without(smaller, acts, with_acts, budget)
    return smaller


def _with_faults(schedule: Schedule, acts: tuple[Act, ...]) -> Schedule:
    return schedule.keeping(faults=acts)


def _with_deeds(schedule: Schedule, acts: tuple[Act, ...]) -> Schedule:
    return schedule.keeping(deeds=acts)


def _without(
    schedule: Schedule,
    acts: tuple[Act, ...],
    with_acts: Callable[[Schedule, tuple[Act, ...]], Schedule],
    budget: _Budget,
) -> Schedule:
    size = len(acts)
    while size >= 1 and acts:
        start = 0
        while start < len(acts):
            fewer = acts[:start] + acts[start + size :]
            if budget.fails(with_acts(schedule, fewer)):
                acts = fewer
            else:
                start += size
        size //= 2
    return with_acts(schedule, acts)


def rule_of(violations: tuple[str, ...]) -> str:
    """Which rule was broken first."""
    return violations[0].partition(":")[0] if violations else ""
