"""Leases: which process is an account's one `apply` or `reconcile`, proven by a number that only grows.

A lease runs out by the journal's clock. A clock that jumped back can not make it immortal: one with more left than
its own length counts as run out. Taking it too early is safe, because the number fences the former holder.

    row                          acquire by anybody      renew / a step with number n
    none                         number 1                Fenced
    number n, time left          None (same owner: n+1)  allowed
    number n, ran out            n+1                     allowed (nobody took it)
    number n, given up           n+1                     Fenced
    number above n               as above                Fenced
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from holdfast.domain.entry import Entry, EntryKind
from holdfast.domain.errors import Fenced
from holdfast.journal import statements as sql
from holdfast.journal.writes import SqlTx
from holdfast.ports.journal import Fence

if TYPE_CHECKING:
    from holdfast.domain.names import AccountId
    from holdfast.journal.backend import Session
    from holdfast.journal.batches import Accounts

_NOBODY = ""


class _Lease(NamedTuple):
    owner: str
    number: int
    expires_ms: int
    ttl_ms: int

    def is_held(self, now_ms: int) -> bool:
        """Tell whether time is left, and not more than was ever given."""
        return self.owner != _NOBODY and 0 < self.expires_ms - now_ms <= self.ttl_ms


def _find(session: Session, account: AccountId, service: str) -> _Lease | None:
    row = session.one(sql.LEASE, (account, service))
    return None if row is None else _Lease(*row)


def check_fence(session: Session, fence: Fence) -> _Lease:
    """The lease that the fence proves. Raises Fenced if another took it or it was given up."""
    lease = _find(session, fence.account, fence.service)
    if lease is None or lease.number != fence.number or lease.owner == _NOBODY:
        standing = "none" if lease is None else f"number {lease.number} of {lease.owner or 'nobody'}"
        raise Fenced(f"{fence.service} of {fence.account}: fence {fence.number} is stale, the lease is {standing}")
    return lease


def acquire(
    session: Session, accounts: Accounts, account: AccountId, *, service: str, owner: str, ttl_ms: int
) -> Fence | None:
    """Take the lease with a new number and journal it; None while another holds it."""
    tx = SqlTx(session, accounts.state(account))
    now_ms = tx.now_ms()
    lease = _find(session, account, service)
    if lease is not None and lease.owner != owner and lease.is_held(now_ms):
        return None
    number = 1 if lease is None else lease.number + 1
    session.run(sql.LEASE_PUT, (account, service, owner, number, now_ms + ttl_ms, ttl_ms))
    tx.append(Entry(EntryKind.LEASE, account, body={"service": service, "owner": owner, "number": number}))
    changed = tx.changed_account
    if changed is not None:
        accounts.keep(changed)
    return Fence(account, service, number)


def renew(session: Session, fence: Fence, ttl_ms: int) -> None:
    """Prolong the lease from now on. Raises Fenced."""
    lease = check_fence(session, fence)
    expires_ms = session.now_ms() + ttl_ms
    session.run(sql.LEASE_PUT, (fence.account, fence.service, lease.owner, fence.number, expires_ms, ttl_ms))


def give_up(session: Session, fence: Fence) -> None:
    """Free the lease; its number stays, so that the next one is higher. Another's lease is left alone."""
    lease = _find(session, fence.account, fence.service)
    if lease is not None and lease.number == fence.number:
        session.run(sql.LEASE_PUT, (fence.account, fence.service, _NOBODY, fence.number, 0, 0))
