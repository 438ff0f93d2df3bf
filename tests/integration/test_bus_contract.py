"""The bus contract, field for field, by a program that knows nothing of us: redis commands and decimal strings."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.operator import RequestKind, RequestState
from tests.whole.bus import NINE_FIELDS, RESULT_FIELDS, new_plan, now_ms
from tests.whole.program import never, until

if TYPE_CHECKING:
    from tests.whole.shared import World

FREE_FOR_S = 0.7
"""Longer than the bus is looked over for holds set by hand and filled again."""


def test_a_plan_of_nine_fields_is_executed_and_its_result_has_the_documented_fields(world: World) -> None:
    """Nine fields on the plan stream become one order, and one result that says all that the contract names."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    plan = new_plan(symbol, "BUY", "0.10")
    assert tuple(plan) == NINE_FIELDS
    entry_id = desk.bus.submit(plan)
    result = desk.bus.result_of_entry(entry_id)
    (order,) = desk.exchange.orders(symbol)
    assert set(result) == RESULT_FIELDS | {"detail"}
    assert {name: result[name] for name in ("plan_id", "entry_id", "symbol", "decision", "status", "error")} == {
        "plan_id": plan["plan_id"],
        "entry_id": entry_id,
        "symbol": symbol,
        "decision": "EXECUTE",
        "status": "FILLED",
        "error": "",
    }
    assert (result["executed"], result["duplicate"]) == ("true", "false")
    assert (result["client_order_id"], result["order_id"]) == (order["clientOrderId"], str(order["orderId"]))
    assert Decimal(result["filled_qty"]) == Decimal("0.1")
    assert Decimal(result["avg_price"]) == Decimal(order["avgPrice"])
    assert 0 <= now_ms() - int(result["timestamp"]) < 60_000
    assert result["result_id"]


def test_a_close_plan_stands_on_the_stream_with_every_field_of_the_contract(world: World) -> None:
    """A foreign trade puts one RECONCILE_CLOSE on the plan stream, with hold, amounts, life and reason."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    assert desk.bus.hold(symbol) is None
    desk.heals(symbol, "BUY", "0.07")
    (close,) = desk.bus.plans(symbol)
    assert set(NINE_FIELDS) | {"hold_id", "exchange_amt", "ledger_amt", "expires"} <= set(close)
    fixed = {"decision": "RECONCILE_CLOSE", "side": "close", "type": "MARKET", "reduceOnly": "true"}
    assert {name: close[name] for name in fixed} == fixed
    assert close["reason"].startswith("drift_detected:")
    amounts = tuple(Decimal(close[name]) for name in ("qty", "exchange_amt", "ledger_amt"))
    assert amounts == (Decimal("0.07"), Decimal("0.07"), Decimal(0))
    assert int(close["expires"]) > int(close["timestamp"]) > 10**12
    (result,) = [one for one in desk.bus.results() if one["plan_id"] == close["plan_id"]]
    assert (result["decision"], result["executed"], result["error"]) == ("RECONCILE_CLOSE", "true", "")
    (order,) = desk.exchange.orders(symbol)
    assert (order["type"], order["reduceOnly"], order["side"]) == ("MARKET", True, "SELL")


def test_every_published_key_has_its_type_and_its_fields(world: World) -> None:
    """While a hold stands, each key of the contract is of the type and has the fields that the contract names."""
    desk, symbol = world.desks["off"], "SYM001USDT"
    desk.until_open(symbol)
    assert desk.bus.hold(symbol) is None
    verdict = json.loads(str(desk.bus.redis.get(desk.bus.key(f"reconcile:verdict:{symbol}"))))
    assert verdict["status"] == "AGREED"
    assert 0 < int(str(desk.bus.redis.pttl(desk.bus.key(f"reconcile:verdict:{symbol}")))) <= 10_000
    desk.exchange.trade(symbol, "SELL", "0.07")
    held = desk.until_held(symbol)
    desk.until_next_step(symbol, "switched off")
    types = {
        "stream:trading.plan": "stream",
        "stream:reconcile.events": "stream",
        f"reconcile:hold:{symbol}": "string",
        f"reconcile:state:{symbol}": "hash",
        f"position:snapshot:{symbol}": "hash",
        f"position:ledger:{symbol}": "hash",
        f"permit:state:{symbol}": "hash",
    }
    assert {name: desk.bus.redis.type(desk.bus.key(name)) for name in types} == types
    state = desk.bus.state(symbol)
    assert set(state) == {"status", "reason", "exchange_amt", "ledger_amt", "drift", "next_step", "since", "as_of"}
    assert (state["status"], state["reason"], state["ledger_amt"]) == ("HOLD", "drift", "0")
    assert (state["exchange_amt"], state["drift"]) == ("-0.07", "-0.07")
    assert int(state["since"]) > 10**12
    assert int(state["as_of"]) > 10**12
    snapshot = desk.bus.fields(f"position:snapshot:{symbol}")
    assert set(snapshot) == {"position_amt", "side", "entry_price", "mark_price", "as_of"}
    assert (snapshot["position_amt"], snapshot["side"]) == ("-0.07", "SHORT")
    assert Decimal(snapshot["mark_price"]) > 0
    ledger = desk.bus.fields(f"position:ledger:{symbol}")
    assert set(ledger) == {"ledger_amt", "side", "version", "last_order_id", "updated_at"}
    assert (ledger["ledger_amt"], ledger["side"]) == ("0", "FLAT")
    assert desk.bus.fields(f"permit:state:{symbol}") == {"state": "DENY", "reason": "hold_active"}
    assert desk.bus.redis.exists(desk.bus.key(f"reconcile:verdict:{symbol}")) == 0
    assert held
    desk.exchange.trade(symbol, "BUY", "0.07")
    desk.until_free(symbol)
    desk.until_open(symbol)
    assert desk.exchange.orders(symbol) == []


def test_the_ledger_names_the_last_order_that_moved_it(world: World) -> None:
    """After a fill the published ledger has the amount, a higher version and the number of the order behind it."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    result = desk.bus.execute(symbol, "BUY", "0.10")
    desk.until_agreed(symbol)
    ledger = desk.bus.fields(f"position:ledger:{symbol}")
    assert (ledger["ledger_amt"], ledger["side"]) == ("0.1", "LONG")
    assert ledger["last_order_id"] == result["order_id"]
    assert int(ledger["version"]) >= 1
    assert int(ledger["updated_at"]) > 10**12


