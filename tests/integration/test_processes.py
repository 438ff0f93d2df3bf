"""Processes that are killed, frozen, started twice or wrongly: nothing is lost, nothing is done twice."""

from __future__ import annotations

import os
import signal
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
import redis

from tests.whole.bus import new_plan
from tests.whole.program import never, until
from tests.whole.services import AccountPlan, House
from tests.whole.solo import ONE, STAMP_AGE_S, START_S, a_bus, a_house, exchange

if TYPE_CHECKING:
    from pathlib import Path

    from tests.whole.exchange import Exchange
    from tests.whole.services import Desk

__all__ = ["exchange"]


def test_a_process_killed_between_orders_and_answers_finishes_them_after_its_restart(
    tmp_path: Path, exchange: Exchange
) -> None:
    """SIGKILL while two closes and a plan are at the exchange: the next process closes what is left, and answers."""
    account = exchange.account("solo")
    with a_house(tmp_path, exchange) as house:
        first = house.start()
        desk = house.desk("solo", account)
        executed, delayed, planned = "SYM001USDT", "SYM002USDT", "SYM003USDT"
        for symbol in (executed, delayed, planned):
            desk.until_open(symbol)
        desk.bus.execute(executed, "BUY", "0.20")
        slow = [account.arm_order("reply_delay", symbol, delay_ms=900) for symbol in (executed, planned)]
        slow.append(account.arm_order("engine_delay", delayed, delay_ms=900))
        plan = new_plan(planned, "BUY", "0.10")
        desk.bus.submit(plan)
        account.trade(executed, "BUY", "0.07")
        account.trade(delayed, "SELL", "0.07")
        until(lambda: all(fault.hits for fault in slow), "two closes and a plan are at the exchange")
        first.kill()
        house.start()
        desk = house.desk("solo", account)
        until(lambda: [one for one in desk.bus.results() if one["plan_id"] == plan["plan_id"]], "a result", START_S)
        (result,) = [one for one in desk.bus.results() if one["plan_id"] == plan["plan_id"]]
        assert (result["executed"], result["filled_qty"]) == ("true", "0.1")
        again = desk.bus.ask(plan)
        assert (again["executed"], again["duplicate"], again["result_id"]) == ("true", "true", result["result_id"])
        until(lambda: account.position(executed) == Decimal("0.2"), "closed", START_S)
        until(lambda: account.position(delayed) == 0, "closed", START_S)
        for symbol in (executed, delayed, planned):
            desk.until_open(symbol, START_S)
            desk.until_agreed(symbol)
        filled = {
            symbol: [one for one in account.sent(symbol) if Decimal(one[1]) > 0]
            for symbol in (executed, delayed, planned)
        }
        assert filled == {
            executed: [("BUY", "0.2"), ("SELL", "0.07")],
            delayed: [("BUY", "0.07")],
            planned: [("BUY", "0.1")],
        }
        until(lambda: desk.bus.pending() == 0, "acknowledged", START_S)
        desk.bus.execute(executed, "SELL", "0.20")
        assert desk.verify() > 0


def test_a_drift_made_while_nothing_ran_is_closed_at_the_next_start(tmp_path: Path, exchange: Exchange) -> None:
    """After an orderly end somebody trades; the next start holds, closes and releases, and events are not repeated."""
    account = exchange.account("solo")
    with a_house(tmp_path, exchange) as house:
        first = house.start()
        desk = house.desk("solo", account)
        desk.until_open("SYM001USDT")
        desk.heals("SYM001USDT", "BUY", "0.05")
        desk.until_open("SYM001USDT")
        never(lambda: desk.bus.hold("SYM001USDT"), "held again", 1.2)
        assert first.stop() == 0
        account.trade("SYM001USDT", "SELL", "0.07")
        house.start()
        desk = house.desk("solo", account)
        until(lambda: account.position("SYM001USDT") == 0, "closed", START_S)
        desk.until_open("SYM001USDT", START_S)
        assert account.sent("SYM001USDT") == [("SELL", "0.05"), ("BUY", "0.07")]
        numbers = [int(one["seq"]) for one in desk.bus.event_fields("SYM001USDT")]
        assert len(numbers) == len(set(numbers))


