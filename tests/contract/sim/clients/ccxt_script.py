"""Drive the simulator with ccxt.pro's binanceusdm, changed in nothing but its base addresses."""

# mypy: disable-error-code="import-not-found, misc"
# The libraries live in .venv-clients, which the type checker does not see.

from __future__ import annotations

import asyncio
import re
from typing import Any

import ccxt.pro
from recorder import KEY, SECRET, Addresses, addresses, expect, expect_refusal

SYMBOL = "BTC/USDT:USDT"


def client(at: Addresses) -> Any:
    """Return the client, pointed at the simulator."""
    exchange = ccxt.pro.binanceusdm(
        {
            "apiKey": KEY,
            "secret": SECRET,
            "enableRateLimit": False,
            "options": {"fetchCurrencies": False, "recvWindow": 5000},
        }
    )
    for name, url in list(exchange.urls["api"].items()):
        if isinstance(url, str):
            exchange.urls["api"][name] = re.sub(r"^https://[^/]+", at.base_url, url)
    exchange.urls["api"]["ws"]["linear"] = f"{at.stream_url}/ws"
    exchange.urls["api"]["ws"]["ws-api"]["linear"] = at.ws_api_url
    # Which error class is raised depends on the real host's name; on loopback it has to be named.
    exchange.exceptions["exact"].update(exchange.exceptions["linear"]["exact"])
    return exchange


async def orders(ex: Any) -> None:
    """Place, look up, cancel."""
    placed = await expect(
        "place_market_result",
        lambda: ex.create_order(SYMBOL, "market", "buy", 0.003, None, {"clientOrderId": "ccxt-1"}),
        lambda o: o["status"] == "closed" and o["filled"] == 0.003,
    )
    await expect("query_by_id", lambda: ex.fetch_order(placed["id"], SYMBOL), lambda o: o["average"] > 0)
    await expect(
        "query_by_client_id",
        lambda: ex.fetch_order(None, SYMBOL, {"clientOrderId": "ccxt-1"}),
        lambda o: o["id"] == placed["id"],
    )
    await expect_refusal("query_unknown", lambda: ex.fetch_order("999", SYMBOL), -2013)
    await expect_refusal("cancel_unknown", lambda: ex.cancel_order("999", SYMBOL), -2011)
    await expect("positions", lambda: ex.fetch_positions([SYMBOL]), lambda p: p[0]["contracts"] == 0.003)
    await expect(
        "reduce_only_below_min_notional",
        lambda: ex.create_order(SYMBOL, "market", "sell", 0.001, None, {"reduceOnly": True}),
        lambda o: o["status"] == "closed" and o["reduceOnly"],
    )
    await expect(
        "reused_client_id_executes_again",
        lambda: ex.create_order(SYMBOL, "market", "sell", 0.002, None, {"clientOrderId": "ccxt-1"}),
        lambda o: o["status"] == "closed" and o["id"] != placed["id"],
    )
    trades = await expect("user_trades", lambda: ex.fetch_my_trades(SYMBOL), lambda t: len(t) == 3)
    if trades is not None:
        await expect("balance", ex.fetch_balance, lambda b: b["USDT"]["total"] > 0)


async def refusals(ex: Any) -> None:
    """Be refused."""
    await expect_refusal(
        "reduce_only_flat",
        lambda: ex.create_order(SYMBOL, "market", "sell", 0.003, None, {"reduceOnly": True}),
        -2022,
    )
    await expect_refusal("below_min_notional", lambda: ex.create_order(SYMBOL, "market", "buy", 0.001), -4164)
    terms = {"clientOrderId": "ccxt-dup"}
    await expect(
        "place_limit",
        lambda: ex.create_order(SYMBOL, "limit", "buy", 0.003, 62000, terms),
        lambda o: o["status"] == "open",
    )
    await expect_refusal(
        "duplicate_open_client_id", lambda: ex.create_order(SYMBOL, "limit", "buy", 0.003, 62000, terms), -4116
    )
    await expect("open_orders", lambda: ex.fetch_open_orders(SYMBOL), lambda o: len(o) == 1)
    await expect("cancel_all", lambda: ex.cancel_all_orders(SYMBOL), lambda _: True)
    await expect_refusal(
        "hedge_mode_mismatch",
        lambda: ex.create_order(SYMBOL, "market", "buy", 0.003, None, {"positionSide": "LONG"}),
        -4061,
    )


async def stale(ex: Any, at: Addresses) -> None:
    """Send a request whose timestamp is a minute old at the exchange."""
    at.admin("clock", offset_ms=60_000)
    await expect_refusal("stale_timestamp", ex.fapiPrivateV3GetPositionRisk, -1021)
    at.admin("clock", offset_ms=0)


async def streams(ex: Any, at: Addresses) -> None:
    """Hear the user stream, then the end of its key."""
    watching = asyncio.create_task(ex.watch_orders(SYMBOL))
    await expect("stream_connected", lambda: _connected(ex), lambda done: done)
    at.admin("trade", account="demo", symbol="BTCUSDT", side="BUY", qty="0.004", clientOrderId="web_ccxt")
    await expect("user_stream_fill", lambda: watching, lambda o: o[0]["clientOrderId"] == "web_ccxt")
    # This library does not tell its user of listenKeyExpired; its own keep-alive meets the dead key.
    at.admin("streams/expire", account="demo")
    await expect_refusal("listen_key_expiry", ex.fapiPrivatePutListenKey, -1125)


async def _connected(ex: Any) -> bool:
    # The connection is made inside watch_*: hand over to it until its socket is open.
    while not any(  # noqa: ASYNC110 - the library has no event for it
        c.connected.done() and "/private/" in url for url, c in ex.clients.items()
    ):
        await asyncio.sleep(0)
    return True


async def ws_api(ex: Any) -> None:
    """Order through the WebSocket API."""
    await expect(
        "ws_order",
        lambda: ex.create_order_ws(SYMBOL, "market", "sell", 0.004, None, {"reduceOnly": True}),
        lambda o: o["status"] == "closed",
    )
    await expect("ws_positions", lambda: ex.fetch_positions_ws([SYMBOL]), lambda p: isinstance(p, list))


async def main() -> None:
    """Run all checks."""
    at = addresses()
    ex = client(at)
    try:
        await expect("load_markets", ex.load_markets, lambda m: SYMBOL in m)
        await expect("position_mode", ex.fetch_position_mode, lambda m: m["hedged"] is False)
        await orders(ex)
        await refusals(ex)
        await stale(ex, at)
        await streams(ex, at)
        await ws_api(ex)
    finally:
        await ex.close()


asyncio.run(main())
