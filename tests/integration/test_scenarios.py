"""Each shape of drift on the whole system: what is closed, what is left, who is told."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.operator import RequestKind, RequestState
from holdfast.domain.sides import PositionSide
from tests.whole.bus import new_plan
from tests.whole.program import never, until

if TYPE_CHECKING:
    from tests.whole.shared import World

QUIET_S = 0.8


@pytest.mark.parametrize("sign", [1, -1], ids=["long", "short"])
def test_partial_excess_closes_only_what_the_ledger_lacks(world: World, sign: int) -> None:
    """Ledger 0.2, exchange 0.7: 0.5 is closed, and both agree at 0.2."""
    desk, symbol = world.main, world.symbol()
    opens, closes = ("BUY", "SELL") if sign > 0 else ("SELL", "BUY")
    desk.until_open(symbol)
    desk.bus.execute(symbol, opens, "0.2")
    desk.until_agreed(symbol)
    desk.heals(symbol, opens, "0.5")
    assert desk.exchange.position(symbol) == sign * Decimal("0.2")
    desk.until_agreed(symbol)
    desk.until_open(symbol)
    desk.bus.execute(symbol, closes, "0.2")
    assert desk.exchange.position(symbol) == 0


def test_a_flip_closes_what_the_exchange_holds_and_writes_the_rest_down(world: World) -> None:
    """Ledger -0.3, exchange +0.7: 0.7 is closed, nothing more; the trades explain the residue, and a person is told."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    desk.bus.execute(symbol, "SELL", "0.3")
    desk.until_agreed(symbol)
    desk.exchange.trade(symbol, "BUY", "1.0")
    desk.until_written_down(symbol)
    until(lambda: world.alerts.about(symbol), "an alert")
    assert desk.exchange.sent(symbol) == [("SELL", "0.3"), ("SELL", "0.7")]
    assert desk.exchange.position(symbol) == 0
    desk.until_agreed(symbol)
    desk.until_open(symbol)
    assert len(desk.exchange.orders(symbol)) == 2


def test_a_partial_close_by_hand_is_written_down(world: World) -> None:
    """Ledger 0.7, somebody sells 0.5 by hand: no order; the ledger becomes 0.2 by the trade, and plans go on."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    desk.bus.execute(symbol, "BUY", "0.7")
    desk.until_agreed(symbol)
    desk.exchange.trade(symbol, "SELL", "0.5")
    desk.until_written_down(symbol)
    until(lambda: world.alerts.about(symbol), "an alert")
    desk.until_open(symbol)
    desk.bus.execute(symbol, "SELL", "0.2")
    assert desk.exchange.sent(symbol) == [("BUY", "0.7"), ("SELL", "0.2")]


def test_a_deficit_without_trades_closes_nothing_until_a_person_adopts_it(world: World) -> None:
    """Ledger 0.7, exchange 0.2, no trade says why: no order; adopt moves the ledger, the hold ends, plans go on."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    desk.bus.execute(symbol, "BUY", "0.7")
    desk.until_agreed(symbol)
    hidden = desk.exchange.arm("stale_trades", count=0, symbol=symbol, delay_ms=3_600_000)
    desk.exchange.trade(symbol, "SELL", "0.5")
    desk.until_held(symbol)
    desk.until_next_step(symbol, "would widen")
    assert hidden.hits > 0
    assert desk.bus.state(symbol)["drift"] == "-0.5"
    assert desk.order(RequestKind.ADOPT, symbol).state is RequestState.DONE
    desk.until_free(symbol)
    desk.until_agreed(symbol)
    desk.until_open(symbol)
    desk.bus.execute(symbol, "SELL", "0.2")
    assert desk.exchange.sent(symbol) == [("BUY", "0.7"), ("SELL", "0.2")]


