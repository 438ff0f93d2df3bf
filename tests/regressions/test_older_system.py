"""What the older system did, each named for what must not happen again; judged by the exchange's own book."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.whole.bus import new_plan, now_ms
from tests.whole.program import never, until

if TYPE_CHECKING:
    from tests.whole.services import Desk
    from tests.whole.shared import World

QUIET_S = 0.8
"""Long enough for two looks of an episode and several stamps."""


def test_01_a_hold_does_not_wait_for_a_close_that_nobody_may_make(world: World) -> None:
    """A drift opens a hold that refuses plans, its close passes all the same, the hold ends, and plans trade again."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    desk.bus.execute(symbol, "BUY", "0.10")
    desk.bus.execute(symbol, "SELL", "0.10")
    slow = desk.exchange.arm("engine_delay", method="GET", symbol=symbol, path="/fapi/v3/positionRisk", delay_ms=500)
    desk.exchange.trade(symbol, "BUY", "0.07")
    desk.until_held(symbol)
    assert desk.bus.refusal(symbol) == "hold_active"
    desk.until_held_and_free(symbol)
    assert slow.hits == 1
    assert desk.exchange.position(symbol) == 0
    desk.until_open(symbol)
    desk.bus.execute(symbol, "BUY", "0.10")


def test_02_a_fill_whose_answer_was_lost_is_not_reported_unexecuted_nor_sent_again(world: World) -> None:
    """Executed, connection cut, delivered again meanwhile: every result says executed, and one order stands."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    cut = desk.exchange.arm_order("reset_executed", symbol)
    plan = new_plan(symbol, "BUY", "0.10")
    entries = [desk.bus.submit(plan) for _ in range(2)]
    results = [desk.bus.result_of_entry(entry_id) for entry_id in entries]
    results.append(desk.bus.ask(plan))
    assert [one["executed"] for one in results] == ["true"] * 3
    assert [one["filled_qty"] for one in results] == ["0.1"] * 3
    assert cut.hits == 1
    assert desk.exchange.sent(symbol) == [("BUY", "0.1")]


def test_03_a_legitimate_partial_close_is_not_followed_by_a_close_of_the_rest(world: World) -> None:
    """Twenty times 0.7 is closed to 0.2 by plans: nothing but the plans' own orders ever reaches the exchange."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    expected: list[tuple[str, str]] = []
    for _ in range(20):
        for side, qty in (("BUY", "0.7"), ("SELL", "0.5"), ("SELL", "0.2")):
            desk.bus.execute(symbol, side, qty)
            expected.append((side, qty))
    desk.bus.execute(symbol, "BUY", "0.7")
    desk.bus.execute(symbol, "SELL", "0.5")
    never(lambda: desk.bus.hold(symbol), "a hold after an own partial close", QUIET_S)
    assert desk.exchange.sent(symbol) == [*expected, ("BUY", "0.7"), ("SELL", "0.5")]
    assert desk.bus.events(symbol) == []
    assert desk.bus.plans(symbol) == []


@pytest.mark.parametrize("lag_ms", [250, 900])
def test_03_an_old_view_does_not_delete_a_fresh_ledger(world: World, lag_ms: int) -> None:
    """With positions over REST shown as they were, a fresh open stays in the ledger, unheld and unclosed."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    names = ("stale_positions", "stale_trades")
    stale = [desk.exchange.arm(name, count=0, symbol=symbol, delay_ms=lag_ms) for name in names]
    for _ in range(5):
        desk.bus.execute(symbol, "BUY", "0.7")
        desk.bus.execute(symbol, "SELL", "0.2")
    never(lambda: desk.bus.plans(symbol), "a close by an old view", 2.5)
    for fault in stale:
        fault.disarm()
    assert desk.exchange.sent(symbol) == [("BUY", "0.7"), ("SELL", "0.2")] * 5
    assert desk.exchange.position(symbol) == Decimal("2.5")
    desk.until_agreed(symbol)
    desk.until_free(symbol)


@pytest.mark.parametrize(("ours", "reduction"), [("0.07", "0.05"), ("0.07", "0.07")], ids=["less", "flat"])
def test_04_an_exchange_that_holds_less_than_the_ledger_is_not_sold_out(
    world: World, ours: str, reduction: str
) -> None:
    """When the position shrank and no trades say why, nothing is closed, no drift is widened: a person is told."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    desk.bus.execute(symbol, "BUY", ours)
    desk.until_agreed(symbol)
    desk.exchange.arm("stale_trades", count=0, symbol=symbol, delay_ms=3_600_000)
    desk.exchange.trade(symbol, "SELL", reduction)
    desk.until_held(symbol)
    desk.until_next_step(symbol, "would widen")
    until(lambda: world.alerts.about(symbol), "an alert")
    never(lambda: len(desk.exchange.orders(symbol)) > 1, "an order that widens the drift", QUIET_S)
    assert desk.exchange.position(symbol) == Decimal(ours) - Decimal(reduction)
    desk.exchange.trade(symbol, "BUY", reduction)
    desk.until_free(symbol)


