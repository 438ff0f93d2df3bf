"""Every way in which the answer to an order can be lost or refused, struck all at once on symbols of their own.

What was executed is reported as executed, once; what was not is never sent a second time unless the venue said that it
did nothing; a close ends with the drift closed exactly.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from tests.whole.bus import new_plan
from tests.whole.program import until

if TYPE_CHECKING:
    from tests.whole.exchange import Exchange, Fault
    from tests.whole.services import Desk
    from tests.whole.shared import World

EXECUTED = (
    *("unknown_error_executed", "timeout_executed", "bus_executed", "proxy_page_executed", "reset_executed"),
    *("hang_executed", "reply_delay"),
)
"""The order was executed, whatever was answered."""
UNKNOWN = (
    *("unknown_error_not_executed", "timeout_not_executed", "bus_not_executed", "proxy_page_not_executed"),
    *("reset_not_executed", "hang_not_executed"),
)
"""It was not, and no answer said so: only time proves it."""
SAID_SO = ("service_unavailable", "internal_error", "orders_limited")
"""It was not, and the answer said so in the words that prove it."""
PROVEN_WITHIN_S = 15.0
"""recvWindow, margin, two absences, and the plans queued before."""


def sends(exchange: Exchange, symbol: str) -> list[str]:
    """Client ids of all requests to place an order on the symbol, accepted or not, oldest first."""
    rows = exchange.get("requests", method="POST", path="/fapi/v1/order", limit=100_000)["requests"]
    return [row["params"]["newClientOrderId"] for row in rows if row["params"].get("symbol") == symbol]


def struck(desk: Desk, world: World, names: tuple[str, ...]) -> dict[str, tuple[str, Fault]]:
    """A symbol for each fault, open for trading, the fault armed on its next order."""
    symbols = {name: world.symbol() for name in names}
    for symbol in symbols.values():
        desk.until_open(symbol)
    return {name: (symbol, desk.exchange.arm_order(name, symbol)) for name, symbol in symbols.items()}


def test_a_plan_that_was_executed_is_reported_executed_whatever_was_answered(world: World) -> None:
    """A lost answer to an executed order ends as executed, by its one request, and the ledger has it."""
    desk = world.main
    cases = struck(desk, world, EXECUTED)
    entries = {name: desk.bus.submit(new_plan(symbol, "BUY", "0.10")) for name, (symbol, _) in cases.items()}
    for name, (symbol, fault) in cases.items():
        result = desk.bus.result_of_entry(entries[name], PROVEN_WITHIN_S)
        assert (result["executed"], result["filled_qty"], result["error"]) == ("true", "0.1", ""), name
        assert len(sends(world.exchange, symbol)) == 1, name
        assert fault.hits == 1, name
        assert desk.exchange.sent(symbol) == [("BUY", "0.1")], name
        desk.until_agreed(symbol)
        assert desk.bus.plans(symbol) == [], f"{name}: an own fill was taken for drift"
        desk.bus.execute(symbol, "SELL", "0.10")


def test_a_plan_that_was_not_executed_is_refused_by_proof_and_never_sent_again(world: World) -> None:
    """A lost answer to an order that was not executed ends as not_accepted after its one request."""
    desk = world.main
    cases = struck(desk, world, UNKNOWN)
    plans = {name: new_plan(symbol, "BUY", "0.10") for name, (symbol, _) in cases.items()}
    entries = {name: desk.bus.submit(plan) for name, plan in plans.items()}
    for name, (symbol, fault) in cases.items():
        result = desk.bus.result_of_entry(entries[name], PROVEN_WITHIN_S)
        assert (result["executed"], result["error"]) == ("false", "not_accepted"), name
        assert len(sends(world.exchange, symbol)) == 1, name
        assert fault.hits == 1, name
        again = desk.bus.ask(plans[name])
        assert (again["executed"], again["error"], again["duplicate"]) == ("false", "not_accepted", "true"), name
        assert desk.exchange.orders(symbol) == [], name
        desk.bus.execute(symbol, "BUY", "0.10")


def test_a_plan_that_the_venue_says_it_did_not_execute_is_sent_again_and_executed_once(world: World) -> None:
    """After an answer that proves nothing was done, the same order under the same id is sent again and fills once."""
    desk = world.main
    cases = struck(desk, world, (*SAID_SO, "overloaded"))
    entries = {name: desk.bus.submit(new_plan(symbol, "BUY", "0.10")) for name, (symbol, _) in cases.items()}
    for name, (symbol, fault) in cases.items():
        result = desk.bus.result_of_entry(entries[name], PROVEN_WITHIN_S)
        assert (result["executed"], result["filled_qty"]) == ("true", "0.1"), (name, result)
        requests = sends(world.exchange, symbol)
        assert (len(requests), len(set(requests))) == (2, 1), name
        assert fault.hits == 1, name
        assert desk.exchange.sent(symbol) == [("BUY", "0.1")], name


def test_a_venue_that_refuses_every_time_ends_the_plan_with_its_own_code(world: World) -> None:
    """Refusals that prove nothing was done are repeated at most three times; then the plan ends unexecuted."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    fault = desk.exchange.arm_order("service_unavailable", symbol, count=100)
    result = desk.bus.ask(new_plan(symbol, "BUY", "0.10"))
    assert (result["executed"], result["error"]) == ("false", "venue_unavailable")
    assert 1 < fault.hits <= 3
    fault.disarm()
    assert desk.exchange.orders(symbol) == []
    desk.bus.execute(symbol, "BUY", "0.10")


