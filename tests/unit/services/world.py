"""One account's services on a virtual loop: the real journal in memory, the fakes of `fakes`, nothing started."""
# ruff: noqa: B008, D102, D103 - names and types say it; a Decimal is frozen

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from holdfast.domain.entry import Entry, EntryKind
from holdfast.domain.hold import Hold, HoldReason, NextStep, StepKind
from holdfast.domain.ledger import MoveCause
from holdfast.domain.names import ClientOrderId, HoldId, PlanId, Symbol, client_order_id
from holdfast.domain.operator import OperatorRequest, RequestKind, RequestState
from holdfast.domain.plan import Plan, PlanEntry
from holdfast.domain.sides import Leg, OrderType, PlanSide, PositionMode, PositionSide, Side
from holdfast.journal import open_inline_journal
from holdfast.lab.torture.clock import VirtualClock
from holdfast.services.alerting import Alerting
from holdfast.services.cancel_plans import CancelPlans
from holdfast.services.cancelling import Canceller
from holdfast.services.closing import Closer
from holdfast.services.context import Context, Lease, Rules, Wakes
from holdfast.services.execute import Executor
from holdfast.services.feed import Feed
from holdfast.services.fills import Fills
from holdfast.services.holds import BusHolds
from holdfast.services.inbox import Inbox
from holdfast.services.intake import Intake
from holdfast.services.knocks import Knocks
from holdfast.services.open_orders import OpenOrders
from holdfast.services.operator_close import OperatorClose
from holdfast.services.operator_resolve import OperatorResolve
from holdfast.services.picture import Picture
from holdfast.services.publishing import Publisher
from holdfast.services.reconcile import Reconciler
from holdfast.services.requests import Requests
from holdfast.services.resolving import Resolver
from holdfast.services.sending import Sender
from tests.unit.decide.samples import ACCOUNT, CLOSE, HOLD, INSTRUMENT, LEG, LIMITS, NOW, PLAN, SYMBOL, ZERO, D
from tests.unit.services.exchange import PRICE, Exchange
from tests.unit.services.fakes import BusyJournal, ListLog, MemoryBus, Person, QuietMetrics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from decimal import Decimal
    from typing import Any

    from holdfast.domain.close import Close
    from holdfast.domain.ledger import LedgerState
    from holdfast.domain.limits import Limits
    from holdfast.domain.order import Order
    from holdfast.domain.plan import PlanResult
    from holdfast.ports.journal import PlanRecord, Reads, Tx

Value = TypeVar("Value")
LEASE_MS = 3_600_000


