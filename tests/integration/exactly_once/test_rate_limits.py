"""What the exchange asks of those who ask too much: a pause is kept, a ban is waited out, and closes come first.

The judge is the exchange's own log of requests.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import urllib.request
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tests.integration.exactly_once.stage import START_S, a_house, order_requests, sends, solo
from tests.whole.bus import new_plan
from tests.whole.exchange import Exchange
from tests.whole.program import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.exactly_once.quick import Quick

BAN_MS = 2_500
IN_FLIGHT_MS = 150
"""Requests that had left when the refusal came."""
FACTOR = Decimal("0.5")
ORDERS_MAX_10S = int(300 * FACTOR)


def requests(exchange: Exchange) -> list[dict[str, Any]]:
    """The log, oldest first."""
    return list(exchange.get("requests", limit=100_000)["requests"])


def test_a_429_is_waited_out_before_anything_else_is_asked(quick: Quick) -> None:
    """After a 429 with Retry-After nothing at all is asked for that second; then the order goes out, once."""
    desk, symbol = quick.desk, quick.symbol()
    limited = desk.exchange.arm_order("rate_limited", symbol)
    desk.bus.execute(symbol, "BUY", "0.10")
    assert limited.hits == 1
    refused, sent = (row for row in order_requests(quick.exchange, symbol))
    assert (refused["status"], sent["status"]) == (429, 200)
    assert sent["time"] - refused["time"] >= 1_000
    log = requests(quick.exchange)
    early = [row for row in log if refused["time"] + IN_FLIGHT_MS < row["time"] < refused["time"] + 1_000]
    assert early == []
    assert len(set(sends(quick.exchange, symbol))) == 1
    assert desk.exchange.sent(symbol) == [("BUY", "0.1")]


def test_a_banned_address_sends_nothing_until_the_ban_ends_and_holds_stay(tmp_path: Path, exchange: Exchange) -> None:
    """From a 418 on nothing is asked until its time; plans are refused, a drift is held, and closed afterwards."""
    account = exchange.account("solo")
    with a_house(tmp_path, exchange) as house:
        house.start()
        desk = house.desk("solo", account)
        desk.until_open("SYM001USDT")
        banned = account.arm("banned", delay_ms=BAN_MS, method="GET", path="/fapi/v3/positionRisk")
        until(lambda: banned.hits, "banned")
        (began,) = [row["time"] for row in requests(exchange) if row["status"] == 418][:1]
        account.trade("SYM002USDT", "BUY", "0.07")
        hold_id = desk.until_held("SYM002USDT")
        error = desk.bus.refusal("SYM001USDT")
        assert error in {"rate_limited", "stamp_stale"}
        assert desk.bus.refusal("SYM002USDT") == "hold_active"
        assert desk.bus.hold("SYM002USDT") == hold_id
        assert account.position("SYM002USDT") == Decimal("0.07")
        assert exchange.get("clock")["now_ms"] < began + BAN_MS, "the ban was over before all of this was seen"
        until(lambda: account.position("SYM002USDT") == 0, "closed after the ban", START_S)
        during = [row for row in requests(exchange) if began + IN_FLIGHT_MS < row["time"] < began + BAN_MS]
        assert during == [], f"{len(during)} requests during the ban"
        assert [row["status"] for row in requests(exchange)].count(418) <= 2
        desk.until_free("SYM002USDT")
        desk.until_open("SYM001USDT", START_S)
        desk.bus.execute("SYM001USDT", "BUY", "0.10")


def other_program(exchange: Exchange, count: int) -> None:
    """Another program of the same account sends orders that never trade, five a request."""
    rows = exchange.get("market", symbol="ETHUSDT")["markets"]
    price = str((Decimal(rows[0]["bid"]) * Decimal("0.98")).quantize(Decimal("0.1")))
    order = {"symbol": "ETHUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "IOC", "quantity": "1", "price": price}
    order["newOrderRespType"] = "RESULT"
    for _ in range(count // 5):
        query = urlencode({"batchOrders": json.dumps([order] * 5), "timestamp": exchange.get("clock")["now_ms"]})
        signature = hmac.new(b"secret-solo", query.encode(), hashlib.sha256).hexdigest()
        request = urllib.request.Request(  # noqa: S310 - our own simulator
            f"{exchange.url}/fapi/v1/batchOrders?{query}&signature={signature}",
            method="POST",
            headers={"X-MBX-APIKEY": "key-solo"},
        )
        with urllib.request.urlopen(request, timeout=START_S) as answer:  # noqa: S310 - as above
            rows = json.load(answer)
        assert all(row.get("status") == "EXPIRED" for row in rows), rows


def test_at_four_fifths_of_the_order_count_plans_are_refused_and_a_close_still_goes_out(tmp_path: Path) -> None:
    """When the account's order count runs high, an EXECUTE ends as rate_limited, and a drift is closed all the same."""
    with Exchange(tmp_path, "--limits", str(FACTOR)) as exchange:
        account = exchange.account("solo")
        with a_house(tmp_path, exchange, plan=solo(view_interval_ms=4_000)) as house:
            house.start()
            desk = house.desk("solo", account)
            desk.until_open("SYM001USDT")
            until(lambda: time.time() % 10 < 5, "a window with time left", 6.0)
            window = int(time.time() // 10)
            other_program(exchange, ORDERS_MAX_10S * 4 // 5)
            desk.bus.execute("SYM001USDT", "BUY", "0.10")
            before = len(order_requests(exchange))
            result = desk.bus.ask(new_plan("SYM003USDT", "BUY", "0.10"))
            assert (result["executed"], result["error"]) == ("false", "rate_limited"), result
            assert len(order_requests(exchange)) == before
            desk.heals("SYM002USDT", "BUY", "0.07")
            closed_ms = order_requests(exchange, "SYM002USDT")[0]["time"]
            assert closed_ms // 10_000 == window, "the count started anew before the close"
            desk.until_open("SYM003USDT")
