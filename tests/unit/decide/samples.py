"""One good value of every noun, from which the tests of the pure floors build theirs by `replace`."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from holdfast.domain.close import Approval, Close, CloseState
from holdfast.domain.hold import Hold, HoldOwner, HoldReason, NextStep, StepKind
from holdfast.domain.instrument import Instrument
from holdfast.domain.ledger import LedgerState
from holdfast.domain.limits import Limits
from holdfast.domain.names import (
    AccountId,
    ClientOrderId,
    HoldId,
    PlanId,
    Symbol,
    TradeId,
    VenueOrderId,
)
from holdfast.domain.order import Order, OrderReport, OrderState, VenueOrderStatus
from holdfast.domain.plan import Plan
from holdfast.domain.sides import Decision, Leg, OrderType, PlanSide, PositionSide, Side, Source
from holdfast.domain.trade import Trade
from holdfast.domain.view import PositionView

D = Decimal
ZERO = D(0)
NOW = 1_800_000_000_000
ACCOUNT = AccountId("main")
SYMBOL = Symbol("BTCUSDT")
OTHER_SYMBOL = Symbol("ETHUSDT")
LEG = Leg(ACCOUNT, SYMBOL, PositionSide.BOTH)
LONG_LEG = Leg(ACCOUNT, SYMBOL, PositionSide.LONG)
SHORT_LEG = Leg(ACCOUNT, SYMBOL, PositionSide.SHORT)
OTHER_LEG = Leg(ACCOUNT, OTHER_SYMBOL, PositionSide.BOTH)

LIMITS = Limits(symbols=frozenset({SYMBOL}))

INSTRUMENT = Instrument(
    symbol=SYMBOL,
    status="TRADING",
    qty_step=D(1),
    qty_min=D(1),
    qty_max=D(1000),
    market_qty_min=D(1),
    market_qty_max=D(500),
    price_tick=D("0.1"),
    notional_min=D(5),
)

VIEW = PositionView(LEG, D(7), as_of_ms=NOW - 10, read_ms=NOW - 5, source=Source.REST, mark_price=D(10))

LEDGER = LedgerState(
    leg=LEG,
    amt=ZERO,
    version=4,
    agreed_version=4,
    last_fill_ms=NOW - 60_000,
    watermark_trade_id=TradeId(100),
    watermark_ms=NOW - 60_000,
    divergent_since_ms=None,
    seen_amt=None,
    seen_as_of_ms=None,
    status="",
)

ORDER = Order(
    client_order_id=ClientOrderId("hf-order"),
    plan_id=PlanId("plan-1"),
    decision=Decision.EXECUTE,
    leg=LEG,
    side=Side.BUY,
    qty=D(5),
    order_type=OrderType.MARKET,
    reduce_only=False,
    price=None,
    time_in_force=None,
    against_drift_qty=ZERO,
    hold_id=None,
    state=OrderState.SENDING,
    timestamp_ms=NOW - 100,
    recv_window_ms=2_000,
    sent_count=1,
    venue_order_id=None,
    executed_qty=ZERO,
    booked_qty=ZERO,
    avg_price=None,
    error="",
    error_detail="",
    created_ms=NOW - 100,
    updated_ms=NOW - 100,
)

REPORT = OrderReport(
    symbol=SYMBOL,
    client_order_id=ORDER.client_order_id,
    order_id=VenueOrderId(9001),
    side=Side.BUY,
    position_side=PositionSide.BOTH,
    status=VenueOrderStatus.FILLED,
    qty=D(5),
    executed_qty=D(5),
    avg_price=D(10),
    reduce_only=False,
    venue_ms=NOW - 50,
)

TRADE = Trade(
    symbol=SYMBOL,
    trade_id=TradeId(101),
    order_id=VenueOrderId(9001),
    client_order_id=None,
    side=Side.BUY,
    position_side=PositionSide.BOTH,
    qty=D(5),
    price=D(10),
    venue_ms=NOW - 50,
    source=Source.REST,
)

HOLD = Hold(
    hold_id=HoldId("h-1"),
    leg=LEG,
    reason=HoldReason.DRIFT,
    owner=HoldOwner.AUTO,
    opened_ms=NOW - 1_000,
    cause_as_of_ms=NOW - 1_010,
    exchange_amt=D(7),
    ledger_amt=ZERO,
    next_step=NextStep(StepKind.EVIDENCE, NOW + 2_000, "a second look is taken"),
    close_attempts=0,
    detail="",
)

CLOSE = Close(
    plan_id=PlanId("rc-h-1-1"),
    decision=Decision.RECONCILE_CLOSE,
    hold_id=HOLD.hold_id,
    leg=LEG,
    side=Side.SELL,
    qty=D(5),
    exchange_amt=D(7),
    ledger_amt=D(2),
    reason="drift_detected:drift",
    created_ms=NOW - 100,
    expires_ms=NOW + 4_900,
    attempt=1,
    state=CloseState.PLANNED,
)

OPERATOR_CLOSE = replace(
    CLOSE,
    plan_id=PlanId("oc-1"),
    decision=Decision.OPERATOR_CLOSE,
    hold_id=None,
    reason="flat before the week-end",
    approval=Approval("ana", "flat before the week-end"),
)

PLAN = Plan(
    plan_id=PlanId("plan-1"),
    symbol=SYMBOL,
    decision=Decision.EXECUTE,
    side=PlanSide.BUY,
    qty=D(5),
    order_type=OrderType.MARKET,
    reduce_only=False,
    reason="signal",
    timestamp_ms=NOW - 100,
)
