"""Decide which events one match sends, and in which order.

A `Batch` collects what happens while one operation runs; `publish` turns it into frames: one TRADE_LITE a fill, the
order updates in the order they happened, and one ACCOUNT_UPDATE with the rows that changed (none if no fill
happened).

Invariants: events of one type keep their order; across types any order is allowed, and the knob
`event_order=shuffled` uses that freedom; all events of one match share `T`.
Source: venue documentation (ordering is promised within a type on one connection only; ACCOUNT_UPDATE carries changed
rows and is not sent for unfilled orders); that the events of a match share T is inferred.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import msgspec

from holdfast.sim.core.account import Account, MarginType
from holdfast.sim.core.amounts import plain
from holdfast.sim.core.events import (
    AccountChange,
    AccountUpdate,
    BalanceRow,
    Event,
    OrderFacts,
    OrderTradeUpdate,
    PositionRow,
    TradeLite,
)
from holdfast.sim.core.knobs import EventOrder

if TYPE_CHECKING:
    from holdfast.sim.core.exchange import Exchange
    from holdfast.sim.core.legs import Leg, PositionSide
    from holdfast.sim.core.orders import Order, Trade

__all__ = ["Batch", "publish"]

NO_FILL: Final = "0"


@dataclass(slots=True)
class Batch:
    """What happened to one account in one operation."""

    account: Account
    now_ms: int
    reason: str = "ORDER"
    symbol: str | None = None
    """Named on funding only."""
    lites: list[Event] = field(default_factory=list)
    updates: list[Event] = field(default_factory=list)
    legs: dict[tuple[str, PositionSide], Leg] = field(default_factory=dict)
    wallet_changed: bool = False
    transferred: Decimal = Decimal(0)

    def order(self, order: Order, execution: str) -> None:
        """Note that an order changed without a fill."""
        self.updates.append(OrderTradeUpdate(self.now_ms, self.now_ms, _facts(order, execution, self.now_ms)))

    def fill(self, order: Order, trade: Trade, execution: str) -> None:
        """Note a fill."""
        self.lites.append(
            TradeLite(
                event_ms=self.now_ms,
                time_ms=self.now_ms,
                symbol=order.symbol,
                qty=plain(order.qty),
                price=plain(order.price),
                maker=trade.maker,
                client_id=order.client_id,
                side=order.side.value,
                last_price=plain(trade.price),
                last_qty=plain(trade.qty),
                trade_id=trade.trade_id,
                order_id=order.order_id,
            )
        )
        facts = msgspec.structs.replace(
            _facts(order, execution, self.now_ms),
            last_qty=plain(trade.qty),
            last_price=plain(trade.price),
            trade_id=trade.trade_id,
            maker=trade.maker,
            realised=plain(trade.realised),
            fee_asset="USDT",
            fee=plain(trade.commission),
        )
        self.updates.append(OrderTradeUpdate(self.now_ms, self.now_ms, facts))
        self.wallet_changed = True

    def touch(self, leg: Leg) -> None:
        """Note that a position changed."""
        self.legs[leg.symbol, leg.side] = leg


def _facts(order: Order, execution: str, now_ms: int) -> OrderFacts:
    return OrderFacts(
        symbol=order.symbol,
        client_id=order.client_id,
        side=order.side.value,
        order_type=order.order_type.value,
        time_in_force=order.time_in_force.value,
        qty=plain(order.qty),
        price=plain(order.price),
        average=plain(order.average),
        execution=execution,
        status=order.status.value,
        order_id=order.order_id,
        last_qty=NO_FILL,
        cumulative=plain(order.executed),
        last_price=NO_FILL,
        time_ms=now_ms,
        trade_id=0,
        maker=False,
        reduce_only=order.reduce_only,
        original_type=order.order_type.value,
        position_side=order.position_side.value,
        realised=NO_FILL,
        stp_mode=order.stp_mode,
        price_match=order.price_match,
        good_till_ms=order.good_till_ms,
        expiry=order.expiry.value,
    )


def _account_update(exchange: Exchange, batch: Batch) -> AccountUpdate:
    account = batch.account
    rows = []
    for leg in batch.legs.values():
        mark = exchange.markets[leg.symbol].quote(batch.now_ms).mark
        isolated = account.margin_types.get(leg.symbol) is MarginType.ISOLATED
        rows.append(
            PositionRow(
                symbol=leg.symbol,
                amount=plain(leg.now.qty),
                entry=plain(leg.now.entry),
                break_even=plain(leg.now.entry),
                realised=plain(leg.now.realised),
                unrealised=plain(leg.unrealised(mark)),
                margin_type="isolated" if isolated else "cross",
                position_side=leg.side.value,
            )
        )
    wallet = plain(account.wallet)
    change = AccountChange(
        reason=batch.reason,
        balances=(BalanceRow("USDT", wallet, wallet, plain(batch.transferred)),) if batch.wallet_changed else (),
        positions=tuple(rows),
        symbol=msgspec.UNSET if batch.symbol is None else batch.symbol,
    )
    return AccountUpdate(batch.now_ms, batch.now_ms, change)


def publish(exchange: Exchange, batch: Batch) -> None:
    """Send the events of a finished operation to the sink."""
    groups = [batch.lites, batch.updates]
    if batch.legs or batch.wallet_changed:
        groups.append([_account_update(exchange, batch)])
    if exchange.knobs.event_order is EventOrder.SHUFFLED:
        events = _shuffled(exchange, groups)
    else:
        # As the engine makes them: the order is NEW before its first fill, the quick copies come first.
        events = [event for group in groups for event in group]
    if events:
        exchange.sink.emit(batch.account.name, events)


def _shuffled(exchange: Exchange, groups: list[list[Event]]) -> list[Event]:
    """Merge the groups in random order, each keeping its own."""
    turns = [n for n, group in enumerate(groups) for _ in group]
    exchange.rng.shuffle(turns)
    heads = [iter(group) for group in groups]
    return [next(heads[n]) for n in turns]
