"""What rests at the venue, read as a whole, beside what the journal believes to rest.

Read at a start, every `open_orders_ms` (more rarely where many accounts share one address), and, if anything of ours
rests, after every reconnection of the private stream (it would have told of each end). An order of ours that should
rest and is not there is asked about by its id: only that says what became of it. One with our prefix that the journal
does not know halts the account; one of somebody else's is `foreign_orders`' to deal with.

A reading may lag by `settle_ms_max`: what changed here that shortly before it was asked for is left to the next one,
which then comes that soon.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.domain.errors import JournalBusy, VenueUnavailable
from holdfast.domain.names import is_our_client_order_id
from holdfast.services.cancelling import cancel_entry
from holdfast.services.foreign_orders import ForeignOrders, is_foreign
from holdfast.services.halting import halt_account
from holdfast.services.knocks import Knocks

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.domain.entry import Entry
    from holdfast.domain.names import ClientOrderId
    from holdfast.domain.order import Order, OrderReport
    from holdfast.domain.trade import Trade
    from holdfast.ports.journal import Reads, Tx
    from holdfast.ports.venue import VenueTrader
    from holdfast.services.context import Context

RETRY_MS = 2_000
"""Wait after a reading that failed."""
NEWS_MS = 250
"""How often what the stream told of foreign orders is looked at, while there is any."""
UP, HEARD = "up", "heard"


def _no_spacing() -> int:
    return 0


class OpenOrders:
    """Compares open orders of one account (a FeedListener)."""

    def __init__(
        self,
        context: Context,
        trader: VenueTrader,
        suspect: Callable[[ClientOrderId], None],
        spacing_ms: Callable[[], int] = _no_spacing,
    ) -> None:
        """`spacing_ms` tells how far apart the venue's limits want readings to lie, at least."""
        self._spacing_ms = spacing_ms
        self._context = context
        self._trader = trader
        self._suspect = suspect
        self._knocks: Knocks[str] = Knocks()
        self._foreign = ForeignOrders(context, trader)
        self._has_left = False
        """The newest reading misses an order that changed too shortly before it: that proves nothing yet."""

    async def run(self) -> None:
        """Read until cancelled."""
        clock = self._context.clock
        due_ns = clock.monotonic_ns() + self._interval_ms() * 1_000_000
        while True:
            # Rounded up: the last part of a millisecond would be waited out in a loop that lets nobody else run.
            wait_ms = max((due_ns - clock.monotonic_ns() + 999_999) // 1_000_000, 0)
            knocked = await self._knocks.take(min(wait_ms, NEWS_MS) if self._foreign.has_news else wait_ms)
            try:
                await self._foreign.settle()
                if clock.monotonic_ns() >= due_ns or (UP in knocked and await self._rests_anything()):
                    await self.compare()
                    due_ns = clock.monotonic_ns() + self._interval_ms() * 1_000_000
            except (VenueUnavailable, JournalBusy) as error:
                self._context.log.warning("open_orders_failed", account=self._context.account, detail=str(error))
                wait_ms = max(RETRY_MS, getattr(error, "retry_after_ms", None) or 0)
                due_ns = clock.monotonic_ns() + wait_ms * 1_000_000

    def _interval_ms(self) -> int:
        if self._has_left:
            return self._context.limits.settle_ms_max
        return max(self._context.limits.open_orders_ms, self._spacing_ms())

    async def _rests_anything(self) -> bool:
        """Whether a reading out of turn is worth its weight."""
        account = self._context.account
        return await self._context.journal.query(
            account, lambda reads: any(order.rests for order in reads.live_orders(None))
        )

    async def compare(self) -> None:
        """Read once and compare. Raises VenueUnavailable and JournalBusy: then nothing was compared."""
        context = self._context
        asked_ms = context.clock.now_ms()
        reports = await self._trader.open_orders(None)
        context.resting.reports = reports
        await self._foreign.compare(reports, asked_ms)
        ours = {each.client_order_id: each for each in reports if is_our_client_order_id(each.client_order_id)}

        settled_ms = asked_ms - context.limits.settle_ms_max

        def read(reads: Reads) -> tuple[list[ClientOrderId], list[Order], list[Order]]:
            known = {name: reads.order(name) for name in ours}
            strange = [name for name, order in known.items() if order is None]
            risen = [o for o in known.values() if o is not None and o.state.is_final and o.updated_ms < settled_ms]
            return strange, risen, [order for order in reads.live_orders(None) if order.rests]

        strange, risen, resting = await context.journal.query(context.account, read)
        for order in risen:
            await self._end_risen(order)
        if strange:
            why = f"order {strange[0]} rests at the exchange and the journal does not know it"
            await halt_account(context.journal, context.account, context.log, why)
            context.wakes.alerts.knock("halt")
        settled_ms = asked_ms - context.limits.settle_ms_max
        self._has_left = False
        for order in resting:
            report = ours.get(order.client_order_id)
            if _differs(order, report, settled_ms):
                self._suspect(order.client_order_id)
            elif report is None:
                self._has_left = True

    async def _end_risen(self, order: Order) -> None:
        """An order that was over here and rests there: it is cancelled; its fills are late acceptances."""
        context, name = self._context, order.client_order_id
        report = await self._trader.order(order.leg.symbol, name)
        if report is None or report.status.is_final:
            return
        line = cancel_entry(order, f"it was over ({order.state.value}), and rests")
        await context.transact(
            read=lambda _: None, decide=lambda _: None, write=lambda tx, _choice, _facts: _append(tx, line)
        )
        context.log.error("order_risen", account=context.account, client_order_id=name, was=order.state.value)
        context.live_fence()
        await self._trader.cancel(order.leg.symbol, name)

    # --- FeedListener -----------------------------------------------------------------------------------

    def on_up(self) -> None:
        """The stream is new: what the old one would have told since the gap is read."""
        self._knocks.knock(UP)

    def on_trade(self, trade: Trade, report: OrderReport) -> None:  # noqa: ARG002 - the port's
        """Own trades are booked as they come; an order of somebody else's may rest."""
        self.on_order(report)

    def on_order(self, report: OrderReport) -> None:
        """Own orders are looked at as they change; an order of somebody else's may rest."""
        if is_foreign(report):
            self._foreign.hear(report)
            self._knocks.knock(HEARD)

    def on_gap(self, detail: str) -> None:
        """Nothing before the stream is back."""

    def on_proof(self) -> None:
        """Nothing."""

    def on_view(self) -> None:
        """Nothing."""

    def on_mode(self) -> None:
        """Nothing."""


def _differs(order: Order, report: OrderReport | None, settled_ms: int) -> bool:
    """Tell whether the venue's reading says something else of a resting order than the journal, beyond its lag."""
    if report is not None:
        return report.executed_qty > order.booked_qty
    return order.updated_ms < settled_ms


def _append(tx: Tx, line: Entry) -> None:
    tx.append(line)
