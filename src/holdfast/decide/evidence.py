"""Class the venue's trades that the ledger lacks: own, forced or foreign; and tell whether they are the drift.

    | the trade's order                                   | class            |
    |-----------------------------------------------------|------------------|
    | its venue number is an order in the journal         | own              |
    | its client id is an order in the journal            | own              |
    | its client id carries our prefix, but the journal knows no such order | stray: proves nothing, and halts |
    | its client id is the venue's own (liquidation, ADL, settlement), or the venue says that it placed it | forced |
    | its client id is not known                          | nothing proven: the evidence is incomplete |
    | otherwise                                           | foreign          |

Trades of other legs, those up to the leg's watermark (by id, or by time: one may show late, after a person adopted what
it made of the position), and those booked already, are left out. What booked fills did beyond the ledger (a close's
undo the drift) comes from the journal, as `undone`.

Every drift is a sum (ADR 0010): since the watermark the position moved by all trades, the ledger by the parts that are
its own, so   drift = own missing + forced + foreign + undone.   Evidence that is complete and adds up to the drift
explains it; anything else explains nothing. Pure; the service looks the client ids up (from the stream, else by asking
for the order) before it calls.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from holdfast.domain.amounts import ZERO
from holdfast.domain.names import is_our_client_order_id
from holdfast.domain.trade import is_forced_client_order_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from holdfast.domain.ledger import LedgerState
    from holdfast.domain.names import ClientOrderId, TradeId, VenueOrderId
    from holdfast.domain.order import Order
    from holdfast.domain.trade import Trade, TradePage, Undone


@dataclass(frozen=True, slots=True)
class Evidence:
    """Venue trades since the watermark that did not move the ledger, each named by its trade id and classed."""

    own: tuple[Trade, ...]
    """Fills of ours that are not booked."""
    own_ledger_qty: Decimal
    """Signed sum of what booking `own` would move the ledger by (a close's fills move it by nothing)."""
    forced: tuple[Trade, ...]
    foreign: tuple[Trade, ...]
    complete: bool
    """False if pages were cut off, or an order's origin could not be told: then it proves nothing."""
    read_ms: int
    """Our clock before the request."""
    last_trade_id: TradeId | None
    """Highest trade id seen; None if there was no trade."""
    ledger_version: int
    """The ledger that it was compared with; of another version it is void."""
    last_fill_ms: int
    """That ledger's last own fill. A close's fills raise no version; this tells that one was booked since."""
    undone: tuple[Undone, ...] = ()
    """What booked fills of ours did beyond the ledger."""
    stray: tuple[Trade, ...] = ()
    """Trades of orders that carry our prefix and are not in the journal: the journal is not the newest one."""

    @property
    def forced_qty(self) -> Decimal:
        """Signed sum of what the venue forced."""
        return sum((trade.signed_qty for trade in self.forced), ZERO)

    @property
    def total_qty(self) -> Decimal:
        """Signed sum of all of it: what the position moved by and the ledger did not."""
        trades = sum((trade.signed_qty for trade in (*self.own, *self.forced, *self.foreign)), ZERO)
        return sum((each.signed_qty for each in self.undone), trades)

    def is_of(self, ledger: LedgerState) -> bool:
        """Tell whether it was compared with the ledger as it still stands."""
        return (self.ledger_version, self.last_fill_ms) == (ledger.version, ledger.last_fill_ms)

    def explains(self, drift: Decimal, ledger: LedgerState) -> bool:
        """Tell whether it is complete, of this ledger, and adds up to the drift."""
        return self.complete and self.is_of(ledger) and self.total_qty == drift


def missing_trades(page: TradePage, ledger: LedgerState, booked: frozenset[TradeId]) -> tuple[Trade, ...]:
    """The page's trades of this leg that were not booked and that no adoption took in, oldest first."""
    return tuple(
        trade
        for trade in page.trades
        if trade.leg_of(ledger.leg.account) == ledger.leg
        and trade.trade_id not in booked
        and trade.trade_id > (ledger.watermark_trade_id or 0)
        and trade.venue_ms > ledger.watermark_ms
    )


def weigh(
    page: TradePage,
    ledger: LedgerState,
    booked: frozenset[TradeId],
    *,
    own_orders: Mapping[VenueOrderId, Order],
    client_ids: Mapping[VenueOrderId, ClientOrderId],
    forced_orders: frozenset[VenueOrderId],
    undone: tuple[Undone, ...],
    read_ms: int,
) -> Evidence:
    """Class every missing trade (see the module's table).

    `own_orders` are the journal's orders behind the trades, by venue number, also those that were found by their
    client id; `client_ids` what is known of the others; `forced_orders` those of which the venue says that they are
    its own.
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
        elif client_id and is_our_client_order_id(client_id):
            stray.append(trade)
            complete = False
        elif trade.order_id in forced_orders or is_forced_client_order_id(client_id or ""):
            forced.append(trade)
        elif not client_id:
            complete = False
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
        last_fill_ms=ledger.last_fill_ms,
        undone=undone,
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
