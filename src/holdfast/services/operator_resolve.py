"""A person's word on an order whose fate nobody could prove: it was filled, or it never reached the book.

Only an UNKNOWN order past its window may be resolved so: before that the venue itself may still answer. "Filled" is
believed for the whole unbooked quantity and moves the ledger by it, journaled with who and why; if the venue says
otherwise later, that is drift, and it is held.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.decide.outcome import result_of
from holdfast.decide.recovery import window_end_ms
from holdfast.domain.amounts import ZERO, format_amount
from holdfast.domain.errors import JournalBusy
from holdfast.domain.ledger import MoveCause
from holdfast.domain.operator import OperatorRequest, RequestKind, RequestState
from holdfast.domain.order import Order, OrderState
from holdfast.domain.reasons import Reason
from holdfast.services.concluding import conclude, end_close
from holdfast.services.requests import end_request

if TYPE_CHECKING:
    from holdfast.ports.journal import Tx
    from holdfast.ports.venue import VenueTrader
    from holdfast.services.context import Context
    from holdfast.services.publishing import Publisher

POLL_MS = 100
_KINDS = frozenset({RequestKind.RESOLVE_FILLED, RequestKind.RESOLVE_NOT_ACCEPTED})


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
            await context.wakes.operator_resolves.take(POLL_MS)
            for request in await context.journal.query(context.account, lambda reads: reads.requests_open()):
                if request.kind in _KINDS:
                    try:
                        await self._carry_out(request)
                    except JournalBusy as error:
                        context.log.warning("request_waits", request=request.request_id, detail=str(error))

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
            await self._book(order, who)
        concluded = await conclude(
            self._context,
            order.client_order_id,
            change=lambda each, now: _resolved(each, request.kind, who, now),
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
        return None

    async def _book(self, order: Order, who: str) -> None:
        """Move the ledger by the person's word, for what no trade has booked, and give the plan that result.

        The order's own quantities stay what trades have proven.
        """

        def write(tx: Tx, _choice: None, current: Order | None) -> None:
            if current is None or current.state is not OrderState.UNKNOWN:
                return
            left = current.qty - current.booked_qty
            part = current.ledger_part(left)
            if part > ZERO:
                move = f"resolved as filled by {who} ({format_amount(left)})"
                tx.move_ledger(current.leg, part * current.side.sign, MoveCause.ADOPT, move)
            now_ms, record = tx.now_ms(), tx.plan(current.plan_id)
            believed = replace(current, state=OrderState.FILLED, executed_qty=current.qty, error="", error_detail=who)
            if record is not None and record.result is None:
                result = result_of(believed, "", None, now_ms)
                tx.put_plan(current.plan_id, record.content_hash, current.leg.symbol, result)
            end_close(tx, believed, self._context.limits, now_ms)

        name = order.client_order_id
        await self._context.transact(read=lambda reads: reads.order(name), decide=lambda _: None, write=write)

    async def _end(self, request: OperatorRequest, state: RequestState, outcome: str) -> None:
        await self._context.transact(
            read=lambda _: None,
            decide=lambda _: None,
            write=lambda tx, _choice, _facts: end_request(tx, request, state, outcome),
        )


def _resolved(order: Order, kind: RequestKind, who: str, now_ms: int) -> Order:
    if kind is RequestKind.RESOLVE_FILLED:
        return replace(order, state=OrderState.FILLED, error="", error_detail=who, updated_ms=now_ms)
    return replace(
        order,
        state=OrderState.NOT_ACCEPTED,
        error=Reason.NOT_ACCEPTED.value,
        error_detail=who,
        updated_ms=now_ms,
    )
