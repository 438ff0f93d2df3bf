"""Ends that come at an awkward moment, drawn apart so that every other act of a seed stays what it was.

*Cut at stop*: a process is told to stop, and so many turns of its loop later its private streams break. *Hand cancel*:
a person cancels what rests on a symbol, at the exchange's own screen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdfast.lab.torture.acts import SYMBOLS, Act, moment

if TYPE_CHECKING:
    from random import Random

    from holdfast.lab.torture.acts import Shape

CUT_SHARE: Final = 0.04
CANCEL_SHARE: Final = 0.3
TURNS_MAX: Final = 8
STOPPED_MS: Final = 20
"""By then a process that was told to stop has."""


def cut_at_stop(rng: Random, shape: Shape) -> tuple[Act, ...]:
    """A process whose stream breaks while it ends."""
    if rng.random() >= CUT_SHARE:
        return ()
    return (Act(moment(rng), "cut at stop", (rng.randrange(len(shape.units)), rng.randrange(TURNS_MAX))),)


def cancelled_unheard(rng: Random, shape: Shape, resting: tuple[Act, ...]) -> tuple[tuple[Act, ...], tuple[Act, ...]]:
    """Deeds and faults: what was just placed to rest is cancelled by hand while nobody of ours runs."""
    placed = [act for act in resting if act.kind == "plan"]
    if not placed or rng.random() >= CANCEL_SHARE:
        return (), ()
    at_ms = rng.choice(placed).at_ms + rng.randrange(20, 900)
    stops = tuple(Act(at_ms, "stop", (unit,)) for unit in range(len(shape.units)))
    return tuple(Act(at_ms + STOPPED_MS, "hand cancel", (symbol,)) for symbol in SYMBOLS), stops
