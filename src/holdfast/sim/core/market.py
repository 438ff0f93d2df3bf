"""Decide what the market is on one symbol: mark price, best bid and ask, depth, status.

The market is synthetic: the mark does a slow random walk, and bid and ask stand one tick below and above it with as
much depth as the operator allows (None: endless). Accounts do not trade with each other.

Invariants: prices sit on the tick; the walk is integer arithmetic from one seeded source a symbol, so a seed and a
sequence of times give the same prices; a frozen market does not move; the mark stays within half and twice its
anchor.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from math import isqrt
from typing import TYPE_CHECKING, Final

from holdfast.sim.core.amounts import ZERO

if TYPE_CHECKING:
    import random

    from holdfast.sim.core.symbols import SymbolRules

__all__ = ["Market", "Motion", "Quote", "SymbolStatus", "fillable"]

STEP_MS: Final = 1000
PPM: Final = 1_000_000
SWING: Final = 1000


class SymbolStatus(StrEnum):
    """The contract's life, as the venue documents it."""

    PENDING_TRADING = "PENDING_TRADING"
    TRADING = "TRADING"
    PRE_DELIVERING = "PRE_DELIVERING"
    DELIVERING = "DELIVERING"
    DELIVERED = "DELIVERED"
    PRE_SETTLE = "PRE_SETTLE"
    SETTLING = "SETTLING"
    CLOSE = "CLOSE"


class Motion(StrEnum):
    """Whether the mark walks by itself."""

    WALKING = "walking"
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True)
class Quote:
    """Best prices at one moment."""

    bid: Decimal
    ask: Decimal
    mark: Decimal


@dataclass(slots=True)
class Market:
    """One symbol's market."""

    rules: SymbolRules
    rng: random.Random
    volatility_ppm: int
    """Largest move a second, in millionths of the price."""
    now_ms: int
    status: SymbolStatus = SymbolStatus.TRADING
    motion: Motion = Motion.WALKING
    depth: Decimal | None = None
    """How much one order can take at once, base asset; None is endless."""
    last_order_id: int = 0
    last_trade_id: int = 0
    funding_rate: Decimal = Decimal("0.00010000")
    spread_ticks: int = 1
    """Distance of bid and ask from the mark, each."""
    _ticks: int = field(init=False)
    _anchor: int = field(init=False)
    _quote: Quote = field(init=False)

    def __post_init__(self) -> None:
        self.set_price(self.rules.price)

    def set_price(self, price: Decimal) -> None:
        """Put the mark on the tick nearest below the price; the walk goes on from there."""
        ticks = int(price / self.rules.tick)
        if ticks <= self.spread_ticks:
            raise ValueError(f"the price of {self.rules.symbol} must be above {self.rules.tick * self.spread_ticks}")
        self._anchor = ticks
        self._put(ticks)

    def quote(self, now_ms: int) -> Quote:
        """Return the prices at this moment, after the walk has caught up with it."""
        steps = (now_ms - self.now_ms) // STEP_MS
        if steps > 0:
            self.now_ms += steps * STEP_MS
            if self.motion is Motion.WALKING and self.volatility_ppm:
                self._walk(steps)
        return self._quote

    def set_spread(self, ticks: int) -> None:
        """Put bid and ask this many ticks away from the mark."""
        if not 0 < ticks < self._ticks:
            raise ValueError(f"the spread of {self.rules.symbol} must be 1 to {self._ticks - 1} ticks")
        self.spread_ticks = ticks
        self._put(self._ticks)

    def next_order_id(self, gap: int) -> int:
        """Number the next order: always larger than the last."""
        self.last_order_id += gap
        return self.last_order_id

    def next_trade_id(self) -> int:
        """Number the next trade: always larger than the last."""
        self.last_trade_id += 1
        return self.last_trade_id

    def _walk(self, steps: int) -> None:
        # A pause of n steps is one step of sqrt(n) times the size: catching up costs the same after an hour.
        swing = self.rng.randint(-SWING, SWING) * isqrt(steps * 10_000)
        moved = self._ticks + self._ticks * self.volatility_ppm * swing // (PPM * SWING * 100)
        self._put(min(max(moved, self._anchor // 2, self.spread_ticks + 1), self._anchor * 2))

    def _put(self, ticks: int) -> None:
        self._ticks = ticks
        tick, spread = self.rules.tick, self.spread_ticks
        self._quote = Quote(bid=tick * (ticks - spread), ask=tick * (ticks + spread), mark=tick * ticks)


def fillable(depth: Decimal | None, wanted: Decimal) -> Decimal:
    """Return how much of a wanted quantity the depth gives."""
    return wanted if depth is None else min(max(depth, ZERO), wanted)
