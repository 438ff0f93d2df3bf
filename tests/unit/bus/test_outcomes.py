"""Results and events, between the domain and stream fields."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from holdfast.bus.outcomes import decode_result, encode_event, encode_result
from holdfast.domain.entry import Entry, EntryKind, JournaledEntry
from holdfast.domain.errors import BadPlan
from holdfast.domain.names import AccountId, HoldId, Symbol
from holdfast.domain.plan import PlanResult

FILLED = PlanResult(
    result_id="r-1",
    plan_id="p-1",
    entry_id="1-0",
    symbol="BTCUSDT",
    decision="EXECUTE",
    executed=True,
    status="FILLED",
    error="",
    detail="",
    filled_qty=Decimal("0.0030"),
    avg_price=Decimal("64000.50"),
    client_order_id="hf-abc",
    order_id=77,
    duplicate=False,
    timestamp_ms=1_700_000_000_123,
)
REFUSED = replace(
    FILLED,
    executed=False,
    status="REFUSED",
    error="hold_active",
    detail="hold h-1 stands",
    filled_qty=Decimal(0),
    avg_price=None,
    client_order_id="",
    order_id=None,
    duplicate=True,
)


def pairs_of(flat: tuple[bytes, ...]) -> dict[str, str]:
    """Names and values as text."""
    return {name.decode(): value.decode() for name, value in zip(flat[::2], flat[1::2], strict=True)}


def test_a_result_has_exactly_the_fields_of_the_contract() -> None:
    """The fourteen fields stand in their order, then `detail`; amounts are plain decimals, booleans lower case."""
    assert list(pairs_of(encode_result(FILLED)).items()) == [
        ("result_id", "r-1"),
        ("plan_id", "p-1"),
        ("entry_id", "1-0"),
        ("symbol", "BTCUSDT"),
        ("decision", "EXECUTE"),
        ("executed", "true"),
        ("status", "FILLED"),
        ("error", ""),
        ("filled_qty", "0.003"),
        ("avg_price", "64000.5"),
        ("client_order_id", "hf-abc"),
        ("order_id", "77"),
        ("duplicate", "false"),
        ("timestamp", "1700000000123"),
        ("detail", ""),
    ]


def test_what_is_missing_is_an_empty_string() -> None:
    """Missing price and order number are empty, never 0 or None."""
    pairs = pairs_of(encode_result(REFUSED))
    assert (pairs["avg_price"], pairs["order_id"], pairs["client_order_id"]) == ("", "", "")


@pytest.mark.parametrize("result", [FILLED, REFUSED])
def test_a_result_is_read_back(result: PlanResult) -> None:
    """Encoding a result and decoding it gives the same result."""
    flat = encode_result(result)
    assert decode_result(dict(zip(flat[::2], flat[1::2], strict=True))) == result


def test_a_refusal_without_a_reason_is_published_as_internal() -> None:
    """A result never says executed=false without an error, whatever was handed in."""
    assert pairs_of(encode_result(replace(REFUSED, error="")))["error"] == "internal"


def test_a_text_that_utf8_cannot_hold_is_still_written() -> None:
    """Half of a surrogate pair in the venue's words does not stop the result."""
    assert pairs_of(encode_result(replace(REFUSED, detail="\ud800!" + "x" * 5_000)))["detail"] == "?!" + "x" * 998


@pytest.mark.parametrize(
    "fields",
    [{}, {b"executed": b"maybe"}, {b"executed": b"1", b"duplicate": b"0", b"order_id": b"x"}, {b"plan_id": b"\xff"}],
)
def test_what_is_no_result_is_refused(fields: dict[bytes, bytes]) -> None:
    """An entry on the result stream that nobody of ours wrote raises BadPlan."""
    with pytest.raises(BadPlan):
        decode_result(fields)


def test_an_event_carries_the_entry() -> None:
    """A journal entry stands on the stream with kind, sequence, names and its body as JSON."""
    entry = Entry(
        EntryKind.HOLD_SET, AccountId("main"), Symbol("BTCUSDT"), HoldId("h-1"), body={"drift": "0.007", "ok": True}
    )
    pairs = pairs_of(encode_event(JournaledEntry(7, 1_700_000_000_123, entry, "aa", "bb")))
    assert json.loads(pairs.pop("body")) == {"drift": "0.007", "ok": True}
    assert pairs == {
        "event": "HOLD_SET",
        "seq": "7",
        "account": "main",
        "symbol": "BTCUSDT",
        "hold_id": "h-1",
        "plan_id": "",
        "timestamp": "1700000000123",
        "hash": "bb",
    }
