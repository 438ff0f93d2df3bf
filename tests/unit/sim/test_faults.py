"""Faults: which request, reading or event they strike, what they do to it, and that hits are counted."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.sim.core.account import Mode
from holdfast.sim.core.fault_names import CATALOGUE, FaultName
from holdfast.sim.core.faults import Channel, Cut, Match, Page
from holdfast.sim.core.venue import Flight
from tests.unit.sim.world import World, world

ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.003"}
OVERLOADED = (
    "Request throttled by system-level protection. Reduce-only/close-position orders are exempt. Please try again."
)
UNKNOWN = "Unknown error, please check your request or try again later."


@pytest.mark.parametrize(
    ("name", "status", "code", "text", "executed"),
    [
        (FaultName.UNKNOWN_ERROR_EXECUTED, 503, -1000, UNKNOWN, 1),
        (FaultName.UNKNOWN_ERROR_NOT_EXECUTED, 503, -1000, UNKNOWN, 0),
        (FaultName.SERVICE_UNAVAILABLE, 503, -1000, "Service Unavailable.", 0),
        (FaultName.INTERNAL_ERROR, 503, -1001, "Internal error; unable to process your request. Please try again.", 0),
        (
            FaultName.OVERLOADED,
            503,
            -1008,
            OVERLOADED,
            0,
        ),
        (FaultName.TIMEOUT_EXECUTED, 408, -1007, "Timeout waiting for response from backend server.", 1),
        (FaultName.TIMEOUT_NOT_EXECUTED, 408, -1007, "Send status unknown; execution status unknown.", 0),
        (FaultName.BUS_EXECUTED, 503, -1006, "Execution status unknown.", 1),
        (FaultName.BUS_NOT_EXECUTED, 503, -1006, "Execution status unknown.", 0),
        (FaultName.RATE_LIMITED, 429, -1003, "Too many requests", 0),
        (FaultName.ORDERS_LIMITED, 429, -1015, "Too many new orders", 0),
        (FaultName.BANNED, 418, -1003, "banned until", 0),
    ],
)
def test_an_answer_fault_replaces_the_answer(name: FaultName, status: int, code: int, text: str, executed: int) -> None:
    """A struck order gets the documented status, code and text, and is executed or not as the fault's name says."""
    w = world()
    fault = w.fault(name, Match(method="POST", path="/fapi/v1/order"))
    reply = w.ask("POST", "/fapi/v1/order", **ORDER)
    assert isinstance(reply.body, dict)
    assert (reply.status, reply.body["code"]) == (status, code)
    assert text in reply.body["msg"]
    assert (len(w.exchange.truth.orders), fault.hits) == (executed, 1)
    if status in {418, 429}:
        assert int(reply.headers["Retry-After"]) >= 1


@pytest.mark.parametrize(
    ("name", "executed"), [(FaultName.PROXY_PAGE_EXECUTED, 1), (FaultName.PROXY_PAGE_NOT_EXECUTED, 0)]
)
def test_a_proxy_answers_with_a_page(name: FaultName, executed: int) -> None:
    """A struck order gets an HTML page with status 502."""
    w = world()
    w.fault(name)
    reply = w.ask("POST", "/fapi/v1/order", **ORDER)
    assert isinstance(reply.body, Page)
    assert (reply.status, len(w.exchange.truth.orders)) == (502, executed)


@pytest.mark.parametrize(
    ("name", "cut", "executed"),
    [
        (FaultName.HANG_EXECUTED, Cut.HANG, 1),
        (FaultName.HANG_NOT_EXECUTED, Cut.HANG, 0),
        (FaultName.RESET_EXECUTED, Cut.RESET, 1),
        (FaultName.RESET_NOT_EXECUTED, Cut.RESET, 0),
    ],
)
def test_a_cut_fault_ends_the_connection(name: FaultName, cut: Cut, executed: int) -> None:
    """A struck order is executed or not, and its strike tells the shell to cut the connection."""
    w = world()
    w.fault(name)
    flight = w.venue.look(w.request("POST", "/fapi/v1/order", **ORDER))
    assert isinstance(flight, Flight)
    assert w.venue.admit(flight) is None
    w.venue.execute(flight)
    assert (flight.strike.cut, len(w.exchange.truth.orders)) == (cut, executed)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        (FaultName.EDGE_DELAY, "edge_delay_ms"),
        (FaultName.ENGINE_DELAY, "engine_delay_ms"),
        (FaultName.REPLY_DELAY, "reply_delay_ms"),
    ],
)
def test_a_delay_fault_adds_to_an_answer_fault(name: FaultName, field: str) -> None:
    """A delay and an answer fault strike the same request together."""
    w = world()
    w.fault(name, delay_ms=77)
    w.fault(FaultName.TIMEOUT_EXECUTED)
    flight = w.venue.look(w.request("POST", "/fapi/v1/order", **ORDER))
    assert isinstance(flight, Flight)
    assert (getattr(flight.strike, field), flight.strike.answer is not None) == (77, True)


