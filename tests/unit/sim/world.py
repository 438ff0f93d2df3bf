"""An exchange without sockets: a clock that stands until it is moved, and an outlet that keeps what it is given."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec

from holdfast.sim.core.account import Account, Mode, Permission
from holdfast.sim.core.calls.table import new_venue
from holdfast.sim.core.exchange import Exchange, new_exchange
from holdfast.sim.core.faults import Channel, Fault, Faults, Match
from holdfast.sim.core.knobs import Knobs
from holdfast.sim.core.order_request import read_new_order
from holdfast.sim.core.orders import Order, Source
from holdfast.sim.core.placing import place
from holdfast.sim.core.refusals import ApiError
from holdfast.sim.core.requests import Reply, Request
from holdfast.sim.core.stream_faults import Delivery, FaultyStream
from holdfast.sim.core.symbols import standard_symbols

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.sim.core.fault_names import FaultName
    from holdfast.sim.core.venue import Venue

START_MS = 1_700_000_000_000
SYMBOL = "BTCUSDT"


@dataclass
class FakeClock:
    """A clock that only the test moves."""

    ms: int = START_MS

    def now_ms(self) -> int:
        """Return the time that was set."""
        return self.ms

    def monotonic_ns(self) -> int:
        """Return the same time, as a monotonic clock would."""
        return self.ms * 1_000_000


@dataclass
class Outlet:
    """Keeps deliveries as the frames that they would become."""

    deliveries: list[Delivery] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    def deliver(self, account: str, deliveries: Sequence[Delivery]) -> None:
        """Keep events."""
        del account
        self.deliveries.extend(deliveries)

    def close(self, account: str) -> None:
        """Keep that streams were closed."""
        self.closed.append(account)

    def frames(self) -> list[dict[str, Any]]:
        """Return all events as decoded JSON, and forget them."""
        found = [msgspec.json.decode(msgspec.json.encode(d.event)) for d in self.deliveries]
        self.deliveries.clear()
        return found


@dataclass
class World:
    """One exchange with one account `a`, and the words to act on it."""

    clock: FakeClock
    outlet: Outlet
    exchange: Exchange
    venue: Venue
    account: Account

    def place(self, side: str, qty: str, symbol: str = SYMBOL, **more: str) -> Order:
        """Place an order: MARKET unless a price is given."""
        params = {"symbol": symbol, "side": side, "quantity": qty, **more}
        params.setdefault("type", "LIMIT" if "price" in more else "MARKET")
        if params["type"] == "LIMIT":
            params.setdefault("timeInForce", "GTC")
        return place(self.exchange, self.account, read_new_order(params), Source.API)

    def refusal(self, side: str, qty: str, **more: str) -> int | None:
        """Return the code with which an order is refused, None if it is not."""
        try:
            self.place(side, qty, **more)
        except ApiError as error:
            return error.code
        return None

    def held(self, symbol: str = SYMBOL) -> list[str]:
        """Return the positions on a symbol that are not flat, as `SIDE amount`."""
        legs = self.account.open_legs.values()
        return [f"{leg.side.value} {leg.now.qty}" for leg in legs if leg.symbol == symbol]

    def knobs(self, **values: object) -> None:
        """Turn knobs."""
        self.exchange.knobs = msgspec.convert(
            {**msgspec.to_builtins(self.exchange.knobs), **values},
            type=Knobs,
        )

    def fault(self, name: FaultName, match: Match | None = None, **more: Any) -> Fault:
        """Arm a fault."""
        return self.venue.faults.arm(Fault(name, match or Match(), **more))

    def request(self, method: str, path: str, *, key: str = "k", signed_with: str = "s", **params: str) -> Request:
        """Build a signed request."""
        params.setdefault("timestamp", str(self.clock.ms))
        query = "&".join(f"{k}={v}" for k, v in params.items())
        signature = hmac.digest(signed_with.encode(), query.encode(), "sha256").hex()
        return Request(
            channel=Channel.REST,
            method=method,
            path=path,
            address="10.0.0.1",
            api_key=key,
            params={**params, "signature": signature},
            query=f"{query}&signature={signature}",
        )

    def ask(self, method: str, path: str, **params: str) -> Reply:
        """Send a signed request, and return its answer."""
        return self.venue.handle(self.request(method, path, **params))

    def answer(self, method: str, path: str, **params: str) -> Any:
        """Send a signed request, and return what a client would decode."""
        return msgspec.json.decode(msgspec.json.encode(self.ask(method, path, **params).body))


def world(mode: Mode = Mode.ONE_WAY, *, seed: int = 7, volatility_ppm: int = 0, extra_symbols: int = 0) -> World:
    """Open an exchange with one account and two keys: `k` may trade, `r` may only read."""
    clock, outlet, faults = FakeClock(), Outlet(), Faults()
    exchange = new_exchange(
        clock=clock,
        rng=Random(seed),  # noqa: S311 - a history that can be replayed
        sink=FaultyStream(faults, outlet),
        symbols=standard_symbols(extra_symbols),
        volatility_ppm=volatility_ppm,
    )
    account = exchange.open_account("a", Decimal(100_000), mode)
    exchange.add_key(account, "k", "s", Permission.TRADE)
    exchange.add_key(account, "r", "s", Permission.READ)
    return World(clock, outlet, exchange, new_venue(exchange, faults, Decimal(1)), account)
