"""Point 9 of the older system: holds outlived the drift by 14 minutes, and a missing key or a life span ended them.

There a 429 cost 850 s instead of 120, any key that was missing deleted any hold, an operator's too, and a hold
expired by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.domain.operator import RequestKind, RequestState
from tests.whole.program import never, until

if TYPE_CHECKING:
    from tests.whole.services import Desk
    from tests.whole.shared import World

GONE_WITHIN_S = 2.0
"""A drift that somebody mends is seen by the stream; one look proves it."""
STAYS_S = 1.0
KEYS = ("reconcile:hold:", "reconcile:state:", "reconcile:verdict:", "position:snapshot:", "position:ledger:")


def stays_held(desk: Desk, symbol: str, hold_id: str) -> None:
    """The hold denies all the while, and stands on the bus again."""
    assert desk.bus.refusal(symbol) in {"hold_active", "bus_hold"}
    never(lambda: "HOLD_RELEASED" in desk.bus.events(symbol), "released", STAYS_S)
    until(lambda: desk.bus.hold(symbol) == hold_id, "its copy is back")
    assert desk.bus.refusal(symbol) == "hold_active"


def test_a_hold_must_not_outlive_its_drift(world: World) -> None:
    """With closes switched off somebody mends the drift by hand: the hold ends at once, not a quarter hour later."""
    desk, symbol = world.desks["off"], "SYM009USDT"
    desk.until_open(symbol)
    desk.exchange.trade(symbol, "BUY", "0.07")
    desk.until_next_step(symbol, "switched off")
    desk.exchange.trade(symbol, "SELL", "0.07")
    desk.until_free(symbol, GONE_WITHIN_S)
    desk.until_open(symbol, GONE_WITHIN_S)
    desk.bus.execute(symbol, "BUY", "0.10")


def test_a_hold_must_not_be_lost_by_a_key_that_is_missing_or_expires(world: World) -> None:
    """Every key of a held symbol deleted, then its hold given a life of 50 ms: the hold stands and denies on."""
    desk, symbol = world.desks["off"], "SYM010USDT"
    desk.until_open(symbol)
    desk.exchange.trade(symbol, "BUY", "0.07")
    hold_id = desk.until_held(symbol)
    desk.bus.redis.delete(*(desk.bus.key(f"{name}{symbol}") for name in KEYS))
    stays_held(desk, symbol, hold_id)
    desk.bus.redis.pexpire(desk.bus.key(f"reconcile:hold:{symbol}"), 50)
    stays_held(desk, symbol, hold_id)
    desk.exchange.trade(symbol, "SELL", "0.07")
    desk.until_free(symbol)


def test_an_operators_hold_must_not_be_lost_by_a_key_that_is_missing(world: World) -> None:
    """The same for a hold that a person set: nothing but his release ends it."""
    desk, symbol = world.desks["line"], "SYM010USDT"
    desk.until_open(symbol)
    assert desk.order(RequestKind.HOLD, symbol).state is RequestState.DONE
    hold_id = desk.until_held(symbol)
    desk.bus.redis.delete(*(desk.bus.key(f"{name}{symbol}") for name in KEYS))
    stays_held(desk, symbol, hold_id)
    assert desk.order(RequestKind.RELEASE, symbol).state is RequestState.DONE
    desk.until_free(symbol)
    desk.until_open(symbol)


def test_a_close_must_not_wait_longer_than_a_429_asks(world: World) -> None:
    """A 429 that asks for one second delays the close by that second and the attempt's own wait, not by minutes."""
    desk, symbol = world.desks["line"], "SYM009USDT"
    desk.until_open(symbol)
    limited = desk.exchange.arm_order("rate_limited", symbol)
    desk.heals(symbol, "BUY", "0.07", within_s=5.0)
    assert limited.hits == 1
    for other in ("SYM009USDT", "BTCUSDT"):
        desk.until_open(other)
