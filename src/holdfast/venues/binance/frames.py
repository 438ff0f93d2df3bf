"""The codec of the private stream: one frame to at most one event, pure.

    ORDER_TRADE_UPDATE, x = TRADE or CALCULATED with a trade id   TradeSeen (CALCULATED is a liquidation's execution)
    ORDER_TRADE_UPDATE otherwise                                  OrderSeen
    ACCOUNT_UPDATE                                                PositionsSeen, or ModeSeen if it contradicts the mode
    ACCOUNT_CONFIG_UPDATE                                         ModeSeen
    listenKeyExpired                                              KeyExpired
    everything else (TRADE_LITE is a poorer copy of TRADE ...)    Ignored
    rows of the COIN-M product (`st` = 2)                         Ignored

Guarantee: a known event that cannot be read raises VenueUnavailable (something may have been missed: the stream makes a
gap of it), and nothing else is ever raised. Facts: venue documentation of the user data stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import msgspec

from holdfast.domain.errors import VenueUnavailable
from holdfast.domain.names import ClientOrderId, Symbol, TradeId, VenueOrderId
from holdfast.domain.order import OrderReport
from holdfast.domain.sides import Leg, PositionMode, PositionSide, Side, Source
from holdfast.domain.trade import Trade
from holdfast.domain.view import PositionView
from holdfast.ports.venue import ModeSeen, OrderSeen, PositionsSeen, TradeSeen
from holdfast.venues.binance.views import fits_mode, require_flat
from holdfast.venues.binance.wire import (
    NUMBER_MAX,
    Millis,
    Number,
    Text,
    amount,
    decode,
    is_by_venue,
    not_negative,
    positive,
    price_or_none,
    status_of,
)

if TYPE_CHECKING:
    from holdfast.domain.names import AccountId

COIN_MARGINED = 2
_EXECUTIONS = frozenset({"TRADE", "CALCULATED"})


@dataclass(frozen=True, slots=True)
class KeyExpired:
    """The listen key died: the socket stays open and silent from here on."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event that says nothing to us."""


FrameEvent = TradeSeen | OrderSeen | PositionsSeen | ModeSeen | KeyExpired | Ignored
IGNORED = Ignored()


class _Kind(msgspec.Struct, frozen=True, rename={"kind": "e", "product": "st"}):
    kind: str = ""
    product: int | None = None


_ORDER_NAMES = {
    "symbol": "s",
    "client_order_id": "c",
    "order_id": "i",
    "side": "S",
    "position_side": "ps",
    "qty": "q",
    "execution": "x",
    "status": "X",
    "last_qty": "l",
    "last_price": "L",
    "executed_qty": "z",
    "avg_price": "ap",
    "price": "p",
    "venue_ms": "T",
    "trade_id": "t",
    "reduce_only": "R",
    "product": "st",
    "kind": "o",
}


class _Order(msgspec.Struct, frozen=True, rename=_ORDER_NAMES):
    symbol: Text
    client_order_id: Text
    order_id: Number
    side: Side
    position_side: PositionSide
    qty: str
    execution: str
    status: str
    last_qty: str
    last_price: str
    executed_qty: str
    venue_ms: Millis
    trade_id: Annotated[int, msgspec.Meta(ge=-1, le=NUMBER_MAX)]
    """0 or -1 when the event is no execution."""
    reduce_only: bool
    avg_price: str | None = None
    price: str | None = None
    product: int | None = None
    kind: str = ""


class _OrderUpdate(msgspec.Struct, frozen=True, rename={"venue_ms": "T", "order": "o"}):
    venue_ms: Millis
    order: _Order


class _Row(
    msgspec.Struct,
    frozen=True,
    rename={"symbol": "s", "amt": "pa", "position_side": "ps", "entry_price": "ep", "product": "st"},
):
    symbol: Text
    amt: str
    position_side: PositionSide
    entry_price: str | None = None
    product: int | None = None


