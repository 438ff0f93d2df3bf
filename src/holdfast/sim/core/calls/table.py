"""Name every call with its security, its weight and its place in the order limits, and build the venue around them.

Source: the weights that the venue documents for each call; where a notice contradicts the page, the page.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from holdfast.sim.core.calls import holdings, public, reading, settings, trading
from holdfast.sim.core.limits import Limits
from holdfast.sim.core.listen_keys import ListenKeys
from holdfast.sim.core.venue import Call, Endpoint, Security, Venue

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.sim.core.exchange import Exchange
    from holdfast.sim.core.faults import Faults
    from holdfast.sim.core.order_request import Params

__all__ = ["WS_METHODS", "endpoints", "new_venue"]

Run = Callable[[Venue, Call], object]


def _flat(weight: int) -> Callable[[Params], int]:
    return lambda _params: weight


def _by_symbol(with_symbol: int, without: int) -> Callable[[Params], int]:
    return lambda params: with_symbol if params.get("symbol") else without


def _endpoint(method: str, path: str, security: Security, weight: int, run: Run) -> Endpoint:
    return Endpoint(method, path, security, _flat(weight), run)


def _market() -> list[Endpoint]:
    none = Security.NONE
    return [
        _endpoint("GET", "/fapi/v1/ping", none, 1, public.ping),
        _endpoint("GET", "/fapi/v1/time", none, 1, public.server_time),
        _endpoint("GET", "/fapi/v1/exchangeInfo", none, 1, public.exchange_info),
        _endpoint("GET", "/fapi/v1/depth", none, 2, public.depth),
        Endpoint("GET", "/fapi/v1/premiumIndex", none, _by_symbol(1, 10), public.premium_index),
        Endpoint("GET", "/fapi/v1/ticker/bookTicker", none, _by_symbol(2, 5), public.book_ticker),
        Endpoint("GET", "/fapi/v1/ticker/price", none, _by_symbol(1, 2), public.ticker_price),
        Endpoint("GET", "/fapi/v2/ticker/price", none, _by_symbol(1, 2), public.ticker_price),
        _endpoint("GET", "/fapi/v1/leverageBracket", Security.READ, 1, public.leverage_bracket),
        # One client pings the spot product on its way to futures.
        _endpoint("GET", "/api/v3/ping", none, 1, public.ping),
        _endpoint("GET", "/api/v3/time", none, 1, public.server_time),
    ]


def _trading() -> list[Endpoint]:
    trade = Security.TRADE
    return [
        Endpoint(
            "POST", "/fapi/v1/order", trade, _flat(0), trading.place_order,
            orders_10s=1, orders_1m=1, engine_timed=True,
        ),
        Endpoint(
            "POST", "/fapi/v1/batchOrders", trade, _flat(5), trading.place_batch,
            orders_10s=5, orders_1m=1, engine_timed=True,
        ),
        Endpoint(
            "PUT", "/fapi/v1/order", trade, _flat(1), trading.amend_order,
            orders_10s=1, orders_1m=1, engine_timed=True,
        ),
        _endpoint("POST", "/fapi/v1/order/test", trade, 1, trading.test_order),
        _endpoint("DELETE", "/fapi/v1/order", trade, 1, trading.cancel_order),
        _endpoint("DELETE", "/fapi/v1/batchOrders", trade, 1, trading.cancel_batch),
        _endpoint("DELETE", "/fapi/v1/allOpenOrders", trade, 1, trading.cancel_open_orders),
        _endpoint("POST", "/fapi/v1/countdownCancelAll", trade, 10, trading.countdown_cancel),
    ]  # fmt: skip


def _reading() -> list[Endpoint]:
    read = Security.READ
    return [
        _endpoint("GET", "/fapi/v1/order", read, 1, reading.order),
        _endpoint("GET", "/fapi/v1/openOrder", read, 1, reading.open_order),
        Endpoint("GET", "/fapi/v1/openOrders", read, _by_symbol(1, 40), reading.open_orders),
        _endpoint("GET", "/fapi/v1/allOrders", read, 5, reading.all_orders),
        _endpoint("GET", "/fapi/v1/userTrades", read, 5, reading.user_trades),
        Endpoint("GET", "/fapi/v1/forceOrders", read, _by_symbol(20, 50), reading.force_orders),
        _endpoint("GET", "/fapi/v1/income", read, 30, reading.income),
        _endpoint("GET", "/fapi/v2/positionRisk", read, 5, holdings.positions_v2),
        _endpoint("GET", "/fapi/v3/positionRisk", read, 5, holdings.positions_v3),
        _endpoint("GET", "/fapi/v2/account", read, 5, holdings.account_v2),
        _endpoint("GET", "/fapi/v3/account", read, 5, holdings.account_v3),
        _endpoint("GET", "/fapi/v2/balance", read, 5, holdings.balance),
        _endpoint("GET", "/fapi/v3/balance", read, 5, holdings.balance),
    ]


def _settings() -> list[Endpoint]:
    read, trade, key = Security.READ, Security.TRADE, Security.KEY
    return [
        _endpoint("GET", "/fapi/v1/symbolConfig", read, 5, settings.symbol_config),
        _endpoint("GET", "/fapi/v1/accountConfig", read, 5, settings.account_config),
        _endpoint("GET", "/fapi/v1/commissionRate", read, 20, settings.commission_rate),
        _endpoint("GET", "/fapi/v1/openAlgoOrders", read, 1, settings.open_algo_orders),
        _endpoint("GET", "/fapi/v1/positionSide/dual", read, 30, settings.mode),
        _endpoint("POST", "/fapi/v1/positionSide/dual", trade, 1, settings.change_mode),
        _endpoint("GET", "/fapi/v1/multiAssetsMargin", read, 30, settings.multi_assets),
        _endpoint("POST", "/fapi/v1/multiAssetsMargin", trade, 1, settings.change_multi_assets),
        _endpoint("POST", "/fapi/v1/leverage", trade, 1, settings.change_leverage),
        _endpoint("POST", "/fapi/v1/marginType", trade, 1, settings.change_margin_type),
        _endpoint("POST", "/fapi/v1/listenKey", key, 1, settings.listen_key_start),
        _endpoint("PUT", "/fapi/v1/listenKey", key, 1, settings.listen_key_keep),
        _endpoint("DELETE", "/fapi/v1/listenKey", key, 1, settings.listen_key_stop),
    ]


WS_METHODS: Final = MappingProxyType(
    {
        "ping": ("GET", "/fapi/v1/ping"),
        "time": ("GET", "/fapi/v1/time"),
        "depth": ("GET", "/fapi/v1/depth"),
        "ticker.price": ("GET", "/fapi/v1/ticker/price"),
        "ticker.book": ("GET", "/fapi/v1/ticker/bookTicker"),
        "order.place": ("POST", "/fapi/v1/order"),
        "order.modify": ("PUT", "/fapi/v1/order"),
        "order.cancel": ("DELETE", "/fapi/v1/order"),
        "order.status": ("GET", "/fapi/v1/order"),
        "account.position": ("GET", "/fapi/v2/positionRisk"),
        "v2/account.position": ("GET", "/fapi/v3/positionRisk"),
        "account.balance": ("GET", "/fapi/v2/balance"),
        "v2/account.balance": ("GET", "/fapi/v3/balance"),
        "account.status": ("GET", "/fapi/v2/account"),
        "v2/account.status": ("GET", "/fapi/v3/account"),
        "userDataStream.start": ("POST", "/fapi/v1/listenKey"),
        "userDataStream.ping": ("PUT", "/fapi/v1/listenKey"),
        "userDataStream.stop": ("DELETE", "/fapi/v1/listenKey"),
    }
)
"""WebSocket API methods and the REST calls that they equal; faults match by the latter."""


def endpoints() -> dict[tuple[str, str], Endpoint]:
    """Return all calls by method and path."""
    listed = _market() + _trading() + _reading() + _settings()
    return {(e.method, e.path): e for e in listed}


def new_venue(exchange: Exchange, faults: Faults, limit_factor: Decimal) -> Venue:
    """Put the API in front of an exchange."""
    return Venue(exchange, Limits(limit_factor), faults, ListenKeys(), endpoints())