def test_an_embedded_bus_that_ends_comes_back_and_one_that_always_ends_stops_the_process(
    tmp_path: Path, exchange: Exchange
) -> None:
    """Its Valkey is killed and started again where it was: drifts heal on. Killed again and again, the process ends."""
    account = exchange.account("solo")
    with a_house(tmp_path, exchange) as house:
        first = house.start()
        desk = house.desk("solo", account)
        desk.until_open("SYM001USDT")
        killed: set[int] = set()
        kill_server(desk, killed)
        account.trade("SYM001USDT", "BUY", "0.07")
        until(lambda: account.position("SYM001USDT") == 0, "closed", START_S)
        until(lambda: is_answering(desk), "a bus")
        desk.until_open("SYM001USDT", START_S)
        desk.bus.execute("SYM001USDT", "BUY", "0.10")
        assert account.sent("SYM001USDT") == [("SELL", "0.07"), ("BUY", "0.1")]
        until(lambda: kill_server(desk, killed) and not first.is_running(), "the process gives up", 30.0)
        assert first.wait() not in {0, 2}
        assert "the embedded bus ended" in first.log() or "the bus server did not start" in first.log()


def is_answering(desk: Desk) -> bool:
    """Tell whether the bus answers."""
    try:
        return bool(desk.bus.redis.ping())
    except redis.RedisError:
        return False


def kill_server(desk: Desk, killed: set[int]) -> bool:
    """SIGKILL the bus if it answers and was not killed before; True, always: whoever waits waits for something else."""
    if is_answering(desk):
        server = int(str(desk.bus.redis.info("server")["process_id"]))
        if server not in killed:
            killed.add(server)
            os.kill(server, signal.SIGKILL)
    return True


def test_a_second_process_on_the_same_account_waits_and_takes_over(tmp_path: Path, exchange: Exchange) -> None:
    """Of two processes on one account the second waits for the lease, and goes on once the first has died."""
    account = exchange.account("solo")
    with a_bus(tmp_path / "bus") as bus_url, a_house(tmp_path, exchange, bus_url=bus_url) as house:
        first = house.start()
        desk = house.desk("solo", account)
        desk.until_open("SYM001USDT")
        house.start()
        for number in range(5):
            desk.bus.execute("SYM001USDT", "BUY", f"0.1{number}")
        desk.heals("SYM001USDT", "BUY", "0.07")
        first.kill()
        account.trade("SYM001USDT", "BUY", "0.09")
        until(lambda: account.position("SYM001USDT") == Decimal("0.6"), "closed by the second", START_S)
        desk.until_open("SYM001USDT", START_S)
        desk.bus.execute("SYM001USDT", "SELL", "0.60")
        assert len(account.orders("SYM001USDT")) == 8


