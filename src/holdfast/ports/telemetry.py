"""What the services say about themselves: numbers (`Metrics`) and lines (`Log`). Neither blocks, neither raises.

Invariants: labels come from closed sets (enums, the account's allowlist), so that no input can grow the number of
series; no decision ever reads a metric. The names on the wire are those of DESIGN §4; the adapter is
`holdfast.telemetry`. A line about a close is written through `about_close`, so that it carries the three
fields by which it is found.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from holdfast.domain.hold import HoldReason
    from holdfast.domain.names import AccountId, HoldId, PlanId, Symbol


class Stage(Enum):
    """What is timed (label of `holdfast_stage_seconds`). Each is a span of CLOCK_MONOTONIC."""

    PLAN_TO_ORDER = "plan_to_order"
    """Plan read from the bus until its intent is durable and its request is about to leave."""
    PLAN_TO_RESULT = "plan_to_result"
    """Plan read from the bus until its result is published."""
    DRIFT_TO_HOLD = "drift_to_hold"
    """Event or view received until the hold is durable."""
    DRIFT_TO_RELEASE = "drift_to_release"
    """Event or view received until the hold's release is durable."""
    SUBMIT = "submit"
    """A request to the venue until its answer."""
    VIEW = "view"
    """A complete view, asked and decoded."""


class LogFormat(Enum):
    """How lines are written."""

    JSON = "json"
    CONSOLE = "console"


class LogLevel(Enum):
    """The least important line that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Metrics(Protocol):
    """The numbers that a person or a scraper watches."""

    def closes_before(self, count: int) -> None:
        """Start the gauge `reconcile_close_count` of one account from what its journal counts already."""
        ...

    def close_planned(self) -> None:
        """Count a RECONCILE_CLOSE that the reconciler journaled."""
        ...

    def close_attempted(self) -> None:
        """Count a RECONCILE_CLOSE whose request is about to leave."""
        ...

    def close_executed(self) -> None:
        """Count a RECONCILE_CLOSE that was filled, in part or whole."""
        ...

    def close_refused(self, rule: str) -> None:
        """Count a RECONCILE_CLOSE that a guardrail refused; `rule` is `Refusal.rule`."""
        ...

    def result(self, account: AccountId, error: str) -> None:
        """Count a plan's final outcome; `error` is a Reason's code, "" if executed."""
        ...

    def holds(self, account: AccountId, open_by_reason: Mapping[HoldReason, int], without_next_step: int) -> None:
        """Replace the account's open holds; reasons not named are 0. `without_next_step` must be 0."""
        ...

    def drift(self, account: AccountId, symbol: Symbol, amt: Decimal) -> None:
        """Set view minus ledger of a symbol, signed base asset (in hedge mode: the leg that is off the most)."""
        ...

    def stamp_age(self, account: AccountId, age_ms: int | None) -> None:
        """Set the age of the reconciler's stamp; None while it is void (shown as +Inf)."""
        ...

    def orders_unknown(self, account: AccountId, count: int) -> None:
        """Set how many orders of the account have an unknown fate."""
        ...

    def stage(self, stage: Stage, took_ns: int) -> None:
        """Record one duration in nanoseconds; a negative one counts as 0."""
        ...


class Log(Protocol):
    """Structured lines: an event's name in lower case, and fields. Secrets are redacted by the adapter."""

    def bind(self, **fields: object) -> Log:
        """Return a log whose every line carries `fields` too."""
        ...

    def debug(self, event: str, **fields: object) -> None:
        """Write detail that is off by default."""
        ...

    def info(self, event: str, **fields: object) -> None:
        """Write what happened."""
        ...

    def warning(self, event: str, **fields: object) -> None:
        """Write what went wrong and is being dealt with."""
        ...

    def error(self, event: str, **fields: object) -> None:
        """Write what a person should look at. No alert: those go through `Alerts`."""
        ...

    def failure(self, event: str, error: BaseException, **fields: object) -> None:
        """Write an exception with its trace, secrets redacted in both."""
        ...


def about_close(log: Log, plan_id: PlanId, hold_id: HoldId | None) -> Log:
    """Return a log for one close: every line carries `reconcile_action=true`, the plan id and the hold id."""
    return log.bind(reconcile_action=True, plan_id=plan_id, hold_id=hold_id)
