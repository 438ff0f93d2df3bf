"""Who may place which order: position mode, reduce-only, filters, margin, client ids, standing."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.sim.core.account import Mode, Restriction
from holdfast.sim.core.market import SymbolStatus
from tests.unit.sim.world import World, world


@pytest.mark.parametrize(
    ("mode", "position_side", "reduce_only", "tolerance", "code"),
    [
        (Mode.ONE_WAY, None, None, "refuse", None),
        (Mode.ONE_WAY, "BOTH", "false", "refuse", None),
        (Mode.ONE_WAY, "LONG", None, "refuse", -4061),
        (Mode.ONE_WAY, "SHORT", "true", "refuse", -4061),
        (Mode.HEDGE, "LONG", None, "refuse", None),
        (Mode.HEDGE, None, None, "refuse", -4061),
        (Mode.HEDGE, "BOTH", None, "refuse", -4061),
        (Mode.HEDGE, "LONG", "true", "refuse", -1106),
        (Mode.HEDGE, "LONG", "false", "refuse", -1106),
        (Mode.HEDGE, "LONG", "false", "accept", None),
        (Mode.HEDGE, "LONG", "true", "accept", -1106),
        (Mode.HEDGE, "SIDEWAYS", None, "refuse", -4060),
    ],
)
def test_an_order_must_speak_the_accounts_position_mode(
    mode: Mode, position_side: str | None, reduce_only: str | None, tolerance: str, code: int | None
) -> None:
    """Position side and reduceOnly are accepted or refused by mode as the table says."""
    w = world(mode)
    w.knobs(hedge_reduce_only_false=tolerance)
    more = {"positionSide": position_side, "reduceOnly": reduce_only}
    assert w.refusal("BUY", "0.003", **{k: v for k, v in more.items() if v is not None}) == code


HOLD_LONG, HOLD_SHORT = ("BUY", "0.005"), ("SELL", "0.005")


@pytest.mark.parametrize(
    ("held", "side", "qty", "knob", "code", "left"),
    [
        (None, "SELL", "0.003", "clamp", -2022, []),
        (None, "BUY", "0.003", "clamp", -2022, []),
        (HOLD_LONG, "BUY", "0.003", "clamp", -2022, ["BOTH 0.005"]),
        (HOLD_SHORT, "SELL", "0.003", "clamp", -2022, ["BOTH -0.005"]),
        (HOLD_LONG, "SELL", "0.003", "clamp", None, ["BOTH 0.002"]),
        (HOLD_LONG, "SELL", "0.005", "clamp", None, []),
        (HOLD_LONG, "SELL", "0.009", "clamp", None, []),
        (HOLD_LONG, "SELL", "0.009", "reject", -2022, ["BOTH 0.005"]),
        (HOLD_SHORT, "BUY", "0.002", "clamp", None, ["BOTH -0.003"]),
        (HOLD_SHORT, "BUY", "0.009", "clamp", None, []),
        (HOLD_SHORT, "BUY", "0.009", "reject", -2022, ["BOTH -0.005"]),
        (HOLD_LONG, "SELL", "0.001", "clamp", None, ["BOTH 0.004"]),
    ],
)
def test_reduce_only_in_one_way_mode(
    *, held: tuple[str, str] | None, side: str, qty: str, knob: str, code: int | None, left: list[str]
) -> None:
    """A reduce-only order shrinks the position, is cut to it, or is refused, and never opens or flips."""
    w = world()
    w.knobs(reduce_only_oversize=knob)
    if held is not None:
        w.place(*held)
    assert w.refusal(side, qty, reduceOnly="true") == code
    assert w.held() == left


@pytest.mark.parametrize(
    ("side", "position_side", "qty", "code", "left"),
    [
        ("SELL", "LONG", "0.002", None, ["LONG 0.003", "SHORT -0.004"]),
        ("BUY", "SHORT", "0.004", None, ["LONG 0.005"]),
        ("SELL", "LONG", "0.050", None, ["SHORT -0.004"]),
        ("BUY", "SHORT", "0.050", None, ["LONG 0.005"]),
        ("SELL", "SHORT", "0.002", None, ["LONG 0.005", "SHORT -0.006"]),
    ],
)
def test_hedge_legs_close_apart_and_never_flip(
    side: str, position_side: str, qty: str, code: int | None, left: list[str]
) -> None:
    """A closing order in hedge mode reduces its own leg, at most to flat, and leaves the other alone."""
    w = world(Mode.HEDGE)
    w.place("BUY", "0.005", positionSide="LONG")
    w.place("SELL", "0.004", positionSide="SHORT")
    assert w.refusal(side, qty, positionSide=position_side) == code
    assert w.held() == left


def test_closing_a_flat_hedge_leg_is_refused() -> None:
    """A hedge leg that holds nothing can't be closed."""
    assert world(Mode.HEDGE).refusal("SELL", "0.003", positionSide="LONG") == -2022


