"""One close, taken from the journal: guardrails, claim and intent in one transaction; then its one request.

The message on the bus only wakes: it is compared with the journal's close and, if it is that close, dropped; a
forged or changed one gets a refusal and touches nothing. Before the guardrails own resting orders of the leg are
cancelled, and the position is read fresh from the venue.

One close is worked on once at a time, whoever asks for it (its lane, an operator's request); a close that has an order
already gets no second one, and what is published of it is what the journal holds.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from holdfast.decide.guardrails import CloseFacts, judge_message, permit_close
from holdfast.decide.outcome import refused
from holdfast.domain.amounts import format_amount
from holdfast.domain.close import Close, CloseState, plan_of_close
from holdfast.domain.entry import Entry, EntryKind, JournaledEntry
from holdfast.domain.errors import VenueUnavailable
from holdfast.domain.hold import HoldReason
from holdfast.domain.names import client_order_id
from holdfast.domain.order import OrderState
from holdfast.domain.permit import Permit, Refusal
from holdfast.domain.plan import PlanEntry
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Decision
from holdfast.ports.telemetry import Stage, about_close
from holdfast.services.concluding import backoff_step
from holdfast.services.execute import intent_entry, refusal_result
from holdfast.services.sending import Again, order_of

if TYPE_CHECKING:
    from holdfast.domain.names import HoldId, PlanId
    from holdfast.domain.order import Order
    from holdfast.domain.plan import Plan, PlanResult
    from holdfast.domain.view import PositionView
    from holdfast.ports.journal import PlanRecord, Reads, Tx
    from holdfast.ports.venue import VenueTrader
    from holdfast.services.cancelling import Canceller
    from holdfast.services.context import Context
    from holdfast.services.publishing import Publisher
    from holdfast.services.sending import Sender


REFUSALS_COUNTED_MAX = 6
"""Refusals in a row that double the wait before the next plan: what will not pass must not fill the journal."""


@dataclass(frozen=True, slots=True)
class _Facts:
    close: CloseFacts
    record: PlanRecord | None
    own: Order | None
    """The close's own order; there is one only if a request of it was not executed and is to be repeated."""


