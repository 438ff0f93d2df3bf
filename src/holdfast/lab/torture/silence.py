"""Logs and counters that nobody reads: writing them would cost more than a history has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from holdfast.domain.hold import HoldReason
    from holdfast.domain.names import AccountId, Symbol
    from holdfast.ports.telemetry import Stage


class NoLog:
    """`ports.telemetry.Log` that keeps nothing."""

    __slots__ = ()

    def bind(self, **_fields: object) -> NoLog:
        """The same."""
        return self

    def debug(self, event: str, **fields: object) -> None:
        """Nothing."""

    def info(self, event: str, **fields: object) -> None:
        """Nothing."""

    def warning(self, event: str, **fields: object) -> None:
        """Nothing."""

    def error(self, event: str, **fields: object) -> None:
        """Nothing."""

    def failure(self, event: str, error: BaseException, **fields: object) -> None:
        """Nothing."""


QUIET = NoLog()


class NoMetrics:
    """`ports.telemetry.Metrics` that keeps one number: holds without a next step, which must be 0 in the end."""

    __slots__ = ("_without",)

    def __init__(self, without: dict[str, int]) -> None:
        self._without = without

    def closes_before(self, count: int) -> None:
        """Nothing."""

    def close_planned(self) -> None:
        """Nothing."""

    def close_attempted(self) -> None:
        """Nothing."""

    def close_executed(self) -> None:
        """Nothing."""

    def close_refused(self, rule: str) -> None:
        """Nothing."""

    def result(self, account: AccountId, error: str) -> None:
        """Nothing."""

    def holds(self, account: AccountId, open_by_reason: Mapping[HoldReason, int], without_next_step: int) -> None:
        """Keep how many holds nothing will end."""
        del open_by_reason
        self._without[account] = without_next_step

    def drift(self, account: AccountId, symbol: Symbol, amt: Decimal) -> None:
        """Nothing."""

    def stamp_age(self, account: AccountId, age_ms: int | None) -> None:
        """Nothing."""

    def orders_unknown(self, account: AccountId, count: int) -> None:
        """Nothing."""

    def stage(self, stage: Stage, took_ns: int) -> None:
        """Nothing."""
