"""One account, two processes: the one that was stopped past its lease writes nothing more and sends nothing in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.domain.entry import EntryKind
from tests.integration.exactly_once.stage import START_S, a_bus, a_house, first_result, results_of, sends
from tests.whole.bus import new_plan
from tests.whole.program import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.whole.exchange import Exchange
    from tests.whole.services import Desk

TAKE_OVER_S = 25.0
"""The lease's five seconds, the successor's asking, and the fates that it proves, on a machine that is busy."""


def owners(desk: Desk) -> list[tuple[str, str, int]]:
    """Service, owner and number of every lease ever taken."""
    entries = desk.query(lambda reads: reads.entries_after(0, 10_000))
    bodies = [each.entry.body for each in entries if each.entry.kind is EntryKind.LEASE]
    return [(str(body["service"]), str(body["owner"]), int(str(body["number"]))) for body in bodies]


def test_a_process_stopped_past_its_lease_is_succeeded_and_ends_itself_when_it_goes_on(
    tmp_path: Path, exchange: Exchange
) -> None:
    """The successor proves the fate of what the stopped one sent; resumed, that one writes nothing and exits with 1."""
    account = exchange.account("solo")
    answered, held_back, other = "SYM001USDT", "SYM002USDT", "SYM003USDT"
    with a_bus(tmp_path / "bus") as bus, a_house(tmp_path, exchange, bus_url=bus.url) as house:
        first = house.start()
        desk = house.desk("solo", account)
        for symbol in (answered, held_back, other):
            desk.until_open(symbol)
        second = house.start()
        until(lambda: "stands by" in second.log(), "the second stands by")
        slow = account.arm_order("reply_delay", answered, delay_ms=900)
        late = account.arm_order("edge_delay", held_back, delay_ms=9_000)
        plans = {symbol: new_plan(symbol, "BUY", "0.10") for symbol in (answered, held_back)}
        for plan in plans.values():
            for _ in range(3):
                desk.bus.submit(plan)
        until(lambda: slow.hits and late.hits, "both requests left")
        first.freeze()

        until(lambda: owners(desk)[-1][2] == 2, "taken over", TAKE_OVER_S)
        done = first_result(desk, plans[answered])
        assert (done["executed"], done["filled_qty"]) == ("true", "0.1")
        given_up = first_result(desk, plans[held_back])
        assert (given_up["executed"], given_up["error"]) == ("false", "not_accepted")
        desk.until_open(other, START_S)
        desk.bus.execute(other, "BUY", "0.20")

        seen = len(owners(desk))
        first.thaw()
        assert first.wait() == 1
        assert "holdfast stopped: " in first.log()
        assert "lease" in first.log().splitlines()[-1]
        assert len(owners(desk)) == seen
        desk.bus.execute(other, "SELL", "0.20")
        for symbol, plan in plans.items():
            again = desk.bus.ask(plan)
            assert (again["duplicate"], again["result_id"]) == ("true", results_of(desk, plan)[0]["result_id"])
            assert len({one["executed"] for one in results_of(desk, plan)}) == 1
            until(lambda: sends(exchange, symbol), "its one request arrived")  # noqa: B023 - called at once
            assert len(sends(exchange, symbol)) == 1
        assert account.sent(answered) == [("BUY", "0.1")]
        assert account.sent(held_back) == [], "a request that came after its window was executed"
        assert account.sent(other) == [("BUY", "0.2"), ("SELL", "0.2")]
        assert second.is_running()
        assert desk.verify() > 0
