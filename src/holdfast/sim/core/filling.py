"""Decide what a fill changes: order, position, wallet, trade list, income, truth; and what it knocks out.

Invariants: every fill has a trade id of its own, larger than all before on its symbol; a resting order that may only
reduce expires as soon as there is nothing left for it to reduce; wallet = deposits + realised - commissions + funding.
Source: venue documentation (trade ids, expiry reason 4 "would flip" / "knocked out").
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING

from holdfast.sim.core.account import Income
from holdfast.sim.core.admission import is_reducing
from holdfast.sim.core.amounts import ZERO, money
from holdfast.sim.core.orders import ExpiryReason, Order, Status, Trade

if TYPE_CHECKING:
    from holdfast.sim.core.batches import Batch
    from holdfast.sim.core.exchange import Exchange

__all__ = ["close_order", "cut", "fill_order", "note_income", "sweep_reducing"]


def close_order(exchange: Exchange, batch: Batch, order: Order, status: Status, reason: ExpiryReason) -> None:
    """Make an order final without a fill, and say so."""
    order.status = status
    order.expiry = reason
    order.updated_ms = batch.now_ms
    _release(exchange, batch, order)
    execution = "CANCELED" if status is Status.CANCELED else "EXPIRED"
    batch.order(order, execution)


def _release(exchange: Exchange, batch: Batch, order: Order) -> None:
    batch.account.reserved -= order.reserved
    order.reserved = ZERO
    batch.account.book(order.symbol).close(order)
    resting = exchange.resting.get(order.symbol)
    if resting is not None:
        resting.pop(order.order_id, None)


def cut(exchange: Exchange, order: Order, qty: Decimal) -> list[Decimal]:
    """Cut one match into as many trades as the knob asks for and the step allows."""
    wanted = exchange.knobs.fills_per_match
    step = exchange.markets[order.symbol].rules.step
    part = (qty / wanted).quantize(step, ROUND_DOWN)
    if wanted == 1 or part == ZERO:
        return [qty]
    return [part] * (wanted - 1) + [qty - part * (wanted - 1)]


def fill_order(
    exchange: Exchange, batch: Batch, order: Order, qty: Decimal, price: Decimal, *, execution: str = "TRADE"
) -> Trade:
    """Book one fill of a taker."""
    return _book(exchange, batch, order, qty, price, fee=exchange.knobs.taker_fee, execution=execution)


def fill_resting(exchange: Exchange, batch: Batch, order: Order, qty: Decimal) -> Trade:
    """Book one fill of a resting order, at its own price and the maker's fee."""
    before = order.remaining
    trade = _book(exchange, batch, order, qty, order.price, fee=exchange.knobs.maker_fee, maker=True)
    released = money(order.reserved * qty / before)
    order.reserved -= released
    batch.account.reserved -= released
    return trade


def _book(
    exchange: Exchange,
    batch: Batch,
    order: Order,
    qty: Decimal,
    price: Decimal,
    *,
    fee: Decimal,
    maker: bool = False,
    execution: str = "TRADE",
) -> Trade:
    account, now = batch.account, batch.now_ms
    leg = account.leg(order.symbol, order.position_side)
    realised = leg.fill(qty * order.side.sign, price, now)
    commission = money(qty * price * fee)
    trade = Trade(
        symbol=order.symbol,
        trade_id=exchange.markets[order.symbol].next_trade_id(),
        order_id=order.order_id,
        client_id=order.client_id,
        side=order.side,
        position_side=order.position_side,
        price=price,
        qty=qty,
        realised=realised,
        commission=commission,
        maker=maker,
        time_ms=now,
        source=order.source,
    )
    account.wallet += realised - commission
    account.wallet_updated_ms = now
    account.trades.setdefault(order.symbol, []).append(trade)
    if leg.now.qty == ZERO:
        account.open_legs.pop((leg.symbol, leg.side), None)
    else:
        account.open_legs[leg.symbol, leg.side] = leg
    order.executed += qty
    order.quote += qty * price
    order.trades += 1
    order.updated_ms = now
    order.status = Status.PARTIALLY_FILLED if order.remaining else Status.FILLED
    exchange.truth.add_fill(account.name, trade)
    if realised:
        note_income(exchange, batch, order.symbol, "REALIZED_PNL", realised, trade_id=str(trade.trade_id))
    note_income(exchange, batch, order.symbol, "COMMISSION", -commission, trade_id=str(trade.trade_id))
    batch.touch(leg)
    batch.fill(order, trade, execution)
    if order.status is Status.FILLED:
        _release(exchange, batch, order)
    return trade


def note_income(exchange: Exchange, batch: Batch, symbol: str, kind: str, amount: Decimal, *, trade_id: str) -> None:
    """Write one line of the wallet's history."""
    batch.account.incomes.append(Income(symbol, kind, amount, batch.now_ms, exchange.next_transaction(), trade_id))


def sweep_reducing(exchange: Exchange, batch: Batch, symbol: str) -> None:
    """Expire resting orders that have nothing left to reduce."""
    for order in list(batch.account.book(symbol).open.values()):
        if not is_reducing(order):
            continue
        held = batch.account.leg(symbol, order.position_side).now.qty
        if held * order.side.sign >= ZERO:
            close_order(exchange, batch, order, Status.EXPIRED, ExpiryReason.KNOCKED_OUT)
