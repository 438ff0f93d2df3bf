"""A second, independent look at one symbol: its position over REST, and the trades since the ledger's watermark.

Both are asked for at once. What is booked and what the ledger is, is read from the journal AFTER the trades came,
so that a fill booked meanwhile is not taken for a missing one. Trades beyond the bound on requests are read by the
looks that follow (their evidence is incomplete until the last one). Whose orders they are: see `origins`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from holdfast.decide.evidence import missing_trades, weigh
from holdfast.ports.venue import TradeCursor
from holdfast.services.origins import learn_origins
from holdfast.services.picture import Trail

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

TRADES_KEPT_MAX = 200_000
"""Trades of one leg that are kept while several looks read them; with more of them a person decides."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look brought."""

    view: AccountView
    evidence: Evidence


async def take_look(context: Context, reader: VenueReader, picture: Picture, leg: Leg) -> Look:
    """Look once; raises VenueUnavailable if either answer is missing or incomplete."""
    cursor = await context.journal.query(context.account, lambda reads: cursor_of(reads, leg))
    read_ms = context.clock.now_ms()
    view, page = await asyncio.gather(reader.symbol_view(leg.symbol), _trades(reader, picture, leg, cursor))
    evidence = await _weigh(context, reader, picture, leg, page=page, read_ms=read_ms)
    return Look(view, evidence)


async def _trades(reader: VenueReader, picture: Picture, leg: Leg, cursor: TradeCursor) -> TradePage:
    """Read the trades since the cursor; where the bound on requests ended the last look's, go on from there."""
    kept = picture.trails.get(leg)
    before = kept.trades if kept is not None and kept.cursor == cursor else ()
    since = TradeCursor(before[-1].trade_id, cursor.from_ms) if before else cursor
    page = await reader.trades(leg.symbol, since)
    page = replace(page, trades=before + page.trades)
    if page.goes_on and len(page.trades) <= TRADES_KEPT_MAX:
        picture.trails[leg] = Trail(cursor, page.trades)
    else:
        picture.trails.pop(leg, None)
    return page


def cursor_of(reads: Reads, leg: Leg) -> TradeCursor:
    """From where the leg's trades are not accounted for: its watermark, else the account's baseline."""
    ledger = reads.leg(leg)
    baseline_ms = reads.account().baseline_ms or 0
    return TradeCursor(ledger.watermark_trade_id, max(ledger.watermark_ms, baseline_ms))


async def _weigh(
    context: Context, reader: VenueReader, picture: Picture, leg: Leg, *, page: TradePage, read_ms: int
) -> Evidence:
    found = await context.journal.query(context.account, lambda reads: _journaled(reads, leg, page))
    unknown = dict.fromkeys(trade.order_id for trade in found.missing if trade.order_id not in found.own)
    origins = await learn_origins(reader, picture, leg.symbol, tuple(unknown))
    names = {number: origin.client_order_id for number, origin in origins.items()}
    own = dict(found.own)
    if names:
        own.update(await context.journal.query(context.account, lambda reads: _own_by_name(reads, names)))
    return weigh(
        page,
        found.ledger,
        found.booked,
        own_orders=own,
        client_ids=names,
        forced_orders=frozenset(number for number, origin in origins.items() if origin.is_forced),
        undone=found.undone,
        read_ms=read_ms,
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
