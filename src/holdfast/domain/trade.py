"""What the venue says was executed.

A trade is identified by (symbol, trade id). It becomes a fill of ours when the journal books it, once, by
(symbol, trade id, order id). Missing price or client id is missing, never 0 or "".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.domain.sides import Leg, PositionSide, Side, Source

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.domain.names import AccountId, ClientOrderId, Symbol, TradeId, VenueOrderId


@dataclass(frozen=True, slots=True)
class Trade:
    """One execution at the venue."""

    symbol: Symbol
    trade_id: TradeId
    order_id: VenueOrderId
    client_order_id: ClientOrderId | None
    """Known from the stream; `userTrades` does not carry it."""
    side: Side
    position_side: PositionSide
    qty: Decimal
    """Base asset, always positive."""
    price: Decimal | None
    venue_ms: int
    """Venue time of the match (`T` on the stream, `time` over REST), epoch ms."""
    source: Source

    @property
    def signed_qty(self) -> Decimal:
        """What the trade did to its position."""
        return self.qty * self.side.sign

    def leg_of(self, account: AccountId) -> Leg:
        """The leg that the trade moved."""
        return Leg(account, self.symbol, self.position_side)


@dataclass(frozen=True, slots=True)
class Undone:
    """The part of one booked fill that moved no ledger: a close's, which undid a drift instead."""

    trade_id: TradeId
    signed_qty: Decimal
    """What that part did to the position, signed."""


_FORCED_PREFIXES = ("autoclose-", "adl_autoclose", "settlement_autoclose-")


def is_forced_client_order_id(text: str) -> bool:
    """Tell whether the venue itself placed the order."""
    return text.startswith(_FORCED_PREFIXES)


@dataclass(frozen=True, slots=True)
class TradePage:
    """The account's trades on one symbol since a cursor, oldest first."""

    trades: tuple[Trade, ...]
    complete: bool
    """False when trades since the cursor are missing: then the page proves nothing."""
    goes_on: bool = False
    """The bound on requests ended it: all up to its last trade are there, and one may go on from that."""
