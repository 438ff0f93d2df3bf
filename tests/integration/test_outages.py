"""Lines, servers and an exchange that fail in the middle of an episode: it ends healed or refused, never doubled."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.whole.program import never, until
from tests.whole.solo import START_S, a_house, exchange

if TYPE_CHECKING:
    from pathlib import Path

    from tests.whole.exchange import Exchange
    from tests.whole.shared import World

__all__ = ["exchange"]

# --- the account's lines --------------------------------------------------------------------------------


def test_a_drift_behind_a_silent_stream_is_found_by_the_backstop(world: World) -> None:
    """When the private stream loses every event, the next complete view finds the drift and it is closed."""
    desk = world.desks["line"]
    desk.until_open("SYM001USDT")
    silent = desk.exchange.arm("stream_drop", count=0)
    desk.heals("SYM001USDT", "BUY", "0.07", within_s=6.0)
    assert silent.hits > 0
    silent.disarm()
    desk.until_open("SYM001USDT")
    desk.bus.execute("SYM001USDT", "BUY", "0.10")


@pytest.mark.parametrize("act", ["streams/close", "streams/expire"])
def test_a_stream_that_ends_is_opened_again_and_what_it_missed_is_closed(world: World, act: str) -> None:
    """The stream is cut or its key expires, somebody trades: the drift is found and closed."""
    desk, symbol = world.desks["line"], {"streams/close": "SYM002USDT", "streams/expire": "SYM003USDT"}[act]
    desk.until_open(symbol)
    world.exchange.post(act, account="line")
    desk.heals(symbol, "SELL", "0.07")
    desk.until_open(symbol)
    desk.bus.execute(symbol, "BUY", "0.10")


def test_a_stream_that_drops_in_the_middle_of_an_episode_changes_nothing(world: World) -> None:
    """The close's own events are lost with the stream: the episode ends all the same, with one close."""
    desk, symbol = world.desks["line"], "SYM004USDT"
    desk.until_open(symbol)
    lost = desk.exchange.arm("stream_close", event="ORDER_TRADE_UPDATE", symbol=symbol, skip=1)
    desk.heals(symbol, "BUY", "0.07")
    assert lost.hits == 1
    desk.until_open(symbol)


def test_a_lost_trade_event_of_an_own_order_is_no_drift(world: World) -> None:
    """An own fill whose events never come is asked for, booked, and neither held nor closed."""
    desk, symbol = world.desks["line"], "SYM005USDT"
    desk.until_open(symbol)
    lost = desk.exchange.arm("stream_drop", symbol=symbol, count=2)
    desk.bus.execute(symbol, "BUY", "0.10")
    desk.until_agreed(symbol)
    desk.until_open(symbol)
    desk.bus.execute(symbol, "SELL", "0.10")
    assert lost.hits == 2
    assert desk.bus.events(symbol) == []
    assert desk.exchange.sent(symbol) == [("BUY", "0.1"), ("SELL", "0.1")]


@pytest.mark.parametrize("lag_ms", [250, 700])
def test_a_close_by_positions_that_lag_is_never_doubled(world: World, lag_ms: int) -> None:
    """With positions and trades over REST shown late, the drift is still closed once, to the step."""
    desk, symbol = world.desks["line"], {250: "SYM006USDT", 700: "SYM007USDT"}[lag_ms]
    desk.until_open(symbol)
    names = ("stale_positions", "stale_trades", "stale_orders")
    stale = [desk.exchange.arm(name, count=0, symbol=symbol, delay_ms=lag_ms) for name in names]
    desk.heals(symbol, "BUY", "0.07", within_s=12.0)
    never(lambda: len(desk.exchange.orders(symbol)) > 1, "a second close", 1.5)
    for fault in stale:
        fault.disarm()
    assert desk.exchange.position(symbol) == 0


