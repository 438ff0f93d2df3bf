"""The codecs: the venue's documented payloads come out whole, and no bytes bring anything but the documented error."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.errors import VenueUnavailable
from holdfast.domain.names import VenueOrderId
from holdfast.domain.order import OrderReport, VenueOrderStatus
from holdfast.domain.sides import PositionMode, PositionSide, Side, Source
from holdfast.venues.binance import wire
from holdfast.venues.binance.instruments import decode_instruments
from tests.unit.venues.venue_kit import BTC, CLIENT_ID, ORDER_BODY

if TYPE_CHECKING:
    from collections.abc import Callable

GET_ORDER = {
    **json.loads(ORDER_BODY),
    "avgPrice": "61000.10",
    "cumQuote": "427.0007",
    "time": 1_790_000_000_000,
    "reduceOnly": False,
}
POSITION = {
    "symbol": "ADAUSDT",
    "positionSide": "BOTH",
    "positionAmt": "30",
    "entryPrice": "0.385",
    "breakEvenPrice": "0.385077",
    "markPrice": "0.41047590",
    "unRealizedProfit": "0.76427700",
    "liquidationPrice": "0",
    "isolatedMargin": "0",
    "notional": "12.31427700",
    "marginAsset": "USDT",
    "adl": 2,
    "updateTime": 1_720_736_417_660,
}
TRADE = {
    "symbol": "BTCUSDT",
    "id": 698759,
    "orderId": 25851813,
    "side": "SELL",
    "positionSide": "BOTH",
    "price": "7819.01",
    "qty": "0.002",
    "quoteQty": "15.63802",
    "realizedPnl": "-0.91539999",
    "commission": "-0.07819010",
    "commissionAsset": "USDT",
    "buyer": False,
    "maker": False,
    "time": 1_569_514_978_020,
}
SYMBOL = {
    "symbol": "BTCUSDT",
    "pair": "BTCUSDT",
    "contractType": "PERPETUAL",
    "status": "TRADING",
    "pricePrecision": 2,
    "quantityPrecision": 3,
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "556.80", "maxPrice": "4529764", "tickSize": "0.10"},
        {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "120", "stepSize": "0.001"},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "MIN_NOTIONAL", "notional": "100"},
        {"filterType": "PERCENT_PRICE", "multiplierUp": "1.05", "multiplierDown": "0.95", "multiplierDecimal": "4"},
    ],
}


def body(value: object) -> bytes:
    """As it comes over the wire."""
    return json.dumps(value).encode()


def without(value: dict[str, Any], name: str) -> dict[str, Any]:
    """The same without one field."""
    return {key: one for key, one in value.items() if key != name}


def test_an_order_is_read_whole() -> None:
    """Every field of the report comes from its field of the answer."""
    assert wire.decode_order(body(GET_ORDER)) == OrderReport(
        symbol=BTC,
        client_order_id=CLIENT_ID,
        order_id=VenueOrderId(22542179),
        side=Side.SELL,
        position_side=PositionSide.BOTH,
        status=VenueOrderStatus.FILLED,
        qty=Decimal("0.007"),
        executed_qty=Decimal("0.007"),
        avg_price=Decimal("61000.10"),
        reduce_only=False,
        venue_ms=1_790_000_000_001,
    )


@pytest.mark.parametrize("price", ["0", "0.00000", None])
def test_a_missing_or_zero_average_price_is_none(price: str | None) -> None:
    """The venue's ways to say that there is no price never become the number 0."""
    value = {**GET_ORDER, "avgPrice": price}
    assert wire.decode_order(body(value)).avg_price is None
    assert wire.decode_order(body(without(GET_ORDER, "avgPrice"))).avg_price is None


