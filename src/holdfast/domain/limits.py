"""The numbers that decisions consume: bounds, ages and policies of one account, as settings gave them.

Every bound has a finite default. Ages are milliseconds, notionals are in the quote asset.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.domain.names import Symbol


class ForeignPolicy(Enum):
    """What happens to an excess that somebody else traded (row 8)."""

    CLOSE = "close"
    ADOPT = "adopt"
    HOLD = "hold"


class ForeignOrderPolicy(Enum):
    """What happens to an open order at the exchange that is not ours."""

    REPORT = "report"
    CANCEL = "cancel"
    HOLD = "hold"


class UnledgeredPolicy(Enum):
    """What happens to positions found at the first complete view ever (row 4)."""

    HOLD = "hold"
    ADOPT = "adopt"
    CLOSE = "close"


class ForcedPolicy(Enum):
    """What follows once the venue reduced a position by force and the ledger was repaired by its trades (row 7)."""

    HOLD = "hold"
    RESUME = "resume"


class DeficitPolicy(Enum):
    """What happens to a deficit that no trades explain (row 9). "flatten" sets the ledger to 0 and closes the rest."""

    HOLD = "hold"
    FLATTEN = "flatten"


class ReconcileClose(Enum):
    """Whether P3.4 may close at all. OFF reproduces the old deadlock: holds then wait for a person."""

    ON = "on"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Limits:
    """One account's limits and policies."""

    symbols: frozenset[Symbol]
    """Allowlist for EXECUTE plans. Reconciliation covers every symbol that the account names."""
    view_age_ms_max: int = 5_000
    """A complete view older than this proves nothing, and its account's stamp is not renewed."""
    view_interval_ms: int = 2_000
    """How often the backstop reads a complete view."""
    settle_ms_max: int = 1_000
    """How long own orders may explain a difference, and how far a REST read may lag behind the venue."""
    evidence_ms_max: int = 3_000
    """How long lagging trades are waited for before two looks alone may justify a close."""
    agree_ms_max: int = 1_500
    """How long a plan waits for the reconciler's agreement after an own fill."""
    stamp_ms: int = 250
    """How often the reconciler renews the account's stamp."""
    stamp_age_ms_max: int = 1_000
    """Older than this, or negative, the stamp denies."""
    input_age_ms_max: int = 500
    """How old a fact read before a transaction (bus hold, fresh position) may be inside it."""
    plan_age_ms_max: int = 10_000
    """A plan whose timestamp is older is refused as stale."""
    plan_future_ms_max: int = 1_000
    """How far a plan's timestamp may lie ahead of our clock."""
    open_orders_ms: int = 120_000
    """How often all open orders are read and compared (40 of the venue's weight each time)."""
    order_notional_max: Decimal = Decimal(50_000)
    """Largest EXECUTE, quantity x mark price (or the order's own price, if that is higher)."""
    position_notional_max: Decimal = Decimal(1_000_000)
    """Largest position that one more EXECUTE may lead to, if it and every resting order of ours are filled."""
    open_orders_max: int = 50
    """LIMIT orders of ours that may rest on one symbol."""
    close_notional_max: Decimal = Decimal(100_000)
    """Largest close without a person's approval."""
    close_attempts_max: int = 3
    """Closes without progress in one episode before a person decides."""
    close_backoff_ms: int = 500
    """Wait after the first close without progress; doubles with each."""
    close_ttl_ms: int = 5_000
    """Life of a planned close."""
    reconcile_close: ReconcileClose = ReconcileClose.ON
    foreign: ForeignPolicy = ForeignPolicy.CLOSE
    foreign_orders: ForeignOrderPolicy = ForeignOrderPolicy.REPORT
    unledgered: UnledgeredPolicy = UnledgeredPolicy.HOLD
    forced: ForcedPolicy = ForcedPolicy.HOLD
    deficit: DeficitPolicy = DeficitPolicy.HOLD
    recv_window_ms: int = 2_000
    """Short on purpose: it bounds how long a request without an answer may still be accepted."""
    unknown_margin_ms: int = 1_000
    """Waited on top of timestamp + recvWindow before absence may prove anything."""
    unknown_ms_max: int = 30_000
    """An UNKNOWN that lasts longer is a hold."""
    alert_ms_max: int = 5_000
    """How soon an alert must have reached a channel before its hold counts as having no next step."""
    hold_alert_ms: int = 10_000
    """A hold that stands longer than this is told to a person, whatever its next step is."""
    alert_repeat_ms: int = 300_000
    """How often an alert is repeated until a person acknowledges it."""
    send_attempts_max: int = 3
    """Requests for one plan, counting repeats after a documented "not executed"."""
