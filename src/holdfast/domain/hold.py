"""A hold: a refusal to trade a symbol, with a reason, an owner and a next step.

Invariants: a hold ends only by a journaled release, never by a timer; every open hold has a next step with a
time by which it is due, and a step that is overdue counts as none (metric `holds_without_next_step`, must
read 0); one leg carries at most one open hold of each owner.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.domain.names import HoldId
    from holdfast.domain.sides import Leg


class HoldReason(Enum):
    """Why a hold stands. One meaning each; `docs/reasons.md` is generated from these lines."""

    VIEW_MISSING = "view_missing"
    VIEW_STALE = "view_stale"
    UNLEDGERED = "unledgered"
    DRIFT = "drift"
    SYMBOL_NOT_TRADING = "symbol_not_trading"
    DEFICIT = "deficit"
    FORCED_REDUCTION = "forced_reduction"
    UNKNOWN_ORDER = "unknown_order"
    LATE_ACCEPTANCE = "late_acceptance"
    FOREIGN_ORDER = "foreign_order"
    MODE_CHANGED = "mode_changed"
    OPERATOR = "operator"


class HoldOwner(Enum):
    """Who may end it: AUTO ends by agreement, OPERATOR only by a person."""

    AUTO = "auto"
    OPERATOR = "operator"


class StepKind(Enum):
    """What happens next under a hold."""

    VIEW = "view"
    """A newer or second view is being fetched."""
    EVIDENCE = "evidence"
    """Trades that explain the drift are awaited."""
    CLOSE = "close"
    """A close is planned or under way."""
    CLOSE_BACKOFF = "close_backoff"
    """A close did not work; the next attempt is timed."""
    RELEASE = "release"
    """Agreement was seen; the hold ends when what it waits for is final."""
    OPERATOR = "operator"
    """A person decides. Counts as a next step only once the alert was delivered."""


@dataclass(frozen=True, slots=True)
class NextStep:
    """What ends the wait, and by when."""

    kind: StepKind
    due_ms: int
    """Our clock (epoch ms). Overdue counts as no next step."""
    text: str
    """One sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold as the journal keeps it. Released holds stay in the journal."""

    hold_id: HoldId
    leg: Leg
    reason: HoldReason
    owner: HoldOwner
    opened_ms: int
    """Our clock."""
    cause_as_of_ms: int
    """Venue time of the view that caused it; 0 if no view did. Only a newer view releases it."""
    exchange_amt: Decimal | None
    ledger_amt: Decimal
    next_step: NextStep
    close_attempts: int
    """Closes sent under this hold that brought no progress."""
    detail: str
    """What a person set it for, or the venue's words."""
    approved_notional: Decimal | None = None
    """A person approved closing up to this notional above `close_notional_max`; None: nobody did."""
    released_ms: int | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether the hold still blocks."""
        return self.released_ms is None
