"""Decide what an order and a trade are.

Invariants: an order's executed quantity never exceeds its quantity and never shrinks; a terminal status is final;
every order keeps who sent it (`source`) and the monotonic moment at which the core accepted it: drills and benches
judge by it.
Source of the words: the venue's documentation of orders and of the user stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from holdfast.sim.core.amounts import ZERO

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.sim.core.legs import PositionSide

__all__ = ["FINAL", "ExpiryReason", "Order", "OrderType", "Side", "Source", "Status", "TimeInForce", "Trade"]


class Side(StrEnum):
    """Direction of an order."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for BUY, -1 for SELL."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        """The other direction."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    """Order types that this endpoint takes, and the one that only the venue itself uses."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"
    LIQUIDATION = "LIQUIDATION"


class TimeInForce(StrEnum):
    """How long an order stands."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTX = "GTX"
    GTD = "GTD"


class Status(StrEnum):
    """An order's life."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"


FINAL: Final = frozenset({Status.FILLED, Status.CANCELED, Status.EXPIRED, Status.EXPIRED_IN_MATCH})


class ExpiryReason(StrEnum):
    """The stream's `er`: why an order expired."""

    NONE = "0"
    SELF_TRADE = "1"
    IOC_REMAINDER = "2"
    KNOCKED_OUT = "4"
    LIQUIDATED = "5"
    DELISTED = "7"
    MARKET_REMAINDER = "9"


class Source(StrEnum):
    """Who sent an order: through the API, by hand at the exchange, or the exchange itself."""

    API = "api"
    MANUAL = "manual"
    VENUE = "venue"


@dataclass(frozen=True, slots=True)
class Trade:
    """One fill."""

    symbol: str
    trade_id: int
    order_id: int
    client_id: str
    side: Side
    position_side: PositionSide
    price: Decimal
    qty: Decimal
    realised: Decimal
    commission: Decimal
    maker: bool
    time_ms: int
    source: Source


@dataclass(slots=True)
class Order:
    """One order that the exchange accepted."""

    account: str
    symbol: str
    order_id: int
    client_id: str
    side: Side
    position_side: PositionSide
    order_type: OrderType
    time_in_force: TimeInForce
    qty: Decimal
    """As accepted: a reduce-only order may have been cut."""
    qty_asked: Decimal
    """As sent."""
    price: Decimal
    reduce_only: bool
    stp_mode: str
    good_till_ms: int
    created_ms: int
    accepted_monotonic_ns: int
    source: Source
    price_match: str = "NONE"
    status: Status = Status.NEW
    executed: Decimal = ZERO
    quote: Decimal = ZERO
    """Sum of price times quantity over the fills."""
    reserved: Decimal = ZERO
    """Margin set aside while the order rests."""
    updated_ms: int = 0
    expiry: ExpiryReason = ExpiryReason.NONE
    trades: int = 0

    @property
    def remaining(self) -> Decimal:
        """What is not executed yet."""
        return self.qty - self.executed

    @property
    def average(self) -> Decimal:
        """Average price of the fills, 0 without one."""
        return self.quote / self.executed if self.executed else ZERO
