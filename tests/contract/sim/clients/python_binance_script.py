"""Drive the simulator with python-binance, changed in nothing but its base addresses."""

# mypy: disable-error-code="import-not-found, misc"
# The libraries live in .venv-clients, which the type checker does not see.

from __future__ import annotations

import asyncio
from typing import Any

from binance import AsyncClient, BinanceSocketManager
from recorder import KEY, SECRET, Addresses, addresses, expect, expect_refusal

SYMBOL = "BTCUSDT"


def classes(at: Addresses) -> tuple[type[Any], type[Any]]:
    """Return the library's client and socket manager, pointed at the simulator."""

    class Client(AsyncClient):
        API_URL = f"{at.base_url}/api"
        FUTURES_URL = f"{at.base_url}/fapi"
        FUTURES_DATA_URL = f"{at.base_url}/futures/data"
        WS_FUTURES_URL = at.ws_api_url

    class Sockets(BinanceSocketManager):
        FSTREAM_URL = f"{at.stream_url}/"

    return Client, Sockets


async def orders(c: Any) -> None:
    """Place, look up, cancel."""
    market = {"symbol": SYMBOL, "type": "MARKET", "newOrderRespType": "RESULT"}
    placed = await expect(
        "place_market_result",
        lambda: c.futures_create_order(side="BUY", quantity="0.003", newClientOrderId="pb-1", **market),
        lambda o: o["status"] == "FILLED" and o["executedQty"] == "0.003",
    )
    await expect(
        "query_by_id",
        lambda: c.futures_get_order(symbol=SYMBOL, orderId=placed["orderId"]),
        lambda o: float(o["avgPrice"]) > 0,
    )
    await expect(
        "query_by_client_id",
        lambda: c.futures_get_order(symbol=SYMBOL, origClientOrderId="pb-1"),
        lambda o: o["orderId"] == placed["orderId"],
    )
    await expect_refusal("query_unknown", lambda: c.futures_get_order(symbol=SYMBOL, orderId=999), -2013)
    await expect_refusal("cancel_unknown", lambda: c.futures_cancel_order(symbol=SYMBOL, orderId=999), -2011)
    await expect("positions", c.futures_position_information, lambda p: p[0]["positionAmt"] == "0.003")
    await expect(
        "reduce_only_below_min_notional",
        lambda: c.futures_create_order(side="SELL", quantity="0.001", reduceOnly="true", **market),
        lambda o: o["status"] == "FILLED" and o["reduceOnly"],
    )
    await expect(
        "reused_client_id_executes_again",
        lambda: c.futures_create_order(side="SELL", quantity="0.002", newClientOrderId="pb-1", **market),
        lambda o: o["status"] == "FILLED" and o["orderId"] != placed["orderId"],
    )
    await expect("user_trades", lambda: c.futures_account_trades(symbol=SYMBOL), lambda t: len(t) == 3)
    await expect("balance", c.futures_account_balance, lambda b: float(b[0]["balance"]) > 0)
    await expect("account", c.futures_account, lambda a: float(a["totalWalletBalance"]) > 0)


async def refusals(c: Any) -> None:
    """Be refused."""
    market = {"symbol": SYMBOL, "type": "MARKET"}
    await expect_refusal(
        "reduce_only_flat",
        lambda: c.futures_create_order(side="SELL", quantity="0.003", reduceOnly="true", **market),
        -2022,
    )
    await expect_refusal(
        "below_min_notional", lambda: c.futures_create_order(side="BUY", quantity="0.001", **market), -4164
    )
    limit = {"symbol": SYMBOL, "type": "LIMIT", "side": "BUY", "timeInForce": "GTC", "quantity": "0.003"}
    terms = {**limit, "price": "62000", "newClientOrderId": "pb-dup"}
    await expect("place_limit", lambda: c.futures_create_order(**terms), lambda o: o["status"] == "NEW")
    await expect_refusal("duplicate_open_client_id", lambda: c.futures_create_order(**terms), -4116)
    await expect("open_orders", c.futures_get_open_orders, lambda o: len(o) == 1)
    await expect(
        "cancel_by_client_id",
        lambda: c.futures_cancel_order(symbol=SYMBOL, origClientOrderId="pb-dup"),
        lambda o: o["status"] == "CANCELED",
    )
    await expect_refusal(
        "hedge_mode_mismatch",
        lambda: c.futures_create_order(side="BUY", quantity="0.003", positionSide="LONG", **market),
        -4061,
    )


async def stale(c: Any, at: Addresses) -> None:
    """Send a request whose timestamp is a minute old at the exchange."""
    at.admin("clock", offset_ms=60_000)
    await expect_refusal("stale_timestamp", c.futures_position_information, -1021)
    at.admin("clock", offset_ms=0)


async def until(socket: Any, event: str) -> Any:
    """Read the user stream until an event of this kind."""
    while True:
        message = await socket.recv()
        if message.get("e") == event and message.get("o", {}).get("x", "TRADE") == "TRADE":
            return message


async def streams(sockets: Any, at: Addresses) -> None:
    """Hear the user stream, and the end of its key."""
    async with sockets.futures_user_socket() as socket:
        at.admin("trade", account="demo", symbol=SYMBOL, side="BUY", qty="0.004", clientOrderId="web_pb")
        await expect(
            "user_stream_fill",
            lambda: until(socket, "ORDER_TRADE_UPDATE"),
            lambda m: m["o"]["c"] == "web_pb" and m["o"]["l"] == "0.004",
        )
        await expect(
            "user_stream_account", lambda: until(socket, "ACCOUNT_UPDATE"), lambda m: m["a"]["P"][0]["pa"] == "0.004"
        )
        at.admin("streams/expire", account="demo")
        await expect("listen_key_expiry", lambda: until(socket, "listenKeyExpired"), lambda m: m["listenKey"])


async def ws_api(c: Any) -> None:
    """Order through the WebSocket API."""
    await expect(
        "ws_order",
        lambda: c.ws_futures_create_order(
            symbol=SYMBOL, side="SELL", type="MARKET", quantity="0.004", reduceOnly="true", newOrderRespType="RESULT"
        ),
        lambda o: o["status"] == "FILLED",
    )
    await expect("ws_positions", c.ws_futures_v2_account_position, lambda p: p == [])
    await expect_refusal("ws_refusal", lambda: c.ws_futures_get_order(symbol=SYMBOL, orderId=999), -2013)


async def main() -> None:
    """Run all checks."""
    at = addresses()
    client_class, socket_class = classes(at)
    c = await expect("create_client", lambda: client_class.create(KEY, SECRET), lambda client: client is not None)
    try:
        await expect("exchange_info", c.futures_exchange_info, lambda i: i["symbols"][0]["symbol"] == SYMBOL)
        await expect("position_mode", c.futures_get_position_mode, lambda m: m["dualSidePosition"] is False)
        await orders(c)
        await refusals(c)
        await stale(c, at)
        await streams(socket_class(c), at)
        await ws_api(c)
    finally:
        await c.close_connection()


asyncio.run(main())
