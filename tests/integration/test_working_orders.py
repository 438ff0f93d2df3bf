"""LIMIT orders on the whole system: they rest, fill as the market comes, end, and survive what happens to us."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.operator import RequestKind, RequestState
from holdfast.domain.sides import PositionSide
from tests.whole.bus import new_plan
from tests.whole.exchange import Exchange
from tests.whole.program import until
from tests.whole.solo import a_house

if TYPE_CHECKING:
    from pathlib import Path

    from tests.whole.bus import Fields
    from tests.whole.services import Desk
    from tests.whole.shared import World


def limit(symbol: str, side: str, qty: str, price: str, **more: str) -> Fields:
    """A LIMIT plan."""
    return new_plan(symbol, side, qty, type="LIMIT", price=price, **more)


def open_orders(desk: Desk, symbol: str) -> list[dict[str, object]]:
    """What of ours rests at the exchange."""
    return [row for row in desk.exchange.orders(symbol) if row["status"] in {"NEW", "PARTIALLY_FILLED"}]


def rest(desk: Desk, plan: Fields) -> str:
    """Hand a plan in and wait until its order rests; the entry's id."""
    before = len(open_orders(desk, plan["symbol"]))
    entry_id = desk.bus.submit(plan)
    until(lambda: len(open_orders(desk, plan["symbol"])) > before, "the order rests")
    return entry_id


def move(world: World, symbol: str, price: str) -> None:
    """Let the market go there."""
    world.exchange.post("price", symbol=symbol, price=price)


def test_a_limit_order_rests_fills_later_and_reports_once(world: World) -> None:
    """No result while it rests; the market comes, the fill is booked, one result names the price."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    entry_id = rest(desk, limit(symbol, "BUY", "0.50", "99.50"))
    assert desk.bus.execute(symbol, "BUY", "0.20")["executed"] == "true"
    desk.until_agreed(symbol)
    assert not [one for one in desk.bus.results() if one["entry_id"] == entry_id]
    move(world, symbol, "99.40")
    result = desk.bus.result_of_entry(entry_id)
    assert (result["executed"], result["status"], result["filled_qty"]) == ("true", "FILLED", "0.5")
    assert Decimal(result["avg_price"]) == Decimal("99.5")
    desk.until_agreed(symbol)
    assert desk.exchange.position(symbol) == Decimal("0.7")
    assert "HOLD_SET" not in desk.bus.events(symbol)


@pytest.mark.parametrize(
    ("tif", "price", "depth", "filled", "status"),
    [
        ("IOC", "101", "0.3", "0.3", "PARTIAL"),
        ("FOK", "101", "1", "0.5", "FILLED"),
        ("IOC", "101", "9", "0.5", "FILLED"),
    ],
)
def test_what_does_not_rest_reports_at_once(
    world: World, *, tif: str, price: str, depth: str, filled: str, status: str
) -> None:
    """IOC takes what there is, FOK all of it: the result comes with the answer."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    world.exchange.post("depth", symbol=symbol, qty=depth)
    result = desk.bus.ask(limit(symbol, "BUY", "0.50", price, timeInForce=tif))
    assert (result["executed"], result["filled_qty"], result["status"]) == ("true", filled, status)
    desk.until_agreed(symbol)
    assert open_orders(desk, symbol) == []


@pytest.mark.parametrize(
    ("tif", "price", "error"),
    [
        ("GTX", "101", "post_only_would_take"),
        ("IOC", "99", "expired_unfilled"),
        ("FOK", "99", "expired_unfilled"),
        ("GTC", "106", "venue_refused"),
    ],
)
def test_what_can_not_be_kept_says_so(world: World, tif: str, price: str, error: str) -> None:
    """A time in force that the market does not allow, or a price too far off, ends with its own code and no fill."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    result = desk.bus.ask(limit(symbol, "BUY", "0.50", price, timeInForce=tif))
    assert (result["executed"], result["error"], result["filled_qty"]) == ("false", error, "0")
    assert desk.exchange.position(symbol) == 0
    assert open_orders(desk, symbol) == []


def test_a_post_only_order_rests(world: World) -> None:
    """GTX below the market rests as a maker, and fills when the market comes."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    entry_id = rest(desk, limit(symbol, "SELL", "0.50", "100.50", timeInForce="GTX"))
    move(world, symbol, "100.70")
    assert desk.bus.result_of_entry(entry_id)["filled_qty"] == "0.5"