def test_a_close_message_deleted_from_the_stream_is_taken_from_the_journal(world: World) -> None:
    """Every RECONCILE_CLOSE is deleted from the stream as it appears: the drift is closed all the same."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    stream = desk.bus.key("stream:trading.plan")
    gone: list[str] = []

    def healed() -> bool:
        for entry_id, fields in desk.bus.redis.xrange(stream) or ():
            if fields and fields.get("decision") == "RECONCILE_CLOSE" and fields.get("symbol") == symbol:
                gone.append(str(entry_id))
                desk.bus.redis.xdel(stream, str(entry_id))
        return "HOLD_RELEASED" in desk.bus.events(symbol)

    desk.exchange.trade(symbol, "BUY", "0.07")
    until(healed, "healed")
    assert desk.exchange.sent(symbol) == [("SELL", "0.07")]


def test_a_bus_wiped_in_the_middle_of_an_episode_costs_nothing(world: World) -> None:
    """FLUSHALL while a drift is being closed: it is closed once, and every published copy comes back."""
    desk, symbol, other = world.main, world.symbol(), "SYM008USDT"
    off = world.desks["off"]
    for each, name in ((desk, symbol), (off, other)):
        each.until_open(name)
    desk.bus.execute(symbol, "BUY", "0.20")
    off.exchange.trade(other, "BUY", "0.07")
    held = off.until_held(other)
    slow = desk.exchange.arm_order("reply_delay", symbol, delay_ms=200)
    desk.exchange.trade(symbol, "BUY", "0.07")
    until(lambda: slow.hits, "the close is under way")
    desk.bus.redis.flushall()
    until(lambda: desk.exchange.position(symbol) == Decimal("0.2"), "closed")
    assert off.bus.refusal(other) == "hold_active"
    until(lambda: off.bus.hold(other) == held, "the other account's hold is back")
    desk.until_open(symbol)
    desk.until_agreed(symbol)
    desk.until_free(symbol)
    assert desk.exchange.sent(symbol) == [("BUY", "0.2"), ("SELL", "0.07")]
    desk.bus.execute(symbol, "SELL", "0.20")
    off.exchange.trade(other, "SELL", "0.07")
    off.until_free(other)


# --- the exchange as a whole ------------------------------------------------------------------------------


def test_an_exchange_that_is_silent_for_three_seconds_permits_nothing_and_all_recovers(
    tmp_path: Path, exchange: Exchange
) -> None:
    """While the exchange does not answer, plans are refused; when it answers again, a drift heals and plans trade."""
    account = exchange.account("solo")
    with a_house(tmp_path, exchange) as house:
        house.start()
        desk = house.desk("solo", account)
        desk.until_open("SYM001USDT")
        exchange.freeze()
        errors = set()
        try:
            until(lambda: desk.bus.fields("permit:state:SYM001USDT").get("state") != "ALLOW", "denied", 5.0)
            errors = {desk.bus.refusal("SYM001USDT") for _ in range(5)}
            never(lambda: desk.bus.fields("permit:state:SYM001USDT").get("state") == "ALLOW", "allowed", 2.0)
        finally:
            exchange.thaw()
        assert errors <= {"stamp_stale", "hold_active"}
        desk.until_open("SYM001USDT", START_S)
        desk.heals("SYM001USDT", "BUY", "0.07")
        desk.bus.execute("SYM001USDT", "BUY", "0.10")
        assert house.programs[-1].is_running()


def test_an_exchange_that_limits_us_is_left_alone_and_the_drift_heals_after(tmp_path: Path, exchange: Exchange) -> None:
    """A 429 on the close stops requests for its second; then the close is made, once."""
    account = exchange.account("solo")
    with a_house(tmp_path, exchange) as house:
        house.start()
        desk = house.desk("solo", account)
        desk.until_open("SYM001USDT")
        limited = account.arm_order("rate_limited", "SYM001USDT")
        desk.heals("SYM001USDT", "BUY", "0.07", within_s=12.0)
        assert limited.hits == 1
        desk.until_open("SYM001USDT")
