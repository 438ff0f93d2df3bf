"""A person's word on an order whose fate nobody could prove: it was filled, or it never reached the book.

Only an UNKNOWN order past its window may be resolved so: before that the venue itself may still answer. "Filled" is
believed for the whole unbooked quantity and moves the ledger by it, journaled with who and why; if the venue says
otherwise later, that is drift, and it is held. A trade that shows up later moves the ledger no second time: the
believed part counts as undone drift from then on. Order, ledger, result, close and the request's end are one
transaction: a word that is found again, after a crash, has either moved nothing or ended.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.decide.outcome import ended, result_of, was_taken
from holdfast.decide.recovery import window_end_ms
from holdfast.domain.amounts import ZERO, format_amount
from holdfast.domain.errors import JournalBusy
from holdfast.domain.ledger import MoveCause
from holdfast.domain.operator import OperatorRequest, RequestKind, RequestState
from holdfast.domain.order import Order, OrderState
from holdfast.domain.reasons import Reason
from holdfast.services.asked import end_request
from holdfast.services.concluding import answer_cancels, conclude, end_close, outcome_entry
from holdfast.services.inbox import OWN_LOOK_MS, RESOLVE_KINDS

if TYPE_CHECKING:
    from holdfast.domain.entry import JournaledEntry
    from holdfast.domain.plan import PlanResult
    from holdfast.ports.journal import Tx
    from holdfast.ports.venue import VenueTrader
    from holdfast.services.context import Context
    from holdfast.services.publishing import Publisher


class OperatorResolve:
    """Carries out what operators say of orders."""

    def __init__(self, context: Context, trader: VenueTrader, publisher: Publisher) -> None:
        self._context = context
        self._trader = trader
        self._publisher = publisher

    async def run(self) -> None:
        """Carry resolutions out until cancelled."""
        context = self._context
        while True:
            await context.wakes.operator_resolves.take(OWN_LOOK_MS)
            try:
                for request in await context.journal.query(context.account, lambda reads: reads.requests_open()):
                    if request.kind in RESOLVE_KINDS:
                        await self._carry_out(request)
            except JournalBusy as error:
                context.log.warning("requests_wait", account=context.account, detail=str(error))

    async def _carry_out(self, request: OperatorRequest) -> None:
        name = request.client_order_id
        order = None
        if name is not None:
            order = await self._context.journal.query(self._context.account, lambda reads: reads.order(name))
        refusal = self._refusal(request, order)
        if refusal is not None or order is None:
            await self._end(request, RequestState.REFUSED, refusal or "the journal knows no such order")
            return
        who = f"{request.name}: {request.reason}"
        if request.kind is RequestKind.RESOLVE_FILLED:
            await self._believe(request, order, who)
            return
        concluded = await conclude(
            self._context,
            order.client_order_id,
            change=lambda each, now: _ended(request.kind, each, who, now),
            trades=(),
            entry_id="",
            why=f"resolved by {who}",
        )
        if concluded is not None and concluded.result is not None:
            self._publisher.publish(concluded.result, None)
        await self._end(request, RequestState.DONE, f"{order.client_order_id} is {request.kind.value}")

    def _refusal(self, request: OperatorRequest, order: Order | None) -> str | None:
        if order is None:
            return "the journal knows no such order"
        if not request.name.strip() or not request.reason.strip():
            return "a name and a reason are needed"
        if order.state is not OrderState.UNKNOWN:
            return f"the order is {order.state.value}, not unknown"
        left_ms = window_end_ms(order, self._context.limits) - self._trader.venue_now_ms()
        if left_ms > 0:
            return f"the venue may still answer for {left_ms} ms; ask again then"
        return _contradicted(request.kind, order)

    async def _believe(self, request: OperatorRequest, order: Order, who: str) -> None:
        """Move the ledger by the person's word, for what no trade has booked, and give the plan that result.

        The order's executed and booked quantities stay what trades have proven.
        """
        written: list[JournaledEntry] = []
        given: list[PlanResult] = []

        def write(tx: Tx, _choice: None, current: Order | None) -> None:
            written.clear()
            given.clear()
            if current is None or current.state is not OrderState.UNKNOWN:
                end_request(tx, request, RequestState.REFUSED, "its fate became known meanwhile")
                return
            now_ms, left = tx.now_ms(), current.qty - current.booked_qty
            part = current.ledger_part(left)
            if part > ZERO:
                move = f"resolved as filled by {who} ({format_amount(left)})"
                tx.move_ledger(current.leg, part * current.side.sign, MoveCause.ADOPT, move)
            filled = replace(current, state=OrderState.FILLED, error="", error_detail=who, updated_ms=now_ms)
            tx.put_order(replace(filled, against_drift_qty=current.qty))
            written.append(tx.append(outcome_entry(filled, current.state, f"resolved by {who}")))
            record, believed = tx.plan(current.plan_id), replace(filled, executed_qty=current.qty)
            if record is not None and record.result is None:
                given.append(result_of(believed, "", None, now_ms))
                tx.put_plan(current.plan_id, record.content_hash, current.leg.symbol, given[0])
                written.extend(end_close(tx, believed, self._context.limits, now_ms))
            given.extend(answer_cancels(tx, believed, now_ms))
            end_request(tx, request, RequestState.DONE, f"{current.client_order_id} is {request.kind.value}")

        name = order.client_order_id
        await self._context.transact(read=lambda reads: reads.order(name), decide=lambda _: None, write=write)
        self._context.emit(written)
        for result in given:
            self._publisher.publish(result, None)
        self._context.wakes.legs.knock(order.leg)
        self._context.changed(order.leg.symbol)

    async def _end(self, request: OperatorRequest, state: RequestState, outcome: str) -> None:
        await self._context.transact(
            read=lambda _: None,
            decide=lambda _: None,
            write=lambda tx, _choice, _facts: end_request(tx, request, state, outcome),
        )


def _contradicted(kind: RequestKind, order: Order) -> str | None:
    """What the venue has shown against the person's word; None if nothing."""
    if kind is RequestKind.RESOLVE_NOT_ACCEPTED and was_taken(order):
        return "the venue has shown that it took the order: it can't be said not to have been accepted"
    if kind is RequestKind.RESOLVE_ENDED and not was_taken(order):
        return "nothing shows that the venue ever took the order: say --not-accepted, or --filled"
    if kind is RequestKind.RESOLVE_ENDED and order.executed_qty > order.booked_qty:
        return "the venue has shown that more of it was executed than is booked: it is asked for its trades"
    return None


def _ended(kind: RequestKind, order: Order, who: str, now_ms: int) -> Order:
    if kind is RequestKind.RESOLVE_NOT_ACCEPTED:
        return _not_accepted(order, who, now_ms)
    return ended(order, who, now_ms) if order.state is OrderState.UNKNOWN else order


def _not_accepted(order: Order, who: str, now_ms: int) -> Order:
    if order.state is not OrderState.UNKNOWN or was_taken(order):
        return order
    return replace(
        order,
        state=OrderState.NOT_ACCEPTED,
        error=Reason.NOT_ACCEPTED.value,
        error_detail=who,
        updated_ms=now_ms,
    )
