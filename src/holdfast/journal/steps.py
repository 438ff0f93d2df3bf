"""Read, decide, write, under a fence: what `Journal.transact` runs inside a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic

from holdfast.domain.errors import Fenced
from holdfast.journal.leases import check_fence
from holdfast.journal.writes import SqlTx
from holdfast.ports.journal import Choice, Facts

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.domain.names import AccountId
    from holdfast.journal.backend import Session
    from holdfast.journal.batches import Accounts
    from holdfast.ports.journal import Fence, Reads, Tx


@dataclass(frozen=True, slots=True)
class Step(Generic[Facts, Choice]):
    """One step of one account."""

    account: AccountId
    fence: Fence | None
    read: Callable[[Reads], Facts]
    decide: Callable[[Facts], Choice]
    write: Callable[[Tx, Choice, Facts], None]

    def run(self, session: Session, accounts: Accounts) -> Choice:
        """Run it. Raises Fenced before anything is read if the fence is stale."""
        if self.fence is not None:
            if self.fence.account != self.account:
                raise Fenced(f"a fence of account {self.fence.account} was shown for {self.account}")
            check_fence(session, self.fence)
        tx = SqlTx(session, accounts.state(self.account))
        facts = self.read(tx)
        choice = self.decide(facts)
        self.write(tx, choice, facts)
        changed = tx.changed_account
        if changed is not None:
            accounts.keep(changed)
        return choice