class Closer:
    """Carries closes out."""

    def __init__(
        self, context: Context, trader: VenueTrader, sender: Sender, publisher: Publisher, canceller: Canceller
    ) -> None:
        self._context = context
        self._trader = trader
        self._sender = sender
        self._publisher = publisher
        self._canceller = canceller
        self._under_way: dict[PlanId, asyncio.Event] = {}

    async def take_message(self, entry: PlanEntry, plan: Plan) -> None:
        """Judge a close's message: wake on the journal's own, refuse any other."""
        context = self._context
        close = await context.journal.query(context.account, lambda reads: reads.close(plan.plan_id))
        refusal = judge_message(plan, close, context.rules.instruments.get(plan.symbol))
        if refusal is None:
            context.wakes.closes.knock(plan.plan_id)
            self._publisher.acknowledge(entry.entry_id)
            return
        context.metrics.close_refused(refusal.rule)
        about_close(context.log, plan.plan_id, close.hold_id if close is not None else None).warning(
            "close_message_refused", account=context.account, rule=refusal.rule, detail=refusal.detail
        )
        result = refusal_result(context, entry, refusal, context.clock.now_ms())
        self._publisher.publish(replace(result, result_id=f"forged-{entry.entry_id}"), entry.entry_id)

    async def close(self, plan_id: PlanId) -> None:
        """Take one journaled close to its end, or to an order that the resolver goes on with.

        Whoever asks for a close that is under way waits for the end of that.
        """
        under_way = self._under_way.get(plan_id)
        if under_way is not None:
            await under_way.wait()
            return
        ended = self._under_way[plan_id] = asyncio.Event()
        try:
            with self._sender.in_hand(client_order_id(self._context.account, plan_id)):
                await self._carry_out(plan_id)
        finally:
            del self._under_way[plan_id]
            ended.set()

    async def _carry_out(self, plan_id: PlanId) -> None:
        context, sent = self._context, 0
        while True:
            close = await context.journal.query(context.account, lambda reads: reads.close(plan_id))
            if close is None or close.state is not CloseState.PLANNED:
                return
            # An own order that rests would use the position up (venue code -4118).
            await self._canceller.end_leg(close.leg, f"close {plan_id} needs the position")
            position = await self._position(close)
            choice, result = await self._claim(close, position, sent)
            log = about_close(context.log, plan_id, close.hold_id)
            if isinstance(choice, Refusal):
                self._refused(close, choice, result)
                return
            log.info("guardrails_passed", symbol=close.leg.symbol, side=close.side.value, qty=str(close.qty))
            if close.decision is Decision.RECONCILE_CLOSE:
                context.metrics.close_attempted()
            started = context.clock.monotonic_ns()
            outcome = await self._sender.send(choice, "", sent)
            context.metrics.stage(Stage.SUBMIT, context.clock.monotonic_ns() - started)
            if outcome.again is Again.NO:
                if outcome.concluded is not None and outcome.concluded.result is not None:
                    self._publisher.publish(outcome.concluded.result, None)
                return
            sent += 1
            await asyncio.sleep(outcome.wait_ms / 1000)
            await self._plan_again(close)

    async def _position(self, close: Close) -> PositionView | None:
        try:
            view = await self._trader.symbol_view(close.leg.symbol)
        except VenueUnavailable as error:
            log = about_close(self._context.log, close.plan_id, close.hold_id)
            log.warning("position_failed", symbol=close.leg.symbol, detail=str(error))
            return None
        return view.of(close.leg)

    async def _claim(
        self, close: Close, position: PositionView | None, sent: int
    ) -> tuple[Permit | Refusal, PlanResult | None]:
        """Claim the close, or refuse it with the result that was journaled; None if it has another outcome."""
        context = self._context
        offset_ms = self._trader.venue_now_ms() - context.clock.now_ms()
        written: list[JournaledEntry] = []
        given: list[PlanResult] = []

        def read(reads: Reads) -> _Facts:
            return _Facts(
                self._close_facts(reads, close, position, offset_ms),
                reads.plan(close.plan_id),
                reads.order(client_order_id(context.account, close.plan_id)),
            )

        def decide(facts: _Facts) -> Permit | Refusal:
            if facts.own is not None and facts.own.state is not OrderState.CLAIMED:
                text = f"the close has an order already ({facts.own.state.value})"
                return Refusal(Reason.SUPERSEDED, text, "unclaimed")
            return permit_close(facts.close)

        def write(tx: Tx, choice: Permit | Refusal, facts: _Facts) -> None:
            written.clear()
            given.clear()
            if isinstance(choice, Permit):
                written.extend(self._write_permit(tx, choice, facts, sent))
            else:
                written.extend(self._write_refusal(tx, choice, facts, given))

        choice = await context.transact(read=read, decide=decide, write=write)
        context.emit(written)
        return choice, given[0] if given else None

    def _close_facts(self, reads: Reads, close: Close, position: PositionView | None, offset_ms: int) -> CloseFacts:
        context = self._context
        journaled = reads.close(close.plan_id)
        own = client_order_id(context.account, close.plan_id)
        return CloseFacts(
            account=context.account,
            plan=plan_of_close(close),
            close=journaled,
            hold=reads.hold(close.hold_id) if close.hold_id is not None else None,
            now_ms=reads.now_ms(),
            venue_offset_ms=offset_ms,
            limits=context.limits,
            trading=reads.account().trading_state,
            instrument=context.rules.instruments.get(close.leg.symbol),
            position=position,
            ledger=reads.leg(close.leg),
            mode_changed=any(hold.reason is HoldReason.MODE_CHANGED for hold in reads.open_holds(None)),
            orders=tuple(
                order
                for order in reads.live_orders(close.leg.symbol)
                if order.leg == close.leg and order.client_order_id != own
            ),
            unfinished=reads.unfinished_close(close.leg),
        )

    def _write_permit(self, tx: Tx, permit: Permit, facts: _Facts, sent: int) -> list[JournaledEntry]:
        close = facts.close.close
        if close is None:
            return []
        tx.put_close(replace(close, state=CloseState.CLAIMED))
        order = order_of(permit, facts.close.now_ms, sent)
        tx.put_order(order)
        # Whatever stands under this id is not of this close: it has had no order, so it has had no outcome.
        tx.put_plan(close.plan_id, facts.close.plan.content_hash(), close.leg.symbol, None)
        claimed = self._entry(EntryKind.CLOSE_CLAIMED, close, {"attempt": order.sent_count, **_saw(facts.close)})
        intent = intent_entry(order, facts.close.ledger.version, None)
        return [tx.append(claimed), tx.append(intent)]

    def _write_refusal(self, tx: Tx, refusal: Refusal, facts: _Facts, given: list[PlanResult]) -> list[JournaledEntry]:
        close, hold = facts.close.close, facts.close.hold
        if close is None or close.state is not CloseState.PLANNED:
            return []
        if facts.own is not None and not facts.own.state.is_final and facts.own.state is not OrderState.CLAIMED:
            tx.put_close(replace(close, state=CloseState.CLAIMED))  # its order lives: that ends it
            return []
        tx.put_close(replace(close, state=CloseState.REFUSED))
        if facts.own is None or facts.own.state is OrderState.CLAIMED:
            result = refusal_result(self._context, _entry_of(close), refusal, facts.close.now_ms)
            tx.put_plan(close.plan_id, facts.close.plan.content_hash(), close.leg.symbol, result)
            given.append(result)
        if facts.own is not None and facts.own.state is OrderState.CLAIMED:
            # It waited to be sent again, and must not stay CLAIMED behind a close that is over.
            tx.put_order(refused(facts.own, refusal.reason, refusal.detail, facts.close.now_ms))
        if hold is not None and hold.is_open and close.decision is Decision.RECONCILE_CLOSE:
            refusals = min(1 + _refusals_in_a_row(tx, hold.hold_id), REFUSALS_COUNTED_MAX)
            tx.put_hold(replace(hold, next_step=backoff_step(self._context.limits, facts.close.now_ms, refusals)))
        body = {"rule": refusal.rule, "error": refusal.reason.value, "detail": refusal.detail, **_saw(facts.close)}
        return [tx.append(self._entry(EntryKind.CLOSE_REFUSED, close, body))]

    def _entry(self, kind: EntryKind, close: Close, body: dict[str, str | int | None]) -> Entry:
        return Entry(kind, close.leg.account, close.leg.symbol, close.hold_id, close.plan_id, {**body})

    def _refused(self, close: Close, refusal: Refusal, result: PlanResult | None) -> None:
        context = self._context
        if close.decision is Decision.RECONCILE_CLOSE:
            context.metrics.close_refused(refusal.rule)
        about_close(context.log, close.plan_id, close.hold_id).warning(
            "guardrail_refused", symbol=close.leg.symbol, rule=refusal.rule, detail=refusal.detail
        )
        context.rules.doubt(refusal.reason)
        if result is not None:
            self._publisher.publish(result, None)
        context.wakes.legs.knock(close.leg)
        context.changed(close.leg.symbol)

    async def _plan_again(self, close: Close) -> None:
        """Nothing was executed: the close is planned again as it was, and passes every guardrail anew."""

        def read(reads: Reads) -> tuple[Close | None, Order | None]:
            return reads.close(close.plan_id), reads.order(client_order_id(self._context.account, close.plan_id))

        def write(tx: Tx, _choice: None, facts: tuple[Close | None, Order | None]) -> None:
            journaled, order = facts
            if journaled is None or journaled.state is not CloseState.CLAIMED:
                return
            if order is not None and order.state is OrderState.CLAIMED:
                tx.put_close(replace(journaled, state=CloseState.PLANNED))

        await self._context.transact(read=read, decide=lambda _: None, write=write)


def _refusals_in_a_row(tx: Tx, hold_id: HoldId) -> int:
    """How many closes of the hold were refused since one of them had an order."""
    count = 0
    for journaled in reversed(tx.entries_of_hold(hold_id)):
        if journaled.entry.kind is EntryKind.CLOSE_CLAIMED or count >= REFUSALS_COUNTED_MAX:
            break
        count += journaled.entry.kind is EntryKind.CLOSE_REFUSED
    return count


def _entry_of(close: Close) -> PlanEntry:
    return PlanEntry("", plan_of_close(close), close.plan_id, close.leg.symbol, close.decision.value)


def _saw(facts: CloseFacts) -> dict[str, str | int | None]:
    """The facts behind a claim or refusal, as the journal keeps them."""
    position = facts.position
    return {
        "qty": format_amount(facts.plan.qty),
        "position_amt": format_amount(position.amt) if position is not None else None,
        "position_as_of_ms": position.as_of_ms if position is not None else None,
        "ledger_amt": format_amount(facts.ledger.amt),
        "hold_state": None if facts.hold is None else ("open" if facts.hold.is_open else "released"),
        "trading": facts.trading.value,
    }
