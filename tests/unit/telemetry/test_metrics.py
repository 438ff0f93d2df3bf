"""The numbers under the names that others rely on."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from holdfast.domain.hold import HoldReason
from holdfast.domain.names import AccountId, Symbol
from holdfast.domain.reasons import Reason
from holdfast.ports.telemetry import Metrics, Stage
from holdfast.telemetry.metrics import RULES_MAX, SYMBOLS_MAX, PrometheusMetrics

MAIN, DESK = AccountId("main"), AccountId("desk")
BTC = Symbol("BTCUSDT")


class MovableClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.ns = 0

    def now_ms(self) -> int:
        """Return the wall clock."""
        return self.ns // 1_000_000

    def monotonic_ns(self) -> int:
        """Return the monotonic clock."""
        return self.ns


def shown(metrics: PrometheusMetrics) -> dict[str, str]:
    """Return the samples as a scraper reads them."""
    lines = metrics.render().decode().splitlines()
    return {line.rpartition(" ")[0]: line.rpartition(" ")[2] for line in lines if not line.startswith("#")}


def made() -> tuple[PrometheusMetrics, MovableClock]:
    """Make metrics on a clock of their own."""
    clock = MovableClock()
    return PrometheusMetrics(clock), clock


def test_the_names_of_the_older_system_are_kept() -> None:
    """A close from plan to fill counts under the five names that dashboards know, the four unlabelled."""
    metrics, _ = made()
    port: Metrics = metrics
    port.closes_before(3)
    port.close_planned()
    port.close_attempted()
    port.close_attempted()
    port.close_executed()
    port.close_refused("qty_above_drift")
    samples = shown(metrics)
    assert samples["reconcile_close_count"] == "4.0"
    assert samples["reconcile_close_plans_total"] == "1.0"
    assert samples["reconcile_close_attempts_total"] == "2.0"
    assert samples["reconcile_close_executed_total"] == "1.0"
    assert samples['reconcile_close_refused_total{rule="qty_above_drift"}'] == "1.0"
    assert not any("_created" in name for name in samples)


def test_all_names_stand_from_the_start() -> None:
    """What has no label is there before anything happened; a stamp never set is infinitely old."""
    samples = shown(made()[0])
    for name in (
        "reconcile_close_count",
        "reconcile_close_plans_total",
        "reconcile_close_attempts_total",
        "reconcile_close_executed_total",
        "holdfast_holds_without_next_step",
        "holdfast_orders_unknown",
    ):
        assert samples[name] == "0.0"
    assert samples["holdfast_stamp_age_seconds"] == "+Inf"


def test_holds_are_replaced_account_by_account() -> None:
    """A reason that is no longer named reads 0; holds without a next step are summed over accounts."""
    metrics, _ = made()
    metrics.holds(MAIN, {HoldReason.DRIFT: 2}, 1)
    metrics.holds(DESK, {HoldReason.DEFICIT: 1}, 1)
    assert shown(metrics)["holdfast_holds_without_next_step"] == "2.0"
    metrics.holds(MAIN, {HoldReason.OPERATOR: 1}, 0)
    samples = shown(metrics)
    assert samples['holdfast_holds_open{account="main",reason="drift"}'] == "0.0"
    assert samples['holdfast_holds_open{account="main",reason="operator"}'] == "1.0"
    assert samples['holdfast_holds_open{account="desk",reason="deficit"}'] == "1.0"
    assert samples["holdfast_holds_without_next_step"] == "1.0"


def test_a_stamp_that_nobody_renews_grows_older() -> None:
    """The age told last grows with the clock, and the oldest account's is shown; a void stamp is infinitely old."""
    metrics, clock = made()
    metrics.stamp_age(MAIN, 100)
    metrics.stamp_age(DESK, 50)
    assert shown(metrics)["holdfast_stamp_age_seconds"] == "0.1"
    clock.ns += 2_000_000_000
    metrics.stamp_age(DESK, 50)
    assert shown(metrics)["holdfast_stamp_age_seconds"] == "2.1"
    metrics.stamp_age(MAIN, None)
    assert shown(metrics)["holdfast_stamp_age_seconds"] == "+Inf"


def test_drift_orders_and_results_are_shown() -> None:
    """Drift by symbol, unknown orders over all accounts, results by error with `none` for success."""
    metrics, _ = made()
    metrics.drift(MAIN, BTC, Decimal("-0.007"))
    metrics.orders_unknown(MAIN, 1)
    metrics.orders_unknown(DESK, 2)
    metrics.result(MAIN, "")
    metrics.result(MAIN, Reason.HOLD_ACTIVE.value)
    metrics.result(MAIN, "some text of the venue")
    samples = shown(metrics)
    assert samples['holdfast_drift{account="main",symbol="BTCUSDT"}'] == "-0.007"
    assert samples["holdfast_orders_unknown"] == "3.0"
    assert samples['holdfast_results_total{account="main",error="none"}'] == "1.0"
    assert samples['holdfast_results_total{account="main",error="hold_active"}'] == "1.0"
    assert samples['holdfast_results_total{account="main",error="other"}'] == "1.0"


@pytest.mark.parametrize("stage", Stage)
def test_a_stage_is_timed(stage: Stage) -> None:
    """3 ms fall into the bucket up to 5 ms; a negative span counts as 0."""
    metrics, _ = made()
    metrics.stage(stage, 3_000_000)
    metrics.stage(stage, -1)
    samples = shown(metrics)
    assert samples[f'holdfast_stage_seconds_bucket{{le="0.0025",stage="{stage.value}"}}'] == "1.0"
    assert samples[f'holdfast_stage_seconds_bucket{{le="0.005",stage="{stage.value}"}}'] == "2.0"
    assert samples[f'holdfast_stage_seconds_count{{stage="{stage.value}"}}'] == "2.0"


def test_no_input_can_grow_the_number_of_series() -> None:
    """Symbols and rules beyond their bounds are counted together."""
    metrics, _ = made()
    for number in range(SYMBOLS_MAX + 500):
        metrics.drift(MAIN, Symbol(f"S{number}"), Decimal(1))
        metrics.close_refused(f"rule_{number}")
        metrics.result(MAIN, f"error_{number}")
    text = metrics.render().decode()
    assert len(re.findall(r"^holdfast_drift\{", text, re.MULTILINE)) == SYMBOLS_MAX + 1
    assert len(re.findall(r"^reconcile_close_refused_total\{", text, re.MULTILINE)) == RULES_MAX + 1
    assert len(re.findall(r"^holdfast_results_total\{", text, re.MULTILINE)) == 1


def test_two_sets_of_metrics_do_not_meet() -> None:
    """Each has a registry of its own: two services in one process, or two tests, count apart."""
    first, second = made()[0], made()[0]
    first.close_planned()
    assert shown(second)["reconcile_close_plans_total"] == "0.0"