def test_closes_switched_off_hold_until_somebody_mends_it_outside(world: World) -> None:
    """With closes off the hold stands, a person is told, no order leaves; mended by hand, it releases by itself."""
    desk, symbol = world.desks["off"], "SYM006USDT"
    desk.until_open(symbol)
    desk.exchange.trade(symbol, "BUY", "0.07")
    held = desk.until_held(symbol)
    desk.until_next_step(symbol, "switched off")
    until(lambda: world.alerts.about(symbol), "an alert")
    never(lambda: desk.bus.hold(symbol) != held, "released while the drift stands", QUIET_S)
    assert desk.bus.refusal(symbol) == "hold_active"
    assert desk.bus.plans(symbol) == []
    desk.exchange.trade(symbol, "SELL", "0.07")
    desk.until_free(symbol)
    desk.until_open(symbol)
    desk.bus.execute(symbol, "BUY", "0.10")
    assert desk.exchange.sent(symbol) == [("BUY", "0.1")]


def test_a_close_above_the_notional_waits_for_a_person_and_is_closed_after_approval(world: World) -> None:
    """Above close_notional_max nothing is sent and an operator is alerted; approve lets exactly the drift be closed."""
    desk, symbol = world.desks["small"], "BTCUSDT"
    desk.until_open(symbol)
    desk.exchange.trade(symbol, "BUY", "0.007")
    held = desk.until_held(symbol)
    desk.until_next_step(symbol, "close_notional_max")
    assert f"holdfast approve {held}" in desk.bus.state(symbol)["next_step"]
    until(lambda: world.alerts.about("close_notional_max"), "an alert")

    def asked() -> list[dict[str, str]]:
        return [one for one in desk.bus.event_fields(symbol) if one["event"] == "MANUAL_REQUIRED"]

    until(asked, "the event that a person is needed")
    assert asked()[-1]["hold_id"] == held
    assert f"holdfast approve {held}" in asked()[-1]["body"]
    never(lambda: desk.exchange.orders(symbol), "an order above the limit", QUIET_S)
    assert desk.order(RequestKind.APPROVE, symbol, hold_id=held).state is RequestState.DONE
    desk.until_free(symbol)
    assert desk.exchange.sent(symbol) == [("SELL", "0.007")]
    assert desk.exchange.position(symbol) == 0
    ended = [one["event"] for one in desk.bus.event_fields(symbol) if one["hold_id"] == held]
    assert {"APPROVED", "CLOSE_DONE", "HOLD_RELEASED"} <= set(ended)


def test_a_drift_too_small_for_a_limit_is_closed_without_a_person(world: World) -> None:
    """Below close_notional_max the same account heals by itself."""
    desk = world.desks["small"]
    desk.until_open("ETHUSDT")
    desk.heals("ETHUSDT", "SELL", "0.03")


@pytest.mark.parametrize(
    ("side", "opens", "closes", "symbol"),
    [("LONG", "BUY", "SELL", "BTCUSDT"), ("SHORT", "SELL", "BUY", "ETHUSDT")],
)
def test_a_hedge_leg_is_closed_without_touching_the_other(
    world: World, side: str, opens: str, closes: str, symbol: str
) -> None:
    """In hedge mode the drift of one leg is closed by its position side; the other leg keeps its own position."""
    desk = world.desks["hedge"]
    other = "SHORT" if side == "LONG" else "LONG"
    desk.until_open(symbol)
    desk.bus.execute(symbol, "BUY", "0.04", positionSide="LONG")
    desk.bus.execute(symbol, "SELL", "0.05", positionSide="SHORT")
    desk.until_agreed(symbol, "LONG")
    desk.until_agreed(symbol, "SHORT")
    before = {one: desk.exchange.position(symbol, one) for one in ("LONG", "SHORT")}
    desk.exchange.trade(symbol, opens, "0.07", positionSide=side)
    desk.until_held_and_free(symbol)
    desk.until_free(f"{symbol}:{side}")
    assert {one: desk.exchange.position(symbol, one) for one in ("LONG", "SHORT")} == before
    close = desk.exchange.orders(symbol)[-1]
    assert (close["side"], close["positionSide"], close["executedQty"]) == (closes, side, "0.07")
    assert len(desk.exchange.orders(symbol)) == 3
    (plan,) = desk.bus.plans(symbol)
    assert plan["positionSide"] == side
    assert [one["positionSide"] for one in desk.exchange.orders(symbol)] == ["LONG", "SHORT", side]
    assert other != side


