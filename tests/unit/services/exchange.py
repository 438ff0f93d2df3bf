"""A venue of one account, written by hand: it fills every MARKET order, unless a story has other plans."""
# ruff: noqa: D102, ARG002 - methods and arguments are those of the port; waiting takes no time

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from holdfast.domain.errors import VenueUnavailable
from holdfast.domain.names import ClientOrderId, Symbol, TradeId, VenueOrderId
from holdfast.domain.order import OrderReport, VenueOrderStatus
from holdfast.domain.sides import Leg, OrderType, PositionMode, Side, Source
from holdfast.domain.trade import Trade, TradePage
from holdfast.domain.view import AccountView, PositionView
from holdfast.lab.torture.loop import pass_ms
from holdfast.ports.venue import Accepted, Cancelled, NothingToCancel
from tests.unit.decide.samples import ACCOUNT, INSTRUMENT, ZERO, D

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from decimal import Decimal
    from types import TracebackType

    from holdfast.domain.instrument import Instrument
    from holdfast.domain.permit import Permit
    from holdfast.lab.torture.clock import VirtualClock
    from holdfast.ports.venue import CancelOutcome, StreamEvent, SubmitOutcome, TradeCursor


PRICE = D(10)
"""Every trade's price and mark price."""


@dataclass(slots=True)
class Book:
    """An order at the exchange."""

    report: OrderReport
    leg: Leg


