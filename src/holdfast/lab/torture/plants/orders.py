"""Bugs around one order: before it leaves, while it has no answer, and in what is said of it."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from holdfast.decide import outcome, recovery
from holdfast.decide.permit import permit_execute
from holdfast.domain.amounts import ZERO
from holdfast.domain.names import TradeId
from holdfast.domain.permit import Permit
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Source
from holdfast.domain.trade import Trade
from holdfast.lab.torture.plants.catalogue import Catalogue, adder
from holdfast.lab.torture.plants.needs import CRASH, DRIFT, NO_ANSWER, act, both
from holdfast.lab.torture.plants.swaps import everywhere, swapped
from holdfast.ports.venue import Accepted, NotExecuted, Refused, Unknown
from holdfast.services import execute, resolving
from holdfast.services.execute import Executor
from holdfast.services.intake import Intake
from holdfast.services.publishing import Publisher
from holdfast.services.sending import Sender
from holdfast.venues.binance import classify, trader
from holdfast.venues.binance.client import BinanceClient
from holdfast.venues.binance.exchange import NoAnswer, Reach

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from holdfast.domain.order import Order
    from holdfast.domain.plan import Plan, PlanEntry, PlanResult

ORDERS: Catalogue = {}
_plant = adder(ORDERS)
_IN_HAND: ContextVar[str] = ContextVar("in hand", default="")
"""The plan whose id this task has just written."""


@_plant("retry-post", "a request for an order whose answer did not come is sent again", act("reset_executed"))
def _retry() -> AbstractContextManager[None]:
    exchange = BinanceClient.exchange

    async def again(self: Any, method: str, *args: Any, **named: Any) -> Any:
        first = await exchange(self, method, *args, **named)
        if method == "POST" and isinstance(first, NoAnswer) and first.reach is Reach.WRITTEN:
            return await exchange(self, method, *args, **named)
        return first

    return swapped(BinanceClient, "exchange", again)


@_plant(
    "no-answer-is-failed",
    "an answer that did not come counts as a refusal",
    both(NO_ANSWER, act("stream", "network cut", "key expired")),
)
def _failed() -> AbstractContextManager[None]:
    judge = classify.classify_submit

    def failed(exchange: Any, venue_now_ms: int) -> Any:
        if isinstance(exchange, NoAnswer):
            return Refused(Reason.VENUE_REFUSED, None, exchange.detail)
        return judge(exchange, venue_now_ms)

    return everywhere(judge, failed)


@_plant(
    "unknown-503-is-failed",
    "a 503 of unknown meaning counts as not executed, and the order is sent again",
    act("unknown_error_executed"),
)
def _unknown_503() -> AbstractContextManager[None]:
    judge = classify.classify_submit

    def failed(exchange: Any, venue_now_ms: int) -> Any:
        judged = judge(exchange, venue_now_ms)
        if isinstance(judged, Unknown) and getattr(exchange, "status", 0) == classify.STATUS_UNAVAILABLE:
            return NotExecuted(Reason.VENUE_UNAVAILABLE, judged.text, classify.RESEND_MS)
        return judged

    return everywhere(judge, failed)


@_plant(
    "not-found-once",
    "an order that the venue does not find at the first question counts as not accepted",
    both(act("stale_orders"), NO_ANSWER),
)
def _not_found() -> AbstractContextManager[None]:
    return _proves_absence(recovery.Lookup.NOT_THERE)


@_plant(
    "unknown-not-asked",
    "a question about an order that got no answer counts as an order that is not there",
    both(NO_ANSWER, act("read answer", "network cut", "ban", "refused")),
)
def _not_asked() -> AbstractContextManager[None]:
    return _proves_absence(recovery.Lookup.FAILED)


def _proves_absence(lookup: recovery.Lookup) -> AbstractContextManager[None]:
    resolve = recovery.resolve

    def hasty(facts: Any) -> Any:
        if facts.lookup is lookup and facts.report is None:
            return recovery.Resolution.NOT_ACCEPTED
        return resolve(facts)

    return everywhere(resolve, hasty)


@_plant("sending-at-start-is-refused", "an order that was being sent when the process died counts as never sent", CRASH)
def _never_sent() -> AbstractContextManager[None]:
    def given_up(order: Order, detail: str, now_ms: int) -> Order:
        if detail == "found SENDING at a start":
            return outcome.refused(order, Reason.VENUE_UNAVAILABLE, "not executed, and not sent again", now_ms)
        return outcome.unknown(order, detail, now_ms)

    return swapped(resolving, "unknown", given_up)


@_plant("order-before-intent", "an order is sent first and written down afterwards")
def _before() -> AbstractContextManager[None]:
    claim = Executor._claim

    async def send_first(self: Any, entry: PlanEntry, plan: Plan, **named: Any) -> Any:
        seen: list[Permit] = []
        context = self._context
        bus = await self._holds.reading(plan.symbol)
        offset_ms = self._trader.venue_now_ms() - context.clock.now_ms()
        facts = await context.journal.query(
            context.account, lambda reads: (reads.plan(plan.plan_id), self._permit_facts(reads, plan, bus, offset_ms))
        )
        if facts[0] is None:
            choice = permit_execute(facts[1])
            if isinstance(choice, Permit):
                seen.append(choice)
                await self._trader.submit(choice)
        return await claim(self, entry, plan, **named)

    return swapped(Executor, "_claim", send_first)


@_plant(
    "no-dedupe", "a plan that was carried out before is carried out again", act("repeat", "bus twice", "crash", "kill")
)
def _no_dedupe() -> AbstractContextManager[None]:
    facts = execute._Facts
    return swapped(execute, "_Facts", lambda _record, own, permit: facts(None, own, permit))


@_plant("dedupe-key-first", "a plan's id is written in a transaction of its own, before the one with its order", CRASH)
def _key_first() -> AbstractContextManager[None]:
    claim, facts = Executor._claim, execute._Facts

    async def key_first(self: Any, entry: PlanEntry, plan: Plan, **named: Any) -> Any:
        context = self._context
        if await context.journal.query(context.account, lambda reads: reads.plan(plan.plan_id)) is None:
            await context.transact(
                read=lambda _: None,
                decide=lambda _: None,
                write=lambda tx, _choice, _facts: tx.put_plan(plan.plan_id, plan.content_hash(), plan.symbol, None),
            )
            _IN_HAND.set(plan.plan_id)
        return await claim(self, entry, plan, **named)

    def its_own(record: Any, own: Any, permit: Any) -> Any:
        return facts(None if _IN_HAND.get() == permit.plan.plan_id else record, own, permit)

    @contextmanager
    def together() -> Iterator[None]:
        with swapped(execute, "_Facts", its_own), swapped(Executor, "_claim", key_first):
            yield

    return together()


@_plant("acknowledge-first", "a plan's entry is acknowledged when it was read, before anything is written down", CRASH)
def _acknowledge() -> AbstractContextManager[None]:
    take = Intake._take

    async def acknowledged(self: Any, entries: tuple[PlanEntry, ...]) -> None:
        if entries:
            await self._bus.finish([], [entry.entry_id for entry in entries])
        await take(self, entries)

    return swapped(Intake, "_take", acknowledged)


@_plant("answer-is-a-fill", "an order's answer is booked as its fill")
def _answer() -> AbstractContextManager[None]:
    record = Sender._record

    async def booked(self: Any, permit: Permit, answer: Any, entry_id: str, sent_before: int) -> Any:
        if isinstance(answer, Accepted) and answer.report.executed_qty > ZERO:
            report = answer.report
            trade = Trade(
                symbol=report.symbol,
                trade_id=TradeId(int(report.order_id)),
                order_id=report.order_id,
                client_order_id=report.client_order_id,
                side=report.side,
                position_side=report.position_side,
                qty=report.executed_qty,
                price=report.avg_price,
                venue_ms=report.venue_ms,
                source=Source.REST,
            )
            self._fills.on_trade(trade, report)
        return await record(self, permit, answer, entry_id, sent_before)

    return swapped(Sender, "_record", booked)


@_plant("result-without-error", "a refusal is published without its error")
def _nameless() -> AbstractContextManager[None]:
    publish = Publisher.publish

    def nameless(self: Any, result: PlanResult, entry_id: str | None) -> None:
        publish(self, result if result.executed else replace(result, error=""), entry_id)

    return swapped(Publisher, "publish", nameless)


@_plant(
    "results-forgotten-at-start", "results that were written down and not published are not published at a start", CRASH
)
def _forgotten() -> AbstractContextManager[None]:
    async def nothing(self: Any) -> None:
        self._work.set()

    @contextmanager
    def both() -> Iterator[None]:
        with ExitStack() as stack:
            stack.enter_context(swapped(Publisher, "_from_journal", nothing))
            stack.enter_context(swapped(Publisher, "_sweep", nothing))
            yield

    return both()


@_plant("close-not-reduce-only", "a close leaves without reduceOnly", DRIFT)
def _growing() -> AbstractContextManager[None]:
    params = trader.order_params

    def growing(permit: Permit) -> Any:
        return tuple(pair for pair in params(permit) if pair[0] != "reduceOnly")

    return swapped(trader, "order_params", growing)
