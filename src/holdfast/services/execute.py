"""One EXECUTE plan: permit, claim and intent in one transaction; then its one request; then its result.

A plan that was seen before gets its first outcome again (`duplicate=true`) or waits with the first delivery; an
id that comes back with other content is refused. A refusal that waiting may lift (the reconciler has not agreed
yet, an order is in flight) is asked again at every change of the symbol, up to `agree_ms_max`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from holdfast.decide.permit import BusReading, MarkPrice, PermitFacts, leg_of_plan, permit_execute
from holdfast.domain.amounts import ZERO, format_amount
from holdfast.domain.entry import Entry, EntryKind
from holdfast.domain.names import HoldId, PlanId, client_order_id
from holdfast.domain.order import OrderState
from holdfast.domain.permit import Permit, Refusal
from holdfast.domain.plan import PlanResult
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Leg, PositionSide
from holdfast.ports.telemetry import Stage
from holdfast.services.sending import Again, order_of

if TYPE_CHECKING:
    from holdfast.domain.hold import Hold
    from holdfast.domain.order import Order
    from holdfast.domain.plan import Plan, PlanEntry
    from holdfast.ports.journal import PlanRecord, Reads, Tx
    from holdfast.ports.venue import VenueTrader
    from holdfast.services.context import Context
    from holdfast.services.holds import BusHolds
    from holdfast.services.publishing import Publisher
    from holdfast.services.sending import Sender

POLL_MS = 50
"""How often a waiting plan looks again when nobody in this process knocks."""
CLOSE_PREFIXES = ("rc-", "oc-")
"""How the ids of RECONCILE_CLOSE and OPERATOR_CLOSE begin: an EXECUTE under one could take a close's name first."""


@dataclass(frozen=True, slots=True)
class Known:
    """The plan was claimed or answered before."""

    record: PlanRecord


@dataclass(frozen=True, slots=True)
class _Facts:
    record: PlanRecord | None
    own: Order | None
    """The plan's own order, if it is to be repeated."""
    permit: PermitFacts