def test_a_close_ends_with_the_drift_closed_exactly_whatever_was_answered(world: World) -> None:
    """Whatever becomes of the close's answer, the drift is closed once, to the step, and the hold ends by itself."""
    desk = world.main
    cases = struck(desk, world, (*EXECUTED, *UNKNOWN, *SAID_SO))
    for number, (symbol, _) in enumerate(cases.values()):
        desk.exchange.trade(symbol, ("BUY", "SELL")[number % 2], "0.07")
    for number, (name, (symbol, fault)) in enumerate(cases.items()):
        until(lambda: "HOLD_SET" in desk.bus.events(symbol), f"{name}: held")  # noqa: B023 - called at once
        until(
            lambda: desk.is_released(symbol) and desk.bus.hold(symbol) is None,  # noqa: B023 - called at once
            f"{name}: {symbol} free",
            PROVEN_WITHIN_S,
        )
        filled = [one for one in desk.exchange.sent(symbol) if Decimal(one[1]) > 0]
        assert filled == [(("SELL", "BUY")[number % 2], "0.07")], name
        assert desk.exchange.position(symbol) == 0, name
        assert fault.hits == 1, name
        errors = {one["error"] for one in desk.bus.results() if one["symbol"] == symbol and one["executed"] == "false"}
        assert "" not in errors, name
        ids = sends(world.exchange, symbol)
        if name in EXECUTED:
            assert len(ids) == 1, name
        if name in UNKNOWN:
            assert len(ids) == len(set(ids)), f"{name}: an order of unknown fate was sent again"
        desk.until_open(symbol)


def test_a_close_that_is_refused_for_good_ends_with_a_person_told(world: World) -> None:
    """When every close of an episode comes to nothing, attempts stop at three and an operator is alerted."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    fault = desk.exchange.arm_order("service_unavailable", symbol, count=1000)
    desk.exchange.trade(symbol, "BUY", "0.07")
    desk.until_next_step(symbol, "no progress", PROVEN_WITHIN_S)
    until(lambda: world.alerts.about(symbol), "an alert")
    closes = {one["plan_id"] for one in desk.bus.plans(symbol)}
    assert len(closes) == 3
    assert desk.exchange.orders(symbol) == []
    assert desk.bus.refusal(symbol) == "hold_active"
    fault.disarm()
    desk.exchange.trade(symbol, "SELL", "0.07")
    desk.until_free(symbol)
