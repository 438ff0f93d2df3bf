"""Recording what became of an order: its state, its fills, its plan's one result, its close, its hold, together.

One transaction, whoever learned it: the sender from the answer, the resolver by asking. Invariants: a final
order's plan has exactly one result, given in the transaction that made the order final; a close is DONE in that
transaction too, and its hold counts an attempt without progress there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from holdfast.decide.outcome import cancel_result, result_of
from holdfast.domain.amounts import ZERO, format_amount
from holdfast.domain.close import CloseState
from holdfast.domain.entry import Entry, EntryKind, JournaledEntry
from holdfast.domain.hold import NextStep, StepKind
from holdfast.domain.ledger import MoveCause
from holdfast.domain.sides import Decision
from holdfast.ports.telemetry import about_close
from holdfast.services.booking import average_price, book_trades, fill_entry
from holdfast.services.holding import Written
from holdfast.services.late import write_late_acceptance

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.domain.limits import Limits
    from holdfast.domain.names import ClientOrderId
    from holdfast.domain.order import Order, OrderState
    from holdfast.domain.plan import PlanResult
    from holdfast.domain.trade import Trade
    from holdfast.ports.journal import Reads, Tx
    from holdfast.services.context import Context


@dataclass(frozen=True, slots=True)
class Concluded:
    """An order as it stands after the transaction, and its plan's result if it is final."""

    order: Order
    result: PlanResult | None
    """None while the order is not final."""
    is_first: bool
    """True if this very transaction gave the result; whoever else asks only learns it."""


async def conclude(
    context: Context,
    name: ClientOrderId,
    *,
    change: Callable[[Order, int], Order],
    trades: tuple[Trade, ...],
    entry_id: str,
    why: str,
) -> Concluded | None:
    """Apply `change(order, now_ms)` and book `trades`; None if the journal has no such order."""
    written: list[JournaledEntry] = []
    ended: list[Concluded] = []
    cancels: list[PlanResult] = []

    def read(reads: Reads) -> tuple[Order | None, int]:
        return reads.order(name), reads.now_ms()

    def decide(facts: tuple[Order | None, int]) -> Order | None:
        order, now_ms = facts
        return None if order is None else change(order, now_ms)

    def write(tx: Tx, choice: Order | None, facts: tuple[Order | None, int]) -> None:
        written.clear()
        ended.clear()
        cancels.clear()
        before, now_ms = facts
        if choice is None or before is None:
            return
        order, booked = book_trades(tx, choice, trades, MoveCause.FILL)
        if not booked:
            tx.put_order(order)
        late = Written(written, [])
        order = write_late_acceptance(tx, before, order, booked, late)
        if booked:
            written.append(tx.append(fill_entry(order, booked, EntryKind.FILL)))
        if choice.state is not before.state or choice.executed_qty != before.executed_qty:
            written.append(tx.append(outcome_entry(order, before.state, why)))
        record = tx.plan(order.plan_id)
        result = record.result if record is not None else None
        is_first = order.state.is_final and record is not None and result is None
        if is_first and record is not None:
            result = result_of(order, entry_id, average_price(booked), now_ms)
            tx.put_plan(order.plan_id, record.content_hash, order.leg.symbol, result)
            written.extend(end_close(tx, order, context.limits, now_ms))
        cancels[:] = answer_cancels(tx, order, now_ms)
        ended.append(Concluded(order, result if order.state.is_final else None, is_first))

    await context.transact(read=read, decide=decide, write=write)
    if not ended:
        return None
    context.emit(written)
    _tell(context, ended[0], written, cancels)
    return ended[0]


