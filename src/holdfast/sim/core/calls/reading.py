"""Answer what looks at an account's past: orders, trades, forced orders, income.

Invariants: what retention has purged is not found; an armed lag makes an answer old, never inconsistent in itself, and
counts as a hit only if the answer differs from the truth.
Source: venue documentation; "queries may be delayed in volatile markets" is its own warning.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Final

from holdfast.sim.core.account import DAY_MS, ORDER_KEPT_MS, OrderIndex, visible
from holdfast.sim.core.amounts import plain
from holdfast.sim.core.calls.trading import named_order
from holdfast.sim.core.fault_names import FaultName
from holdfast.sim.core.order_request import read_int, required
from holdfast.sim.core.orders import FINAL, Order, Trade
from holdfast.sim.core.refusals import Code, refuse
from holdfast.sim.core.reports import (
    income_row,
    listed_order_row,
    order_row,
    trade_row,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdfast.sim.core.venue import Call, Venue

__all__ = ["all_orders", "force_orders", "income", "open_order", "open_orders", "order", "user_trades"]

WINDOW_MS: Final = 7 * DAY_MS
LIMIT_DEFAULT: Final = 500
LIMIT_MAX: Final = 1000


def _known(venue: Venue, call: Call, found: Iterable[Order]) -> list[Order]:
    """Drop what retention has purged, and what a lagging query does not know yet."""
    orders = [o for o in found if visible(o, call.now_ms)]
    fault = venue.faults.lagging(FaultName.STALE_ORDERS, call.account.name, call.params.get("symbol"))
    if fault is None:
        return orders
    known = [o for o in orders if call.now_ms - o.created_ms >= fault.wait_ms]
    if len(known) != len(orders):
        venue.faults.hit(fault)
    return known


def order(venue: Venue, call: Call) -> object:
    """Look up one order."""
    found = named_order(venue, call.account, call.params)
    known = _known(venue, call, [found] if found is not None else [])
    if not known:
        raise refuse(Code.NO_SUCH_ORDER)
    return order_row(known[0])


def open_order(venue: Venue, call: Call) -> object:
    """Look up one order if it is open."""
    found = named_order(venue, call.account, call.params)
    known = _known(venue, call, [found] if found is not None and found.status not in FINAL else [])
    if not known:
        raise refuse(Code.NO_SUCH_ORDER)
    return order_row(known[0])


def open_orders(venue: Venue, call: Call) -> object:
    """List the open orders."""
    symbol = call.params.get("symbol")
    if symbol:
        venue.exchange.market(symbol)
        found = list(call.account.book(symbol).open.values())
    else:
        found = call.account.open_orders()
    return [order_row(o) for o in _known(venue, call, found)]


def _limit(call: Call) -> int:
    limit = read_int(call.params, "limit")
    return min(LIMIT_DEFAULT if limit is None else max(1, limit), LIMIT_MAX)


def _window(call: Call) -> tuple[int, int]:
    """Return the times asked for: 7 days at most, the last 7 days by default."""
    start, end = read_int(call.params, "startTime"), read_int(call.params, "endTime")
    if start is None and end is None:
        return call.now_ms - WINDOW_MS, call.now_ms
    if start is None and end is not None:
        return end - WINDOW_MS, end
    if end is None and start is not None:
        return start, start + WINDOW_MS
    if start is None or end is None or end - start > WINDOW_MS:
        raise refuse(Code.BAD_TIME_INTERVAL, 7)
    return start, end


def _created_since(book: OrderIndex, start_ms: int) -> list[Order]:
    """Return a book's orders since a time, oldest first, without reading what is older."""
    return list(takewhile(lambda o: o.created_ms >= start_ms, reversed(book.by_id.values())))[::-1]


def all_orders(venue: Venue, call: Call) -> object:
    """List orders, old and new."""
    symbol = call.params.get("symbol")
    if symbol:
        venue.exchange.market(symbol)
    books = [call.account.book(symbol)] if symbol else list(call.account.books.values())
    from_id, limit = read_int(call.params, "orderId"), _limit(call)
    if from_id is not None:
        chosen = [o for book in books for o in book.by_id.values() if o.order_id >= from_id][:limit]
    else:
        start, end = _window(call)
        inside = [o for book in books for o in _created_since(book, start) if o.created_ms <= end]
        chosen = inside[:limit] if call.params.get("startTime") else inside[-limit:]
    return [listed_order_row(o) for o in _known(venue, call, chosen)]


