"""What a history must have for a bug to matter at all. Hunts pass over the others: nothing could be seen there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.lab.torture.acts import Shape
    from holdfast.lab.torture.schedule import Schedule

    Need = Callable[[Schedule], bool]


def anything(_schedule: Schedule) -> bool:
    """Any history will do."""
    return True


def act(*words: str) -> Need:
    """Some fault or deed whose text has one of the words."""
    return lambda schedule: any(word in str(each) for each in (*schedule.faults, *schedule.deeds) for word in words)


def shape(fits: Callable[[Shape], bool]) -> Need:
    """A shape of the world."""
    return lambda schedule: fits(schedule.shape)


def both(*needs: Need) -> Need:
    """All of them."""
    return lambda schedule: all(need(schedule) for need in needs)


CRASH = act("crash", "kill", "power loss", "  stop")
DRIFT = act("hand", "liquidation", "adl")
NO_ANSWER = act("reset_executed", "hang_executed")
