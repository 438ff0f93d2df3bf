"""The codec of the venue's answers: JSON bytes to domain values, pure.

Strict on what matters (amounts are text and finite, ids and times whole numbers in range, sides and position
sides known, each leg at most once), tolerant of the rest (unknown fields, unknown order statuses). Missing is
missing: an absent or zero `avgPrice` is None (since July 2026 POST and DELETE leave it out), never 0.

Guarantee: whatever the bytes are, a function here returns a domain value or raises VenueUnavailable, nothing else.
Facts: venue documentation of the endpoints named at each function.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec

from holdfast.domain.amounts import ZERO, parse_amount
from holdfast.domain.errors import BadAmount, VenueUnavailable
from holdfast.domain.names import ClientOrderId, Symbol, TradeId, VenueOrderId
from holdfast.domain.order import OrderReport, VenueOrderStatus
from holdfast.domain.sides import PositionMode, PositionSide, Side, Source
from holdfast.domain.trade import Trade

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

MS_MAX = 10**14
"""No time the venue can mean lies beyond it (year 5138)."""
NUMBER_MAX = 2**63 - 1
TEXT_CHARS_MAX = 64
WORD_CHARS_MAX = 1_000
"""A longer text is not the venue's."""
FAULT_CHARS_MAX = 200

Millis = Annotated[int, msgspec.Meta(ge=0, le=MS_MAX)]
Number = Annotated[int, msgspec.Meta(ge=0, le=NUMBER_MAX)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_CHARS_MAX)]

Wire = TypeVar("Wire")
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises over foreign bytes: wrong JSON or shape, wrong UTF-8, nesting without end."""


class VenueWord(msgspec.Struct, frozen=True, rename="camel"):
    """An error body: `{"code":-1121,"msg":"Invalid symbol."}`."""

    code: int
    msg: Annotated[str, msgspec.Meta(max_length=WORD_CHARS_MAX)]


class _Time(msgspec.Struct, frozen=True, rename="camel"):
    server_time: Annotated[int, msgspec.Meta(gt=0, le=MS_MAX)]


class _Dual(msgspec.Struct, frozen=True, rename="camel"):
    dual_side_position: bool


class _ListenKey(msgspec.Struct, frozen=True, rename="camel"):
    listen_key: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_-]{1,256}$")]


class _Order(msgspec.Struct, frozen=True, rename="camel"):
    symbol: Text
    client_order_id: Text
    order_id: Number
    side: Side
    position_side: PositionSide
    status: str
    orig_qty: str
    executed_qty: str
    update_time: Millis
    reduce_only: bool
    avg_price: str | None = None
    price: str | None = None
    type: str = ""
    orig_type: str = ""


class _Trade(msgspec.Struct, frozen=True, rename="camel"):
    symbol: Text
    id: Number
    order_id: Number
    side: Side
    position_side: PositionSide
    qty: str
    price: str
    time: Millis


class PositionRow(msgspec.Struct, frozen=True, rename="camel"):
    """One row of positionRisk v3, amounts still text."""

    symbol: Text
    position_side: PositionSide
    position_amt: str
    update_time: Millis
    entry_price: str | None = None
    mark_price: str | None = None


class _Mark(msgspec.Struct, frozen=True, rename="camel"):
    symbol: Text
    mark_price: str


_word = msgspec.json.Decoder(VenueWord)
_time = msgspec.json.Decoder(_Time)
_dual = msgspec.json.Decoder(_Dual)
_listen_key = msgspec.json.Decoder(_ListenKey)
_order = msgspec.json.Decoder(_Order)
_orders = msgspec.json.Decoder(list[_Order])
_trades = msgspec.json.Decoder(list[_Trade])
_positions = msgspec.json.Decoder(list[PositionRow])
_marks = msgspec.json.Decoder(list[_Mark])


def decode_word(body: bytes) -> VenueWord | None:
    """The venue's code and text, or None if the body is not exactly such a pair (a proxy's page, say)."""
    try:
        return _word.decode(body)
    except _UNREADABLE:
        return None


def decode_time(body: bytes) -> int:
    """GET /fapi/v1/time: the venue's clock, epoch ms."""
    return decode(_time, body, "time").server_time


def decode_position_mode(body: bytes) -> PositionMode:
    """GET /fapi/v1/accountConfig or /fapi/v1/positionSide/dual."""
    return PositionMode.HEDGE if decode(_dual, body, "position mode").dual_side_position else PositionMode.ONE_WAY


def decode_listen_key(body: bytes) -> str:
    """POST /fapi/v1/listenKey. Whoever has it can read the account's events: it is never logged."""
    return decode(_listen_key, body, "listen key").listen_key


def decode_order(body: bytes) -> OrderReport:
    """POST, GET and DELETE /fapi/v1/order."""
    return _report(decode(_order, body, "order"))


