"""Steps: one transaction, one outcome, in order, undone as a whole."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.entry import Entry, EntryKind
from holdfast.domain.errors import BadAmount, JournalBusy, JournalLost, Unclassified
from holdfast.domain.ledger import MoveCause
from holdfast.domain.sides import PositionMode, TradingState
from holdfast.journal.groups import QUEUE_MAX
from tests.contract.journal.samples import (
    ACCOUNT,
    ALERT,
    BTC,
    HOLD,
    LEG,
    OTHER_ACCOUNT,
    PLAN_ID,
    REQUEST,
    D,
    add_one,
    drift_entry,
    get,
    put,
)

if TYPE_CHECKING:
    from holdfast.domain.ledger import LedgerState
    from holdfast.journal.store import SqlJournal
    from holdfast.ports.journal import Reads, Tx
    from tests.contract.journal.places import FilePlace, Place


def test_decision_is_returned_and_facts_reach_the_write(place: Place) -> None:
    """A step returns its decision, and its write gets the decision and the facts."""
    seen: list[object] = []

    async def body(journal: SqlJournal) -> str:
        return await journal.transact(
            ACCOUNT,
            None,
            read=lambda reads: reads.account().last_seq,
            decide=lambda seq: f"seq {seq}",
            write=lambda _tx, choice, facts: seen.extend((choice, facts)),
        )

    assert place.run(body) == "seq 0"
    assert seen == ["seq 0", 0]


@pytest.mark.parametrize("where", ["read", "decide", "write"])
def test_exception_in_a_step_undoes_it_and_reaches_its_caller(place: Place, where: str) -> None:
    """Whatever a step raises is raised to its caller, and nothing of the step stays."""

    def fail_in(part: str) -> None:
        if part == where:
            raise BadAmount(part)

    async def body(journal: SqlJournal) -> tuple[int, LedgerState, tuple[object, ...]]:
        def write(tx: Tx, _choice: None, _facts: None) -> None:
            tx.move_ledger(LEG, D(1), MoveCause.FILL, "x")
            tx.append(drift_entry())
            tx.set_stamp(5)
            fail_in("write")

        with pytest.raises(BadAmount, match=where):
            await journal.transact(
                ACCOUNT, None, read=lambda _: fail_in("read"), decide=lambda _: fail_in("decide"), write=write
            )
        account = await get(journal, lambda reads: reads.account())
        assert account.stamp_ms is None
        leg = await get(journal, lambda reads: reads.leg(LEG))
        return account.last_seq, leg, await get(journal, lambda reads: reads.entries_after(0, 10))

    last_seq, leg, entries = place.run(body)

    assert (last_seq, leg.amt, leg.version, entries) == (0, D(0), 0, ())


def test_failed_step_leaves_the_others_of_its_group_alone(place: Place) -> None:
    """Of steps that wait together, those that raise are undone and the others are committed."""

    async def body(journal: SqlJournal) -> list[object]:
        async def one(number: int) -> None:
            def write(tx: Tx) -> None:
                tx.move_ledger(LEG, D(1), MoveCause.FILL, str(number))
                tx.append(drift_entry(str(number)))
                if number % 3 == 0:
                    raise BadAmount(str(number))

            await put(journal, write)

        outcomes = await asyncio.gather(*(one(number) for number in range(30)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [
            BadAmount if number % 3 == 0 else type(None) for number in range(30)
        ]
        entries = await get(journal, lambda reads: reads.entries_after(0, 100))
        leg = await get(journal, lambda reads: reads.leg(LEG))
        assert (leg.amt, leg.version) == (D(20), 20)
        assert await journal.verify(ACCOUNT) == 20
        return [entry.entry.body["text"] for entry in entries]

    assert place.run(body) == [str(number) for number in range(30) if number % 3]


def test_concurrent_steps_of_an_account_are_serialised(place: Place) -> None:
    """Each of many concurrent steps sees what all committed ones before it wrote."""

    async def body(journal: SqlJournal) -> list[int]:
        return await asyncio.gather(*(add_one(journal) for _ in range(300)))

    assert sorted(place.run(body)) == list(range(300))


def test_query_sees_what_was_acknowledged(place: Place) -> None:
    """A query that follows an acknowledged step sees it, every time."""

    async def body(journal: SqlJournal) -> None:
        for number in range(50):
            await add_one(journal)
            assert (await get(journal, lambda reads: reads.leg(LEG))).amt == number + 1

    place.run(body)


def test_step_sees_its_own_writes(place: Place) -> None:
    """Inside a write, reads show what the step wrote so far, the account's row included."""

    async def body(journal: SqlJournal) -> None:
        def write(tx: Tx) -> None:
            tx.set_stamp(5)
            tx.append(drift_entry())
            assert (tx.account().stamp_ms, tx.account().last_seq) == (5, 1)
            tx.set_baseline(7, PositionMode.HEDGE)
            assert tx.account().head_hash == tx.entries_after(0, 1)[0].hash
            tx.put_hold(HOLD)
            assert tx.open_holds(BTC) == (HOLD,)

        await put(journal, write)

    place.run(body)


