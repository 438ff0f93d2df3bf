"""Numbers for Prometheus, under the names of DESIGN §4, in a registry of their own.

Invariants: every label's values come from a closed set or are bounded in number (`other` takes the rest), so that no
input can grow the number of series; what is summed over accounts has no label, as the names promise; a stamp that
nobody renews grows older by itself, also when its reconciler is stuck.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from holdfast.domain.hold import HoldReason
from holdfast.domain.reasons import Reason
from holdfast.ports.telemetry import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from holdfast.domain.names import AccountId, Symbol
    from holdfast.ports.clock import Clock

CONTENT_TYPE = CONTENT_TYPE_LATEST
SYMBOLS_MAX = 1_000
RULES_MAX = 64
OTHER = "other"
NO_ERROR = "none"
STAGE_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.04, 0.06, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_NS_PER_SECOND = 1_000_000_000
_ERRORS = frozenset(reason.value for reason in Reason)


class PrometheusMetrics:
    """`ports.telemetry.Metrics`."""

    def __init__(self, clock: Clock) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library forgot its annotation
        self._clock = clock
        self.registry = CollectorRegistry()
        self._symbols = _Bounded(SYMBOLS_MAX)
        self._rules = _Bounded(RULES_MAX)
        self._without_step: dict[AccountId, int] = {}
        self._unknown: dict[AccountId, int] = {}
        self._stamps: dict[AccountId, _Stamp] = {}
        self._make_closes()
        self._make_state()

    def _make_closes(self) -> None:
        registry = self.registry
        self._close_count = Gauge("reconcile_close_count", "RECONCILE_CLOSE executed so far", registry=registry)
        self._planned = Counter("reconcile_close_plans", "RECONCILE_CLOSE planned", registry=registry)
        self._attempts = Counter("reconcile_close_attempts", "RECONCILE_CLOSE sent", registry=registry)
        self._executed = Counter("reconcile_close_executed", "RECONCILE_CLOSE filled", registry=registry)
        self._refused = Counter(
            "reconcile_close_refused", "RECONCILE_CLOSE refused by a guardrail", ("rule",), registry=registry
        )

    def _make_state(self) -> None:
        registry = self.registry
        self._holds = Gauge("holdfast_holds_open", "Holds that stand", ("account", "reason"), registry=registry)
        self._without = Gauge(
            "holdfast_holds_without_next_step", "Holds that nothing will end; must be 0", registry=registry
        )
        self._drift = Gauge(
            "holdfast_drift", "Exchange minus ledger, signed base asset", ("account", "symbol"), registry=registry
        )
        self._stamp = Gauge("holdfast_stamp_age_seconds", "Age of the oldest account's stamp", registry=registry)
        self._stamp.set_function(self._oldest_stamp)
        self._orders_unknown = Gauge("holdfast_orders_unknown", "Orders of unknown fate", registry=registry)
        self._results = Counter(
            "holdfast_results", "Final outcomes of plans by error", ("account", "error"), registry=registry
        )
        self._stages = Histogram(
            "holdfast_stage_seconds", "Durations", ("stage",), buckets=STAGE_SECONDS, registry=registry
        )
        self._stage = {stage: self._stages.labels(stage.value) for stage in Stage}

    def closes_before(self, count: int) -> None:
        """Start the gauge of executed closes from what one account's journal counts already."""
        self._close_count.inc(count)

    def close_planned(self) -> None:
        """Count a RECONCILE_CLOSE that the reconciler journaled."""
        self._planned.inc()

    def close_attempted(self) -> None:
        """Count a RECONCILE_CLOSE whose request is about to leave."""
        self._attempts.inc()

    def close_executed(self) -> None:
        """Count a RECONCILE_CLOSE that was filled, in part or whole."""
        self._executed.inc()
        self._close_count.inc()

    def close_refused(self, rule: str) -> None:
        """Count a RECONCILE_CLOSE that a guardrail refused."""
        self._refused.labels(self._rules.label(rule)).inc()

    def result(self, account: AccountId, error: str) -> None:
        """Count a plan's final outcome."""
        label = error if error in _ERRORS else (OTHER if error else NO_ERROR)
        self._results.labels(account, label).inc()

    def holds(self, account: AccountId, open_by_reason: Mapping[HoldReason, int], without_next_step: int) -> None:
        """Replace the account's open holds."""
        for reason in HoldReason:
            self._holds.labels(account, reason.value).set(open_by_reason.get(reason, 0))
        self._without_step[account] = without_next_step
        self._without.set(sum(self._without_step.values()))

    def drift(self, account: AccountId, symbol: Symbol, amt: Decimal) -> None:
        """Set view minus ledger of a symbol. A picture for people: the one place where an amount becomes a float."""
        self._drift.labels(account, self._symbols.label(symbol)).set(float(amt))

    def stamp_age(self, account: AccountId, age_ms: int | None) -> None:
        """Set the age of the reconciler's stamp; it grows from here until it is set anew."""
        self._stamps[account] = _Stamp(age_ms, self._clock.monotonic_ns())

    def orders_unknown(self, account: AccountId, count: int) -> None:
        """Set how many orders of the account have an unknown fate."""
        self._unknown[account] = count
        self._orders_unknown.set(sum(self._unknown.values()))

    def stage(self, stage: Stage, took_ns: int) -> None:
        """Record one duration."""
        self._stage[stage].observe(max(took_ns, 0) / _NS_PER_SECOND)

    def render(self) -> bytes:
        """Return everything in Prometheus' text format (`CONTENT_TYPE`)."""
        return generate_latest(self.registry)

    def _oldest_stamp(self) -> float:
        now_ns = self._clock.monotonic_ns()
        return max((stamp.age_seconds(now_ns) for stamp in self._stamps.values()), default=float("inf"))


class _Stamp:
    """An age as it was told, and when."""

    __slots__ = ("_age_ms", "_told_ns")

    def __init__(self, age_ms: int | None, told_ns: int) -> None:
        self._age_ms = age_ms
        self._told_ns = told_ns

    def age_seconds(self, now_ns: int) -> float:
        if self._age_ms is None:
            return float("inf")
        return self._age_ms / 1000 + (now_ns - self._told_ns) / _NS_PER_SECOND


class _Bounded:
    """Label values, at most so many different ones."""

    __slots__ = ("_count_max", "_seen")

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        self._seen: set[str] = set()

    def label(self, value: str) -> str:
        if value not in self._seen:
            if len(self._seen) >= self._count_max:
                return OTHER
            self._seen.add(value)
        return value
