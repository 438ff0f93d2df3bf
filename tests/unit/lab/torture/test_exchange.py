"""The exchange of a history: what people do at its own screen."""

from __future__ import annotations

from decimal import Decimal

from holdfast.domain.operator import RequestKind
from holdfast.lab.torture.chronicle import Chronicle
from holdfast.lab.torture.clock import VirtualClock
from holdfast.lab.torture.desk import fate_of
from holdfast.lab.torture.dice import shared
from holdfast.lab.torture.exchange import open_exchange
from holdfast.lab.torture.loop import play
from holdfast.lab.torture.net import Net
from holdfast.sim.core.legs import PositionSide
from holdfast.sim.core.orders import Side
from tests.unit.lab.torture.test_books import SHAPE, START_MS

LEG = PositionSide.BOTH


def test_a_person_closes_what_is_too_small_to_be_traded() -> None:
    """What is left below the venue's smallest notional is closed all the same: a reduce-only order has none."""
    held: list[Decimal] = []

    async def story() -> None:
        net = Net(shared("net"), Chronicle(lambda: 0.0), lambda _name: None)
        exchange = open_exchange(1, SHAPE, VirtualClock(START_MS), net)
        exchange.by_hand("BTCUSDT", Side.SELL, Decimal("0.003"), LEG, "person")
        exchange.by_hand("BTCUSDT", Side.BUY, Decimal("0.002"), LEG, "person")
        exchange.by_hand("BTCUSDT", Side.BUY, Decimal("0.001"), LEG, "person")
        held.append(exchange.position("BTCUSDT", LEG))
        exchange.close_by_hand("BTCUSDT", LEG, "person")
        held.append(exchange.position("BTCUSDT", LEG))

    play(story)

    assert held == [Decimal("-0.001"), 0]


def test_a_person_says_of_an_order_what_the_exchange_shows() -> None:
    """Filled is what was executed whole; what ended with a part of it has ended; what is not there was not accepted."""
    said: list[RequestKind] = []

    async def story() -> None:
        net = Net(shared("net"), Chronicle(lambda: 0.0), lambda _name: None)
        exchange = open_exchange(1, SHAPE, VirtualClock(START_MS), net)
        exchange.by_hand("BTCUSDT", Side.BUY, Decimal("0.002"), LEG, "person")
        exchange.venue.exchange.market("BTCUSDT").depth = Decimal("0.002")
        exchange.by_hand("BTCUSDT", Side.BUY, Decimal("0.008"), LEG, "person")
        orders = exchange.venue.exchange.truth.orders
        said.extend(fate_of(found) for found in ([orders[0]], [orders[1]], []))

    play(story)

    assert said == [RequestKind.RESOLVE_FILLED, RequestKind.RESOLVE_ENDED, RequestKind.RESOLVE_NOT_ACCEPTED]
