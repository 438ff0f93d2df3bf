"""Values to put into a journal, and the shortest ways to put and read them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

from holdfast.domain.close import Approval, Close, CloseState
from holdfast.domain.entry import Entry, EntryKind
from holdfast.domain.hold import Hold, HoldOwner, HoldReason, NextStep, StepKind
from holdfast.domain.ledger import MoveCause
from holdfast.domain.names import AccountId, ClientOrderId, HoldId, PlanId, Symbol, TradeId, VenueOrderId
from holdfast.domain.operator import Alert, OperatorRequest, RequestKind, RequestState
from holdfast.domain.order import CancelAsked, Order, OrderState
from holdfast.domain.plan import PlanResult
from holdfast.domain.sides import Decision, Leg, OrderType, PositionSide, Side, Source, TimeInForce
from holdfast.domain.trade import Trade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from holdfast.journal.store import SqlJournal
    from holdfast.ports.journal import Fence, Reads, Tx

Found = TypeVar("Found")
Value = TypeVar("Value")

D = Decimal
ACCOUNT = AccountId("main")
OTHER_ACCOUNT = AccountId("other")
BTC = Symbol("BTCUSDT")
ETH = Symbol("ETHUSDT")
LEG = Leg(ACCOUNT, BTC, PositionSide.BOTH)
LONG = Leg(ACCOUNT, BTC, PositionSide.LONG)
SHORT = Leg(ACCOUNT, BTC, PositionSide.SHORT)
ETH_LEG = Leg(ACCOUNT, ETH, PositionSide.BOTH)
HOLD_ID = HoldId("h-1")
PLAN_ID = PlanId("p-1")

HOLD = Hold(
    hold_id=HOLD_ID,
    leg=LEG,
    reason=HoldReason.DRIFT,
    owner=HoldOwner.AUTO,
    opened_ms=1_000,
    cause_as_of_ms=990,
    exchange_amt=D("0.007"),
    ledger_amt=D("-0.003"),
    next_step=NextStep(StepKind.EVIDENCE, 4_000, "Trades are awaited."),
    close_attempts=1,
    detail="seen on the stream",
    approved_notional=D("1000.5"),
)
ORDER = Order(
    client_order_id=ClientOrderId("hf-a"),
    plan_id=PLAN_ID,
    decision=Decision.EXECUTE,
    leg=LEG,
    side=Side.BUY,
    qty=D("0.003"),
    order_type=OrderType.LIMIT,
    reduce_only=True,
    price=D("50000.1"),
    time_in_force=TimeInForce.GTC,
    against_drift_qty=D("0.001"),
    hold_id=HOLD_ID,
    state=OrderState.SENDING,
    timestamp_ms=1_001,
    recv_window_ms=2_000,
    sent_count=1,
    venue_order_id=VenueOrderId(77),
    executed_qty=D(0),
    booked_qty=D(0),
    avg_price=D("50000.05"),
    error="not_filled",
    error_detail="words of the venue",
    created_ms=1_000,
    updated_ms=1_002,
    cancel=CancelAsked(1_002, "hold h-1 (drift)", (PlanId("p-2"), PlanId("p-3"))),
)
TRADE = Trade(
    symbol=BTC,
    trade_id=TradeId(500),
    order_id=VenueOrderId(77),
    client_order_id=None,
    side=Side.BUY,
    position_side=PositionSide.BOTH,
    qty=D("0.001"),
    price=D("50000.1"),
    venue_ms=1_100,
    source=Source.STREAM,
)
CLOSE = Close(
    plan_id=PlanId("c-1"),
    decision=Decision.RECONCILE_CLOSE,
    hold_id=HOLD_ID,
    leg=LEG,
    side=Side.SELL,
    qty=D("0.007"),
    exchange_amt=D("0.007"),
    ledger_amt=D(0),
    reason="drift_detected:drift",
    created_ms=1_000,
    expires_ms=6_000,
    attempt=1,
    state=CloseState.PLANNED,
    approval=Approval("ann", "seen and meant"),
)
RESULT = PlanResult(
    result_id="r-1",
    plan_id=PLAN_ID,
    entry_id="1-0",
    symbol=BTC,
    decision="EXECUTE",
    executed=True,
    status="FILLED",
    error="",
    detail="żółw",
    filled_qty=D("0.003"),
    avg_price=D("50000.1"),
    client_order_id="hf-a",
    order_id=77,
    duplicate=False,
    timestamp_ms=1_200,
)
REQUEST = OperatorRequest(
    request_id="q-1",
    account=ACCOUNT,
    kind=RequestKind.CLOSE,
    symbol=BTC,
    position_side=PositionSide.LONG,
    hold_id=HOLD_ID,
    qty="0.003",
    name="ann",
    reason="because",
    created_ms=1_000,
    state=RequestState.OPEN,
    outcome="",
)
ALERT = Alert(
    alert_id="a-1",
    account=ACCOUNT,
    hold_id=HOLD_ID,
    symbol=BTC,
    title="Held",
    text="BTCUSDT is held.",
    created_ms=1_000,
    delivered_ms=1_010,
    acked_ms=None,
    acked_by="",
    deliveries=2,
    next_try_ms=2_000,
)


def released(hold: Hold, at_ms: int) -> Hold:
    """The hold, ended."""
    return replace(hold, released_ms=at_ms)


def drift_entry(text: str = "") -> Entry:
    """An entry that names hold and plan."""
    return Entry(EntryKind.DRIFT, ACCOUNT, BTC, HOLD_ID, PLAN_ID, {"text": text, "amounts": ["0.007", None, 3, True]})


async def put(
    journal: SqlJournal,
    *writes: Callable[[Tx], object],
    fence: Fence | None = None,
    account: AccountId = ACCOUNT,
) -> None:
    """One step that only writes."""

    def write(tx: Tx, _choice: None, _facts: None) -> None:
        for one in writes:
            one(tx)

    await journal.transact(account, fence, read=lambda _: None, decide=lambda _: None, write=write)


def each(put_one: Callable[[Value], None], values: Iterable[Value]) -> None:
    """Put all values."""
    for value in values:
        put_one(value)


async def get(journal: SqlJournal, read: Callable[[Reads], Found]) -> Found:
    """One query."""
    return await journal.query(ACCOUNT, read)


async def add_one(journal: SqlJournal, fence: Fence | None = None, leg: Leg = LEG) -> int:
    """Add 1 to the leg and journal it; the amount before it, as the step's facts said."""

    def write(tx: Tx, before: int, _facts: int) -> None:
        tx.move_ledger(leg, D(1), MoveCause.FILL, str(before))
        tx.append(Entry(EntryKind.FILL, ACCOUNT, leg.symbol, body={"before": before}))

    return await journal.transact(
        ACCOUNT, fence, read=lambda reads: int(reads.leg(leg).amt), decide=lambda before: before, write=write
    )
