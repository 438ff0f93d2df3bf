"""Trades of own orders as the stream shows them: to the order in flight that waits for them, else to the resolver.

Besides, the stream's newest word on each order: a LIMIT order that rests ends while nobody waits for it.

Invariant: a trade of ours is never dropped here: either somebody in flight takes it, or it is late and the
resolver books it; booking is once only by its trade id, so taking it twice does no harm. Late ones are bounded by
`LATE_MAX`; beyond it the service ends rather than forget one.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

from holdfast.domain.amounts import ZERO
from holdfast.domain.errors import Unclassified
from holdfast.domain.names import is_our_client_order_id

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.domain.names import ClientOrderId
    from holdfast.domain.order import OrderReport
    from holdfast.domain.trade import Trade
    from holdfast.services.knocks import Knocks

LATE_MAX = 10_000
"""Late trades that wait for the resolver. At that point the service ends: the next start asks the venue for them."""
REPORTS_MAX = 1_000
"""Words on orders that nobody took yet; the oldest go, and the resolver asks the venue about those in its turn."""


class Fills:
    """Own trades on their way from the stream to the journal (a FeedListener)."""

    def __init__(self, resolve: Knocks[ClientOrderId]) -> None:
        self._flying: dict[ClientOrderId, list[Trade]] = {}
        self._waiting: dict[ClientOrderId, asyncio.Event] = {}
        self._late: dict[ClientOrderId, list[Trade]] = {}
        self._reports: OrderedDict[ClientOrderId, OrderReport] = OrderedDict()
        self._resolve = resolve

    def expect(self, name: ClientOrderId) -> None:
        """Collect the order's trades from now on; call it before the request leaves."""
        self._flying.setdefault(name, [])

    async def wait_for(self, name: ClientOrderId, qty: Decimal, wait_ms: int) -> tuple[Trade, ...]:
        """Wait until trades of `qty` in all were seen, at most `wait_ms`; whatever came by then."""
        event = self._waiting.setdefault(name, asyncio.Event())
        try:
            async with asyncio.timeout(wait_ms / 1000):
                while self._seen(name) < qty:
                    event.clear()
                    await event.wait()
        except TimeoutError:
            pass  # the caller compares what came with what it expects, and asks the venue for the rest
        finally:
            self._waiting.pop(name, None)
        return tuple(self._flying.get(name, ()))

    def _seen(self, name: ClientOrderId) -> Decimal:
        return sum((trade.qty for trade in self._flying.get(name, ())), ZERO)

    def landed(self, name: ClientOrderId) -> None:
        """The order is not in flight any more; trades still to come are late."""
        trades = self._flying.pop(name, [])
        if trades:
            self._late.setdefault(name, []).extend(trades)

    def has_any(self, name: ClientOrderId) -> bool:
        """Tell whether a trade of an order in flight was seen."""
        return bool(self._flying.get(name))

    def booked(self, name: ClientOrderId, trades: tuple[Trade, ...]) -> None:
        """Forget the trades that were just booked; what came meanwhile, or was not taken, stays until `landed`."""
        known = {trade.trade_id for trade in trades}
        if name in self._flying:
            self._flying[name] = [trade for trade in self._flying[name] if trade.trade_id not in known]

    def take_late(self, name: ClientOrderId) -> tuple[Trade, ...]:
        """Take the late trades of one order."""
        return tuple(self._late.pop(name, ()))

    def keep_late(self, name: ClientOrderId, trades: tuple[Trade, ...], report: OrderReport | None) -> None:
        """Take back what could not be booked now; a newer word on the order counts before it."""
        self._late[name] = [*trades, *self._late.get(name, [])]
        if report is not None:
            self._reports.setdefault(name, report)

    def take_report(self, name: ClientOrderId) -> OrderReport | None:
        """Take the stream's newest word on an order, if there is one that nobody took."""
        return self._reports.pop(name, None)

    def _keep_report(self, name: ClientOrderId, report: OrderReport) -> None:
        self._reports[name] = report
        while len(self._reports) > REPORTS_MAX:
            self._reports.popitem(last=False)

    # --- FeedListener ---------------------------------------------------------------------------------

    def on_trade(self, trade: Trade, report: OrderReport) -> None:
        """Sort a trade: to its order in flight, or late."""
        name = report.client_order_id
        if not is_our_client_order_id(name):
            return
        self._keep_report(name, report)
        if name in self._flying:
            self._flying[name].append(trade)
            event = self._waiting.get(name)
            if event is not None:
                event.set()
            return
        if sum(map(len, self._late.values())) >= LATE_MAX:
            raise Unclassified(f"{LATE_MAX} trades wait to be booked: the journal takes none, so nothing may be traded")
        self._late.setdefault(name, []).append(trade)
        self._resolve.knock(name)

    def on_order(self, report: OrderReport) -> None:
        """An own order changed: whoever resolves it may look again."""
        if not is_our_client_order_id(report.client_order_id):
            return
        self._keep_report(report.client_order_id, report)
        if report.client_order_id not in self._flying:
            self._resolve.knock(report.client_order_id)

    def on_up(self) -> None:
        """Nothing: what a gap hid is found by asking."""

    def on_gap(self, detail: str) -> None:
        """Nothing: what a gap hid is found by asking."""

    def on_proof(self) -> None:
        """Nothing."""

    def on_view(self) -> None:
        """Nothing."""

    def on_mode(self) -> None:
        """Nothing."""