def test_an_unknown_status_is_other_and_not_final() -> None:
    """A status that the venue invents tomorrow is tolerated and counts as not final."""
    report = wire.decode_order(body({**GET_ORDER, "status": "NEW_ADL", "somethingNew": {"a": [1]}}))
    assert report.status is VenueOrderStatus.OTHER
    assert not report.status.is_final


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("executedQty", 0.007),
        ("executedQty", "-0.007"),
        ("executedQty", "NaN"),
        ("executedQty", "Infinity"),
        ("executedQty", "1E+400"),
        ("executedQty", ""),
        ("executedQty", None),
        ("origQty", "1e"),
        ("avgPrice", "-1"),
        ("avgPrice", 61000.1),
        ("orderId", "22542179"),
        ("orderId", -1),
        ("orderId", 2**63),
        ("orderId", 1.5),
        ("updateTime", -1),
        ("updateTime", 10**15),
        ("side", "HOLD"),
        ("positionSide", ""),
        ("reduceOnly", "true"),
        ("symbol", ""),
        ("symbol", "X" * 65),
        ("clientOrderId", 7),
    ],
)
def test_an_order_with_a_field_that_matters_wrong_is_no_answer(name: str, value: object) -> None:
    """What matters is strict: a wrong amount, id, time or side makes the whole answer unreadable."""
    with pytest.raises(VenueUnavailable):
        wire.decode_order(body({**GET_ORDER, name: value}))


@pytest.mark.parametrize("name", ["executedQty", "origQty", "orderId", "side", "positionSide", "status", "updateTime"])
def test_an_order_with_a_field_missing_is_no_answer(name: str) -> None:
    """A missing field is never filled in."""
    with pytest.raises(VenueUnavailable):
        wire.decode_order(body(without(GET_ORDER, name)))


def test_a_trade_is_read_whole() -> None:
    """A trade has the id, order, sides, quantity, price and time of the answer, and no client id."""
    (trade,) = wire.decode_trades(body([{**TRADE, "pair": "BTCUSDT", "marginAsset": "USDT"}]))
    assert (trade.symbol, trade.trade_id, trade.order_id) == ("BTCUSDT", 698759, 25851813)
    assert (trade.side, trade.position_side, trade.source) == (Side.SELL, PositionSide.BOTH, Source.REST)
    assert (trade.qty, trade.price, trade.venue_ms) == (Decimal("0.002"), Decimal("7819.01"), 1_569_514_978_020)
    assert trade.client_order_id is None
    assert trade.signed_qty == Decimal("-0.002")


@pytest.mark.parametrize(("name", "value"), [("qty", "0"), ("qty", "-1"), ("qty", 2), ("id", None), ("time", "now")])
def test_a_trade_that_cannot_be_is_no_answer(name: str, value: object) -> None:
    """A trade of nothing, or without its number, makes the whole page unreadable."""
    with pytest.raises(VenueUnavailable):
        wire.decode_trades(body([TRADE, {**TRADE, name: value}]))


def test_positions_keep_their_text() -> None:
    """A row carries what dates and sizes it; the rest is tolerated."""
    (row,) = wire.decode_positions(body([POSITION]))
    assert (row.symbol, row.position_side, row.position_amt) == ("ADAUSDT", PositionSide.BOTH, "30")
    assert (row.update_time, row.entry_price, row.mark_price) == (1_720_736_417_660, "0.385", "0.41047590")


@pytest.mark.parametrize(
    "value", [{}, {"code": -1, "msg": ""}, [1], [None], None, "x", [without(POSITION, "updateTime")]]
)
def test_an_answer_that_is_no_list_of_positions_is_no_view(value: object) -> None:
    """Only a list of whole rows is an answer; an error body or a row without its time never reads as flat."""
    with pytest.raises(VenueUnavailable):
        wire.decode_positions(body(value))


def test_the_clock_the_mode_and_the_listen_key_are_read() -> None:
    """The three small answers."""
    assert wire.decode_time(b'{"serverTime":1499827319559}') == 1_499_827_319_559
    assert wire.decode_position_mode(b'{"dualSidePosition":true,"feeTier":0}') is PositionMode.HEDGE
    assert wire.decode_position_mode(b'{"dualSidePosition":false}') is PositionMode.ONE_WAY
    assert wire.decode_listen_key(b'{"listenKey":"pqia91ma19a5s61cv6a81va65sd"}') == "pqia91ma19a5s61cv6a81va65sd"


@pytest.mark.parametrize("text", ["", "a/b", "a?b", "a b", "../x"])
def test_a_listen_key_that_would_bend_the_address_is_refused(text: str) -> None:
    """The listen key becomes part of an address: only letters, digits, `_` and `-` may."""
    with pytest.raises(VenueUnavailable):
        wire.decode_listen_key(body({"listenKey": text}))


