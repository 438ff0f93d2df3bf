"""Tell the truth: every order, fill, position, account and request, for those who judge.

Invariants: truth is not subject to lag faults, retention or limits; it is filtered by `account` and `symbol` and cut
by `after` and `limit`, and always says how many there are in total.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Final

from holdfast.sim.core.amounts import ZERO, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.sim.core.account import Account
    from holdfast.sim.core.orders import Order, Trade
    from holdfast.sim.core.venue import Venue

__all__ = ["accounts", "fills", "orders", "positions", "requests"]

LIMIT_DEFAULT: Final = 100_000


def _order(order: Order) -> dict[str, object]:
    return {
        "account": order.account,
        "symbol": order.symbol,
        "orderId": order.order_id,
        "clientOrderId": order.client_id,
        "source": order.source.value,
        "side": order.side.value,
        "positionSide": order.position_side.value,
        "type": order.order_type.value,
        "timeInForce": order.time_in_force.value,
        "reduceOnly": order.reduce_only,
        "qtyAsked": plain(order.qty_asked),
        "qty": plain(order.qty),
        "price": plain(order.price),
        "status": order.status.value,
        "executedQty": plain(order.executed),
        "avgPrice": plain(order.average),
        "expiryReason": order.expiry.value,
        "trades": order.trades,
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "accepted_monotonic_ns": order.accepted_monotonic_ns,
    }


def _fill(account: str, trade: Trade) -> dict[str, object]:
    return {
        "account": account,
        "symbol": trade.symbol,
        "tradeId": trade.trade_id,
        "orderId": trade.order_id,
        "clientOrderId": trade.client_id,
        "source": trade.source.value,
        "side": trade.side.value,
        "positionSide": trade.position_side.value,
        "qty": plain(trade.qty),
        "price": plain(trade.price),
        "realizedPnl": plain(trade.realised),
        "commission": plain(trade.commission),
        "maker": trade.maker,
        "time": trade.time_ms,
    }


def _number(query: Mapping[str, str], name: str, usual: int) -> int:
    text = query.get(name)
    if text is None:
        return usual
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"{name} must be a whole number, not {text!r}")
    return int(text)


def orders(venue: Venue, query: Mapping[str, str]) -> object:
    """List every order ever accepted, oldest first; `after=N` leaves out the first N."""
    truth = venue.exchange.truth
    dropped = truth.orders_total - len(truth.orders)
    start = max(0, _number(query, "after", 0) - dropped)
    found = [
        _order(o)
        for o in islice(truth.orders, start, start + _number(query, "limit", LIMIT_DEFAULT))
        if query.get("account", o.account) == o.account
        and query.get("symbol", o.symbol) == o.symbol
        and query.get("clientOrderId", o.client_id) == o.client_id
        and query.get("source", o.source.value) == o.source.value
    ]
    return {"orders": found, "total": truth.orders_total, "dropped": dropped}


def fills(venue: Venue, query: Mapping[str, str]) -> object:
    """List every fill, oldest first; `after=N` leaves out the first N."""
    truth = venue.exchange.truth
    dropped = truth.fills_total - len(truth.fills)
    start = max(0, _number(query, "after", 0) - dropped)
    found = [
        _fill(account, t)
        for account, t in islice(truth.fills, start, start + _number(query, "limit", LIMIT_DEFAULT))
        if query.get("account", account) == account
        and query.get("symbol", t.symbol) == t.symbol
        and query.get("source", t.source.value) == t.source.value
    ]
    return {"fills": found, "total": truth.fills_total, "dropped": dropped}


def positions(venue: Venue, query: Mapping[str, str]) -> object:
    """List the positions that are not flat."""
    return {
        "positions": [
            {
                "account": account.name,
                "symbol": leg.symbol,
                "positionSide": leg.side.value,
                "positionAmt": plain(leg.now.qty),
                "entryPrice": plain(leg.now.entry),
                "updateTime": leg.now.updated_ms,
            }
            for account in venue.exchange.accounts.values()
            if query.get("account", account.name) == account.name
            for leg in account.open_legs.values()
            if leg.now.qty != ZERO and query.get("symbol", leg.symbol) == leg.symbol
        ]
    }


def _account(venue: Venue, account: Account) -> dict[str, object]:
    return {
        "name": account.name,
        "mode": account.mode.value,
        "restriction": account.restriction.value,
        "wallet": plain(account.wallet),
        "keys": [
            {"key": k.key, "permission": k.permission.value}
            for k in venue.exchange.keys.values()
            if k.account == account.name
        ],
        "openOrders": len(account.open_orders()),
        "listenKey": venue.listen_keys.by_account.get(account.name),
    }


def accounts(venue: Venue, _query: Mapping[str, str]) -> object:
    """List the accounts; secrets are not told."""
    return {"accounts": [_account(venue, a) for a in venue.exchange.accounts.values()]}


def requests(venue: Venue, query: Mapping[str, str]) -> object:
    """List the latest requests, and count all of them by method and path."""
    limit = _number(query, "limit", 1000)
    kept = list(venue.log)
    notes = kept[max(0, len(kept) - limit) :]
    return {
        "requests": [
            {
                "number": n.number,
                "time": n.time_ms,
                "channel": n.channel,
                "method": n.method,
                "path": n.path,
                "account": n.account,
                "params": {k: v for k, v in n.params.items() if k not in {"signature", "apiKey"}},
                "status": n.status,
            }
            for n in notes
            if query.get("path", n.path) == n.path and query.get("method", n.method) == n.method
        ],
        "counts": venue.counts,
        "weights": {address: caller.spent for address, caller in venue.limits.callers.items()},
        "statuses": dict(Counter(str(n.status) for n in kept)),
        "total": venue.requests_total,
    }
