"""Proves the journal again from what is on disk: the chain, its head, and the sums that other columns claim.

1. Entries 1 .. last_seq are all there, each follows the one before and hashes to what it says.
2. The last entry is the head that the account's row names.
3. Each leg's amount and version are the sum and the count of its moves, each move's `amt_after` included.
4. Each order's `booked_qty` is the sum of its fills.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING

from holdfast.domain.amounts import ZERO, format_amount
from holdfast.domain.errors import ChainBroken
from holdfast.journal import statements as sql
from holdfast.journal.chain import check_link, genesis_hash
from holdfast.journal.reads import load_account
from holdfast.journal.rows import leg_of
from holdfast.journal.writes import EXACT

if TYPE_CHECKING:
    from holdfast.domain.names import AccountId
    from holdfast.journal.backend import Session

TAIL_ENTRIES = 1_000
"""How many of an account's newest entries are proven at every open."""
_PAGE = 1_000


def verify_account(session: Session, account: AccountId) -> int:
    """All four proofs; the number of entries. Raises ChainBroken naming what is wrong."""
    count = _verify_chain(session, account, 0)
    _verify_ledgers(session, account)
    _verify_bookings(session, account)
    return count


def verify_tails(session: Session) -> None:
    """Proofs 1 and 2 over the last `TAIL_ENTRIES` of every account. Raises ChainBroken."""
    accounts = {row[0] for row in session.all(sql.ACCOUNTS, ())}
    found = ""
    while row := session.one(sql.ENTRY_ACCOUNT_AFTER, (found,)):  # an account may have lost its row
        found = row[0]
        accounts.add(found)
    for account in sorted(accounts):
        state = load_account(session, account)
        _verify_chain(session, account, max(state.last_seq - TAIL_ENTRIES, 0))


def _verify_chain(session: Session, account: AccountId, after_seq: int) -> int:
    """Entries after `after_seq`, whose own hash is taken as given."""
    state = load_account(session, account)
    seq, link = after_seq, genesis_hash(account)
    if after_seq > 0:
        row = session.one(sql.ENTRY_HASH, (account, after_seq))
        if row is None:
            raise ChainBroken(f"journal of {account}: entry {after_seq} is missing", after_seq)
        link = row[0]
    while rows := session.all(sql.ENTRIES_AFTER, (account, seq, _PAGE)):
        for row in rows:
            seq += 1
            link = check_link(row, seq, link)
    if seq != state.last_seq:
        raise ChainBroken(
            f"journal of {account}: it ends at entry {seq}, its head says {state.last_seq}",
            min(seq, state.last_seq) + 1,
        )
    if link != state.head_hash:
        raise ChainBroken(f"journal of {account}: entry {seq} is not the head that the account names", seq)
    return seq


def _verify_ledgers(session: Session, account: AccountId) -> None:
    proven: dict[tuple[str, str], tuple[Decimal, int]] = {}
    for key, moves in groupby(session.all(sql.MOVES, (account,)), key=lambda row: (row[0], row[1])):
        amt, version = ZERO, 0
        for _, _, move_version, delta, amt_after in moves:
            amt, version = EXACT.add(amt, Decimal(delta)), version + 1
            if move_version != version or Decimal(amt_after) != amt:
                raise ChainBroken(f"ledger of {account} {' '.join(key)}: move {version} is missing or was changed")
        proven[key] = (amt, version)
    for row in session.all(sql.LEGS, (account,)):
        leg = leg_of(row)
        amt, version = proven.pop((leg.leg.symbol, leg.leg.position_side.value), (ZERO, 0))
        if (leg.amt, leg.version) != (amt, version):
            raise ChainBroken(
                f"ledger of {account} {leg.leg.key}: {format_amount(leg.amt)} at version {leg.version}, "
                f"its moves say {format_amount(amt)} at version {version}"
            )
    if proven:
        raise ChainBroken(f"ledger of {account}: moves without a leg: {sorted(proven)}")


def _verify_bookings(session: Session, account: AccountId) -> None:
    fills: dict[str, Decimal] = {}
    for client_order_id, qty in session.all(sql.FILL_QUANTITIES, (account,)):
        fills[client_order_id] = EXACT.add(fills.get(client_order_id, ZERO), Decimal(qty))
    for client_order_id, booked in session.all(sql.ORDERS_BOOKED, (account,)):
        filled = fills.pop(client_order_id, ZERO)
        if Decimal(booked) != filled:
            raise ChainBroken(f"order {client_order_id} of {account}: {booked} booked, its fills say {filled}")
    if fills:
        raise ChainBroken(f"fills of {account} without an order: {sorted(fills)}")
