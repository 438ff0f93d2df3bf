"""Decide what a fill does to a position: the arithmetic of one leg.

| position before | fill | position after | entry price | realised |
|---|---|---|---|---|
| flat | any | opened | the fill's price | 0 |
| same direction | any | increased | average by quantity | 0 |
| opposite, fill smaller | | reduced | unchanged | on the fill |
| opposite, fill equal | | flat | 0 | on the position |
| opposite, fill larger | | flipped | the fill's price | on the position |

Invariants: the quantity is the sum of all signed fills; `updated_ms` is the time of the last change and is not moved by
prices. Source: the venue's documentation of `positionRisk` (updateTime = last change, 0 if never).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from holdfast.sim.core.amounts import ZERO, money

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = ["Leg", "LegState", "PositionSide"]

HISTORY_MAX: Final = 64


class PositionSide(StrEnum):
    """BOTH in one-way mode; LONG and SHORT are two legs in hedge mode."""

    BOTH = "BOTH"
    LONG = "LONG"
    SHORT = "SHORT"


@dataclass(frozen=True, slots=True)
class LegState:
    """A position at one moment, signed."""

    qty: Decimal = ZERO
    entry: Decimal = ZERO
    realised: Decimal = ZERO
    updated_ms: int = 0


@dataclass(slots=True)
class Leg:
    """One position of one account: now, and as it was a little while ago (for answers that lag)."""

    symbol: str
    side: PositionSide
    now: LegState = field(default_factory=LegState)
    _past: deque[LegState] = field(default_factory=lambda: deque([LegState()], maxlen=HISTORY_MAX))

    def fill(self, signed_qty: Decimal, price: Decimal, now_ms: int) -> Decimal:
        """Apply one fill and return the profit that it realised."""
        held = self.now
        qty = held.qty + signed_qty
        realised = ZERO
        if held.qty == ZERO:
            entry = price
        elif (held.qty > ZERO) == (signed_qty > ZERO):
            entry = money((held.qty * held.entry + signed_qty * price) / qty)
        else:
            closed = min(abs(held.qty), abs(signed_qty))
            direction = 1 if held.qty > ZERO else -1
            realised = money(closed * (price - held.entry) * direction)
            entry = held.entry if abs(held.qty) > abs(signed_qty) else price
        if qty == ZERO:
            entry = ZERO
        self.now = LegState(qty, entry, held.realised + realised, now_ms)
        self._past.append(self.now)
        return realised

    def as_of(self, time_ms: int) -> LegState:
        """Return the position as it was at a time; the oldest known one if that is longer ago than we remember."""
        for state in reversed(self._past):
            if state.updated_ms <= time_ms:
                return state
        return self._past[0]

    def unrealised(self, mark: Decimal) -> Decimal:
        """Return the profit that closing at the mark would realise."""
        return self.now.qty * (mark - self.now.entry)
