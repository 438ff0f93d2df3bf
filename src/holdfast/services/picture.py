"""What the venue showed of one account, merged by venue time. Memory only: a restart reads it anew.

Invariants: a leg's view is the newest by `newest`; a complete answer speaks for every leg, the absent ones
included; a gap in the stream takes the proof of life away at once and keeps the views (they stay true of their
time, and age).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from holdfast.decide.newest import newest

if TYPE_CHECKING:
    from holdfast.domain.names import ClientOrderId, Symbol, VenueOrderId
    from holdfast.domain.sides import Leg
    from holdfast.domain.view import AccountView, PositionView

ORDER_NAMES_MAX = 10_000
"""How many client ids of orders seen on the stream are remembered, to class trades without asking."""


class Picture:
    """The newest views of one account."""

    def __init__(self) -> None:
        self._views: dict[Leg, PositionView] = {}
        self._complete: AccountView | None = None
        self._order_names: OrderedDict[tuple[Symbol, VenueOrderId], ClientOrderId] = OrderedDict()
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

    def name_order(self, symbol: Symbol, order_id: VenueOrderId, name: ClientOrderId) -> None:
        """Remember an order's client id."""
        self._order_names[symbol, order_id] = name
        while len(self._order_names) > ORDER_NAMES_MAX:
            self._order_names.popitem(last=False)

    def order_name(self, symbol: Symbol, order_id: VenueOrderId) -> ClientOrderId | None:
        """An order's client id, if the stream showed it."""
        return self._order_names.get((symbol, order_id))

    def known_legs(self) -> tuple[Leg, ...]:
        """Every leg that any view named."""
        legs = dict.fromkeys(self._views)
        if self._complete is not None:
            legs.update(dict.fromkeys(self._complete.positions))
        return tuple(legs)
