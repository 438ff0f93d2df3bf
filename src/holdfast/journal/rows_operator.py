"""Domain values to rows and back: requests, alerts, plan results. See `rows` for the rules."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from holdfast.domain.amounts import format_amount
from holdfast.domain.operator import Alert, OperatorRequest, RequestKind, RequestState
from holdfast.domain.plan import PlanResult
from holdfast.journal.rows import POSITION_SIDES, amount_or_none, amount_or_null, words_of

if TYPE_CHECKING:
    from holdfast.journal.sql import Row

_REQUEST_KINDS = words_of(RequestKind)
_REQUEST_STATES = words_of(RequestState)

REQUEST_COLUMNS = (
    "account",
    "request_id",
    "kind",
    "symbol",
    "position_side",
    "hold_id",
    "qty",
    "name",
    "reason",
    "created_ms",
    "state",
    "outcome",
    "client_order_id",
)


def request_row(request: OperatorRequest) -> Row:
    """Encode."""
    side = request.position_side
    return (
        request.account,
        request.request_id,
        request.kind.value,
        request.symbol,
        None if side is None else side.value,
        request.hold_id,
        request.qty,
        request.name,
        request.reason,
        request.created_ms,
        request.state.value,
        request.outcome,
        request.client_order_id,
    )


def request_of(row: Row) -> OperatorRequest:
    """Decode."""
    account, request_id, kind, symbol, side, hold_id, qty, name, reason, created, state, outcome, order = row
    return OperatorRequest(
        request_id=request_id,
        account=account,
        kind=_REQUEST_KINDS[kind],
        symbol=symbol,
        position_side=None if side is None else POSITION_SIDES[side],
        hold_id=hold_id,
        qty=qty,
        name=name,
        reason=reason,
        created_ms=created,
        state=_REQUEST_STATES[state],
        outcome=outcome,
        client_order_id=order,
    )


ALERT_COLUMNS = (
    "account",
    "alert_id",
    "hold_id",
    "symbol",
    "title",
    "body",
    "created_ms",
    "delivered_ms",
    "acked_ms",
    "acked_by",
    "deliveries",
    "next_try_ms",
)


def alert_row(alert: Alert) -> Row:
    """Encode."""
    return (
        alert.account,
        alert.alert_id,
        alert.hold_id,
        alert.symbol,
        alert.title,
        alert.text,
        alert.created_ms,
        alert.delivered_ms,
        alert.acked_ms,
        alert.acked_by,
        alert.deliveries,
        alert.next_try_ms,
    )


def alert_of(row: Row) -> Alert:
    """Decode."""
    account, alert_id, hold_id, symbol, title, text, created, delivered, acked, acked_by, deliveries, next_try = row
    return Alert(
        alert_id=alert_id,
        account=account,
        hold_id=hold_id,
        symbol=symbol,
        title=title,
        text=text,
        created_ms=created,
        delivered_ms=delivered,
        acked_ms=acked,
        acked_by=acked_by,
        deliveries=deliveries,
        next_try_ms=next_try,
    )


class _ResultText(msgspec.Struct, array_like=False, forbid_unknown_fields=True):
    """A `PlanResult` as JSON text in column `plan.result`: amounts as text."""

    result_id: str
    plan_id: str
    entry_id: str
    symbol: str
    decision: str
    executed: bool
    status: str
    error: str
    detail: str
    filled_qty: str
    avg_price: str | None
    client_order_id: str
    order_id: int | None
    duplicate: bool
    timestamp_ms: int


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_ResultText)


def result_text(result: PlanResult) -> str:
    """Encode."""
    return _encoder.encode(
        _ResultText(
            result_id=result.result_id,
            plan_id=result.plan_id,
            entry_id=result.entry_id,
            symbol=result.symbol,
            decision=result.decision,
            executed=result.executed,
            status=result.status,
            error=result.error,
            detail=result.detail,
            filled_qty=format_amount(result.filled_qty),
            avg_price=amount_or_null(result.avg_price),
            client_order_id=result.client_order_id,
            order_id=result.order_id,
            duplicate=result.duplicate,
            timestamp_ms=result.timestamp_ms,
        )
    ).decode()


def result_of(text: str) -> PlanResult:
    """Decode."""
    kept = _decoder.decode(text)
    return PlanResult(
        result_id=kept.result_id,
        plan_id=kept.plan_id,
        entry_id=kept.entry_id,
        symbol=kept.symbol,
        decision=kept.decision,
        executed=kept.executed,
        status=kept.status,
        error=kept.error,
        detail=kept.detail,
        filled_qty=Decimal(kept.filled_qty),
        avg_price=amount_or_none(kept.avg_price),
        client_order_id=kept.client_order_id,
        order_id=kept.order_id,
        duplicate=kept.duplicate,
        timestamp_ms=kept.timestamp_ms,
    )
