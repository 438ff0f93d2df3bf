"""Decide whether an account may place an order now, and how large it may be.

| mode | positionSide | reduceOnly | verdict |
|---|---|---|---|
| one-way | LONG, SHORT | any | -4061 |
| hedge | BOTH or missing | any | -4061 |
| hedge | LONG, SHORT | sent (true; false by knob) | -1106 |

Reducing means: reduce-only in one-way mode; LONG + SELL or SHORT + BUY in hedge mode. A reducing order:

| position | resting orders of the same side | verdict |
|---|---|---|
| flat, or same direction | any | -2022 |
| smaller than the order | any | cut to the position, or -2022 (knob `reduce_only_oversize`) |
| enough | used up by them | -2022, -4118, or they expire (knob `reduce_only_conflict`) |
| enough | fits beside them | accepted |

Invariants: a reducing order never opens, enlarges or flips a position; only the opening part of an order needs
margin; a client id is unique among OPEN orders and free again afterwards, so the same id executes twice if sent
twice.
Source: venue documentation; the cut and the -4118 were observed; -1106 in hedge mode was observed by several
projects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.sim.core.account import Account, Mode, Restriction
from holdfast.sim.core.amounts import ZERO, money
from holdfast.sim.core.filters import check_counter_price, check_notional, check_price, check_qty
from holdfast.sim.core.knobs import HedgeReduceOnlyFalse, ReduceOnlyConflict, ReduceOnlyOversize
from holdfast.sim.core.legs import PositionSide
from holdfast.sim.core.market import Market, Quote, SymbolStatus
from holdfast.sim.core.order_request import NewOrder, ReduceOnly
from holdfast.sim.core.orders import Order, OrderType, Side
from holdfast.sim.core.refusals import Code, refuse

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.sim.core.exchange import Exchange

__all__ = ["Admission", "admit", "available_margin", "closes", "is_reducing"]


@dataclass(frozen=True, slots=True)
class Admission:
    """What the order may do."""

    qty: Decimal
    price: Decimal | None
    margin: Decimal
    """Margin that its opening part needs."""
    knocked_out: tuple[Order, ...]
    """Resting orders that expire to make room."""


def closes(side: Side, position_side: PositionSide) -> bool:
    """Say whether a side on a hedge leg can only close it."""
    return (position_side is PositionSide.LONG and side is Side.SELL) or (
        position_side is PositionSide.SHORT and side is Side.BUY
    )


def is_reducing(order: Order) -> bool:
    """Say whether an accepted order may only reduce."""
    return order.reduce_only or closes(order.side, order.position_side)


def available_margin(exchange: Exchange, account: Account, now_ms: int) -> Decimal:
    """Return what is left for new positions: wallet and unrealised profit less all margins."""
    free = account.wallet - account.reserved
    for (symbol, _), leg in account.open_legs.items():
        mark = exchange.markets[symbol].quote(now_ms).mark
        free += leg.unrealised(mark) - abs(leg.now.qty) * mark / account.leverage(symbol)
    return free


def check_mode(exchange: Exchange, account: Account, order: NewOrder) -> None:
    """Refuse an order that does not speak the account's position mode."""
    hedged = account.mode is Mode.HEDGE
    if hedged == (order.position_side is PositionSide.BOTH):
        raise refuse(Code.POSITION_SIDE_MISMATCH)
    if not hedged or order.reduce_only is ReduceOnly.ABSENT:
        return
    tolerated = exchange.knobs.hedge_reduce_only_false is HedgeReduceOnlyFalse.ACCEPT
    if order.reduce_only is ReduceOnly.TRUE or not tolerated:
        raise refuse(Code.NOT_REQUIRED_PARAMETER, "reduceonly")


def _check_standing(account: Account, market: Market, reducing: ReduceOnly) -> None:
    if market.status is not SymbolStatus.TRADING:
        raise refuse(Code.SYMBOL_STATUS)
    if account.restriction is Restriction.NO_TRADING:
        raise refuse(Code.MAY_NOT_TRADE)
    if account.restriction is Restriction.REDUCE_ONLY and reducing is not ReduceOnly.TRUE:
        raise refuse(Code.REDUCE_ONLY_ACCOUNT)


def _reduced(exchange: Exchange, account: Account, order: NewOrder) -> tuple[Decimal, tuple[Order, ...]]:
    """Return how much a reducing order may do, and which resting orders give way."""
    held = account.leg(order.symbol, order.position_side).now.qty
    if held == ZERO or (held > ZERO) == (order.side is Side.BUY):
        raise refuse(Code.REDUCE_ONLY_REJECTED)
    qty = order.qty
    if qty > abs(held):
        if exchange.knobs.reduce_only_oversize is ReduceOnlyOversize.REJECT:
            raise refuse(Code.REDUCE_ONLY_REJECTED)
        qty = abs(held)
    rivals = account.book(order.symbol).resting(order.side, order.position_side)
    if sum((r.remaining for r in rivals), ZERO) + qty <= abs(held):
        return qty, ()
    if exchange.knobs.reduce_only_conflict is ReduceOnlyConflict.REFUSE_4118:
        raise refuse(Code.REDUCE_ONLY_CONFLICT)
    if exchange.knobs.reduce_only_conflict is ReduceOnlyConflict.REFUSE_2022:
        raise refuse(Code.REDUCE_ONLY_REJECTED)
    return qty, tuple(rivals)


def _matched_price(market: Market, quote: Quote, order: NewOrder) -> Decimal | None:
    """Return the price of a LIMIT order, taken from the book if it asks for that."""
    if order.price_match == "NONE":
        return order.price
    if market.depth == ZERO:
        raise refuse(Code.NO_DEPTH)
    takes = order.price_match == "OPPONENT"
    return quote.ask if takes == (order.side is Side.BUY) else quote.bid


def admit(exchange: Exchange, account: Account, order: NewOrder, now_ms: int) -> Admission:
    """Admit an order, or refuse it as the venue would."""
    market = exchange.market(order.symbol)
    rules, quote = market.rules, market.quote(now_ms)
    check_mode(exchange, account, order)
    hedge_close = closes(order.side, order.position_side)
    reducing = ReduceOnly.TRUE if hedge_close else order.reduce_only
    _check_standing(account, market, reducing)
    check_qty(rules, order.order_type, order.qty)
    price = _matched_price(market, quote, order)
    if price is not None:
        check_price(rules, quote, order.side, price)
    elif order.order_type is OrderType.MARKET:
        check_counter_price(rules, quote, order.side)
    book = account.book(order.symbol)
    if order.client_id is not None and order.client_id in book.open_by_client:
        raise refuse(Code.DUPLICATE_CLIENT_ID)
    if len(book.open) >= rules.orders_max:
        raise refuse(Code.TOO_MANY_OPEN_ORDERS)
    if reducing is ReduceOnly.TRUE:
        qty, knocked_out = _reduced(exchange, account, order)
        return Admission(qty, price, ZERO, knocked_out)
    check_notional(rules, quote, order, price)
    margin = _opening_margin(account, order, quote.mark if price is None else price)
    if margin and margin > available_margin(exchange, account, now_ms):
        raise refuse(Code.INSUFFICIENT_MARGIN)
    return Admission(order.qty, price, margin, ())


def _opening_margin(account: Account, order: NewOrder, price: Decimal) -> Decimal:
    held = account.leg(order.symbol, order.position_side).now.qty
    opening = order.qty
    if held != ZERO and (held > ZERO) != (order.side is Side.BUY):
        opening = max(ZERO, order.qty - abs(held))
    return money(opening * price / account.leverage(order.symbol))
