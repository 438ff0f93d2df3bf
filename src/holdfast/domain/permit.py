"""Permit: proof, by its type, that one plan may become one order.

Only `decide/permit.py` and `decide/guardrails.py` build one (a test holds that), and a venue's `submit` takes
nothing else. It names the order completely: what is sent is what was permitted, to the last field.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.domain.names import ClientOrderId, HoldId, PlanId
    from holdfast.domain.reasons import Reason
    from holdfast.domain.sides import Decision, Leg, OrderType, Side, TimeInForce


@dataclass(frozen=True, slots=True)
class Permit:
    """One order, allowed."""

    plan_id: PlanId
    decision: Decision
    leg: Leg
    side: Side
    qty: Decimal
    """Base asset, positive, on the step."""
    order_type: OrderType
    reduce_only: bool
    """Meaning, in both modes; in hedge mode the adapter expresses it by the position side alone."""
    price: Decimal | None
    time_in_force: TimeInForce | None
    client_order_id: ClientOrderId
    against_drift_qty: Decimal
    """The first part of the fill, which undoes the drift and so never moves the ledger; 0 for an EXECUTE."""
    hold_id: HoldId | None
    timestamp_ms: int
    """Venue clock (epoch ms), signed into the request and journaled before it leaves."""
    recv_window_ms: int
    """After `timestamp_ms + recv_window_ms` the venue refuses the request."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One order, not allowed."""

    reason: Reason
    detail: str
    """One sentence with the figures that decided."""
    rule: str
    """The rule's name as the metric label `reconcile_close_refused_total{rule}` has it; the code for EXECUTE."""
    can_wait: bool = False
    """True if waiting for the reconciler (up to `agree_ms_max`) may lift it; the plan is asked again then."""
