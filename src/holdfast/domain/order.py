"""What became of a permit.

    CLAIMED -> SENDING -> OPEN -> FILLED | PARTIAL | NOT_FILLED | UNKNOWN
                       -> FILLED | PARTIAL | NOT_FILLED | REFUSED | UNKNOWN
    UNKNOWN -> OPEN | FILLED | PARTIAL | NOT_FILLED | NOT_ACCEPTED

Each arrow is one transaction. SENDING found at a start is UNKNOWN. Fills are booked by (symbol, trade id,
order id) from the stream or `userTrades`; an order's answer alone books nothing, so an order can be final at
the venue (`executed_qty`) before it is fully booked (`booked_qty`). A LIMIT order that is OPEN rests: its fills are
booked as they come, its plan is answered at its end (ADR 0009).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from holdfast.domain.amounts import ZERO
from holdfast.domain.sides import OrderType, PositionSide, Side
from holdfast.domain.trade import is_forced_client_order_id

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.domain.names import ClientOrderId, HoldId, PlanId, Symbol, VenueOrderId
    from holdfast.domain.sides import Decision, Leg, TimeInForce


class OrderState(Enum):
    """Where an order stands."""

    CLAIMED = "claimed"
    """A close was claimed; own orders on the leg are being cancelled before it is sent."""
    SENDING = "sending"
    """The intent is durable, the request is leaving or has left, no answer was recorded."""
    OPEN = "open"
    """Accepted, and rests."""
    UNKNOWN = "unknown"
    """No answer that proves anything. Only ever asked about, never sent again."""
    FILLED = "filled"
    PARTIAL = "partial"
    """Ended with a part executed."""
    NOT_FILLED = "not_filled"
    """Accepted, ended, nothing executed."""
    REFUSED = "refused"
    """Proven not executed by the venue's own word."""
    NOT_ACCEPTED = "not_accepted"
    """Proven by absence not to have been accepted (ADR 0003)."""

    @property
    def is_final(self) -> bool:
        """Tell whether the venue can do nothing more with it."""
        return self in _FINAL

    @property
    def blocks_symbol(self) -> bool:
        """Tell whether no other order may be sent on the symbol meanwhile."""
        return self in (OrderState.CLAIMED, OrderState.SENDING, OrderState.UNKNOWN)


_CLOSING = {PositionSide.LONG: Side.SELL, PositionSide.SHORT: Side.BUY}
_FINAL = frozenset(
    {
        OrderState.FILLED,
        OrderState.PARTIAL,
        OrderState.NOT_FILLED,
        OrderState.REFUSED,
        OrderState.NOT_ACCEPTED,
    }
)


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """Somebody wants a resting order ended: journaled before the first request for it leaves, true until it ends."""

    at_ms: int
    """Our clock."""
    why: str
    """Who or what wants it, in a few words."""
    plans: tuple[PlanId, ...] = ()
    """CANCEL plans that are answered at the order's end."""


