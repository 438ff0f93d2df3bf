"""Orders without a proven end: asked about until they have one. Nothing here sends an order.

Found at a start: SENDING is UNKNOWN (this process never sent it), CLAIMED was never sent and is refused. Then, as
long as an order is UNKNOWN, open, or final with trades unbooked, it is asked about with growing waits; what the
answers prove is `decide.recovery`'s to say. What the stream tells of own orders is `hearing`'s to record.

A LIMIT order that rests is not asked about again and again: the stream tells of it. It is asked about when a reading of
open orders differs (`suspect`), or while the reconciler does not agree with its leg for longer than `DOUBT_MS`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from holdfast.decide.outcome import ended, not_accepted, refused, unknown, was_taken
from holdfast.decide.recovery import (
    Footprint,
    Lookup,
    Resolution,
    UnknownFacts,
    are_spaced,
    is_same_order,
    moved_by_others,
    resolve,
    window_end_ms,
)
from holdfast.domain.entry import EntryKind
from holdfast.domain.errors import JournalBusy, VenueUnavailable
from holdfast.domain.hold import HoldReason
from holdfast.domain.order import Order, OrderReport, OrderState
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Decision, OrderType
from holdfast.services.concluding import Concluded, conclude
from holdfast.services.hearing import Hearing
from holdfast.services.holding import Written, alert_person, hold_entry, put_persons_hold
from holdfast.services.looks import cursor_of
from holdfast.services.origins import ORDERS_ASKED_MAX
from holdfast.services.sending import adopting

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from holdfast.domain.close import Close
    from holdfast.domain.ledger import LedgerState
    from holdfast.domain.names import ClientOrderId, VenueOrderId
    from holdfast.domain.sides import Leg
    from holdfast.domain.trade import Trade
    from holdfast.ports.journal import Reads, Tx
    from holdfast.ports.venue import VenueTrader
    from holdfast.services.context import Context
    from holdfast.services.fills import Fills
    from holdfast.services.knocks import Knocks
    from holdfast.services.publishing import Publisher
    from holdfast.services.sending import Sender

LOOK_EVERY_MS = 250
"""The resolver looks over all open orders at least this often."""
ASKING_MAX = 32
"""Orders that are asked about at the same time; the others wait for the next look."""
ASK_WAITS_MS = (0, 50, 100, 250, 500, 1_000, 2_000, 5_000)
"""Waits before an order is asked about the first, second ... time; the last one repeats."""
DOUBT_MS = 250
"""A fill of a resting order lets its leg be without agreement for a moment; only longer than this is a doubt."""


@dataclass(slots=True)
class _Case:
    """What is remembered of one order while it is asked about."""

    asked: int = 0
    next_ns: int = 0
    absences_ms: list[int] = field(default_factory=list)


class Resolver:
    """Resolves the orders of one account."""

    def __init__(  # noqa: PLR0917 - the six parts that it joins
        self,
        context: Context,
        trader: VenueTrader,
        sender: Sender,
        fills: Fills,
        publisher: Publisher,
        knocks: Knocks[ClientOrderId],
    ) -> None:
        self._context = context
        self._trader = trader
        self._sender = sender
        self._publisher = publisher
        self._knocks = knocks
        self._hearing = Hearing(context, sender, fills, publisher, knocks)
        self._cases: dict[ClientOrderId, _Case] = {}
        self._suspects: set[ClientOrderId] = set()
        """Resting orders that are asked about until the venue has said how they stand."""
        self._doubted: dict[Leg, int] = {}
        """Legs with resting orders that the reconciler does not agree with: since when (monotonic, ns)."""
        self._held: set[ClientOrderId] = set()
        """Orders whose long UNKNOWN was made a hold by this process."""
        self._asking: dict[ClientOrderId, asyncio.Task[None]] = {}
        self._broken: BaseException | None = None
        """What nobody foresaw; raised by `run`, so that the supervisor hears of it."""

    async def take_over(self) -> None:
        """At a start: what an earlier process was sending is UNKNOWN now; what it only claimed was never sent."""
        for order in await self._live():
            if order.state is OrderState.SENDING:
                await self._conclude(
                    order, lambda each, now: unknown(each, "found SENDING at a start", now), (), "found at a start"
                )
            elif order.state is OrderState.CLAIMED:
                await self._conclude(order, _never_sent, (), "found at a start")

    def suspect(self, name: ClientOrderId) -> None:
        """Ask about a resting order: something else than the stream says that it changed."""
        self._suspects.add(name)
        self._knocks.knock(name)

    async def run(self) -> None:
        """Resolve until cancelled; raises what nobody foresaw."""
        try:
            while True:
                knocked = await self._knocks.take(LOOK_EVERY_MS)
                if self._broken is not None:
                    raise self._broken
                try:
                    await self._hearing.take(knocked)
                    for order in sorted(await self._live(), key=self._due_ns):
                        self._start(order)
                except JournalBusy as error:
                    self._context.log.warning("journal_busy", account=self._context.account, detail=str(error))
        finally:
            for task in self._asking.values():
                task.cancel()

    def _start(self, order: Order) -> None:
        """Look into an order beside all others: a venue that does not answer about one must not delay the next."""
        name = order.client_order_id
        if name in self._sender.in_flight or name in self._asking or len(self._asking) >= ASKING_MAX:
            return
        if self._rests_quietly(order):
            self._cases.pop(name, None)
            return
        if self._due_ns(order) > self._context.clock.monotonic_ns():
            return  # it may not take the place of one that is due
        task = asyncio.create_task(self._look_into(order), name=f"resolve {name}")
        self._asking[name] = task
        task.add_done_callback(lambda ended: self._looked_into(name, ended))

    def _rests_quietly(self, order: Order) -> bool:
        if not order.rests or order.client_order_id in self._suspects or order.executed_qty > order.booked_qty:
            return False
        since_ns = self._doubted.get(order.leg)
        return since_ns is None or self._context.clock.monotonic_ns() - since_ns < DOUBT_MS * 1_000_000

    def _due_ns(self, order: Order) -> int:
        case = self._cases.get(order.client_order_id)
        return case.next_ns if case is not None else 0

    async def _look_into(self, order: Order) -> None:
        await self._ask(await self._not_sending(order))
        await self._hold_if_overdue(order)

    def _looked_into(self, name: ClientOrderId, task: asyncio.Task[None]) -> None:
        self._asking.pop(name, None)
        error = task.exception() if not task.cancelled() else None
        if isinstance(error, VenueUnavailable | JournalBusy):
            self._context.log.warning("resolving_waits", account=self._context.account, detail=str(error))
        elif error is not None:
            self._broken = error
            self._knocks.knock(name)

    async def _not_sending(self, order: Order) -> Order:
        """An order that stands SENDING while nobody here sends it lost its answer: it is UNKNOWN.

        One that stands CLAIMED while nobody here will repeat it was not executed, and ends so.
        """
        if order.state is OrderState.CLAIMED:
            concluded = await self._conclude(order, _never_sent, (), "nobody will send it again")
            return concluded.order if concluded is not None else order
        if order.state is not OrderState.SENDING:
            return order

        def unanswered(each: Order, now_ms: int) -> Order:
            # Read again: its answer may have been recorded since it was seen SENDING.
            return unknown(each, "its answer was not recorded", now_ms) if each.state is OrderState.SENDING else each

        concluded = await self._conclude(order, unanswered, (), "nobody is sending it")
        return concluded.order if concluded is not None else order

    async def _live(self) -> tuple[Order, ...]:
        context = self._context
        orders, doubted = await context.journal.query(context.account, _live_and_doubted)
        now_ns = context.clock.monotonic_ns()
        self._doubted = {leg: self._doubted.get(leg, now_ns) for leg in doubted}
        unknown_count = sum(order.state is OrderState.UNKNOWN for order in orders)
        context.metrics.orders_unknown(context.account, unknown_count)
        alive = {order.client_order_id for order in orders}
        self._held &= alive
        self._suspects &= alive
        self._cases = {name: case for name, case in self._cases.items() if name in alive}
        return orders

    async def _ask(self, order: Order) -> None:
        case = self._cases.setdefault(order.client_order_id, _Case())
        now_ns = self._context.clock.monotonic_ns()
        if now_ns < case.next_ns or order.state in {OrderState.SENDING, OrderState.CLAIMED}:
            return
        wait_ms = ASK_WAITS_MS[min(case.asked + 1, len(ASK_WAITS_MS) - 1)]
        case.asked += 1
        case.next_ns = now_ns + wait_ms * 1_000_000
        lookup, report = await self._look_up(order)
        if report is not None:
            await self._adopt(order, report)
            self._suspects.discard(order.client_order_id)
        elif order.state is OrderState.UNKNOWN or order.rests:
            await self._weigh(order, case, lookup)

    async def _hold_if_overdue(self, order: Order) -> None:
        """An order that stays UNKNOWN longer than `unknown_ms_max` is held for a person.

        So is a MARKET order that the venue took and does not end: its symbol can't trade meanwhile.
        """
        context = self._context
        if not _lasts(order) or order.client_order_id in self._held:
            return
        # What rested may be days old: it counts from when it was missed.
        since_ms = order.updated_ms if order.order_type is OrderType.LIMIT and was_taken(order) else order.created_ms
        if 0 <= context.clock.now_ms() - since_ms <= context.limits.unknown_ms_max:
            return  # an age below 0 is that of a clock that was set back: nobody knows how old it is
        text = f"nobody knows what became of order {order.client_order_id}; `holdfast resolve` ends it"
        out = Written([], [])

        def write(tx: Tx, _choice: None, current: Order | None) -> None:
            out.entries.clear()
            if current is not None and _lasts(current):
                hold = put_persons_hold(tx, order.leg, HoldReason.UNKNOWN_ORDER, text)
                out.entries.append(hold_entry(tx, hold, EntryKind.HOLD_SET))
                alert_person(tx, hold, text, out)

        name = order.client_order_id
        await context.transact(read=lambda reads: reads.order(name), decide=lambda _: None, write=write)
        self._held.add(name)
        context.emit(out.entries)
        context.hold_changed(order.leg.symbol)
        context.wakes.alerts.knock("unknown order")

    async def _look_up(self, order: Order) -> tuple[Lookup, OrderReport | None]:
        try:
            report = await self._trader.order(order.leg.symbol, order.client_order_id)
        except VenueUnavailable:
            return Lookup.FAILED, None
        if report is None:
            return Lookup.NOT_THERE, None
        if not is_same_order(order, report):
            self._context.log.error(
                "order_differs",
                account=order.leg.account,
                symbol=order.leg.symbol,
                client_order_id=order.client_order_id,
                plan_id=order.plan_id,
                hold_id=order.hold_id,
                order_id=report.order_id,
            )
            return Lookup.FAILED, None
        return Lookup.FOUND, report

    async def _adopt(self, order: Order, report: OrderReport) -> None:
        trades: tuple[Trade, ...] = ()
        if report.executed_qty > order.booked_qty:
            trades = await self._sender.ask_trades(order.leg.symbol, report)
        await self._conclude(order, adopting(report), trades, "asked for")

    async def _weigh(self, order: Order, case: _Case, lookup: Lookup) -> None:
        venue_now_ms = self._trader.venue_now_ms()
        if lookup is Lookup.NOT_THERE:
            case.absences_ms.append(venue_now_ms)
            del case.absences_ms[:-100]
        past = venue_now_ms > window_end_ms(order, self._context.limits)
        footprint = await self._footprint(order) if past and lookup is Lookup.NOT_THERE else Footprint.NOT_READ
        facts = UnknownFacts(
            order=order,
            limits=self._context.limits,
            venue_now_ms=venue_now_ms,
            lookup=lookup,
            report=None,
            absences_ms=tuple(case.absences_ms),
            footprint=footprint,
        )
        match resolve(facts):
            case Resolution.NOT_ACCEPTED:
                await self._conclude(order, not_accepted, (), "proven by absence")
            case Resolution.ENDED:
                await self._conclude(order, _forgotten, (), "the venue has forgotten it, and nothing shows more of it")
            case _ if order.rests and are_spaced(case.absences_ms):
                await self._conclude(order, _vanished, (), "it rested, and does not exist now")

    async def _footprint(self, order: Order) -> Footprint:
        """Whether trades or the position show the order, read complete after its window."""
        context = self._context
        ledger, close, cursor = await context.journal.query(
            context.account,
            lambda reads: (reads.leg(order.leg), reads.close(order.plan_id), cursor_of(reads, order.leg)),
        )
        try:
            page = await self._trader.trades(order.leg.symbol, cursor)
            view = await self._trader.symbol_view(order.leg.symbol)
            numbers = tuple(dict.fromkeys(trade.order_id for trade in page.trades))
            others = await context.journal.query(context.account, lambda reads: _others(reads, order, numbers))
            booked = await context.journal.query(
                context.account,
                lambda reads: reads.booked_trade_ids(order.leg.symbol, cursor.after_trade_id, cursor.from_ms),
            )
            asked = [number for number in numbers if number not in others and number != order.venue_order_id]
            if len(asked) > ORDERS_ASKED_MAX:
                return Footprint.NOT_READ
            if any(trade.trade_id not in booked for trade in page.trades if trade.order_id == order.venue_order_id):
                return Footprint.TRADE
            for number in asked:
                report = await self._trader.order_by_number(order.leg.symbol, number)
                if report is None or report.client_order_id == order.client_order_id:
                    return Footprint.TRADE
        except VenueUnavailable:
            return Footprint.NOT_READ
        if not page.complete:
            return Footprint.NOT_READ
        held = view.of(order.leg).amt
        ours = [trade for trade in page.trades if trade.leg_of(context.account) == order.leg]
        by_others = moved_by_others((trade for trade in ours if trade.venue_ms > ledger.watermark_ms), others)
        since = moved_by_others((trade for trade in ours if trade.venue_ms > order.timestamp_ms), others)
        before = _position_before(order, ledger, close)
        # The last one: what was there before the baseline has no trades, so that only a close's own look knows it.
        fitting = (before, ledger.amt + by_others, before + since)
        return Footprint.NONE if held in fitting else Footprint.MOVED

    async def _conclude(
        self, order: Order, change: Callable[[Order, int], Order], trades: tuple[Trade, ...], why: str
    ) -> Concluded | None:
        concluded = await conclude(
            self._context, order.client_order_id, change=change, trades=trades, entry_id="", why=why
        )
        if concluded is not None and concluded.result is not None and concluded.is_first:
            self._publisher.publish(concluded.result, None)
        return concluded


def _others(reads: Reads, order: Order, numbers: tuple[VenueOrderId, ...]) -> dict[VenueOrderId, Order]:
    """Which of the venue's orders are other orders of ours: those need not be asked for."""
    found = {number: reads.order_by_number(order.leg.symbol, number) for number in numbers}
    return {n: each for n, each in found.items() if each and each.client_order_id != order.client_order_id}


