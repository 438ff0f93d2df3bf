"""Must not happen again: a resting reduce-only order uses the position up, and every close of it is refused (-4118)."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.operator import RequestKind, RequestState
from holdfast.sim.core.knobs import ReduceOnlyConflict
from tests.whole.bus import new_plan
from tests.whole.program import until

if TYPE_CHECKING:
    from tests.whole.shared import World


@pytest.mark.parametrize("refusal", [ReduceOnlyConflict.REFUSE_2022, ReduceOnlyConflict.REFUSE_4118])
def test_a_close_finds_its_leg_free(world: World, refusal: ReduceOnlyConflict) -> None:
    """The venue refuses a close beside a full-size exit by either code; the exit is cancelled first."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    desk.bus.execute(symbol, "BUY", "0.50")
    desk.until_agreed(symbol)
    exit_plan = new_plan(symbol, "close", "0.50", type="LIMIT", price="101.00", reduceOnly="true")
    entry_id = desk.bus.submit(exit_plan)
    until(lambda: desk.exchange.orders(symbol)[-1]["status"] == "NEW", "the exit rests")
    world.exchange.post("knobs", reduce_only_conflict=refusal.value)
    try:
        desk.heals(symbol, "BUY", "0.30")
    finally:
        world.exchange.post("knobs", reduce_only_conflict=ReduceOnlyConflict.REFUSE_2022.value)
    assert desk.exchange.position(symbol) == Decimal("0.5")
    assert desk.bus.result_of_entry(entry_id)["error"] == "canceled"
    assert "CLOSE_REFUSED" not in desk.bus.events(symbol)
    assert "CLOSE_FAILED" not in desk.bus.events(symbol)
    desk.until_agreed(symbol)


def test_an_operators_close_finds_its_leg_free_too(world: World) -> None:
    """A person who closes everything is not refused because an exit rests."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    desk.bus.execute(symbol, "BUY", "0.50")
    desk.until_agreed(symbol)
    exit_plan = new_plan(symbol, "close", "0.50", type="LIMIT", price="101.00", reduceOnly="true")
    entry_id = desk.bus.submit(exit_plan)
    until(lambda: desk.exchange.orders(symbol)[-1]["status"] == "NEW", "the exit rests")
    assert desk.order(RequestKind.CLOSE, symbol).state is RequestState.DONE
    assert desk.exchange.position(symbol) == 0
    assert desk.bus.result_of_entry(entry_id)["error"] == "canceled"
