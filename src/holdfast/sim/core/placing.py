"""Decide what an admitted order does: fill, rest, expire.

| type, time in force | crosses the market | otherwise |
|---|---|---|
| MARKET | fills what the depth gives; the rest EXPIRES (er 9) | - |
| LIMIT GTC, GTD | fills what the depth gives, the rest rests | rests |
| LIMIT IOC | fills what the depth gives, the rest EXPIRES (er 2) | EXPIRES (er 2) |
| LIMIT FOK | fills whole, or is refused -5021 | refused -5021 |
| LIMIT GTX | refused -5022 | rests |

Before it takes from the market, an order meets its own account's resting orders at the same or a better price: self-
trade prevention expires one side, the taker's mode decides which (default EXPIRE_MAKER).

Invariants: a refused FOK or GTX leaves no record and no event; a MARKET order is final when its answer is made.
Source: venue documentation of order types, expiry reasons and self-trade prevention.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.sim.core.admission import Admission, admit
from holdfast.sim.core.amounts import ZERO, money
from holdfast.sim.core.batches import Batch, publish
from holdfast.sim.core.filling import close_order, cut, fill_order, sweep_reducing
from holdfast.sim.core.market import Quote, fillable
from holdfast.sim.core.order_request import NewOrder, ReduceOnly
from holdfast.sim.core.orders import ExpiryReason, Order, OrderType, Side, Source, Status, TimeInForce
from holdfast.sim.core.refusals import Code, refuse

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.sim.core.account import Account
    from holdfast.sim.core.exchange import Exchange

__all__ = ["crosses", "place"]

CLIENT_ID_LENGTH = 22


def crosses(side: Side, price: Decimal | None, quote: Quote) -> bool:
    """Say whether an order would take from the market at once."""
    if price is None:
        return True
    return price >= quote.ask if side is Side.BUY else price <= quote.bid


def place(exchange: Exchange, account: Account, new: NewOrder, source: Source) -> Order:
    """Place one order: the answer is the order as it stands after the match."""
    accepted_ns = exchange.clock.monotonic_ns()
    now = exchange.clock.now_ms()
    admission = admit(exchange, account, new, now)
    market = exchange.markets[new.symbol]
    quote = market.quote(now)
    taking = crosses(new.side, admission.price, quote)
    _refuse_without_record(new, admission, market.depth, taking=taking)
    order = _order(exchange, account, new, admission, source=source, accepted_ns=accepted_ns, now_ms=now)
    batch = Batch(account, now)
    for rival in admission.knocked_out:
        close_order(exchange, batch, rival, Status.EXPIRED, ExpiryReason.KNOCKED_OUT)
    account.book(new.symbol).add(order)
    exchange.truth.add_order(order)
    batch.order(order, "NEW")
    if taking and _survives_own_orders(exchange, batch, order, admission.price, quote):
        best = quote.ask if order.side is Side.BUY else quote.bid
        filled = fillable(market.depth, order.qty)
        if filled > ZERO:
            for part in cut(exchange, order, filled):
                fill_order(exchange, batch, order, part, best)
            sweep_reducing(exchange, batch, order.symbol)
    _settle(exchange, batch, order, admission)
    publish(exchange, batch)
    return order


def _refuse_without_record(new: NewOrder, admission: Admission, depth: Decimal | None, *, taking: bool) -> None:
    if new.time_in_force is TimeInForce.GTX and taking:
        raise refuse(Code.POST_ONLY_WOULD_TAKE)
    if new.time_in_force is TimeInForce.FOK and (not taking or fillable(depth, admission.qty) < admission.qty):
        raise refuse(Code.FOK_UNFILLABLE)


def _order(
    exchange: Exchange,
    account: Account,
    new: NewOrder,
    admission: Admission,
    *,
    source: Source,
    accepted_ns: int,
    now_ms: int,
) -> Order:
    return Order(
        account=account.name,
        symbol=new.symbol,
        order_id=exchange.next_order_id(exchange.markets[new.symbol]),
        client_id=new.client_id or exchange.random_text(CLIENT_ID_LENGTH),
        side=new.side,
        position_side=new.position_side,
        order_type=new.order_type,
        time_in_force=new.time_in_force,
        qty=admission.qty,
        qty_asked=new.qty,
        price=admission.price if admission.price is not None else ZERO,
        reduce_only=new.reduce_only is ReduceOnly.TRUE,
        stp_mode=new.stp_mode,
        good_till_ms=new.good_till_ms,
        created_ms=now_ms,
        accepted_monotonic_ns=accepted_ns,
        source=source,
        price_match=new.price_match,
        updated_ms=now_ms,
    )


def _survives_own_orders(exchange: Exchange, batch: Batch, order: Order, limit: Decimal | None, quote: Quote) -> bool:
    """Apply self-trade prevention; say whether the taker is still alive."""
    if order.stp_mode == "NONE":
        return True
    best = quote.ask if order.side is Side.BUY else quote.bid
    worst = best if limit is None else limit
    own = [
        maker
        for maker in batch.account.book(order.symbol).open.values()
        if maker.side is order.side.opposite
        and (maker.price <= min(best, worst) if order.side is Side.BUY else maker.price >= max(best, worst))
    ]
    if not own:
        return True
    if order.stp_mode in {"EXPIRE_MAKER", "EXPIRE_BOTH"}:
        for maker in own:
            close_order(exchange, batch, maker, Status.EXPIRED_IN_MATCH, ExpiryReason.SELF_TRADE)
    if order.stp_mode == "EXPIRE_MAKER":
        return True
    close_order(exchange, batch, order, Status.EXPIRED_IN_MATCH, ExpiryReason.SELF_TRADE)
    return False


def _settle(exchange: Exchange, batch: Batch, order: Order, admission: Admission) -> None:
    """Let what is left of the order expire or rest."""
    if order.status not in {Status.NEW, Status.PARTIALLY_FILLED}:
        return
    if order.order_type is OrderType.MARKET:
        close_order(exchange, batch, order, Status.EXPIRED, ExpiryReason.MARKET_REMAINDER)
    elif order.time_in_force is TimeInForce.IOC:
        close_order(exchange, batch, order, Status.EXPIRED, ExpiryReason.IOC_REMAINDER)
    else:
        order.reserved = money(admission.margin * order.remaining / order.qty)
        batch.account.reserved += order.reserved
        exchange.resting.setdefault(order.symbol, {})[order.order_id] = order
