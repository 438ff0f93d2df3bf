"""Every queue has a bound, and what happens at it: nothing that must come is lost, nothing grows for ever."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.entry import Entry, EntryKind
from holdfast.domain.errors import Unclassified
from holdfast.domain.names import ClientOrderId, TradeId
from holdfast.lab.torture.loop import pass_ms, play
from holdfast.services import fills, publishing
from holdfast.services.fills import Fills
from holdfast.services.knocks import Knocks
from tests.unit.decide.samples import ACCOUNT, CLOSE, LEG, REPORT, TRADE
from tests.unit.services.world import new_world, running

if TYPE_CHECKING:
    from holdfast.domain.entry import JournaledEntry
    from holdfast.ports.journal import Tx
    from tests.unit.services.world import World


async def drifts(world: World, numbers: range) -> list[JournaledEntry]:
    """Journal so many events."""
    out: list[JournaledEntry] = []

    def write(tx: Tx) -> None:
        out.extend(tx.append(Entry(EntryKind.DRIFT, ACCOUNT, LEG.symbol, body={"number": each})) for each in numbers)

    await world.write(write)
    return out


def test_events_beyond_the_queue_are_read_from_the_journal_once_the_bus_is_back() -> None:
    """With a bus that is down for long, more events than the queue takes come in order, each at least once."""

    async def story() -> None:
        world = await new_world()
        publisher, more = world.reconcile_publisher, publishing.QUEUE_MAX + 700
        world.bus.down = True

        async with running(publisher.run_streams):
            await pass_ms(10)
            for start in range(0, more, 100):
                publisher.emit(await drifts(world, range(start, min(start + 100, more))))
            assert len(publisher._events) == publishing.QUEUE_MAX
            assert "events_wait" in world.log.events()
            world.bus.down = False
            await pass_ms(1_000)
        assert [event.entry.body["number"] for event in world.bus.events] == list(range(more))

    play(story)


def test_a_close_beyond_the_queue_is_not_announced_and_stays_in_the_journal() -> None:
    """The message only wakes apply; that it was not kept is said aloud."""

    async def story() -> None:
        world = await new_world()
        publisher = world.reconcile_publisher
        publisher.plan_closes([CLOSE] * (publishing.CLOSES_MAX + 3))
        assert len(publisher._closes) == publishing.CLOSES_MAX
        assert world.log.events().count("close_not_announced") == 3

    play(story)


def test_late_trades_that_nobody_books_end_the_service_instead_of_being_forgotten() -> None:
    """At the bound the next one raises: a start asks the venue for all of them."""
    name = ClientOrderId(f"hf-{'a' * 26}")
    taken, report = Fills(Knocks()), replace(REPORT, client_order_id=name)
    taken.keep_late(name, tuple(replace(TRADE, trade_id=TradeId(number)) for number in range(fills.LATE_MAX)), None)
    with pytest.raises(Unclassified, match="trades wait to be booked"):
        taken.on_trade(TRADE, report)


def test_words_on_orders_that_nobody_takes_do_not_grow_for_ever() -> None:
    """The oldest go; the newest is still there."""
    taken, name = Fills(Knocks()), "hf-{:026d}"
    for number in range(fills.REPORTS_MAX + 5):
        taken.on_order(replace(REPORT, client_order_id=ClientOrderId(name.format(number))))
    assert taken.take_report(ClientOrderId(name.format(4))) is None
    assert taken.take_report(ClientOrderId(name.format(fills.REPORTS_MAX + 4))) is not None
