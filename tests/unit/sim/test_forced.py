"""What the venue and other people do to an account."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.sim.core.account import MarginType, Mode
from holdfast.sim.core.forced import Force, force_close, fund, trade_by_hand, transfer
from holdfast.sim.core.legs import PositionSide
from holdfast.sim.core.order_request import ReduceOnly
from holdfast.sim.core.orders import Order, Side
from tests.unit.sim.world import START_MS, World, world

BOTH = PositionSide.BOTH


def forced(w: World, force: Force, qty: str | None = None, side: PositionSide = BOTH) -> Order:
    """Force a position closed."""
    amount = None if qty is None else Decimal(qty)
    return force_close(w.exchange, w.account, "BTCUSDT", side, qty=amount, force=force)


@pytest.mark.parametrize(
    ("force", "prefix", "execution", "kind", "listed"),
    [
        (Force.LIQUIDATION, f"autoclose-{START_MS}", "CALCULATED", "LIQUIDATION", 1),
        (Force.ADL, "adl_autoclose", "TRADE", "ADL", 1),
        (Force.SETTLEMENT, f"settlement_autoclose-{START_MS}", "TRADE", "LIQUIDATION", 0),
    ],
)
def test_a_forced_close_names_itself(force: Force, prefix: str, execution: str, kind: str, listed: int) -> None:
    """A forced close is first seen as NEW under its own client id, then filled; forceOrders lists it by kind."""
    w = world()
    w.place("BUY", "0.005")
    w.outlet.frames()
    order = forced(w, force)
    assert order.client_id.startswith(prefix)
    told = [(f["o"]["c"], f["o"]["x"], f["o"]["X"]) for f in w.outlet.frames() if f["e"] == "ORDER_TRADE_UPDATE"]
    assert told == [(order.client_id, "NEW", "NEW"), (order.client_id, execution, "FILLED")]
    assert w.held() == []
    rows = w.answer("GET", "/fapi/v1/forceOrders", symbol="BTCUSDT", autoCloseType=kind)
    assert len(rows) == listed
    assert w.answer("GET", "/fapi/v1/userTrades", symbol="BTCUSDT")[-1]["orderId"] == order.order_id


def test_adl_ids_repeat_and_liquidation_ids_do_not() -> None:
    """Two ADLs share one client id, two liquidations don't."""
    w = world()
    w.place("SELL", "0.010")
    orders = [forced(w, force, "0.002") for force in (Force.ADL, Force.ADL, Force.LIQUIDATION, Force.LIQUIDATION)]
    ids = [o.client_id for o in orders]
    assert ids[0] == ids[1]
    assert ids[2] != ids[3]
    assert w.held() == ["BOTH -0.002"]


def test_a_liquidation_cancels_what_rests() -> None:
    """Open orders of the symbol are cancelled before the liquidation fills."""
    w = world()
    w.place("BUY", "0.005")
    resting = w.place("BUY", "0.005", price="63000")
    forced(w, Force.LIQUIDATION)
    assert resting.status == "CANCELED"


@pytest.mark.parametrize("qty", ["0", "0.006", None])
def test_nothing_is_forced_that_is_not_there(qty: str | None) -> None:
    """A forced close of more than is held, of nothing, or of a flat position is refused as bad input."""
    w = world()
    if qty is not None:
        w.place("BUY", "0.005")
    with pytest.raises(ValueError, match="BTCUSDT BOTH"):
        forced(w, Force.ADL, qty)


def test_a_forced_hedge_leg_leaves_the_other() -> None:
    """A liquidated SHORT leg closes by BUY and leaves the LONG leg."""
    w = world(Mode.HEDGE)
    w.place("BUY", "0.005", positionSide="LONG")
    w.place("SELL", "0.004", positionSide="SHORT")
    assert forced(w, Force.LIQUIDATION, side=PositionSide.SHORT).side is Side.BUY
    assert w.held() == ["LONG 0.005"]


@pytest.mark.parametrize(("margin", "rows"), [(MarginType.CROSSED, 0), (MarginType.ISOLATED, 1)])
def test_funding_moves_the_wallet_alone(margin: MarginType, rows: int) -> None:
    """Funding changes the wallet by -position * mark * rate, and names positions only if they are isolated."""
    w = world()
    w.place("BUY", "0.005")
    w.account.margin_types["BTCUSDT"] = margin
    before, updated = w.account.wallet, w.account.leg("BTCUSDT", BOTH).now.updated_ms
    w.outlet.frames()
    w.clock.ms += 1000
    assert fund(w.exchange, w.account, "BTCUSDT", Decimal("0.0001")) == Decimal("-0.03200000")
    assert w.account.wallet == before - Decimal("0.032")
    (event,) = w.outlet.frames()
    assert (event["a"]["m"], event["a"]["S"], len(event["a"]["P"])) == ("FUNDING_FEE", "BTCUSDT", rows)
    assert w.account.leg("BTCUSDT", BOTH).now.updated_ms == updated
    income = w.answer("GET", "/fapi/v1/income", incomeType="FUNDING_FEE")
    assert [row["income"] for row in income] == ["-0.03200000"]


@pytest.mark.parametrize(("amount", "reason"), [("50", "DEPOSIT"), ("-50", "WITHDRAW")])
def test_transfers_move_the_wallet(amount: str, reason: str) -> None:
    """A transfer changes the wallet and says why."""
    w = world()
    transfer(w.exchange, w.account, Decimal(amount))
    (event,) = w.outlet.frames()
    assert (event["a"]["m"], event["a"]["B"][0]["bc"], event["a"]["P"]) == (reason, amount, [])
    assert w.account.wallet == 100_000 + Decimal(amount)


@pytest.mark.parametrize(
    ("mode", "side", "named", "held"),
    [
        (Mode.ONE_WAY, Side.BUY, None, ["BOTH 0.007"]),
        (Mode.ONE_WAY, Side.SELL, None, ["BOTH -0.007"]),
        (Mode.HEDGE, Side.BUY, None, ["LONG 0.007"]),
        (Mode.HEDGE, Side.SELL, None, ["SHORT -0.007"]),
        (Mode.HEDGE, Side.SELL, PositionSide.SHORT, ["SHORT -0.007"]),
    ],
)
def test_somebody_trades_by_hand(mode: Mode, side: Side, named: PositionSide | None, held: list[str]) -> None:
    """A hand trade opens a position under a client id of its own, on the leg that its side opens."""
    w = world(mode)
    order = trade_by_hand(
        w.exchange,
        w.account,
        symbol="BTCUSDT",
        side=side,
        qty=Decimal("0.007"),
        position_side=named,
        reduce_only=ReduceOnly.ABSENT,
        price=None,
        client_id=None,
    )
    assert (order.client_id[:4], order.source.value, w.held()) == ("web_", "manual", held)
    assert order.accepted_monotonic_ns == START_MS * 1_000_000