@pytest.mark.parametrize(
    ("knob", "code", "resting", "left"),
    [
        ("-2022", -2022, 1, ["BOTH 0.005"]),
        ("-4118", -4118, 1, ["BOTH 0.005"]),
        ("knock_out_resting", None, 0, []),
    ],
)
def test_a_resting_order_may_use_the_position_up(knob: str, code: int | None, resting: int, left: list[str]) -> None:
    """A close whose position is taken by a resting order is refused, or knocks that order out, by knob."""
    w = world()
    w.knobs(reduce_only_conflict=knob)
    w.place("BUY", "0.005")
    take_profit = w.place("SELL", "0.005", price="66000", reduceOnly="true")
    w.outlet.frames()
    assert w.refusal("SELL", "0.005", reduceOnly="true") == code
    assert len(w.account.book("BTCUSDT").open) == resting
    assert w.held() == left
    if code is None:
        assert (take_profit.status, take_profit.expiry) == ("EXPIRED", "4")
        assert [f["o"]["er"] for f in w.outlet.frames() if f.get("o", {}).get("X") == "EXPIRED"] == ["4"]


def test_a_close_beside_a_resting_order_that_leaves_room_is_taken() -> None:
    """Resting and new reduce-only orders are accepted as long as they fit the position together."""
    w = world()
    w.place("BUY", "0.005")
    w.place("SELL", "0.002", price="66000", reduceOnly="true")
    assert w.refusal("SELL", "0.003", reduceOnly="true") is None


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"quantity": "0"}, -4003),
        ({"quantity": "-0.003"}, -4003),
        ({"quantity": "0.0005"}, -1111),
        ({"quantity": "0.0031"}, -1111),
        ({"quantity": "120.001"}, -4005),
        ({"quantity": "NaN"}, -1100),
        ({"quantity": "1e-05"}, -1100),
        ({"quantity": "Infinity"}, -1100),
        ({"quantity": ""}, -1102),
        ({"quantity": "0.001"}, -4164),
        ({"side": "LONG"}, -1117),
        ({"side": ""}, -1102),
        ({"type": "BEST"}, -1116),
        ({"type": "LIQUIDATION"}, -1116),
        ({"type": "STOP_MARKET"}, -4120),
        ({"type": "TRAILING_STOP_MARKET"}, -4120),
        ({"closePosition": "true"}, -4136),
        ({"symbol": "NOPEUSDT"}, -1121),
        ({"newClientOrderId": "x" * 37}, -4015),
        ({"newClientOrderId": "a b"}, -4015),
        ({"newOrderRespType": "FULL"}, -1130),
        ({"selfTradePreventionMode": "MAYBE"}, -1130),
        ({"reduceOnly": "yes"}, -1102),
    ],
)
def test_a_market_order_off_the_rules_is_refused(params: dict[str, str], code: int) -> None:
    """Each broken rule of a MARKET order has its own code."""
    w = world()
    merged = {"side": "BUY", "quantity": "0.003", **params}
    side, qty = merged.pop("side"), merged.pop("quantity")
    assert w.refusal(side, qty, **merged) == code
    assert not w.exchange.truth.orders


@pytest.mark.parametrize(
    ("side", "price", "tif", "code"),
    [
        ("BUY", "0", "GTC", -4001),
        ("BUY", "63000.05", "GTC", -1111),
        ("BUY", "64000001", "GTC", -4002),
        ("BUY", "67200.1", "GTC", -4016),
        ("BUY", "67200.0", "IOC", None),
        ("SELL", "60799.9", "GTC", -4024),
        ("SELL", "60800.0", "IOC", None),
        ("BUY", "63000", "", -1102),
        ("BUY", "63000", "SOON", -1115),
        ("BUY", "63000", "GTD", -1102),
        ("BUY", "", "GTC", -1102),
        ("BUY", "63000.0", "GTC", None),
    ],
)
def test_a_limit_price_off_the_rules_is_refused(side: str, price: str, tif: str, code: int | None) -> None:
    """Each broken rule of a limit price has its own code, and the edge of the band is inside it."""
    assert world().refusal(side, "0.003", price=price, timeInForce=tif) == code


