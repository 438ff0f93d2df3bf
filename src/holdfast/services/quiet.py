"""Which legs are quiet, and which are not though nobody knocked for them.

A leg is quiet once it was judged agreed without a hold; from then on it is judged again only if

    the venue shows another amount     compared in memory, only legs that a view names
    the journal says it is not at rest  a ledger that moved since its agreement, an open hold, an own order not settled
                                        (one query an account, whoever wrote it, another process included)
    complete views have become too old  then every leg, once
    somebody knocks for it              not decided here

Nothing was judged by this process before the first complete view came, or was overdue: then every leg is, the UNION of
what the exchange, the ledger and the allowlist name. So what a look around costs follows what is going on, not how many
legs there are.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from holdfast.decide.move import MoveKind
from holdfast.domain.sides import Leg, PositionMode, sides_of

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.services.context import Context
    from holdfast.services.judged import Judged
    from holdfast.services.picture import Picture


class Quiet:
    """The legs of one account, by whether anything is going on."""

    def __init__(self, context: Context, picture: Picture, mode: PositionMode) -> None:
        self._context = context
        self._picture = picture
        self._mode = mode
        self._quiet: dict[Leg, Decimal] = {}
        """Exchange amount by which the leg was judged agreed."""
        self._loud: set[Leg] = set()
        """Judged, and not quiet."""
        self._started_ns: int | None = None
        self._has_met_all = False
        self._was_stale = False

    def begin(self) -> None:
        """The account begins: from now on its first view may take its time."""
        self._started_ns = self._context.clock.monotonic_ns()

    @property
    def loud(self) -> int:
        """How many legs are not quiet."""
        return len(self._loud)

    @property
    def is_waiting(self) -> bool:
        """Tell whether the first complete view is still awaited, and not overdue: nothing is judged before it."""
        if self._has_met_all or self._picture.complete_read_ms is not None or self._started_ns is None:
            return False
        passed_ns = self._context.clock.monotonic_ns() - self._started_ns
        return 0 <= passed_ns <= self._context.limits.view_age_ms_max * 1_000_000

    def note(self, judged: Judged) -> None:
        """Remember how a leg was judged."""
        leg, amount = judged.facts.leg.ledger.leg, judged.verdict.exchange_amt
        if judged.move.kind in {MoveKind.NOTHING, MoveKind.AGREE} and amount is not None:
            self._quiet[leg] = amount
            self._loud.discard(leg)
        else:
            self._quiet.pop(leg, None)
            self._loud.add(leg)

    async def not_quiet(self) -> tuple[Leg, ...]:
        """Every leg that must be judged again. Raises JournalBusy."""
        if self.is_waiting:
            return ()
        is_stale = self._is_stale()
        if not self._has_met_all or (is_stale and not self._was_stale):
            found = await self._every_leg()
            self._has_met_all = True
        else:
            restless = await self._context.journal.query(self._context.account, lambda reads: reads.restless_legs())
            found = dict.fromkeys(chain(self._loud, self._shown_anew(), restless))
        self._was_stale = is_stale
        return tuple(sorted(found, key=Leg.sort_key))

    def _shown_anew(self) -> tuple[Leg, ...]:
        """Legs of which the venue shows another amount than the one that they were judged by."""
        found = []
        for leg in self._picture.known_legs():
            view, amount = self._picture.of(leg), self._quiet.get(leg)
            if view is not None and (amount is None or view.amt != amount):
                found.append(leg)
        return tuple(found)

    def _is_stale(self) -> bool:
        read_ms = self._picture.complete_read_ms
        if read_ms is None:
            return True
        return not 0 <= self._context.clock.now_ms() - read_ms <= self._context.limits.view_age_ms_max

    async def _every_leg(self) -> dict[Leg, None]:
        account = self._context.account
        states = await self._context.journal.query(account, lambda reads: reads.legs())
        legs = dict.fromkeys(self._picture.known_legs())
        legs.update(dict.fromkeys(state.leg for state in states))
        for symbol in sorted(self._context.limits.symbols):
            legs.update(dict.fromkeys(Leg(account, symbol, side) for side in sides_of(self._mode)))
        return legs