@pytest.mark.parametrize(
    ("reduce_only", "executed"),
    [("True", "false"), ("TRUE", "false"), ("1", "false"), ("0", "true"), ("FALSE", "true")],
)
def test_truth_values_are_read_in_any_case_and_as_digits(world: World, reduce_only: str, executed: str) -> None:
    """A reduce-only plan on a flat symbol is refused however true is written; without it the plan is executed."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    result = desk.bus.ask(new_plan(symbol, "BUY", "0.10", reduceOnly=reduce_only))
    assert (result["executed"], result["error"]) == (executed, "nothing_to_close" if executed == "false" else "")


def test_a_timestamp_in_seconds_is_understood_with_and_without_a_fraction(world: World) -> None:
    """Epoch seconds are as good as milliseconds, and an old one is as stale."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    desk.bus.execute(symbol, "BUY", "0.10", timestamp=str(now_ms() // 1000))
    desk.bus.execute(symbol, "SELL", "0.10", timestamp=f"{now_ms() // 1000}.25")
    assert desk.bus.refusal(symbol, timestamp=str(now_ms() // 1000 - 700_000)) == "stale_plan"


def test_side_close_shrinks_whatever_position_there_is(world: World) -> None:
    """`side=close` sells a long and buys a short, of the quantity that it says and not of the rest."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    desk.bus.execute(symbol, "SELL", "0.20")
    desk.bus.execute(symbol, "close", "0.15")
    desk.bus.execute(symbol, "CLOSE", "0.05", reduceOnly="true")
    desk.bus.execute(symbol, "BUY", "0.10")
    desk.bus.execute(symbol, "close", "0.10")
    sent = [("SELL", "0.2"), ("BUY", "0.15"), ("BUY", "0.05"), ("BUY", "0.1"), ("SELL", "0.1")]
    assert desk.exchange.sent(symbol) == sent


def test_a_repeated_plan_gets_its_first_outcome_and_no_second_order(world: World) -> None:
    """The same plan again, stamped anew, has the same result id and outcome with duplicate=true, filled or refused."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    plan = new_plan(symbol, "BUY", "0.10")
    first, again = desk.bus.ask(plan), desk.bus.ask({**plan, "timestamp": str(now_ms())})
    refused = new_plan(symbol, "BUY", "0.105")
    no, still_no = desk.bus.ask(refused), desk.bus.ask(refused)
    for one, other in ((first, again), (no, still_no)):
        assert (one["duplicate"], other["duplicate"]) == ("false", "true")
        same = RESULT_FIELDS - {"duplicate", "entry_id"}
        assert {name: one[name] for name in same} == {name: other[name] for name in same}
    assert (no["executed"], no["error"]) == ("false", "qty_off_step")
    assert desk.exchange.sent(symbol) == [("BUY", "0.1")]


def test_three_deliveries_at_once_make_one_order_and_three_results(world: World) -> None:
    """A plan that is handed in three times before it is done is executed once, and every delivery is answered."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    delay = desk.exchange.arm_order("reply_delay", symbol, delay_ms=200)
    plan = new_plan(symbol, "BUY", "0.10")
    results = [desk.bus.result_of_entry(entry_id) for entry_id in [desk.bus.submit(plan) for _ in range(3)]]
    assert [one["executed"] for one in results] == ["true"] * 3
    assert sorted(one["duplicate"] for one in results) == ["false", "true", "true"]
    assert len({one["result_id"] for one in results}) == 1
    assert desk.exchange.sent(symbol) == [("BUY", "0.1")]
    assert delay.hits == 1


def test_an_id_used_with_other_content_is_refused_and_the_first_outcome_stands(world: World) -> None:
    """A plan id that comes back with another quantity is `plan_id_reused`; the first plan's repeat still answers."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    plan = new_plan(symbol, "BUY", "0.10")
    first = desk.bus.ask(plan)
    other = desk.bus.ask({**plan, "qty": "0.20"})
    assert (other["executed"], other["error"], other["duplicate"]) == ("false", "plan_id_reused", "false")
    assert other["result_id"] != first["result_id"]
    assert desk.bus.ask(plan)["executed"] == "true"
    assert desk.exchange.sent(symbol) == [("BUY", "0.1")]


def test_a_hold_set_by_hand_denies_is_imported_and_ends_by_release_alone(world: World) -> None:
    """A value on the hold key refuses plans, becomes an operator's hold, outlives its own key, and ends by release."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    key = desk.bus.key(f"reconcile:hold:{symbol}")
    desk.bus.redis.set(key, "halt: ada wants to look at this first")
    assert desk.bus.refusal(symbol) in {"bus_hold", "hold_active"}
    until(lambda: "HOLD_IMPORTED" in desk.bus.events(symbol), "the import")
    assert desk.bus.refusal(symbol) == "hold_active"
    desk.bus.redis.delete(key)
    assert desk.bus.refusal(symbol) == "hold_active"
    until(lambda: desk.bus.hold(symbol) is not None, "the hold's copy is put back")
    assert desk.bus.state(symbol)["reason"] == "operator"
    until(lambda: world.alerts.about(symbol), "a person is told")
    assert desk.order(RequestKind.RELEASE, symbol).state is RequestState.DONE
    desk.until_free(symbol)
    desk.until_open(symbol)
    never(lambda: desk.bus.hold(symbol) is not None, "held again after its release", FREE_FOR_S)
    desk.bus.execute(symbol, "BUY", "0.10")


def test_a_hold_set_with_a_life_of_its_own_does_not_open_when_it_expires(world: World) -> None:
    """A hold key with an expiry is imported like any other: its end on the bus opens nothing."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    desk.bus.redis.set(desk.bus.key(f"reconcile:hold:{symbol}"), "1", px=600)
    until(lambda: "HOLD_IMPORTED" in desk.bus.events(symbol), "the import")
    until(lambda: desk.bus.hold(symbol) not in {"1", None}, "the journal's own hold on the bus")
    assert desk.bus.refusal(symbol) == "hold_active"
    assert desk.order(RequestKind.RELEASE, symbol).state is RequestState.DONE
    desk.until_free(symbol)


@pytest.mark.parametrize("value", ["", "0", "false", "False"])
def test_words_for_no_on_a_hold_key_are_no_hold(world: World, value: str) -> None:
    """Empty, 0 and false on the hold key mean free."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    desk.bus.redis.set(desk.bus.key(f"reconcile:hold:{symbol}"), value)
    desk.bus.execute(symbol, "BUY", "0.10")
    never(lambda: "HOLD_IMPORTED" in desk.bus.events(symbol), "imported", FREE_FOR_S)


def test_a_hold_deleted_from_the_bus_stays_closed(world: World) -> None:
    """Deleting our hold's key opens nothing: plans are refused, and the key is put back."""
    desk, symbol = world.desks["off"], "SYM002USDT"
    desk.until_open(symbol)
    desk.exchange.trade(symbol, "BUY", "0.07")
    held = desk.until_held(symbol)
    desk.bus.redis.delete(desk.bus.key(f"reconcile:hold:{symbol}"))
    assert desk.bus.refusal(symbol) == "hold_active"
    until(lambda: desk.bus.hold(symbol) == held, "the hold's copy is put back")
    desk.exchange.trade(symbol, "SELL", "0.07")
    desk.until_free(symbol)


def test_a_hold_overwritten_on_the_bus_is_not_lost_and_the_foreign_one_counts_too(world: World) -> None:
    """A foreign value over our hold's key is imported; when the drift is gone the operator's hold still stands."""
    desk, symbol = world.desks["off"], "SYM003USDT"
    desk.until_open(symbol)
    desk.exchange.trade(symbol, "BUY", "0.07")
    desk.until_held(symbol)
    desk.bus.redis.set(desk.bus.key(f"reconcile:hold:{symbol}"), "ada")
    until(lambda: "HOLD_IMPORTED" in desk.bus.events(symbol), "the import")
    desk.exchange.trade(symbol, "SELL", "0.07")
    until(lambda: "HOLD_RELEASED" in desk.bus.events(symbol), "the drift's hold ends")
    assert desk.bus.refusal(symbol) == "hold_active"
    assert desk.order(RequestKind.RELEASE, symbol).state is RequestState.DONE
    desk.until_free(symbol)


def test_each_plan_has_its_published_permit_or_refusal(world: World) -> None:
    """permit:p33 holds JSON that expires: ALLOW with what was permitted, or DENY with the reason."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    allowed, denied = new_plan(symbol, "BUY", "0.10"), new_plan(symbol, "BUY", "0.105")
    order = desk.bus.ask(allowed)
    desk.bus.ask(denied)
    bodies = {}
    for plan in (allowed, denied):
        key = desk.bus.key(f"permit:p33:{plan['plan_id']}")
        until(lambda: desk.bus.redis.exists(key), key)  # noqa: B023 - called at once
        assert 0 < int(str(desk.bus.redis.pttl(key))) <= 120_000
        bodies[plan["plan_id"]] = json.loads(str(desk.bus.redis.get(key)))
    yes, no = bodies[allowed["plan_id"]], bodies[denied["plan_id"]]
    assert (yes["decision"], yes["symbol"], yes["side"], yes["qty"]) == ("ALLOW", symbol, "BUY", "0.1")
    assert yes["client_order_id"] == order["client_order_id"]
    assert (no["decision"], no["reason"], no["symbol"]) == ("DENY", "qty_off_step", symbol)


def test_the_published_permit_state_flips_with_the_hold(world: World) -> None:
    """permit:state says ALLOW, then DENY hold_active while a hold stands, then ALLOW again."""
    desk, symbol = world.desks["off"], "SYM004USDT"
    desk.until_open(symbol)
    state = f"permit:state:{symbol}"
    assert desk.bus.fields(state) == {"state": "ALLOW", "reason": ""}
    desk.exchange.trade(symbol, "BUY", "0.07")
    until(lambda: desk.bus.fields(state) == {"state": "DENY", "reason": "hold_active"}, "DENY")
    desk.exchange.trade(symbol, "SELL", "0.07")
    until(lambda: desk.bus.fields(state) == {"state": "ALLOW", "reason": ""}, "ALLOW")


def test_events_carry_a_number_that_grows_by_one_an_entry(world: World) -> None:
    """Each event names its journal entry; one episode's come in order and none comes twice."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    desk.heals(symbol, "SELL", "0.07")
    numbers = [int(fields["seq"]) for fields in desk.bus.event_fields(symbol)]
    assert len(numbers) == len(set(numbers))
    events = desk.bus.events(symbol)
    order = ["HOLD_SET", "CLOSE_PLANNED", "HOLD_RELEASED"]
    assert [event for event in events if event in order] == order
