"""Class the venue's trades that the ledger lacks: own, forced or foreign.

    | the trade's order                                   | class            |
    |-----------------------------------------------------|------------------|
    | its venue number is an order in the journal         | own              |
    | its client id is an order in the journal            | own              |
    | its client id is the venue's own (liquidation, ADL, settlement) | forced |
    | its client id is known and none of these            | foreign          |
    | its client id carries our prefix, but the journal knows no such order | stray: proves nothing, and halts |
    | its client id is not known                          | nothing proven: the evidence is incomplete |

Trades of other legs, those up to the leg's watermark, and those booked already, are left out. Pure; the service looks
the client ids up (from the stream, else by asking for the order) before it calls.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.decide.reconcile import Evidence
from holdfast.domain.amounts import ZERO
from holdfast.domain.names import is_our_client_order_id
from holdfast.domain.trade import is_forced_client_order_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from holdfast.domain.ledger import LedgerState
    from holdfast.domain.names import ClientOrderId, TradeId, VenueOrderId
    from holdfast.domain.order import Order
    from holdfast.domain.trade import Trade, TradePage


def missing_trades(page: TradePage, ledger: LedgerState, booked: frozenset[TradeId]) -> tuple[Trade, ...]:
    """The page's trades of this leg that were not booked, oldest first."""
    return tuple(
        trade
        for trade in page.trades
        if trade.leg_of(ledger.leg.account) == ledger.leg
        and trade.trade_id not in booked
        and trade.trade_id > (ledger.watermark_trade_id or 0)
    )


def weigh(
    page: TradePage,
    ledger: LedgerState,
    booked: frozenset[TradeId],
    *,
    own_orders: Mapping[VenueOrderId, Order],
    client_ids: Mapping[VenueOrderId, ClientOrderId],
    read_ms: int,
) -> Evidence:
    """Class every missing trade (see the module's table).

    `own_orders` are the journal's orders behind the trades, by venue number, also those that were found by their
    client id; `client_ids` what is known of the others.
    """
    own: list[Trade] = []
    forced: list[Trade] = []
    foreign: list[Trade] = []
    stray: list[Trade] = []
    complete = page.complete
    for trade in missing_trades(page, ledger, booked):
        client_id = trade.client_order_id or client_ids.get(trade.order_id)
        if trade.order_id in own_orders:
            own.append(replace(trade, client_order_id=own_orders[trade.order_id].client_order_id))
        elif not client_id:
            complete = False
        elif is_our_client_order_id(client_id):
            stray.append(trade)
            complete = False
        elif is_forced_client_order_id(client_id):
            forced.append(trade)
        else:
            foreign.append(trade)
    last = max((trade.trade_id for trade in page.trades), default=None)
    return Evidence(
        own=tuple(own),
        own_ledger_qty=_ledger_qty(own, own_orders),
        forced=tuple(forced),
        foreign=tuple(foreign),
        complete=complete,
        read_ms=read_ms,
        last_trade_id=last,
        ledger_version=ledger.version,
        stray=tuple(stray),
    )


def _ledger_qty(own: list[Trade], own_orders: Mapping[VenueOrderId, Order]) -> Decimal:
    """What booking `own` moves the ledger by: per order, the part beyond `against_drift_qty`."""
    by_order: dict[VenueOrderId, Decimal] = {}
    for trade in own:
        by_order[trade.order_id] = by_order.get(trade.order_id, ZERO) + trade.qty
    total = ZERO
    for order_id, qty in by_order.items():
        order = own_orders[order_id]
        total += order.ledger_part(qty) * order.side.sign
    return total
