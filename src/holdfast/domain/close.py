"""A close as the journal keeps it: authority lives here, the message on the bus only wakes the apply layer.

States, one transaction an arrow:

    PLANNED -> CLAIMED -> DONE        claimed by apply, its order is final
    PLANNED -> SUPERSEDED             the facts changed before anybody claimed it
    PLANNED -> REFUSED                a guardrail said no; the reconciler plans anew or alerts
    CLAIMED -> REFUSED                a guardrail said no after own orders were cancelled for it

Invariant: one leg carries at most one close that is PLANNED or CLAIMED (a unique index holds it).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from holdfast.domain.plan import CloseClaim, Plan
from holdfast.domain.sides import Decision, OrderType, PlanSide, PositionSide

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.domain.names import HoldId, PlanId
    from holdfast.domain.sides import Leg, Side


class CloseState(Enum):
    """Where a close stands."""

    PLANNED = "planned"
    CLAIMED = "claimed"
    DONE = "done"
    SUPERSEDED = "superseded"
    REFUSED = "refused"

    @property
    def is_unfinished(self) -> bool:
        """Tell whether it may still become an order or has one that is not final."""
        return self in (CloseState.PLANNED, CloseState.CLAIMED)


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's journaled word for one OPERATOR_CLOSE."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Close:
    """One planned close."""

    plan_id: PlanId
    decision: Decision
    """RECONCILE_CLOSE or OPERATOR_CLOSE."""
    hold_id: HoldId | None
    """The hold it works under; None only for an OPERATOR_CLOSE."""
    leg: Leg
    side: Side
    """SELL closes a long, BUY closes a short."""
    qty: Decimal
    """Base asset, positive, on the step."""
    exchange_amt: Decimal
    """The smaller look at the position when it was planned, signed."""
    ledger_amt: Decimal
    reason: str
    """`drift_detected:<reason>` for the reconciler's, the person's words for an operator's."""
    created_ms: int
    expires_ms: int
    attempt: int
    """1 for the first close of an episode."""
    state: CloseState
    approval: Approval | None = None


def plan_of_close(close: Close) -> Plan:
    """The plan that stands for a journaled close on the plan stream: it only wakes the apply layer."""
    side = close.leg.position_side
    claim = None
    if close.hold_id is not None:
        claim = CloseClaim(close.hold_id, close.exchange_amt, close.ledger_amt)
    return Plan(
        plan_id=close.plan_id,
        symbol=close.leg.symbol,
        decision=close.decision,
        side=PlanSide.CLOSE,
        qty=close.qty,
        order_type=OrderType.MARKET,
        reduce_only=True,
        reason=close.reason,
        timestamp_ms=close.created_ms,
        position_side=None if side is PositionSide.BOTH else side,
        source="reconcile" if close.decision is Decision.RECONCILE_CLOSE else "operator",
        expires_ms=close.expires_ms,
        close_claim=claim,
    )