def test_steps_of_one_group_see_each_other(place: Place) -> None:
    """What one step did to the account's row is what the next step of the same group reads."""

    async def body(journal: SqlJournal) -> list[str]:
        async def one(number: int) -> str:
            return await journal.transact(
                ACCOUNT,
                None,
                read=lambda reads: reads.account().halt_detail,
                decide=lambda detail: detail,
                write=lambda tx, detail, _: tx.set_trading_state(TradingState.HALTED, f"{detail}{number}"),
            )

        return await asyncio.gather(*(one(number) for number in range(4)))

    assert place.run(body) == ["", "0", "01", "012"]


def test_entries_are_numbered_and_chained_by_public_arithmetic(place: Place) -> None:
    """Entries count 1, 2, 3 without a gap, and anybody can recompute each hash with the standard library."""

    async def body(journal: SqlJournal) -> None:
        await put(journal, lambda tx: [tx.append(drift_entry('ż \x01"\\/\u2028')), tx.append(drift_entry("b"))])
        await put(journal, lambda tx: tx.append(Entry(EntryKind.AGREED, ACCOUNT)))
        entries = await get(journal, lambda reads: reads.entries_after(0, 10))
        previous = hashlib.sha256(b"holdfast:main").hexdigest()
        for seq, kept in enumerate(entries, start=1):
            entry = kept.entry
            fields = {
                "seq": seq,
                "at_ms": place.clock.ms,
                "kind": entry.kind.value,
                "account": entry.account,
                "symbol": entry.symbol,
                "hold_id": entry.hold_id,
                "plan_id": entry.plan_id,
                "body": entry.body,
            }
            text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            assert (kept.seq, kept.prev_hash) == (seq, previous)
            previous = hashlib.sha256((previous + text).encode()).hexdigest()
            assert kept.hash == previous
        assert [kept.entry for kept in entries[:2]] == [drift_entry('ż \x01"\\/\u2028'), drift_entry("b")]
        assert (await get(journal, lambda reads: reads.account())).head_hash == previous

    place.run(body)


def test_append_returns_the_entry_as_it_stands(place: Place) -> None:
    """What `append` returns is what a later read finds."""

    async def body(journal: SqlJournal) -> None:
        appended: list[object] = []
        await put(journal, lambda tx: appended.append(tx.append(drift_entry("x"))))
        assert tuple(appended) == await get(journal, lambda reads: reads.entries_after(0, 10))

    place.run(body)


def test_one_step_has_one_time(place: Place) -> None:
    """The clock is read once a step, so that facts and entries of a step agree."""

    async def body(journal: SqlJournal) -> tuple[int, int, int]:
        start = place.clock.ms

        def read(reads: Reads) -> int:
            now = reads.now_ms()
            place.clock.ms += 50
            return now

        times: list[int] = []
        await journal.transact(
            ACCOUNT,
            None,
            read=read,
            decide=lambda now: now,
            write=lambda tx, _, __: times.append(tx.append(drift_entry()).at_ms),
        )
        return times[0] - start, await journal.now_ms() - start, 0

    assert place.run(body) == (0, 50, 0)


