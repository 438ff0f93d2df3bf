"""The demo's judge on made-up observations: it must be able to say no, by name, for every promise."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.amounts import format_amount
from holdfast.lab.demo.facts import AlertSeen, Event, Facts, HoldSeen, OrderSeen, PlanSeen, ResultSeen
from holdfast.lab.demo.judge import judge
from holdfast.lab.demo.report import report_of
from holdfast.lab.demo.scenarios import SCENARIOS, WARM_UP_QTY, Ending, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable

MS = 1_000_000
T0 = 1_000 * MS
HOLD = "hold-BTCUSDT-9"
CLOSE_PLAN = "rc-1"
CLOSE_ORDER = 20
AFTER_ORDER = 30


def order(order_id: int, amount: Decimal, at_ms: int, *, source: str = "api", reduce_only: bool = False) -> OrderSeen:
    """A filled order."""
    return OrderSeen(
        order_id=order_id,
        client_order_id=f"hf-{order_id}",
        source=source,
        side="BUY" if amount > 0 else "SELL",
        order_type="MARKET",
        reduce_only=reduce_only,
        qty=abs(amount),
        executed=abs(amount),
        avg_price="64000",
        status="FILLED",
        accepted_ns=T0 + at_ms * MS,
    )


def refused(plan_id: str, at_ms: int) -> PlanSeen:
    """A plan that met the hold."""
    return PlanSeen(plan_id, executed=False, error="hold_active", order_id=None, at_ns=T0 + at_ms * MS)


def refusal(plan_id: str) -> ResultSeen:
    """Its result on the bus."""
    return ResultSeen(plan_id, "EXECUTE", executed=False, error="hold_active", order_id=None)


def with_close(scenario: Scenario, facts: Facts) -> Facts:
    """The same, with the close that the scenario asks for."""
    close = {
        "plan_id": CLOSE_PLAN,
        "symbol": "BTCUSDT",
        "decision": "RECONCILE_CLOSE",
        "side": "close",
        "qty": format_amount(abs(scenario.close)),
        "type": "MARKET",
        "reduceOnly": "true",
        "reason": "drift_detected:drift",
        "timestamp": "1",
        "hold_id": HOLD,
        "exchange_amt": format_amount(scenario.exchange),
        "ledger_amt": format_amount(scenario.ledger),
        "expires": "2",
    }
    result = ResultSeen(CLOSE_PLAN, "RECONCILE_CLOSE", executed=True, error="", order_id=CLOSE_ORDER)
    return replace(
        facts,
        closes=(close,),
        claimed=(CLOSE_PLAN,),
        results=(*facts.results, result),
        orders=(*facts.orders, order(CLOSE_ORDER, scenario.close, 14, reduce_only=True)),
    )


def as_promised(scenario: Scenario) -> Facts:
    """Everything that the scenario promises, seen."""
    foreign = order(10, scenario.by_hand, 0, source="manual")
    facts = Facts(
        drift_ns=T0,
        orders_before=3,
        drift_amt=scenario.by_hand,
        hold=HoldSeen(HOLD, T0 + 3 * MS),
        refused=refused("p-1", 9),
        results=(refusal("p-1"),),
        orders=(order(1, WARM_UP_QTY, -20), order(2, -WARM_UP_QTY, -10), foreign),
        position_closed=scenario.position_end,
        position_end=scenario.position_end,
        ledger_end=scenario.ledger,
    )
    if scenario.ending is Ending.WRITTEN_DOWN:
        written = (format_amount(scenario.ledger), format_amount(scenario.position_end))
        facts = replace(facts, written_down=written, ledger_end=scenario.position_end)
    if scenario.close:
        facts = with_close(scenario, facts)
    if scenario.tells_operator:
        facts = replace(facts, alert=AlertSeen("BTCUSDT is held: drift", T0 + 30 * MS))
    if scenario.needs_operator:
        facts = replace(
            facts,
            next_step="a person decides",
            hold_ids_watched=(HOLD,) * 30,
            watched_ms=1_500,
            refused_again=refused("p-2", 1_600),
            results=(*facts.results, refusal("p-2")),
            hold_end=HOLD,
        )
    if scenario.ending is Ending.HELD:
        return facts
    if scenario.ending is Ending.FREED_BY_HAND:
        by_hand = order(25, -scenario.by_hand, 1_700, source="manual")
        facts = replace(facts, orders=(*facts.orders, by_hand), hand_close_ns=by_hand.accepted_ns)
    return replace(
        facts,
        released_ns=T0 + 1_710 * MS,
        release_event_hold=HOLD,
        allow_ns=T0 + 1_711 * MS,
        after=PlanSeen("p-3", executed=True, error="", order_id=AFTER_ORDER, at_ns=T0 + 1_720 * MS),
        orders=(*facts.orders, order(AFTER_ORDER, WARM_UP_QTY, 1_715), order(31, -WARM_UP_QTY, 1_725)),
        hold_end=None,
    )


def broken(scenario: Scenario, facts: Facts) -> set[str]:
    """Names of the promises that the judge calls broken."""
    return {promise.name for promise in judge(scenario, facts) if not promise.kept}


def close_changed(**fields: str) -> Callable[[Facts], Facts]:
    """Spoil the close on the plan stream."""
    return lambda facts: replace(facts, closes=({**facts.closes[0], **fields},))


def close_order_changed(**fields: object) -> Callable[[Facts], Facts]:
    """Spoil the close at the exchange."""
    return lambda facts: replace(
        facts,
        orders=tuple(replace(o, **fields) if o.order_id == CLOSE_ORDER else o for o in facts.orders),  # type: ignore[arg-type]  # names and types are the test's
    )


def plus_order(amount: str, *, reduce_only: bool) -> Callable[[Facts], Facts]:
    """Let one more order of ours reach the exchange right after the drift."""
    extra = order(19, Decimal(amount), 8, reduce_only=reduce_only)
    return lambda f: replace(f, orders=(*f.orders[: f.orders_before], extra, *f.orders[f.orders_before :]))


Spoil = tuple[str, str, "Callable[[Facts], Facts]"]
EVERYWHERE: tuple[Spoil, ...] = (
    ("no drift event", "drift_seen", lambda f: replace(f, drift_amt=None)),
    ("another drift", "drift_seen", lambda f: replace(f, drift_amt=Decimal("0.001"))),
    ("no hold", "hold_placed", lambda f: replace(f, hold=None)),
    ("no answer under the hold", "plan_refused", lambda f: replace(f, refused=None)),
    (
        "executed under the hold",
        "plan_refused",
        lambda f: replace(f, refused=PlanSeen("p-1", executed=True, error="", order_id=19, at_ns=T0)),
    ),
    (
        "refused for another reason",
        "plan_refused",
        lambda f: replace(f, refused=PlanSeen("p-1", executed=False, error="stamp_stale", order_id=None, at_ns=T0)),
    ),
    ("its result is not on the bus", "plan_refused", lambda f: replace(f, results=f.results[1:])),
    ("another order of ours", "nothing_else_ordered", plus_order("0.003", reduce_only=False)),
)
WITH_A_CLOSE: tuple[Spoil, ...] = (
    ("no close planned", "close_planned", lambda f: replace(f, closes=())),
    ("two closes planned", "close_planned", lambda f: replace(f, closes=f.closes * 2)),
    *(
        (f"close with another {name}", "close_planned", close_changed(**{name: "x"}))
        for name in (
            "symbol",
            "side",
            "type",
            "reduceOnly",
            "qty",
            "reason",
            "hold_id",
            "exchange_amt",
            "ledger_amt",
        )
    ),
    *(
        (f"close without {name}", "close_planned", close_changed(**{name: ""}))
        for name in (
            "plan_id",
            "timestamp",
            "expires",
        )
    ),
    ("not claimed", "guardrails_passed", lambda f: replace(f, claimed=())),
    ("another one claimed", "guardrails_passed", lambda f: replace(f, claimed=("rc-2",))),
    ("close not reduce-only", "close_at_exchange", close_order_changed(reduce_only=False)),
    ("close not filled", "close_at_exchange", close_order_changed(status="EXPIRED")),
    ("close of another size", "close_at_exchange", close_order_changed(executed=Decimal("0.001"))),
    ("a LIMIT close", "close_at_exchange", close_order_changed(order_type="LIMIT")),
    (
        "no result of the close",
        "close_at_exchange",
        lambda f: replace(f, results=tuple(r for r in f.results if r.plan_id != CLOSE_PLAN)),
    ),
    ("a second close at the exchange", "close_at_exchange", plus_order("-0.001", reduce_only=True)),
    ("another position after it", "position_closed", lambda f: replace(f, position_closed=Decimal("0.001"))),
)
WITHOUT_A_CLOSE: tuple[Spoil, ...] = (
    ("a close was planned", "nothing_closed", lambda f: replace(f, closes=({"plan_id": "rc-1"},))),
    ("a close was claimed", "nothing_closed", lambda f: replace(f, claimed=("rc-1",))),
    ("a close at the exchange", "nothing_else_ordered", plus_order("-0.001", reduce_only=True)),
)
TOLD: tuple[Spoil, ...] = (
    ("no alert", "operator_alerted", lambda f: replace(f, alert=None)),
    ("an alert about something else", "operator_alerted", lambda f: replace(f, alert=AlertSeen("hello", T0))),
)
WRITTEN_DOWN: tuple[Spoil, ...] = (
    ("not written down", "ledger_written_down", lambda f: replace(f, written_down=None)),
    ("written down to another amount", "ledger_written_down", lambda f: replace(f, written_down=("-0.003", "7"))),
)
WITH_AN_OPERATOR: tuple[Spoil, ...] = (
    ("not watched", "hold_stood", lambda f: replace(f, hold_ids_watched=())),
    ("gone for a moment", "hold_stood", lambda f: replace(f, hold_ids_watched=(HOLD, "", HOLD))),
    ("no next step", "hold_stood", lambda f: replace(f, next_step="")),
    ("not tried again", "hold_stood", lambda f: replace(f, refused_again=None)),
)
HELD: tuple[Spoil, ...] = (
    ("released", "hold_stands", lambda f: replace(f, hold_end=None)),
    ("another hold", "hold_stands", lambda f: replace(f, hold_end="hold-2")),
    ("drift widened", "drift_not_widened", lambda f: replace(f, position_end=Decimal(-1))),
    ("ledger written down", "drift_not_widened", lambda f: replace(f, ledger_end=f.position_end)),
    ("nothing published", "drift_not_widened", lambda f: replace(f, ledger_end=None)),
)
TRADING_AGAIN: tuple[Spoil, ...] = (
    ("not released", "hold_released", lambda f: replace(f, released_ns=None)),
    ("another hold released", "hold_released", lambda f: replace(f, release_event_hold="hold-2")),
    ("no ALLOW", "permit_allow", lambda f: replace(f, allow_ns=None)),
    ("no plan afterwards", "plan_executed", lambda f: replace(f, after=None)),
    (
        "refused afterwards",
        "plan_executed",
        lambda f: replace(f, after=PlanSeen("p-3", executed=False, error="halted", order_id=AFTER_ORDER, at_ns=T0)),
    ),
    (
        "executed by its word only",
        "plan_executed",
        lambda f: replace(f, orders=tuple(o for o in f.orders if o.order_id != AFTER_ORDER)),
    ),
    ("another position at the end", "agreed_at_end", lambda f: replace(f, position_end=Decimal(1))),
    ("another ledger at the end", "agreed_at_end", lambda f: replace(f, ledger_end=Decimal(1))),
    ("a hold at the end", "agreed_at_end", lambda f: replace(f, hold_end=HOLD)),
)
FREED: tuple[Spoil, ...] = (
    ("another position", "position_closed", lambda f: replace(f, position_closed=None)),
    ("released before the close by hand", "hold_released", lambda f: replace(f, released_ns=T0 + 5 * MS)),
    ("nobody closed by hand", "hold_released", lambda f: replace(f, hand_close_ns=None)),
    (
        "alerted too late",
        "operator_alerted",
        lambda f: replace(f, alert=AlertSeen("BTCUSDT is held: drift", T0 + 1_900 * MS)),
    ),
)


def spoils_of(scenario: Scenario) -> tuple[Spoil, ...]:
    """Every way in which this scenario can be broken."""
    spoils = EVERYWHERE + (WITH_A_CLOSE if scenario.close else WITHOUT_A_CLOSE)
    if scenario.tells_operator:
        spoils += TOLD
    if scenario.needs_operator:
        spoils += WITH_AN_OPERATOR
    if scenario.ending is Ending.WRITTEN_DOWN:
        spoils += WRITTEN_DOWN
    spoils += HELD if scenario.ending is Ending.HELD else TRADING_AGAIN
    return spoils + (FREED if scenario.ending is Ending.FREED_BY_HAND else ())


CASES = [
    pytest.param(scenario, name, spoil, id=f"{scenario.name}: {what}")
    for scenario in SCENARIOS.values()
    for what, name, spoil in spoils_of(scenario)
]


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_all_promises_are_kept_when_everything_promised_was_seen(scenario: Scenario) -> None:
    """Facts that fulfil the scenario leave no promise broken."""
    assert broken(scenario, as_promised(scenario)) == set()


@pytest.mark.parametrize(("scenario", "name", "spoil"), CASES)
def test_a_broken_promise_is_named(scenario: Scenario, name: str, spoil: Callable[[Facts], Facts]) -> None:
    """One spoiled observation breaks the promise that it belongs to, and the report is not kept."""
    facts = spoil(as_promised(scenario))
    assert name in broken(scenario, facts)
    assert not report_of(scenario, facts, ()).is_kept


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_every_promise_can_be_broken(scenario: Scenario) -> None:
    """No promise is judged that no observation can break."""
    promised = {promise.name for promise in judge(scenario, as_promised(scenario))}
    assert promised == {name for _, name, _ in spoils_of(scenario)}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_nothing_seen_keeps_no_promise_but_that_nothing_was_done(scenario: Scenario) -> None:
    """A system that does nothing at all breaks every promise that something happens."""
    kept = {promise.name for promise in judge(scenario, Facts(drift_ns=T0)) if promise.kept}
    assert kept <= {"nothing_closed", "nothing_else_ordered"}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_healed_means_agreement_without_a_hold(scenario: Scenario) -> None:
    """`healed` is true where exchange and ledger agree and no hold stands: not for deficit."""
    body = report_of(scenario, as_promised(scenario), ()).to_json()
    assert body["healed"] is (scenario.name != "deficit")


def test_times_count_from_the_acceptance_of_the_trade_by_hand() -> None:
    """The three times are milliseconds since the exchange accepted the foreign trade, null where nothing happened."""
    healed = report_of(SCENARIOS["drift-long"], as_promised(SCENARIOS["drift-long"]), ()).to_json()
    assert (healed["drift_to_hold_ms"], healed["drift_to_close_ms"]) == (3.0, 14.0)
    assert healed["drift_to_release_ms"] == 1_710.0
    held = report_of(SCENARIOS["deficit"], as_promised(SCENARIOS["deficit"]), ()).to_json()
    assert (held["drift_to_close_ms"], held["drift_to_release_ms"]) == (None, None)


def test_events_stand_in_the_order_of_their_times() -> None:
    """Events are sorted by time, those of one moment as they were told."""
    told = [Event(name, T0 + at * MS, "") for name, at in (("c", 3), ("a", 1), ("b", 1))]
    report = report_of(SCENARIOS["drift-long"], as_promised(SCENARIOS["drift-long"]), told)
    assert [event.name for event in report.events] == ["a", "b", "c"]
