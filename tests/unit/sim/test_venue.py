"""The edge and the engine: keys, signatures, clocks, limits, bans, retention, listing."""

from __future__ import annotations

import hmac
import json
from decimal import Decimal
from urllib.parse import quote_plus

import pytest

from holdfast.sim.core.account import DAY_MS, Mode
from holdfast.sim.core.calls.table import WS_METHODS, endpoints
from holdfast.sim.core.faults import Channel
from holdfast.sim.core.listen_keys import LISTEN_KEY_MS
from holdfast.sim.core.refusals import TEXTS, ApiError, Code
from holdfast.sim.core.requests import Reply, Request, read_params
from holdfast.sim.core.venue import Flight, check_timestamp
from tests.unit.sim.world import START_MS, world

ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.003"}


@pytest.mark.parametrize(
    ("age_ms", "window", "code"),
    [
        (0, None, None),
        (5000, None, None),
        (5001, None, -1021),
        (-999, None, None),
        (-1000, None, -1021),
        (1, "0", -1021),
        (0, "0", None),
        (2000, "2000", None),
        (2001, "2000", -1021),
        (60_000, "90000", None),
        (60_001, "90000", -1021),
    ],
)
def test_a_timestamp_has_a_window(age_ms: int, window: str | None, code: int | None) -> None:
    """A request is heard from one second early up to recvWindow late, edges as documented."""
    params = {"timestamp": str(START_MS - age_ms)} | ({} if window is None else {"recvWindow": window})
    try:
        check_timestamp(params, START_MS)
        found = None
    except ApiError as error:
        found = error.code
    assert found == code


def test_the_two_texts_of_1021_say_which_side() -> None:
    """A request from the future is refused with its own text."""
    w = world()
    late = w.ask("GET", "/fapi/v3/positionRisk", timestamp=str(START_MS - 6000)).body
    early = w.ask("GET", "/fapi/v3/positionRisk", timestamp=str(START_MS + 1000)).body
    assert "outside of the recvWindow" in str(late)
    assert "ahead of the server's time" in str(early)


@pytest.mark.parametrize(("waited_ms", "code"), [(0, None), (2000, None), (2001, -5028)])
def test_the_engine_looks_at_the_clock_again(waited_ms: int, code: int | None) -> None:
    """An order that reaches the engine after timestamp + recvWindow is refused there and leaves no trace."""
    w = world()
    flight = w.venue.look(w.request("POST", "/fapi/v1/order", **ORDER, recvWindow="2000"))
    assert isinstance(flight, Flight)
    assert w.venue.admit(flight) is None
    w.clock.ms += waited_ms
    body = w.venue.execute(flight).body
    assert (body["code"] if isinstance(body, dict) else None) == code
    assert len(w.exchange.truth.orders) == (0 if code else 1)


@pytest.mark.parametrize(
    ("method", "path", "key", "secret", "status", "code"),
    [
        ("GET", "/fapi/v1/time", "", "s", 200, None),
        ("GET", "/fapi/v3/positionRisk", "", "s", 401, -2014),
        ("GET", "/fapi/v3/positionRisk", "nobody", "s", 401, -2015),
        ("GET", "/fapi/v3/positionRisk", "k", "wrong", 400, -1022),
        ("GET", "/fapi/v3/positionRisk", "r", "s", 200, None),
        ("POST", "/fapi/v1/order", "r", "s", 401, -2015),
        ("POST", "/fapi/v1/listenKey", "r", "wrong", 200, None),
        ("POST", "/fapi/v1/listenKey", "", "s", 401, -2014),
        ("GET", "/fapi/v9/nothing", "k", "s", 404, -1020),
    ],
)
def test_keys_and_permissions(*, method: str, path: str, key: str, secret: str, status: int, code: int | None) -> None:
    """A call asks for the key, signature and permission that it is documented to ask for."""
    w = world()
    reply = w.venue.handle(w.request(method, path, key=key, signed_with=secret, **ORDER))
    assert reply.status == status
    assert (reply.body["code"] if isinstance(reply.body, dict) and "code" in reply.body else None) == code