class Executor:
    """Carries EXECUTE plans out, one at a time a symbol."""

    def __init__(
        self, context: Context, trader: VenueTrader, sender: Sender, publisher: Publisher, holds: BusHolds
    ) -> None:
        self._context = context
        self._trader = trader
        self._sender = sender
        self._publisher = publisher
        self._holds = holds

    async def execute(self, entry: PlanEntry, plan: Plan, received_ns: int) -> None:
        """Take one delivered plan to its result, or to an order that the resolver goes on with."""
        if refuse_reserved(self._context, self._publisher, entry, plan):
            return
        with self._sender.in_hand(client_order_id(self._context.account, plan.plan_id)):
            await self._execute(entry, plan, received_ns)

    async def _execute(self, entry: PlanEntry, plan: Plan, received_ns: int) -> None:
        clock, sent = self._context.clock, 0
        deadline_ns = clock.monotonic_ns() + self._context.limits.agree_ms_max * 1_000_000
        while True:
            change = self._context.wakes.symbols.expect(plan.symbol)
            may_wait = clock.monotonic_ns() < deadline_ns
            answered: list[PlanResult] = []
            choice = await self._claim(entry, plan, may_wait=may_wait, sent=sent, answered=answered)
            if isinstance(choice, Refusal) and choice.can_wait and may_wait:
                await self._context.wakes.symbols.wait(plan.symbol, change, POLL_MS)
                continue
            self._context.wakes.symbols.forget(plan.symbol, change)
            if not isinstance(choice, Permit):
                self._answer(entry, plan, choice, answered)
                return
            self._publisher.show_permit(choice)
            self._context.metrics.stage(Stage.PLAN_TO_ORDER, clock.monotonic_ns() - received_ns)
            outcome = await self._sender.send(choice, entry.entry_id, sent)
            if outcome.again is Again.NO:
                self._publish(entry, outcome.concluded.result if outcome.concluded is not None else None)
                self._context.metrics.stage(Stage.PLAN_TO_RESULT, clock.monotonic_ns() - received_ns)
                return
            sent += 1
            await asyncio.sleep(outcome.wait_ms / 1000)

    async def _claim(
        self, entry: PlanEntry, plan: Plan, *, may_wait: bool, sent: int, answered: list[PlanResult]
    ) -> Known | Permit | Refusal:
        """Decide and journal; `answered` gets the result of a refusal as it was journaled, for every repeat alike."""
        bus = await self._holds.reading(plan.symbol)
        offset_ms = self._trader.venue_now_ms() - self._context.clock.now_ms()

        def read(reads: Reads) -> _Facts:
            record = reads.plan(plan.plan_id)
            own = reads.order(client_order_id(self._context.account, plan.plan_id)) if sent else None
            return _Facts(record, own, self._permit_facts(reads, plan, bus, offset_ms))

        def decide(facts: _Facts) -> Known | Permit | Refusal:
            if facts.record is not None and (facts.own is None or facts.own.state is not OrderState.CLAIMED):
                return Known(facts.record)
            return permit_execute(facts.permit)

        def write(tx: Tx, choice: Known | Permit | Refusal, facts: _Facts) -> None:
            if isinstance(choice, Permit):
                order = order_of(choice, facts.permit.now_ms, sent)
                tx.put_order(order)
                if facts.record is None:
                    tx.put_plan(plan.plan_id, plan.content_hash(), plan.symbol, None)
                tx.append(intent_entry(order, facts.permit.ledger.version, facts.permit.stamp_ms))
            elif isinstance(choice, Refusal) and not (choice.can_wait and may_wait):
                answered[:] = [self._write_refusal(tx, entry, plan, choice, facts)]

        return await self._context.transact(read=read, decide=decide, write=write)

    def _permit_facts(self, reads: Reads, plan: Plan, bus: BusReading | None, offset_ms: int) -> PermitFacts:
        context, state = self._context, reads.account()
        name = client_order_id(context.account, plan.plan_id)
        leg = leg_of_plan(context.account, plan, state.position_mode)
        if leg is None:
            leg = Leg(context.account, plan.symbol, PositionSide.BOTH)
        if bus is not None and bus.value is not None and reads.hold(HoldId(bus.value)) is not None:
            bus = replace(bus, value=None)
        mark = context.rules.marks.get(plan.symbol)
        return PermitFacts(
            account=context.account,
            plan=plan,
            now_ms=reads.now_ms(),
            venue_offset_ms=offset_ms,
            limits=context.limits,
            trading=state.trading_state,
            mode=state.position_mode,
            baseline=state.baseline_ms is not None,
            instrument=context.rules.instruments.get(plan.symbol),
            holds=reads.open_holds(plan.symbol),
            bus=bus,
            orders=tuple(order for order in reads.live_orders(plan.symbol) if order.client_order_id != name),
            ledger=reads.leg(leg),
            stamp_ms=state.stamp_ms,
            mark=MarkPrice(*mark) if mark is not None else None,
        )

    def _write_refusal(self, tx: Tx, entry: PlanEntry, plan: Plan, refusal: Refusal, facts: _Facts) -> PlanResult:
        result = refusal_result(self._context, entry, refusal, facts.permit.now_ms)
        tx.put_plan(plan.plan_id, plan.content_hash(), plan.symbol, result)
        if facts.own is not None:
            ended = replace(
                facts.own, state=OrderState.REFUSED, error=refusal.reason.value, error_detail=refusal.detail
            )
            tx.put_order(ended)
        body = {
            "error": refusal.reason.value,
            "detail": refusal.detail,
            "side": plan.side.value,
            "qty": format_amount(plan.qty),
            "position_side": plan.position_side.value if plan.position_side is not None else "",
            "hold_id": _met(refusal, facts.permit.holds),
        }
        tx.append(Entry(EntryKind.PLAN_REFUSED, self._context.account, plan.symbol, None, plan.plan_id, {**body}))
        return result

    def _answer(self, entry: PlanEntry, plan: Plan, choice: Known | Refusal, answered: list[PlanResult]) -> None:
        if isinstance(choice, Refusal):
            self._publisher.show_refusal(plan, choice)
            self._context.rules.doubt(choice.reason)
            for result in answered:
                self._publish(entry, result)
            return
        answer_known(self._context, self._publisher, entry, plan, choice.record)

    def _publish(self, entry: PlanEntry, result: PlanResult | None) -> None:
        """Publish the result; without one the order's fate is open: the journal has it, the entry may go."""
        if result is None:
            self._publisher.await_outcome(entry.plan_id, entry.entry_id)
        else:
            self._publisher.publish(result, entry.entry_id)


