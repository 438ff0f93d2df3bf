"""The stream's codec: each documented event comes out whole, and what cannot be read is never passed over."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.errors import VenueUnavailable
from holdfast.domain.order import VenueOrderStatus
from holdfast.domain.sides import PositionMode, PositionSide, Side, Source
from holdfast.ports.venue import ModeSeen, OrderSeen, PositionsSeen, TradeSeen
from holdfast.venues.binance.frames import IGNORED, KeyExpired, decode_frame
from tests.unit.venues.frame_kit import ROW, moved, update
from tests.unit.venues.venue_kit import ACCOUNT


def read(frame: object, mode: PositionMode = PositionMode.ONE_WAY) -> object:
    """Decode one frame."""
    return decode_frame(json.dumps(frame).encode(), ACCOUNT, mode, 99)


def test_an_execution_is_a_trade_with_its_order() -> None:
    """The trade has this fill's quantity and price and the match's time; the report has the cumulated ones."""
    event = read(update())
    assert isinstance(event, TradeSeen)
    trade, report = event.trade, event.report
    assert (trade.trade_id, trade.order_id, trade.client_order_id) == (5, 8886774, "clientId")
    assert (trade.qty, trade.price, trade.venue_ms) == (Decimal("0.001"), Decimal("61001.5"), 1568879465650)
    assert (trade.side, trade.position_side, trade.source) == (Side.SELL, PositionSide.BOTH, Source.STREAM)
    assert (report.qty, report.executed_qty, report.avg_price) == (Decimal("0.003"), Decimal("0.002"), Decimal(61000))
    assert (report.status, report.reduce_only, report.venue_ms) == (
        VenueOrderStatus.PARTIALLY_FILLED,
        True,
        1568879465651,
    )


@pytest.mark.parametrize("execution", ["NEW", "CANCELED", "EXPIRED", "AMENDMENT", "SOMETHING_NEW"])
def test_another_execution_type_is_an_order_seen(execution: str) -> None:
    """Without a fill only the order's state is reported; fee fields may be absent."""
    frame = update(x=execution, X="NEW", l="0", L="0", t=0, z="0", ap="0")
    del frame["o"]["N"], frame["o"]["n"]
    event = read(frame)
    assert isinstance(event, OrderSeen)
    assert (event.report.avg_price, event.report.executed_qty) == (None, Decimal(0))


def test_a_liquidations_execution_is_a_trade() -> None:
    """CALCULATED with a trade id is an execution, without one it is a change of the order."""
    assert isinstance(read(update(x="CALCULATED", c="autoclose-1596107620040000020")), TradeSeen)
    assert isinstance(read(update(x="CALCULATED", t=0, l="0")), OrderSeen)


@pytest.mark.parametrize(
    ("fields", "is_forced"),
    [
        ({}, False),
        ({"x": "CALCULATED"}, True),
        ({"o": "LIQUIDATION"}, True),
        ({"X": "NEW_ADL"}, True),
        ({"X": "NEW_INSURANCE"}, True),
        ({"c": "autoclose-1"}, True),
        ({"X": "SOMETHING_NEW", "o": "TWAP"}, False),
    ],
)
def test_the_venues_own_orders_say_so_whatever_their_client_id(fields: dict[str, str], is_forced: bool) -> None:  # noqa: FBT001 - a table's column
    """Type, status, execution or client id: each is the venue's word that it placed the order."""
    event = read(update(**fields))
    assert isinstance(event, TradeSeen)
    assert event.report.is_forced is is_forced


def test_positions_are_dated_by_the_match() -> None:
    """`pa` is the new amount, `T` the venue time at which it was true, the receipt our clock."""
    event = read(moved(ROW, {**ROW, "s": "ETHUSDT", "pa": "0", "ep": "0.0"}))
    assert isinstance(event, PositionsSeen)
    first, second = event.positions
    assert (first.leg.symbol, first.amt, first.as_of_ms, first.read_ms) == ("BTCUSDT", Decimal("-0.5"), 7, 99)
    assert (first.source, first.entry_price) == (Source.STREAM, Decimal(61000))
    assert (second.amt, second.entry_price) == (Decimal(0), None)
    assert event.cause == "ORDER"


