"""How much happens in a history: the usual, or a storm with more of everything, and people who answer.

A storm has most kinds of faults at once, orders that rest and are cancelled again, and a person on duty who answers
each page: so symbols do not stay held, and trading goes on into the next trouble. It finds what needs three things to
go wrong; the usual histories tell quieter stories, which are easier to read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Climate:
    """The odds."""

    faults_max: int
    absent_share: float
    """So many kinds of faults are absent from a history."""
    deadly_share: float
    """Histories with crashes right after a commit of one kind."""
    operator_share: float
    duty_share: float
    """Histories in which a person answers pages while things go wrong."""
    resting_max: int
    """Resting orders more, half of which are cancelled by plan."""
    moments_factor: int
    """How much more often than usual something waits for its moment."""


USUAL: Final = Climate(9, 0.5, 0.2, 0.2, 0.0, 0, 1)
STORM: Final = Climate(22, 0.3, 0.6, 0.5, 0.7, 6, 3)
