"""Private streams by every address, prices, faults on the stream, and the WebSocket API."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from tests.contract.sim.visitor import DEADLINE_S, KEY, ORDER, SECRET, Visitor, next_frame, visit

EVENTS = ["TRADE_LITE", "ORDER_TRADE_UPDATE", "ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"]


@pytest.mark.parametrize(
    ("address", "named", "events"),
    [
        ("/private/ws/{key}", False, EVENTS),
        ("/private/ws?listenKey={key}", False, EVENTS),
        ("/private/ws?listenKey={key}&events=ACCOUNT_UPDATE", False, ["ACCOUNT_UPDATE"]),
        ("/private/stream?listenKey={key}", True, EVENTS),
        ("/private/stream?listenKey={key}&events=TRADE_LITE/ACCOUNT_UPDATE", True, ["TRADE_LITE", "ACCOUNT_UPDATE"]),
    ],
)
def test_a_private_stream_by_its_address(address: str, named: bool, events: list[str]) -> None:  # noqa: FBT001 - a column
    """Each address of the private stream sends the events asked for, raw or with their stream's name."""

    async def story(v: Visitor) -> None:
        key = await v.listen_key()
        ws = await v.connect(address.format(key=key))
        await v.act("/trade", account="demo", symbol="BTCUSDT", side="BUY", qty="0.007")
        frames = [await next_frame(ws) for _ in events]
        assert [f["data"]["e"] if named else f["e"] for f in frames] == events
        assert not named or {f["stream"] for f in frames} == {key}

    visit(story)


@pytest.mark.parametrize("number", [1, "b39002df"])
def test_a_private_stream_by_subscription(number: object) -> None:
    """SUBSCRIBE with a listen key is confirmed under its own id, and starts the stream; UNSUBSCRIBE ends it."""

    async def story(v: Visitor) -> None:
        key = await v.listen_key()
        ws = await v.connect("/private/stream")
        await ws.send_json({"method": "SUBSCRIBE", "params": [key], "id": number})
        assert await next_frame(ws) == {"result": None, "id": number}
        await v.act("/trade", account="demo", symbol="BTCUSDT", side="BUY", qty="0.007")
        assert [(await next_frame(ws))["data"]["e"] for _ in EVENTS] == EVENTS
        await ws.send_json({"method": "UNSUBSCRIBE", "params": [key], "id": 2})
        assert (await next_frame(ws))["id"] == 2
        await v.act("/trade", account="demo", symbol="BTCUSDT", side="BUY", qty="0.007")
        await ws.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 3})
        assert await next_frame(ws) == {"result": [], "id": 3}

    visit(story)


@pytest.mark.parametrize("address", ["/ws/{key}", "/stream?streams={key}", "/private/ws/nonsense"])
def test_an_old_or_wrong_address_connects_and_stays_silent(address: str) -> None:
    """An un-routed address, or a dead key, opens a socket on which nothing ever comes."""

    async def story(v: Visitor) -> None:
        key = await v.listen_key()
        ws = await v.connect(address.format(key=key))
        live = await v.connect(f"/private/ws/{key}")
        await v.act("/trade", account="demo", symbol="BTCUSDT", side="BUY", qty="0.007")
        assert [(await next_frame(live))["e"] for _ in EVENTS] == EVENTS
        # Its own answer is the first frame: nothing came before it.
        await ws.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 9})
        assert (await next_frame(ws))["id"] == 9

    visit(story)


def test_an_expired_key_leaves_the_socket_open_and_silent() -> None:
    """After listenKeyExpired the socket stays, the next fill is not told, and a new key needs a new stream."""

    async def story(v: Visitor) -> None:
        key = await v.listen_key()
        ws = await v.connect(f"/private/ws/{key}")
        assert (await v.act("/streams/expire", account="demo"))["expired"] == key
        assert (await next_frame(ws))["e"] == "listenKeyExpired"
        fresh = await v.listen_key()
        assert fresh != key
        other = await v.connect(f"/private/ws/{fresh}")
        await v.act("/trade", account="demo", symbol="BTCUSDT", side="BUY", qty="0.007")
        assert (await next_frame(other))["e"] == "TRADE_LITE"
        await ws.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 9})
        assert (await next_frame(ws))["id"] == 9

    visit(story)


def test_a_closed_stream_can_be_opened_again() -> None:
    """The operator closes the account's streams; the key lives on."""

    async def story(v: Visitor) -> None:
        key = await v.listen_key()
        ws = await v.connect(f"/private/ws/{key}")
        await v.act("/streams/close", account="demo")
        assert await next_frame(ws) in {"CLOSE", "CLOSING", "CLOSED"}
        again = await v.connect(f"/private/ws/{key}")
        await v.act("/trade", account="demo", symbol="BTCUSDT", side="BUY", qty="0.007")
        assert (await next_frame(again))["e"] == "TRADE_LITE"

    visit(story)


def test_stream_faults_reach_the_socket() -> None:
    """A dropped and a delayed event are missing and late on the socket."""

    async def story(v: Visitor) -> None:
        key = await v.listen_key()
        ws = await v.connect(f"/private/ws/{key}")
        await v.act("/faults", name="stream_drop", match={"event": "TRADE_LITE"})
        await v.act("/faults", name="stream_delay", match={"event": "ORDER_TRADE_UPDATE"}, delay_ms=100)
        await v.act("/trade", account="demo", symbol="BTCUSDT", side="BUY", qty="0.007")
        frames = [await next_frame(ws) for _ in range(3)]
        assert [f["e"] for f in frames] == ["ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE"]
        assert frames[2]["o"]["X"] == "NEW"

    visit(story)


