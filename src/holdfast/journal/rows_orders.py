"""Domain values to rows and back: orders, closes, trades. See `rows` for the rules."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from holdfast.domain.amounts import format_amount
from holdfast.domain.close import Approval, Close, CloseState
from holdfast.domain.foreign import ForeignOrder
from holdfast.domain.names import PlanId
from holdfast.domain.order import CancelAsked, Order, OrderState
from holdfast.domain.sides import Decision, Leg, OrderType, Side, TimeInForce
from holdfast.domain.trade import Undone
from holdfast.journal.rows import POSITION_SIDES, amount_or_none, amount_or_null, words_of

if TYPE_CHECKING:
    from holdfast.domain.names import AccountId
    from holdfast.domain.trade import Trade
    from holdfast.journal.sql import Row

_DECISIONS = words_of(Decision)
_SIDES = words_of(Side)
_ORDER_TYPES = words_of(OrderType)
ORDER_STATES = words_of(OrderState)
_TIMES_IN_FORCE = words_of(TimeInForce)
_CLOSE_STATES = words_of(CloseState)

ORDER_COLUMNS = (
    "account",
    "client_order_id",
    "plan_id",
    "decision",
    "symbol",
    "position_side",
    "side",
    "qty",
    "order_type",
    "reduce_only",
    "price",
    "time_in_force",
    "against_drift_qty",
    "hold_id",
    "state",
    "timestamp_ms",
    "recv_window_ms",
    "sent_count",
    "venue_order_id",
    "executed_qty",
    "booked_qty",
    "avg_price",
    "error",
    "error_detail",
    "created_ms",
    "updated_ms",
    "cancel_at_ms",
    "cancel_why",
    "cancel_plans",
)
ORDER_COLUMNS_WRITTEN = (*ORDER_COLUMNS, "settled")


def order_row(order: Order) -> Row:
    """Encode, with the derived column `settled` at the end."""
    tif = order.time_in_force
    return (
        order.leg.account,
        order.client_order_id,
        order.plan_id,
        order.decision.value,
        order.leg.symbol,
        order.leg.position_side.value,
        order.side.value,
        format_amount(order.qty),
        order.order_type.value,
        int(order.reduce_only),
        amount_or_null(order.price),
        None if tif is None else tif.value,
        format_amount(order.against_drift_qty),
        order.hold_id,
        order.state.value,
        order.timestamp_ms,
        order.recv_window_ms,
        order.sent_count,
        order.venue_order_id,
        format_amount(order.executed_qty),
        format_amount(order.booked_qty),
        amount_or_null(order.avg_price),
        order.error,
        order.error_detail,
        order.created_ms,
        order.updated_ms,
        *_cancel_row(order.cancel),
        int(order.is_settled),
    )


def _cancel_row(cancel: CancelAsked | None) -> Row:
    """Plan ids stand apart by spaces, of which they have none."""
    return (None, None, None) if cancel is None else (cancel.at_ms, cancel.why, " ".join(cancel.plans))


def _cancel_of(at_ms: int | None, why: str | None, plans: str | None) -> CancelAsked | None:
    if at_ms is None:
        return None
    return CancelAsked(at_ms, why or "", tuple(PlanId(each) for each in (plans or "").split()))


def order_of(row: Row) -> Order:
    """Decode."""
    (account, coid, plan_id, decision, symbol, position_side, side, qty, kind, reduce_only, price, tif) = row[:12]
    (against, hold_id, state, timestamp, recv_window, sent, number, executed, booked, avg) = row[12:22]
    (error, error_detail, created, updated, cancel_at, cancel_why, cancel_plans) = row[22:]
    return Order(
        client_order_id=coid,
        plan_id=plan_id,
        decision=_DECISIONS[decision],
        leg=Leg(account, symbol, POSITION_SIDES[position_side]),
        side=_SIDES[side],
        qty=Decimal(qty),
        order_type=_ORDER_TYPES[kind],
        reduce_only=reduce_only != 0,
        price=amount_or_none(price),
        time_in_force=None if tif is None else _TIMES_IN_FORCE[tif],
        against_drift_qty=Decimal(against),
        hold_id=hold_id,
        state=ORDER_STATES[state],
        timestamp_ms=timestamp,
        recv_window_ms=recv_window,
        sent_count=sent,
        venue_order_id=number,
        executed_qty=Decimal(executed),
        booked_qty=Decimal(booked),
        avg_price=amount_or_none(avg),
        error=error,
        error_detail=error_detail,
        created_ms=created,
        updated_ms=updated,
        cancel=_cancel_of(cancel_at, cancel_why, cancel_plans),
    )


CLOSE_COLUMNS = (
    "account",
    "plan_id",
    "decision",
    "hold_id",
    "symbol",
    "position_side",
    "side",
    "qty",
    "exchange_amt",
    "ledger_amt",
    "reason",
    "created_ms",
    "expires_ms",
    "attempt",
    "state",
    "approval_name",
    "approval_reason",
)


def close_row(close: Close) -> Row:
    """Encode."""
    approval = close.approval
    return (
        close.leg.account,
        close.plan_id,
        close.decision.value,
        close.hold_id,
        close.leg.symbol,
        close.leg.position_side.value,
        close.side.value,
        format_amount(close.qty),
        format_amount(close.exchange_amt),
        format_amount(close.ledger_amt),
        close.reason,
        close.created_ms,
        close.expires_ms,
        close.attempt,
        close.state.value,
        None if approval is None else approval.name,
        None if approval is None else approval.reason,
    )


def close_of(row: Row) -> Close:
    """Decode."""
    (account, plan_id, decision, hold_id, symbol, position_side, side, qty, exchange, ledger) = row[:10]
    (reason, created, expires, attempt, state, approver, approval_reason) = row[10:]
    return Close(
        plan_id=plan_id,
        decision=_DECISIONS[decision],
        hold_id=hold_id,
        leg=Leg(account, symbol, POSITION_SIDES[position_side]),
        side=_SIDES[side],
        qty=Decimal(qty),
        exchange_amt=Decimal(exchange),
        ledger_amt=Decimal(ledger),
        reason=reason,
        created_ms=created,
        expires_ms=expires,
        attempt=attempt,
        state=_CLOSE_STATES[state],
        approval=None if approver is None else Approval(approver, approval_reason),
    )


FOREIGN_KEY = ("account", "symbol", "order_id")
FOREIGN_COLUMNS = (
    *FOREIGN_KEY,
    "client_order_id",
    "side",
    "position_side",
    "qty",
    "executed_qty",
    "price",
    "reduce_only",
    "seen_ms",
    "gone_ms",
)


def foreign_row(order: ForeignOrder) -> Row:
    """Encode."""
    return (
        order.account,
        order.symbol,
        order.order_id,
        order.client_order_id,
        order.side.value,
        order.position_side.value,
        format_amount(order.qty),
        format_amount(order.executed_qty),
        amount_or_null(order.price),
        int(order.reduce_only),
        order.seen_ms,
        order.gone_ms,
    )


def foreign_of(row: Row) -> ForeignOrder:
    """Decode."""
    account, symbol, number, name, side, position_side, qty, executed, price, reduce_only, seen, gone = row
    return ForeignOrder(
        account=account,
        symbol=symbol,
        order_id=number,
        client_order_id=name,
        side=_SIDES[side],
        position_side=POSITION_SIDES[position_side],
        qty=Decimal(qty),
        executed_qty=Decimal(executed),
        price=amount_or_none(price),
        reduce_only=reduce_only != 0,
        seen_ms=seen,
        gone_ms=gone,
    )


FILL_KEY = ("account", "symbol", "trade_id", "order_id")
FILL_COLUMNS = (
    *FILL_KEY,
    "client_order_id",
    "position_side",
    "side",
    "qty",
    "price",
    "venue_ms",
    "source",
    "ledger_part",
)


def fill_row(account: AccountId, trade: Trade, order: Order, ledger_part: Decimal) -> Row:
    """Encode. The client order id is the order's: `userTrades` does not carry it."""
    return (
        account,
        trade.symbol,
        trade.trade_id,
        trade.order_id,
        order.client_order_id,
        trade.position_side.value,
        trade.side.value,
        format_amount(trade.qty),
        amount_or_null(trade.price),
        trade.venue_ms,
        trade.source.value,
        format_amount(ledger_part),
    )


def undone_of(row: Row) -> Undone:
    """Decode what a fill did beyond the ledger: its id, side, quantity and ledger part, in that order."""
    trade_id, side, qty, ledger_part = row
    return Undone(trade_id, (Decimal(qty) - Decimal(ledger_part)) * _SIDES[side].sign)
