"""Bugs in holds: how they end too soon, are lost, or wait for nobody; and in what the venue is believed to show."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from holdfast.decide import close as sizing
from holdfast.decide import episode, newest
from holdfast.decide import reconcile as table
from holdfast.decide.move import WAITS_FOR_A_PERSON
from holdfast.domain.amounts import ZERO
from holdfast.domain.entry import Entry, EntryKind
from holdfast.domain.errors import BusUnavailable, VenueUnavailable
from holdfast.domain.hold import HoldOwner
from holdfast.domain.sides import Source
from holdfast.domain.view import AccountView
from holdfast.journal import leases, steps
from holdfast.journal.reads import SqlReads
from holdfast.lab.torture.plants.catalogue import Catalogue, adder
from holdfast.lab.torture.plants.swaps import everywhere, swapped
from holdfast.services import supervisor
from holdfast.services.alerting import Alerting
from holdfast.services.context import Context
from holdfast.services.feed import Feed
from holdfast.services.requests import Requests
from holdfast.venues.binance.reader import BinanceReader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from decimal import Decimal

    from holdfast.domain.hold import Hold
    from holdfast.domain.names import Symbol

HOLDS: Catalogue = {}
_plant = adder(HOLDS)
TTL_MS = 2_000


@_plant("hold-with-a-ttl", f"a hold is not seen any more {TTL_MS} ms after it was set")
def _ttl() -> AbstractContextManager[None]:
    holds = SqlReads.open_holds

    def young(self: Any, symbol: Symbol | None) -> tuple[Hold, ...]:
        return tuple(hold for hold in holds(self, symbol) if self.now_ms() - hold.opened_ms < TTL_MS)

    return swapped(SqlReads, "open_holds", young)


@_plant("hold-lost-at-restart", "automatic holds end when the reconciler starts")
def _lost() -> AbstractContextManager[None]:
    acquire = supervisor.acquire_lease

    async def forgetful(context: Context, owner: str) -> bool:
        waited = await acquire(context, owner)

        def write(tx: Any, _choice: None, found: tuple[Hold, ...]) -> None:
            for hold in found:
                tx.put_hold(replace(hold, released_ms=tx.now_ms()))
                kind = EntryKind.HOLD_RELEASED
                tx.append(Entry(kind, context.account, hold.leg.symbol, hold.hold_id, None, {"reason": "start"}))

        if context.service == "reconcile":
            await context.transact(
                read=lambda reads: tuple(h for h in reads.open_holds(None) if h.owner is HoldOwner.AUTO),
                decide=lambda _: None,
                write=write,
            )
        return waited

    return everywhere(acquire, forgetful)


@_plant("release-by-an-old-view", "a hold is released by a view that is older than its cause")
def _old_view() -> AbstractContextManager[None]:
    def releasable(facts: Any, hold: Hold) -> bool:
        return facts.leg.view is not None and hold.reason not in WAITS_FOR_A_PERSON

    @contextmanager
    def both() -> Iterator[None]:
        with ExitStack() as stack:
            stack.enter_context(swapped(episode, "_is_releasable", releasable))
            stack.enter_context(everywhere(newest.newest, lambda _current, candidate: candidate))
            yield

    return both()


@_plant("trust-a-stale-view", "a view that is older than our last fill is believed")
def _stale() -> AbstractContextManager[None]:
    return swapped(table, "_view_counts", lambda _facts, _view, agreed: True)  # noqa: ARG005 - its callers name it


@_plant("failed-query-is-flat", "a read of positions that failed counts as one that found none")
def _flat() -> AbstractContextManager[None]:
    read = BinanceReader._view

    async def flat(self: Any, symbol: Symbol | None) -> AccountView:
        client = self._client
        read_ms = client.clock.now_ms()
        try:
            return await read(self, symbol)
        except VenueUnavailable:
            venue_ms = client.venue_ms_at(read_ms)
            return AccountView(client.config.account, symbol, {}, venue_ms, read_ms, Source.REST)

    return swapped(BinanceReader, "_view", flat)


@_plant("close-by-ledger", "a close is as large as the ledger says, not as the position is")
def _ledger() -> AbstractContextManager[None]:
    def by_ledger(exchange_amt: Decimal, ledger_amt: Decimal) -> Decimal:
        return abs(ledger_amt) if ledger_amt != ZERO else abs(exchange_amt)

    return swapped(sizing, "closable", by_ledger)


@_plant("bus-deletion-releases", "a hold ends when its key is deleted from the bus")
def _deletion() -> AbstractContextManager[None]:
    run = Requests.run_imports

    async def believing(self: Any) -> None:
        watching = asyncio.ensure_future(_believe(self))
        try:
            await run(self)
        finally:
            watching.cancel()

    return swapped(Requests, "run_imports", believing)


async def _believe(requests: Any) -> None:
    seen: set[str] = set()
    while True:
        await asyncio.sleep(0.1)
        try:
            values = await requests._bus.hold_values(sorted(requests._context.limits.symbols))
        except BusUnavailable:
            continue
        gone = seen - set(values)
        seen = set(values)
        if gone:
            await requests._context.transact(read=_held(gone), decide=lambda _: None, write=_release)


def _held(symbols: set[str]) -> Any:
    return lambda reads: [hold for hold in reads.open_holds(None) if hold.leg.symbol in symbols]


def _release(tx: Any, _choice: None, found: list[Hold]) -> None:
    for hold in found:
        tx.put_hold(replace(hold, released_ms=tx.now_ms()))
        kind = EntryKind.HOLD_RELEASED
        tx.append(Entry(kind, hold.leg.account, hold.leg.symbol, hold.hold_id, None, {"reason": "bus"}))


@_plant("alert-counts-unheard", "an alert that no channel took counts as delivered")
def _unheard() -> AbstractContextManager[None]:
    record = Alerting._record

    async def counted(self: Any, alert: Any, *, taken: bool) -> None:
        del taken
        await record(self, alert, taken=True)

    return swapped(Alerting, "_record", counted)


@_plant("overdue-stays-silent", "a step that is overdue becomes nobody's")
def _overdue() -> AbstractContextManager[None]:
    return swapped(episode, "_with_step_that_stands", lambda _facts, _hold, move: move)


@_plant("no-fence", "a process whose lease another has taken goes on writing and sending")
def _fence() -> AbstractContextManager[None]:
    found = leases._find

    @contextmanager
    def both() -> Iterator[None]:
        with ExitStack() as stack:
            stack.enter_context(swapped(steps, "check_fence", lambda _session, _fence: None))
            stack.enter_context(
                swapped(leases, "check_fence", lambda session, fence: found(session, fence.account, fence.service))
            )
            stack.enter_context(swapped(Context, "live_fence", lambda self: self.lease.fence))
            yield

    return both()


@_plant("stamp-survives-a-gap", "the stamp is renewed though the private stream is down")
def _gap() -> AbstractContextManager[None]:
    return swapped(Feed, "_gap", lambda _self, _detail: None)