def test_05_a_drift_mended_by_hand_is_not_closed_again(world: World) -> None:
    """While the close waits for the exchange's position, somebody mends the drift: no order of ours is accepted."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    slow = desk.exchange.arm("engine_delay", method="GET", symbol=symbol, path="/fapi/v3/positionRisk", delay_ms=300)
    desk.exchange.trade(symbol, "BUY", "0.07")
    until(lambda: slow.hits, "the look is under way")
    desk.exchange.trade(symbol, "SELL", "0.07")
    desk.until_held_and_free(symbol)
    never(lambda: desk.exchange.orders(symbol), "an order against no drift", QUIET_S)
    assert desk.exchange.position(symbol) == 0


@pytest.mark.parametrize("pause_ms", [0, 1, 2, 4, 8, 12, 16, 24])
def test_05_a_drift_mended_at_any_moment_is_never_closed_beyond_zero(world: World, pause_ms: int) -> None:
    """However late somebody mends the drift, close and mending together never leave more than the mending itself."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    desk.exchange.trade(symbol, "BUY", "0.07")
    ends = now_ms() + pause_ms
    until(lambda: now_ms() >= ends, "the pause")
    desk.exchange.trade(symbol, "SELL", "0.07")
    until(lambda: desk.exchange.position(symbol) == 0 and desk.is_released(symbol), f"{symbol} flat and free")
    never(lambda: desk.exchange.position(symbol) != 0, "an order after the drift was gone", 0.3)
    # If the close came first, the mending was a new foreign trade of its own, and is closed like any other.
    assert desk.exchange.position(symbol) == 0
    assert all(row["reduceOnly"] for row in desk.exchange.orders(symbol))
    filled = [Decimal(row["executedQty"]) for row in desk.exchange.orders(symbol)]
    assert all(qty <= Decimal("0.07") for qty in filled)


def forged(desk: Desk, symbol: str, **more: str) -> dict[str, str]:
    """A close that looks right in every field."""
    return new_plan(
        symbol,
        "close",
        "0.10",
        decision="RECONCILE_CLOSE",
        reduceOnly="true",
        reason="drift_detected:drift",
        source="reconcile",
        hold_id=desk.bus.hold(symbol) or f"hold-{symbol}-1-abc",
        exchange_amt="0.10",
        ledger_amt="0",
        expires=str(now_ms() + 5_000),
        **more,
    )


def test_06_a_forged_close_gets_no_order_and_touches_nothing(world: World) -> None:
    """A RECONCILE_CLOSE that the journal does not hold is refused, whatever it says; position and ledger stay."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    desk.bus.execute(symbol, "BUY", "0.10")
    desk.until_agreed(symbol)
    ledger = desk.bus.fields(f"position:ledger:{symbol}")
    cases: list[tuple[dict[str, str], str]] = [
        ({}, "close_not_journaled"),
        ({"reduceOnly": "false"}, "close_not_reduce_only"),
        ({"side": "BUY"}, "close_side_not_close"),
        ({"type": "LIMIT", "price": "100"}, "close_not_market"),
        ({"decision": "OPERATOR_CLOSE"}, "close_not_journaled"),
    ]
    for wrong, error in cases:
        result = desk.bus.ask({**forged(desk, symbol), **wrong})
        assert (result["executed"], result["error"]) == ("false", error)
    assert desk.exchange.sent(symbol) == [("BUY", "0.1")]
    assert desk.bus.fields(f"position:ledger:{symbol}") == ledger
    assert desk.bus.hold(symbol) is None
    desk.bus.execute(symbol, "SELL", "0.10")


def test_06_a_close_changed_in_one_field_on_its_way_is_refused_under_its_real_hold(world: World) -> None:
    """Under a real hold, with closes switched off, a forged close of the held position gets no order either."""
    desk, symbol = world.desks["off"], "SYM005USDT"
    desk.until_open(symbol)
    desk.exchange.trade(symbol, "BUY", "0.10")
    held = desk.until_held(symbol)
    result = desk.bus.ask(forged(desk, symbol))
    assert (result["executed"], result["error"]) == ("false", "close_not_journaled")
    assert desk.bus.hold(symbol) == held
    assert desk.exchange.orders(symbol) == []
    desk.exchange.trade(symbol, "SELL", "0.10")
    desk.until_free(symbol)


def test_06_a_copied_close_sent_again_with_another_quantity_is_refused(world: World) -> None:
    """A close taken from the stream and sent again, raised or as it was, makes no second order."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    desk.heals(symbol, "BUY", "0.07")
    (close,) = desk.bus.plans(symbol)
    assert desk.bus.ask({**close, "qty": "0.50"})["error"] == "close_differs_from_journal"
    assert desk.bus.ask({**close, "expires": str(now_ms() + 60_000)})["error"] == "close_differs_from_journal"
    desk.exchange.trade(symbol, "BUY", "0.07")
    desk.bus.submit(close)
    desk.until_held(symbol)
    until(lambda: desk.bus.events(symbol).count("HOLD_RELEASED") == 2, "the second episode ends")
    assert desk.exchange.sent(symbol) == [("SELL", "0.07")] * 2


