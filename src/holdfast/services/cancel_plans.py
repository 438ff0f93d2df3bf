"""One CANCEL plan: the wish and the plan's record in one transaction; `cancelling` then ends the order.

Its one result is given in the transaction that makes the named order final, whatever ended it (`concluding`). A repeat
gets the same outcome, or waits for it with the first delivery.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from holdfast.decide.cancel_plan import CancelPlanFacts, ask_to_cancel
from holdfast.domain.entry import Entry, EntryKind
from holdfast.domain.names import client_order_id
from holdfast.domain.order import CancelAsked
from holdfast.domain.permit import Refusal
from holdfast.services.cancelling import cancel_entry
from holdfast.services.execute import Known, answer_known, refusal_result, refuse_reserved

if TYPE_CHECKING:
    from holdfast.domain.entry import JournaledEntry
    from holdfast.domain.plan import Plan, PlanEntry, PlanResult
    from holdfast.ports.journal import PlanRecord, Reads, Tx
    from holdfast.services.context import Context
    from holdfast.services.publishing import Publisher


@dataclass(frozen=True, slots=True)
class _Facts:
    record: PlanRecord | None
    cancel: CancelPlanFacts


class CancelPlans:
    """Carries CANCEL plans out, each in its symbol's lane."""

    def __init__(self, context: Context, publisher: Publisher) -> None:
        self._context = context
        self._publisher = publisher

    async def execute(self, entry: PlanEntry, plan: Plan) -> None:
        """Take one delivered CANCEL to its refusal, or to a wish whose outcome comes with the order's end."""
        context = self._context
        if refuse_reserved(context, self._publisher, entry, plan):
            return
        written: list[JournaledEntry] = []
        refused: list[PlanResult] = []

        def read(reads: Reads) -> _Facts:
            order = reads.order(client_order_id(context.account, plan.cancels)) if plan.cancels is not None else None
            return _Facts(reads.plan(plan.plan_id), CancelPlanFacts(plan, reads.now_ms(), context.limits, order))

        def decide(facts: _Facts) -> Known | CancelAsked | Refusal:
            return ask_to_cancel(facts.cancel) if facts.record is None else Known(facts.record)

        def write(tx: Tx, choice: Known | CancelAsked | Refusal, facts: _Facts) -> None:
            written.clear()
            refused.clear()
            if isinstance(choice, Refusal):
                result = refusal_result(context, entry, choice, facts.cancel.now_ms)
                refused.append(replace(result, result_id=f"cancel-{plan.plan_id}"))
                tx.put_plan(plan.plan_id, plan.content_hash(), plan.symbol, refused[0])
                body = {"error": choice.reason.value, "detail": choice.detail, "cancels": plan.cancels}
                tx.append(Entry(EntryKind.PLAN_REFUSED, context.account, plan.symbol, None, plan.plan_id, {**body}))
            elif isinstance(choice, CancelAsked) and facts.cancel.order is not None:
                asked = replace(facts.cancel.order, cancel=choice)
                tx.put_order(asked)
                tx.put_plan(plan.plan_id, plan.content_hash(), plan.symbol, None)
                line = cancel_entry(asked, f"plan {plan.plan_id}: {plan.reason}")
                written.append(tx.append(line))
                written.append(tx.append(replace(line, plan_id=plan.plan_id)))

        choice = await context.transact(read=read, decide=decide, write=write)
        context.emit(written)
        if isinstance(choice, Known):
            answer_known(context, self._publisher, entry, plan, choice.record)
        elif isinstance(choice, Refusal):
            self._publisher.publish(refused[0], entry.entry_id)
        else:
            self._publisher.await_outcome(plan.plan_id, entry.entry_id)
            context.wakes.cancels.knock(plan.plan_id)
