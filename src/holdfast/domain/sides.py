"""The small enumerations of the field, and the Leg.

Signs: BUY is +1, SELL is -1; a long position is positive, a short one negative, in hedge mode too (the venue
writes SHORT amounts negative, venue documentation of positionRisk v3).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.domain.names import AccountId, Symbol


class Side(Enum):
    """The direction of an order or trade."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for BUY, -1 for SELL: what a unit of it does to a position."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class PlanSide(Enum):
    """What a plan says: a side, or `close`, which means whatever shrinks the position there is."""

    BUY = "BUY"
    SELL = "SELL"
    CLOSE = "close"


class PositionSide(Enum):
    """Which of a symbol's positions: BOTH in one-way mode, LONG or SHORT in hedge mode."""

    BOTH = "BOTH"
    LONG = "LONG"
    SHORT = "SHORT"


class PositionMode(Enum):
    """How the account keeps positions (venue: dualSidePosition)."""

    ONE_WAY = "one_way"
    HEDGE = "hedge"


def sides_of(mode: PositionMode) -> tuple[PositionSide, ...]:
    """The legs that a symbol has in a mode."""
    if mode is PositionMode.HEDGE:
        return (PositionSide.LONG, PositionSide.SHORT)
    return (PositionSide.BOTH,)


class Decision(Enum):
    """What kind of plan it is, and so which gate judges it."""

    EXECUTE = "EXECUTE"
    RECONCILE_CLOSE = "RECONCILE_CLOSE"
    OPERATOR_CLOSE = "OPERATOR_CLOSE"
    CANCEL = "CANCEL"
    """Ends the resting order of another plan; never becomes an order itself."""


class OrderType(Enum):
    """How an order meets the market."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"


class TimeInForce(Enum):
    """How long a LIMIT order may rest (GTX is post-only)."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTX = "GTX"


class TradingState(Enum):
    """The account's switch. HALTED sends nothing but what a person approved."""

    ACTIVE = "ACTIVE"
    HALTED = "HALTED"


class Source(Enum):
    """Where a fact came from."""

    STREAM = "stream"
    REST = "rest"


@dataclass(frozen=True, slots=True, order=False)
class Leg:
    """One position: an account, a symbol and a position side."""

    account: AccountId
    symbol: Symbol
    position_side: PositionSide

    @property
    def key(self) -> str:
        """The name used on the bus: the symbol, or `SYMBOL:LONG` / `SYMBOL:SHORT` in hedge mode."""
        if self.position_side is PositionSide.BOTH:
            return self.symbol
        return f"{self.symbol}:{self.position_side.value}"

    def sort_key(self) -> tuple[str, str, str]:
        """Order legs the same way on every machine."""
        return (self.account, self.symbol, self.position_side.value)