def test_funding_on_cross_margin_names_no_position() -> None:
    """An event without rows still says that something happened, and what."""
    assert read(moved(cause="FUNDING_FEE")) == PositionsSeen((), "FUNDING_FEE")


def test_hedge_rows_are_legs_and_a_flat_both_row_is_left_out() -> None:
    """In hedge mode the venue sends a BOTH row too; flat, it says nothing."""
    both, long, short = {**ROW, "pa": "0"}, {**ROW, "ps": "LONG", "pa": "2"}, {**ROW, "ps": "SHORT", "pa": "-1"}
    event = read(moved(both, long, short), PositionMode.HEDGE)
    assert isinstance(event, PositionsSeen)
    assert [one.amt for one in event.positions] == [Decimal(2), Decimal(-1)]


@pytest.mark.parametrize(("side", "mode"), [("LONG", PositionMode.ONE_WAY), ("BOTH", PositionMode.HEDGE)])
def test_a_position_that_the_mode_does_not_have_means_that_the_mode_changed(side: str, mode: PositionMode) -> None:
    """The account's configuration is to be read again."""
    assert isinstance(read(moved({**ROW, "ps": side}), mode), ModeSeen)


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ({"e": "listenKeyExpired", "E": 1736996475556, "listenKey": "x"}, KeyExpired()),
        (
            {"e": "ACCOUNT_CONFIG_UPDATE", "E": 0, "T": 0, "ac": {"s": "BTCUSDT", "l": 25}},
            ModeSeen("leverage of BTCUSDT"),
        ),
        ({"e": "ACCOUNT_CONFIG_UPDATE", "E": 0, "T": 0, "ai": {"j": True}}, ModeSeen("account configuration")),
        ({"e": "TRADE_LITE", "s": "BTCUSDT", "q": "0.001"}, IGNORED),
        ({"e": "MARGIN_CALL", "E": 0, "cw": "3.1", "p": []}, IGNORED),
        ({"e": "SOMETHING_NEW", "x": [1]}, IGNORED),
        ({"result": None, "id": 1}, IGNORED),
        ({**update(), "st": 2}, IGNORED),
        (update(st=2), IGNORED),
        (moved({**ROW, "st": 2}), PositionsSeen((), "ORDER")),
    ],
)
def test_the_other_events(frame: object, expected: object) -> None:
    """Each known event has its meaning; unknown ones, and those of the COIN-M product, have none."""
    assert read(frame) == expected


@pytest.mark.parametrize(
    "frame",
    [
        [],
        None,
        "x",
        {"e": 5},
        {"e": "ORDER_TRADE_UPDATE"},
        {"e": "ORDER_TRADE_UPDATE", "T": 1},
        update(l="NaN"),
        update(l="0"),
        update(l=0.001),
        update(t=-1),
        update(z="-1"),
        update(S="HOLD"),
        update(ps="NONE"),
        update(i=None),
        {"e": "ACCOUNT_UPDATE", "T": 1},
        moved({**ROW, "pa": "x"}),
        moved({**ROW, "ps": None}),
    ],
)
def test_a_known_event_that_cannot_be_read_is_an_error(frame: object) -> None:
    """Something may have been missed: that is never passed over."""
    with pytest.raises(VenueUnavailable):
        read(frame)


FRAMES = [update(), moved(ROW), {"e": "ACCOUNT_CONFIG_UPDATE", "ac": {"s": "X"}}]
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=8,
)


@given(st.data())
def test_no_frame_raises_anything_but_the_documented_error(data: st.DataObject) -> None:
    """Junk and real events with one field changed are read or refused, never more than that."""
    frame = json.loads(json.dumps(data.draw(st.sampled_from(FRAMES))))
    inner = next((frame[name] for name in ("o", "a", "ac") if name in frame), frame)
    inner[data.draw(st.sampled_from(sorted(inner)))] = data.draw(JSON)
    raw = data.draw(st.one_of(st.binary(max_size=60), JSON.map(lambda one: json.dumps(one).encode())))
    for one in (raw, json.dumps(frame).encode(), b'{"e":' * 50_000):
        try:
            decode_frame(one, ACCOUNT, PositionMode.ONE_WAY, 1)
        except VenueUnavailable:
            continue
