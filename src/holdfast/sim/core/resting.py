"""Decide what happens to orders that rest: cancel, amend, fill when the price comes, expire when their time comes.

Invariants: a resting order fills at its own price or not at all; a cancel finds open orders only (-2011 otherwise,
filled ones included); nothing here reads time but through the exchange's clock.
Source: venue documentation of cancel, modify, countdownCancelAll (checked every few milliseconds there, every tick
here).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.sim.core.admission import is_reducing
from holdfast.sim.core.amounts import ZERO, money
from holdfast.sim.core.batches import Batch, publish
from holdfast.sim.core.filling import close_order, cut, fill_resting, sweep_reducing
from holdfast.sim.core.filters import check_price, check_qty
from holdfast.sim.core.market import SymbolStatus, fillable
from holdfast.sim.core.orders import FINAL, ExpiryReason, Order, OrderType, Status
from holdfast.sim.core.placing import crosses
from holdfast.sim.core.refusals import Code, refuse

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.sim.core.account import Account
    from holdfast.sim.core.exchange import Exchange

__all__ = ["amend", "cancel", "cancel_all", "tick"]


def cancel(exchange: Exchange, account: Account, order: Order | None) -> Order:
    """Cancel one open order."""
    if order is None or order.status in FINAL:
        raise refuse(Code.CANCEL_REJECTED)
    batch = Batch(account, exchange.clock.now_ms())
    close_order(exchange, batch, order, Status.CANCELED, ExpiryReason.NONE)
    publish(exchange, batch)
    return order


def cancel_all(exchange: Exchange, account: Account, symbol: str) -> list[Order]:
    """Cancel every open order on a symbol."""
    batch = Batch(account, exchange.clock.now_ms())
    orders = list(account.book(symbol).open.values())
    for order in orders:
        close_order(exchange, batch, order, Status.CANCELED, ExpiryReason.NONE)
    publish(exchange, batch)
    return orders


def amend(exchange: Exchange, account: Account, order: Order | None, qty: Decimal, price: Decimal) -> Order:
    """Change quantity and price of an open LIMIT order."""
    if order is None or order.status in FINAL or order.order_type is not OrderType.LIMIT:
        raise refuse(Code.NO_SUCH_ORDER)
    if (qty, price) == (order.qty, order.price):
        raise refuse(Code.AMEND_NOTHING)
    now = exchange.clock.now_ms()
    market = exchange.market(order.symbol)
    check_qty(market.rules, order.order_type, qty)
    check_price(market.rules, market.quote(now), order.side, price)
    batch = Batch(account, now)
    price_before, order.price = order.price, price
    order.updated_ms = now
    if qty <= order.executed:
        # The venue cancels an order that is amended below what it has executed.
        close_order(exchange, batch, order, Status.CANCELED, ExpiryReason.NONE)
    else:
        # Margin follows the worth of what still rests; amended orders are not checked against the wallet again.
        worth_before = order.remaining * price_before
        if worth_before:
            reserved = money(order.reserved * (qty - order.executed) * price / worth_before)
            account.reserved += reserved - order.reserved
            order.reserved = reserved
        order.qty = qty
        batch.order(order, "AMENDMENT")
    publish(exchange, batch)
    match_resting(exchange, order.symbol, now)
    return order


def tick(exchange: Exchange) -> None:
    """Let time pass: prices reach resting orders, good-till dates and countdowns end."""
    now = exchange.clock.now_ms()
    for symbol, resting in list(exchange.resting.items()):
        if resting:
            match_resting(exchange, symbol, now)
            _expire_dated(exchange, symbol, now)
    for account in exchange.accounts.values():
        for symbol, deadline in list(account.countdowns.items()):
            if now >= deadline:
                del account.countdowns[symbol]
                cancel_all(exchange, account, symbol)


def _expire_dated(exchange: Exchange, symbol: str, now_ms: int) -> None:
    for order in list(exchange.resting[symbol].values()):
        if order.good_till_ms and now_ms >= order.good_till_ms:
            batch = Batch(exchange.account(order.account), now_ms)
            close_order(exchange, batch, order, Status.EXPIRED, ExpiryReason.NONE)
            publish(exchange, batch)


def match_resting(exchange: Exchange, symbol: str, now_ms: int) -> None:
    """Fill the resting orders that the price has reached."""
    market = exchange.markets[symbol]
    if market.status is not SymbolStatus.TRADING:
        return
    quote = market.quote(now_ms)
    for order in list(exchange.resting.get(symbol, {}).values()):
        if order.status in FINAL or not crosses(order.side, order.price, quote):
            continue
        account = exchange.account(order.account)
        batch = Batch(account, now_ms)
        qty = fillable(market.depth, order.remaining)
        if is_reducing(order):
            qty = min(qty, abs(account.leg(symbol, order.position_side).now.qty))
        if qty > ZERO:
            for part in cut(exchange, order, qty):
                fill_resting(exchange, batch, order, part)
            sweep_reducing(exchange, batch, symbol)
        publish(exchange, batch)
