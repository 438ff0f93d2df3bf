"""Drive the simulator with the venue's official SDK, changed in nothing but its base addresses."""

# mypy: disable-error-code="import-not-found, misc"
# The libraries live in .venv-clients, which the type checker does not see.

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from binance_common.configuration import (
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
)
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import DerivativesTradingUsdsFutures
from recorder import KEY, SECRET, Addresses, addresses, expect, expect_refusal, record

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SYMBOL = "BTCUSDT"
MARKET = {"symbol": SYMBOL, "type": "MARKET"}


def client(at: Addresses) -> Any:
    """Return the client, pointed at the simulator."""
    return DerivativesTradingUsdsFutures(
        config_rest_api=ConfigurationRestAPI(api_key=KEY, api_secret=SECRET, base_path=at.base_url),
        config_ws_api=ConfigurationWebSocketAPI(api_key=KEY, api_secret=SECRET, stream_url=at.ws_api_url),
        config_ws_streams=ConfigurationWebSocketStreams(stream_url=at.stream_url),
    )


def call(function: Callable[..., Any], **params: Any) -> Callable[[], Awaitable[Any]]:
    """Make an awaitable attempt of a blocking REST call."""
    return lambda: asyncio.to_thread(lambda: function(**params).data())


async def orders(rest: Any) -> None:
    """Place, look up, cancel."""
    placed = await expect(
        "place_market_result",
        call(
            rest.new_order,
            side="BUY",
            quantity=0.003,
            new_client_order_id="sdk-1",
            new_order_resp_type="RESULT",
            **MARKET,
        ),
        lambda o: o.status == "FILLED" and o.executed_qty == "0.003",
    )
    number = placed.order_id
    await expect(
        "query_by_id", call(rest.query_order, symbol=SYMBOL, order_id=number), lambda o: float(o.avg_price) > 0
    )
    await expect(
        "query_by_client_id",
        call(rest.query_order, symbol=SYMBOL, orig_client_order_id="sdk-1"),
        lambda o: o.order_id == number,
    )
    await expect_refusal("query_unknown", call(rest.query_order, symbol=SYMBOL, order_id=999), -2013)
    await expect_refusal("cancel_unknown", call(rest.cancel_order, symbol=SYMBOL, order_id=999), -2011)
    await expect("positions", call(rest.position_information_v3), lambda p: p[0].position_amt == "0.003")
    await expect(
        "reduce_only_below_min_notional",
        call(rest.new_order, side="SELL", quantity=0.001, reduce_only="true", new_order_resp_type="RESULT", **MARKET),
        lambda o: o.status == "FILLED" and o.reduce_only,
    )
    await expect(
        "reused_client_id_executes_again",
        call(
            rest.new_order,
            side="SELL",
            quantity=0.002,
            new_client_order_id="sdk-1",
            new_order_resp_type="RESULT",
            **MARKET,
        ),
        lambda o: o.status == "FILLED" and o.order_id != number,
    )
    await expect("user_trades", call(rest.account_trade_list, symbol=SYMBOL), lambda t: len(t) == 3)
    await expect("account", call(rest.account_information_v3), lambda a: float(a.total_wallet_balance) > 0)


async def refusals(rest: Any, at: Addresses) -> None:
    """Be refused."""
    await expect_refusal(
        "reduce_only_flat", call(rest.new_order, side="SELL", quantity=0.003, reduce_only="true", **MARKET), -2022
    )
    await expect_refusal("below_min_notional", call(rest.new_order, side="BUY", quantity=0.001, **MARKET), -4164)
    limit = call(
        rest.new_order,
        symbol=SYMBOL,
        type="LIMIT",
        side="BUY",
        time_in_force="GTC",
        quantity=0.003,
        price=62000.0,
        new_client_order_id="sdk-dup",
    )
    await expect("place_limit", limit, lambda o: o.status == "NEW")
    await expect_refusal("duplicate_open_client_id", limit, -4116)
    await expect("open_orders", call(rest.current_all_open_orders, symbol=SYMBOL), lambda o: len(o) == 1)
    await expect(
        "cancel_by_client_id",
        call(rest.cancel_order, symbol=SYMBOL, orig_client_order_id="sdk-dup"),
        lambda o: o.status == "CANCELED",
    )
    await expect_refusal(
        "hedge_mode_mismatch",
        call(rest.new_order, side="BUY", quantity=0.003, position_side="LONG", **MARKET),
        -4061,
    )
    at.admin("clock", offset_ms=60_000)
    await expect_refusal("stale_timestamp", call(rest.position_information_v3), -1021)
    at.admin("clock", offset_ms=0)


async def until(heard: asyncio.Queue[Any], proves: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Wait for a stream event that proves something."""
    while True:
        event = await heard.get()
        # The library keeps the kind of an event in its class, not in a field.
        known = {"kind": type(event.actual_instance).__name__, **event.actual_instance.to_dict()}
        if proves(known):
            return known


async def streams(c: Any, at: Addresses) -> None:
    """Hear the user stream, and the end of its key."""
    started = await expect("listen_key", call(c.rest_api.start_user_data_stream), lambda k: k.listen_key)
    connection = await c.websocket_streams.create_connection()
    stream = await connection.user_data(started.listen_key)
    heard: asyncio.Queue[Any] = asyncio.Queue()
    stream.on("message", heard.put_nowait)
    at.admin("trade", account="demo", symbol=SYMBOL, side="BUY", qty="0.004", clientOrderId="web_sdk")
    await expect(
        "user_stream_fill",
        lambda: until(heard, lambda e: e["kind"] == "OrderTradeUpdate" and e["o"]["x"] == "TRADE"),
        lambda e: e["o"]["c"] == "web_sdk" and e["o"]["l"] == "0.004",
    )
    at.admin("streams/expire", account="demo")
    await expect(
        "listen_key_expiry",
        lambda: until(heard, lambda e: e["kind"] == "ListenKeyExpired"),
        lambda e: e["listenKey"] == started.listen_key,
    )
    await expect_refusal("keepalive_of_dead_key", call(c.rest_api.keepalive_user_data_stream), -1125)
    await connection.close_connection(close_session=True)


async def ws_api(c: Any) -> None:
    """Order through the WebSocket API."""
    connection = await c.websocket_api.create_connection()

    async def order() -> Any:
        sent = await connection.new_order(
            side="SELL", quantity=0.004, reduce_only="true", new_order_resp_type="RESULT", **MARKET
        )
        return sent.data().result

    async def positions() -> Any:
        return (await connection.position_information_v2()).data().result

    await expect("ws_order", order, lambda o: o.status == "FILLED")
    await expect("ws_positions", positions, lambda p: p == [])
    refused = (await connection.query_order(symbol=SYMBOL, order_id=999)).data()
    record("ws_refusal", refused, ok="-2013" in str(refused))
    await connection.close_connection(close_session=True)


async def main() -> None:
    """Run all checks."""
    at = addresses()
    c = client(at)
    await expect("exchange_info", call(c.rest_api.exchange_information), lambda i: i.symbols[0].symbol == SYMBOL)
    await expect("position_mode", call(c.rest_api.get_current_position_mode), lambda m: m.dual_side_position is False)
    await orders(c.rest_api)
    await refusals(c.rest_api, at)
    await streams(c, at)
    await ws_api(c)


asyncio.run(main())