def test_08_an_open_on_an_existing_position_is_not_a_close(world: World) -> None:
    """A reduce-only plan in the position's own direction is refused, and a quarter stays a quarter."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    desk.bus.execute(symbol, "BUY", "0.80")
    assert desk.bus.refusal(symbol, "BUY", "0.50", reduceOnly="true") == "would_increase"
    assert desk.bus.refusal(symbol, "SELL", "0.90", reduceOnly="true") == "would_increase"
    assert desk.bus.refusal(symbol, "close", "0.90") == "would_increase"
    desk.bus.execute(symbol, "close", "0.20")
    assert desk.exchange.position(symbol) == Decimal("0.6")


def test_12_four_hanging_plans_on_one_symbol_do_not_delay_another(world: World) -> None:
    """While plans of one symbol hang at the exchange, another symbol's plan and its close go through at once."""
    desk, slow, quick, drifting = world.main, world.symbol(), world.symbol(), world.symbol()
    for symbol in (slow, quick, drifting):
        desk.until_open(symbol)
    hang = desk.exchange.arm_order("hang_executed", slow, count=4, delay_ms=800)
    entries = [desk.bus.submit(new_plan(slow, "BUY", f"0.1{n}")) for n in range(4)]
    until(lambda: hang.hits >= 1, "the first plan hangs")
    for _ in range(10):
        desk.bus.ask(new_plan(quick, "BUY", "0.10"), within_s=1.0)
    desk.heals(drifting, "BUY", "0.07", within_s=1.5)
    for entry_id in entries:
        assert desk.bus.result_of_entry(entry_id, 20.0)["executed"] == "true"
    assert len(desk.exchange.orders(slow)) == 4


def test_12_a_hanging_question_about_one_order_does_not_delay_the_fate_of_another(world: World) -> None:
    """While the exchange does not answer what became of one order, another order's lost answer is found at once."""
    desk, slow, quick = world.main, world.symbol(), world.symbol()
    for symbol in (slow, quick):
        desk.until_open(symbol)
    desk.exchange.arm_order("timeout_executed", slow)
    hang = {"method": "GET", "path": "/fapi/v1/order", "symbol": slow, "delay_ms": 4_000}
    question = desk.exchange.arm("hang_executed", count=2, **hang)
    late = desk.bus.submit(new_plan(slow, "BUY", "0.10"))
    until(lambda: question.hits, "the question hangs")
    lost = desk.exchange.arm_order("timeout_executed", quick)
    assert desk.bus.ask(new_plan(quick, "BUY", "0.10"), within_s=1.5)["executed"] == "true"
    assert lost.hits == 1
    question.disarm()
    assert desk.bus.result_of_entry(late, 15.0)["executed"] == "true"


def test_12_many_symbols_over_a_slow_line_stay_fresh(world: World) -> None:
    """With every request 250 ms late, a hundred symbols keep their agreement: none is held as stale."""
    desk = world.main
    slow = desk.exchange.arm("engine_delay", count=0, method="GET", delay_ms=250)
    held = f"{desk.bus.prefix}:reconcile:hold:*"
    before = set(desk.bus.redis.scan_iter(held))
    never(lambda: set(desk.bus.redis.scan_iter(held)) - before, "a hold on a slow line", 4.5)
    symbol = world.symbol()
    desk.bus.execute(symbol, "BUY", "0.10")
    desk.until_agreed(symbol)
    assert slow.hits >= 2
    slow.disarm()


@pytest.mark.parametrize("qty", ["0.29", "0.57", "1.13", "2.01", "0.07", "4.35"])
def test_13_a_quantity_is_not_rounded_one_lot_short(world: World, qty: str) -> None:
    """Quantities that binary floats cannot hold are traded and closed to the lot."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    desk.bus.execute(symbol, "SELL", qty)
    desk.until_agreed(symbol)
    desk.heals(symbol, "SELL", qty)
    assert desk.exchange.position(symbol) == -Decimal(qty)
    desk.bus.execute(symbol, "close", qty)
    assert desk.exchange.position(symbol) == 0


def test_13_the_smallest_drift_of_a_symbol_is_seen(world: World) -> None:
    """One step of difference is drift, whatever the symbol's size, and is closed."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    desk.bus.execute(symbol, "BUY", "9.00")
    desk.until_agreed(symbol)
    desk.exchange.trade(symbol, "BUY", "0.06")
    desk.exchange.trade(symbol, "SELL", "0.05")
    desk.until_held_and_free(symbol)
    assert desk.exchange.position(symbol) == Decimal(9)


def test_15_a_short_drift_is_not_closed_by_a_sell(world: World) -> None:
    """A short that somebody opened is closed by one reduce-only BUY; it does not double."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    desk.heals(symbol, "SELL", "0.07")
    (order,) = desk.exchange.orders(symbol)
    assert (order["side"], order["reduceOnly"], order["type"]) == ("BUY", True, "MARKET")
    assert desk.exchange.position(symbol) == 0