@dataclass(slots=True)
class World:
    """Both services of one account."""

    clock: VirtualClock
    journal: BusyJournal
    venue: Exchange
    bus: MemoryBus
    person: Person
    metrics: QuietMetrics
    log: ListLog
    wakes: Wakes
    rules: Rules
    apply: Context
    reconcile: Context
    resolve: Knocks[ClientOrderId]
    fills: Fills
    publisher: Publisher
    sender: Sender
    executor: Executor
    canceller: Canceller
    cancel_plans: CancelPlans
    closer: Closer
    resolver: Resolver
    open_orders: OpenOrders
    inbox: Inbox
    operator_close: OperatorClose
    operator_resolve: OperatorResolve
    intake: Intake
    picture: Picture
    feed: Feed
    reconcile_publisher: Publisher
    reconciler: Reconciler
    requests: Requests
    alerting: Alerting

    # --- facts

    async def query(self, read: Callable[[Reads], Value]) -> Value:
        return await self.journal.inner.query(ACCOUNT, read)

    async def order(self, plan_id: str) -> Order | None:
        return await self.query(lambda reads: reads.order(client_order_id(ACCOUNT, PlanId(plan_id))))

    async def recorded(self, plan_id: str) -> PlanRecord | None:
        return await self.query(lambda reads: reads.plan(PlanId(plan_id)))

    async def result(self, plan_id: str) -> PlanResult | None:
        record = await self.query(lambda reads: reads.plan(PlanId(plan_id)))
        return record.result if record is not None else None

    async def close(self, plan_id: str) -> Close | None:
        return await self.query(lambda reads: reads.close(PlanId(plan_id)))

    async def ledger(self, leg: Leg = LEG) -> LedgerState:
        return await self.query(lambda reads: reads.leg(leg))

    async def holds(self) -> tuple[Hold, ...]:
        return await self.query(lambda reads: reads.open_holds(None))

    async def entries(self) -> list[EntryKind]:
        found = await self.query(lambda reads: reads.entries_after(0, 10_000))
        return [each.entry.kind for each in found]

    # --- acts

    async def write(self, write: Callable[[Tx], None]) -> None:
        """A transaction by nobody in particular."""
        await self.journal.inner.transact(
            ACCOUNT, None, read=lambda _: None, decide=lambda _: None, write=lambda tx, _c, _f: write(tx)
        )

    async def agree(self, leg: Leg = LEG) -> None:
        """What the reconciler would write: agreement at this version, and a fresh stamp."""

        def write(tx: Tx) -> None:
            state = tx.leg(leg)
            tx.put_leg(replace(state, agreed_version=state.version))
            tx.set_stamp(tx.now_ms())

        await self.write(write)

    async def own(self, amt: Decimal, leg: Leg = LEG) -> None:
        """Let ledger and exchange both hold `amt`, agreed, traded long ago."""

        def write(tx: Tx) -> None:
            tx.move_ledger(leg, amt, MoveCause.ADOPT, "the story begins so")

        await self.write(write)
        self.venue.positions[leg] = amt
        self.venue.updated_ms[leg] = self.clock.now_ms() - 60_000
        await self.agree(leg)

    async def hold(self, reason: HoldReason = HoldReason.DRIFT, leg: Leg = LEG) -> Hold:
        """Place an automatic hold."""
        now = self.clock.now_ms()
        step = NextStep(StepKind.CLOSE, now + 5_000, "a close is planned")
        hold = replace(HOLD, hold_id=HoldId(f"h-{leg.key}"), leg=leg, reason=reason, opened_ms=now, next_step=step)
        await self.write(lambda tx: tx.put_hold(hold))
        return hold

    async def plan_close(self, qty: Decimal, number: int = 1, side: Side = Side.SELL, leg: Leg = LEG) -> Close:
        """Journal a RECONCILE_CLOSE under the leg's hold."""
        now = self.clock.now_ms()
        close = replace(
            CLOSE,
            plan_id=PlanId(f"rc-h-{leg.key}-{number}"),
            hold_id=HoldId(f"h-{leg.key}"),
            leg=leg,
            side=side,
            qty=qty,
            exchange_amt=self.venue.positions.get(leg, ZERO),
            ledger_amt=ZERO,
            created_ms=now,
            expires_ms=now + 5_000,
            attempt=number,
        )
        entry = Entry(EntryKind.CLOSE_PLANNED, ACCOUNT, leg.symbol, close.hold_id, close.plan_id)

        def write(tx: Tx) -> None:
            tx.put_close(close)
            tx.append(entry)

        await self.write(write)
        return close

    def plan(self, plan_id: str, side: PlanSide = PlanSide.BUY, qty: Decimal = D(5), symbol: Symbol = SYMBOL) -> Plan:
        return replace(
            PLAN, plan_id=PlanId(plan_id), side=side, qty=qty, symbol=symbol, timestamp_ms=self.clock.now_ms()
        )

    def limit(self, plan_id: str, side: PlanSide = PlanSide.BUY, qty: Decimal = D(5), **more: Any) -> Plan:
        """A LIMIT plan, at the exchange's one price unless it says otherwise."""
        plan = replace(self.plan(plan_id, side, qty), order_type=OrderType.LIMIT, price=PRICE)
        return replace(plan, **more)

    async def execute(self, plan: Plan, entry_id: str = "1-0") -> None:
        """One delivery of one EXECUTE."""
        await self.executor.execute(entry_of(plan, entry_id), plan, self.clock.monotonic_ns())

    async def ask(self, kind: RequestKind, **fields: Any) -> OperatorRequest:
        """Journal a person's request."""
        request = OperatorRequest(
            request_id=fields.pop("request_id", "r1"),
            account=ACCOUNT,
            kind=kind,
            symbol=fields.pop("symbol", SYMBOL),
            position_side=None,
            hold_id=fields.pop("hold_id", None),
            qty=fields.pop("qty", ""),
            name="ana",
            reason="because",
            created_ms=self.clock.now_ms(),
            state=RequestState.OPEN,
            outcome="",
            **fields,
        )
        await self.write(lambda tx: tx.put_request(request))
        return request

    async def request(self, request_id: str = "r1") -> OperatorRequest:
        found = await self.query(lambda reads: reads.request(request_id))
        assert found is not None
        return found

    async def flushed(self) -> list[PlanResult]:
        """All results that were put on the bus by now."""
        await self.publisher._flush()
        return self.bus.results


