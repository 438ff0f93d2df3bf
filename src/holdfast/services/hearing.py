"""What the private stream tells of own orders while nobody here waits for it: late trades, and how orders stand.

A trade is booked when it comes, whatever its order's state is. The stream's word on a LIMIT order is taken over like a
lookup's while the order is not final: so an order that rests reports its end at once. (A MARKET order without an answer
is asked about at once anyway.) An order with our prefix that the journal does not know halts the account: each is
journaled before it leaves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.decide.outcome import adopt_report, unknown
from holdfast.decide.recovery import is_same_order
from holdfast.domain.errors import JournalBusy
from holdfast.domain.order import Order, OrderReport, OrderState
from holdfast.domain.sides import OrderType
from holdfast.services.concluding import conclude
from holdfast.services.halting import halt_account

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.domain.names import ClientOrderId
    from holdfast.services.context import Context
    from holdfast.services.fills import Fills
    from holdfast.services.knocks import Knocks
    from holdfast.services.publishing import Publisher
    from holdfast.services.sending import Sender


class Hearing:
    """Records what the stream tells of one account's orders."""

    def __init__(
        self, context: Context, sender: Sender, fills: Fills, publisher: Publisher, knocks: Knocks[ClientOrderId]
    ) -> None:
        self._context = context
        self._sender = sender
        self._fills = fills
        self._publisher = publisher
        self._knocks = knocks

    async def take(self, names: tuple[ClientOrderId, ...]) -> None:
        """Record what was told of these orders. Raises JournalBusy: then what is left is knocked for again."""
        left = list(names)
        try:
            while left:
                await self._take_one(left[0])
                left.pop(0)
        finally:
            for name in left:  # the journal was busy: their trades are still there, and so must the knock be
                self._knocks.knock(name)

    async def _take_one(self, name: ClientOrderId) -> None:
        trades = self._fills.take_late(name)
        report = self._fills.take_report(name) if name not in self._sender.in_flight else None
        try:
            if not trades and not await self._is_news(name, report):
                return
            concluded = await conclude(
                self._context, name, change=_told(report), trades=trades, entry_id="", why="told by the stream"
            )
        except JournalBusy:
            self._fills.keep_late(name, trades, report)
            raise
        if concluded is None:
            await self._halt(f"trade {trades[0].trade_id} is of order {name}, which the journal does not know")
        elif concluded.result is not None and concluded.is_first:
            self._publisher.publish(concluded.result, None)

    async def _is_news(self, name: ClientOrderId, report: OrderReport | None) -> bool:
        """Tell whether the stream's word alone changes what the journal knows of the order; if it knows it at all.

        Every own order is journaled before it leaves: one that the stream tells of and nobody knows is another's.
        """
        order = await self._context.journal.query(self._context.account, lambda reads: reads.order(name))
        if order is None:
            await self._halt(f"the exchange tells of order {name}, which the journal does not know")
            return False
        if report is None or not _is_heard(order, report):
            return False
        return report.state() is not order.state or report.executed_qty > order.executed_qty

    async def _halt(self, why: str) -> None:
        await halt_account(self._context.journal, self._context.account, self._context.log, why)
        self._context.wakes.alerts.knock("halt")


def _is_heard(order: Order, report: OrderReport) -> bool:
    return order.order_type is OrderType.LIMIT and not order.state.is_final and is_same_order(order, report)


def _told(report: OrderReport | None) -> Callable[[Order, int], Order]:
    """The change by what the stream said of an order, besides its trades.

    An order that was to be repeated, because the venue said that it had not executed it, is asked about if a trade was
    seen. What has ended stays as it is: a late trade of it is another matter (`services.late`).
    """

    def change(order: Order, now_ms: int) -> Order:
        if order.state.is_final:
            return order
        if report is not None and _is_heard(order, report):
            return adopt_report(order, report, now_ms)
        if order.state is OrderState.CLAIMED:
            return unknown(order, "not executed, it said, but a trade was seen", now_ms)
        return order

    return change
