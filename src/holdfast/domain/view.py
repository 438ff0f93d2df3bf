"""What the venue says is held, and the venue time from which on that was true.

`as_of_ms` is the one thing that makes views comparable (ADR 0002):

    stream event   its own `T`: the row was true at that match
    REST row       max(updateTime, request time - rest_lag_ms_max): a read may be stale by at most that lag
    REST, absent   request time - rest_lag_ms_max: a complete answer omits flat symbols, so absent is flat

A failed or partial answer is no view at all, never a flat one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.domain.amounts import ZERO
from holdfast.domain.errors import Unclassified

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from holdfast.domain.names import AccountId, Symbol
    from holdfast.domain.sides import Leg, Source


@dataclass(frozen=True, slots=True)
class PositionView:
    """One leg as the venue showed it."""

    leg: Leg
    amt: Decimal
    """Signed base asset: long positive, short negative, flat 0."""
    as_of_ms: int
    """Venue time (epoch ms) of an instant at which `amt` was true; see the module's table."""
    read_ms: int
    """Our clock (epoch ms) before the request, or at receipt of the stream event."""
    source: Source
    entry_price: Decimal | None = None
    mark_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class AccountView:
    """A complete answer: every symbol that is not named is flat.

    `symbol` is None for the whole account, else the answer is complete for that one symbol only.
    """

    account: AccountId
    symbol: Symbol | None
    positions: Mapping[Leg, PositionView]
    absent_as_of_ms: int
    """Venue time at which every absent leg was flat."""
    read_ms: int
    source: Source

    def of(self, leg: Leg) -> PositionView:
        """The leg's view: the row, or flat if the complete answer omits it.

        Raises Unclassified for a leg that the answer does not speak of: another account's, another symbol's.
        """
        row = self.positions.get(leg)
        if row is not None:
            return row
        if leg.account != self.account or self.symbol not in {None, leg.symbol}:
            raise Unclassified(f"an answer about {self.account} {self.symbol} says nothing of {leg.account} {leg.key}")
        return PositionView(leg, ZERO, self.absent_as_of_ms, self.read_ms, self.source)
