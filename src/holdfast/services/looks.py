"""A second, independent look at one symbol: its position over REST, and the trades since the ledger's watermark.

Both are asked for at once. What is booked and what the ledger is, is read from the journal AFTER the trades came,
so that a fill booked meanwhile is not taken for a missing one. The client ids that class a trade come from the
stream; what the stream did not show is asked for, at most `ORDERS_ASKED_MAX` orders a look (beyond that the
evidence stays incomplete, and the next look goes on).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.decide.evidence import missing_trades, weigh
from holdfast.ports.venue import TradeCursor

if TYPE_CHECKING:
    from holdfast.decide.evidence import Evidence
    from holdfast.domain.ledger import LedgerState
    from holdfast.domain.names import ClientOrderId, TradeId, VenueOrderId
    from holdfast.domain.order import Order
    from holdfast.domain.sides import Leg
    from holdfast.domain.trade import Trade, TradePage, Undone
    from holdfast.domain.view import AccountView
    from holdfast.ports.journal import Reads
    from holdfast.ports.venue import VenueReader
    from holdfast.services.context import Context
    from holdfast.services.picture import Picture

ORDERS_ASKED_MAX = 20


@dataclass(frozen=True, slots=True)
class Look:
    """What one look brought."""

    view: AccountView
    evidence: Evidence


async def take_look(context: Context, reader: VenueReader, picture: Picture, leg: Leg) -> Look:
    """Look once; raises VenueUnavailable if either answer is missing or incomplete."""
    cursor = await context.journal.query(context.account, lambda reads: cursor_of(reads, leg))
    read_ms = context.clock.now_ms()
    view, page = await asyncio.gather(reader.symbol_view(leg.symbol), reader.trades(leg.symbol, cursor))
    evidence = await _weigh(context, reader, picture, leg, page=page, read_ms=read_ms)
    return Look(view, evidence)


def cursor_of(reads: Reads, leg: Leg) -> TradeCursor:
    """From where the leg's trades are not accounted for: its watermark, else the account's baseline."""
    ledger = reads.leg(leg)
    baseline_ms = reads.account().baseline_ms or 0
    return TradeCursor(ledger.watermark_trade_id, max(ledger.watermark_ms, baseline_ms))


async def _weigh(
    context: Context, reader: VenueReader, picture: Picture, leg: Leg, *, page: TradePage, read_ms: int
) -> Evidence:
    found = await context.journal.query(context.account, lambda reads: _journaled(reads, leg, page))
    names = await _names(reader, picture, leg, found)
    own = dict(found.own)
    if names:
        own.update(await context.journal.query(context.account, lambda reads: _own_by_name(reads, names)))
    return weigh(
        page, found.ledger, found.booked, own_orders=own, client_ids=names, undone=found.undone, read_ms=read_ms
    )


@dataclass(frozen=True, slots=True)
class _Journaled:
    ledger: LedgerState
    booked: frozenset[TradeId]
    own: dict[VenueOrderId, Order]
    missing: tuple[Trade, ...]
    undone: tuple[Undone, ...]


def _journaled(reads: Reads, leg: Leg, page: TradePage) -> _Journaled:
    ledger, cursor = reads.leg(leg), cursor_of(reads, leg)
    booked = reads.booked_trade_ids(leg.symbol, cursor.after_trade_id, cursor.from_ms)
    missing = missing_trades(page, ledger, booked)
    own: dict[VenueOrderId, Order] = {}
    for trade in missing:
        if trade.order_id not in own:
            order = reads.order_by_number(leg.symbol, trade.order_id)
            if order is not None:
                own[trade.order_id] = order
    undone = reads.undone_fills(leg, cursor.after_trade_id, cursor.from_ms)
    return _Journaled(ledger, booked, own, missing, undone)


def _own_by_name(reads: Reads, names: dict[VenueOrderId, ClientOrderId]) -> dict[VenueOrderId, Order]:
    own: dict[VenueOrderId, Order] = {}
    for number, name in names.items():
        order = reads.order(name)
        if order is not None:
            own[number] = order
    return own


async def _names(
    reader: VenueReader, picture: Picture, leg: Leg, found: _Journaled
) -> dict[VenueOrderId, ClientOrderId]:
    names: dict[VenueOrderId, ClientOrderId] = {}
    asked = 0
    for trade in found.missing:
        number = trade.order_id
        if number in found.own or number in names:
            continue
        name = trade.client_order_id or picture.order_name(leg.symbol, number)
        if name is None and asked < ORDERS_ASKED_MAX:
            asked += 1
            report = await reader.order_by_number(leg.symbol, number)
            name = report.client_order_id if report is not None else None
        if name is not None:
            picture.name_order(leg.symbol, number, name)
            names[number] = name
    return names
