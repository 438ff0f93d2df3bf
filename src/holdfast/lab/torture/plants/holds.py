"""Bugs in holds: how they end too soon, are lost, or wait for nobody; and in what the venue is believed to show."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from holdfast.decide import close as sizing
from holdfast.decide import episode, reconcile
from holdfast.domain.amounts import ZERO
from holdfast.domain.entry import Entry, EntryKind
from holdfast.domain.errors import BusUnavailable, VenueUnavailable
from holdfast.domain.hold import HoldOwner
from holdfast.domain.sides import Source
from holdfast.domain.view import AccountView
from holdfast.journal.reads import SqlReads
from holdfast.lab.torture.plants.catalogue import Catalogue, adder
from holdfast.lab.torture.plants.needs import CRASH, DRIFT, act, both
from holdfast.lab.torture.plants.swaps import everywhere, swapped
from holdfast.services.alerting import Alerting
from holdfast.services.picture import Picture
from holdfast.services.reconcile import Reconciler
from holdfast.services.requests import Requests
from holdfast.venues.binance.reader import BinanceReader
from holdfast.venues.binance.views import account_view

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from decimal import Decimal

    from holdfast.decide.move import EpisodeFacts, Move
    from holdfast.domain.hold import Hold
    from holdfast.domain.names import Symbol
    from holdfast.domain.operator import Alert

HOLDS: Catalogue = {}
_plant = adder(HOLDS)
TTL_MS = 2_000


@_plant("hold-with-a-ttl", f"a hold is not seen any more {TTL_MS} ms after it was set", DRIFT)
def _ttl() -> AbstractContextManager[None]:
    holds = SqlReads.open_holds

    def young(self: Any, symbol: Symbol | None) -> tuple[Hold, ...]:
        return tuple(hold for hold in holds(self, symbol) if self.now_ms() - hold.opened_ms < TTL_MS)

    return swapped(SqlReads, "open_holds", young)


@_plant(
    "failed-query-is-flat",
    "a read of positions that failed counts as one that found none",
    act("read answer", "network cut", "refused", "ban", "partial"),
)
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


@_plant("close-by-ledger", "a close is as large as the ledger says, not as the position is", DRIFT)
def _ledger() -> AbstractContextManager[None]:
    def by_ledger(exchange_amt: Decimal, ledger_amt: Decimal) -> Decimal:
        return abs(ledger_amt) if ledger_amt != ZERO else abs(exchange_amt)

    return swapped(sizing, "closable", by_ledger)


def _end_hold(tx: Any, hold: Hold) -> None:
    """Release a hold in the words of a hold whose cause is gone."""
    leg, now_ms = hold.leg, tx.now_ms()
    tx.put_hold(replace(hold, released_ms=now_ms))
    body = {
        "position_side": leg.position_side.value,
        "reason": hold.reason.value,
        "held_ms": now_ms - hold.opened_ms,
    }
    tx.append(Entry(EntryKind.HOLD_RELEASED, leg.account, symbol=leg.symbol, hold_id=hold.hold_id, body=body))


def _at_start(end: Any) -> AbstractContextManager[None]:
    run = Reconciler.run

    def write(tx: Any, _choice: None, holds: tuple[Hold, ...]) -> None:
        for hold in holds:
            if hold.owner is HoldOwner.AUTO:
                end(tx, hold)

    async def forgetful(self: Any) -> None:
        await self.context.transact(read=lambda reads: reads.open_holds(None), decide=lambda _: None, write=write)
        await run(self)

    return swapped(Reconciler, "run", forgetful)


@_plant("holds-lost-at-start", "a process that starts knows nothing of the holds that stand", both(CRASH, DRIFT))
def _lost() -> AbstractContextManager[None]:
    return _at_start(lambda tx, hold: tx.put_hold(replace(hold, released_ms=tx.now_ms())))


@_plant("holds-released-at-start", "a process that starts releases the holds that stand", both(CRASH, DRIFT))
def _released() -> AbstractContextManager[None]:
    return _at_start(_end_hold)


@_plant(
    "release-by-bus",
    "a hold whose key is gone from the bus counts as released",
    both(DRIFT, act("bus emptied", "bus restarted", "power loss")),
)
def _by_bus() -> AbstractContextManager[None]:
    imports = Requests.run_imports

    async def obedient(self: Any) -> None:
        await asyncio.gather(imports(self), obey(self))

    async def obey(self: Any) -> None:
        context, seen = self._context, set()
        while True:
            await asyncio.sleep(0.1)
            try:
                values = await self._bus.hold_values(sorted(context.limits.symbols))
            except BusUnavailable:
                continue
            seen.update(values.values())

            def write(tx: Any, _choice: None, holds: tuple[Hold, ...], values: Any = values) -> None:
                for hold in holds:
                    if hold.hold_id in seen and hold.leg.symbol not in values:
                        _end_hold(tx, hold)

            await context.transact(read=lambda reads: reads.open_holds(None), decide=lambda _: None, write=write)

    return swapped(Requests, "run_imports", obedient)


@_plant("alert-lost", "an alert that no channel took counts as delivered", act("pager down"))
def _unheard() -> AbstractContextManager[None]:
    record = Alerting._record

    async def delivered(self: Any, alert: Alert, *, taken: bool) -> None:
        del taken
        await record(self, alert, taken=True)

    return swapped(Alerting, "_record", delivered)


@_plant("overdue-is-silent", "a step that is overdue stays as it is, and no person is told", act("no answers"))
def _silent() -> AbstractContextManager[None]:
    weigh = episode._with_step_that_stands

    def patient(facts: EpisodeFacts, hold: Hold, move: Move) -> Move:
        weighed = weigh(facts, hold, move)
        step = weighed.step
        if step is not None and step.text.startswith("overdue: "):
            return replace(move, step=hold.next_step)
        return weighed

    return swapped(episode, "_with_step_that_stands", patient)


@_plant(
    "rest-is-fresh", "what is read over REST is believed to be as new as its question", act("stale stale_positions")
)
def _fresh() -> AbstractContextManager[None]:
    view = account_view
    return everywhere(view, lambda rows, asked: view(rows, replace(asked, rest_lag_ms=0)))


@_plant(
    "release-by-older-view",
    "a hold ends by a view that is older than its cause",
    both(DRIFT, act("stale stale_positions"), CRASH),
)
def _older() -> AbstractContextManager[None]:
    is_releasable = episode._is_releasable

    def causeless(facts: Any, hold: Hold) -> bool:
        return is_releasable(facts, replace(hold, cause_as_of_ms=0))

    return swapped(episode, "_is_releasable", causeless)


@_plant("view-before-our-fill", "a view that is older than our last fill is believed", act("twin order"))
def _before_fill() -> AbstractContextManager[None]:
    def always(_facts: Any, _view: Any, *, agreed: bool) -> bool:
        del agreed
        return True

    return swapped(reconcile, "_view_counts", always)


@_plant(
    "last-answer-counts",
    "of two views the one that came last is believed, not the one of the last moment",
    act("late read"),
)
def _last_answer() -> AbstractContextManager[None]:
    def see(self: Any, view: Any) -> bool:
        self._views[view.leg] = view
        return True

    def of(self: Any, leg: Any) -> Any:
        view = self._views.get(leg)
        return view if view is not None or self._complete is None else self._complete.of(leg)

    @contextmanager
    def planted() -> Iterator[None]:
        with swapped(Picture, "see", see), swapped(Picture, "of", of):
            yield

    return planted()