def test_a_limit_order_may_be_larger_than_a_market_order() -> None:
    """MARKET_LOT_SIZE has the smaller maximum: large MARKET orders must be sliced."""
    w = world()
    w.account.wallet = Decimal(10**9)
    assert w.refusal("BUY", "120.001") == -4005
    assert w.refusal("BUY", "120.001", price="63000") is None
    assert w.refusal("BUY", "1200.001", price="63000") == -4005


def test_reduce_only_is_exempt_from_the_smallest_notional() -> None:
    """A position worth less than MIN_NOTIONAL can be closed, by a reduce-only order alone."""
    w = world()
    w.place("BUY", "0.003")
    w.place("SELL", "0.002")
    assert w.refusal("SELL", "0.001") == -4164
    assert w.refusal("SELL", "0.001", reduceOnly="true") is None
    assert w.held() == []


def test_a_market_order_meets_the_price_band_too() -> None:
    """A MARKET order against a best price outside PERCENT_PRICE is refused."""
    w = world()
    w.exchange.market("BTCUSDT").set_spread(40_000)
    assert w.refusal("BUY", "0.003") == -4131
    assert w.refusal("SELL", "0.003") == -4131


@pytest.mark.parametrize(("qty", "code"), [("31.000", None), ("31.500", -2019)])
def test_margin_bounds_what_opens(qty: str, code: int | None) -> None:
    """An opening order needs its notional over the leverage in free margin."""
    assert world().refusal("BUY", qty) == code


def test_only_the_opening_part_needs_margin() -> None:
    """An account without free margin can close, but neither open nor flip by more than it has."""
    w = world()
    w.place("BUY", "31.000")
    assert w.refusal("BUY", "0.500") == -2019
    assert w.refusal("SELL", "80.000") == -2019
    assert w.refusal("SELL", "31.000") is None


def test_resting_orders_hold_margin_until_they_end() -> None:
    """Margin of a resting order is reserved, and comes back when it is cancelled."""
    w = world()
    resting = w.place("BUY", "30.000", price="63000")
    assert w.refusal("BUY", "5.000") == -2019
    w.answer("DELETE", "/fapi/v1/order", symbol="BTCUSDT", orderId=str(resting.order_id))
    assert w.account.reserved == 0
    assert w.refusal("BUY", "5.000") is None


def test_a_client_id_is_unique_among_open_orders_only() -> None:
    """The same client id is refused while its order is open, and executes a second time once it is closed."""
    w = world()
    w.place("BUY", "0.003", price="63000", newClientOrderId="x")
    assert w.refusal("BUY", "0.003", newClientOrderId="x") == -4116
    w.answer("DELETE", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="x")
    assert w.refusal("BUY", "0.003", newClientOrderId="x") is None
    assert w.refusal("BUY", "0.003", newClientOrderId="x") is None
    assert w.held() == ["BOTH 0.006"]


@pytest.mark.parametrize(
    ("restriction", "opening", "reducing"),
    [
        (Restriction.NONE, None, None),
        (Restriction.REDUCE_ONLY, -4087, None),
        (Restriction.NO_TRADING, -4088, -4088),
    ],
)
def test_a_restricted_account_may_do_less(restriction: Restriction, opening: int | None, reducing: int | None) -> None:
    """A reduce-only account can close, one that may not trade can do nothing."""
    w = world()
    w.place("BUY", "0.005")
    w.account.restriction = restriction
    assert w.refusal("BUY", "0.003") == opening
    assert w.refusal("SELL", "0.001", reduceOnly="true") == reducing


@pytest.mark.parametrize("status", [s for s in SymbolStatus if s is not SymbolStatus.TRADING])
def test_a_symbol_that_does_not_trade_takes_no_order(status: SymbolStatus) -> None:
    """Every status but TRADING refuses orders, closing ones too."""
    w = world()
    w.place("BUY", "0.005")
    w.exchange.market("BTCUSDT").status = status
    assert w.refusal("SELL", "0.005", reduceOnly="true") == -4140


def test_too_many_open_orders_are_refused() -> None:
    """A symbol takes as many open orders as its filter says."""
    w = world()
    _fill_the_book(w)
    assert w.refusal("BUY", "0.002", price="60900") == -2025


def _fill_the_book(w: World) -> None:
    for _ in range(w.exchange.market("BTCUSDT").rules.orders_max):
        w.place("BUY", "0.002", price="60900")