def test_a_drift_ends_entries_and_exits_before_it_is_closed(world: World) -> None:
    """A resting entry and a full-size exit are cancelled under the hold; the close is not refused with -4118."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    desk.bus.execute(symbol, "BUY", "0.50")
    desk.until_agreed(symbol)
    entry = rest(desk, limit(symbol, "BUY", "0.50", "99.00"))
    leave = rest(desk, limit(symbol, "close", "0.50", "101.00", reduceOnly="true"))
    desk.heals(symbol, "BUY", "0.30")
    assert desk.bus.result_of_entry(entry)["error"] == "canceled"
    assert desk.bus.result_of_entry(leave)["error"] == "canceled"
    assert desk.exchange.position(symbol) == Decimal("0.5")
    assert open_orders(desk, symbol) == []
    assert "CLOSE_REFUSED" not in desk.bus.events(symbol)


def test_an_order_that_somebody_cancels_at_the_exchange_reports(world: World) -> None:
    """Cancelled there by hand: the plan ends with `canceled`."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    entry_id = rest(desk, limit(symbol, "BUY", "0.50", "99.00"))
    world.exchange.post("cancel", account="main", symbol=symbol)
    result = desk.bus.result_of_entry(entry_id)
    assert (result["executed"], result["error"], result["status"]) == ("false", "canceled", "NOT_FILLED")


def test_a_cancel_by_plan_id_ends_the_order_and_answers_both(world: World) -> None:
    """CANCEL names the plan: the order leaves the book, the plan says `canceled`, the CANCEL that it is done."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    plan = limit(symbol, "BUY", "0.50", "99.00")
    entry_id = rest(desk, plan)
    wish = new_plan(symbol, "", "", decision="CANCEL", cancels=plan["plan_id"])
    wish = {name: value for name, value in wish.items() if name not in {"side", "qty", "type", "reduceOnly"}}
    done = desk.bus.ask(wish)
    assert (done["executed"], done["status"], done["decision"]) == ("true", "CANCELED", "CANCEL")
    assert desk.bus.result_of_entry(entry_id)["error"] == "canceled"
    assert open_orders(desk, symbol) == []
    again = desk.bus.ask({**wish, "plan_id": f"{wish['plan_id']}-again"})
    assert (again["executed"], again["error"]) == ("false", "nothing_to_cancel")


def test_a_cancel_whose_answer_is_lost_is_asked_about(world: World) -> None:
    """The exchange cancels and does not answer: the order's end is found by asking, and both plans are answered."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    plan = limit(symbol, "BUY", "0.50", "99.00")
    entry_id = rest(desk, plan)
    lost = desk.exchange.arm("timeout_executed", method="DELETE", path="/fapi/v1/order", symbol=symbol)
    done = desk.bus.ask(new_plan(symbol, "BUY", "1", decision="CANCEL", cancels=plan["plan_id"]))
    assert done["executed"] == "true"
    assert desk.bus.result_of_entry(entry_id)["error"] == "canceled"
    assert lost.hits == 1


