"""SqlJournal: the port `ports.journal.Journal`, over whatever runner it was given."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from holdfast.journal import leases
from holdfast.journal import statements as sql
from holdfast.journal.audit import verify_account
from holdfast.journal.batches import WriteJob
from holdfast.journal.reads import SqlReads
from holdfast.journal.steps import Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.domain.names import AccountId
    from holdfast.journal.backend import Session
    from holdfast.journal.batches import Accounts
    from holdfast.journal.runners import Runner
    from holdfast.ports.journal import Choice, Facts, Fence, Reads, Tx


class SqlJournal:
    """All accounts of one database."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def transact(
        self,
        account: AccountId,
        fence: Fence | None,
        *,
        read: Callable[[Reads], Facts],
        decide: Callable[[Facts], Choice],
        write: Callable[[Tx, Choice, Facts], None],
    ) -> Choice:
        """Run one step; returns after its commit is durable.

        A caller that is cancelled meanwhile learns nothing of the outcome: the step may have been committed.
        """
        step = Step(account, fence, read, decide, write)
        return cast("Choice", await self._runner.write(WriteJob(account, step.run)))

    async def query(self, account: AccountId, read: Callable[[Reads], Facts]) -> Facts:
        """Read one consistent state, not older than the last acknowledged transaction."""

        def run(session: Session) -> Facts:
            return read(SqlReads(session, account, None))

        return cast("Facts", await self._runner.read(run))

    async def now_ms(self) -> int:
        """The journal's clock."""
        return cast("int", await self._runner.read(lambda session: session.now_ms()))

    async def acquire(self, account: AccountId, service: str, owner: str, ttl_ms: int) -> Fence | None:
        """Take the lease with a new number; None while another owner holds it."""

        def run(session: Session, accounts: Accounts) -> Fence | None:
            return leases.acquire(session, accounts, account, service=service, owner=owner, ttl_ms=ttl_ms)

        return cast("Fence | None", await self._runner.write(WriteJob(account, run)))

    async def renew(self, fence: Fence, ttl_ms: int) -> None:
        """Prolong the lease, before every step that waits. Raises Fenced."""
        await self._runner.write_first(
            WriteJob(fence.account, lambda session, _accounts: leases.renew(session, fence, ttl_ms))
        )

    async def give_up(self, fence: Fence) -> None:
        """Free the lease for a successor."""
        await self._runner.write(WriteJob(fence.account, lambda session, _accounts: leases.give_up(session, fence)))

    async def accounts(self) -> tuple[AccountId, ...]:
        """Every account that has a row, sorted."""
        rows = await self._runner.read(lambda session: session.all(sql.ACCOUNTS, ()))
        return tuple(row[0] for row in rows)

    async def verify(self, account: AccountId) -> int:
        """Prove the account's chain and sums again (`audit`); the number of entries. Raises ChainBroken."""
        return cast("int", await self._runner.read_long(partial(verify_account, account=account)))

    async def close(self) -> None:
        """Finish what is queued, then end."""
        await self._runner.close()