@dataclass(frozen=True, slots=True)
class Order:
    """One order as the journal keeps it."""

    client_order_id: ClientOrderId
    plan_id: PlanId
    decision: Decision
    leg: Leg
    side: Side
    qty: Decimal
    order_type: OrderType
    reduce_only: bool
    price: Decimal | None
    time_in_force: TimeInForce | None
    against_drift_qty: Decimal
    """First part of the fill that does not move the ledger (see Permit)."""
    hold_id: HoldId | None
    state: OrderState
    timestamp_ms: int
    recv_window_ms: int
    sent_count: int
    """Requests that left for it; above 1 only after answers documented as not executed."""
    venue_order_id: VenueOrderId | None
    executed_qty: Decimal
    """What the venue said it executed in all."""
    booked_qty: Decimal
    """What was booked, by trade ids."""
    avg_price: Decimal | None
    error: str
    """A Reason's code once final without a fill."""
    error_detail: str
    created_ms: int
    updated_ms: int
    cancel: CancelAsked | None = None
    """None while nobody wants it cancelled."""

    @property
    def rests(self) -> bool:
        """Tell whether it stands in the venue's book (a MARKET order that is OPEN should have ended)."""
        return self.state is OrderState.OPEN and self.order_type is OrderType.LIMIT

    @property
    def shrinks_only(self) -> bool:
        """Tell whether nothing that it executes can raise or flip an exposure: reduce-only, or closing a hedge leg."""
        return self.reduce_only or _CLOSING.get(self.leg.position_side) is self.side

    @property
    def is_settled(self) -> bool:
        """Tell whether it is final and all that it executed is booked."""
        return self.state.is_final and self.booked_qty >= self.executed_qty

    @property
    def is_pending(self) -> bool:
        """Tell whether what it did, or may do at any moment, is not booked: in flight, UNKNOWN, executed beyond that.

        A MARKET order that the venue has not ended is; a LIMIT order that rests, with its fills booked, is not.
        """
        if self.state.blocks_symbol or self.executed_qty > self.booked_qty:
            return True
        return self.state is OrderState.OPEN and self.order_type is OrderType.MARKET

    @property
    def unbooked_max(self) -> Decimal:
        """The most that it may have executed without our having booked it (base asset, >= 0)."""
        if self.state.is_final:
            return max(self.executed_qty - self.booked_qty, ZERO)
        return max(self.qty - self.booked_qty, ZERO)

    def ledger_part(self, fill_qty: Decimal) -> Decimal:
        """The part of the next `fill_qty` that moves the ledger: what exceeds `against_drift_qty`."""
        drift_left = max(self.against_drift_qty - self.booked_qty, ZERO)
        return max(fill_qty - drift_left, ZERO)


class VenueOrderStatus(Enum):
    """The venue's word for an order (venue documentation, order status)."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"
    OTHER = "OTHER"
    """A word we do not know: counts as not final."""

    @property
    def is_final(self) -> bool:
        """Tell whether the order can execute nothing more."""
        return self in _VENUE_FINAL


_VENUE_FINAL = frozenset(
    {
        VenueOrderStatus.FILLED,
        VenueOrderStatus.CANCELED,
        VenueOrderStatus.REJECTED,
        VenueOrderStatus.EXPIRED,
        VenueOrderStatus.EXPIRED_IN_MATCH,
    }
)


@dataclass(frozen=True, slots=True)
class OrderReport:
    """An order as the venue reports it, in an answer or on the stream."""

    symbol: Symbol
    client_order_id: ClientOrderId
    order_id: VenueOrderId
    side: Side
    position_side: PositionSide
    status: VenueOrderStatus
    qty: Decimal
    """`origQty`: may be smaller than asked, the venue may clamp a reduce-only order."""
    executed_qty: Decimal
    avg_price: Decimal | None
    """None when the field is missing (since July 2026 on POST) or 0."""
    reduce_only: bool
    venue_ms: int
    """Venue time of the last change."""
    price: Decimal | None = None
    """Of a LIMIT order."""
    is_by_venue: bool = False
    """The venue's own word that it placed the order (liquidation, ADL): by type, status or execution."""

    @property
    def is_forced(self) -> bool:
        """Tell whether the venue itself placed it, by its own word or by the client id that it gave."""
        return self.is_by_venue or is_forced_client_order_id(self.client_order_id)

    def state(self) -> OrderState:
        """The order state that this report proves."""
        if not self.status.is_final:
            return OrderState.OPEN
        if self.executed_qty <= ZERO:
            # FILLED with nothing executed contradicts itself: it proves that the order is there, and is asked again
            return OrderState.OPEN if self.status is VenueOrderStatus.FILLED else OrderState.NOT_FILLED
        if self.status is VenueOrderStatus.FILLED:
            return OrderState.FILLED
        return OrderState.PARTIAL