def test_separate_processes_heal_together_and_refuse_alone(tmp_path: Path, exchange: Exchange) -> None:
    """Reconcile and apply apart heal a drift; without reconcile plans are refused, without apply holds stand."""
    account = exchange.account("solo")
    with a_bus(tmp_path / "bus") as bus_url, a_house(tmp_path, exchange, bus_url=bus_url) as house:
        reconcile, apply = house.start("reconcile"), house.start("apply")
        desk = house.desk("solo", account)
        desk.until_open("SYM001USDT")
        desk.bus.execute("SYM001USDT", "BUY", "0.20")
        desk.bus.execute("SYM001USDT", "SELL", "0.10")
        desk.heals("SYM001USDT", "BUY", "0.07")
        desk.until_open("SYM001USDT")

        apply.kill()
        account.trade("SYM002USDT", "SELL", "0.07")
        desk.until_held("SYM002USDT")
        until(lambda: desk.bus.plans("SYM002USDT"), "a close is planned")
        never(lambda: desk.bus.hold("SYM002USDT") is None, "released without a close", 1.0)
        assert account.orders("SYM002USDT") == []
        house.start("apply")
        until(lambda: account.position("SYM002USDT") == 0, "closed", START_S)
        desk.until_free("SYM002USDT")
        assert [one for one in account.sent("SYM002USDT") if Decimal(one[1]) > 0] == [("BUY", "0.07")]

        reconcile.kill()
        never(lambda: False, "", STAMP_AGE_S + 0.1)
        assert desk.bus.refusal("SYM001USDT") == "stamp_stale"
        account.trade("SYM001USDT", "BUY", "0.05")
        assert desk.bus.refusal("SYM001USDT") == "stamp_stale"
        until(lambda: desk.bus.fields("permit:state:SYM001USDT").get("state") != "ALLOW", "no ALLOW from the dead")
        house.start("reconcile")
        until(lambda: account.position("SYM001USDT") == Decimal("0.1"), "closed", START_S)
        desk.until_open("SYM001USDT", START_S)
        desk.bus.execute("SYM001USDT", "SELL", "0.10")


def test_a_frozen_reconciler_denies_and_a_frozen_apply_sends_nothing_late(tmp_path: Path, exchange: Exchange) -> None:
    """SIGSTOP of reconcile denies by silence; apply stopped and resumed executes no plan that grew old meanwhile."""
    account = exchange.account("solo")
    with a_bus(tmp_path / "bus") as bus_url, a_house(tmp_path, exchange, bus_url=bus_url) as house:
        reconcile, apply = house.start("reconcile"), house.start("apply")
        desk = house.desk("solo", account)
        desk.until_open("SYM001USDT")
        reconcile.freeze()
        never(lambda: False, "", STAMP_AGE_S + 0.1)
        assert desk.bus.refusal("SYM001USDT") == "stamp_stale"
        reconcile.thaw()
        desk.until_open("SYM001USDT", START_S)
        apply.freeze()
        entry_id = desk.bus.submit(new_plan("SYM001USDT", "BUY", "0.10", expires=str(10**12)))
        apply.thaw()
        assert desk.bus.result_of_entry(entry_id)["error"] == "stale_plan"
        assert account.orders("SYM001USDT") == []


# --- what keeps it from starting -----------------------------------------------------------------------------


def ends_at_start(folder: Path, url: str, plan: AccountPlan, environment: dict[str, str] | None = None) -> str:
    """Start, see it end with status 2 and nothing on standard output; what it said."""
    house = House(folder / "house", url, (plan,))
    house.environment |= environment or {}
    with pytest.raises(AssertionError) as refused:
        house.start()
    said = str(refused.value)
    assert "holdfast cannot start" in said
    assert "Traceback" not in said
    return said


def test_what_is_wrong_at_the_exchange_is_said_at_the_start(tmp_path: Path, exchange: Exchange) -> None:
    """A wrong position mode, wrong keys, an unknown symbol, an unreachable exchange: one clear line, nothing traded."""
    exchange.account("solo")
    exchange.account("hedged", hedge=True)
    mode = AccountPlan("hedged", "quantum", ("BTCUSDT",))
    assert "position_mode" in ends_at_start(tmp_path / "1", exchange.url, mode)
    wrong = {"T_SOLO_TRADE_SECRET": "nothing"}
    assert "refuses the key" in ends_at_start(tmp_path / "2", exchange.url, ONE, wrong)
    unknown = AccountPlan("solo", "quantum", ("NOSUCHUSDT",))
    assert "NOSUCHUSDT" in ends_at_start(tmp_path / "4", exchange.url, unknown)
    assert "check venue.rest_url" in ends_at_start(tmp_path / "5", "http://127.0.0.1:9", ONE)
    assert exchange.get("orders")["total"] == 0
