"""What must be true of the whole at rest. The shared system is audited again when the last test has left it."""

from __future__ import annotations

import json
import urllib.request
from decimal import Decimal
from typing import TYPE_CHECKING

from tests.whole.bus import new_plan
from tests.whole.program import until

if TYPE_CHECKING:
    from tests.whole.shared import World


def test_the_system_at_rest_agrees_with_the_exchange_and_proves_its_journal(world: World) -> None:
    """After plans, refusals and an episode every result, ledger, order and hold stands up to the exchange's books."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    desk.bus.execute(symbol, "BUY", "0.7")
    desk.bus.refusal(symbol, qty="0.105")
    desk.until_agreed(symbol)
    desk.heals(symbol, "BUY", "0.3")
    world.audit()


def test_the_metrics_of_a_close_count_what_the_exchange_saw(world: World) -> None:
    """One episode counts one planned, one attempted, one executed close, and no more when its fills come again."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    names = ("reconcile_close_plans_total", "reconcile_close_attempts_total", "reconcile_close_executed_total")
    before = world.house.metrics()
    desk.heals(symbol, "BUY", "0.07")
    after = world.house.metrics()
    assert {name: after[name] - before[name] for name in (*names, "reconcile_close_count")} == dict.fromkeys(
        (*names, "reconcile_close_count"), Decimal(1)
    )
    assert after["holdfast_holds_without_next_step"] == 0
    assert after["holdfast_stamp_age_seconds"] < 2
    assert any(name.startswith("holdfast_stage_seconds") for name in after)


def test_the_health_of_a_running_system_is_good(world: World) -> None:
    """/health answers 200 while every account's feed is proved."""
    with urllib.request.urlopen(f"{world.run.said['metrics_url']}/health", timeout=5) as answer:  # noqa: S310 - our http address
        assert answer.status == 200
        assert json.loads(answer.read())


def test_every_log_line_of_a_close_says_so_and_no_line_says_a_secret(world: World) -> None:
    """Lines about a close carry reconcile_action, its plan and its hold; keys, secrets and passwords stand nowhere."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    desk.heals(symbol, "BUY", "0.07")
    (close,) = desk.bus.plans(symbol)
    until(lambda: close["plan_id"] in world.run.log(), "logged")
    lines = [json.loads(line) for line in world.run.log().splitlines()]
    about = [line for line in lines if line.get("plan_id") == close["plan_id"]]
    assert {line["event"] for line in about} >= {"close_planned", "guardrails_passed", "order_outcome"}
    for line in about:
        assert (line["reconcile_action"], line["hold_id"]) == (True, close["hold_id"])
    text = world.run.log() + json.dumps(world.run.said)
    password = desk.house.bus_url.partition("@")[0].rpartition(":")[2]
    for secret in (password, *(value for value in desk.house.environment.values() if "secret" in value)):
        assert secret not in text


def test_an_alert_is_delivered_with_the_symbol_and_what_to_do(world: World) -> None:
    """A deficit's alert names the leg, the reason and the text of the next step."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    desk.bus.ask(new_plan(symbol, "BUY", "0.7"))
    desk.until_agreed(symbol)
    desk.exchange.trade(symbol, "SELL", "0.2")
    until(lambda: world.alerts.about(symbol), "an alert")
    (alert, *_) = world.alerts.about(symbol)
    assert "deficit" in json.dumps(alert)
    desk.exchange.trade(symbol, "BUY", "0.2")
    desk.until_free(symbol)
