"""What the venue allows on one symbol (venue documentation: exchangeInfo filters).

A filter value of 0 disables that filter there; here a disabled bound is None. `pricePrecision` and
`quantityPrecision` are not steps and are never used as such.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.domain.names import Symbol


@dataclass(frozen=True, slots=True)
class Instrument:
    """One symbol's rules. Quantities in base asset, prices and notionals in quote asset."""

    symbol: Symbol
    status: str
    """The venue's word; only `TRADING` may be traded."""
    qty_step: Decimal
    """Multiple that every quantity must be of; the coarser of LOT_SIZE and MARKET_LOT_SIZE for MARKET."""
    qty_min: Decimal | None
    qty_max: Decimal | None
    market_qty_min: Decimal | None
    market_qty_max: Decimal | None
    """Largest MARKET order; above it a close is sliced."""
    price_tick: Decimal | None
    notional_min: Decimal | None
    """Smallest price x quantity; reduce-only orders are exempt (text of venue code -4164)."""
    price_min: Decimal | None = None
    price_max: Decimal | None = None
    """Bounds of a LIMIT order's price; the venue's percentage bounds around the mark price are the venue's to check."""

    @property
    def is_trading(self) -> bool:
        """Tell whether the venue accepts orders on the symbol."""
        return self.status == "TRADING"
