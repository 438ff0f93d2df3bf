"""A venue in bad weather: its stream tells late, twice and out of order, and its reads show what was.

The order book itself is always right; only what is heard of it is not. What comes is drawn from lists, in turn, so that
a story can be played again. No word of the stream is lost for ever, and no read is older than `settle_ms_max`: that is
what the settings promise of a venue.
"""
# ruff: noqa: D102 - methods and arguments are those of the port

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from itertools import cycle
from typing import TYPE_CHECKING, Self

from holdfast.domain.names import ClientOrderId
from holdfast.domain.sides import Leg, OrderType, Source
from holdfast.domain.trade import TradePage
from holdfast.domain.view import AccountView, PositionView
from holdfast.lab.torture.loop import pass_ms
from holdfast.ports.venue import Accepted, OrderSeen, PositionsSeen, StreamAlive, StreamUp, TradeSeen, Unknown
from tests.unit.decide.samples import ACCOUNT, LIMITS, ZERO
from tests.unit.services.exchange import PRICE, Exchange

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal
    from types import TracebackType

    from holdfast.domain.names import Symbol, VenueOrderId
    from holdfast.domain.order import OrderReport
    from holdfast.domain.permit import Permit
    from holdfast.domain.sides import Side
    from holdfast.domain.trade import Trade
    from holdfast.lab.torture.clock import VirtualClock
    from holdfast.ports.venue import StreamEvent, SubmitOutcome, TradeCursor

PROBE_MS = 250
LATE_MS = 1_800
"""Inside recvWindow: the engine takes it still."""


@dataclass(frozen=True, slots=True)
class Weather:
    """How each next thing goes; every list is gone through again and again."""

    tells_after_ms: tuple[int, ...] = (1,)
    """One an event of the stream."""
    tells_again_after_ms: tuple[int, ...] = (0,)
    """One an event: 0, or how long after the first time it comes once more."""
    reads_take_ms: tuple[int, ...] = (1,)
    reads_lag_ms: tuple[int, ...] = (0,)
    """How old what a read shows is."""
    answers: tuple[str, ...] = ("full",)
    """One an order: full, part, lost (executed, no answer), late (no answer, executed `LATE_MS` later), never."""