def entry_of(plan: Plan, entry_id: str = "1-0") -> PlanEntry:
    return PlanEntry(entry_id, plan, plan.plan_id, plan.symbol, plan.decision.value)


async def new_world(limits: Limits = LIMITS, venue_of: Callable[[VirtualClock], Exchange] = Exchange) -> World:
    """An account with its baseline, its leases taken, agreed and stamped at zero."""
    world = await unseen_world(limits, venue_of)
    now_ms = world.clock.now_ms()
    await world.write(lambda tx: tx.set_baseline(now_ms - 60_000, PositionMode.ONE_WAY))
    for symbol in sorted(limits.symbols):
        await world.agree(Leg(ACCOUNT, symbol, PositionSide.BOTH))
    return world


async def unseen_world(limits: Limits = LIMITS, venue_of: Callable[[VirtualClock], Exchange] = Exchange) -> World:
    """An account that nobody has seen yet, its leases taken."""
    clock, log, metrics = VirtualClock(NOW), ListLog(), QuietMetrics()
    journal, wakes, rules = BusyJournal(open_inline_journal(clock)), Wakes(), Rules()
    rules.instruments = {symbol: replace(INSTRUMENT, symbol=symbol) for symbol in limits.symbols}
    rules.marks = {symbol: (PRICE, clock.now_ms()) for symbol in limits.symbols}
    venue, bus, person = venue_of(clock), MemoryBus(), Person()

    async def context(service: str) -> Context:
        fence = await journal.acquire(ACCOUNT, service, "the test", LEASE_MS)
        lease = Lease(fence, clock.monotonic_ns() + LEASE_MS * 1_000_000)
        return Context(
            ACCOUNT, service, limits, journal, clock, metrics, log, wakes, rules, lease, emit=lambda _entries: None
        )

    apply, reconcile = await context("apply"), await context("reconcile")
    resolve: Knocks[ClientOrderId] = Knocks()
    fills, picture = Fills(resolve), Picture()
    venue.on_trade.append(fills.on_trade)
    venue.on_order.append(fills.on_order)
    publisher = Publisher(apply, bus, None)
    apply.emit = publisher.emit
    apply.answer = lambda result: publisher.publish(result, None)
    sender = Sender(apply, venue, fills, resolve)
    holds = BusHolds(apply, bus)
    executor = Executor(apply, venue, sender, publisher, holds)
    cancel_plans = CancelPlans(apply, publisher)
    canceller = Canceller(apply, venue, sender, publisher)
    closer = Closer(apply, venue, sender, publisher, canceller)
    feed = Feed(reconcile, venue, picture)
    reconcile_publisher = Publisher(reconcile, bus, picture)
    reconcile.emit = reconcile_publisher.emit
    reconciler = Reconciler(reconcile, venue, feed, picture, reconcile_publisher.plan_closes, PositionMode.ONE_WAY)
    feed.listen(reconciler)
    feed.listen(fills)
    resolver = Resolver(apply, venue, sender, fills, publisher, resolve)
    open_orders = OpenOrders(apply, venue, resolver.suspect)
    venue.on_order.append(open_orders.on_order)
    venue.on_trade.append(open_orders.on_trade)
    return World(
        clock=clock,
        journal=journal,
        venue=venue,
        bus=bus,
        person=person,
        metrics=metrics,
        log=log,
        wakes=wakes,
        rules=rules,
        apply=apply,
        reconcile=reconcile,
        resolve=resolve,
        fills=fills,
        publisher=publisher,
        sender=sender,
        executor=executor,
        canceller=canceller,
        closer=closer,
        resolver=resolver,
        open_orders=open_orders,
        inbox=Inbox(apply),
        operator_close=OperatorClose(apply, venue, closer),
        operator_resolve=OperatorResolve(apply, venue, publisher),
        cancel_plans=cancel_plans,
        intake=Intake(apply, bus, executor, closer, publisher, holds, cancel_plans),
        picture=picture,
        feed=feed,
        reconcile_publisher=reconcile_publisher,
        reconciler=reconciler,
        requests=Requests(reconcile, venue, picture, bus, PositionMode.ONE_WAY),
        alerting=Alerting(reconcile, person),
    )


@asynccontextmanager
async def running(*jobs: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run services beside the story; whatever one of them raised is raised at the end."""
    tasks = [asyncio.ensure_future(job()) for job in jobs]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end