class _Account(msgspec.Struct, frozen=True, rename={"cause": "m", "positions": "P"}):
    cause: Text
    positions: list[_Row] = []


class _AccountUpdate(msgspec.Struct, frozen=True, rename={"venue_ms": "T", "account": "a"}):
    venue_ms: Millis
    account: _Account


class _Leverage(msgspec.Struct, frozen=True, rename={"symbol": "s"}):
    symbol: Text = "the account"


class _ConfigUpdate(msgspec.Struct, frozen=True, rename={"leverage": "ac"}):
    leverage: _Leverage | None = None


_kind = msgspec.json.Decoder(_Kind)
_order_update = msgspec.json.Decoder(_OrderUpdate)
_account_update = msgspec.json.Decoder(_AccountUpdate)
_config_update = msgspec.json.Decoder(_ConfigUpdate)


def decode_frame(frame: bytes, account: AccountId, mode: PositionMode, receipt_ms: int) -> FrameEvent:
    """Read one frame. `receipt_ms` is our clock at its receipt. Raises VenueUnavailable; see the module."""
    kind = decode(_kind, frame, "stream frame")
    if kind.product == COIN_MARGINED:
        return IGNORED
    match kind.kind:
        case "ORDER_TRADE_UPDATE":
            return _order_event(decode(_order_update, frame, kind.kind))
        case "ACCOUNT_UPDATE":
            return _positions_event(decode(_account_update, frame, kind.kind), account, mode, receipt_ms)
        case "ACCOUNT_CONFIG_UPDATE":
            change = decode(_config_update, frame, kind.kind).leverage
            return ModeSeen(f"leverage of {change.symbol}" if change is not None else "account configuration")
        case "listenKeyExpired":
            return KeyExpired()
        case _:
            return IGNORED


def _order_event(update: _OrderUpdate) -> TradeSeen | OrderSeen | Ignored:
    row = update.order
    if row.product == COIN_MARGINED:
        return IGNORED
    report = OrderReport(
        symbol=Symbol(row.symbol),
        client_order_id=ClientOrderId(row.client_order_id),
        order_id=VenueOrderId(row.order_id),
        side=row.side,
        position_side=row.position_side,
        status=status_of(row.status),
        qty=not_negative(row.qty, "order quantity"),
        executed_qty=not_negative(row.executed_qty, "executed quantity"),
        avg_price=price_or_none(row.avg_price),
        price=price_or_none(row.price),
        reduce_only=row.reduce_only,
        venue_ms=row.venue_ms,
        is_by_venue=is_by_venue(row.status, row.kind, row.execution),
    )
    if row.execution not in _EXECUTIONS or (row.execution == "CALCULATED" and row.trade_id <= 0):
        return OrderSeen(report)
    if row.trade_id < 0:
        raise VenueUnavailable("a trade on the stream has no trade id")
    trade = Trade(
        symbol=report.symbol,
        trade_id=TradeId(row.trade_id),
        order_id=report.order_id,
        client_order_id=report.client_order_id,
        side=row.side,
        position_side=row.position_side,
        qty=positive(row.last_qty, "trade quantity"),
        price=price_or_none(row.last_price),
        venue_ms=update.venue_ms,
        source=Source.STREAM,
    )
    return TradeSeen(trade, report)


def _positions_event(
    update: _AccountUpdate, account: AccountId, mode: PositionMode, receipt_ms: int
) -> PositionsSeen | ModeSeen:
    seen: list[PositionView] = []
    for row in update.account.positions:
        if row.product == COIN_MARGINED:
            continue
        amt = amount(row.amt, "position")
        if not fits_mode(row.position_side, mode):
            try:
                require_flat(amt, row.position_side, mode)
            except VenueUnavailable as error:
                return ModeSeen(str(error))
            continue
        leg = Leg(account, Symbol(row.symbol), row.position_side)
        seen.append(PositionView(leg, amt, update.venue_ms, receipt_ms, Source.STREAM, price_or_none(row.entry_price)))
    return PositionsSeen(tuple(seen), update.account.cause)