@dataclass(slots=True)
class BadWeather(Exchange):
    """See the module."""

    weather: Weather = field(default_factory=Weather)
    states: list[tuple[int, dict[Leg, Decimal], dict[Leg, int]]] = field(default_factory=list)
    """What was held from when on."""
    _told: asyncio.Queue[tuple[StreamEvent, ...]] = field(default_factory=asyncio.Queue)
    _draws: dict[str, Iterator[int]] = field(default_factory=dict)
    _answers: Iterator[str] | None = None

    def _draw(self, name: str) -> int:
        if name not in self._draws:
            self._draws[name] = cycle(getattr(self.weather, name))
        return next(self._draws[name])

    # --- what happens

    def trade(self, leg: Leg, side: Side, qty: Decimal, name: str = "web_1") -> tuple[Trade, ...]:
        if not self.states:
            self._remember()
        self.stream_is_silent = True
        (trade,) = Exchange.trade(self, leg, side, qty, name)
        self._remember()
        report = self.orders[ClientOrderId(name)].report
        now = self.clock.now_ms()
        view = PositionView(leg, self.positions[leg], now, now, Source.STREAM)
        seen = replace(trade, client_order_id=ClientOrderId(name), source=Source.STREAM)
        self._tell(PositionsSeen((view,), "ORDER"))
        self._tell(TradeSeen(seen, report))
        return (trade,)

    def _remember(self) -> None:
        self.states.append((self.clock.now_ms(), dict(self.positions), dict(self.updated_ms)))

    def _tell(self, event: StreamEvent) -> None:
        after_ms, again_ms = self._draw("tells_after_ms"), self._draw("tells_again_after_ms")
        loop = asyncio.get_running_loop()
        for delay_ms in (after_ms, after_ms + again_ms) if again_ms else (after_ms,):
            loop.call_later(delay_ms / 1000, self._say, event)

    def _say(self, event: StreamEvent) -> None:
        if isinstance(event, PositionsSeen):
            now = self.clock.now_ms()
            event = replace(event, positions=tuple(replace(view, read_ms=now) for view in event.positions))
        self._told.put_nowait((event,))

    def _tell_order(self, report: OrderReport) -> None:
        self._tell(OrderSeen(report))

    # --- what is read

    async def _then(self) -> int:
        """Let a read take its time; the moment that it shows."""
        begun_ms, lag_ms = self.clock.now_ms(), self._draw("reads_lag_ms")
        await pass_ms(self._draw("reads_take_ms"))
        return begun_ms - lag_ms

    async def _view(self, symbol: Symbol | None) -> AccountView:
        read_ms = self.clock.now_ms()
        then_ms = await self._then()
        absent = read_ms - LIMITS.settle_ms_max
        held, updated = self._at(then_ms)
        found = {
            leg: PositionView(leg, amt, max(updated[leg], absent), read_ms, Source.REST, None, PRICE)
            for leg, amt in held.items()
            if amt != ZERO and symbol in {None, leg.symbol}
        }
        return AccountView(ACCOUNT, symbol, found, absent, read_ms, Source.REST)

    def _at(self, moment_ms: int) -> tuple[dict[Leg, Decimal], dict[Leg, int]]:
        found: tuple[dict[Leg, Decimal], dict[Leg, int]] = ({}, {})
        for since_ms, held, updated in self.states:
            if since_ms <= moment_ms or found == ({}, {}):
                found = (held, updated)
        return found

    async def trades(self, symbol: Symbol, cursor: TradeCursor) -> TradePage:
        then_ms = await self._then()
        page = await Exchange.trades(self, symbol, cursor)
        return TradePage(tuple(trade for trade in page.trades if trade.venue_ms <= then_ms), complete=True)

    async def order(self, symbol: Symbol, client_order_id: ClientOrderId) -> OrderReport | None:
        then_ms = await self._then()
        report = await Exchange.order(self, symbol, client_order_id)
        return report if report is not None and report.venue_ms <= then_ms else None

    async def order_by_number(self, symbol: Symbol, order_id: VenueOrderId) -> OrderReport | None:
        then_ms = await self._then()
        report = await Exchange.order_by_number(self, symbol, order_id)
        return report if report is not None and report.venue_ms <= then_ms else None

    # --- what is sent

    async def submit(self, permit: Permit) -> SubmitOutcome:
        self.requests.append(permit)
        if self._answers is None:
            self._answers = cycle(self.weather.answers)
        if permit.order_type is OrderType.LIMIT:
            await pass_ms(1)
            return Accepted(self.rest(permit))
        answer = next(self._answers)
        await pass_ms(1)
        if answer == "never":
            return Unknown("the request was lost")
        if answer == "late":
            asyncio.get_running_loop().call_later(LATE_MS / 1000, self.fill, permit)
            return Unknown("the request is on its way")
        part = permit.qty - 1 if answer == "part" and permit.qty > 1 else None
        report = self.fill(permit, part)
        await pass_ms(self._draw("reads_take_ms"))
        return Unknown("the answer was lost") if answer == "lost" else Accepted(report)

    def stream(self) -> Words:  # type: ignore[override]  # another stream than the scripted one
        return Words(self)


class Words:
    """The private stream: what is told, when it is told, and a sign of life now and then."""

    def __init__(self, venue: BadWeather) -> None:
        self._venue = venue

    async def __aenter__(self) -> Self:
        self._venue._told.put_nowait((StreamUp(self._venue.clock.now_ms()),))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def next_batch(self) -> tuple[StreamEvent, ...]:
        try:
            async with asyncio.timeout(PROBE_MS / 1000):
                return await self._venue._told.get()
        except TimeoutError:
            return (StreamAlive(self._venue.clock.now_ms()),)


def in_weather(weather: Weather, clock: VirtualClock) -> BadWeather:
    """A venue in this weather."""
    return BadWeather(clock, weather=weather)