@dataclass(slots=True)
class Exchange:
    """A venue of one account: every MARKET order fills at once, unless the story has a script for the next ones."""

    clock: VirtualClock
    positions: dict[Leg, Decimal] = field(default_factory=dict)
    updated_ms: dict[Leg, int] = field(default_factory=dict)
    trade_list: list[Trade] = field(default_factory=list)
    orders: dict[ClientOrderId, Book] = field(default_factory=dict)
    """By client id: a constant one of the venue's own names its newest order."""
    numbered: dict[VenueOrderId, Book] = field(default_factory=dict)
    requests: list[Permit] = field(default_factory=list)
    """Every request that reached it, scripted ones included."""
    scripts: deque[Callable[[Permit], Awaitable[SubmitOutcome]]] = field(default_factory=deque)
    on_trade: list[Callable[[Trade, OrderReport], None]] = field(default_factory=list)
    on_order: list[Callable[[OrderReport], None]] = field(default_factory=list)
    """The private stream."""
    cancels: list[ClientOrderId] = field(default_factory=list)
    """Every cancel that reached it."""
    cancel_scripts: deque[Callable[[ClientOrderId], Awaitable[CancelOutcome]]] = field(default_factory=deque)
    stream_is_silent: bool = False
    reads_fail: bool = False
    book_fails: bool = False
    """The order book alone does not answer."""
    book_reads: int = 0
    before_book: Callable[[], Awaitable[None]] | None = None
    """Run once, while the order book is being read."""
    status: str = "TRADING"
    """Of every symbol."""
    trades_a_look: int | None = None
    """How many trades one reading gives at most."""
    forced_reads: int = 0
    unknown_orders: set[VenueOrderId] = field(default_factory=set)
    """Orders that a lookup by number says do not exist."""
    trades_are_hidden: bool = False
    """Whether `userTrades` shows none."""
    lookups: int = 0
    mode: PositionMode = PositionMode.ONE_WAY
    mode_reads: int = 0
    before_view: Callable[[], Awaitable[None]] | None = None
    """Run once, while a position is being read."""
    lag_ms: int = 0
    """How long before its reading a position is known to have been true."""
    _numbers: int = 1_000
    stream_events: deque[tuple[StreamEvent, ...]] = field(default_factory=deque)

    # --- what others do there

    def trade(self, leg: Leg, side: Side, qty: Decimal, name: str = "web_1") -> tuple[Trade, ...]:
        """An order of anybody, filled at once."""
        self._numbers += 1
        number = VenueOrderId(self._numbers)
        now = self.clock.now_ms()
        self.positions[leg] = self.positions.get(leg, ZERO) + qty * side.sign
        self.updated_ms[leg] = now
        trade = Trade(
            symbol=leg.symbol,
            trade_id=TradeId(5_000 + len(self.trade_list)),
            order_id=number,
            client_order_id=None,
            side=side,
            position_side=leg.position_side,
            qty=qty,
            price=PRICE,
            venue_ms=now,
            source=Source.REST,
        )
        self.trade_list.append(trade)
        report = OrderReport(
            symbol=leg.symbol,
            client_order_id=ClientOrderId(name),
            order_id=number,
            side=side,
            position_side=leg.position_side,
            status=VenueOrderStatus.FILLED,
            qty=qty,
            executed_qty=qty,
            avg_price=PRICE,
            reduce_only=False,
            venue_ms=now,
        )
        self.orders[ClientOrderId(name)] = self.numbered[number] = Book(report, leg)
        if not self.stream_is_silent:
            for hear in self.on_trade:
                hear(replace(trade, client_order_id=ClientOrderId(name), source=Source.STREAM), report)
        return (trade,)

    def fill(self, permit: Permit, qty: Decimal | None = None) -> OrderReport:
        """The order that the permit names, executed (in part), whether or not anybody hears the answer."""
        self.trade(permit.leg, permit.side, permit.qty if qty is None else qty, permit.client_order_id)
        book = self.orders[permit.client_order_id]
        if qty is not None and qty != permit.qty:
            book.report = replace(book.report, qty=permit.qty, status=VenueOrderStatus.EXPIRED)
        return book.report

    def rest(self, permit: Permit) -> OrderReport:
        """The order that the permit names, taken into the book."""
        self._numbers += 1
        report = OrderReport(
            symbol=permit.leg.symbol,
            client_order_id=permit.client_order_id,
            order_id=VenueOrderId(self._numbers),
            side=permit.side,
            position_side=permit.leg.position_side,
            status=VenueOrderStatus.NEW,
            qty=permit.qty,
            executed_qty=ZERO,
            avg_price=None,
            reduce_only=permit.reduce_only,
            venue_ms=self.clock.now_ms(),
        )
        self.orders[permit.client_order_id] = Book(report, permit.leg)
        self._tell_order(report)
        return report

    def place(self, leg: Leg, side: Side, qty: Decimal, name: str = "web_1", price: Decimal = PRICE) -> OrderReport:
        """An order of anybody's, taken into the book."""
        self._numbers += 1
        report = OrderReport(
            symbol=leg.symbol,
            client_order_id=ClientOrderId(name),
            order_id=VenueOrderId(self._numbers),
            side=side,
            position_side=leg.position_side,
            status=VenueOrderStatus.NEW,
            qty=qty,
            executed_qty=ZERO,
            avg_price=None,
            reduce_only=False,
            venue_ms=self.clock.now_ms(),
            price=price,
        )
        self.orders[report.client_order_id] = Book(report, leg)
        self._tell_order(report)
        return report

    def reach(self, name: ClientOrderId, qty: Decimal) -> None:
        """The market reaches a resting order: so much of it is filled."""
        book = self.orders[name]
        executed = book.report.executed_qty + qty
        status = VenueOrderStatus.FILLED if executed >= book.report.qty else VenueOrderStatus.PARTIALLY_FILLED
        silent, self.stream_is_silent = self.stream_is_silent, True
        self.trade(book.leg, book.report.side, qty, f"{name}-filling")
        self.stream_is_silent = silent
        del self.orders[ClientOrderId(f"{name}-filling")]
        trade = replace(self.trade_list[-1], order_id=book.report.order_id)
        self.trade_list[-1] = trade
        now = self.clock.now_ms()
        book.report = replace(book.report, status=status, executed_qty=executed, avg_price=PRICE, venue_ms=now)
        if not silent:
            for hear in self.on_trade:
                hear(replace(trade, client_order_id=name, source=Source.STREAM), book.report)

    def end(self, name: ClientOrderId, status: VenueOrderStatus) -> OrderReport:
        """A resting order ends."""
        book = self.orders[name]
        book.report = replace(book.report, status=status, venue_ms=self.clock.now_ms())
        self._tell_order(book.report)
        return book.report

    def _tell_order(self, report: OrderReport) -> None:
        if not self.stream_is_silent:
            for hear in self.on_order:
                hear(report)

    # --- VenueTrader

    async def submit(self, permit: Permit) -> SubmitOutcome:
        self.requests.append(permit)
        await pass_ms(1)
        if self.scripts:
            return await self.scripts.popleft()(permit)
        if permit.order_type is OrderType.LIMIT:
            return Accepted(self.rest(permit))
        return Accepted(self.fill(permit))

    async def cancel(self, symbol: Symbol, client_order_id: ClientOrderId) -> CancelOutcome:
        self.cancels.append(client_order_id)
        await pass_ms(1)
        if self.cancel_scripts:
            return await self.cancel_scripts.popleft()(client_order_id)
        book = self.orders.get(client_order_id)
        if book is None or book.report.status.is_final:
            return NothingToCancel("-2011")
        return Cancelled(self.end(client_order_id, VenueOrderStatus.CANCELED))

    async def sync_clock(self) -> int:
        return 0

    def venue_now_ms(self) -> int:
        return self.clock.now_ms()

    async def instruments(self) -> Mapping[Symbol, Instrument]:
        return {INSTRUMENT.symbol: replace(INSTRUMENT, status=self.status)}

    async def mark_prices(self) -> Mapping[Symbol, Decimal]:
        return {INSTRUMENT.symbol: PRICE}

    async def position_mode(self) -> PositionMode:
        self.mode_reads += 1
        self._answer()
        return self.mode

    async def account_view(self) -> AccountView:
        return await self._view(None)

    async def symbol_view(self, symbol: Symbol) -> AccountView:
        return await self._view(symbol)

    async def _view(self, symbol: Symbol | None) -> AccountView:
        read_ms = self.clock.now_ms()
        meanwhile, self.before_view = self.before_view, None
        if meanwhile is not None:
            await meanwhile()
        await pass_ms(1)
        self._answer()
        absent = read_ms - self.lag_ms
        found = {
            leg: PositionView(leg, amt, max(self.updated_ms[leg], absent), read_ms, Source.REST, None, PRICE)
            for leg, amt in self.positions.items()
            if amt != ZERO and symbol in {None, leg.symbol}
        }
        return AccountView(ACCOUNT, symbol, found, absent, read_ms, Source.REST)

    async def trades(self, symbol: Symbol, cursor: TradeCursor) -> TradePage:
        await pass_ms(1)
        self._answer()
        found = [
            t
            for t in self.trade_list
            if t.symbol == symbol
            and not self.trades_are_hidden
            and (t.trade_id > cursor.after_trade_id if cursor.after_trade_id else t.venue_ms >= cursor.from_ms)
        ]
        is_cut = self.trades_a_look is not None and len(found) > self.trades_a_look
        return TradePage(tuple(found[: self.trades_a_look]), complete=not is_cut, goes_on=is_cut)

    async def order(self, symbol: Symbol, client_order_id: ClientOrderId) -> OrderReport | None:
        self.lookups += 1
        await pass_ms(1)
        self._answer()
        book = self.orders.get(client_order_id)
        return book.report if book is not None else None

    async def order_by_number(self, symbol: Symbol, order_id: VenueOrderId) -> OrderReport | None:
        await pass_ms(1)
        self._answer()
        self.lookups += 1
        book = self.numbered.get(order_id) if order_id not in self.unknown_orders else None
        return book.report if book is not None else None

    async def forced_orders(self, symbol: Symbol) -> tuple[OrderReport, ...]:
        self.forced_reads += 1
        return tuple(b.report for b in self.numbered.values() if b.report.is_forced and b.leg.symbol == symbol)

    async def open_orders(self, symbol: Symbol | None) -> tuple[OrderReport, ...]:
        self.book_reads += 1
        meanwhile, self.before_book = self.before_book, None
        if meanwhile is not None:
            await meanwhile()
        if self.book_fails:
            raise VenueUnavailable("the story wants it so")
        self._answer()
        return tuple(b.report for b in self.orders.values() if not b.report.status.is_final)

    def _answer(self) -> None:
        if self.reads_fail:
            raise VenueUnavailable("the story wants it so")

    def stream(self) -> ScriptedStream:
        return ScriptedStream(self)

    async def close(self) -> None: ...


class ScriptedStream:
    """The private stream: what the story puts into `stream_events`, batch by batch."""

    def __init__(self, venue: Exchange) -> None:
        self._venue = venue

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def next_batch(self) -> tuple[StreamEvent, ...]:
        while not self._venue.stream_events:
            await pass_ms(5)
        return self._venue.stream_events.popleft()
