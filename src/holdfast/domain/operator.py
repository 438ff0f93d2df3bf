"""What a person asks of the running system, and what the system tells a person.

A request is journaled by the command line and carried out by the service that owns the matter: nobody but the
services touches holds, ledgers and orders.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.domain.names import AccountId, ClientOrderId, HoldId, Symbol
    from holdfast.domain.sides import PositionSide

REQUEST_AGE_MS_MAX = 120_000
"""A request that is older when a service finds it is refused: nobody waits for it any more, and the facts changed."""


class RequestKind(Enum):
    """What may be asked."""

    CLOSE = "close"
    """Close the position on a symbol (OPERATOR_CLOSE)."""
    ADOPT = "adopt"
    """Ledger := exchange, by a person's word."""
    RELEASE = "release"
    """End an operator's hold (and acknowledge what waits for a person); refused while drift stands."""
    APPROVE = "approve"
    """Let a hold close above `close_notional_max`, or start its attempts anew."""
    HOLD = "hold"
    """Place an operator's hold."""
    RESOLVE_FILLED = "resolve_filled"
    """An order without an answer was filled, by a person's word."""
    RESOLVE_ENDED = "resolve_ended"
    """An order that rested is over, with what is booked of it, by a person's word."""
    RESOLVE_NOT_ACCEPTED = "resolve_not_accepted"
    """An order without an answer never reached the book, by a person's word."""
    HALT = "halt"
    """The kill switch: nothing is sent but what a person approves."""
    RESUME = "resume"
    """End a halt."""


class RequestState(Enum):
    """Where a request stands."""

    OPEN = "open"
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class OperatorRequest:
    """One journaled request."""

    request_id: str
    account: AccountId
    kind: RequestKind
    symbol: Symbol | None
    position_side: PositionSide | None
    hold_id: HoldId | None
    qty: str
    """Decimal text, "" for all of it (CLOSE only)."""
    name: str
    """Who asks."""
    reason: str
    created_ms: int
    state: RequestState
    outcome: str
    """One sentence once it is not OPEN."""
    client_order_id: ClientOrderId | None = None
    """The order that is to be resolved; None for every other kind."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Something a person must know. Repeated until acknowledged; a log line is no alert."""

    alert_id: str
    account: AccountId
    hold_id: HoldId | None
    symbol: Symbol | None
    title: str
    text: str
    created_ms: int
    delivered_ms: int | None
    """When a channel last took it; None while no channel has."""
    acked_ms: int | None
    acked_by: str
    deliveries: int
    next_try_ms: int
