"""Booking one trade as a fill of one own order, inside a transaction: the only place where fills move a ledger.

Invariants (I7): a trade is booked once, by (symbol, trade id, order id); the ledger moves by the part that the
order's intent says (`Order.ledger_part`), in the order's direction; the order's booked quantity and the leg's
`last_fill_ms` move with it, in the same transaction.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.domain.amounts import ZERO, format_amount
from holdfast.domain.entry import Entry, EntryKind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from holdfast.domain.ledger import MoveCause
    from holdfast.domain.order import Order
    from holdfast.domain.trade import Trade
    from holdfast.ports.journal import Tx


def book_trades(tx: Tx, order: Order, trades: Iterable[Trade], cause: MoveCause) -> tuple[Order, tuple[Trade, ...]]:
    """Book the trades that were not booked yet; the order as it stands after it, and those trades."""
    booked: list[Trade] = []
    for trade in sorted(trades, key=lambda each: each.trade_id):
        part = order.ledger_part(trade.qty)
        if not tx.book_trade(trade, order, part):
            continue
        quantity = order.booked_qty + trade.qty
        order = replace(
            order,
            booked_qty=quantity,
            executed_qty=max(order.executed_qty, quantity),
            venue_order_id=trade.order_id,
            updated_ms=tx.now_ms(),
        )
        booked.append(trade)
        if part > ZERO:
            tx.move_ledger(order.leg, part * order.side.sign, cause, f"trade {trade.trade_id}")
    if booked:
        leg = tx.leg(order.leg)
        newest = max(trade.venue_ms for trade in booked)
        tx.put_leg(replace(leg, last_fill_ms=max(leg.last_fill_ms, newest)))
        tx.put_order(order)
    return order, tuple(booked)


def fill_entry(order: Order, booked: tuple[Trade, ...], kind: EntryKind) -> Entry:
    """The journal's line about the trades that were booked together."""
    return Entry(
        kind,
        order.leg.account,
        symbol=order.leg.symbol,
        hold_id=order.hold_id,
        plan_id=order.plan_id,
        body={
            "client_order_id": order.client_order_id,
            "position_side": order.leg.position_side.value,
            "trades": [
                {
                    "trade_id": trade.trade_id,
                    "order_id": trade.order_id,
                    "side": trade.side.value,
                    "qty": format_amount(trade.qty),
                    "price": format_amount(trade.price) if trade.price is not None else None,
                    "venue_ms": trade.venue_ms,
                    "source": trade.source.value,
                }
                for trade in booked
            ],
        },
    )


def average_price(trades: Iterable[Trade]) -> Decimal | None:
    """Quantity-weighted price of the trades; None if any price is missing, or there is none."""
    total = value = ZERO
    for trade in trades:
        if trade.price is None:
            return None
        total += trade.qty
        value += trade.qty * trade.price
    return value / total if total > ZERO else None