@pytest.mark.parametrize(
    ("address", "topic", "kind"),
    [
        ("/public/stream", "btcusdt@bookTicker", "bookTicker"),
        ("/market/ws", "btcusdt@markPrice@1s", "markPriceUpdate"),
    ],
)
def test_prices_are_told_to_subscribers(address: str, topic: str, kind: str) -> None:
    """A price stream confirms the subscription and sends prices."""

    async def story(v: Visitor) -> None:
        ws = await v.connect(address)
        await ws.send_json({"method": "SUBSCRIBE", "params": [topic], "id": 1})
        frames = [await next_frame(ws) for _ in range(2)]
        priced = next(f for f in frames if "result" not in f)
        assert priced.get("data", priced)["e"] == kind

    visit(story)


def ws_request(method: str, **params: object) -> str:
    """Return a signed request of the WebSocket API."""
    import hmac  # noqa: PLC0415 - the WebSocket API's signing is its own

    whole: dict[str, object] = {"apiKey": KEY, "timestamp": time.time_ns() // 1_000_000, **params}
    text = "&".join(f"{k}={str(v).lower() if isinstance(v, bool) else v}" for k, v in sorted(whole.items()))
    signature = hmac.digest(SECRET.encode(), text.encode(), "sha256").hex()
    return json.dumps({"id": "q1", "method": method, "params": {**whole, "signature": signature}})


@pytest.mark.parametrize("qty", ["0.003", 0.003])
def test_the_websocket_api_takes_orders(qty: object) -> None:
    """An order with amounts as strings or numbers is placed, its position is told, and limits come with the answer."""

    async def story(v: Visitor) -> None:
        ws = await v.connect("/ws-fapi/v1")
        terms = {**ORDER, "quantity": qty, "newOrderRespType": "RESULT"}
        await ws.send_str(ws_request("order.place", **terms))
        answer = await next_frame(ws)
        assert (answer["id"], answer["status"], answer["result"]["status"]) == ("q1", 200, "FILLED")
        assert [r["rateLimitType"] for r in answer["rateLimits"]] == ["REQUEST_WEIGHT", "ORDERS", "ORDERS"]
        await ws.send_str(ws_request("v2/account.position"))
        assert (await next_frame(ws))["result"][0]["positionAmt"] == "0.003"
        await ws.send_str(ws_request("order.place", **{**terms, "side": "SELL", "reduceOnly": True}))
        assert (await next_frame(ws))["result"]["reduceOnly"] is True
        await ws.send_str(ws_request("order.status", symbol="BTCUSDT", orderId=999))
        refused = await next_frame(ws)
        assert (refused["status"], refused["error"]["code"]) == (400, -2013)

    visit(story)


@pytest.mark.parametrize(("name", "orders"), [("reset_executed", 1), ("reset_not_executed", 0)])
def test_the_websocket_api_closes_with_a_request_in_flight(name: str, orders: int) -> None:
    """The connection closes instead of an answer, and only the truth tells whether the order was executed."""

    async def story(v: Visitor) -> None:
        await v.act("/faults", name=name, match={"channel": "ws"})
        ws = await v.connect("/ws-fapi/v1")
        await ws.send_str(ws_request("order.place", **ORDER))
        assert await next_frame(ws) in {"CLOSE", "CLOSING", "CLOSED"}
        assert (await v.admin("GET", "/orders"))[1]["total"] == orders

    visit(story)


def test_a_delayed_request_does_not_hold_up_the_next() -> None:
    """On the WebSocket API an answer that a fault delays comes after that of a later request."""

    async def story(v: Visitor) -> None:
        await v.act("/faults", name="reply_delay", match={"path": "/fapi/v1/order"}, delay_ms=150)
        ws = await v.connect("/ws-fapi/v1?returnRateLimits=false")
        await ws.send_str(ws_request("order.place", **ORDER))
        await ws.send_str('{"id":"q2","method":"ping"}')
        answers = [await next_frame(ws) for _ in range(2)]
        assert [a["id"] for a in answers] == ["q2", "q1"]
        assert "rateLimits" not in answers[0]

    visit(story)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("nonsense", 400),
        ('{"id":1}', 400),
        ('{"id":1,"method":"no.such"}', 400),
        ('{"id":1,"method":"session.logon","params":{}}', 401),
        ('{"id":1,"method":"session.status"}', 200),
    ],
)
def test_what_the_websocket_api_does_not_know_it_refuses(text: str, status: int) -> None:
    """Unreadable requests and unknown methods get an error, and the connection lives on."""

    async def story(v: Visitor) -> None:
        ws = await v.connect("/ws-fapi/v1")
        await ws.send_str(text)
        assert (await next_frame(ws))["status"] == status
        await ws.send_str('{"id":7,"method":"ping"}')
        assert (await next_frame(ws))["id"] == 7

    visit(story)


def test_closing_the_simulator_ends_streams_and_hanging_requests() -> None:
    """A simulator that stops lets no client wait: streams close, a hanging request ends."""

    async def story(v: Visitor) -> None:
        ws = await v.connect(f"/private/ws/{await v.listen_key()}")
        await v.act("/faults", name="hang_not_executed")
        hanging = asyncio.create_task(v.ask("POST", "/fapi/v1/order", **ORDER))
        while (await v.admin("GET", "/faults"))[1]["faults"][0]["hits"] == 0:
            continue
        await v.sim.close()
        assert await next_frame(ws) in {"CLOSE", "CLOSING", "CLOSED"}
        assert len(await asyncio.wait_for(asyncio.gather(hanging, return_exceptions=True), DEADLINE_S)) == 1

    visit(story)