@pytest.mark.parametrize(
    ("match", "strikes"),
    [
        (Match(), True),
        (Match(method="POST"), True),
        (Match(method="GET"), False),
        (Match(path="/fapi/v1/order"), True),
        (Match(path="/fapi/v1/batchOrders"), False),
        (Match(symbol="BTCUSDT"), True),
        (Match(symbol="ETHUSDT"), False),
        (Match(side="BUY"), True),
        (Match(side="SELL"), False),
        (Match(account="a"), True),
        (Match(account="b"), False),
        (Match(channel=Channel.REST), True),
        (Match(channel=Channel.WS), False),
    ],
)
def test_a_fault_strikes_what_it_matches(match: Match, strikes: bool) -> None:  # noqa: FBT001 - a column of the table
    """A fault strikes a request if every field of its match fits, and counts only then."""
    w = world()
    fault = w.fault(FaultName.SERVICE_UNAVAILABLE, match)
    assert (w.ask("POST", "/fapi/v1/order", **ORDER).status == 503) == strikes
    assert fault.hits == int(strikes)


def test_a_request_refused_at_the_edge_is_no_hit() -> None:
    """A fault that would have replaced the answer stays armed if the request never reached the engine."""
    w = world()
    fault = w.fault(FaultName.TIMEOUT_EXECUTED)
    assert w.venue.handle(w.request("POST", "/fapi/v1/order", signed_with="wrong", **ORDER)).status == 400
    assert fault.hits == 0
    assert w.ask("POST", "/fapi/v1/order", **ORDER).status == 408
    assert (fault.hits, fault.spent) == (1, True)


def test_a_fault_counts_down_and_skips() -> None:
    """A fault lets `skip` matches pass, strikes `count` times, and is spent; a count of 0 never is."""
    w = world()
    fault = w.fault(FaultName.SERVICE_UNAVAILABLE, count=2, skip=1)
    assert [w.ask("GET", "/fapi/v1/time").status for _ in range(4)] == [200, 503, 503, 200]
    assert (fault.spent, w.venue.faults.armed) == (True, [])
    endless = w.fault(FaultName.SERVICE_UNAVAILABLE, count=0)
    assert {w.ask("GET", "/fapi/v1/time").status for _ in range(5)} == {503}
    assert w.venue.faults.disarm(endless.id) == 1
    assert w.ask("GET", "/fapi/v1/time").status == 200


