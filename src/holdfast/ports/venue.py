"""The exchange, as three Protocols: reading (any key), streaming (any key), sending (the trading key only).

Every read raises `VenueUnavailable` when it has no complete answer; an empty result is an answer. `submit` and
`cancel` never raise for what the venue said or did not say: their outcome is a value, and whatever is not
proven is `Unknown` (DESIGN §2.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal
    from types import TracebackType

    from holdfast.domain.instrument import Instrument
    from holdfast.domain.names import ClientOrderId, Symbol, TradeId, VenueOrderId
    from holdfast.domain.order import OrderReport
    from holdfast.domain.permit import Permit
    from holdfast.domain.reasons import Reason
    from holdfast.domain.sides import PositionMode
    from holdfast.domain.trade import Trade, TradePage
    from holdfast.domain.view import AccountView, PositionView


# --- what came of a request -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Accepted:
    """The venue took the order and says how it stands."""

    report: OrderReport


@dataclass(frozen=True, slots=True)
class Refused:
    """The venue's own word that the order was not executed and must not be repeated as it is."""

    reason: Reason
    code: int | None
    text: str


@dataclass(frozen=True, slots=True)
class NotExecuted:
    """The venue's own documented word that nothing was executed.

    Also a connection that failed before its first byte was written. The request may be repeated, after
    `retry_after_ms`, by a whole new permit.
    """

    reason: Reason
    text: str
    retry_after_ms: int


@dataclass(frozen=True, slots=True)
class AlreadyExists:
    """-4116: an open order with this client id exists. Ask for it and adopt it."""

    text: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing is proven. Ask, never send again."""

    text: str


SubmitOutcome = Accepted | Refused | NotExecuted | AlreadyExists | Unknown


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The order is cancelled; `report` is its final state."""

    report: OrderReport


@dataclass(frozen=True, slots=True)
class NothingToCancel:
    """-2011: not open any more; it may be filled. Ask for the order."""

    text: str


CancelOutcome = Cancelled | NothingToCancel | Refused | Unknown


# --- what the stream says -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TradeSeen:
    """One execution on the account, with its order as it stood after it."""

    trade: Trade
    report: OrderReport


@dataclass(frozen=True, slots=True)
class OrderSeen:
    """An order changed without an execution (NEW, CANCELED, EXPIRED ...)."""

    report: OrderReport


@dataclass(frozen=True, slots=True)
class PositionsSeen:
    """Positions that changed. Legs not named did not change."""

    positions: tuple[PositionView, ...]
    cause: str
    """The venue's word: ORDER, FUNDING_FEE, ADJUSTMENT ..."""


@dataclass(frozen=True, slots=True)
class ModeSeen:
    """The account's configuration changed: read it again."""

    detail: str


@dataclass(frozen=True, slots=True)
class StreamAlive:
    """The stream answered a probe: it was alive at `proved_ms` (our clock, read BEFORE the probe left)."""

    proved_ms: int


@dataclass(frozen=True, slots=True)
class StreamUp:
    """A new connection is subscribed. Everything before it may have been missed: read a full view now."""

    opened_ms: int


@dataclass(frozen=True, slots=True)
class StreamGap:
    """The connection is gone or its key expired. The stamp is void from here on."""

    detail: str


StreamEvent = TradeSeen | OrderSeen | PositionsSeen | ModeSeen | StreamAlive | StreamUp | StreamGap


class VenueStream(Protocol):
    """The account's private stream. Reconnects by itself, for ever, with bounded backoff; every loss is a StreamGap."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def next_batch(self) -> tuple[StreamEvent, ...]:
        """Wait for at least one event and return all that are already there, in order of receipt.

        Raises KeysRejected when the venue refuses the key; every other trouble is a StreamGap and a retry.
        """
        ...


# --- reading and sending --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TradeCursor:
    """From where trades are wanted: after a trade id, or from a venue time on if there is no id yet."""

    after_trade_id: TradeId | None
    from_ms: int


class VenueReader(Protocol):
    """What a read-only key may do."""

    async def sync_clock(self) -> int:
        """Measure and keep the venue clock's offset; return it (venue minus ours, ms)."""
        ...

    def venue_now_ms(self) -> int:
        """The venue's clock now, by the last measured offset."""
        ...

    async def instruments(self) -> Mapping[Symbol, Instrument]:
        """All symbols with their rules."""
        ...

    async def mark_prices(self) -> Mapping[Symbol, Decimal]:
        """Mark price of every symbol, quote asset."""
        ...

    async def position_mode(self) -> PositionMode:
        """One-way or hedge, as the account is set now."""
        ...

    async def account_view(self) -> AccountView:
        """All positions, complete: absent is flat."""
        ...

    async def symbol_view(self, symbol: Symbol) -> AccountView:
        """The symbol's positions, complete for that symbol."""
        ...

    async def trades(self, symbol: Symbol, cursor: TradeCursor) -> TradePage:
        """The account's trades on the symbol since the cursor, oldest first; bounded in pages."""
        ...

    async def order(self, symbol: Symbol, client_order_id: ClientOrderId) -> OrderReport | None:
        """One order by our id; None if the venue says it does not exist (which proves little while it is young)."""
        ...

    async def order_by_number(self, symbol: Symbol, order_id: VenueOrderId) -> OrderReport | None:
        """One order by the venue's number; None if the venue says it does not exist."""
        ...

    async def forced_orders(self, symbol: Symbol) -> tuple[OrderReport, ...]:
        """The account's newest liquidations and ADLs on the symbol (dear: weight 20)."""
        ...

    async def open_orders(self, symbol: Symbol | None) -> tuple[OrderReport, ...]:
        """Resting orders, of one symbol or of the whole account (dearer)."""
        ...

    def stream(self) -> VenueStream:
        """A new private stream; connects when entered."""
        ...

    async def close(self) -> None:
        """End connections."""
        ...


class VenueTrader(VenueReader, Protocol):
    """What the trading key may do besides."""

    async def submit(self, permit: Permit) -> SubmitOutcome:
        """Send the order once. Exactly one request leaves, or none."""
        ...

    async def cancel(self, symbol: Symbol, client_order_id: ClientOrderId) -> CancelOutcome:
        """Cancel one order of ours."""
        ...
