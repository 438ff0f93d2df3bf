"""Decide whether an order's numbers fit its symbol: the filters that exchangeInfo publishes.

| filter | rule | refusal |
|---|---|---|
| LOT_SIZE, MARKET_LOT_SIZE | 0 < min <= qty <= max | -4003, -4004, -4005 |
| precision | decimals of qty and price | -1111 |
| step | qty on the grid | -4023 |
| PRICE_FILTER | 0 < min <= price <= max, on the tick | -4001, -4013, -4002, -4014 |
| PERCENT_PRICE | BUY <= mark * up, SELL >= mark * down | -4016, -4024; MARKET against such a price -4131 |
| MIN_NOTIONAL | price * qty (mark for MARKET), reduce-only exempt | -4164 |

Invariant: a filter of 0 is off. Source: venue documentation; which of -1111 and -4023 comes first is not documented,
here the decimals are looked at first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.sim.core.amounts import ZERO, decimals_of, off_grid, plain
from holdfast.sim.core.orders import OrderType, Side
from holdfast.sim.core.refusals import Code, refuse

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.sim.core.market import Quote
    from holdfast.sim.core.order_request import NewOrder
    from holdfast.sim.core.symbols import SymbolRules

__all__ = ["check_notional", "check_price", "check_qty"]


def check_qty(rules: SymbolRules, order_type: OrderType, qty: Decimal) -> None:
    """Refuse a quantity off its filters."""
    if qty <= ZERO:
        raise refuse(Code.QTY_NOT_POSITIVE)
    if decimals_of(qty) > rules.qty_decimals:
        raise refuse(Code.BAD_PRECISION)
    if off_grid(qty, rules.step):
        raise refuse(Code.QTY_OFF_STEP)
    if qty < rules.qty_min:
        raise refuse(Code.QTY_BELOW_MIN)
    if qty > (rules.qty_max_market if order_type is OrderType.MARKET else rules.qty_max):
        raise refuse(Code.QTY_ABOVE_MAX)


def check_price(rules: SymbolRules, quote: Quote, side: Side, price: Decimal) -> None:
    """Refuse a limit price off its filters."""
    if price <= ZERO:
        raise refuse(Code.PRICE_NOT_POSITIVE)
    if decimals_of(price) > rules.price_decimals:
        raise refuse(Code.BAD_PRECISION)
    if price < rules.price_min:
        raise refuse(Code.PRICE_BELOW_MIN)
    if price > rules.price_max:
        raise refuse(Code.PRICE_ABOVE_MAX)
    if off_grid(price, rules.tick):
        raise refuse(Code.PRICE_OFF_TICK)
    if side is Side.BUY and price > quote.mark * rules.band_up:
        raise refuse(Code.PRICE_ABOVE_CAP, plain(quote.mark * rules.band_up))
    if side is Side.SELL and price < quote.mark * rules.band_down:
        raise refuse(Code.PRICE_BELOW_FLOOR, plain(quote.mark * rules.band_down))


def check_counter_price(rules: SymbolRules, quote: Quote, side: Side) -> None:
    """Refuse a MARKET order whose counter price lies outside the band."""
    if side is Side.BUY and quote.ask > quote.mark * rules.band_up:
        raise refuse(Code.COUNTER_PRICE_OUT_OF_BAND)
    if side is Side.SELL and quote.bid < quote.mark * rules.band_down:
        raise refuse(Code.COUNTER_PRICE_OUT_OF_BAND)


def check_notional(rules: SymbolRules, quote: Quote, order: NewOrder, price: Decimal | None) -> None:
    """Refuse an order that is worth too little; the caller spares reduce-only ones."""
    worth = order.qty * (quote.mark if price is None else price)
    if worth < rules.notional_min:
        raise refuse(Code.NOTIONAL_TOO_SMALL, plain(rules.notional_min))
