"""Answer what reads and changes an account's settings: mode, leverage, margin, listen key.

Invariants: the position mode changes only with no open order and no position; a change of leverage is announced on the
stream. Source: venue documentation (-4059, -4067, -4068; ACCOUNT_CONFIG_UPDATE).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdfast.sim.core.account import Account, MarginType, Mode
from holdfast.sim.core.amounts import plain
from holdfast.sim.core.events import AccountConfigUpdate, LeverageConfig, MultiAssetsConfig
from holdfast.sim.core.order_request import ReduceOnly, read_flag, read_int, required
from holdfast.sim.core.refusals import Code, refuse
from holdfast.sim.core.reports import max_notional

if TYPE_CHECKING:
    from holdfast.sim.core.exchange import Exchange
    from holdfast.sim.core.venue import Call, Venue

__all__ = ["account_config", "change_leverage", "change_mode", "listen_key_start", "mode", "switch_mode"]

SUCCESS: Final = {"code": 200, "msg": "success"}
LISTEN_KEY_LENGTH: Final = 64


def mode(_venue: Venue, call: Call) -> object:
    """Tell the position mode."""
    return {"dualSidePosition": call.account.mode is Mode.HEDGE}


def switch_mode(account: Account, wanted: Mode) -> None:
    """Change the position mode, or refuse."""
    if account.mode is wanted:
        raise refuse(Code.MODE_SAME)
    if any(book.open for book in account.books.values()):
        raise refuse(Code.MODE_BLOCKED_BY_ORDERS)
    if account.open_legs:
        raise refuse(Code.MODE_BLOCKED_BY_POSITION)
    account.mode = wanted


def change_mode(_venue: Venue, call: Call) -> object:
    """Change the position mode on request."""
    required(call.params, "dualSidePosition")
    hedge = read_flag(call.params, "dualSidePosition") is ReduceOnly.TRUE
    switch_mode(call.account, Mode.HEDGE if hedge else Mode.ONE_WAY)
    return SUCCESS


def multi_assets(_venue: Venue, call: Call) -> object:
    """Tell the multi-assets mode."""
    return {"multiAssetsMargin": call.account.multi_assets}


def change_multi_assets(venue: Venue, call: Call) -> object:
    """Change the multi-assets mode."""
    required(call.params, "multiAssetsMargin")
    enabled = read_flag(call.params, "multiAssetsMargin") is ReduceOnly.TRUE
    call.account.multi_assets = enabled
    event = AccountConfigUpdate(call.now_ms, call.now_ms, multi_assets=MultiAssetsConfig(enabled))
    venue.exchange.sink.emit(call.account.name, [event])
    return SUCCESS


def change_leverage(venue: Venue, call: Call) -> object:
    """Change a symbol's leverage."""
    symbol = required(call.params, "symbol")
    rules = venue.exchange.market(symbol).rules
    leverage = read_int(call.params, "leverage")
    if leverage is None or not 1 <= leverage <= rules.leverage_max:
        raise refuse(Code.BAD_LEVERAGE, leverage)
    call.account.leverages[symbol] = leverage
    event = AccountConfigUpdate(call.now_ms, call.now_ms, leverage=LeverageConfig(symbol, leverage))
    venue.exchange.sink.emit(call.account.name, [event])
    cap = plain(max_notional(rules, call.account))
    return {"leverage": leverage, "maxNotionalValue": cap, "symbol": symbol}


def change_margin_type(venue: Venue, call: Call) -> object:
    """Change a symbol's margin type."""
    symbol = required(call.params, "symbol")
    venue.exchange.market(symbol)
    wanted = required(call.params, "marginType").upper()
    if wanted not in {"CROSSED", "ISOLATED"}:
        raise refuse(Code.BAD_PARAMETER, "marginType")
    if call.account.margin_types.get(symbol, MarginType.CROSSED) == wanted:
        raise refuse(Code.MARGIN_TYPE_SAME)
    call.account.margin_types[symbol] = MarginType(wanted)
    return SUCCESS


def symbol_config(venue: Venue, call: Call) -> object:
    """Tell leverage and margin type by symbol."""
    symbol = call.params.get("symbol")
    markets = [venue.exchange.market(symbol)] if symbol else list(venue.exchange.markets.values())
    return [
        {
            "symbol": m.rules.symbol,
            "marginType": call.account.margin_types.get(m.rules.symbol, MarginType.CROSSED).value,
            "isAutoAddMargin": False,
            "leverage": call.account.leverage(m.rules.symbol),
            "maxNotionalValue": plain(max_notional(m.rules, call.account)),
        }
        for m in markets
    ]


def account_config(_venue: Venue, call: Call) -> object:
    """Tell the account's settings; the cheap way to learn the position mode."""
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "dualSidePosition": call.account.mode is Mode.HEDGE,
        "updateTime": 0,
        "multiAssetsMargin": call.account.multi_assets,
        "tradeGroupId": -1,
    }


def commission_rate(venue: Venue, call: Call) -> object:
    """Tell the fees."""
    symbol = required(call.params, "symbol")
    venue.exchange.market(symbol)
    knobs = venue.exchange.knobs
    return {
        "symbol": symbol,
        "makerCommissionRate": plain(knobs.maker_fee),
        "takerCommissionRate": plain(knobs.taker_fee),
    }


def open_algo_orders(_venue: Venue, _call: Call) -> object:
    """List conditional orders: there are none here."""
    return []


def _fresh_key(exchange: Exchange) -> str:
    return exchange.random_text(LISTEN_KEY_LENGTH)


def listen_key_start(venue: Venue, call: Call) -> object:
    """Open, or extend, the account's listen key."""
    key = venue.listen_keys.start(call.account.name, _fresh_key(venue.exchange), call.now_ms)
    return {"listenKey": key}


def listen_key_keep(venue: Venue, call: Call) -> object:
    """Extend the account's listen key."""
    return {"listenKey": venue.listen_keys.keep(call.account.name, call.now_ms)}


def listen_key_stop(venue: Venue, call: Call) -> object:
    """Kill the account's listen key, for every process that shares the account."""
    venue.listen_keys.stop(call.account.name)
    return {}