@pytest.mark.parametrize("missing", ["timestamp", "signature"])
def test_a_signed_call_needs_its_timestamp_and_signature(missing: str) -> None:
    """A signed call without timestamp or signature names what is missing."""
    w = world()
    whole = w.request("GET", "/fapi/v3/positionRisk")
    params = {k: v for k, v in whole.params.items() if k != missing}
    query = "&".join(f"{k}={v}" for k, v in params.items())
    reply = w.venue.handle(Request(Channel.REST, "GET", "/fapi/v3/positionRisk", "10.0.0.1", "k", params, query))
    assert reply.body == {
        "code": -1102,
        "msg": f"Mandatory parameter '{missing}' was not sent, was empty/null, or malformed.",
    }


def signed(text: str) -> str:
    """Return the signature of a text by key `k`."""
    return hmac.digest(b"s", text.encode(), "sha256").hex()


@pytest.mark.parametrize("place", ["query", "body", "split", "decoded"])
def test_a_signature_counts_wherever_it_stands(place: str) -> None:
    """Parameters in the query, the body or both, signed raw or unencoded, are all heard."""
    w = world()
    text = f"symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.003&newClientOrderId=a:b&timestamp={w.clock.ms}"
    encoded = text.replace("a:b", quote_plus("a:b"))
    head, tail = text[:30], text[30:]
    query, body = {
        "query": (f"{text}&signature={signed(text)}", ""),
        "body": ("", f"{text}&signature={signed(text)}"),
        "split": (head.rsplit("&", 1)[0], f"{(head.rsplit('&', 1)[1] + tail)}&signature="),
        "decoded": ("", f"{encoded}&signature={signed(text)}"),
    }[place]
    if place == "split":
        body += signed(query + body.removesuffix("&signature="))
    request = Request(Channel.REST, "POST", "/fapi/v1/order", "10.0.0.1", "k", read_params(query, body), query, body)
    assert w.venue.handle(request).status == 200


def test_the_query_wins_over_the_body() -> None:
    """A parameter sent twice has the value of the query."""
    assert read_params("a=1&b=2", "a=9&c=3") == {"a": "1", "b": "2", "c": "3"}


@pytest.mark.parametrize("encode", [str, quote_plus])
def test_the_websocket_api_takes_raw_and_encoded_signatures(encode: type[str]) -> None:
    """Sorted pairs are accepted as they are and URL-encoded."""
    w = world()
    params = {"apiKey": "k", "timestamp": str(w.clock.ms), "symbol": "BTCUSDT", "origClientOrderId": "a:b"}
    text = "&".join(f"{k}={encode(v)}" for k, v in sorted(params.items()))
    request = Request(Channel.WS, "GET", "/fapi/v1/order", "10.0.0.1", "k", {**params, "signature": signed(text)})
    assert w.venue.handle(request).body == {"code": -2013, "msg": "Order does not exist."}


def test_weight_is_limited_by_address_and_the_deaf_are_banned() -> None:
    """2400 of weight a minute pass, then 429 with Retry-After, then 418 with the time in the text, then a new start."""
    w = world()
    for _ in range(80):
        assert w.ask("GET", "/fapi/v1/positionSide/dual").status == 200
    warned = w.ask("GET", "/fapi/v1/time")
    assert (warned.status, warned.body["code"] if isinstance(warned.body, dict) else 0) == (429, -1003)
    assert int(warned.headers["Retry-After"]) > 0
    statuses = [w.ask("GET", "/fapi/v1/time").status for _ in range(12)]
    assert (statuses[0], statuses[-1]) == (429, 418)
    banned = w.ask("GET", "/fapi/v1/time")
    assert f"banned until {START_MS + 120_000}" in str(banned.body)
    assert banned.headers["Retry-After"] == "120"
    w.clock.ms += 120_000
    assert w.ask("GET", "/fapi/v1/time").status == 200


