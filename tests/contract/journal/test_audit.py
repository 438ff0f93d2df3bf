"""Tampering: whatever is changed in the database behind the journal's back is found and named."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.entry import Entry, EntryKind
from holdfast.domain.errors import ChainBroken
from holdfast.domain.ledger import MoveCause
from holdfast.domain.names import TradeId
from holdfast.journal.audit import TAIL_ENTRIES
from tests.contract.journal.samples import ACCOUNT, LEG, LONG, ORDER, TRADE, D, add_one, drift_entry, put

if TYPE_CHECKING:
    from holdfast.journal.store import SqlJournal
    from holdfast.ports.journal import Tx
    from tests.contract.journal.places import LastingPlace

ENTRIES = 20


async def _nothing(_journal: SqlJournal) -> None:
    """Opening alone is what is tested."""


async def _fill(journal: SqlJournal) -> None:
    def write(tx: Tx) -> None:
        for number in range(ENTRIES):
            tx.append(drift_entry(str(number)))
        for number in range(3):
            tx.move_ledger(LEG, D(1), MoveCause.FILL, str(number))
        tx.put_order(ORDER)
        tx.book_trade(TRADE, ORDER, D(0))
        tx.book_trade(replace(TRADE, trade_id=TradeId(501)), ORDER, D(0))

    await put(journal, write)


def test_whole_journal_is_verified(lasting_place: LastingPlace) -> None:
    """An untouched journal passes, and the number of its entries is returned."""

    async def body(journal: SqlJournal) -> int:
        await _fill(journal)
        return await journal.verify(ACCOUNT)

    assert lasting_place.run(body) == ENTRIES


@pytest.mark.parametrize(
    ("statement", "seq"),
    [
        ("UPDATE entry SET body = replace(body, '0.007', '0.008') WHERE seq = 7", 7),
        ("UPDATE entry SET at_ms = at_ms + 1 WHERE seq = 7", 7),
        ("UPDATE entry SET kind = 'AGREED' WHERE seq = 7", 7),
        ("UPDATE entry SET symbol = NULL WHERE seq = 7", 7),
        ("UPDATE entry SET hold_id = 'h-2' WHERE seq = 7", 7),
        ("UPDATE entry SET plan_id = 'p-2' WHERE seq = 7", 7),
        ("UPDATE entry SET prev_hash = hash WHERE seq = 7", 7),
        ("UPDATE entry SET hash = prev_hash WHERE seq = 7", 7),
        ("UPDATE entry SET account = 'x' WHERE seq = 7", 7),
        ("DELETE FROM entry WHERE seq = 7", 7),
        ("DELETE FROM entry WHERE seq = 1", 1),
        ("DELETE FROM entry WHERE seq = 20", 20),
        ("DELETE FROM entry WHERE seq > 15", 16),
        ("DELETE FROM entry", 1),
        ("UPDATE account SET last_seq = 19", 20),
        ("UPDATE account SET head_hash = 'x'", 20),
        ("DELETE FROM account", 1),
    ],
)
def test_changed_chain_is_found_by_audit_and_by_opening(lasting_place: LastingPlace, statement: str, seq: int) -> None:
    """A changed, dropped or added entry is named by `verify`, and the next open refuses as well."""

    async def tampered(journal: SqlJournal) -> None:
        await _fill(journal)
        assert lasting_place.tamper(statement) > 0
        with pytest.raises(ChainBroken) as caught:
            await journal.verify(ACCOUNT)
        assert caught.value.seq == seq

    lasting_place.run(tampered)
    with pytest.raises(ChainBroken) as caught:
        lasting_place.run(_nothing)
    assert caught.value.seq == seq or statement.startswith("UPDATE entry SET account")


def test_rewritten_tail_is_found_by_the_head(lasting_place: LastingPlace) -> None:
    """An entry that was replaced by another one with a valid hash does not match the head."""

    async def body(journal: SqlJournal) -> None:
        await _fill(journal)
        lasting_place.tamper("DELETE FROM entry WHERE seq = 20")
        lasting_place.tamper(
            "INSERT INTO entry SELECT account, 20, at_ms, kind, symbol, hold_id, plan_id, body, prev_hash, hash "
            "FROM entry WHERE seq = 19"
        )
        with pytest.raises(ChainBroken) as caught:
            await journal.verify(ACCOUNT)
        assert caught.value.seq == 20

    lasting_place.run(body)


def test_step_on_a_missing_head_is_refused(lasting_place: LastingPlace) -> None:
    """A step does not build on an account whose newest entry is gone or changed."""

    async def body(journal: SqlJournal) -> None:
        await _fill(journal)
        lasting_place.tamper("CREATE TABLE kept AS SELECT * FROM entry WHERE seq = 20")
        lasting_place.tamper("DELETE FROM entry WHERE seq = 20")
        with pytest.raises(ChainBroken, match="entry 20 is not the head"):
            await add_one(journal)
        lasting_place.tamper("INSERT INTO entry SELECT * FROM kept")
        lasting_place.tamper("UPDATE account SET last_seq = 19, head_hash = (SELECT prev_hash FROM kept)")
        with pytest.raises(ChainBroken, match="entry 20 stands after its head"):
            await add_one(journal)

    lasting_place.run(body)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE leg SET amt = '3.0001'",
        "UPDATE leg SET version = 4",
        "UPDATE ledger_move SET delta = '2' WHERE version = 2",
        "UPDATE ledger_move SET amt_after = '9' WHERE version = 2",
        "DELETE FROM ledger_move WHERE version = 3",
        "DELETE FROM ledger_move WHERE version = 1",
        "DELETE FROM ledger_move",
        "DELETE FROM leg",
        "UPDATE ledger_move SET position_side = 'LONG' WHERE version = 3",
    ],
)
def test_changed_ledger_is_found(lasting_place: LastingPlace, statement: str) -> None:
    """A leg that is not the sum and the count of its moves fails the audit."""

    async def body(journal: SqlJournal) -> None:
        await _fill(journal)
        assert lasting_place.tamper(statement) > 0
        with pytest.raises(ChainBroken, match="ledger of main"):
            await journal.verify(ACCOUNT)

    lasting_place.run(body)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE orders SET booked_qty = '0.001'",
        "UPDATE fill SET qty = '0.0011' WHERE trade_id = 501",
        "DELETE FROM fill WHERE trade_id = 501",
        "DELETE FROM fill",
        "DELETE FROM orders",
    ],
)
def test_changed_booking_is_found(lasting_place: LastingPlace, statement: str) -> None:
    """An order whose booked quantity is not the sum of its fills fails the audit."""

    async def body(journal: SqlJournal) -> None:
        await _fill(journal)
        assert lasting_place.tamper(statement) > 0
        with pytest.raises(ChainBroken, match=r"order|fills"):
            await journal.verify(ACCOUNT)

    lasting_place.run(body)


def test_opening_proves_the_tail_only(lasting_place: LastingPlace) -> None:
    """Opening proves the newest entries cheaply; an older change is left to the audit, which names it."""

    async def grow(journal: SqlJournal) -> None:
        entry = Entry(EntryKind.AGREED, ACCOUNT)
        await put(journal, lambda tx: [tx.append(entry) for _ in range(TAIL_ENTRIES + 10)])

    lasting_place.run(grow)
    lasting_place.tamper("UPDATE entry SET at_ms = 1 WHERE seq = 10")

    async def audit(journal: SqlJournal) -> None:
        with pytest.raises(ChainBroken, match="entry 10 was changed") as caught:
            await journal.verify(ACCOUNT)
        assert caught.value.seq == 10

    lasting_place.run(audit)
    lasting_place.tamper("UPDATE entry SET at_ms = 1 WHERE seq = 11")
    with pytest.raises(ChainBroken, match="entry 11 was changed"):
        lasting_place.run(_nothing)


def test_audit_runs_beside_steps(lasting_place: LastingPlace) -> None:
    """An audit sees one consistent state while steps go on."""

    async def body(journal: SqlJournal) -> None:
        async def write() -> None:
            for _ in range(100):
                await add_one(journal, leg=LONG)

        async def audit() -> list[int]:
            return [await journal.verify(ACCOUNT) for _ in range(10)]

        _, counts = await asyncio.gather(write(), audit())
        assert counts == sorted(counts)
        assert await journal.verify(ACCOUNT) == 100

    lasting_place.run(body)
