"""What orders do: time in force, depth, resting, self-trade prevention, numbering, and what the stream says of it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.sim.core.knobs import EventOrder
from holdfast.sim.core.resting import tick
from tests.unit.sim.world import World, world

ABOVE, BELOW = "65000", "63000"


@pytest.mark.parametrize(
    ("price", "tif", "depth", "code", "status", "executed", "reason"),
    [
        (None, "GTC", None, None, "FILLED", "0.010", "0"),
        (None, "GTC", "0.004", None, "EXPIRED", "0.004", "9"),
        (None, "GTC", "0", None, "EXPIRED", "0", "9"),
        (ABOVE, "GTC", None, None, "FILLED", "0.010", "0"),
        (ABOVE, "GTC", "0.004", None, "PARTIALLY_FILLED", "0.004", "0"),
        (BELOW, "GTC", None, None, "NEW", "0", "0"),
        (ABOVE, "IOC", None, None, "FILLED", "0.010", "0"),
        (ABOVE, "IOC", "0.004", None, "EXPIRED", "0.004", "2"),
        (BELOW, "IOC", None, None, "EXPIRED", "0", "2"),
        (ABOVE, "FOK", None, None, "FILLED", "0.010", "0"),
        (ABOVE, "FOK", "0.004", -5021, None, None, None),
        (BELOW, "FOK", None, -5021, None, None, None),
        (ABOVE, "GTX", None, -5022, None, None, None),
        (BELOW, "GTX", None, None, "NEW", "0", "0"),
    ],
)
def test_time_in_force_and_depth(
    *,
    price: str | None,
    tif: str,
    depth: str | None,
    code: int | None,
    status: str | None,
    executed: str | None,
    reason: str | None,
) -> None:
    """Each time in force fills, rests, expires or is refused without a record, as the table says."""
    w = world()
    w.exchange.market("BTCUSDT").depth = None if depth is None else Decimal(depth)
    terms = {} if price is None else {"price": price, "timeInForce": tif}
    assert w.refusal("BUY", "0.010", **terms) == code
    orders = list(w.exchange.truth.orders)
    if code is not None:
        assert (orders, w.outlet.frames()) == ([], [])
        return
    assert (orders[0].status, orders[0].executed, orders[0].expiry) == (status, Decimal(executed or 0), reason)


def move(w: World, price: str) -> None:
    """Move the price, and let resting orders see it."""
    w.exchange.market("BTCUSDT").set_price(Decimal(price))
    tick(w.exchange)


def test_a_resting_order_fills_at_its_own_price_when_the_market_comes() -> None:
    """A resting BUY waits below the market, and fills as maker at its own price once the ask reaches it."""
    w = world()
    order = w.place("BUY", "0.010", price="63500")
    move(w, "63600")
    assert order.status == "NEW"
    move(w, "63400")
    assert (order.status, order.average) == ("FILLED", Decimal(63500))
    assert w.account.trades["BTCUSDT"][0].maker
    assert w.account.reserved == 0


def test_a_halted_symbol_fills_no_resting_order() -> None:
    """A resting order on a symbol that settles waits, whatever the price."""
    w = world()
    order = w.place("BUY", "0.010", price="63500")
    w.answer("GET", "/fapi/v1/time")
    w.exchange.market("BTCUSDT").status = type(w.exchange.market("BTCUSDT").status).SETTLING
    move(w, "63000")
    assert order.status == "NEW"


def test_a_resting_close_is_cut_to_what_is_left() -> None:
    """A resting reduce-only order never fills more than the position, and expires when there is none."""
    w = world()
    w.place("BUY", "0.010")
    exit_order = w.place("SELL", "0.010", price="64500", reduceOnly="true")
    w.place("SELL", "0.006")
    move(w, "64600")
    assert (exit_order.executed, exit_order.status, exit_order.expiry) == (Decimal("0.004"), "EXPIRED", "4")
    assert w.held() == []


@pytest.mark.parametrize(
    ("mode", "maker", "taker", "held"),
    [
        ("EXPIRE_MAKER", "EXPIRED_IN_MATCH", "FILLED", ["BOTH -0.010"]),
        ("EXPIRE_TAKER", "NEW", "EXPIRED_IN_MATCH", []),
        ("EXPIRE_BOTH", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH", []),
        ("NONE", "NEW", "FILLED", ["BOTH -0.010"]),
    ],
)
def test_an_account_does_not_trade_with_itself(mode: str, maker: str, taker: str, held: list[str]) -> None:
    """A taker that meets its own account's best bid makes one of them expire, as its mode says."""
    w = world()
    own = w.place("BUY", "0.010", price="63999.9")
    order = w.place("SELL", "0.010", selfTradePreventionMode=mode)
    assert (own.status, order.status) == (maker, taker)
    assert w.held() == held


def test_ids_grow_and_trades_are_numbered_by_symbol() -> None:
    """Order ids and trade ids of a symbol only grow, and no trade id comes twice."""
    w = world()
    w.knobs(fills_per_match=3)
    orders = [w.place("BUY" if n % 2 else "SELL", "0.006") for n in range(6)]
    ids = [o.order_id for o in orders]
    trades = [t.trade_id for t in w.account.trades["BTCUSDT"]]
    assert ids == sorted(set(ids))
    assert trades == sorted(set(trades))
    assert len(trades) == 18


