"""I7 where it is written: what a repair or a write-down adds to the ledger is the sum of the trades that it names."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.entry import EntryKind
from holdfast.domain.names import ClientOrderId, TradeId
from holdfast.domain.sides import PlanSide, Side
from holdfast.lab.torture.loop import pass_ms, play
from holdfast.ports.venue import Unknown
from tests.unit.decide.samples import LEG, ZERO, D
from tests.unit.services.test_healing import everything
from tests.unit.services.world import new_world, running

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.domain.entry import JournaledEntry
    from holdfast.domain.permit import Permit
    from tests.unit.services.world import World

MOVES = {EntryKind.REPAIR, EntryKind.WRITTEN_DOWN}
FORCED = ("autoclose-1", "adl_autoclose", "settlement_autoclose-1")
KINDS = ("own", "own", "lost", "foreign", "foreign", *FORCED)
END_MS = 60_000
"""How long everything may take to come to rest."""


def named(world: World, entry: JournaledEntry) -> Decimal:
    """The signed sum of the trades, not ours, that a ledger-moving line names, and of our own closes behind them."""
    evidence = entry.entry.body["evidence"]
    assert isinstance(evidence, dict)
    ids: set[object] = set()
    for kind in ("forced", "foreign", "undone"):
        listed = evidence[kind]
        assert isinstance(listed, list)
        ids.update(listed)
    return sum((t.signed_qty for t in world.venue.trade_list if t.trade_id in ids), ZERO)


async def check_moves(world: World) -> None:
    """Every move of the ledger that was no fill is the sum of what its line names."""
    entries = await world.query(lambda reads: reads.entries_after(0, 100_000))
    ledger, booked = ZERO, set[TradeId]()
    trades = {trade.trade_id: trade for trade in world.venue.trade_list}
    for entry in entries:
        body = entry.entry.body
        fills = body.get("trades")
        if entry.entry.kind in {EntryKind.FILL, EntryKind.REPAIR} and isinstance(fills, list):
            for fill in fills:
                assert isinstance(fill, dict)
                trade = trades[fill["trade_id"]]  # type: ignore[index]  # a journal's id is a number
                assert trade.trade_id not in booked, "booked twice"
                booked.add(trade.trade_id)
                order = await world.query(lambda reads, one=trade: reads.order_by_number(one.symbol, one.order_id))  # type: ignore[misc]  # lambda default
                assert order is not None
                ledger += ZERO if order.against_drift_qty else trade.signed_qty
        elif entry.entry.kind in MOVES:
            ledger += named(world, entry)
    assert ledger == (await world.ledger()).amt


async def come_to_rest(world: World) -> None:
    """Wait until nothing is under way and both agree."""
    for _ in range(END_MS // 250):
        await pass_ms(250)
        live = await world.query(lambda reads: reads.live_orders(None))
        ledger = await world.ledger()
        if not live and ledger.is_agreed and ledger.amt == world.venue.positions.get(LEG, ZERO):
            return
    raise AssertionError(f"not at rest: {await world.ledger()} {world.venue.positions} {await world.holds()}")


@pytest.mark.parametrize("seed", range(6))
def test_every_move_of_the_ledger_is_the_sum_of_what_it_names(seed: int) -> None:
    """Whatever is traded by us, by others and by force, with fills that get lost, it ends agreed, each move named."""
    dice = Random(seed)  # noqa: S311 - a fixed sample for a test, not a secret

    async def story() -> None:
        world = await new_world()
        async with running(*everything(world)):
            await pass_ms(1_000)
            for number in range(5):
                await act(world, dice.choice(KINDS), dice.choice([PlanSide.BUY, PlanSide.SELL]), dice, number)
                if dice.random() < 0.5:
                    await come_to_rest(world)
            await come_to_rest(world)
            await check_moves(world)

    play(story)


async def act(world: World, kind: str, side: PlanSide, dice: Random, number: int) -> None:
    """One of the parties trades."""
    held = world.venue.positions.get(LEG, ZERO)
    qty, name = D(dice.randint(1, 9)), f"p{number}"
    if kind == "own":
        await world.execute(world.plan(name, side, qty), f"{number}-0")
    elif kind == "lost":
        world.venue.stream_is_silent = True

        async def no_answer(permit: Permit) -> Unknown:
            world.venue.fill(permit)
            return Unknown("the answer was lost")

        world.venue.scripts.append(no_answer)
        await world.execute(world.plan(name, side, qty), f"{number}-0")
        world.venue.scripts.clear()
        world.venue.stream_is_silent = False
    elif kind == "foreign":
        world.venue.trade(LEG, Side.BUY if side is PlanSide.BUY else Side.SELL, qty, f"web_{number}")
    elif held != ZERO:
        opposite = Side.SELL if held > ZERO else Side.BUY
        world.venue.trade(LEG, opposite, min(qty, abs(held)), ClientOrderId(kind))
