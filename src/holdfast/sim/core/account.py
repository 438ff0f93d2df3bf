"""Decide what one account holds: keys, mode, wallet, legs, orders, trades.

Invariants: the wallet changes by realised profit, commission, funding and transfers only; an order is in `open` exactly
while its status is not final; `open_legs` names exactly the legs that are not flat.
Source: the venue's documentation of position mode, client order ids (unique among OPEN orders only) and retention
(an order without a fill is forgotten 3 days after its creation, any other after 90 days).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from holdfast.sim.core.amounts import ZERO
from holdfast.sim.core.knobs import ClientIdLookup
from holdfast.sim.core.legs import Leg, PositionSide
from holdfast.sim.core.orders import FINAL, Order, Side, Status, Trade

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = ["Account", "ApiKey", "Income", "MarginType", "Mode", "OrderIndex", "Permission", "Restriction"]

DAY_MS: Final = 86_400_000
UNFILLED_KEPT_MS: Final = 3 * DAY_MS
ORDER_KEPT_MS: Final = 90 * DAY_MS
INCOME_MAX: Final = 100_000
DEFAULT_LEVERAGE: Final = 20


class Mode(StrEnum):
    """Position mode of an account."""

    ONE_WAY = "one_way"
    HEDGE = "hedge"


class Permission(StrEnum):
    """What a key may do."""

    READ = "read"
    TRADE = "trade"


class Restriction(StrEnum):
    """What the venue forbids an account."""

    NONE = "none"
    REDUCE_ONLY = "reduce_only"
    NO_TRADING = "no_trading"


class MarginType(StrEnum):
    """How a symbol's margin is kept; the simulator computes everything as cross."""

    CROSSED = "CROSSED"
    ISOLATED = "ISOLATED"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key of one account."""

    key: str
    secret: str
    permission: Permission
    account: str


@dataclass(frozen=True, slots=True)
class Income:
    """One change of the wallet."""

    symbol: str
    kind: str
    amount: Decimal
    time_ms: int
    transaction_id: int
    trade_id: str


@dataclass(slots=True)
class OrderIndex:
    """The orders of one account on one symbol."""

    by_id: dict[int, Order] = field(default_factory=dict)
    by_client: dict[str, list[Order]] = field(default_factory=dict)
    open: dict[int, Order] = field(default_factory=dict)
    open_by_client: dict[str, Order] = field(default_factory=dict)

    def add(self, order: Order) -> None:
        """Take in a new order."""
        self.by_id[order.order_id] = order
        self.by_client.setdefault(order.client_id, []).append(order)
        self.open[order.order_id] = order
        self.open_by_client[order.client_id] = order

    def close(self, order: Order) -> None:
        """Note that an order is final."""
        self.open.pop(order.order_id, None)
        if self.open_by_client.get(order.client_id) is order:
            del self.open_by_client[order.client_id]

    def find(self, order_id: int | None, client_id: str | None, lookup: ClientIdLookup) -> Order | None:
        """Find an order by its id, or by its client id."""
        if order_id is not None:
            return self.by_id.get(order_id)
        named = self.by_client.get(client_id or "")
        if not named:
            return None
        return named[-1] if lookup is ClientIdLookup.LATEST else named[0]

    def resting(self, side: Side, position_side: PositionSide) -> list[Order]:
        """Return the open orders of one side on one leg."""
        return [o for o in self.open.values() if o.side is side and o.position_side is position_side]


@dataclass(slots=True)
class Account:
    """One account."""

    name: str
    wallet: Decimal
    created_ms: int
    mode: Mode = Mode.ONE_WAY
    restriction: Restriction = Restriction.NONE
    multi_assets: bool = False
    reserved: Decimal = ZERO
    """Margin of all resting orders."""
    wallet_updated_ms: int = 0
    legs: dict[tuple[str, PositionSide], Leg] = field(default_factory=dict)
    open_legs: dict[tuple[str, PositionSide], Leg] = field(default_factory=dict)
    books: dict[str, OrderIndex] = field(default_factory=dict)
    trades: dict[str, list[Trade]] = field(default_factory=dict)
    forced: list[Order] = field(default_factory=list)
    incomes: deque[Income] = field(default_factory=lambda: deque(maxlen=INCOME_MAX))
    leverages: dict[str, int] = field(default_factory=dict)
    margin_types: dict[str, MarginType] = field(default_factory=dict)
    countdowns: dict[str, int] = field(default_factory=dict)
    """Symbol to the time at which its resting orders are cancelled."""

    def leg(self, symbol: str, side: PositionSide) -> Leg:
        """Return a leg, flat if it was never touched."""
        found = self.legs.get((symbol, side))
        if found is None:
            found = self.legs[symbol, side] = Leg(symbol, side)
        return found

    def book(self, symbol: str) -> OrderIndex:
        """Return the orders on one symbol."""
        found = self.books.get(symbol)
        if found is None:
            found = self.books[symbol] = OrderIndex()
        return found

    def leverage(self, symbol: str) -> int:
        """Return the leverage set for a symbol."""
        return self.leverages.get(symbol, DEFAULT_LEVERAGE)

    def open_orders(self) -> list[Order]:
        """Return the open orders of all symbols, oldest first on each."""
        return [order for book in self.books.values() for order in book.open.values()]

    def sides(self) -> tuple[PositionSide, ...]:
        """Return the legs that a symbol has in this mode."""
        if self.mode is Mode.HEDGE:
            return (PositionSide.LONG, PositionSide.SHORT)
        return (PositionSide.BOTH,)


def visible(order: Order, now_ms: int) -> bool:
    """Say whether the venue still remembers an order: its retention rule."""
    age = now_ms - order.created_ms
    if order.status in FINAL and order.status is not Status.FILLED and order.executed == ZERO:
        return age <= UNFILLED_KEPT_MS
    return age <= ORDER_KEPT_MS
