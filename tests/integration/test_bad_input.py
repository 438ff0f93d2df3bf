"""What nobody should send: each gets a result with its own code, is acknowledged, and harms nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.whole.bus import NINE_FIELDS, new_plan, now_ms
from tests.whole.program import until

if TYPE_CHECKING:
    from tests.whole.services import Desk
    from tests.whole.shared import World

WEEK_MS = 7 * 24 * 60 * 60 * 1000
MEGABYTES = 1024 * 1024


def refused_and_alive(desk: Desk, symbol: str, fields: dict[Any, Any]) -> str:
    """Hand in bad fields; the error, once acknowledged, nothing traded, and the next plan executed."""
    entry_id = desk.bus.submit(fields)
    result = desk.bus.result_of_entry(entry_id)
    assert (result["executed"], result["status"], result["duplicate"]) == ("false", "REFUSED", "false")
    assert (result["filled_qty"], result["client_order_id"], result["order_id"]) == ("0", "", "")
    until(lambda: desk.bus.pending() == 0, "everything is acknowledged")
    assert desk.bus.lag() == 0
    assert desk.exchange.orders(symbol) == []
    desk.bus.redis.xdel(desk.bus.key("stream:trading.plan"), entry_id)  # ten megabytes would slow down every look
    desk.bus.execute(symbol, "BUY", "0.10")
    return result["error"]


@pytest.mark.parametrize("name", NINE_FIELDS)
def test_a_plan_without_one_of_its_nine_fields(world: World, name: str) -> None:
    """A missing or empty field is `missing_field`, whichever of the nine it is."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    plan = new_plan(symbol, "BUY", "0.10")
    assert desk.bus.ask({**plan, name: ""})["error"] == "missing_field"
    del plan[name]
    assert refused_and_alive(desk, symbol, plan) == "missing_field"


@pytest.mark.parametrize(
    ("error", "wrong"),
    [
        ("bad_qty", {"qty": "NaN"}),
        ("bad_qty", {"qty": "Infinity"}),
        ("bad_qty", {"qty": "-0.10"}),
        ("bad_qty", {"qty": "0"}),
        ("bad_qty", {"qty": "1e999"}),
        ("bad_qty", {"qty": "0,10"}),
        ("bad_qty", {"qty": "1_0"}),
        ("qty_off_step", {"qty": "0.105"}),
        ("qty_above_max", {"qty": "5000.01"}),
        ("notional_above_max", {"qty": "600"}),
        ("notional_below_min", {"qty": "0.01"}),
        ("bad_field", {"side": "LONG"}),
        ("bad_field", {"reduceOnly": "maybe"}),
        ("bad_field", {"timestamp": "yesterday"}),
        ("bad_field", {"plan_id": "no spaces, please"}),
        ("bad_field", {"symbol": "btc/usdt"}),
        ("bad_field", {"type": "ICEBERG"}),
        ("unsupported", {"type": "STOP_MARKET"}),
        ("unknown_decision", {"decision": "MAYBE"}),
        ("missing_field", {"type": "LIMIT"}),
        ("unsupported", {"type": "LIMIT", "price": "100", "timeInForce": "GTD"}),
        ("price_off_tick", {"type": "LIMIT", "price": "100.001"}),
        ("price_out_of_bounds", {"type": "LIMIT", "price": "100001"}),
        ("position_side_mismatch", {"positionSide": "LONG"}),
        ("nothing_to_close", {"side": "close"}),
        ("unreadable", {"reason": b"\xff\xfe"}),
        ("missing_field", {"decision": "RECONCILE_CLOSE"}),
    ],
    ids=lambda value: "-".join(map(str, value.items() if isinstance(value, dict) else [value])),
)
def test_a_plan_with_one_wrong_value(world: World, error: str, wrong: dict[str, Any]) -> None:
    """One wrong value gets its own code, and the stream goes on."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    assert refused_and_alive(desk, symbol, {**new_plan(symbol, "BUY", "0.10"), **wrong}) == error


def test_symbols_that_may_not_be_traded(world: World) -> None:
    """A symbol outside the allowlist is refused by name, one that the venue does not list either way."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    unknown = {**new_plan("NOSUCHUSDT", "BUY", "1")}
    assert refused_and_alive(desk, symbol, unknown) in {"unknown_symbol", "symbol_not_allowed"}
    assert world.desks["small"].bus.refusal("SYM001USDT") == "symbol_not_allowed"


@pytest.mark.parametrize(
    ("error", "offset_ms"), [("stale_plan", -WEEK_MS), ("stale_plan", -30_000), ("future_plan", 60_000)]
)
def test_a_plan_of_another_time(world: World, error: str, offset_ms: int) -> None:
    """Last week's plan is stale, tomorrow's lies in the future; neither trades."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    stamp = str(now_ms() + offset_ms)
    assert refused_and_alive(desk, symbol, new_plan(symbol, "BUY", "0.10", timestamp=stamp)) == error


def test_a_plan_whose_own_expiry_has_passed(world: World) -> None:
    """A fresh plan that says it has expired is stale."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    late = new_plan(symbol, "BUY", "0.10", expires=str(now_ms() - 1))
    assert refused_and_alive(desk, symbol, late) == "stale_plan"


@pytest.mark.parametrize(
    ("error", "junk"),
    [
        ("too_large", {"junk": b"x" * (10 * MEGABYTES)}),
        ("too_large", {f"field{n}": "x" for n in range(500)}),
        ("unreadable", {"hello": "world"}),
        ("unreadable", {b"\xff": b"\xfe"}),
    ],
    ids=["ten megabytes", "500 fields", "not a plan", "bytes"],
)
def test_junk_on_the_plan_stream(world: World, error: str, junk: dict[Any, Any]) -> None:
    """Ten megabytes, hundreds of fields, or something else altogether: a result says so and the service lives."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    assert refused_and_alive(desk, symbol, junk) == error
    assert world.run.is_running()


def test_ten_megabytes_inside_a_plan(world: World) -> None:
    """A plan with a reason of ten megabytes is too large, and its id is told all the same."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    plan = new_plan(symbol, "BUY", "0.10", reason="x" * (10 * MEGABYTES))
    assert refused_and_alive(desk, symbol, plan) == "too_large"
    assert [one["error"] for one in desk.bus.results() if one["plan_id"] == plan["plan_id"]] == ["too_large"]


def test_a_bad_plan_does_not_use_up_its_id(world: World) -> None:
    """An id that first came with an unreadable quantity may be handed in again with a good one."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    plan = new_plan(symbol, "BUY", "0.10")
    assert desk.bus.ask({**plan, "qty": "NaN"})["error"] == "bad_qty"
    assert desk.bus.ask(plan)["executed"] == "true"


def test_a_hundred_bad_plans_between_good_ones(world: World) -> None:
    """Every entry of a mixed crowd gets exactly one result, and the good ones are executed in order."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    entries = []
    for number in range(100):
        desk.bus.submit({"junk": str(number)})
        if number % 20 == 0:
            entries.append(desk.bus.submit(new_plan(symbol, "BUY", f"0.1{number // 20}")))
    results = [desk.bus.result_of_entry(entry_id) for entry_id in entries]
    assert [one["executed"] for one in results] == ["true"] * 5
    assert [one["executedQty"] for one in desk.exchange.orders(symbol)] == ["0.1", "0.11", "0.12", "0.13", "0.14"]
    until(lambda: desk.bus.pending() == 0, "everything is acknowledged")
    answered = [one["entry_id"] for one in desk.bus.results() if one["entry_id"]]  # a close's result answers no entry
    assert [one for one in answered if answered.count(one) > 1] == []