def test_orders_are_limited_by_account() -> None:
    """300 orders in ten seconds pass, the next is refused with -1015, and the counts are told in headers."""
    w = world()
    first = w.ask("POST", "/fapi/v1/order", **ORDER)
    assert (first.headers["X-MBX-ORDER-COUNT-10S"], first.headers["X-MBX-ORDER-COUNT-1M"]) == ("1", "1")
    replies: list[Reply] = []
    for n in range(300):
        side = "SELL" if n % 2 == 0 else "BUY"
        replies.append(w.ask("POST", "/fapi/v1/order", **{**ORDER, "side": side}))
    assert [r.status for r in replies].count(429) == 1
    assert "-1015" in str(replies[-1].body)
    w.clock.ms += 10_000
    assert w.ask("POST", "/fapi/v1/order", **ORDER).status == 200


def test_the_factor_scales_the_limits() -> None:
    """A factor of ten shows in exchangeInfo and in what is allowed."""
    w = world()
    w.venue.limits.factor = Decimal(10)
    info = w.answer("GET", "/fapi/v1/exchangeInfo")
    assert [row["limit"] for row in info["rateLimits"]] == [24000, 12000, 3000]
    assert all(w.ask("POST", "/fapi/v1/order", **ORDER).status == 200 for _ in range(301))


