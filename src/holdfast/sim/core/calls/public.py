"""Answer what needs no account: time, rules, prices.

Invariant: exchangeInfo publishes the filters and limits that are enforced, no others.
Source: venue documentation of the market data endpoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdfast.sim.core.amounts import ZERO, plain
from holdfast.sim.core.order_request import read_int
from holdfast.sim.core.reports import max_notional

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.sim.core.market import Market
    from holdfast.sim.core.symbols import SymbolRules
    from holdfast.sim.core.venue import Call, Venue

__all__ = ["book_ticker", "depth", "exchange_info", "leverage_bracket", "ping", "premium_index", "server_time"]

FUNDING_MS: Final = 8 * 3_600_000
DEPTH_LEVELS_MAX: Final = 20
ENDLESS_QTY: Final = "1000.000"
ORDER_TYPES: Final = (
    "LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET",
)  # fmt: skip


def ping(_venue: Venue, _call: Call) -> object:
    """Answer that somebody is there."""
    return {}


def server_time(_venue: Venue, call: Call) -> object:
    """Tell the venue's clock."""
    return {"serverTime": call.now_ms}


def exchange_info(venue: Venue, call: Call) -> object:
    """Publish symbols, filters and limits."""
    limits = venue.limits
    return {
        "timezone": "UTC",
        "serverTime": call.now_ms,
        "futuresType": "U_MARGINED",
        "exchangeFilters": [],
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": limits.weight_max},
            {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": limits.orders_max_1m},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": limits.orders_max_10s},
        ],
        "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "0"}],
        "symbols": [_symbol(market) for market in venue.exchange.markets.values()],
    }


def _symbol(market: Market) -> dict[str, object]:
    rules = market.rules
    return {
        "symbol": rules.symbol,
        "pair": rules.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000,
        "status": market.status.value,
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": rules.base,
        "quoteAsset": rules.quote,
        "marginAsset": rules.quote,
        "pricePrecision": rules.price_decimals + 1,
        "quantityPrecision": rules.qty_decimals,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"],
        "settlePlan": 0,
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10000,
        "filters": _filters(rules),
        "orderTypes": ORDER_TYPES,
        "timeInForce": ("GTC", "IOC", "FOK", "GTX", "GTD"),
    }


def _filters(rules: SymbolRules) -> list[dict[str, object]]:
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": plain(rules.price_min),
            "maxPrice": plain(rules.price_max),
            "tickSize": plain(rules.tick),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": plain(rules.qty_min),
            "maxQty": plain(rules.qty_max),
            "stepSize": plain(rules.step),
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": plain(rules.qty_min),
            "maxQty": plain(rules.qty_max_market),
            "stepSize": plain(rules.step),
        },
        {"filterType": "MAX_NUM_ORDERS", "limit": rules.orders_max},
        {"filterType": "MIN_NOTIONAL", "notional": plain(rules.notional_min)},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": plain(rules.band_up),
            "multiplierDown": plain(rules.band_down),
            "multiplierDecimal": "4",
        },
    ]


def _per_symbol(venue: Venue, call: Call, describe: Callable[[Market], dict[str, object]]) -> object:
    symbol = call.params.get("symbol")
    if symbol:
        return describe(venue.exchange.market(symbol))
    return [describe(market) for market in venue.exchange.markets.values()]


def premium_index(venue: Venue, call: Call) -> object:
    """Tell mark price and funding."""

    def describe(market: Market) -> dict[str, object]:
        mark = plain(market.quote(call.now_ms).mark)
        return {
            "symbol": market.rules.symbol,
            "markPrice": mark,
            "indexPrice": mark,
            "estimatedSettlePrice": mark,
            "lastFundingRate": plain(market.funding_rate),
            "interestRate": "0.00010000",
            "nextFundingTime": (call.now_ms // FUNDING_MS + 1) * FUNDING_MS,
            "time": call.now_ms,
        }

    return _per_symbol(venue, call, describe)


def book_ticker_of(market: Market, now_ms: int) -> dict[str, object]:
    """Describe the best prices of one market."""
    quote = market.quote(now_ms)
    qty = ENDLESS_QTY if market.depth is None else plain(market.depth)
    return {
        "symbol": market.rules.symbol,
        "bidPrice": plain(quote.bid),
        "bidQty": qty,
        "askPrice": plain(quote.ask),
        "askQty": qty,
        "time": now_ms,
        "lastUpdateId": now_ms,
    }


def book_ticker(venue: Venue, call: Call) -> object:
    """Tell best bid and ask."""
    return _per_symbol(venue, call, lambda market: book_ticker_of(market, call.now_ms))


def ticker_price(venue: Venue, call: Call) -> object:
    """Tell the last price, which here is the mark."""

    def describe(market: Market) -> dict[str, object]:
        mark = plain(market.quote(call.now_ms).mark)
        return {"symbol": market.rules.symbol, "price": mark, "time": call.now_ms}

    return _per_symbol(venue, call, describe)


def depth(venue: Venue, call: Call) -> object:
    """Tell a book: all depth stands at the best price, then the same again a tick further."""
    market = venue.exchange.market(call.params.get("symbol", ""))
    quote, tick = market.quote(call.now_ms), market.rules.tick
    levels = min(read_int(call.params, "limit") or 5, DEPTH_LEVELS_MAX)
    qty = ENDLESS_QTY if market.depth is None else plain(market.depth)
    bids = [(quote.bid - tick * n, qty) for n in range(levels)]
    asks = [(quote.ask + tick * n, qty) for n in range(levels)]
    return {
        "lastUpdateId": call.now_ms,
        "E": call.now_ms,
        "T": call.now_ms,
        "bids": [[plain(price), q] for price, q in bids if price > ZERO],
        "asks": [[plain(price), q] for price, q in asks],
    }


def leverage_bracket(venue: Venue, call: Call) -> object:
    """Tell the single bracket that a symbol has here."""

    def describe(market: Market) -> dict[str, object]:
        rules = market.rules
        account = call.account
        return {
            "symbol": rules.symbol,
            "brackets": [
                {
                    "bracket": 1,
                    "initialLeverage": rules.leverage_max,
                    "notionalCap": int(max_notional(rules, account)),
                    "notionalFloor": 0,
                    "maintMarginRatio": float(rules.maintenance_rate),
                    "cum": 0.0,
                }
            ],
        }

    found = _per_symbol(venue, call, describe)
    return found if isinstance(found, list) else [found]
