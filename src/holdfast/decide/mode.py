"""Is the account's position mode the one that the journal lives by? First match wins.

At a start, before anything is decided about a leg:

    | # | facts                                                                     | answer       |
    |---|---------------------------------------------------------------------------|--------------|
    | 1 | the venue's mode could not be read; the journal lives by the settings' mode, or by none yet | GO_ON |
    | 2 | it could not be read, or is not the settings'                             | REFUSE_START |
    | 3 | the journal lives by none yet (no baseline)                               | GO_ON        |
    | 4 | the journal lives by this mode, and legs are held because it had changed  | LET_GO       |
    | 5 | the journal lives by this mode                                            | GO_ON        |
    | 6 | another mode, and the account is at rest: flat at both ends, nothing unfinished | ACCEPT |
    | 7 | otherwise                                                                 | REFUSE_START |

While running:

    | # | facts                                                                     | answer       |
    |---|---------------------------------------------------------------------------|--------------|
    | 1 | the venue's mode could not be read: what stood, stands                    | GO_ON        |
    | 2 | it is the journal's (before the baseline: the settings'), legs are held for it | LET_GO  |
    | 3 | it is the journal's                                                       | GO_ON        |
    | 4 | otherwise, and some leg is not held for it yet                            | HOLD_ALL     |
    | 5 | otherwise                                                                 | GO_ON        |

Legs of one mode mean nothing in the other: no ledger is carried over, and a mode is never taken up by itself. A person
says it twice, at the exchange and in the settings, and only an account that holds nothing changes its mode. Invariant
I5. Source: DESIGN §5 (hedge mode), ADR 0013.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.domain.sides import PositionMode

MODE_STEP_TEXT = (
    "the account's position mode was changed at the exchange: set it back there; or, with every position flat, "
    "set position_mode to the new mode and start again"
)
"""What the holds' next step says, the same on every leg and each time: a person is told once."""


class ModeAnswer(Enum):
    """What follows from the mode that was read."""

    GO_ON = "go_on"
    HOLD_ALL = "hold_all"
    """Every leg is held, and a person is told."""
    LET_GO = "let_go"
    """The mode is back: the holds may end like any other, by a view newer than this."""
    ACCEPT = "accept"
    """The journal lives by the new mode from now on."""
    REFUSE_START = "refuse_start"


@dataclass(frozen=True, slots=True)
class ModeFacts:
    """What both tables look at."""

    journaled: PositionMode | None
    """The mode that the journal lives by; None before the baseline."""
    venue: PositionMode | None
    """As read now; None if it could not be read."""
    setting: PositionMode
    """The account's `position_mode` in this process's settings."""
    is_at_rest: bool
    """No leg holds anything in the ledger or at the exchange, no order or close of ours is unfinished, and no hold
    waits for a person."""
    held: int
    """Legs that are held because the mode changed."""
    unheld: int
    """Legs that are not."""


def at_start(facts: ModeFacts) -> ModeAnswer:
    """Run the first table (see the module)."""
    if facts.venue is None and facts.journaled in {None, facts.setting}:
        return ModeAnswer.GO_ON  # it was read when the process began; the watch reads it again at once
    if facts.venue is not facts.setting:
        return ModeAnswer.REFUSE_START
    if facts.journaled is None:
        return ModeAnswer.GO_ON
    if facts.journaled is facts.venue:
        return ModeAnswer.LET_GO if facts.held else ModeAnswer.GO_ON
    return ModeAnswer.ACCEPT if facts.is_at_rest else ModeAnswer.REFUSE_START


def while_running(facts: ModeFacts) -> ModeAnswer:
    """Run the second table (see the module)."""
    if facts.venue is None:
        return ModeAnswer.GO_ON
    if facts.venue is (facts.journaled or facts.setting):
        return ModeAnswer.LET_GO if facts.held else ModeAnswer.GO_ON
    return ModeAnswer.HOLD_ALL if facts.unheld else ModeAnswer.GO_ON