def test_body_that_is_not_plain_is_refused(place: Place) -> None:
    """A float, a Decimal or an object in an entry's body is refused, and the step is undone."""

    async def body(journal: SqlJournal) -> None:
        for bad in (0.1, D(1), object(), {"deep": [0.5]}, {1: "key"}):
            entry = Entry(EntryKind.DRIFT, ACCOUNT, body={"x": bad})  # type: ignore[dict-item]  # the point of the test
            with pytest.raises(Unclassified, match="journal body"):
                await put(journal, lambda tx, entry=entry: tx.append(entry))  # type: ignore[misc]  # lambda default
        assert (await get(journal, lambda reads: reads.account())).last_seq == 0

    place.run(body)


def test_step_can_not_touch_another_account(place: Place) -> None:
    """A step of one account that writes or reads another's leg, entry, request or alert is refused."""
    account = OTHER_ACCOUNT

    async def body(journal: SqlJournal) -> None:
        for touch in (
            lambda tx: tx.move_ledger(LEG, D(1), MoveCause.FILL, ""),
            lambda tx: tx.leg(LEG),
            lambda tx: tx.put_hold(HOLD),
            lambda tx: tx.append(drift_entry()),
            lambda tx: tx.put_request(REQUEST),
            lambda tx: tx.put_alert(ALERT),
        ):
            with pytest.raises(Unclassified, match="touched account main"):
                await put(journal, touch, account=account)
        assert await journal.accounts() == ()

    place.run(body)


def test_accounts_are_apart(place: Place) -> None:
    """Each account has its own chain, its own ids and its own row."""

    async def body(journal: SqlJournal) -> None:
        await put(journal, lambda tx: tx.append(drift_entry()))
        await put(journal, lambda tx: tx.append(Entry(EntryKind.AGREED, OTHER_ACCOUNT)), account=OTHER_ACCOUNT)
        await put(journal, lambda tx: tx.put_plan(PLAN_ID, "x", BTC, None), account=OTHER_ACCOUNT)
        assert await journal.accounts() == (ACCOUNT, OTHER_ACCOUNT)
        assert (await journal.verify(ACCOUNT), await journal.verify(OTHER_ACCOUNT)) == (1, 1)
        assert await get(journal, lambda reads: reads.plan(PLAN_ID)) is None

    place.run(body)


def test_stop_iteration_in_a_step_reaches_its_caller(place: Place) -> None:
    """A StopIteration, which no future can carry, is raised as Unclassified instead of hanging the caller."""

    async def body(journal: SqlJournal) -> None:
        with pytest.raises((Unclassified, RuntimeError)):
            await put(journal, lambda _tx: next(iter(())))
        await add_one(journal)

    place.run(body)


def test_full_queue_is_busy(file_place: FilePlace) -> None:
    """Above its bound the queue refuses with JournalBusy, and what it took is committed."""

    async def body(journal: SqlJournal) -> None:
        tasks = [asyncio.ensure_future(put(journal, lambda tx: tx.set_stamp(1))) for _ in range(QUEUE_MAX + 3)]
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [type(None)] * QUEUE_MAX + [JournalBusy] * 3
        await put(journal, lambda tx: tx.set_stamp(2))

    file_place.run(body)


def test_step_cancelled_before_it_began_never_runs(file_place: FilePlace) -> None:
    """A step whose caller is gone before its turn is dropped; its neighbours are committed."""

    async def body(journal: SqlJournal) -> tuple[object, ...]:
        def one(text: str) -> asyncio.Task[None]:
            return asyncio.ensure_future(put(journal, lambda tx: tx.append(drift_entry(text))))

        tasks = [one(text) for text in "abc"]
        await asyncio.sleep(0)  # the three are handed in, none has begun
        tasks[0].cancel()
        tasks[2].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return tuple(kept.entry.body["text"] for kept in await get(journal, lambda reads: reads.entries_after(0, 9)))

    assert file_place.run(body) == ("b",)


def test_close_finishes_what_is_queued_and_then_refuses(place: Place) -> None:
    """Closing waits for the steps handed in; later steps, queries and audits are refused."""

    async def body(journal: SqlJournal) -> None:
        tasks = [asyncio.ensure_future(add_one(journal)) for _ in range(20)]
        await asyncio.sleep(0)
        await asyncio.gather(journal.close(), journal.close())
        assert sorted(await asyncio.gather(*tasks)) == list(range(20))
        for late in (add_one(journal), journal.query(ACCOUNT, lambda _: None), journal.verify(ACCOUNT)):
            with pytest.raises(JournalLost, match="closed"):
                await late

    place.run(body)
