"""A plan: what somebody wants done. It has no authority of its own.

The bus adapter decodes stream entries into these; the required fields are `plan_id, symbol, decision, side,
qty, type, reduceOnly, reason, timestamp` (DESIGN §4). `content_hash` tells a repeat (same id, same content:
same outcome again) from a reused id (same id, other content: refused).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.domain.amounts import format_amount

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.domain.names import HoldId, PlanId, Symbol
    from holdfast.domain.sides import Decision, OrderType, PlanSide, PositionSide, TimeInForce


@dataclass(frozen=True, slots=True)
class CloseClaim:
    """What a RECONCILE_CLOSE message claims about itself; compared with the journal, never believed."""

    hold_id: HoldId
    exchange_amt: Decimal
    ledger_amt: Decimal


@dataclass(frozen=True, slots=True)
class Plan:
    """One instruction to trade, decoded and well-formed (which says nothing about permitted)."""

    plan_id: PlanId
    symbol: Symbol
    decision: Decision
    side: PlanSide
    qty: Decimal
    """Base asset, positive."""
    order_type: OrderType
    reduce_only: bool
    reason: str
    timestamp_ms: int
    """When the writer made it, by the writer's clock (epoch ms)."""
    price: Decimal | None = None
    time_in_force: TimeInForce | None = None
    position_side: PositionSide | None = None
    source: str = ""
    expires_ms: int | None = None
    close_claim: CloseClaim | None = None
    cancels: PlanId | None = None
    """The plan whose resting order a CANCEL ends; a CANCEL has no side, quantity or type of its own."""

    def content_hash(self) -> str:
        """SHA-256 over the fields that make the instruction; timestamp and source are left out.

        A producer that sends its plan again after a lost connection may stamp it anew: that is a repeat.
        """
        parts: tuple[str, ...] = (
            self.plan_id,
            self.symbol,
            self.decision.value,
            self.side.value,
            format_amount(self.qty),
            self.order_type.value,
            str(self.reduce_only),
            format_amount(self.price) if self.price is not None else "",
            self.time_in_force.value if self.time_in_force is not None else "",
            self.position_side.value if self.position_side is not None else "",
            self.close_claim.hold_id if self.close_claim is not None else "",
        )
        if self.cancels is not None:  # left out otherwise: an older journal's hashes must stay what they are
            parts += (self.cancels,)
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """A stream entry as delivered: a plan, or the reason why it is none."""

    entry_id: str
    plan: Plan | None
    plan_id: str
    """As far as it could be read; "" if not at all."""
    symbol: str
    decision: str
    problem: object | None = None
    """A `Reason` if `plan` is None."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PlanResult:
    """The one final outcome of a plan, published at least once under a stable `result_id`."""

    result_id: str
    plan_id: str
    entry_id: str
    symbol: str
    decision: str
    executed: bool
    """True if anything was filled, a partial fill included; a CANCEL: the order ended, not filled or not whole."""
    status: str
    """Order state's word (FILLED, PARTIAL, REFUSED ...)."""
    error: str
    """A Reason's code; empty only if executed."""
    detail: str
    filled_qty: Decimal
    avg_price: Decimal | None
    client_order_id: str
    order_id: int | None
    duplicate: bool
    timestamp_ms: int
