"""Orders whose fate nobody can prove: held, told, ended by a person's word, and never sent a second time."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from holdfast.domain.names import AccountId, ClientOrderId, PlanId, client_order_id
from tests.integration.exactly_once.quick import QUICK
from tests.integration.exactly_once.stage import ORDER_PATH, first_result, results_of, sends
from tests.whole.bus import new_plan
from tests.whole.program import never, until

if TYPE_CHECKING:
    from tests.integration.exactly_once.quick import Quick
    from tests.whole.exchange import Fault


def name_of(plan: dict[str, str]) -> ClientOrderId:
    """The client id under which a plan's order goes to the exchange."""
    return client_order_id(AccountId(QUICK.name), PlanId(plan["plan_id"]))


def blind(quick: Quick, symbol: str) -> list[Fault]:
    """Nothing tells any more what became of the symbol's orders: no lookup by any name, and no event."""
    account = quick.desk.exchange
    lookups = account.arm("internal_error", count=0, method="GET", path=ORDER_PATH, symbol=symbol)
    return [lookups, account.arm("stream_drop", count=0, symbol=symbol)]


def unknown_held(quick: Quick, symbol: str) -> str:
    """Wait for the hold that an order without a fate becomes; its id."""
    hold_id = quick.desk.until_held(symbol)
    until(lambda: quick.desk.bus.state(symbol).get("reason") == "unknown_order", f"{quick.desk.bus.state(symbol)}")
    return hold_id


def until_released(quick: Quick, symbol: str) -> None:
    """Wait until no hold stands and plans trade."""
    quick.desk.until_free(symbol)
    quick.desk.until_agreed(symbol)
    quick.desk.until_open(symbol)


def test_an_unknown_order_that_outlives_its_time_is_held_and_ends_by_a_persons_filled(quick: Quick) -> None:
    """Executed, every lookup fails: hold and alert; refused before the window; --filled moves the ledger."""
    desk, symbol = quick.desk, quick.symbol()
    faults = blind(quick, symbol)
    lost = desk.exchange.arm_order("reset_executed", symbol)
    plan = new_plan(symbol, "BUY", "0.10")
    desk.bus.submit(plan)
    until(lambda: lost.hits, "sent")
    until(lambda: desk.query(lambda reads: reads.live_orders(None)), "journaled")
    early = quick.command("resolve", name_of(plan), "--filled")
    assert early.status == 1, early
    assert "may still answer" in early.out + early.err, early
    hold_id = unknown_held(quick, symbol)
    until(lambda: quick.alerts.about(name_of(plan)), "an alert that names the order")
    assert desk.bus.refusal(symbol) == "hold_active"
    assert results_of(desk, plan) == []
    assert Decimal(desk.bus.fields(f"position:ledger:{symbol}").get("ledger_amt", "0")) == 0

    said = quick.command("resolve", name_of(plan), "--filled")
    assert said.status == 0, said
    quick.by_word.add(name_of(plan))
    result = first_result(desk, plan)
    assert (result["executed"], result["filled_qty"], result["error"]) == ("true", "0.1", "")
    desk.until_agreed(symbol)
    for fault in faults:
        assert fault.hits > 0
        fault.disarm()
    until_released(quick, symbol)
    again = desk.bus.ask(plan)
    assert (again["executed"], again["duplicate"], again["result_id"]) == ("true", "true", result["result_id"])
    assert len(sends(quick.exchange, symbol)) == 1
    assert desk.exchange.sent(symbol) == [("BUY", "0.1")], f"{hold_id}: the fill was taken for drift"
    desk.bus.execute(symbol, "SELL", "0.10")