def _position_before(order: Order, ledger: LedgerState, close: Close | None) -> Decimal:
    """What the position was when the order was permitted: the agreed ledger, or what the close was planned on."""
    if order.decision is Decision.EXECUTE or close is None:
        return ledger.amt
    return close.exchange_amt


def _lasts(order: Order) -> bool:
    """Tell whether the order, once it is old, should have ended: every MARKET order does at once."""
    is_taken = order.state is OrderState.OPEN and order.order_type is OrderType.MARKET
    return order.state is OrderState.UNKNOWN or is_taken


def _vanished(order: Order, now_ms: int) -> Order:
    return unknown(order, "it rested, and does not exist now", now_ms) if order.rests else order


def _forgotten(order: Order, now_ms: int) -> Order:
    return ended(order, "the exchange does not know it any more", now_ms)


def _never_sent(order: Order, now_ms: int) -> Order:
    if order.state is OrderState.CLAIMED:
        return refused(order, Reason.VENUE_UNAVAILABLE, "not executed, and not sent again", now_ms)
    return order


def _live_and_doubted(reads: Reads) -> tuple[tuple[Order, ...], frozenset[Leg]]:
    """Orders that are not settled, and the legs of resting ones that the reconciler does not agree with."""
    orders = reads.live_orders(None)
    legs = {order.leg for order in orders if order.rests}
    return orders, frozenset(leg for leg in legs if not reads.leg(leg).is_agreed)
