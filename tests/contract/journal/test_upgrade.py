"""A journal that an older Holdfast wrote: it is brought up to date when it is opened, and nothing in it is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.domain.ledger import MoveCause
from tests.contract.journal.samples import ACCOUNT, HOLD, LEG, ORDER, TRADE, drift_entry, get, put

if TYPE_CHECKING:
    from holdfast.journal.store import SqlJournal
    from holdfast.ports.journal import Tx
    from tests.contract.journal.places import LastingPlace

ADDED_BY_0002 = ("cancel_at_ms", "cancel_why", "cancel_plans")


def _write_everything(tx: Tx) -> None:
    tx.append(drift_entry("0.001"))
    tx.put_hold(HOLD)
    tx.put_order(ORDER)
    tx.book_trade(TRADE, ORDER, TRADE.qty)
    tx.move_ledger(LEG, TRADE.qty, MoveCause.FILL, "trade 500")
    tx.put_plan(ORDER.plan_id, "hash", LEG.symbol, None)


def test_a_journal_of_the_first_schema_is_upgraded_with_all_that_it_holds(new_place: LastingPlace) -> None:
    """Orders, fills, holds, ledger and the chain of a 0001 journal stand as they were, and it can be written to."""

    async def fill(journal: SqlJournal) -> None:
        await put(journal, _write_everything)

    async def look(journal: SqlJournal) -> None:
        order = await get(journal, lambda reads: reads.order(ORDER.client_order_id))
        assert order == replace(ORDER, cancel=None, booked_qty=TRADE.qty)
        assert await get(journal, lambda reads: reads.open_holds(None)) == (HOLD,)
        assert (await get(journal, lambda reads: reads.leg(LEG))).amt == TRADE.qty
        assert await journal.verify(ACCOUNT) == 1

    async def write(journal: SqlJournal) -> None:
        await put(journal, lambda tx: tx.put_order(ORDER))
        order = await get(journal, lambda reads: reads.order(ORDER.client_order_id))
        assert order == replace(ORDER, booked_qty=TRADE.qty)

    new_place.run(fill)
    for name in ADDED_BY_0002:
        new_place.tamper(f"ALTER TABLE orders DROP COLUMN {name}")
    new_place.tamper("DROP TABLE foreign_order")
    new_place.tamper("UPDATE alembic_version SET version_num = '0001'")
    new_place.run(look)
    new_place.run(write)