def user_trades(venue: Venue, call: Call) -> object:
    """List trades."""
    symbol = required(call.params, "symbol")
    venue.exchange.market(symbol)
    trades = call.account.trades.get(symbol, [])
    fault = venue.faults.lagging(FaultName.STALE_TRADES, call.account.name, symbol)
    if fault is not None:
        known = [t for t in trades if call.now_ms - t.time_ms >= fault.wait_ms]
        if len(known) != len(trades):
            venue.faults.hit(fault)
        trades = known
    return [trade_row(t) for t in _chosen_trades(call, trades)]


def _chosen_trades(call: Call, trades: list[Trade]) -> list[Trade]:
    limit, from_id, order_id = _limit(call), read_int(call.params, "fromId"), read_int(call.params, "orderId")
    oldest = call.now_ms - ORDER_KEPT_MS
    if from_id is not None:
        if call.params.get("startTime") or call.params.get("endTime"):
            raise refuse(Code.BAD_INTERVAL)
        return [t for t in _from(trades, from_id, limit, order_id) if t.time_ms >= oldest]
    if not call.params.get("startTime") and not call.params.get("endTime") and order_id is None:
        # The usual question, "what happened last": no need to look at all that ever did.
        return [t for t in trades[-limit:] if t.time_ms >= call.now_ms - WINDOW_MS]
    start, end = _window(call) if order_id is None or call.params.get("startTime") else (oldest, call.now_ms)
    # Read from the newest back: a short window stays cheap however long the history is.
    recent = takewhile(lambda t: t.time_ms >= max(start, oldest), reversed(trades))
    inside = [t for t in recent if t.time_ms <= end and order_id in {None, t.order_id}][::-1]
    return inside[:limit] if call.params.get("startTime") else inside[-limit:]


def _from(trades: list[Trade], from_id: int, limit: int, order_id: int | None) -> list[Trade]:
    low, high = 0, len(trades)
    while low < high:
        middle = (low + high) // 2
        if trades[middle].trade_id < from_id:
            low = middle + 1
        else:
            high = middle
    rest = trades[low:] if order_id is not None else trades[low : low + limit]
    return [t for t in rest if order_id in {None, t.order_id}][:limit]


def force_orders(venue: Venue, call: Call) -> object:
    """List liquidations and ADLs."""
    symbol, kind = call.params.get("symbol"), call.params.get("autoCloseType")
    if symbol:
        venue.exchange.market(symbol)
    start, end = _window(call)
    prefix = {"LIQUIDATION": "autoclose-", "ADL": "adl_autoclose"}.get(kind or "", "")
    found = [
        o
        for o in call.account.forced
        if start <= o.created_ms <= end and symbol in {None, "", o.symbol} and o.client_id.startswith(prefix)
    ]
    return [_force_row(o) for o in found[-min(_limit(call), 100) :]]


def _force_row(forced: Order) -> dict[str, object]:
    row: dict[str, object] = {
        "orderId": forced.order_id,
        "symbol": forced.symbol,
        "pair": forced.symbol,
        "status": forced.status.value,
        "clientOrderId": forced.client_id,
        "price": plain(forced.price),
        "avgPrice": plain(forced.average),
        "origQty": plain(forced.qty),
        "executedQty": plain(forced.executed),
        "cumQuote": plain(forced.quote),
        "timeInForce": forced.time_in_force.value,
        # The list shows them as LIMIT IOC; only the stream calls them LIQUIDATION.
        "type": "LIMIT",
        "reduceOnly": False,
        "closePosition": False,
        "side": forced.side.value,
        "positionSide": forced.position_side.value,
        "stopPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "origType": "LIMIT",
        "time": forced.created_ms,
        "updateTime": forced.updated_ms,
    }
    return row


def income(_venue: Venue, call: Call) -> object:
    """List changes of the wallet."""
    symbol, kind = call.params.get("symbol"), call.params.get("incomeType")
    start = read_int(call.params, "startTime") or call.now_ms - WINDOW_MS
    end = read_int(call.params, "endTime") or call.now_ms
    limit = min(read_int(call.params, "limit") or 100, LIMIT_MAX)
    found = [
        i
        for i in call.account.incomes
        if start <= i.time_ms <= end and symbol in {None, "", i.symbol} and kind in {None, "", i.kind}
    ]
    return [income_row(i) for i in (found[:limit] if call.params.get("startTime") else found[-limit:])]