def test_drifts_of_both_hedge_legs_are_two_drifts_though_they_cancel_out(world: World) -> None:
    """+0.07 LONG and -0.07 SHORT net to nothing, and yet both legs are held and closed."""
    desk, symbol = world.desks["hedge"], "BTCUSDT"
    desk.until_free(symbol)
    before = {one: desk.exchange.position(symbol, one) for one in ("LONG", "SHORT")}
    count = len(desk.exchange.orders(symbol))
    desk.exchange.trade(symbol, "BUY", "0.07", positionSide="LONG")
    desk.exchange.trade(symbol, "SELL", "0.07", positionSide="SHORT")
    until(lambda: len(desk.exchange.orders(symbol)) == count + 2, "both closes")
    until(lambda: desk.is_released(symbol), "free")
    desk.until_free(symbol)
    assert {one: desk.exchange.position(symbol, one) for one in ("LONG", "SHORT")} == before
    closes = {(row["side"], row["positionSide"], row["executedQty"]) for row in desk.exchange.orders(symbol)[count:]}
    assert closes == {("SELL", "LONG", "0.07"), ("BUY", "SHORT", "0.07")}


def test_a_hedge_plan_must_name_its_leg_and_a_one_way_plan_must_not(world: World) -> None:
    """A plan whose position side does not fit the account's mode is refused with that code."""
    hedge, main, symbol = world.desks["hedge"], world.main, world.symbol()
    hedge.until_open("BTCUSDT")
    main.until_open(symbol)
    assert hedge.bus.refusal("BTCUSDT", qty="0.003") == "position_side_mismatch"
    assert main.bus.refusal(symbol, positionSide="SHORT") == "position_side_mismatch"
    assert main.bus.execute(symbol, "BUY", "0.10", positionSide="BOTH")["filled_qty"] == "0.1"


def test_a_hold_of_one_hedge_leg_refuses_plans_of_both(world: World) -> None:
    """While one leg is held, the symbol's key says so and plans of the other leg are refused too."""
    desk, symbol = world.desks["hedge"], "ETHUSDT"
    desk.until_free(symbol)
    desk.until_open(symbol)
    assert desk.order(RequestKind.HOLD, symbol, side=PositionSide.SHORT).state is RequestState.DONE
    until(lambda: desk.bus.hold(symbol) and desk.bus.hold(f"{symbol}:SHORT"), "both keys")
    assert desk.bus.hold(f"{symbol}:LONG") is None
    assert desk.bus.refusal(symbol, qty="0.01", positionSide="LONG") == "hold_active"
    assert desk.order(RequestKind.RELEASE, symbol, side=PositionSide.SHORT).state is RequestState.DONE
    desk.until_free(symbol)
    desk.until_free(f"{symbol}:SHORT")


def test_a_drift_larger_than_one_order_may_be_is_closed_slice_by_slice(world: World) -> None:
    """A drift above the largest MARKET order is closed by as many closes as it takes, each of them under the limit."""
    desk, symbol = world.main, world.symbol()
    world.exchange.post("price", symbol=symbol, price="5", motion="frozen")
    desk.until_open(symbol)
    for qty in ("5000", "5000", "2000"):
        desk.exchange.trade(symbol, "BUY", qty)
    desk.until_held_and_free(symbol, 15.0)
    filled = [Decimal(qty) for _, qty in desk.exchange.sent(symbol) if Decimal(qty) > 0]
    assert sum(filled) == 12_000
    assert max(filled) <= 5_000
    assert desk.exchange.position(symbol) == 0
    world.exchange.post("price", symbol=symbol, price="100", motion="walking")  # other accounts' tests trade it too