def test_a_foreign_order_is_reported_and_forgotten(world: World) -> None:
    """Somebody's own order rests: an event, a copy and one alert within moments; cancelled there, it is forgotten."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    desk.exchange.trade(symbol, "BUY", "0.30", price="99.00", clientOrderId=f"web_{symbol}")
    until(lambda: "FOREIGN_ORDER" in desk.bus.events(symbol), "the event")
    copy = f"{desk.bus.prefix}:reconcile:foreign_orders:{symbol}"
    until(lambda: f"web_{symbol}" in str(desk.bus.redis.get(copy)), "the copy")
    until(lambda: world.alerts.about(f"web_{symbol}"), "the alert")
    assert desk.bus.execute(symbol, "BUY", "0.20")["executed"] == "true"
    world.exchange.post("cancel", account="main", symbol=symbol)
    until(lambda: "FOREIGN_ORDER_GONE" in desk.bus.events(symbol), "the end of it")
    until(lambda: desk.bus.redis.get(copy) is None, "no copy")
    assert len(world.alerts.about(f"web_{symbol}")) == 1
    assert "HOLD_SET" not in desk.bus.events(symbol)


def test_resting_orders_survive_a_wiped_bus_and_a_kill(tmp_path: Path) -> None:
    """FLUSHALL, SIGKILL, one order fills meanwhile: after the restart it reports, and the other can be cancelled."""
    with Exchange(tmp_path) as exchange:
        account = exchange.account("solo")
        with a_house(tmp_path, exchange) as house:
            first = house.start()
            desk = house.desk("solo", account)
            filled, kept = "SYM001USDT", "SYM002USDT"
            plans = {symbol: limit(symbol, "BUY", "0.50", "99.00") for symbol in (filled, kept)}
            for symbol, plan in plans.items():
                desk.until_open(symbol)
                rest(desk, plan)
            desk.bus.redis.flushall()
            first.kill()
            exchange.post("price", symbol=filled, price="98.90")
            until(lambda: account.position(filled) == Decimal("0.5"), "filled while nobody looked")
            house.start()
            desk = house.desk("solo", account)
            until(lambda: any(one["plan_id"] == plans[filled]["plan_id"] for one in desk.bus.results()), "its result")
            (result,) = [one for one in desk.bus.results() if one["plan_id"] == plans[filled]["plan_id"]]
            assert (result["executed"], result["filled_qty"], result["status"]) == ("true", "0.5", "FILLED")
            desk.until_agreed(filled)
            assert len(open_orders(desk, kept)) == 1
            done = desk.bus.ask(new_plan(kept, "BUY", "1", decision="CANCEL", cancels=plans[kept]["plan_id"]))
            assert done["executed"] == "true"
            until(lambda: any(one["plan_id"] == plans[kept]["plan_id"] for one in desk.bus.results()), "its result too")
            assert open_orders(desk, kept) == []
            assert [len(account.orders(symbol)) for symbol in plans] == [1, 1]


def test_in_hedge_mode_a_hold_ends_the_entry_and_leaves_the_exit(world: World) -> None:
    """A SELL on the LONG leg can only close it, reduce-only or not: it rests on under a person's hold."""
    desk, symbol = world.desks["hedge"], "ETHUSDT"
    desk.until_open(symbol)
    before = desk.exchange.position(symbol, "LONG")
    desk.bus.execute(symbol, "BUY", "0.1", positionSide="LONG")
    desk.until_open(symbol)
    entry = rest(desk, limit(symbol, "BUY", "0.1", "3100.00", positionSide="LONG"))
    leave = limit(symbol, "SELL", "0.1", "3300.00", positionSide="LONG")
    left = rest(desk, leave)
    assert desk.order(RequestKind.HOLD, symbol, side=PositionSide.LONG).state is RequestState.DONE
    assert desk.bus.result_of_entry(entry)["error"] == "canceled"
    assert [row["price"] for row in open_orders(desk, symbol)] == ["3300"]
    assert desk.order(RequestKind.RELEASE, symbol, side=PositionSide.LONG).state is RequestState.DONE
    desk.until_open(symbol)
    done = desk.bus.ask(new_plan(symbol, "BUY", "1", decision="CANCEL", cancels=leave["plan_id"]))
    assert done["executed"] == "true"
    assert desk.bus.result_of_entry(left)["error"] == "canceled"
    desk.bus.execute(symbol, "SELL", "0.1", positionSide="LONG")
    assert desk.exchange.position(symbol, "LONG") == before
