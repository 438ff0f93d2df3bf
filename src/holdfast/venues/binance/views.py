"""Rows of positionRisk v3 to an AccountView, pure: what is held, and the venue time at which that was true.

    row      as_of = max(updateTime, request - lag)    a read may lag behind the engine by at most `lag`
    absent   as_of = request - lag                     a complete answer leaves flat symbols out
    request  = our clock before the request + the clock offset

Rows contradict the account's mode (LONG in one-way mode, BOTH in hedge mode) only if the mode was changed: with an
amount such a row makes the whole answer no view; without one it says nothing and is left out. A leg that is named
twice, or a time from the future, is no view either. Facts: venue documentation of positionRisk v3.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from holdfast.domain.amounts import ZERO
from holdfast.domain.errors import VenueUnavailable
from holdfast.domain.names import Symbol
from holdfast.domain.sides import Leg, PositionMode, PositionSide, Source
from holdfast.domain.view import AccountView, PositionView
from holdfast.venues.binance.wire import amount, price_or_none

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from holdfast.domain.names import AccountId
    from holdfast.venues.binance.wire import PositionRow

FUTURE_MS_MAX = 60_000
"""A row that changed this long after the request was sent has a wrong time."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked, when."""

    account: AccountId
    symbol: Symbol | None
    mode: PositionMode
    read_ms: int
    """Our clock before the request."""
    venue_ms: int
    """The venue's clock at `read_ms`."""
    rest_lag_ms: int


def account_view(rows: Iterable[PositionRow], asked: Asked) -> AccountView:
    """The complete answer as a view, or VenueUnavailable."""
    absent_as_of_ms = asked.venue_ms - asked.rest_lag_ms
    positions: dict[Leg, PositionView] = {}
    for row in rows:
        amt = amount(row.position_amt, "position")
        if not fits_mode(row.position_side, asked.mode):
            require_flat(amt, row.position_side, asked.mode)
            continue
        leg = Leg(asked.account, Symbol(row.symbol), row.position_side)
        _require_sane(row, leg, positions, asked)
        positions[leg] = PositionView(
            leg=leg,
            amt=amt,
            as_of_ms=max(row.update_time, absent_as_of_ms),
            read_ms=asked.read_ms,
            source=Source.REST,
            entry_price=price_or_none(row.entry_price),
            mark_price=price_or_none(row.mark_price),
        )
    return AccountView(
        account=asked.account,
        symbol=asked.symbol,
        positions=MappingProxyType(positions),
        absent_as_of_ms=absent_as_of_ms,
        read_ms=asked.read_ms,
        source=Source.REST,
    )


def fits_mode(side: PositionSide, mode: PositionMode) -> bool:
    """Tell whether the account's mode has such a leg."""
    return (side is PositionSide.BOTH) is (mode is PositionMode.ONE_WAY)


def require_flat(amt: Decimal, side: PositionSide, mode: PositionMode) -> None:
    """Raise VenueUnavailable if a leg that the mode does not have holds something."""
    if amt != ZERO:
        raise VenueUnavailable(f"a {side.value} position in an account that should be {mode.value}: its mode changed")


def _require_sane(row: PositionRow, leg: Leg, known: dict[Leg, PositionView], asked: Asked) -> None:
    if leg in known:
        raise VenueUnavailable(f"the venue's answer names {leg.key} twice")
    if asked.symbol is not None and leg.symbol != asked.symbol:
        raise VenueUnavailable(f"asked for {asked.symbol}, the venue's answer names {leg.symbol}")
    if row.update_time > asked.venue_ms + FUTURE_MS_MAX:
        raise VenueUnavailable(f"the venue's answer dates {leg.key} into the future")