def test_one_match_tells_its_story_in_order() -> None:
    """A MARKET order in two trades sends quick copies, NEW, both trades and one account update with the new amount."""
    w = world()
    w.knobs(fills_per_match=2)
    w.place("BUY", "0.007", newClientOrderId="x")
    frames = w.outlet.frames()
    assert [(f["e"], f.get("o", {}).get("x"), f.get("o", {}).get("X")) for f in frames] == [
        ("TRADE_LITE", None, None),
        ("TRADE_LITE", None, None),
        ("ORDER_TRADE_UPDATE", "NEW", "NEW"),
        ("ORDER_TRADE_UPDATE", "TRADE", "PARTIALLY_FILLED"),
        ("ORDER_TRADE_UPDATE", "TRADE", "FILLED"),
        ("ACCOUNT_UPDATE", None, None),
    ]
    first, last = frames[3]["o"], frames[4]["o"]
    assert (first["l"], first["z"], last["l"], last["z"]) == ("0.003", "0.003", "0.004", "0.007")
    assert (frames[5]["a"]["m"], [(p["s"], p["pa"]) for p in frames[5]["a"]["P"]]) == ("ORDER", [("BTCUSDT", "0.007")])
    assert len({f["T"] for f in frames}) == 1


def test_a_resting_order_changes_no_account() -> None:
    """An order without a fill sends its own update and no account update."""
    w = world()
    w.place("BUY", "0.003", price="63000")
    assert [f["e"] for f in w.outlet.frames()] == ["ORDER_TRADE_UPDATE"]


def test_shuffled_events_keep_their_order_within_a_type() -> None:
    """With events shuffled, types mix in more than one way and each type keeps its order."""
    seen = set()
    for seed in range(12):
        w = world(seed=seed)
        w.knobs(event_order=EventOrder.SHUFFLED.value, fills_per_match=2)
        w.place("BUY", "0.010")
        frames = w.outlet.frames()
        seen.add(tuple(f["e"] for f in frames))
        assert [f["o"]["X"] for f in frames if f["e"] == "ORDER_TRADE_UPDATE"] == ["NEW", "PARTIALLY_FILLED", "FILLED"]
        trades = [f["t"] for f in frames if f["e"] == "TRADE_LITE"]
        assert trades == sorted(trades)
    assert len(seen) > 3


def test_the_price_walk_is_replayable_and_bounded() -> None:
    """One seed shows the same prices at the same times, another seed shows others, and all sit on the tick."""

    def prices(seed: int) -> list[Decimal]:
        w = world(seed=seed, volatility_ppm=500)
        return [w.exchange.market("BTCUSDT").quote(w.clock.ms + 1000 * n).mark for n in range(200)]

    assert prices(1) == prices(1)
    assert prices(1) != prices(2)
    assert len(set(prices(1))) > 100
    assert all(p % Decimal("0.1") == 0 and 32_000 <= p <= 128_000 for p in prices(1))


def test_a_good_till_date_and_a_countdown_end_resting_orders() -> None:
    """A GTD order expires at its date, and the dead man's switch cancels what still rests on its symbol."""
    w = world()
    dated = w.place("BUY", "0.003", price="63000", timeInForce="GTD", goodTillDate=str(w.clock.ms + 5000))
    left = w.place("BUY", "0.003", price="63000")
    w.answer("POST", "/fapi/v1/countdownCancelAll", symbol="BTCUSDT", countdownTime="9000")
    w.clock.ms += 5000
    tick(w.exchange)
    assert (dated.status, left.status) == ("EXPIRED", "NEW")
    w.clock.ms += 4000
    tick(w.exchange)
    assert left.status == "CANCELED"


def test_a_countdown_of_zero_stops_the_switch() -> None:
    """A countdown that is set to 0 cancels nothing."""
    w = world()
    left = w.place("BUY", "0.003", price="63000")
    w.answer("POST", "/fapi/v1/countdownCancelAll", symbol="BTCUSDT", countdownTime="9000")
    w.answer("POST", "/fapi/v1/countdownCancelAll", symbol="BTCUSDT", countdownTime="0")
    w.clock.ms += 10_000
    tick(w.exchange)
    assert left.status == "NEW"


def test_an_amended_order_keeps_its_id() -> None:
    """PUT order changes price and quantity of the same order, tells the stream, and lets it fill if it crosses now."""
    w = world()
    order = w.place("BUY", "0.003", price="63000")
    w.outlet.frames()
    answer = w.answer(
        "PUT", "/fapi/v1/order", symbol="BTCUSDT", orderId=str(order.order_id), side="BUY", quantity="0.004",
        price="64500",
    )  # fmt: skip
    assert (answer["orderId"], answer["origQty"], answer["price"]) == (order.order_id, "0.004", "64500")
    assert [f["o"]["x"] for f in w.outlet.frames() if f["e"] == "ORDER_TRADE_UPDATE"] == ["AMENDMENT", "TRADE"]


def test_an_amended_order_reserves_margin_for_its_new_size() -> None:
    """A resting order that is amended ten times larger holds ten times the margin."""
    w = world()
    order = w.place("BUY", "0.100", price="63000")
    before = w.account.reserved
    w.answer(
        "PUT", "/fapi/v1/order", symbol="BTCUSDT", orderId=str(order.order_id), side="BUY", quantity="1.000",
        price="63000",
    )  # fmt: skip
    assert w.account.reserved == before * 10
