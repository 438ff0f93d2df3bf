"""Hold the exchange's state, and the few things that every operation on it needs: time, chance, truth, publishing.

The core is plain deterministic code: no sockets, no tasks, no wall clock. Time comes from the `Clock` that is passed
in, chance from the `random.Random` that is passed in, and everything that happens leaves through return values or the
`EventSink`. Two exchanges with the same seed, given the same calls at the same times, answer the same bytes.

Invariants: truth (orders, fills) is only appended to; its bounds are counted when they bite, never silent.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final, Protocol

from holdfast.sim.core.account import Account, ApiKey, Mode, Permission
from holdfast.sim.core.knobs import Knobs
from holdfast.sim.core.market import Market
from holdfast.sim.core.refusals import Code, refuse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from holdfast.sim.core.events import Event
    from holdfast.sim.core.orders import Order, Trade
    from holdfast.sim.core.symbols import SymbolRules

__all__ = ["Clock", "EventSink", "Exchange", "Truth", "new_exchange"]

ORDERS_MAX: Final = 1_000_000
FILLS_MAX: Final = 1_000_000
ID_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
FIRST_ORDER_ID: Final = 1_000_000_000
FIRST_TRADE_ID: Final = 100_000_000
ID_GAP_MAX: Final = 3


class Clock(Protocol):
    """The exchange's time."""

    def now_ms(self) -> int:
        """Return venue time, epoch milliseconds; it never goes back unless an operator sets it."""

    def monotonic_ns(self) -> int:
        """Return CLOCK_MONOTONIC, which processes on one machine share."""


class EventSink(Protocol):
    """Where user-stream events go."""

    def emit(self, account: str, events: Sequence[Event]) -> None:
        """Take the events of one match, in order."""


@dataclass(slots=True)
class Truth:
    """Everything that ever happened: what drills and benches judge by."""

    orders: deque[Order] = field(default_factory=lambda: deque(maxlen=ORDERS_MAX))
    fills: deque[tuple[str, Trade]] = field(default_factory=lambda: deque(maxlen=FILLS_MAX))
    """Account and trade."""
    orders_total: int = 0
    fills_total: int = 0

    def add_order(self, order: Order) -> None:
        """Note an accepted order."""
        self.orders.append(order)
        self.orders_total += 1

    def add_fill(self, account: str, trade: Trade) -> None:
        """Note a fill."""
        self.fills.append((account, trade))
        self.fills_total += 1


@dataclass(slots=True)
class Exchange:
    """All state of the matching side."""

    clock: Clock
    rng: Random
    sink: EventSink
    markets: dict[str, Market]
    accounts: dict[str, Account] = field(default_factory=dict)
    keys: dict[str, ApiKey] = field(default_factory=dict)
    knobs: Knobs = field(default_factory=Knobs)
    truth: Truth = field(default_factory=Truth)
    resting: dict[str, dict[int, Order]] = field(default_factory=dict)
    """Open orders of all accounts by symbol: what a price move has to look at."""
    transactions: int = 0
    forced_count: int = 0

    def market(self, symbol: str) -> Market:
        """Return a symbol's market, or refuse with -1121."""
        found = self.markets.get(symbol)
        if found is None:
            raise refuse(Code.BAD_SYMBOL)
        return found

    def account(self, name: str) -> Account:
        """Return an account by name, or raise KeyError."""
        return self.accounts[name]

    def open_account(self, name: str, balance: Decimal, mode: Mode) -> Account:
        """Create an account; a name is taken once."""
        if name in self.accounts:
            raise ValueError(f"account {name!r} exists already")
        account = Account(name=name, wallet=balance, created_ms=self.clock.now_ms(), mode=mode)
        self.accounts[name] = account
        return account

    def add_key(self, account: Account, key: str, secret: str, permission: Permission) -> ApiKey:
        """Register a key of an account; a key is registered once."""
        if key in self.keys:
            raise ValueError(f"key {key!r} is registered already")
        if not key or not secret:
            raise ValueError("a key and its secret may not be empty")
        self.keys[key] = ApiKey(key, secret, permission, account.name)
        return self.keys[key]

    def random_text(self, length: int) -> str:
        """Return a random name made of letters and digits."""
        return "".join(self.rng.choices(ID_ALPHABET, k=length))

    def next_order_id(self, market: Market) -> int:
        """Number an order; ids grow by symbol, with gaps, as the venue's do."""
        return market.next_order_id(self.rng.randint(1, ID_GAP_MAX))

    def next_transaction(self) -> int:
        """Number a change of a wallet."""
        self.transactions += 1
        return self.transactions


def new_exchange(
    *, clock: Clock, rng: Random, sink: EventSink, symbols: Sequence[SymbolRules], volatility_ppm: int
) -> Exchange:
    """Open an exchange with these symbols and no account."""
    seed = rng.getrandbits(64)
    now = clock.now_ms()
    markets = {
        rules.symbol: Market(
            rules=rules,
            # A source of its own for each symbol: prices don't depend on which symbols are looked at, or when.
            rng=Random(f"{seed}:{rules.symbol}"),  # noqa: S311 - prices that can be replayed, not secrets
            volatility_ppm=volatility_ppm,
            now_ms=now,
            last_order_id=FIRST_ORDER_ID,
            last_trade_id=FIRST_TRADE_ID,
        )
        for rules in symbols
    }
    return Exchange(clock=clock, rng=rng, sink=sink, markets=markets)
