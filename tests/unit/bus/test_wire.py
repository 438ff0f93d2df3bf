"""Plans between stream fields and the domain: every defect has its own code, and no bytes make the decoder raise."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.bus.wire import (
    ENTRY_BYTES_MAX,
    FIELDS_MAX,
    checked_plan,
    decode_entry,
    decode_plan,
    encode_plan,
)
from holdfast.domain.close import Close, CloseState, plan_of_close
from holdfast.domain.errors import BadPlan
from holdfast.domain.names import AccountId, HoldId, PlanId, Symbol
from holdfast.domain.plan import CloseClaim, Plan, PlanEntry
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Decision, Leg, OrderType, PlanSide, PositionSide, Side, TimeInForce

GOOD = {
    b"plan_id": b"p-1",
    b"symbol": b"BTCUSDT",
    b"decision": b"EXECUTE",
    b"side": b"BUY",
    b"qty": b"0.003",
    b"type": b"MARKET",
    b"reduceOnly": b"false",
    b"reason": b"breakout",
    b"timestamp": b"1700000000123",
}
CLOSE = {
    **GOOD,
    b"decision": b"RECONCILE_CLOSE",
    b"side": b"close",
    b"reduceOnly": b"true",
    b"reason": b"drift_detected:drift",
    b"hold_id": b"h-1",
    b"exchange_amt": b"0.007",
    b"ledger_amt": b"-0.000",
    b"expires": b"1700000005123",
}


CANCEL = {
    b"plan_id": b"c-1",
    b"symbol": b"BTCUSDT",
    b"decision": b"cancel",
    b"cancels": b"p-1",
    b"reason": b"changed my mind",
    b"timestamp": b"1700000000123",
}


def test_a_cancel_names_a_plan_and_nothing_of_an_order() -> None:
    """Six fields make a CANCEL; it is written and read back the same, and each of the six is missed by name."""
    plan = decoded({}, CANCEL).plan
    assert plan is not None
    assert (plan.decision, plan.plan_id, plan.cancels) == (Decision.CANCEL, "c-1", "p-1")
    assert plan.qty == 0
    assert decode_entry("1-0", encode_plan(plan)).plan == plan
    assert decoded({b"side": b"nonsense", b"qty": b"x"}, CANCEL).plan == plan
    for name in CANCEL:
        without = {key: value for key, value in CANCEL.items() if key != name}
        assert decode_plan("1-0", without).problem is Reason.MISSING_FIELD
    assert decoded({b"cancels": b"no spaces"}, CANCEL).problem is Reason.BAD_FIELD


def decoded(changes: dict[bytes, bytes], base: dict[bytes, bytes] | None = None) -> PlanEntry:
    """Decode the good plan with some fields changed."""
    return decode_plan("1-0", {**(base or GOOD), **changes})


def test_the_nine_fields_make_a_plan() -> None:
    """A plan of the nine required fields is decoded field for field."""
    entry = decoded({})
    assert entry == PlanEntry(
        entry_id="1-0",
        plan=Plan(
            plan_id=PlanId("p-1"),
            symbol=Symbol("BTCUSDT"),
            decision=Decision.EXECUTE,
            side=PlanSide.BUY,
            qty=Decimal("0.003"),
            order_type=OrderType.MARKET,
            reduce_only=False,
            reason="breakout",
            timestamp_ms=1_700_000_000_123,
        ),
        plan_id="p-1",
        symbol="BTCUSDT",
        decision="EXECUTE",
    )


def test_a_reconcile_close_carries_its_claim() -> None:
    """A RECONCILE_CLOSE is decoded with hold, both amounts and its expiry."""
    plan = decoded({}, CLOSE).plan
    assert plan is not None
    assert plan.close_claim == CloseClaim(HoldId("h-1"), Decimal("0.007"), Decimal(0))
    assert (plan.side, plan.expires_ms, plan.reduce_only) == (PlanSide.CLOSE, 1_700_000_005_123, True)


@pytest.mark.parametrize(
    ("name", "text", "attribute", "value"),
    [
        (b"reduceOnly", b"TRUE", "reduce_only", True),
        (b"reduceOnly", b"True", "reduce_only", True),
        (b"reduceOnly", b"1", "reduce_only", True),
        (b"reduceOnly", b"False", "reduce_only", False),
        (b"reduceOnly", b"0", "reduce_only", False),
        (b"decision", b"execute", "decision", Decision.EXECUTE),
        (b"decision", b"Operator_Close", "decision", Decision.OPERATOR_CLOSE),
        (b"side", b"sell", "side", PlanSide.SELL),
        (b"side", b"CLOSE", "side", PlanSide.CLOSE),
        (b"type", b"market", "order_type", OrderType.MARKET),
        (b"positionSide", b"long", "position_side", PositionSide.LONG),
        (b"positionSide", b"", "position_side", None),
        (b"timeInForce", b"gtx", "time_in_force", TimeInForce.GTX),
        (b"price", b"", "price", None),
        (b"price", b"64000.10", "price", Decimal("64000.10")),
        (b"qty", b" 1e-3 ", "qty", Decimal("0.001")),
        (b"expires", b"", "expires_ms", None),
        (b"expires", b"1700000000", "expires_ms", 1_700_000_000_000),
        (b"timestamp", b"1700000000.5", "timestamp_ms", 1_700_000_000_500),
        (b"timestamp", b"99999999999", "timestamp_ms", 99_999_999_999_000),
        (b"timestamp", b"100000000000", "timestamp_ms", 100_000_000_000),
        (b"source", b"grid-7", "source", "grid-7"),
        (b"comment", b"\xff not ours", "reason", "breakout"),
    ],
)
def test_the_accepted_spellings(name: bytes, text: bytes, attribute: str, value: object) -> None:
    """Booleans, words and times are read in every spelling that the contract allows."""
    plan = decoded({name: text}).plan
    assert plan is not None
    assert getattr(plan, attribute) == value


BAD: list[tuple[dict[bytes, bytes], Reason]] = [
    *(({name: b""}, Reason.MISSING_FIELD) for name in GOOD),
    *(({name: b"  "}, Reason.MISSING_FIELD) for name in GOOD),
    *(({name: b"\xff\xfe"}, Reason.UNREADABLE) for name in (*GOOD, b"price", b"source", b"hold_id")),
    *(
        ({b"qty": text}, Reason.BAD_QTY)
        for text in (
            *(b"NaN", b"sNaN", b"-0.003", b"0", b"-0", b"0.000", b"Infinity", b"-inf", b"1e400", b"1e15", b"three"),
            *(b"0.0000000000000000001", b"0,003", b"0x10", b"1_000", b"\xd9\xa1", b"1 2", b"9" * 41, b"1e-99999999"),
        )
    ),
    *(
        ({b"decision": text}, Reason.UNKNOWN_DECISION)
        for text in (b"HOLD", b"EXECUTE!", b"RECONCILE-CLOSE", b"x" * 999)
    ),
    *(({b"symbol": text}, Reason.BAD_FIELD) for text in (b"btcusdt", b"BTC/USDT", b"B", b"B" * 33, "BTCÜSDT".encode())),
    *(({b"plan_id": text}, Reason.BAD_FIELD) for text in (b"a b", b"a\x00b", b"p" * 129, b"p\nq", b"p" * 9_999)),
    *(({b"side": text}, Reason.BAD_FIELD) for text in (b"LONG", b"B", b"buy sell")),
    *(({b"type": text}, Reason.UNSUPPORTED) for text in (b"STOP", b"stop_market", b"TRAILING_STOP_MARKET")),
    ({b"type": b"TWAP"}, Reason.BAD_FIELD),
    ({b"type": b"LIMIT"}, Reason.MISSING_FIELD),
    ({b"timeInForce": b"GTD"}, Reason.UNSUPPORTED),
    ({b"timeInForce": b"soon"}, Reason.BAD_FIELD),
    *(({b"reduceOnly": text}, Reason.BAD_FIELD) for text in (b"yes", b"2", b"None")),
    *(({b"timestamp": text}, Reason.BAD_FIELD) for text in (b"now", b"-5", b"0", b"NaN", b"1.1e14", b"2023-11-14")),
    *(({b"expires": text}, Reason.BAD_FIELD) for text in (b"never", b"-1", b"1e18")),
    *(({b"price": text}, Reason.BAD_FIELD) for text in (b"NaN", b"-1", b"0", b"inf", b"market")),
    ({b"positionSide": b"UP"}, Reason.BAD_FIELD),
    ({b"reason": b"r" * 513}, Reason.BAD_FIELD),
    ({b"source": b"s" * 513}, Reason.BAD_FIELD),
    ({b"junk": b"x" * (ENTRY_BYTES_MAX + 1)}, Reason.TOO_LARGE),
    ({f"junk{n}".encode(): b"x" for n in range(FIELDS_MAX)}, Reason.TOO_LARGE),
    ({b"decision": b"RECONCILE_CLOSE"}, Reason.MISSING_FIELD),
]


@pytest.mark.parametrize(("changes", "reason"), BAD)
def test_each_defect_has_its_own_reason(changes: dict[bytes, bytes], reason: Reason) -> None:
    """A plan with one defect is no plan, and says which; its names are kept as far as they can be read."""
    entry = decoded(changes)
    assert entry.plan is None
    assert entry.problem is reason
    assert entry.detail
    assert len(entry.detail) <= 300
    if not {b"plan_id", b"symbol"} & changes.keys():
        assert (entry.plan_id, entry.symbol) == ("p-1", "BTCUSDT")


@pytest.mark.parametrize("name", [b"hold_id", b"exchange_amt", b"ledger_amt", b"expires"])
def test_a_reconcile_close_needs_its_own_four_fields(name: bytes) -> None:
    """A RECONCILE_CLOSE without one of its four fields is refused as missing_field."""
    assert decoded({name: b""}, CLOSE).problem is Reason.MISSING_FIELD


@pytest.mark.parametrize("name", [b"exchange_amt", b"ledger_amt"])
def test_a_close_with_an_unreadable_amount_is_refused(name: bytes) -> None:
    """A close that claims a NaN position is refused as bad_field."""
    assert decoded({name: b"NaN"}, CLOSE).problem is Reason.BAD_FIELD


def test_every_reason_of_the_table_is_reached() -> None:
    """The table of defects reaches each reason that the decoder may give."""
    assert {reason for _, reason in BAD} == {
        *(Reason.TOO_LARGE, Reason.UNREADABLE, Reason.MISSING_FIELD, Reason.UNKNOWN_DECISION),
        *(Reason.BAD_FIELD, Reason.BAD_QTY, Reason.UNSUPPORTED),
    }


@pytest.mark.parametrize("flat", [[], [b"x", b"1"], [b"plan_id"], [b"PLAN_ID", b"p-1"]])
def test_an_entry_without_any_field_of_a_plan_is_unreadable(flat: list[bytes]) -> None:
    """An entry that has nothing of a plan is unreadable, with empty names."""
    entry = decode_entry("1-0", flat)
    assert (entry.problem, entry.plan_id, entry.symbol, entry.decision) == (Reason.UNREADABLE, "", "", "")


def test_a_field_given_twice_is_refused() -> None:
    """Two quantities are not one: a repeated field of a plan is bad_field, and the first value is kept."""
    flat = [part for pair in GOOD.items() for part in pair]
    entry = decode_entry("1-0", [*flat, b"qty", b"30"])
    assert (entry.problem, entry.detail) == (Reason.BAD_FIELD, "qty: given twice")


def test_names_are_salvaged_from_a_wreck() -> None:
    """Names in an entry that is none are bounded, printable, and kept as far as they go."""
    entry = decoded({b"plan_id": b"p\x00\xff" + b"x" * 500_000, b"decision": b"  NOPE\n"})
    assert entry.problem is Reason.TOO_LARGE
    assert entry.plan_id == "p?\ufffd" + "x" * 125
    assert entry.decision == "NOPE"


TEXTS = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"", b"1", b"NaN", b"true", b"close", b"MARKET", b"LIMIT", b"RECONCILE_CLOSE", b"1700000000123"]),
    st.text(max_size=20).map(lambda text: text.encode("utf-8", "replace")),
)
NAMES = st.one_of(
    st.sampled_from([*CLOSE, b"price", b"timeInForce", b"positionSide", b"source"]), st.binary(max_size=9)
)


@given(st.lists(st.one_of(NAMES, TEXTS), max_size=60))
def test_no_bytes_make_the_decoder_raise(flat: list[bytes]) -> None:
    """Whatever stands on the stream becomes a plan or a reason with bounded names."""
    entry = decode_entry("1-0", flat)
    assert (entry.plan is None) == isinstance(entry.problem, Reason)
    assert len(entry.plan_id) <= 128
    assert len(entry.symbol) <= 32
    assert len(entry.detail) <= 300


@given(st.dictionaries(st.sampled_from([*CLOSE, b"price", b"timeInForce", b"positionSide", b"source"]), TEXTS))
def test_a_good_close_with_any_field_changed_never_raises(changes: dict[bytes, bytes]) -> None:
    """Junk in any field of a good close is a reason, and whatever is still a plan has a finite positive quantity."""
    entry = decoded(changes, CLOSE)
    if entry.plan is None:
        assert isinstance(entry.problem, Reason)
    else:
        assert entry.plan.qty.is_finite()
        assert entry.plan.qty > 0
        assert 0 <= entry.plan.timestamp_ms <= 10**14


AMOUNTS = st.decimals(min_value="0.000000001", max_value="999999", places=9)
PLANS = st.builds(
    Plan,
    plan_id=st.from_regex(r"\A[A-Za-z0-9._:/-]{1,128}\Z").map(PlanId),
    symbol=st.from_regex(r"\A[A-Z0-9_]{2,32}\Z").map(Symbol),
    decision=st.just(Decision.EXECUTE),
    side=st.sampled_from(PlanSide),
    qty=AMOUNTS,
    order_type=st.just(OrderType.LIMIT),
    reduce_only=st.booleans(),
    reason=st.sampled_from(["x", "größer", "a b"]),
    timestamp_ms=st.integers(10**11, 10**14),
    price=AMOUNTS,
    time_in_force=st.one_of(st.none(), st.sampled_from(TimeInForce)),
    position_side=st.one_of(st.none(), st.sampled_from(PositionSide)),
    source=st.sampled_from(["", "grid"]),
    expires_ms=st.one_of(st.none(), st.integers(10**11, 10**14)),
)


@given(PLANS)
def test_what_is_written_is_read_back(plan: Plan) -> None:
    """Encoding a plan and decoding it gives the same plan."""
    assert decode_entry("1-0", encode_plan(plan)).plan == plan


def a_close(*, decision: Decision, hold_id: HoldId | None, position_side: PositionSide) -> Close:
    """One close of a long of 0.007 against a ledger of 0."""
    return Close(
        plan_id=PlanId("close-1"),
        decision=decision,
        hold_id=hold_id,
        leg=Leg(AccountId("main"), Symbol("BTCUSDT"), position_side),
        side=Side.SELL,
        qty=Decimal("0.0070"),
        exchange_amt=Decimal("0.007"),
        ledger_amt=Decimal(0),
        reason="drift_detected:drift",
        created_ms=1_700_000_000_000,
        expires_ms=1_700_000_005_000,
        attempt=1,
        state=CloseState.PLANNED,
    )


def test_a_close_stands_on_the_stream_as_the_contract_names_it() -> None:
    """A RECONCILE_CLOSE has the contract's fields and texts, in one-way mode without a position side."""
    close = a_close(decision=Decision.RECONCILE_CLOSE, hold_id=HoldId("h-1"), position_side=PositionSide.BOTH)
    flat = encode_plan(plan_of_close(close))
    assert dict(zip(flat[::2], flat[1::2], strict=True)) == {
        b"plan_id": b"close-1",
        b"symbol": b"BTCUSDT",
        b"decision": b"RECONCILE_CLOSE",
        b"side": b"close",
        b"qty": b"0.007",
        b"type": b"MARKET",
        b"reduceOnly": b"true",
        b"reason": b"drift_detected:drift",
        b"timestamp": b"1700000000000",
        b"source": b"reconcile",
        b"expires": b"1700000005000",
        b"hold_id": b"h-1",
        b"exchange_amt": b"0.007",
        b"ledger_amt": b"0",
    }


@pytest.mark.parametrize("position_side", list(PositionSide))
@pytest.mark.parametrize(
    ("decision", "hold_id"),
    [
        (Decision.RECONCILE_CLOSE, HoldId("h-1")),
        (Decision.OPERATOR_CLOSE, HoldId("h-1")),
        (Decision.OPERATOR_CLOSE, None),
    ],
)
def test_a_close_is_read_back(decision: Decision, hold_id: HoldId | None, position_side: PositionSide) -> None:
    """Each kind of close on each leg is decoded as the plan that was written."""
    plan = plan_of_close(a_close(decision=decision, hold_id=hold_id, position_side=position_side))
    assert decode_entry("1-0", encode_plan(plan)).plan == plan


def test_a_plan_from_texts_is_checked_by_the_same_rules() -> None:
    """A client's plan is refused with the reason that the stream would give it."""
    texts = {name.decode(): value.decode() for name, value in GOOD.items()}
    assert checked_plan(texts) == decoded({}).plan
    with pytest.raises(BadPlan) as caught:
        checked_plan({**texts, "qty": "NaN"})
    assert caught.value.reason is Reason.BAD_QTY