def test_a_close_that_fills_in_part_is_followed_by_one_for_the_rest(world: World) -> None:
    """When the book takes only a part of the close, the rest is closed next, and nothing beyond it."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    world.exchange.post("depth", symbol=symbol, qty="0.30")
    desk.exchange.trade(symbol, "BUY", "0.30")
    desk.exchange.trade(symbol, "BUY", "0.30")
    until(lambda: desk.exchange.position(symbol) == 0 and desk.is_released(symbol), "flat and free", 12.0)
    filled = [Decimal(qty) for _, qty in desk.exchange.sent(symbol)]
    assert sum(filled) == Decimal("0.6")
    world.exchange.post("depth", symbol=symbol, qty=None)
    assert len(filled) >= 2


def test_many_trades_in_one_fill_are_one_close(world: World) -> None:
    """A close that the exchange fills in many trades, announced in any order and twice, is booked once."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    faults = [desk.exchange.arm(name, count=3, symbol=symbol) for name in ("stream_duplicate", "stream_reorder")]
    world.exchange.post("knobs", fills_per_match=7)
    desk.bus.execute(symbol, "BUY", "0.35")
    desk.until_agreed(symbol)
    desk.exchange.trade(symbol, "BUY", "0.14")
    desk.until_held_and_free(symbol)
    world.exchange.post("knobs", fills_per_match=1)
    assert desk.exchange.sent(symbol) == [("BUY", "0.35"), ("SELL", "0.14")]
    desk.until_agreed(symbol)
    for fault in faults:
        fault.disarm()


def test_two_drifts_one_after_the_other_are_two_episodes(world: World) -> None:
    """A second foreign trade while the first is being closed is closed too: at the end nothing of either is left."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    desk.bus.execute(symbol, "BUY", "0.2")
    slow = desk.exchange.arm_order("reply_delay", symbol, delay_ms=250)
    desk.exchange.trade(symbol, "BUY", "0.3")
    until(lambda: slow.hits, "the first close is under way")
    desk.exchange.trade(symbol, "BUY", "0.4")
    until(lambda: desk.exchange.position(symbol) == Decimal("0.2") and desk.is_released(symbol), "both closed")
    assert sum(Decimal(qty) for side, qty in desk.exchange.sent(symbol) if side == "SELL") == Decimal("0.7")
    desk.until_agreed(symbol)


def test_a_foreign_trade_beside_an_own_plan_is_closed_and_the_plan_is_not(world: World) -> None:
    """Somebody trades in the very moment of an own fill: only the foreign part is closed."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    for _ in range(3):
        entry_id = desk.bus.submit(new_plan(symbol, "BUY", "0.10"))
        desk.exchange.trade(symbol, "BUY", "0.07")
        result = desk.bus.result_of_entry(entry_id)
        until(lambda: desk.is_released(symbol) and desk.bus.hold(symbol) is None, "free")
        until(
            lambda: (
                desk.exchange.position(symbol)
                == Decimal(desk.bus.fields(f"position:ledger:{symbol}").get("ledger_amt", "0"))
            ),
            "agreed",
        )
        desk.until_open(symbol)
        assert result["executed"] == "true" or result["error"] in {"hold_active", "not_agreed"}, result
    own = [row for row in desk.exchange.orders(symbol) if row["side"] == "BUY"]
    assert desk.exchange.position(symbol) == len(own) * Decimal("0.10")


@pytest.mark.parametrize("act", ["liquidate", "adl"])
def test_what_the_venue_forces_is_booked_and_waits_for_a_person(world: World, act: str) -> None:
    """A forced reduction moves the ledger, closes nothing, and holds until a person releases it."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    desk.bus.execute(symbol, "BUY", "0.7")
    desk.until_agreed(symbol)
    world.exchange.post(act, account="main", symbol=symbol, qty="0.4")
    desk.until_held(symbol)
    desk.until_next_step(symbol, "person")
    until(lambda: world.alerts.about(symbol), "an alert")
    desk.until_agreed(symbol)
    assert desk.exchange.sent(symbol) == [("BUY", "0.7")]
    assert desk.bus.refusal(symbol) == "hold_active"
    assert desk.order(RequestKind.RELEASE, symbol).state is RequestState.DONE
    desk.until_free(symbol)
    desk.bus.execute(symbol, "SELL", "0.3")
    assert desk.exchange.position(symbol) == 0
