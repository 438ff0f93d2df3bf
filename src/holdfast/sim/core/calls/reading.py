"""Answer what looks at an account: orders, trades, positions, balances, income.

Invariants: what retention has purged is not found; v3 names only legs with a position or an open order, v2 names all;
an armed lag makes an answer old, never inconsistent in itself, and counts as a hit only if the answer differs from
the truth.
Source: venue documentation; "queries may be delayed in volatile markets" is its own warning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdfast.sim.core.account import DAY_MS, ORDER_KEPT_MS, Account, MarginType, Mode, visible
from holdfast.sim.core.admission import available_margin
from holdfast.sim.core.amounts import ZERO, money, plain
from holdfast.sim.core.calls.trading import named_order
from holdfast.sim.core.faults import FaultName
from holdfast.sim.core.legs import LegState, PositionSide
from holdfast.sim.core.order_request import read_int, required
from holdfast.sim.core.orders import FINAL, Order, Trade
from holdfast.sim.core.refusals import Code, refuse
from holdfast.sim.core.reports import (
    income_row,
    listed_order_row,
    max_notional,
    order_row,
    position_risk,
    position_risk_v2,
    trade_row,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from decimal import Decimal

    from holdfast.sim.core.venue import Call, Venue

__all__ = ["account_v2", "account_v3", "all_orders", "balance", "income", "open_order", "open_orders", "order"]

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


def all_orders(venue: Venue, call: Call) -> object:
    """List orders, old and new."""
    symbol = call.params.get("symbol")
    if symbol:
        venue.exchange.market(symbol)
    books = [call.account.book(symbol)] if symbol else list(call.account.books.values())
    found = [o for book in books for o in book.by_id.values()]
    from_id = read_int(call.params, "orderId")
    if from_id is not None:
        chosen = [o for o in found if o.order_id >= from_id][: _limit(call)]
    else:
        start, end = _window(call)
        inside = [o for o in found if start <= o.created_ms <= end]
        chosen = inside[: _limit(call)] if call.params.get("startTime") else inside[-_limit(call) :]
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
    inside = [t for t in trades if max(start, oldest) <= t.time_ms <= end and order_id in {None, t.order_id}]
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


def _leg_states(venue: Venue, call: Call, symbol: str | None) -> Callable[[str, PositionSide], LegState]:
    """Return how to read a leg: as it is, or as it was if an armed fault makes positions lag."""
    account = call.account
    fault = venue.faults.lagging(FaultName.STALE_POSITIONS, account.name, symbol)
    if fault is None:
        return lambda name, side: leg.now if (leg := account.legs.get((name, side))) else LegState()
    moment = call.now_ms - fault.wait_ms
    touched = [leg for leg in account.legs.values() if symbol in {None, "", leg.symbol}]
    if any(leg.as_of(moment) != leg.now for leg in touched):
        venue.faults.hit(fault)
    return lambda name, side: leg.as_of(moment) if (leg := account.legs.get((name, side))) else LegState()


def positions_v3(venue: Venue, call: Call) -> object:
    """List the legs that hold a position or an open order."""
    symbol = call.params.get("symbol") or None
    account, rows = call.account, []
    state_of = _leg_states(venue, call, symbol)
    names = [symbol] if symbol else sorted({leg.symbol for leg in account.legs.values()} | set(account.books))
    for name in names:
        market = venue.exchange.market(name)
        busy = {o.position_side for o in account.book(name).open.values()}
        for side in account.sides():
            state = state_of(name, side)
            if state.qty != ZERO or side in busy:
                rows.append(position_risk(account, market.rules, market.quote(call.now_ms), side, state))
    return rows


def positions_v2(venue: Venue, call: Call) -> object:
    """List every leg of every symbol, flat ones too."""
    symbol = call.params.get("symbol") or None
    state_of = _leg_states(venue, call, symbol)
    markets = [venue.exchange.market(symbol)] if symbol else list(venue.exchange.markets.values())
    sides = (PositionSide.BOTH, *call.account.sides()) if call.account.mode is Mode.HEDGE else call.account.sides()
    return [
        position_risk_v2(call.account, m.rules, m.quote(call.now_ms), side, state_of(m.rules.symbol, side))
        for m in markets
        for side in sides
    ]


def _totals(venue: Venue, call: Call) -> dict[str, Decimal]:
    account = call.account
    unrealised = initial = maintenance = ZERO
    for (symbol, _), leg in account.open_legs.items():
        market = venue.exchange.markets[symbol]
        mark = market.quote(call.now_ms).mark
        notional = abs(leg.now.qty) * mark
        unrealised += leg.unrealised(mark)
        initial += notional / account.leverage(symbol)
        maintenance += notional * market.rules.maintenance_rate
    free = max(ZERO, available_margin(venue.exchange, account, call.now_ms))
    return {
        "wallet": money(account.wallet),
        "unrealised": money(unrealised),
        "margin": money(account.wallet + unrealised),
        "initial": money(initial + account.reserved),
        "position_initial": money(initial),
        "order_initial": money(account.reserved),
        "maintenance": money(maintenance),
        "free": money(free),
    }


def _account(venue: Venue, call: Call) -> dict[str, object]:
    total = {name: plain(value) for name, value in _totals(venue, call).items()}
    return {
        "totalInitialMargin": total["initial"],
        "totalMaintMargin": total["maintenance"],
        "totalWalletBalance": total["wallet"],
        "totalUnrealizedProfit": total["unrealised"],
        "totalMarginBalance": total["margin"],
        "totalPositionInitialMargin": total["position_initial"],
        "totalOpenOrderInitialMargin": total["order_initial"],
        "totalCrossWalletBalance": total["wallet"],
        "totalCrossUnPnl": total["unrealised"],
        "availableBalance": total["free"],
        "maxWithdrawAmount": total["free"],
        "assets": [
            {
                "asset": "USDT",
                "walletBalance": total["wallet"],
                "unrealizedProfit": total["unrealised"],
                "marginBalance": total["margin"],
                "maintMargin": total["maintenance"],
                "initialMargin": total["initial"],
                "positionInitialMargin": total["position_initial"],
                "openOrderInitialMargin": total["order_initial"],
                "crossWalletBalance": total["wallet"],
                "crossUnPnl": total["unrealised"],
                "availableBalance": total["free"],
                "maxWithdrawAmount": total["free"],
                "marginAvailable": True,
                "updateTime": call.account.wallet_updated_ms,
            }
        ],
    }


def _account_position(venue: Venue, call: Call, name: str, side: PositionSide, state: LegState) -> dict[str, object]:
    market = venue.exchange.market(name)
    row = position_risk(call.account, market.rules, market.quote(call.now_ms), side, state)
    return {
        "symbol": name,
        "positionSide": side.value,
        "positionAmt": row.position_amt,
        # Another spelling than positionRisk's, as documented.
        "unrealizedProfit": row.unrealized_profit,
        "isolatedMargin": "0",
        "notional": row.notional,
        "isolatedWallet": "0",
        "initialMargin": row.initial_margin,
        "maintMargin": row.maint_margin,
        "updateTime": state.updated_ms,
    }


def account_v3(venue: Venue, call: Call) -> object:
    """Describe the account with the legs that are not flat."""
    state_of = _leg_states(venue, call, None)
    answer = _account(venue, call)
    legs = [(leg, state_of(leg.symbol, leg.side)) for leg in call.account.legs.values()]
    answer["positions"] = [
        _account_position(venue, call, leg.symbol, leg.side, state) for leg, state in legs if state.qty != ZERO
    ]
    return answer


def account_v2(venue: Venue, call: Call) -> object:
    """Describe the account with every leg of every symbol."""
    state_of = _leg_states(venue, call, None)
    answer = _account(venue, call)
    answer |= {"feeTier": 0, "canTrade": True, "canDeposit": True, "canWithdraw": True, "updateTime": 0}
    answer["multiAssetsMargin"] = call.account.multi_assets
    positions = []
    for name, market in venue.exchange.markets.items():
        for side in call.account.sides():
            state = state_of(name, side)
            row = _account_position(venue, call, name, side, state)
            row |= {
                "entryPrice": plain(state.entry),
                "breakEvenPrice": plain(state.entry),
                "leverage": str(call.account.leverage(name)),
                "isolated": call.account.margin_types.get(name) is MarginType.ISOLATED,
                "maxNotional": plain(max_notional(market.rules, call.account)),
                "positionInitialMargin": row["initialMargin"],
                "openOrderInitialMargin": "0",
                "bidNotional": "0",
                "askNotional": "0",
            }
            positions.append(row)
    answer["positions"] = positions
    return answer


def balance(venue: Venue, call: Call) -> object:
    """List the balances."""
    total = {name: plain(value) for name, value in _totals(venue, call).items()}
    return [
        {
            "accountAlias": call.account.name,
            "asset": "USDT",
            "balance": total["wallet"],
            "crossWalletBalance": total["wallet"],
            "crossUnPnl": total["unrealised"],
            "availableBalance": total["free"],
            "maxWithdrawAmount": total["free"],
            "marginAvailable": True,
            "updateTime": call.account.wallet_updated_ms,
        }
    ]


def order_of_position_side(account: Account) -> bool:
    """Say whether the account is in hedge mode, in the wire's words."""
    return account.mode is Mode.HEDGE
