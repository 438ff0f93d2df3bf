"""Which legs the reconciler judges next. A leg stands here because something about it changed, or its time has come.

    urgent   somebody knocked (a fill, a position, a look, a close), or an appointment has come: before everything else
    queued   found by looking around: in turn, a few a step, so that hundreds never stand between an urgent leg and its
             hold
    due      appointments: judge this leg no later than then

A quiet leg stands in none of the three and costs nothing, however many there are. `mark` and `is_past` tell whether
everything that stood here at one moment has been judged since: a stamp is written only then, so that it never
overtakes a drift. What could not be judged is put back with its old place in that order.

Bound: each leg stands at most once in each of the three, so there are never more than the account has legs. Not
asyncio's, no clock: times are handed in, CLOCK_MONOTONIC in nanoseconds.
"""

from __future__ import annotations

import heapq
from itertools import chain, islice
from operator import itemgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdfast.domain.sides import Leg

URGENT_MAX = 64
"""Urgent legs in one step."""
QUEUED_MAX = 16
"""Legs in one step, if some of them are only queued: bounds what an urgent one that comes just then waits for."""
QUEUED_MIN = 2
"""Queued legs in every step, however many are urgent: nothing waits for ever."""
STALE_TIMES_FACTOR = 4
"""Appointments that were moved stay in the heap until it is this many times longer than it need be."""


class Agenda:
    """See the module."""

    def __init__(self) -> None:
        self._number = 0
        self._urgent: dict[Leg, int] = {}
        self._queued: dict[Leg, int] = {}
        self._in_hand: dict[Leg, int] = {}
        self._due: dict[Leg, int] = {}
        self._times: list[tuple[int, int, Leg]] = []

    def urge(self, legs: Iterable[Leg]) -> None:
        """Judge these before all that are queued."""
        for leg in legs:
            number = self._queued.pop(leg, None)
            if leg not in self._urgent:
                self._urgent[leg] = self._next() if number is None else number

    def queue(self, legs: Iterable[Leg]) -> None:
        """Judge these in their turn."""
        for leg in legs:
            if leg not in self._urgent and leg not in self._queued:
                self._queued[leg] = self._next()

    def appoint(self, leg: Leg, due_ns: int) -> None:
        """Judge the leg no later than this; an earlier appointment stands. It is void once the leg is taken."""
        known = self._due.get(leg)
        if known is not None and known <= due_ns:
            return
        self._due[leg] = due_ns
        if len(self._times) > STALE_TIMES_FACTOR * (len(self._due) + URGENT_MAX):
            self._times = [(due, self._next(), each) for each, due in self._due.items() if each != leg]
            heapq.heapify(self._times)
        heapq.heappush(self._times, (due_ns, self._next(), leg))

    def take(self, now_ns: int) -> tuple[Leg, ...]:
        """Take the legs of one step, urgent ones first; `done` or `put_back` must follow."""
        self._come_due(now_ns)
        legs = list(islice(self._urgent, URGENT_MAX))
        legs += islice(self._queued, max(QUEUED_MAX - len(legs), QUEUED_MIN))
        return self._take(legs)

    def take_urgent(self) -> tuple[Leg, ...]:
        """Take all that is urgent, however much it is; `done` or `put_back` must follow."""
        return self._take(list(self._urgent))

    def _take(self, legs: list[Leg]) -> tuple[Leg, ...]:
        for leg in legs:
            urgent, queued = self._urgent.pop(leg, None), self._queued.pop(leg, None)
            self._in_hand[leg] = min(number for number in (urgent, queued) if number is not None)
            self._due.pop(leg, None)
        return tuple(legs)

    def done(self) -> None:
        """Everything that was taken has been judged."""
        self._in_hand.clear()

    def put_back(self) -> None:
        """Nothing of what was taken could be judged: it stands where it stood."""
        for leg in self._in_hand:
            self._queued.pop(leg, None)
        places = {**self._urgent, **self._in_hand}  # the older place counts
        self._urgent = dict(sorted(places.items(), key=itemgetter(1)))
        self._in_hand.clear()

    def mark(self) -> int:
        """Name this moment."""
        return self._number

    def is_past(self, mark: int) -> bool:
        """Tell whether all that stood here at that moment was taken since."""
        return all(number > mark for number in chain(self._urgent.values(), self._queued.values()))

    def wait_ns(self, now_ns: int) -> int | None:
        """How long nothing need be done; 0 if a leg waits, None if there is not even an appointment."""
        if self._urgent or self._queued:
            return 0
        while self._times and self._due.get(self._times[0][2]) != self._times[0][0]:
            heapq.heappop(self._times)  # it was moved, or the leg was judged meanwhile
        return max(self._times[0][0] - now_ns, 0) if self._times else None

    def _come_due(self, now_ns: int) -> None:
        while self._times and self._times[0][0] <= now_ns:
            due_ns, _, leg = heapq.heappop(self._times)
            if self._due.get(leg) == due_ns:
                self.urge((leg,))

    def _next(self) -> int:
        self._number += 1
        return self._number