def _met(refusal: Refusal, holds: tuple[Hold, ...]) -> str:
    """The hold that refused the plan; "" for any other reason.

    It stands in the body and not in the entry's own column: a strategy may try thousands of times, and the reconciler
    reads a hold's entries at every step.
    """
    return holds[0].hold_id if refusal.reason is Reason.HOLD_ACTIVE and holds else ""


def refuse_reserved(context: Context, publisher: Publisher, entry: PlanEntry, plan: Plan) -> bool:
    """Refuse a plan under an id that only the system's own closes may have; True if it was."""
    if not plan.plan_id.startswith(CLOSE_PREFIXES):
        return False
    detail = f"ids that begin with {' or '.join(CLOSE_PREFIXES)} are those of the system's own closes"
    refusal = Refusal(Reason.BAD_FIELD, detail, Reason.BAD_FIELD.value)
    result = refusal_result(context, entry, refusal, context.clock.now_ms())
    publisher.publish(replace(result, result_id=f"reserved-{entry.entry_id}"), entry.entry_id)
    return True


def answer_known(context: Context, publisher: Publisher, entry: PlanEntry, plan: Plan, record: PlanRecord) -> None:
    """Answer a plan whose id was seen before: its outcome again, or with the first one, or that the id is taken."""
    if record.content_hash != plan.content_hash():
        refusal = Refusal(Reason.PLAN_ID_REUSED, "this id was used with other content", Reason.PLAN_ID_REUSED.value)
        result = refusal_result(context, entry, refusal, context.clock.now_ms())
        publisher.publish(replace(result, result_id=f"reused-{entry.entry_id}"), entry.entry_id)
    elif record.result is None:
        publisher.attach(plan.plan_id, entry.entry_id)
    else:
        publisher.publish_again(record.result, entry.entry_id)


def intent_entry(order: Order, ledger_version: int, stamp_ms: int | None) -> Entry:
    """The journal's line about an intent, before its request leaves."""
    return Entry(
        EntryKind.INTENT,
        order.leg.account,
        symbol=order.leg.symbol,
        hold_id=order.hold_id,
        plan_id=order.plan_id,
        body={
            "decision": order.decision.value,
            "position_side": order.leg.position_side.value,
            "side": order.side.value,
            "qty": format_amount(order.qty),
            "type": order.order_type.value,
            "price": format_amount(order.price) if order.price is not None else None,
            "time_in_force": order.time_in_force.value if order.time_in_force is not None else None,
            "reduce_only": order.reduce_only,
            "client_order_id": order.client_order_id,
            "against_drift_qty": format_amount(order.against_drift_qty),
            "timestamp_ms": order.timestamp_ms,
            "recv_window_ms": order.recv_window_ms,
            "attempt": order.sent_count,
            "ledger_version": ledger_version,
            "stamp_ms": stamp_ms,
        },
    )


def refusal_result(context: Context, entry: PlanEntry, refusal: Refusal, now_ms: int) -> PlanResult:
    """The outcome of a plan that never became an order."""
    stable = f"res-{client_order_id(context.account, PlanId(entry.plan_id))}" if entry.plan else f"bad-{entry.entry_id}"
    return PlanResult(
        result_id=stable,
        plan_id=entry.plan_id,
        entry_id=entry.entry_id,
        symbol=entry.symbol,
        decision=entry.decision,
        executed=False,
        status="REFUSED",
        error=refusal.reason.value,
        detail=refusal.detail,
        filled_qty=ZERO,
        avg_price=None,
        client_order_id="",
        order_id=None,
        duplicate=False,
        timestamp_ms=now_ms,
    )