@pytest.mark.parametrize(
    ("fill", "days", "found"),
    [(False, 3, True), (False, 4, False), (True, 4, True), (True, 90, True), (True, 91, False)],
)
def test_old_orders_are_forgotten(fill: bool, days: int, found: bool) -> None:  # noqa: FBT001 - a column of the table
    """An order without a fill is forgotten after three days, any other after ninety; the truth forgets nothing."""
    w = world()
    w.exchange.market("BTCUSDT").depth = Decimal("0.001") if fill else Decimal(0)
    order = w.place("BUY", "0.003", newClientOrderId="x")
    w.clock.ms += days * DAY_MS
    by_id = w.answer("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=str(order.order_id))
    listed = w.answer("GET", "/fapi/v1/allOrders", symbol="BTCUSDT", orderId="1")
    assert ("status" in by_id, len(listed)) == (found, int(found))
    assert len(w.exchange.truth.orders) == 1


def test_a_lookup_needs_a_name() -> None:
    """A lookup by neither id nor client id says which parameters there are."""
    w = world()
    assert w.answer("GET", "/fapi/v1/order", symbol="BTCUSDT")["code"] == -1102


@pytest.mark.parametrize(("knob", "expected"), [("latest", 1), ("first", 0)])
def test_a_reused_client_id_finds_one_order_by_knob(knob: str, expected: int) -> None:
    """Of two closed orders with one client id, the knob says which is found."""
    w = world()
    w.knobs(client_id_lookup=knob)
    orders = [w.place("BUY", "0.003", newClientOrderId="x") for _ in range(2)]
    found = w.answer("GET", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="x")
    assert found["orderId"] == orders[expected].order_id


def test_post_answers_carry_no_average_price_unless_a_knob_says_so() -> None:
    """A RESULT lacks avgPrice and cumQuote; the knob brings them back; a query always has them."""
    w = world()
    bare = w.answer("POST", "/fapi/v1/order", **ORDER, newOrderRespType="RESULT")
    assert (bare["status"], "avgPrice" in bare, "cumQuote" in bare) == ("FILLED", False, False)
    acknowledged = w.answer("POST", "/fapi/v1/order", **ORDER)
    assert (acknowledged["status"], acknowledged["executedQty"]) == ("NEW", "0")
    w.knobs(post_avg_price="present")
    full = w.answer("POST", "/fapi/v1/order", **ORDER, newOrderRespType="RESULT")
    assert full["avgPrice"] == "64000.10000000"
    query = w.answer("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=str(bare["orderId"]))
    assert (query["avgPrice"], "cumQty" in query) == ("64000.10000000", False)


def test_v3_omits_what_is_flat_and_v2_lists_everything() -> None:
    """Version 3 of positionRisk has rows for positions and open orders alone, v2 one for each symbol."""
    w = world(extra_symbols=3)
    w.place("SELL", "0.003")
    w.place("BUY", "0.100", symbol="ETHUSDT", price="3100")
    v3 = w.answer("GET", "/fapi/v3/positionRisk")
    assert [(r["symbol"], r["positionAmt"]) for r in v3] == [("BTCUSDT", "-0.003"), ("ETHUSDT", "0.000")]
    assert (v3[0]["updateTime"], v3[1]["updateTime"]) == (START_MS, 0)
    v2 = w.answer("GET", "/fapi/v2/positionRisk")
    assert len(v2) == 5
    assert v2[0]["leverage"] == "20"


def test_hedge_rows_are_signed_legs() -> None:
    """In hedge mode positionRisk has LONG and SHORT rows, the SHORT one negative."""
    w = world(Mode.HEDGE)
    w.place("BUY", "0.003", positionSide="LONG")
    w.place("SELL", "0.004", positionSide="SHORT")
    rows = w.answer("GET", "/fapi/v3/positionRisk", symbol="BTCUSDT")
    assert [(r["positionSide"], r["positionAmt"]) for r in rows] == [("LONG", "0.003"), ("SHORT", "-0.004")]


def test_prices_do_not_bump_update_time() -> None:
    """A move of the mark changes the profit of a position and not its update time."""
    w = world()
    w.place("BUY", "0.003")
    w.clock.ms += 5000
    w.exchange.market("BTCUSDT").set_price(Decimal(65000))
    row = w.answer("GET", "/fapi/v3/positionRisk")[0]
    assert (row["updateTime"], row["unRealizedProfit"]) == (START_MS, "2.99970000")


def test_user_trades_by_id_time_and_order() -> None:
    """Trades are asked for from an id on, inside a window, of one order, or the latest; never two ways at once."""
    w = world()
    orders = []
    for _ in range(5):
        orders.append(w.place("BUY", "0.003"))
        w.clock.ms += 1000
    ids = [t.trade_id for t in w.account.trades["BTCUSDT"]]

    def asked(**params: str) -> list[int]:
        return [t["id"] for t in w.answer("GET", "/fapi/v1/userTrades", symbol="BTCUSDT", **params)]

    assert asked() == ids
    assert asked(limit="2") == ids[-2:]
    assert asked(fromId=str(ids[2])) == ids[2:]
    assert asked(fromId=str(ids[2]), limit="1") == [ids[2]]
    assert asked(startTime=str(START_MS + 1000), endTime=str(START_MS + 2000)) == ids[1:3]
    assert asked(orderId=str(orders[3].order_id)) == [ids[3]]
    refused = w.answer("GET", "/fapi/v1/userTrades", symbol="BTCUSDT", fromId="1", startTime="1")
    assert refused["code"] == -1128
    wide = w.answer("GET", "/fapi/v1/userTrades", symbol="BTCUSDT", startTime="1", endTime=str(START_MS))
    assert wide["code"] == -4165


def test_a_batch_answers_one_row_an_order() -> None:
    """A batch mixes answers and refusals in the order of its orders, and more than five are refused."""
    w = world()
    good = {**ORDER, "newClientOrderId": "b1"}
    bad = {**ORDER, "side": "SELL", "reduceOnly": "true", "symbol": "ETHUSDT"}
    rows = w.answer("POST", "/fapi/v1/batchOrders", batchOrders=json.dumps([good, bad]))
    assert (rows[0]["clientOrderId"], rows[1]) == ("b1", {"code": -2022, "msg": "ReduceOnly Order is rejected."})
    assert w.answer("POST", "/fapi/v1/batchOrders", batchOrders=json.dumps([good] * 6))["code"] == -4082
    assert w.answer("POST", "/fapi/v1/batchOrders", batchOrders="nonsense")["code"] == -1100


def test_the_mode_switch_waits_for_a_clean_account() -> None:
    """The position mode changes only without open orders and positions, and only to another one."""
    w = world()

    def switched(value: str) -> int:
        return int(w.answer("POST", "/fapi/v1/positionSide/dual", dualSidePosition=value)["code"])

    assert switched("false") == -4059
    resting = w.place("BUY", "0.003", price="63000")
    assert switched("true") == -4067
    w.answer("DELETE", "/fapi/v1/order", symbol="BTCUSDT", orderId=str(resting.order_id))
    w.place("BUY", "0.003")
    assert switched("true") == -4068
    w.place("SELL", "0.003")
    assert switched("true") == 200
    assert w.answer("GET", "/fapi/v1/accountConfig")["dualSidePosition"] is True


def test_a_listen_key_lives_an_hour_from_its_last_sign_of_life() -> None:
    """POST returns the same key and extends it, PUT too; an hour after the last it is dead, announced once."""
    w = world()
    key = w.answer("POST", "/fapi/v1/listenKey")["listenKey"]
    w.clock.ms += LISTEN_KEY_MS - 1
    assert w.answer("POST", "/fapi/v1/listenKey")["listenKey"] == key
    w.clock.ms += LISTEN_KEY_MS - 1
    assert w.answer("PUT", "/fapi/v1/listenKey")["listenKey"] == key
    w.venue.tick()
    assert w.outlet.frames() == []
    w.clock.ms += LISTEN_KEY_MS
    w.venue.tick()
    w.venue.tick()
    assert [(f["e"], f["listenKey"]) for f in w.outlet.frames()] == [("listenKeyExpired", key)]
    assert w.answer("PUT", "/fapi/v1/listenKey")["code"] == -1125
    assert w.answer("POST", "/fapi/v1/listenKey")["listenKey"] != key


def test_leverage_is_announced_and_bounds_the_margin() -> None:
    """A change of leverage goes out on the stream and frees margin."""
    w = world()
    assert w.refusal("BUY", "60.000") == -2019
    assert w.answer("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage="100")["leverage"] == 100
    assert [(f["e"], f["ac"]) for f in w.outlet.frames()] == [("ACCOUNT_CONFIG_UPDATE", {"s": "BTCUSDT", "l": 100})]
    assert w.refusal("BUY", "60.000") is None
    assert w.answer("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage="126")["code"] == -4028


def test_every_websocket_method_has_its_call_and_every_code_its_text() -> None:
    """No method of the WebSocket API and no refusal points at nothing."""
    assert set(WS_METHODS.values()) <= set(endpoints())
    assert set(TEXTS) == set(Code)


def test_every_call_answers_something() -> None:
    """Each call of the table answers, or refuses with one of the venue's codes, even without its parameters."""
    w = world()
    w.venue.limits.factor = Decimal(100)
    for method, path in endpoints():
        reply = w.ask(method, path, symbol="BTCUSDT")
        assert reply.status in {200, 400}, (method, path, reply)


def test_the_same_calls_at_the_same_times_get_the_same_answers() -> None:
    """Two exchanges with one seed answer the same calls with the same bytes."""

    def history() -> list[object]:
        w = world(seed=3, volatility_ppm=300)
        said: list[object] = [w.answer("POST", "/fapi/v1/listenKey")]
        for n in range(30):
            w.clock.ms += 700
            said.append(w.answer("POST", "/fapi/v1/order", **{**ORDER, "side": "SELL" if n % 3 else "BUY"}))
            said.append(w.answer("GET", "/fapi/v3/positionRisk"))
        return [*said, w.outlet.frames()]

    assert history() == history()