def test_an_unknown_order_ends_by_a_persons_not_accepted(quick: Quick) -> None:
    """Never executed, every lookup fails: --not-accepted gives the plan its refusal, and the symbol trades again."""
    desk, symbol = quick.desk, quick.symbol()
    faults = blind(quick, symbol)
    lost = desk.exchange.arm_order("reset_not_executed", symbol)
    plan = new_plan(symbol, "BUY", "0.10")
    desk.bus.submit(plan)
    until(lambda: lost.hits, "sent")
    unknown_held(quick, symbol)
    said = quick.command("resolve", name_of(plan), "--not-accepted")
    assert said.status == 0, said
    result = first_result(desk, plan)
    assert (result["executed"], result["error"]) == ("false", "not_accepted")
    for fault in faults:
        fault.disarm()
    until_released(quick, symbol)
    assert desk.bus.ask(plan)["error"] == "not_accepted"
    assert len(sends(quick.exchange, symbol)) == 1
    assert desk.exchange.orders(symbol) == []
    second = quick.command("resolve", name_of(plan), "--filled")
    assert second.status == 1, second
    desk.bus.execute(symbol, "BUY", "0.10")


def test_an_order_whose_lookups_fail_for_long_is_adopted_once_one_succeeds(quick: Quick) -> None:
    """Executed and held as unknown: the first lookup that answers books it, and the hold ends without a person."""
    desk, symbol = quick.desk, quick.symbol()
    faults = blind(quick, symbol)
    desk.exchange.arm_order("timeout_executed", symbol)
    plan = new_plan(symbol, "SELL", "0.10")
    desk.bus.submit(plan)
    unknown_held(quick, symbol)
    for fault in faults:
        fault.disarm()
    result = first_result(desk, plan)
    assert (result["executed"], result["filled_qty"]) == ("true", "0.1")
    until_released(quick, symbol)
    assert desk.exchange.sent(symbol) == [("SELL", "0.1")]


def test_an_order_given_up_that_fills_after_all_is_booked_held_and_corrected(quick: Quick) -> None:
    """A fill under the id of an order proven not accepted is booked, held and corrected, its event lost or not."""
    desk, account = quick.desk, quick.desk.exchange
    seen, unseen = quick.symbol(), quick.symbol()
    plans = {symbol: new_plan(symbol, "BUY", "0.10") for symbol in (seen, unseen)}
    for symbol, plan in plans.items():
        account.arm_order("reset_not_executed", symbol)
        desk.bus.submit(plan)
    first = {symbol: first_result(desk, plan) for symbol, plan in plans.items()}
    assert {one["error"] for one in first.values()} == {"not_accepted"}
    dropped = account.arm("stream_drop", symbol=unseen, count=3)
    for symbol, plan in plans.items():
        account.trade(symbol, "BUY", "0.10", clientOrderId=name_of(plan))
    for symbol, plan in plans.items():
        until(lambda: desk.bus.state(symbol).get("reason") == "late_acceptance", "held as late", 12.0)  # noqa: B023 - called at once
        desk.until_agreed(symbol)
        until(lambda: quick.alerts.about(name_of(plan)), "an alert")  # noqa: B023 - called at once
        until(lambda: len(results_of(desk, plan)) > 1, "a corrected result")  # noqa: B023 - called at once
        late = results_of(desk, plan)[-1]
        assert late["result_id"] == f"{first[symbol]['result_id']}-late"
        assert (late["executed"], late["filled_qty"], late["error"]) == ("true", "0.1", "")
        assert desk.bus.refusal(symbol) == "hold_active"
    assert dropped.hits > 0
    dropped.disarm()
    never(lambda: desk.bus.hold(seen) is None or desk.bus.hold(unseen) is None, "released without a person", 0.8)
    for symbol, plan in plans.items():
        assert quick.command("release", symbol).status == 0
        until_released(quick, symbol)
        again = desk.bus.ask(plan)
        assert (again["executed"], again["duplicate"]) == ("true", "true")
        assert again["result_id"] == results_of(desk, plan)[1]["result_id"]
        assert account.sent(symbol) == [], "nothing of ours but the lost request was ever sent"
        assert len(sends(quick.exchange, symbol)) == 1
        desk.bus.execute(symbol, "SELL", "0.10")
