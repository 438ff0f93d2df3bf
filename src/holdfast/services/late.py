"""A fill of an order that was given up: refused by the venue's word, or proven by absence not to exist (ADR 0003).

It is booked like every fill. Besides, in the same transaction: the order says what it is now, its plan's result is
corrected (and published again, under its own id), and the leg is held as `late_acceptance` until a person has looked: a
rule that we inferred about the venue has just been proven wrong.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.decide.outcome import result_of
from holdfast.domain.entry import EntryKind
from holdfast.domain.hold import HoldReason
from holdfast.domain.order import Order, OrderState
from holdfast.services.booking import average_price
from holdfast.services.holding import alert_person, hold_entry, put_persons_hold

if TYPE_CHECKING:
    from holdfast.domain.trade import Trade
    from holdfast.ports.journal import Tx
    from holdfast.services.holding import Written

_GIVEN_UP = frozenset({OrderState.REFUSED, OrderState.NOT_ACCEPTED, OrderState.NOT_FILLED})


def write_late_acceptance(tx: Tx, before: Order, order: Order, booked: tuple[Trade, ...], out: Written) -> Order:
    """Write what a late fill changes; the order as it stands then. Nothing if the order was not given up."""
    if before.state not in _GIVEN_UP or not booked:
        return order
    state = OrderState.FILLED if order.booked_qty >= order.qty else OrderState.PARTIAL
    order = replace(order, state=state, error="", error_detail=f"filled after it was {before.state.value}")
    tx.put_order(order)
    record = tx.plan(order.plan_id)
    if record is not None:
        result = result_of(order, "", average_price(booked), tx.now_ms())
        result = replace(result, result_id=f"{result.result_id}-late")
        tx.put_plan(order.plan_id, record.content_hash, order.leg.symbol, result)
    text = f"order {order.client_order_id} was filled after it had been given up as {before.state.value}"
    hold = put_persons_hold(tx, order.leg, HoldReason.LATE_ACCEPTANCE, text)
    out.entries.append(hold_entry(tx, hold, EntryKind.HOLD_SET))
    alert_person(tx, hold, text, out)
    return order