@pytest.mark.parametrize(
    ("method", "params", "spared"),
    [
        ("POST", {"side": "SELL"}, False),
        ("POST", {"side": "SELL", "reduceOnly": "true"}, True),
        ("DELETE", {"orderId": "1"}, True),
    ],
)
def test_the_overload_answer_spares_what_reduces_risk(
    method: str,
    params: dict[str, str],
    spared: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """-1008 strikes opening orders, not reduce-only ones and not cancels, and a spared one is no hit."""
    w = world()
    w.place("BUY", "0.005")
    fault = w.fault(FaultName.OVERLOADED)
    reply = w.ask(method, "/fapi/v1/order", **{**ORDER, **params})
    assert (reply.status != 503, fault.hits == 0) == (spared, spared)


def test_the_overload_answer_spares_closing_hedge_orders() -> None:
    """-1008 lets LONG + SELL pass."""
    w = world(Mode.HEDGE)
    w.place("BUY", "0.005", positionSide="LONG")
    w.fault(FaultName.OVERLOADED)
    closing = {**ORDER, "side": "SELL", "positionSide": "LONG"}
    assert w.ask("POST", "/fapi/v1/order", **closing).status == 200


def test_a_fresh_order_is_unknown_while_queries_lag() -> None:
    """GET order answers -2013 for a young order, counted as a hit, and knows it once it is old enough."""
    w = world()
    order = w.place("BUY", "0.003")
    fault = w.fault(FaultName.STALE_ORDERS, count=0, delay_ms=500)

    def asked() -> Any:
        return w.answer("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=str(order.order_id))

    assert asked()["code"] == -2013
    assert fault.hits == 1
    w.clock.ms += 500
    assert asked()["status"] == "FILLED"
    assert fault.hits == 1


def test_positions_lag_as_a_whole() -> None:
    """Both positionRisk and account show the position as it was, with its old update time, and count it."""
    w = world()
    w.place("BUY", "0.003")
    w.clock.ms += 1000
    w.place("BUY", "0.004")
    fault = w.fault(FaultName.STALE_POSITIONS, count=0, delay_ms=400)
    w.clock.ms += 100
    row = w.answer("GET", "/fapi/v3/positionRisk", symbol="BTCUSDT")[0]
    assert (row["positionAmt"], w.clock.ms - row["updateTime"]) == ("0.003", 1100)
    assert w.answer("GET", "/fapi/v3/account")["positions"][0]["positionAmt"] == "0.003"
    assert fault.hits == 2
    w.clock.ms += 300
    assert w.answer("GET", "/fapi/v3/positionRisk")[0]["positionAmt"] == "0.007"
    assert fault.hits == 2


def test_a_position_that_lags_behind_its_opening_is_absent() -> None:
    """A position younger than the lag has no row at all, as if flat."""
    w = world()
    w.place("BUY", "0.003")
    w.fault(FaultName.STALE_POSITIONS, delay_ms=400)
    assert w.answer("GET", "/fapi/v3/positionRisk") == []


def test_trades_lag() -> None:
    """UserTrades leaves out young trades, and counts it."""
    w = world()
    w.place("BUY", "0.003")
    fault = w.fault(FaultName.STALE_TRADES, count=0, delay_ms=400)
    assert w.answer("GET", "/fapi/v1/userTrades", symbol="BTCUSDT") == []
    w.clock.ms += 400
    assert len(w.answer("GET", "/fapi/v1/userTrades", symbol="BTCUSDT")) == 1
    assert fault.hits == 1


def kinds(w: World) -> list[str]:
    """Return the kinds of the frames of one MARKET order."""
    w.place("BUY", "0.003")
    return [f["e"] + f.get("o", {}).get("x", "") for f in w.outlet.frames()]


NORMAL = ["TRADE_LITE", "ORDER_TRADE_UPDATENEW", "ORDER_TRADE_UPDATETRADE", "ACCOUNT_UPDATE"]


@pytest.mark.parametrize(
    ("name", "match", "expected"),
    [
        (FaultName.STREAM_DROP, Match(event="ACCOUNT_UPDATE"), NORMAL[:3]),
        (FaultName.STREAM_DUPLICATE, Match(event="TRADE_LITE"), [NORMAL[0], *NORMAL]),
        (FaultName.STREAM_REORDER, Match(event="TRADE_LITE"), [NORMAL[1], NORMAL[0], *NORMAL[2:]]),
        (FaultName.STREAM_CLOSE, Match(event="ACCOUNT_UPDATE"), NORMAL[:3]),
        (FaultName.STREAM_DROP, Match(symbol="ETHUSDT"), NORMAL),
        (FaultName.STREAM_DROP, Match(account="b"), NORMAL),
    ],
)
def test_a_stream_fault_strikes_its_event(name: FaultName, match: Match, expected: list[str]) -> None:
    """An event is lost, doubled or moved if the fault matches it, and the next match is whole again."""
    w = world()
    fault = w.fault(name, match)
    assert kinds(w) == expected
    assert w.outlet.closed == (["a"] if name is FaultName.STREAM_CLOSE else [])
    assert fault.hits == int(expected != NORMAL)
    assert kinds(w) == NORMAL or fault.hits == 0


def test_a_stream_can_be_late_or_silent() -> None:
    """A delayed event carries its delay; an endless drop silences the stream while trading goes on."""
    w = world()
    w.fault(FaultName.STREAM_DELAY, Match(event="ACCOUNT_UPDATE"), delay_ms=250)
    w.place("BUY", "0.003")
    assert [d.delay_ms for d in w.outlet.deliveries] == [0, 0, 0, 250]
    w.outlet.frames()
    fault = w.fault(FaultName.STREAM_DROP, count=0)
    assert kinds(w) == []
    assert fault.hits == 4
    assert w.held() == ["BOTH 0.006"]


def test_every_fault_is_described() -> None:
    """The catalogue describes each fault that can be armed."""
    assert set(CATALOGUE) == set(FaultName)
