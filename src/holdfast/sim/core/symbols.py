"""Decide which symbols exist and which filters each one has.

Invariants: tick and step are powers of ten; the filters published by exchangeInfo are the very values that admission
checks. Source: the shape and meaning of filters are the venue's documentation; the numbers are illustrative.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

__all__ = ["SymbolRules", "standard_symbols"]

SYMBOLS_MAX: Final = 2000


@dataclass(frozen=True, slots=True)
class SymbolRules:
    """What one perpetual contract allows."""

    symbol: str
    base: str
    price: Decimal
    """Mark price at the start, USDT."""
    tick: Decimal
    step: Decimal
    qty_min: Decimal
    qty_max: Decimal
    qty_max_market: Decimal
    """Above this a MARKET order is refused: large ones must be sliced."""
    notional_min: Decimal
    price_min: Decimal
    price_max: Decimal
    band_up: Decimal = Decimal("1.0500")
    band_down: Decimal = Decimal("0.9500")
    orders_max: int = 200
    leverage_max: int = 125
    maintenance_rate: Decimal = Decimal("0.004")
    quote: str = "USDT"

    @property
    def price_decimals(self) -> int:
        """Decimals of the tick."""
        exponent = self.tick.as_tuple().exponent
        return -exponent if isinstance(exponent, int) else 0

    @property
    def qty_decimals(self) -> int:
        """Decimals of the step."""
        exponent = self.step.as_tuple().exponent
        return -exponent if isinstance(exponent, int) else 0


def _rules(base: str, price: str, *, tick: str, step: str, market_max: str, notional: str) -> SymbolRules:
    tick_size = Decimal(tick)
    return SymbolRules(
        symbol=f"{base}USDT",
        base=base,
        price=Decimal(price),
        tick=tick_size,
        step=Decimal(step),
        qty_min=Decimal(step),
        qty_max=Decimal(market_max) * 10,
        qty_max_market=Decimal(market_max),
        notional_min=Decimal(notional),
        price_min=tick_size,
        price_max=Decimal(price) * 1000,
    )


def standard_symbols(extra: int) -> tuple[SymbolRules, ...]:
    """Return BTCUSDT, ETHUSDT and `extra` invented ones, SYM001USDT and so on."""
    if not 0 <= extra <= SYMBOLS_MAX:
        raise ValueError(f"the number of extra symbols is 0 to {SYMBOLS_MAX}, not {extra}")
    known = (
        _rules("BTC", "64000.0", tick="0.1", step="0.001", market_max="120", notional="100"),
        _rules("ETH", "3200.00", tick="0.01", step="0.001", market_max="2000", notional="20"),
    )
    invented = tuple(
        _rules(f"SYM{n:03d}", "100.00", tick="0.01", step="0.01", market_max="5000", notional="5")
        for n in range(1, extra + 1)
    )
    return known + invented
