"""What the exchange and the bus answered, as values: the one place here that knows their field names."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from holdfast.lab.demo.facts import EventSeen, FillSeen, OrderSeen, ResultSeen
from holdfast.lab.demo.watch import Stream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.lab.demo.watch import BusEntry


def is_close(entry: BusEntry) -> bool:
    """Tell whether it is a RECONCILE_CLOSE on the plan stream."""
    return entry.stream is Stream.PLANS and entry.fields.get("decision") == "RECONCILE_CLOSE"


def body_of(entry: BusEntry) -> dict[str, Any]:
    """What an event saw."""
    return dict(json.loads(entry.fields["body"]))


def order_seen(row: Mapping[str, Any]) -> OrderSeen:
    """One order of the admin face."""
    return OrderSeen(
        order_id=int(row["orderId"]),
        client_order_id=str(row["clientOrderId"]),
        source=str(row["source"]),
        side=str(row["side"]),
        order_type=str(row["type"]),
        reduce_only=bool(row["reduceOnly"]),
        qty=Decimal(row["qty"]),
        executed=Decimal(row["executedQty"]),
        avg_price=str(row["avgPrice"]),
        status=str(row["status"]),
        accepted_ns=int(row["accepted_monotonic_ns"]),
        position_side=str(row["positionSide"]),
    )


def fill_seen(row: Mapping[str, Any]) -> FillSeen:
    """One fill of the admin face."""
    qty = Decimal(row["qty"])
    return FillSeen(
        trade_id=int(row["tradeId"]),
        order_id=int(row["orderId"]),
        source=str(row["source"]),
        position_side=str(row["positionSide"]),
        signed=qty if row["side"] == "BUY" else -qty,
    )


def event_seen(entry: BusEntry) -> EventSeen:
    """One entry of `reconcile.events`."""
    fields = entry.fields
    return EventSeen(
        kind=fields.get("event", ""),
        symbol=fields.get("symbol", ""),
        hold_id=fields.get("hold_id", ""),
        plan_id=fields.get("plan_id", ""),
        body=body_of(entry),
    )


def result_seen(entry: BusEntry) -> ResultSeen:
    """One entry of `apply.result`."""
    fields = entry.fields
    order_id = fields.get("order_id", "")
    return ResultSeen(
        plan_id=fields.get("plan_id", ""),
        decision=fields.get("decision", ""),
        executed=fields.get("executed", "").lower() in {"true", "1"},
        error=fields.get("error", ""),
        order_id=int(order_id) if order_id else None,
    )
