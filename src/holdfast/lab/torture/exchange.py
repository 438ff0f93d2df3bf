"""The exchange of a history: the simulator's core on virtual time, with one account that product and people share.

Its outlet is the network (`net`), its clock one of its own. Nothing of the simulator's HTTP face is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Final

import msgspec

from holdfast.lab.torture.settings import ACCOUNT, KEYS, SECRETS
from holdfast.sim.core.account import Mode, Permission
from holdfast.sim.core.calls.table import new_venue
from holdfast.sim.core.exchange import new_exchange
from holdfast.sim.core.faults import Faults
from holdfast.sim.core.forced import trade_by_hand
from holdfast.sim.core.knobs import Knobs
from holdfast.sim.core.legs import PositionSide
from holdfast.sim.core.order_request import ReduceOnly
from holdfast.sim.core.orders import Side
from holdfast.sim.core.refusals import ApiError
from holdfast.sim.core.stream_faults import FaultyStream
from holdfast.sim.core.symbols import standard_symbols

if TYPE_CHECKING:
    from holdfast.lab.torture.acts import Shape
    from holdfast.lab.torture.net import Net
    from holdfast.sim.core.account import Account
    from holdfast.sim.core.exchange import Clock
    from holdfast.sim.core.venue import Venue

BALANCE: Final = Decimal(1_000_000)
VOLATILITY_PPM: Final = 100


@dataclass(slots=True)
class WorldExchange:
    """The exchange and the account that everybody trades on."""

    venue: Venue
    account: Account
    net: Net
    mode: Mode
    """As it was set at the start."""

    def position(self, symbol: str, side: PositionSide) -> Decimal:
        """What is really held."""
        leg = self.account.legs.get((symbol, side))
        return leg.now.qty if leg is not None else Decimal(0)

    def leg_side(self, wanted: str) -> PositionSide:
        """The leg that a word means in the mode of the moment."""
        return PositionSide(wanted) if self.account.mode is Mode.HEDGE else PositionSide.BOTH

    def by_hand(self, symbol: str, side: Side, qty: Decimal, leg: PositionSide, who: str) -> None:
        """Somebody trades MARKET at the exchange's own screen."""
        self._trade(symbol, side, qty, leg, who, ReduceOnly.ABSENT)

    def close_by_hand(self, symbol: str, leg: PositionSide, who: str) -> None:
        """Somebody closes a position there, however small it is: what is reduce-only has no smallest notional."""
        held = self.position(symbol, leg)
        reduce_only = ReduceOnly.TRUE if leg is PositionSide.BOTH else ReduceOnly.ABSENT
        self._trade(symbol, Side.SELL if held > 0 else Side.BUY, abs(held), leg, who, reduce_only)

    def _trade(  # noqa: PLR0917 - an order ticket's fields, in their order
        self, symbol: str, side: Side, qty: Decimal, leg: PositionSide, who: str, reduce_only: ReduceOnly
    ) -> None:
        try:
            order = trade_by_hand(
                self.venue.exchange,
                self.account,
                symbol=symbol,
                side=side,
                qty=qty,
                position_side=leg,
                reduce_only=reduce_only,
                price=None,
                client_id=None,
            )
        except ApiError as error:
            self.net.chronicle.say(who, f"{side} {qty} {symbol} {leg} by hand: {error.code} {error.msg}")
            return
        self.net.chronicle.say(who, f"{side} {qty} {symbol} {leg} by hand: executed {order.executed}")
        self.net.looked()

    def tick(self) -> None:
        """Let the market move."""
        self.venue.tick()
        self.net.looked()


def open_exchange(seed: int, shape: Shape, clock: Clock, net: Net) -> WorldExchange:
    """Open it, with the opening position traded by hand."""
    faults = Faults()
    exchange = new_exchange(
        clock=clock,
        rng=Random(f"exchange {seed}"),  # noqa: S311 - an exchange that can be replayed, not a secret
        sink=FaultyStream(faults, net),
        symbols=standard_symbols(1),
        volatility_ppm=VOLATILITY_PPM,
    )
    knobs = {
        **msgspec.to_builtins(exchange.knobs),
        "fills_per_match": shape.fills_per_match,
        "reduce_only_oversize": shape.oversize,
        "event_order": shape.event_order,
    }
    exchange.knobs = msgspec.convert(knobs, type=Knobs)
    account = exchange.open_account(ACCOUNT, BALANCE, Mode.HEDGE if shape.is_hedge else Mode.ONE_WAY)
    exchange.add_key(account, KEYS["read"], SECRETS["read"], Permission.READ)
    exchange.add_key(account, KEYS["trade"], SECRETS["trade"], Permission.TRADE)
    venue = new_venue(exchange, faults, Decimal(1))
    net.open(venue)
    world = WorldExchange(venue, account, net, account.mode)
    if shape.opening_lots:
        side = Side.BUY if shape.opening_lots > 0 else Side.SELL
        leg = world.leg_side("LONG" if shape.opening_lots > 0 else "SHORT")
        world.by_hand("BTCUSDT", side, Decimal(abs(shape.opening_lots) * 2) / 1000, leg, "person")
    return world
