"""What the venue showed of one account, merged by venue time. Memory only: a restart reads it anew.

Invariants: a leg's view is the newest by `newest`; a complete answer speaks for every leg, the absent ones
included; a gap in the stream takes the proof of life away at once and keeps the views (they stay true of their
time, and age).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.decide.newest import newest

if TYPE_CHECKING:
    from holdfast.domain.names import ClientOrderId, Symbol, VenueOrderId
    from holdfast.domain.order import OrderReport
    from holdfast.domain.sides import Leg
    from holdfast.domain.trade import Trade
    from holdfast.domain.view import AccountView, PositionView
    from holdfast.ports.venue import TradeCursor

ORIGINS_MAX = 10_000
"""Of so many orders it is remembered whose they are, to class trades without asking."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose order it is."""

    client_order_id: ClientOrderId
    is_forced: bool
    """The venue placed it."""


@dataclass(frozen=True, slots=True)
class Trail:
    """Trades of a leg that one look could not read to their end."""

    cursor: TradeCursor
    """From where they were wanted."""
    trades: tuple[Trade, ...]
    """All from there up to the last of them, oldest first."""


class Picture:
    """The newest views of one account."""

    def __init__(self) -> None:
        self._views: dict[Leg, PositionView] = {}
        self._complete: AccountView | None = None
        self._origins: OrderedDict[tuple[Symbol, VenueOrderId], Origin] = OrderedDict()
        self._asked_in_vain: OrderedDict[tuple[Symbol, VenueOrderId], None] = OrderedDict()
        self.trails: dict[Leg, Trail] = {}
        """Where the next look goes on reading trades."""
        self.proved_ms: int | None = None
        """Our clock before the newest stream probe that was answered; None while the stream is down."""

    @property
    def complete_read_ms(self) -> int | None:
        """Our clock before the newest complete view's request."""
        return self._complete.read_ms if self._complete is not None else None

    def of(self, leg: Leg) -> PositionView | None:
        """The leg's newest view, or None before the first complete one."""
        view = self._views.get(leg)
        if self._complete is None:
            return view
        return newest(view, self._complete.of(leg))

    def see(self, view: PositionView) -> bool:
        """Merge one view; True if it counts from now on."""
        current = self.of(view.leg)
        winner = newest(current, view)
        if winner is not view:
            return False
        self._views[view.leg] = view
        return True

    def see_all(self, complete: AccountView) -> tuple[Leg, ...]:
        """Merge a complete answer; the legs that it speaks of, the known absent ones included."""
        touched = dict.fromkeys(complete.positions)
        for leg in list(self._views):
            if complete.symbol is None or leg.symbol == complete.symbol:
                touched[leg] = None
        for leg in touched:
            self.see(complete.of(leg))
        if complete.symbol is None:
            self._complete = complete  # one reader asks, one at a time: the last one is the newest, whatever clocks say
        return tuple(touched)

    def meet_order(self, report: OrderReport) -> None:
        """Remember whose order it is. What the venue once said that it placed itself stays so."""
        key = (report.symbol, report.order_id)
        known = self._origins.get(key)
        is_forced = report.is_forced or (known is not None and known.is_forced)
        self._origins[key] = Origin(report.client_order_id, is_forced)
        while len(self._origins) > ORIGINS_MAX:
            self._origins.popitem(last=False)

    def origin(self, symbol: Symbol, order_id: VenueOrderId) -> Origin | None:
        """Whose order it is, if stream or lookup showed it."""
        return self._origins.get((symbol, order_id))

    def ask_in_vain(self, symbol: Symbol, order_id: VenueOrderId) -> None:
        """Remember that the venue says of an order behind a trade that it does not exist."""
        self._asked_in_vain[symbol, order_id] = None
        while len(self._asked_in_vain) > ORIGINS_MAX:
            self._asked_in_vain.popitem(last=False)

    def is_asked_in_vain(self, symbol: Symbol, order_id: VenueOrderId) -> bool:
        """Tell whether the venue said so before."""
        return (symbol, order_id) in self._asked_in_vain

    def known_legs(self) -> tuple[Leg, ...]:
        """Every leg that any view named."""
        legs = dict.fromkeys(self._views)
        if self._complete is not None:
            legs.update(dict.fromkeys(self._complete.positions))
        return tuple(legs)