def decode_orders(body: bytes) -> tuple[OrderReport, ...]:
    """GET /fapi/v1/openOrders."""
    return tuple(_report(row) for row in decode(_orders, body, "orders"))


def decode_forced(body: bytes) -> tuple[OrderReport, ...]:
    """GET /fapi/v1/forceOrders: whatever stands there, the venue placed it."""
    return tuple(replace(_report(row), is_by_venue=True) for row in decode(_orders, body, "forced orders"))


def decode_trades(body: bytes) -> tuple[Trade, ...]:
    """GET /fapi/v1/userTrades, in the order of the answer."""
    return tuple(
        Trade(
            symbol=Symbol(row.symbol),
            trade_id=TradeId(row.id),
            order_id=VenueOrderId(row.order_id),
            client_order_id=None,
            side=row.side,
            position_side=row.position_side,
            qty=positive(row.qty, "trade quantity"),
            price=price_or_none(row.price),
            venue_ms=row.time,
            source=Source.REST,
        )
        for row in decode(_trades, body, "trades")
    )


def decode_positions(body: bytes) -> list[PositionRow]:
    """GET /fapi/v3/positionRisk: rows as they stand; `views` dates them."""
    return decode(_positions, body, "positions")


def decode_marks(body: bytes) -> Mapping[Symbol, Decimal]:
    """GET /fapi/v1/premiumIndex: mark prices; a symbol without one (0) is left out."""
    prices = ((Symbol(row.symbol), price_or_none(row.mark_price)) for row in decode(_marks, body, "mark prices"))
    return MappingProxyType({symbol: price for symbol, price in prices if price is not None})


def decode(decoder: msgspec.json.Decoder[Wire], body: bytes, what: str) -> Wire:
    """Decode or raise VenueUnavailable. The text names the fault, never the body."""
    try:
        return decoder.decode(body)
    except _UNREADABLE as error:
        raise VenueUnavailable(f"the venue's answer ({what}) cannot be read: {_fault(error)}") from None


def amount(text: str, what: str) -> Decimal:
    """One finite, bounded decimal, or VenueUnavailable."""
    try:
        return parse_amount(text)
    except BadAmount as error:
        raise VenueUnavailable(f"the venue's {what} cannot be read: {error}") from None


def positive(text: str, what: str) -> Decimal:
    """An amount above 0, or VenueUnavailable."""
    value = amount(text, what)
    if value <= ZERO:
        raise VenueUnavailable(f"the venue's {what} is not above 0")
    return value


def not_negative(text: str, what: str) -> Decimal:
    """An amount of 0 or more, or VenueUnavailable."""
    value = amount(text, what)
    if value < ZERO:
        raise VenueUnavailable(f"the venue's {what} is below 0")
    return value


def price_or_none(text: str | None) -> Decimal | None:
    """A price above 0; None if the field is missing or "0", the venue's ways to say that there is none."""
    if text is None:
        return None
    value = not_negative(text, "price")
    return value if value > ZERO else None


def status_of(text: str) -> VenueOrderStatus:
    """The status; a word that we do not know is OTHER, which counts as not final."""
    try:
        return VenueOrderStatus(text)
    except ValueError:
        return VenueOrderStatus.OTHER


def is_by_venue(status: str, *kinds: str) -> bool:
    """Tell whether a status, order type or execution says that the venue placed the order itself."""
    return status in _FORCED_STATUSES or bool(_FORCED_KINDS.intersection(kinds))


_FORCED_STATUSES = frozenset({"NEW_ADL", "NEW_INSURANCE"})
"""Out of the documentation since 2023, and still seen on the wire."""
_FORCED_KINDS = frozenset({"LIQUIDATION", "CALCULATED"})
"""An order type, and the execution type of a liquidation."""


def _report(row: _Order) -> OrderReport:
    return OrderReport(
        symbol=Symbol(row.symbol),
        client_order_id=ClientOrderId(row.client_order_id),
        order_id=VenueOrderId(row.order_id),
        side=row.side,
        position_side=row.position_side,
        status=status_of(row.status),
        qty=not_negative(row.orig_qty, "order quantity"),
        executed_qty=not_negative(row.executed_qty, "executed quantity"),
        avg_price=price_or_none(row.avg_price),
        price=price_or_none(row.price),
        reduce_only=row.reduce_only,
        venue_ms=row.update_time,
        is_by_venue=is_by_venue(row.status, row.type, row.orig_type),
    )


def _fault(error: Exception) -> str:
    """The codec's own sentence (it names paths and types, not contents), else the kind of error."""
    text = str(error) if isinstance(error, msgspec.MsgspecError) else type(error).__name__
    return text[:FAULT_CHARS_MAX]
