"""Acts that happen on a cue: not at a time, but so long after the chronicle said something for the n-th time.

A time means another moment whenever the product got faster; the second order's intent is what it is. What waits for a
cue that never comes does not happen, and is told at the end; nothing waits any more once no more faults happen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.lab.torture.acts import Act, Cue


@dataclass(slots=True)
class Prompter:
    """See the module. Hears every line of the chronicle."""

    later: Callable[[float, Callable[[Act], None], Act], None]
    """Does something in so many ms of virtual time."""
    _waiting: list[tuple[Cue, Act, Callable[[Act], None]]] = field(default_factory=list)
    _heard: dict[Cue, int] = field(default_factory=dict)
    """How often each cue was heard so far."""

    def prompt(self, act: Act, do: Callable[[Act], None]) -> None:
        """Do the act at its time, or on its cue."""
        if act.cue is None:
            self.later(act.at_ms, do, act)
        else:
            self._waiting.append((act.cue, act, do))
            self._heard[act.cue] = 0

    @property
    def is_waiting(self) -> bool:
        """Whether anything still waits for its cue."""
        return bool(self._waiting)

    @property
    def left(self) -> tuple[Act, ...]:
        """What never got its cue."""
        return tuple(act for _, act, _ in self._waiting)

    def hear(self, who: str, what: str) -> None:
        """A line was said."""
        words = f" {what} "
        for cue in self._heard:
            if cue.who == who and f" {cue.words} " in words:
                self._heard[cue] += 1
        ready = [each for each in self._waiting if self._heard[each[0]] >= each[0].nth]
        for each in ready:
            self._waiting.remove(each)
            _, act, do = each
            self.later(act.at_ms, do, act)
