"""Leases and fences: one process an account's service, proven by a number that only grows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.entry import EntryKind
from holdfast.domain.errors import Fenced
from holdfast.ports.journal import Fence
from tests.contract.journal.samples import ACCOUNT, LEG, OTHER_ACCOUNT, add_one, get, put

if TYPE_CHECKING:
    from holdfast.journal.store import SqlJournal
    from tests.contract.journal.places import Place


async def _take(journal: SqlJournal, owner: str, ttl_ms: int = 1_000) -> Fence:
    fence = await journal.acquire(ACCOUNT, "apply", owner, ttl_ms)
    assert fence is not None
    return fence


def test_lease_excludes_others_until_it_runs_out(place: Place) -> None:
    """Another owner gets nothing while the lease lasts, and a higher number at the moment it ends."""

    async def body(journal: SqlJournal) -> None:
        first = await _take(journal, "one")
        place.clock.ms += 999
        assert await journal.acquire(ACCOUNT, "apply", "two", 1_000) is None
        place.clock.ms += 1
        second = await _take(journal, "two")
        assert (first.number, second.number) == (1, 2)

    place.run(body)


def test_services_and_accounts_have_their_own_leases(place: Place) -> None:
    """One account's apply, its reconcile, and another account's apply do not exclude each other."""

    async def body(journal: SqlJournal) -> None:
        fences = [
            await journal.acquire(account, service, f"{account}-{service}", 1_000)
            for account in (ACCOUNT, OTHER_ACCOUNT)
            for service in ("apply", "reconcile")
        ]
        assert [fence.number for fence in fences if fence is not None] == [1, 1, 1, 1]

    place.run(body)


def test_renewed_lease_lasts_from_the_renewal_on(place: Place) -> None:
    """A renewal counts from its own moment."""

    async def body(journal: SqlJournal) -> None:
        fence = await _take(journal, "one")
        place.clock.ms += 900
        await journal.renew(fence, 1_000)
        place.clock.ms += 900
        assert await journal.acquire(ACCOUNT, "apply", "two", 1_000) is None

    place.run(body)


def test_lease_that_ran_out_untaken_may_be_renewed(place: Place) -> None:
    """A late renewal works as long as nobody took the lease, and excludes others again."""

    async def body(journal: SqlJournal) -> None:
        fence = await _take(journal, "one")
        place.clock.ms += 5_000
        await journal.renew(fence, 1_000)
        await add_one(journal, fence)
        assert await journal.acquire(ACCOUNT, "apply", "two", 1_000) is None

    place.run(body)


def test_superseded_holder_is_fenced_everywhere(place: Place) -> None:
    """Once another took the lease, the former holder's steps and renewals raise Fenced and change nothing."""

    async def body(journal: SqlJournal) -> None:
        old = await _take(journal, "one")
        place.clock.ms += 1_000
        new = await _take(journal, "two")
        with pytest.raises(Fenced):
            await add_one(journal, old)
        with pytest.raises(Fenced):
            await journal.renew(old, 1_000)
        await journal.give_up(old)
        await add_one(journal, new)
        assert (await get(journal, lambda reads: reads.leg(LEG))).version == 1

    place.run(body)


def test_fence_is_checked_before_anything_of_the_step_runs(place: Place) -> None:
    """A stale fence stops the step before its first read."""

    async def body(journal: SqlJournal) -> None:
        ran: list[str] = []
        stale = Fence(ACCOUNT, "apply", 7)
        with pytest.raises(Fenced, match="fence 7 is stale"):
            await journal.transact(
                ACCOUNT,
                stale,
                read=lambda _: ran.append("read"),
                decide=lambda _: ran.append("decide"),
                write=lambda _tx, _c, _f: ran.append("write"),
            )
        assert ran == []

    place.run(body)


def test_fence_of_another_account_is_refused(place: Place) -> None:
    """A fence proves nothing for an account that is not its own."""

    async def body(journal: SqlJournal) -> None:
        fence = await _take(journal, "one")
        with pytest.raises(Fenced, match="shown for other"):
            await put(journal, lambda tx: tx.set_stamp(1), fence=fence, account=OTHER_ACCOUNT)

    place.run(body)


def test_given_up_lease_is_free_at_once_and_its_fence_is_stale(place: Place) -> None:
    """After giving up, a successor gets a higher number at once, and the old fence proves nothing."""

    async def body(journal: SqlJournal) -> None:
        old = await _take(journal, "one", 60_000)
        await journal.give_up(old)
        with pytest.raises(Fenced):
            await add_one(journal, old)
        with pytest.raises(Fenced):
            await journal.renew(old, 1_000)
        assert (await _take(journal, "two")).number == old.number + 1

    place.run(body)


def test_same_owner_takes_a_new_number_without_waiting(place: Place) -> None:
    """An owner that starts again gets its lease at once, under a new number that fences its former self."""

    async def body(journal: SqlJournal) -> None:
        old = await _take(journal, "one")
        new = await _take(journal, "one")
        assert new.number == old.number + 1
        with pytest.raises(Fenced):
            await add_one(journal, old)

    place.run(body)


def test_clock_that_jumped_back_does_not_make_a_lease_immortal(place: Place) -> None:
    """A lease with more time left than it was ever given counts as run out."""

    async def body(journal: SqlJournal) -> None:
        await _take(journal, "one")
        place.clock.ms -= 3_600_000
        assert (await _take(journal, "two")).number == 2

    place.run(body)


def test_one_of_many_concurrent_takers_wins(place: Place) -> None:
    """Of concurrent takers exactly one gets the lease."""

    async def body(journal: SqlJournal) -> None:
        takers = (journal.acquire(ACCOUNT, "apply", f"owner-{number}", 1_000) for number in range(20))
        fences = [fence for fence in await asyncio.gather(*takers) if fence is not None]
        assert [fence.number for fence in fences] == [1]

    place.run(body)


def test_every_taking_is_journaled(place: Place) -> None:
    """Each new number is an entry that names service, owner and number; a refusal is none."""

    async def body(journal: SqlJournal) -> None:
        await _take(journal, "one")
        await journal.acquire(ACCOUNT, "apply", "two", 1_000)
        place.clock.ms += 1_000
        await _take(journal, "two")
        entries = [kept.entry for kept in await get(journal, lambda reads: reads.entries_after(0, 9))]
        assert [(entry.kind, entry.body["owner"], entry.body["number"]) for entry in entries] == [
            (EntryKind.LEASE, "one", 1),
            (EntryKind.LEASE, "two", 2),
        ]

    place.run(body)


def test_step_without_a_fence_is_allowed(place: Place) -> None:
    """The command line's steps need no lease, whoever holds one."""

    async def body(journal: SqlJournal) -> None:
        await _take(journal, "one")
        await add_one(journal, None)
        assert (await get(journal, lambda reads: reads.leg(LEG))).version == 1

    place.run(body)