def test_an_instrument_is_read_from_its_filters() -> None:
    """Steps and bounds come from the filters, not from the precisions."""
    one = decode_instruments(body({"symbols": [SYMBOL], "serverTime": 0}))[BTC]
    assert (one.status, one.is_trading, one.qty_step) == ("TRADING", True, Decimal("0.001"))
    assert (one.qty_min, one.qty_max) == (Decimal("0.001"), Decimal(1000))
    assert (one.market_qty_min, one.market_qty_max) == (Decimal("0.001"), Decimal(120))
    assert (one.price_tick, one.notional_min) == (Decimal("0.10"), Decimal(100))


def test_mark_prices_leave_out_what_has_none() -> None:
    """A mark price of 0 is no price."""
    rows = [{"symbol": "BTCUSDT", "markPrice": "61000.10", "time": 1}, {"symbol": "OLDUSDT", "markPrice": "0.00000000"}]
    assert wire.decode_marks(body(rows)) == {BTC: Decimal("61000.10")}
    with pytest.raises(VenueUnavailable):
        wire.decode_marks(body([{"symbol": "BTCUSDT", "markPrice": "NaN"}]))


def _steps(lot: str, market: str) -> dict[str, Any]:
    filters = [{"filterType": "LOT_SIZE", "stepSize": lot, "minQty": "0", "maxQty": "0"}]
    return {**SYMBOL, "filters": [*filters, {"filterType": "MARKET_LOT_SIZE", "stepSize": market}]}


@pytest.mark.parametrize(
    ("lot", "market", "step"), [("0.001", "0.01", "0.01"), ("1", "0.1", "1"), ("0.1", "0", "0.1"), ("0", "0.1", "0.1")]
)
def test_the_coarser_step_counts_and_a_zero_disables(lot: str, market: str, step: str) -> None:
    """One step fits both order types; a filter value of 0 is no bound at all."""
    one = decode_instruments(body({"symbols": [_steps(lot, market)]}))[BTC]
    assert one.qty_step == Decimal(step)
    assert (one.qty_min, one.qty_max, one.market_qty_max, one.notional_min) == (None, None, None, None)


@pytest.mark.parametrize(("lot", "market"), [("0", "0"), ("0.002", "0.003")])
def test_a_symbol_without_one_usable_step_is_left_out(lot: str, market: str) -> None:
    """A symbol whose quantities cannot be rounded is unknown, and so is not traded."""
    assert decode_instruments(body({"symbols": [_steps(lot, market)]})) == {}


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=12,
)
DECODERS: list[Callable[[bytes], object]] = [
    wire.decode_time,
    wire.decode_position_mode,
    wire.decode_listen_key,
    wire.decode_order,
    wire.decode_orders,
    wire.decode_trades,
    wire.decode_positions,
    wire.decode_marks,
    wire.decode_word,
    decode_instruments,
]
BASES = [GET_ORDER, POSITION, TRADE, SYMBOL]


@pytest.mark.parametrize("decode", DECODERS, ids=lambda one: getattr(one, "__name__", "?"))
@given(data=st.data())
def test_no_bytes_raise_anything_but_the_documented_error(
    decode: Callable[[bytes], object], data: st.DataObject
) -> None:
    """Junk, foreign JSON and real answers with one field changed are read or refused, never more than that."""
    base = data.draw(st.sampled_from(BASES))
    changed = {**base, data.draw(st.sampled_from(sorted(base))): data.draw(JSON)}
    raw = data.draw(
        st.one_of(
            st.binary(max_size=100),
            JSON.map(body),
            st.sampled_from([changed, [changed], {"symbols": [changed]}]).map(body),
        )
    )
    try:
        decode(raw)
    except VenueUnavailable:
        return


@pytest.mark.parametrize("decode", DECODERS, ids=lambda one: getattr(one, "__name__", "?"))
@pytest.mark.parametrize(
    "raw", [b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b"1e999999999", b'{"serverTime":1e400}']
)
def test_hostile_bytes_raise_the_documented_error(decode: Callable[[bytes], object], raw: bytes) -> None:
    """Nesting without end, wrong UTF-8 and numbers beyond measure are refused like any other junk."""
    if decode is wire.decode_word:
        assert decode(raw) is None
        return
    with pytest.raises(VenueUnavailable):
        decode(raw)
