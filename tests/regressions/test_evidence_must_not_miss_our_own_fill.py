"""Point 14 of the older system: evidence that could never match, poll settings that crashed a service, silent purges.

There three formats of results existed and the repair knew none of them; a poll of half a second, as shipped, ended a
service; port 0 for metrics left messages stuck.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.entry import EntryKind
from tests.integration.exactly_once.stage import START_S, a_bus, a_house, first_result, sends, solo
from tests.whole.bus import new_plan
from tests.whole.exchange import Exchange
from tests.whole.program import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


SHORTEST_VIEW_AGE_MS = 1_767
"""The venue's weight lets one account's view be read every 267 ms, and one of them may fail."""


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    """A simulator of one's own."""
    with Exchange(tmp_path) as running:
        yield running


def test_a_fill_that_apply_never_saw_must_not_be_closed_as_foreign(tmp_path: Path, exchange: Exchange) -> None:
    """Apply dies with its order executed, its events are lost and trades lag: the ledger is repaired by trade id."""
    account, symbol = exchange.account("solo"), "SYM001USDT"
    with a_bus(tmp_path / "bus") as bus, a_house(tmp_path, exchange, bus_url=bus.url) as house:
        house.start("reconcile")
        apply = house.start("apply")
        desk = house.desk("solo", account)
        desk.until_open(symbol)
        faults = [
            account.arm("stream_drop", count=0, symbol=symbol),
            account.arm("stale_trades", count=0, symbol=symbol, delay_ms=2_500),
        ]
        slow = account.arm_order("reply_delay", symbol, delay_ms=900)
        plan = new_plan(symbol, "BUY", "0.10")
        desk.bus.submit(plan)
        until(lambda: slow.hits, "executed")
        apply.kill()
        until(lambda: "REPAIR" in desk.bus.events(symbol), "repaired", START_S)
        desk.until_agreed(symbol)
        for fault in faults:
            assert fault.hits > 0
            fault.disarm()
        (repair,) = desk.query(
            lambda reads: [
                each.entry.body for each in reads.entries_after(0, 10_000) if each.entry.kind is EntryKind.REPAIR
            ]
        )
        assert str(exchange.get("fills", account="solo", symbol=symbol)["fills"][0]["tradeId"]) in str(repair)

        house.start("apply")
        result = first_result(desk, plan)
        assert (result["executed"], result["filled_qty"]) == ("true", "0.1")
        desk.until_free(symbol)
        desk.until_open(symbol, START_S)
        assert Decimal(desk.bus.fields(f"position:ledger:{symbol}")["ledger_amt"]) == Decimal("0.1"), "booked twice"
        assert desk.bus.plans(symbol) == [], "an own fill was taken for drift"
        assert len(sends(exchange, symbol)) == 1
        desk.bus.execute(symbol, "SELL", "0.10")
        assert desk.verify() > 0


def test_poll_settings_must_not_crash_a_running_service(tmp_path: Path, exchange: Exchange) -> None:
    """At the shortest intervals plans trade and drift heals; what is too short is refused at the start, by its name."""
    account = exchange.account("solo")
    too_short = {"stamp_ms": solo(stamp_ms=20), "view_age_ms_max": solo(view_age_ms_max=500)}
    for name, plan in too_short.items():
        with a_house(tmp_path / name, exchange, plan=plan) as house, pytest.raises(AssertionError) as said:
            house.start()
        assert "cannot start" in str(said.value)
        assert name in str(said.value)
    shortest = solo(view_interval_ms=50, view_age_ms_max=SHORTEST_VIEW_AGE_MS, stamp_ms=125)
    with a_house(tmp_path, exchange, plan=shortest) as house:
        program = house.start()
        desk = house.desk("solo", account)
        desk.until_open("SYM001USDT")
        for side in ("BUY", "SELL"):
            desk.bus.execute("SYM001USDT", side, "0.10")
        desk.heals("SYM002USDT", "BUY", "0.07")
        until(lambda: desk.bus.pending() == 0, "nothing is stuck")
        assert program.said["metrics_url"]
        assert house.metrics()["holdfast_holds_without_next_step"] == 0
        assert program.is_running()
