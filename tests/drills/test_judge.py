"""The judge can fail: each of its rules on facts that break it, and on facts that do not."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.domain.names import AccountId, PlanId, client_order_id
from holdfast.lab.drills.judge import Seen, _accepted_once, _closes, _journaled, _outcomes, _sums
from holdfast.lab.drills.record import PlanSent, Record
from holdfast.lab.drills.victim_settings import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SYMBOL = "BTCUSDT"


def _name(plan: str) -> str:
    return client_order_id(AccountId(ACCOUNT), PlanId(plan))


def _at_exchange(plan: str, executed: str) -> dict[str, Any]:
    return {"clientOrderId": _name(plan), "symbol": SYMBOL, "executedQty": executed}


def _fill(name: str, side: str, qty: str) -> dict[str, Any]:
    return {"clientOrderId": name, "symbol": SYMBOL, "side": side, "qty": qty}


def _journaled_order(plan: str, decision: str, booked: str, against: str = "0") -> dict[str, Any]:
    return {
        "plan_id": plan,
        "decision": decision,
        "booked_qty": booked,
        "executed_qty": booked,
        "state": "filled",
        "against_drift_qty": against,
    }


def _seen(
    fills: Iterable[dict[str, Any]] = (),
    orders: Iterable[dict[str, Any]] = (),
    journal: dict[str, dict[str, Any]] | None = None,
    position: str = "0",
    ledger: str = "0",
) -> Seen:
    return Seen(
        orders=list(orders),
        fills=list(fills),
        positions={SYMBOL: Decimal(position)},
        journal_orders=journal or {},
        ledger={SYMBOL: Decimal(ledger)},
        moves={},
    )


OPENED = _fill(_name("p"), "BUY", "3")
FOREIGN = _fill("web-1", "BUY", "5")
OWN = {_name("p"): _journaled_order("p", "EXECUTE", "3")}
CLOSED = {_name("c"): _journaled_order("c", "RECONCILE_CLOSE", "5", "5")}


@pytest.mark.parametrize(
    ("check", "seen", "found"),
    [
        (_accepted_once, _seen(orders=[_at_exchange("p", "3")]), 0),
        (_accepted_once, _seen(orders=[_at_exchange("p", "3")] * 2), 1),
        (_journaled, _seen(orders=[_at_exchange("p", "3")], journal=OWN), 0),
        (_journaled, _seen(orders=[_at_exchange("p", "3")]), 1),
        (_journaled, _seen(orders=[_at_exchange("p", "2")], journal=OWN), 1),
        (_sums, _seen([OPENED], journal=OWN, position="3", ledger="3"), 0),
        (_sums, _seen([OPENED], journal=OWN, position="3"), 2),
        (_sums, _seen([OPENED], journal=OWN, position="2", ledger="3"), 1),
        (_sums, _seen([_fill("adl_autoclose", "SELL", "1")], position="-1", ledger="-1"), 0),
        (_sums, _seen([FOREIGN], position="5"), 1),
        (_closes, _seen([FOREIGN, _fill(_name("c"), "SELL", "5")], journal=CLOSED), 0),
        (_closes, _seen([FOREIGN, _fill(_name("c"), "BUY", "5")], journal=CLOSED), 1),
        (_closes, _seen([_fill("web-1", "BUY", "3"), _fill(_name("c"), "SELL", "5")], journal=CLOSED), 2),
        (_closes, _seen([OPENED, FOREIGN, _fill(_name("c"), "SELL", "6")], journal={**OWN, **CLOSED}), 1),
    ],
)
def test_a_rule_finds_what_breaks_it_and_nothing_else(
    check: Callable[[Seen], Iterable[str]], seen: Seen, found: int
) -> None:
    """Each rule over the exchange's book counts exactly what is wrong."""
    assert len(list(check(seen))) == found


def _result(executed: str, qty: str, error: str, result_id: str = "res-1") -> dict[str, str]:
    return {"executed": executed, "filled_qty": qty, "error": error, "result_id": result_id}


@pytest.mark.parametrize(
    ("results", "executed", "found"),
    [
        ([_result("true", "3", "")], "3", 0),
        ([_result("true", "3", ""), _result("true", "3", "")], "3", 0),
        ([_result("true", "3", ""), _result("false", "0", "plan_id_reused", "reused-1")], "3", 0),
        ([_result("false", "0", "stale_plan")], "0", 0),
        ([], "0", 1),
        ([_result("false", "0", "stale_plan")], "3", 1),
        ([_result("true", "2", "")], "3", 1),
        ([_result("false", "0", "")], "0", 1),
        ([_result("false", "0", "stale_plan"), _result("false", "0", "halted")], "0", 1),
    ],
)
def test_an_outcome_must_be_there_and_say_what_the_exchange_says(
    results: list[dict[str, str]], executed: str, found: int
) -> None:
    """A plan without an outcome, with a false one, an unexplained one or two different ones is found."""
    record = Record.__new__(Record)
    record.taken = {"p": PlanSent("p", SYMBOL, "BUY", "3")}
    record.results = {"p": results}
    orders = [_at_exchange("p", executed)] if executed != "0" else []

    assert len(list(_outcomes(record, _seen(orders=orders)))) == found


@pytest.mark.parametrize(
    ("result", "status", "found"),
    [
        (_result("true", "0", ""), "CANCELED", 0),
        (_result("true", "0", ""), "EXPIRED", 0),
        (_result("true", "0", ""), "FILLED", 1),
        (_result("true", "0", ""), "NEW", 1),
        (_result("true", "0", ""), None, 1),
        (_result("false", "0", "nothing_to_cancel"), "FILLED", 0),
        (_result("false", "0", "nothing_to_cancel"), None, 0),
        (_result("false", "0", "nothing_to_cancel"), "CANCELED", 0),
        (_result("false", "0", "nothing_to_cancel"), "PARTIALLY_FILLED", 1),
        (_result("false", "0", ""), "CANCELED", 1),
    ],
)
def test_a_cancels_outcome_must_be_what_became_of_the_order(
    result: dict[str, str], status: str | None, found: int
) -> None:
    """A CANCEL that claims an end that was none, or leaves its order resting, is found."""
    record = Record.__new__(Record)
    record.taken = {"c": PlanSent("c", SYMBOL, "", "0", cancels="p")}
    record.results = {"c": [result]}
    orders = [] if status is None else [{**_at_exchange("p", "0"), "status": status}]

    assert len(list(_outcomes(record, _seen(orders=orders)))) == found