def _tell(context: Context, concluded: Concluded, written: list[JournaledEntry], cancels: list[PlanResult]) -> None:
    for result in cancels:
        context.answer(result)
    if any(each.entry.kind is EntryKind.ALERT for each in written):
        context.wakes.alerts.knock("late")
    order = concluded.order
    context.wakes.legs.knock(order.leg)
    context.changed(order.leg.symbol)
    if order.rests:
        context.wakes.cancels.knock(order.client_order_id)  # a hold may have been placed while it was on its way
    log = context.log
    if order.decision is not Decision.EXECUTE:
        log = about_close(log, order.plan_id, order.hold_id)
    log.info(
        "order_outcome",
        account=order.leg.account,
        symbol=order.leg.symbol,
        plan_id=order.plan_id,
        client_order_id=order.client_order_id,
        state=order.state.value,
        executed_qty=format_amount(order.executed_qty),
        booked_qty=format_amount(order.booked_qty),
        error=order.error,
    )
    if order.decision is Decision.RECONCILE_CLOSE and concluded.is_first and order.executed_qty > ZERO:
        context.metrics.close_executed()


def answer_cancels(tx: Tx, order: Order, now_ms: int) -> list[PlanResult]:
    """The outcomes of the CANCEL plans that waited for the order's end, each given once."""
    given: list[PlanResult] = []
    if order.cancel is None or not order.state.is_final:
        return given
    for plan_id in order.cancel.plans:
        record = tx.plan(plan_id)
        if record is not None and record.result is None:
            given.append(cancel_result(order, plan_id, now_ms))
            tx.put_plan(plan_id, record.content_hash, order.leg.symbol, given[-1])
    return given


def outcome_entry(order: Order, was: OrderState, why: str) -> Entry:
    """The journal's line about what became of an order, and why that was written."""
    return Entry(
        EntryKind.ORDER_OUTCOME,
        order.leg.account,
        symbol=order.leg.symbol,
        hold_id=order.hold_id,
        plan_id=order.plan_id,
        body={
            "client_order_id": order.client_order_id,
            "position_side": order.leg.position_side.value,
            "was": was.value,
            "state": order.state.value,
            "executed_qty": format_amount(order.executed_qty),
            "booked_qty": format_amount(order.booked_qty),
            "venue_order_id": order.venue_order_id,
            "error": order.error,
            "detail": order.error_detail,
            "why": why,
        },
    )


def end_close(tx: Tx, order: Order, limits: Limits, now_ms: int) -> list[JournaledEntry]:
    """The close is done; a hold counts what brought no progress, and waits before the next attempt."""
    if order.decision is Decision.EXECUTE:
        return []
    close = tx.close(order.plan_id)
    if close is not None and close.state.is_unfinished:
        tx.put_close(replace(close, state=CloseState.DONE))
    body = {"state": order.state.value, "executed_qty": format_amount(order.executed_qty)}
    kind = EntryKind.CLOSE_DONE if order.decision is Decision.RECONCILE_CLOSE else EntryKind.OPERATOR_CLOSE_DONE
    if order.executed_qty == ZERO:
        kind = EntryKind.CLOSE_FAILED
    entry = Entry(kind, order.leg.account, order.leg.symbol, order.hold_id, order.plan_id, {**body})
    journaled = [tx.append(entry)]
    hold = tx.hold(order.hold_id) if order.hold_id is not None else None
    if hold is None or not hold.is_open or order.decision is not Decision.RECONCILE_CLOSE:
        return journaled
    if order.executed_qty > ZERO:
        tx.put_hold(replace(hold, close_attempts=0))
        return journaled
    attempts = hold.close_attempts + 1
    tx.put_hold(replace(hold, close_attempts=attempts, next_step=backoff_step(limits, now_ms, attempts)))
    return journaled


def backoff_step(limits: Limits, now_ms: int, attempts: int) -> NextStep:
    """The wait after a close that brought nothing: doubles with each."""
    wait_ms = limits.close_backoff_ms * 2 ** max(min(attempts, 10) - 1, 0)
    return NextStep(StepKind.CLOSE_BACKOFF, now_ms + wait_ms, f"the next attempt is due in {wait_ms} ms")
