"""The chain's arithmetic: canonical text for any body, and a hash over every field."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.entry import Entry, EntryKind
from holdfast.domain.errors import ChainBroken, Unclassified
from holdfast.domain.names import AccountId, HoldId, PlanId, Symbol
from holdfast.journal.chain import body_text, check_link, entry_of, genesis_hash, hash_of, new_row

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_BODY = st.dictionaries(
    _TEXT,
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | _TEXT,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
        max_leaves=10,
    ),
    max_size=5,
)
_NAME = st.none() | _TEXT


def _stdlib(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@given(_BODY)
def test_body_text_is_what_the_standard_library_writes(body: dict[str, Any]) -> None:
    """For any body the stored text is the standard library's canonical JSON."""
    assert body_text(body) == _stdlib(body)


@given(_BODY, _TEXT, st.tuples(_NAME, _NAME, _NAME), st.integers(1, 10**9), st.integers(0, 10**13))
def test_hash_is_over_the_canonical_text(
    body: dict[str, Any], account: str, refs: tuple[str | None, str | None, str | None], seq: int, at_ms: int
) -> None:
    """For any entry the hash is SHA-256 over the previous hash and the canonical JSON of all its fields."""
    symbol, hold, plan = refs
    names = (
        None if symbol is None else Symbol(symbol),
        None if hold is None else HoldId(hold),
        None if plan is None else PlanId(plan),
    )
    entry = Entry(EntryKind.DRIFT, AccountId(account), *names, body)
    fields = {
        "seq": seq, "at_ms": at_ms, "kind": "DRIFT", "account": account,
        "symbol": symbol, "hold_id": hold, "plan_id": plan, "body": body,
    }  # fmt: skip
    previous = genesis_hash(account)

    row = new_row(entry, seq, at_ms, previous)

    assert row[9] == hashlib.sha256((previous + _stdlib(fields)).encode()).hexdigest()
    assert check_link(row, seq, previous) == row[9] == hash_of(row)
    kept = entry_of(row)
    assert (kept.entry, kept.seq, kept.at_ms, kept.prev_hash, kept.hash) == (entry, seq, at_ms, previous, row[9])


def test_every_column_is_under_the_hash() -> None:
    """Changing any one column of a row breaks its link."""
    row = new_row(Entry(EntryKind.FILL, AccountId("main"), Symbol("BTCUSDT"), body={"a": 1}), 5, 9, "0" * 64)
    for column in range(len(row)):
        changed = list(row)
        changed[column] = 4 if column in (1, 2) else '{"a":2}'
        with pytest.raises(ChainBroken) as caught:
            check_link(tuple(changed), 5, "0" * 64)
        assert caught.value.seq == 5


@pytest.mark.parametrize("bad", [0.5, float("nan"), b"x", {1, 2}, (1, 2), {"a": [1, {"b": 0.1}]}, {2: "x"}])
def test_what_is_not_plain_json_is_refused(bad: object) -> None:
    """Floats, bytes, sets, tuples and keys that are no text are refused at any depth."""
    with pytest.raises(Unclassified, match="journal body"):
        body_text({"x": bad})  # type: ignore[dict-item]  # the point of the test
