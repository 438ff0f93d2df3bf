"""The core's invariants, over histories that nobody thought of."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.sim.core.account import Mode
from holdfast.sim.core.resting import tick
from tests.unit.sim.world import World, world

lots = st.integers(1, 40).map(lambda n: str(Decimal(n) / 1000))
sides = st.sampled_from(["BUY", "SELL"])
steps = st.one_of(
    st.tuples(st.just("market"), sides, lots, st.booleans()),
    st.tuples(st.just("limit"), sides, lots, st.integers(-20, 20)),
    st.tuples(st.just("price"), st.integers(-30, 30)),
    st.tuples(st.just("depth"), st.sampled_from([None, "0.005", "0.013"])),
)


def leg_of(side: str, *, close: bool) -> str:
    """Return the hedge leg that a side opens, or closes."""
    return "SHORT" if (side == "BUY") == close else "LONG"


def act(w: World, step: tuple[Any, ...]) -> None:
    """Do one step, refused or not."""
    hedged = w.account.mode is Mode.HEDGE
    kind = step[0]
    market = w.exchange.market("BTCUSDT")
    if kind == "price":
        market.set_price(Decimal(64000 + step[1] * 100))
        tick(w.exchange)
    elif kind == "depth":
        market.depth = None if step[1] is None else Decimal(step[1])
    elif kind == "market":
        more = {"positionSide": leg_of(step[1], close=step[3])} if hedged else {}
        if step[3] and not hedged:
            more["reduceOnly"] = "true"
        w.refusal(step[1], step[2], **more)
    else:
        more = {"positionSide": leg_of(step[1], close=False)} if hedged else {}
        w.refusal(step[1], step[2], price=str(64000 + step[3] * 100), **more)


def check(w: World) -> None:
    """Compare the state with the sums of what happened and of what was said."""
    fills = [t for _, t in w.exchange.truth.fills]
    for (symbol, side), leg in w.account.legs.items():
        mine = [t for t in fills if (t.symbol, t.position_side) == (symbol, side)]
        assert leg.now.qty == sum((t.qty * t.side.sign for t in mine), Decimal(0))
        if side.value == "LONG":
            assert leg.now.qty >= 0
        if side.value == "SHORT":
            assert leg.now.qty <= 0
    assert w.account.wallet == 100_000 + sum((t.realised - t.commission for t in fills), Decimal(0))
    ids = [t.trade_id for t in fills]
    assert ids == sorted(set(ids))
    for order in w.exchange.truth.orders:
        assert order.executed == sum((t.qty for t in fills if t.order_id == order.order_id), Decimal(0))
        assert order.executed <= order.qty
    resting = [o for o in w.exchange.truth.orders if o.status in {"NEW", "PARTIALLY_FILLED"}]
    assert {o.order_id for o in resting} == set(w.exchange.resting.get("BTCUSDT", {}))
    assert w.account.reserved == sum((o.reserved for o in resting), Decimal(0))
    assert {leg.side for leg in w.account.legs.values() if leg.now.qty} == {s for _, s in w.account.open_legs}


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(list(Mode)), st.lists(steps, max_size=25), st.integers(1, 3))
def test_positions_and_wallet_are_the_sums_of_fills(
    mode: Mode, history: list[tuple[Any, ...]], fills_per_match: int
) -> None:
    """After any history, position, wallet, orders and reserved margin are what the fills add up to (1, 2, 4)."""
    w = world(mode)
    w.knobs(fills_per_match=fills_per_match)
    for step in history:
        act(w, step)
    check(w)


@settings(max_examples=120, deadline=None)
@given(st.lists(steps, max_size=15), sides, lots, st.sampled_from(["clamp", "reject"]))
def test_a_reducing_order_only_ever_shrinks(history: list[tuple[Any, ...]], side: str, qty: str, oversize: str) -> None:
    """A reduce-only order leaves a position of the same sign that is not larger, whatever came before (3)."""
    w = world()
    w.knobs(reduce_only_oversize=oversize)
    for step in history:
        act(w, step)
    before = sum((leg.now.qty for leg in w.account.legs.values()), Decimal(0))
    w.refusal(side, qty, reduceOnly="true")
    after = sum((leg.now.qty for leg in w.account.legs.values()), Decimal(0))
    assert before * after >= 0
    assert abs(after) <= abs(before)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(list(Mode)), st.lists(steps, max_size=20))
def test_the_stream_tells_the_whole_story(mode: Mode, history: list[tuple[Any, ...]]) -> None:
    """The last account update of each leg is the position, and the fills on the stream are the fills (5)."""
    w = world(mode)
    for step in history:
        act(w, step)
    frames = w.outlet.frames()
    last = {p["ps"]: p["pa"] for f in frames if f["e"] == "ACCOUNT_UPDATE" for p in f["a"]["P"]}
    touched = [leg for leg in w.account.legs.values() if leg.now.updated_ms]
    assert {leg.side.value: leg.now.qty for leg in touched} == {k: Decimal(v) for k, v in last.items()}
    told = [f["o"]["t"] for f in frames if f["e"] == "ORDER_TRADE_UPDATE" and f["o"]["x"] == "TRADE"]
    assert told == [t.trade_id for _, t in w.exchange.truth.fills]
    assert [f["t"] for f in frames if f["e"] == "TRADE_LITE"] == told
