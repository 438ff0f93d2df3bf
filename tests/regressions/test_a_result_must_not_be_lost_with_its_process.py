"""Point 11 of the older system: an order without a client id that nobody asked about, and a result that a crash ate.

There a process killed between the order and its result left one entry pending for ever, an acknowledgement counted
as executed, and a partial fill was not booked.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from holdfast.domain.names import AccountId, PlanId, client_order_id
from tests.integration.exactly_once.stage import a_house, first_result, sends
from tests.whole.bus import new_plan
from tests.whole.exchange import Exchange
from tests.whole.program import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.whole.shared import World


def test_an_order_must_not_leave_without_an_id_by_which_it_is_asked_about(world: World) -> None:
    """Every order carries the id that its plan gives it, and after a lost answer it is asked about by that id."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    cut = desk.exchange.arm_order("hang_executed", symbol, delay_ms=300)
    plan = desk.bus.executed_plan(symbol, "BUY", "0.10")
    assert cut.hits == 1
    name = client_order_id(AccountId(desk.account), PlanId(plan["plan_id"]))
    assert sends(world.exchange, symbol) == [name]
    asked = world.exchange.get("requests", method="GET", path="/fapi/v1/order", limit=100_000)["requests"]
    assert any(row["params"].get("origClientOrderId") == name for row in asked)


def test_an_acknowledgement_must_not_count_as_executed_nor_a_part_as_nothing(world: World) -> None:
    """An order that the book fills in part reports and books exactly that part."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    world.exchange.post("depth", symbol=symbol, qty="0.04")
    result = desk.bus.ask(new_plan(symbol, "BUY", "0.10"))
    world.exchange.post("depth", symbol=symbol, qty=None)
    assert (result["executed"], result["filled_qty"]) == ("true", "0.04")
    assert desk.exchange.position(symbol) == Decimal("0.04")
    desk.until_agreed(symbol)
    assert Decimal(desk.bus.fields(f"position:ledger:{symbol}")["ledger_amt"]) == Decimal("0.04")


def test_a_result_must_not_be_lost_by_a_kill_between_order_and_result(tmp_path: Path) -> None:
    """SIGKILL once the order stands at the exchange: after the restart its result is published, and no second order."""
    with Exchange(tmp_path) as exchange:
        account = exchange.account("solo")
        with a_house(tmp_path, exchange) as house:
            first = house.start()
            desk = house.desk("solo", account)
            symbols = ("SYM001USDT", "SYM002USDT")
            for symbol in symbols:
                desk.until_open(symbol)
            slow = [account.arm_order("reply_delay", symbol, delay_ms=900) for symbol in symbols]
            plans = {symbol: new_plan(symbol, "BUY", "0.10") for symbol in symbols}
            for plan in plans.values():
                desk.bus.submit(plan)
            until(lambda: all(each.hits for each in slow), "both orders stand at the exchange")
            first.kill()
            house.start()
            desk = house.desk("solo", account)
            for symbol, plan in plans.items():
                result = first_result(desk, plan)
                assert (result["executed"], result["filled_qty"]) == ("true", "0.1")
                assert account.sent(symbol) == [("BUY", "0.1")]
