"""What a history is made of: single acts, each at its moment, in a world of a shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

BEGIN_MS: Final = 1_200
"""The product has started by then, if nothing hinders it."""
ACTIVE_MS: Final = 6_500
"""So long things happen."""
SYMBOLS: Final = ("BTCUSDT", "ETHUSDT")
"""Those that strategies trade; people trade a third one besides."""
SHRINKING: Final = frozenset({("LONG", "SELL"), ("SHORT", "BUY")})
"""Position side and side of an order in hedge mode that can only make a position smaller."""
OPENING_SHARE: Final = 0.8
"""Trades by hand that open or enlarge a leg."""


@dataclass(frozen=True, slots=True)
class Cue:
    """What an act waits for: `who` has said these words (in a line of the chronicle) for the n-th time."""

    who: str
    words: str
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.who}: {self.words}" + (f" #{self.nth}" if self.nth > 1 else "")


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that happens at one moment."""

    at_ms: int
    """From the start, or from its cue."""
    kind: str
    args: tuple[int | str, ...] = ()
    cue: Cue | None = None
    """None in whatever is drawn from a seed."""

    def __str__(self) -> str:
        when = "" if self.cue is None else f" after {self.cue}"
        return f"{self.at_ms:>6} ms{when}  {self.kind} {' '.join(map(str, self.args))}".rstrip()


@dataclass(frozen=True, slots=True)
class Shape:
    """The world as it stands before anything happens."""

    units: tuple[str, ...]
    """What each process runs: `both`, `reconcile`, `apply`."""
    is_hedge: bool
    foreign: str
    unledgered: str
    opening_lots: int
    """What the account holds of BTCUSDT before the product was ever started, in lots; negative is short."""
    fills_per_match: int
    oversize: str
    event_order: str
    duty_ms: int = 0
    """How soon the person on duty answers a page while things go wrong; 0: not before they have stopped."""
    is_logged: bool = False
    """The product writes its log, and the oracle reads it."""


def moment(rng: Random) -> int:
    """Some moment while things happen."""
    return BEGIN_MS + rng.randrange(ACTIVE_MS)


def drift_at(rng: Random, at_ms: int) -> Act:
    """A trade by hand at this moment."""
    leg = rng.choice(("LONG", "SHORT"))
    side = ("BUY" if leg == "LONG" else "SELL") if rng.random() < OPENING_SHARE else rng.choice(("BUY", "SELL"))
    return Act(at_ms, "hand", (rng.choice(SYMBOLS), side, leg, rng.randint(1, 5)))
