"""A person's word to close a position.

Planned by apply from a fresh look, journaled with name and reason, then sent through the same guardrails as every
close (DESIGN §6).

It works during a hold and during a halt: exits must. A position larger than the largest MARKET order is closed
slice by slice, at most `SLICES_MAX`; each slice is a close of its own.

A request that is found again, after a crash or a busy journal, goes on where it was: what its slices have filled
counts, and no slice is planned a second time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.decide.close import side_that_shrinks, slice_of
from holdfast.decide.move import automatic_hold
from holdfast.domain.amounts import ZERO, format_amount, parse_amount
from holdfast.domain.close import Approval, Close, CloseState
from holdfast.domain.entry import Entry, EntryKind, JsonValue
from holdfast.domain.errors import BadAmount, JournalBusy, VenueUnavailable
from holdfast.domain.names import PlanId
from holdfast.domain.operator import OperatorRequest, RequestKind, RequestState
from holdfast.domain.sides import Decision, Leg, PositionMode, PositionSide
from holdfast.services.asked import end_request, is_still_asked, refuse_old, side_problem
from holdfast.services.inbox import OWN_LOOK_MS

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.domain.entry import JournaledEntry
    from holdfast.domain.names import Symbol
    from holdfast.domain.view import PositionView
    from holdfast.ports.journal import Reads, Tx
    from holdfast.ports.venue import VenueTrader
    from holdfast.services.closing import Closer
    from holdfast.services.context import Context

SLICES_MAX = 20


class OperatorClose:
    """Carries out what operators ask to close."""

    def __init__(self, context: Context, trader: VenueTrader, closer: Closer) -> None:
        self._context = context
        self._trader = trader
        self._closer = closer

    async def run(self) -> None:
        """Carry closes out until cancelled."""
        context = self._context
        while True:
            await context.wakes.operator_closes.take(OWN_LOOK_MS)
            try:
                for request in await context.journal.query(context.account, lambda reads: reads.requests_open()):
                    if request.kind is RequestKind.CLOSE:
                        await self._carry_out(request)
            except JournalBusy as error:  # it stays open, and goes on where it was
                context.log.warning("requests_wait", account=context.account, detail=str(error))

    async def _carry_out(self, request: OperatorRequest) -> None:
        if await refuse_old(self._context, request):
            return
        try:
            outcome, state = await self._close(request)
        except VenueUnavailable as error:
            outcome, state = f"the venue gave no complete answer: {error}", RequestState.REFUSED
        await self._context.transact(
            read=lambda _: None,
            decide=lambda _: None,
            write=lambda tx, _choice, _facts: end_request(tx, request, state, outcome),
        )

    async def _close(self, request: OperatorRequest) -> tuple[str, RequestState]:
        if request.symbol is None or not request.name.strip() or not request.reason.strip():
            return "a symbol, a name and a reason are needed", RequestState.REFUSED
        leg = await self._leg(request, request.symbol)
        if isinstance(leg, str):
            return leg, RequestState.REFUSED
        started = await self._started(request)
        done = sum((filled for _, filled in started), ZERO)
        view = await self._look(leg)
        try:
            wanted = parse_amount(request.qty) if request.qty else abs(view.amt) + done
        except BadAmount as error:
            return str(error), RequestState.REFUSED
        if not started and view.amt == ZERO:
            return f"{leg.key} is flat at the exchange already", RequestState.REFUSED
        if wanted <= ZERO or (not started and wanted > abs(view.amt)):
            held = format_amount(view.amt)
            return f"{format_amount(wanted)} is not within the position of {held}", RequestState.REFUSED
        return await self._slices(request, leg, wanted, started)

    async def _started(self, request: OperatorRequest) -> list[tuple[str | None, Decimal]]:
        """The outcomes of the slices that were planned before: one that was not sent yet is carried out first."""
        started: list[tuple[str | None, Decimal]] = []
        for number in range(1, SLICES_MAX + 1):
            plan_id = _slice_id(request, number)
            if await self._planned(plan_id) is None:
                break
            await self._closer.close(plan_id)
            started.append(await self._outcome(plan_id))
        return started

    async def _planned(self, plan_id: PlanId) -> Close | None:
        return await self._context.journal.query(self._context.account, lambda reads: reads.close(plan_id))

    async def _slices(
        self, request: OperatorRequest, leg: Leg, wanted: Decimal, started: list[tuple[str | None, Decimal]]
    ) -> tuple[str, RequestState]:
        done = sum((filled for _, filled in started), ZERO)
        refusal = next((why for why, _ in started if why is not None), None)
        for number in range(len(started) + 1, SLICES_MAX + 1):
            if refusal is not None:
                return f"{format_amount(done)} closed, then: {refusal}", RequestState.REFUSED
            if done >= wanted:
                return f"{format_amount(done)} closed", RequestState.DONE
            view = await self._look(leg)
            plan_id = _slice_id(request, number)
            refusal = await self._plan(request, plan_id, leg, view, qty=min(wanted - done, abs(view.amt)))
            if refusal is None:
                await self._closer.close(plan_id)
                refusal, filled = await self._outcome(plan_id)
                done += filled
        if refusal is None and done >= wanted:
            return f"{format_amount(done)} closed", RequestState.DONE
        return f"{format_amount(done)} closed in {SLICES_MAX} slices; ask again for the rest", RequestState.REFUSED

    async def _leg(self, request: OperatorRequest, symbol: Symbol) -> Leg | str:
        """The leg that is meant, or what is wrong with how it was named."""
        account = self._context.account
        state = await self._context.journal.query(account, lambda reads: reads.account())
        mode = state.position_mode or PositionMode.ONE_WAY
        if mode is PositionMode.HEDGE and request.position_side is None:
            return "in hedge mode say which leg: --position-side LONG or SHORT"
        return side_problem(request, mode) or Leg(account, symbol, request.position_side or PositionSide.BOTH)

    async def _look(self, leg: Leg) -> PositionView:
        view = await self._trader.symbol_view(leg.symbol)
        return view.of(leg)

    async def _plan(
        self, request: OperatorRequest, plan_id: PlanId, leg: Leg, view: PositionView, *, qty: Decimal
    ) -> str | None:
        """Journal one slice with its approval; the reason if it cannot be."""
        rules = self._context.rules.instruments.get(leg.symbol)
        sliced = slice_of(qty, rules) if rules is not None else ZERO
        if sliced <= ZERO:
            return f"no whole step of {leg.symbol} is left to close"

        def read(reads: Reads) -> tuple[Close | None, bool]:
            return reads.close(plan_id) or reads.unfinished_close(leg), is_still_asked(reads, request)

        def decide(facts: tuple[Close | None, bool]) -> str | None:
            unfinished, is_asked = facts
            if not is_asked:
                return "it was withdrawn meanwhile"
            if unfinished is not None and (unfinished.plan_id == plan_id or unfinished.state is CloseState.CLAIMED):
                return f"close {unfinished.plan_id} is under way"
            return None

        def write(tx: Tx, refusal: str | None, facts: tuple[Close | None, bool]) -> None:
            if refusal is not None:
                return
            unfinished = facts[0]
            if unfinished is not None:
                tx.put_close(replace(unfinished, state=CloseState.SUPERSEDED))
            hold = automatic_hold(tuple(hold for hold in tx.open_holds(leg.symbol) if hold.leg == leg))
            now_ms = tx.now_ms()
            close = Close(
                plan_id=plan_id,
                decision=Decision.OPERATOR_CLOSE,
                hold_id=hold.hold_id if hold is not None else None,
                leg=leg,
                side=side_that_shrinks(view.amt),
                qty=sliced,
                exchange_amt=view.amt,
                ledger_amt=tx.leg(leg).amt,
                reason=request.reason,
                created_ms=now_ms,
                expires_ms=now_ms + self._context.limits.close_ttl_ms,
                attempt=1,
                state=CloseState.PLANNED,
                approval=Approval(request.name, request.reason),
            )
            tx.put_close(close)
            body: dict[str, JsonValue] = {
                "who": request.name,
                "why": request.reason,
                "qty": format_amount(sliced),
                "exchange_amt": format_amount(view.amt),
                "ledger_amt": format_amount(close.ledger_amt),
            }
            emitted[:] = [tx.append(Entry(EntryKind.APPROVED, leg.account, leg.symbol, close.hold_id, plan_id, body))]

        emitted: list[JournaledEntry] = []
        refusal = await self._context.transact(read=read, decide=decide, write=write)
        self._context.emit(emitted)
        return refusal

    async def _outcome(self, plan_id: PlanId) -> tuple[str | None, Decimal]:
        """Why the slice did not fill, or None; and how much it filled."""

        def read(reads: Reads) -> tuple[str | None, Decimal]:
            record, close = reads.plan(plan_id), reads.close(plan_id)
            if record is not None and record.result is not None:
                result = record.result
                return (None if result.executed else f"{result.error}: {result.detail}"), result.filled_qty
            state = close.state.value if close is not None else "gone"
            return f"the close is {state} without an outcome yet; `holdfast explain` follows it", ZERO

        return await self._context.journal.query(self._context.account, read)


def _slice_id(request: OperatorRequest, number: int) -> PlanId:
    """Name a slice by its request: the same slice has the same name on every restart."""
    return PlanId(f"oc-{request.request_id}-{number}")
