"""The hash chain: canonical text of an entry, its hash, the link to the one before.

    canonical   JSON of account, at_ms, body, hold_id, kind, plan_id, seq, symbol: keys sorted, no spaces, UTF-8
    hash        SHA-256 over (hash of the entry before, as 64 hexadecimal digits) || canonical, hexadecimal
    genesis     SHA-256 over "holdfast:" || account: what stands before entry 1

Anybody can recompute it: `json.dumps(..., sort_keys=True, separators=(",", ":"), ensure_ascii=False)` gives the same
text. The body is stored as the very text that was hashed.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from holdfast.domain.entry import Entry, EntryKind, JournaledEntry
from holdfast.domain.errors import ChainBroken, Unclassified
from holdfast.journal.rows import words_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.domain.entry import JsonValue
    from holdfast.journal.sql import Row

_KINDS = words_of(EntryKind)
_sorted_encoder = msgspec.json.Encoder(order="sorted")
_encoder = msgspec.json.Encoder()

ENTRY_COLUMNS = (
    "account",
    "seq",
    "at_ms",
    "kind",
    "symbol",
    "hold_id",
    "plan_id",
    "body",
    "prev_hash",
    "hash",
)


def genesis_hash(account: str) -> str:
    """What stands before the account's first entry."""
    return hashlib.sha256(f"holdfast:{account}".encode()).hexdigest()


def body_text(body: Mapping[str, JsonValue]) -> str:
    """The body as canonical JSON. Raises Unclassified for what it must not hold: a float, a Decimal, an object."""
    _check_plain(body)
    return _sorted_encoder.encode(body).decode()


def _check_plain(value: object) -> None:
    if value is None or isinstance(value, (str, int)):
        return
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise Unclassified(f"a journal body has a key that is no text: {key!r}")
            _check_plain(item)
    elif isinstance(value, list):
        for item in value:
            _check_plain(item)
    else:
        raise Unclassified(f"a journal body may not hold a {type(value).__name__}: {value!r}")


def hash_of(row: Row) -> str:
    """The hash that an entry's row must carry, from its other columns (in `ENTRY_COLUMNS` order)."""
    account, seq, at_ms, kind, symbol, hold_id, plan_id, body, prev_hash = row[:9]
    canonical = _encoder.encode(
        {
            "account": account,
            "at_ms": at_ms,
            "body": msgspec.Raw(body.encode()),
            "hold_id": hold_id,
            "kind": kind,
            "plan_id": plan_id,
            "seq": seq,
            "symbol": symbol,
        }
    )
    return hashlib.sha256(prev_hash.encode() + canonical).hexdigest()


def new_row(entry: Entry, seq: int, at_ms: int, prev_hash: str) -> Row:
    """The row of a new entry, hash included."""
    unhashed = (
        entry.account,
        seq,
        at_ms,
        entry.kind.value,
        entry.symbol,
        entry.hold_id,
        entry.plan_id,
        body_text(entry.body),
        prev_hash,
    )
    return (*unhashed, hash_of(unhashed))


def entry_of(row: Row) -> JournaledEntry:
    """Decode a row."""
    account, seq, at_ms, kind, symbol, hold_id, plan_id, body, prev_hash, own_hash = row
    decoded: dict[str, Any] = msgspec.json.decode(body)
    return JournaledEntry(
        seq, at_ms, Entry(_KINDS[kind], account, symbol, hold_id, plan_id, decoded), prev_hash, own_hash
    )


def check_link(row: Row, seq: int, prev_hash: str) -> str:
    """Check that the row is entry `seq`, follows `prev_hash` and hashes to what it says; return its hash.

    Raises ChainBroken naming `seq`.
    """
    account, found_seq = row[0], row[1]
    if found_seq != seq:
        raise ChainBroken(f"journal of {account}: entry {seq} is missing, {found_seq} stands in its place", seq)
    if row[8] != prev_hash:
        raise ChainBroken(f"journal of {account}: entry {seq} does not follow the one before it", seq)
    own_hash: str = row[9]
    if hash_of(row) != own_hash:
        raise ChainBroken(f"journal of {account}: entry {seq} was changed after it was written", seq)
    return own_hash
