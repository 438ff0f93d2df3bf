"""The oracle's books: each rule of safety is broken once at a real exchange core, and each is noticed."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from holdfast.lab.torture.acts import Shape
from holdfast.lab.torture.audit import Audit, Hold, Intent
from holdfast.lab.torture.books import Books, Leg
from holdfast.lab.torture.chronicle import Chronicle
from holdfast.lab.torture.clock import VirtualClock
from holdfast.lab.torture.dice import shared
from holdfast.lab.torture.exchange import open_exchange
from holdfast.lab.torture.loop import play
from holdfast.lab.torture.net import Net
from holdfast.sim.core.legs import PositionSide
from holdfast.sim.core.order_request import NewOrder, ReduceOnly, Response
from holdfast.sim.core.orders import OrderType, Side, Source, TimeInForce
from holdfast.sim.core.placing import place

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.lab.torture.exchange import WorldExchange

START_MS = 1_790_000_000_000
SHAPE = Shape(("both",), is_hedge=False, foreign="close", unledgered="hold", opening_lots=0, fills_per_match=1,
              oversize="clamp", event_order="natural")  # fmt: skip
LEG = ("BTCUSDT", "BOTH")


def sent(exchange: WorldExchange, name: str, side: Side, qty: str, *, reduce: ReduceOnly = ReduceOnly.ABSENT) -> None:
    """An order of ours, as the exchange accepts it."""
    order = NewOrder(
        symbol="BTCUSDT",
        side=side,
        order_type=OrderType.MARKET,
        position_side=PositionSide.BOTH,
        time_in_force=TimeInForce.GTC,
        qty=Decimal(qty),
        price=None,
        reduce_only=reduce,
        client_id=name,
        response=Response.RESULT,
        stp_mode="NONE",
        good_till_ms=0,
        price_match="NONE",
    )
    place(exchange.venue.exchange, exchange.account, order, Source.API)


def intent(name: str, side: str, qty: str, *, decision: str = "EXECUTE", seq: int = 5, reduce: bool = False) -> Intent:
    """What was written down before it left."""
    return Intent(seq, name, name, decision, LEG, side, Decimal(qty), reduce, Decimal(0), "h", START_MS, 2_000)


def judged(story: Callable[[WorldExchange, Audit, Books], None]) -> list[str]:
    """What the books accuse a story of."""
    accused: list[str] = []

    async def whole() -> None:
        net = Net(shared("net"), Chronicle(lambda: 0.0), lambda _name: None)
        exchange = open_exchange(1, SHAPE, VirtualClock(START_MS), net)
        audit = Audit()
        books = Books(exchange.venue.exchange, audit, lambda: None, lambda: 1_000.0, accused.append)
        story(exchange, audit, books)
        books.look()

    play(whole)
    return [each.partition(":")[0] for each in accused]


def twice(exchange: WorldExchange, audit: Audit, _books: Books) -> None:
    """The same id is accepted twice."""
    audit.intents["hf-a"] = [intent("hf-a", "BUY", "0.002")]
    sent(exchange, "hf-a", Side.BUY, "0.002")
    sent(exchange, "hf-a", Side.BUY, "0.002")


def unwritten(exchange: WorldExchange, _audit: Audit, _books: Books) -> None:
    """An order that nobody wrote down."""
    sent(exchange, "hf-a", Side.BUY, "0.002")


def another_side(exchange: WorldExchange, audit: Audit, _books: Books) -> None:
    """A SELL is written down, a BUY is sent."""
    audit.intents["hf-a"] = [intent("hf-a", "SELL", "0.002")]
    sent(exchange, "hf-a", Side.BUY, "0.002")


def during_a_hold(exchange: WorldExchange, audit: Audit, _books: Books) -> None:
    """An EXECUTE is permitted while a hold stands."""
    audit.holds["h"] = Hold("h", "BTCUSDT", set_seq=3)
    audit.intents["hf-a"] = [intent("hf-a", "BUY", "0.002")]
    sent(exchange, "hf-a", Side.BUY, "0.002")


def close(exchange: WorldExchange, audit: Audit, side: Side, qty: str, reduce: ReduceOnly) -> None:
    """A RECONCILE_CLOSE under a standing hold."""
    audit.holds["h"] = Hold("h", "BTCUSDT", set_seq=3)
    is_reducing = reduce is ReduceOnly.TRUE
    audit.intents["hf-c"] = [intent("hf-c", side.value, qty, decision="RECONCILE_CLOSE", reduce=is_reducing)]
    sent(exchange, "hf-c", side, qty, reduce=reduce)


def doubling(exchange: WorldExchange, audit: Audit, books: Books) -> None:
    """A close with the wrong sign, which the exchange was not told to refuse."""
    exchange.by_hand("BTCUSDT", Side.SELL, Decimal("0.004"), PositionSide.BOTH, "person")
    books.look()
    close(exchange, audit, Side.SELL, "0.004", ReduceOnly.ABSENT)


def too_large(exchange: WorldExchange, audit: Audit, books: Books) -> None:
    """A close that takes what the ledger rightly holds."""
    audit.intents["hf-a"] = [intent("hf-a", "BUY", "0.004", seq=1)]
    sent(exchange, "hf-a", Side.BUY, "0.004")
    exchange.by_hand("BTCUSDT", Side.BUY, Decimal("0.002"), PositionSide.BOTH, "person")
    books.look()
    close(exchange, audit, Side.SELL, "0.005", ReduceOnly.TRUE)


def without_a_hold(exchange: WorldExchange, audit: Audit, books: Books) -> None:
    """A close whose hold was released before it was permitted."""
    exchange.by_hand("BTCUSDT", Side.BUY, Decimal("0.004"), PositionSide.BOTH, "person")
    books.look()
    close(exchange, audit, Side.SELL, "0.004", ReduceOnly.TRUE)
    audit.holds["h"] = Hold("h", "BTCUSDT", set_seq=3, released_seq=4)


def rightful(exchange: WorldExchange, audit: Audit, books: Books) -> None:
    """A plan, a foreign trade, and the close that undoes it."""
    audit.intents["hf-a"] = [intent("hf-a", "BUY", "0.004", seq=1)]
    sent(exchange, "hf-a", Side.BUY, "0.004")
    exchange.by_hand("BTCUSDT", Side.BUY, Decimal("0.002"), PositionSide.BOTH, "person")
    books.look()
    close(exchange, audit, Side.SELL, "0.002", ReduceOnly.TRUE)


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        (twice, ["S1"]),
        (unwritten, ["S2"]),
        (another_side, ["S2"]),
        (during_a_hold, ["S3"]),
        (doubling, ["S4", "S5"]),
        (too_large, ["S5"]),
        (without_a_hold, ["S6"]),
        (rightful, []),
    ],
)
def test_each_rule_is_noticed_when_it_is_broken(
    story: Callable[[WorldExchange, Audit, Books], None], expected: list[str]
) -> None:
    """One story a rule, and one that breaks none."""
    assert judged(story) == expected


def test_a_ledger_that_took_over_a_trade_agrees_with_the_moment_at_which_that_was_held() -> None:
    """The ledger follows a trade by hand after the position was taken away by force: both were equal before."""
    leg = Leg(position=Decimal("-0.06"), rightful=Decimal("-0.04"))
    leg.note(1_000.0)
    leg.position = Decimal(0)
    leg.note(2_000.0)
    leg.rightful = Decimal("-0.06")
    leg.note(2_300.0)

    assert leg.was_free_since(1_500.0)
    assert not leg.was_free_since(2_100.0)
