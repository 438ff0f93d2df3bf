"""Ending own orders that rest: why is `decide.cancelling`'s to say; here it is journaled, asked for, and recorded.

The wish is journaled before the first request leaves, and stands until the order is final: a crash forgets nothing. A
cancel may be asked for again and again, it is the same each time; so an answer that was lost is asked about and, while
the order still rests, the cancel is repeated with growing waits. What ended the order (the cancel, a fill that came
first) is what the venue says of it in the end, never what the request said.

One order is worked on once at a time, whoever asks (a look, a close that needs the position).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from holdfast.decide.cancelling import CancelFacts, why_to_cancel
from holdfast.decide.recovery import is_same_order
from holdfast.domain.amounts import format_amount
from holdfast.domain.entry import Entry, EntryKind
from holdfast.domain.errors import JournalBusy, VenueUnavailable
from holdfast.domain.order import CancelAsked, Order
from holdfast.ports.venue import Cancelled, NothingToCancel
from holdfast.services.concluding import conclude
from holdfast.services.sending import adopting

if TYPE_CHECKING:
    from holdfast.domain.entry import JournaledEntry
    from holdfast.domain.names import ClientOrderId
    from holdfast.domain.order import OrderReport
    from holdfast.domain.sides import Leg
    from holdfast.domain.trade import Trade
    from holdfast.ports.journal import Reads, Tx
    from holdfast.ports.venue import VenueTrader
    from holdfast.services.context import Context
    from holdfast.services.publishing import Publisher
    from holdfast.services.sending import Sender

LOOK_EVERY_MS = 250
"""Resting orders are looked over at least this often; a change of a hold or a close is looked at at once."""
CANCELLING_MAX = 16
"""Cancels under way at once."""
AGAIN_WAITS_MS = (0, 100, 250, 500, 1_000, 2_000, 5_000)
"""Waits before the first, second ... request for one order; the last one repeats."""


@dataclass(slots=True)
class _Try:
    """What is remembered of one order that is being cancelled."""

    tries: int = 0
    next_ns: int = 0


class Canceller:
    """Cancels resting orders of one account."""

    def __init__(self, context: Context, trader: VenueTrader, sender: Sender, publisher: Publisher) -> None:
        self._context = context
        self._trader = trader
        self._sender = sender
        self._publisher = publisher
        self._tries: dict[ClientOrderId, _Try] = {}
        self._under_way: dict[ClientOrderId, asyncio.Task[None]] = {}
        self._broken: BaseException | None = None
        """What nobody foresaw; raised by `run`, so that the supervisor hears of it."""

    async def run(self) -> None:
        """Look over resting orders until cancelled; raises what nobody foresaw."""
        try:
            while True:
                await self._context.wakes.cancels.take(LOOK_EVERY_MS)
                if self._broken is not None:
                    raise self._broken
                try:
                    await self._look()
                except JournalBusy as error:
                    self._context.log.warning("journal_busy", account=self._context.account, detail=str(error))
        finally:
            for task in self._under_way.values():
                task.cancel()

    async def end_leg(self, leg: Leg, why: str) -> None:
        """Cancel what rests on the leg, and wait until each was tried once; what still rests then, still rests."""
        orders = await self._context.journal.query(
            self._context.account, lambda reads: [o for o in reads.live_orders(leg.symbol) if o.rests and o.leg == leg]
        )
        tasks = [self._start(order, why) for order in orders]
        if tasks:
            await asyncio.wait(tasks)

    async def _look(self) -> None:
        found = await self._context.journal.query(self._context.account, _wanted)
        wanted = {order.client_order_id for order, _ in found}
        self._tries = {name: each for name, each in self._tries.items() if name in wanted}
        now_ns = self._context.clock.monotonic_ns()
        for order, why in found:
            known = self._tries.get(order.client_order_id)
            is_due = known is None or known.next_ns <= now_ns
            if is_due and len(self._under_way) < CANCELLING_MAX:
                self._start(order, why)

    def _start(self, order: Order, why: str) -> asyncio.Task[None]:
        name = order.client_order_id
        task = self._under_way.get(name)
        if task is None:
            task = asyncio.create_task(self._end(order, why), name=f"cancel {name}")
            self._under_way[name] = task
            task.add_done_callback(lambda ended: self._ended(name, ended))
        return task

    def _ended(self, name: ClientOrderId, task: asyncio.Task[None]) -> None:
        self._under_way.pop(name, None)
        error = task.exception() if not task.cancelled() else None
        if isinstance(error, VenueUnavailable | JournalBusy):
            self._context.log.warning("cancel_waits", account=self._context.account, detail=str(error))
        elif error is not None:
            self._broken = error
        self._context.wakes.cancels.knock(name)

    async def _end(self, order: Order, why: str) -> None:
        name = order.client_order_id
        known = self._tries.setdefault(name, _Try())
        known.tries += 1
        wait_ms = AGAIN_WAITS_MS[min(known.tries, len(AGAIN_WAITS_MS) - 1)]
        known.next_ns = self._context.clock.monotonic_ns() + wait_ms * 1_000_000
        if not await self._ask_for_it(name, why):
            return
        self._context.live_fence()
        outcome = await self._trader.cancel(order.leg.symbol, name)
        if isinstance(outcome, Cancelled):
            await self._adopt(order, outcome.report, "cancelled")
            return
        self._context.log.warning("not_cancelled", client_order_id=name, detail=outcome.text)
        report = await self._trader.order(order.leg.symbol, name)
        if report is not None and (report.status.is_final or not isinstance(outcome, NothingToCancel)):
            await self._adopt(order, report, "asked for after a cancel")

    async def _ask_for_it(self, name: ClientOrderId, why: str) -> bool:
        """Journal the wish, unless it stands; False if the order does not rest any more."""
        written: list[JournaledEntry] = []

        def write(tx: Tx, _choice: None, order: Order | None) -> None:
            written.clear()
            if order is None or not order.rests or order.cancel is not None:
                return
            asked = replace(order, cancel=CancelAsked(tx.now_ms(), why))
            tx.put_order(asked)
            holds = [hold for hold in tx.open_holds(asked.leg.symbol) if hold.leg == asked.leg]
            line = cancel_entry(asked, why)
            written.append(tx.append(replace(line, hold_id=holds[0].hold_id if holds else None)))

        found: list[Order | None] = []

        def read(reads: Reads) -> Order | None:
            found[:] = [reads.order(name)]
            return found[0]

        await self._context.transact(read=read, decide=lambda _: None, write=write)
        self._context.emit(written)
        return found[0] is not None and found[0].rests

    async def _adopt(self, order: Order, report: OrderReport, why: str) -> None:
        if not is_same_order(order, report):
            self._context.log.error("order_differs", client_order_id=order.client_order_id, order_id=report.order_id)
            return
        trades: tuple[Trade, ...] = ()
        if report.executed_qty > order.booked_qty:
            trades = await self._sender.ask_trades(order.leg.symbol, report)
        concluded = await conclude(
            self._context, order.client_order_id, change=adopting(report), trades=trades, entry_id="", why=why
        )
        if concluded is not None and concluded.result is not None and concluded.is_first:
            self._publisher.publish(concluded.result, None)


def _wanted(reads: Reads) -> list[tuple[Order, str]]:
    """Resting orders that must end, and why."""
    resting = [order for order in reads.live_orders(None) if order.rests]
    if not resting:
        return []
    trading, found = reads.account().trading_state, []
    holds = reads.open_holds(None)
    for order in resting:
        of_symbol = tuple(hold for hold in holds if hold.leg.symbol == order.leg.symbol)
        why = why_to_cancel(CancelFacts(order, of_symbol, reads.unfinished_close(order.leg), trading))
        if why is not None:
            found.append((order, why))
    return found


def cancel_entry(order: Order, why: str) -> Entry:
    """The journal's line about a wish that a resting order end."""
    return Entry(
        EntryKind.CANCEL_ASKED,
        order.leg.account,
        symbol=order.leg.symbol,
        plan_id=order.plan_id,
        body={
            "client_order_id": order.client_order_id,
            "position_side": order.leg.position_side.value,
            "side": order.side.value,
            "qty": format_amount(order.qty),
            "booked_qty": format_amount(order.booked_qty),
            "why": why,
        },
    )
