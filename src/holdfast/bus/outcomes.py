"""Results and journal entries, between the domain and stream fields. Pure.

Invariant: a result never says `executed=false` without an `error`. Whoever handed in such a result forgot its
reason; it is published as `internal`, because the promise to the reader comes first.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from holdfast.bus.values import amount_of, boolean_of, text_of, texts_of, time_ms_of
from holdfast.bus.wire import boolean_text, flat_of
from holdfast.domain.amounts import ZERO, format_amount
from holdfast.domain.errors import BadPlan
from holdfast.domain.plan import PlanResult
from holdfast.domain.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.domain.entry import JournaledEntry

DETAIL_CHARS_MAX = 1_000
RESULT_FIELDS = (
    "result_id",
    "plan_id",
    "entry_id",
    "symbol",
    "decision",
    "executed",
    "status",
    "error",
    "filled_qty",
    "avg_price",
    "client_order_id",
    "order_id",
    "duplicate",
    "timestamp",
    "detail",
)
EVENT_FIELDS = ("event", "seq", "account", "symbol", "hold_id", "plan_id", "timestamp", "body", "hash")


def encode_result(result: PlanResult) -> tuple[bytes, ...]:
    """Write a result as its flat list of names and values; what is missing is an empty string."""
    error = result.error if result.executed or result.error else Reason.INTERNAL.value
    return flat_of(
        {
            "result_id": result.result_id,
            "plan_id": result.plan_id,
            "entry_id": result.entry_id,
            "symbol": result.symbol,
            "decision": result.decision,
            "executed": boolean_text(result.executed),
            "status": result.status,
            "error": error,
            "filled_qty": format_amount(result.filled_qty),
            "avg_price": format_amount(result.avg_price) if result.avg_price is not None else "",
            "client_order_id": result.client_order_id,
            "order_id": str(result.order_id) if result.order_id is not None else "",
            "duplicate": boolean_text(result.duplicate),
            "timestamp": str(result.timestamp_ms),
            "detail": result.detail[:DETAIL_CHARS_MAX],
        }
    )


def decode_result(fields: Mapping[bytes, bytes]) -> PlanResult:
    """Read a result. Raises BadPlan for one that nobody of ours wrote."""
    texts = texts_of(fields)
    order_id = text_of(texts, "order_id")
    if order_id and not (order_id.isascii() and order_id.isdigit()):
        raise BadPlan(Reason.BAD_FIELD, "order_id: not a number")
    return PlanResult(
        result_id=text_of(texts, "result_id"),
        plan_id=text_of(texts, "plan_id"),
        entry_id=text_of(texts, "entry_id"),
        symbol=text_of(texts, "symbol"),
        decision=text_of(texts, "decision"),
        executed=boolean_of(texts, "executed"),
        status=text_of(texts, "status"),
        error=text_of(texts, "error"),
        detail=text_of(texts, "detail", DETAIL_CHARS_MAX),
        filled_qty=amount_of(texts, "filled_qty") or ZERO,
        avg_price=amount_of(texts, "avg_price"),
        client_order_id=text_of(texts, "client_order_id"),
        order_id=int(order_id) if order_id else None,
        duplicate=boolean_of(texts, "duplicate"),
        timestamp_ms=time_ms_of(texts, "timestamp") or 0,
    )


def encode_event(journaled: JournaledEntry) -> tuple[bytes, ...]:
    """Write a journal entry as an event; `seq` grows by 1 an account, so that a reader sees repeats and gaps."""
    entry = journaled.entry
    return flat_of(
        {
            "event": entry.kind.value,
            "seq": str(journaled.seq),
            "account": entry.account,
            "symbol": entry.symbol or "",
            "hold_id": entry.hold_id or "",
            "plan_id": entry.plan_id or "",
            "timestamp": str(journaled.at_ms),
            "body": json.dumps(dict(entry.body), sort_keys=True, separators=(",", ":")),
            "hash": journaled.hash,
        }
    )
