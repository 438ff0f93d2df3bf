"""The bus may be lost: no plan is executed twice, nothing is permitted meanwhile, and everything is published again."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

import redis

from holdfast.domain.names import AccountId, PlanId, client_order_id
from tests.integration.exactly_once.stage import START_S, a_bus, a_house, order_requests, sends, solo
from tests.whole.bus import new_plan
from tests.whole.program import never, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.whole.exchange import Exchange
    from tests.whole.services import Desk

TRADED = ("SYM001USDT", "SYM003USDT", "SYM004USDT")
HELD = "SYM002USDT"
BACK_S = 2.0
"""Holds and ledger stand on the bus again this soon after it came back."""


@dataclass
class Traffic:
    """Plans handed in as fast as they go, and what was heard of them."""

    desk: Desk
    plans: dict[str, dict[str, str]] = field(default_factory=dict)
    heard: dict[str, dict[str, str]] = field(default_factory=dict)

    def submit(self, count: int) -> None:
        """Hand in `count` plans on each symbol; whether a bus that is gone took one is not known, and need not be."""
        for number in range(count):
            for symbol in TRADED:
                plan = new_plan(symbol, ("BUY", "SELL")[number % 2], "0.10")
                self.plans[plan["plan_id"]] = plan
                try:
                    self.desk.bus.submit(plan)
                except redis.RedisError:
                    continue

    def hear(self) -> None:
        """Keep the first result of every plan."""
        for one in self.desk.bus.results():
            self.heard.setdefault(one["plan_id"], one)

    def settle(self, exchange: Exchange) -> None:
        """Hand every plan in again: each has one outcome, the one heard before, and it is the exchange's."""
        entries = {name: self.desk.bus.submit({**plan}) for name, plan in self.plans.items()}
        account = AccountId(self.desk.exchange.name)
        requests = {symbol: sends(exchange, symbol) for symbol in TRADED}
        for name, plan in self.plans.items():
            result = self.desk.bus.result_of_entry(entries[name], START_S)
            executed = result["executed"] == "true"
            order = client_order_id(account, PlanId(name))
            if order not in requests[plan["symbol"]]:
                requests[plan["symbol"]] = sends(exchange, plan["symbol"])
            assert requests[plan["symbol"]].count(order) == int(executed), (plan, result)
            first = self.heard.get(name)
            if first is not None:
                assert (result["result_id"], result["executed"]) == (first["result_id"], first["executed"]), plan
        assert any(requests.values())
        for symbol in TRADED:
            accepted = [one["clientOrderId"] for one in self.desk.exchange.orders(symbol)]
            assert len(accepted) == len(set(accepted))
            self.desk.until_agreed(symbol)


def is_filled(desk: Desk, hold_id: str) -> bool:
    """Tell whether hold and ledgers stand on the bus."""
    try:
        ledgers = [desk.bus.fields(f"position:ledger:{symbol}") for symbol in TRADED]
        return desk.bus.hold(HELD) == hold_id and all(ledgers)
    except redis.RedisError:
        return False


def back_within(desk: Desk, hold_id: str) -> None:
    """Everything is published again in time, and the hold was closed all the while."""
    began = time.monotonic()
    until(lambda: is_filled(desk, hold_id), "published again", START_S)
    took = time.monotonic() - began
    assert took < BACK_S, f"published again after {took:.2f} s"
    assert desk.bus.refusal(HELD) == "hold_active"


def held(desk: Desk) -> str:
    """A drift that stays, because closes are switched off; its hold. The traded symbols are open."""
    for symbol in (HELD, *TRADED):
        desk.until_open(symbol)
    desk.exchange.trade(HELD, "BUY", "0.07")
    return desk.until_held(HELD)


def test_a_bus_that_is_wiped_or_gone_for_seconds_costs_no_order_and_no_hold(tmp_path: Path, exchange: Exchange) -> None:
    """FLUSHALL in mid-traffic, then SIGKILL and three seconds without a server: every plan keeps its one outcome."""
    account = exchange.account("solo")
    with (
        a_bus(tmp_path / "bus") as bus,
        a_house(tmp_path, exchange, plan=solo(reconcile_close="off"), bus_url=bus.url) as house,
    ):
        program = house.start()
        desk = house.desk("solo", account)
        hold_id = held(desk)
        traffic = Traffic(desk)
        traffic.submit(8)
        until(desk.bus.results, "some results")
        traffic.hear()
        desk.bus.redis.flushall()
        back_within(desk, hold_id)
        traffic.settle(exchange)

        traffic.submit(8)
        until(lambda: len(desk.bus.results()) > len(traffic.heard), "some results")
        traffic.hear()
        bus.kill()
        never(lambda: False, "", 0.7)
        asked = len(order_requests(exchange))
        traffic.submit(1)
        never(lambda: len(order_requests(exchange)) > asked, "an order was sent without a bus", 2.3)
        bus.come_back_empty()
        back_within(desk, hold_id)
        traffic.settle(exchange)
        assert account.position(HELD) == Decimal("0.07")
        assert program.is_running()
        assert desk.verify() > 0


def test_an_embedded_bus_killed_in_mid_traffic_costs_no_order_and_no_hold(tmp_path: Path, exchange: Exchange) -> None:
    """SIGKILL of the server that runs beside the services: it is started again, and every plan has one outcome."""
    account = exchange.account("solo")
    with a_house(tmp_path, exchange, plan=solo(reconcile_close="off")) as house:
        program = house.start()
        desk = house.desk("solo", account)
        hold_id = held(desk)
        traffic = Traffic(desk)
        traffic.submit(8)
        until(desk.bus.results, "some results")
        traffic.hear()
        os.kill(int(str(desk.bus.redis.info("server")["process_id"])), signal.SIGKILL)
        until(lambda: "bus_restarted" in program.log(), "started again", START_S)
        back_within(desk, hold_id)
        traffic.settle(exchange)
        assert program.is_running()
        assert desk.verify() > 0
