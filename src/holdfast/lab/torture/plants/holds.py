"""Bugs in holds: how they end too soon, are lost, or wait for nobody; and in what the venue is believed to show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.decide import close as sizing
from holdfast.domain.amounts import ZERO
from holdfast.domain.errors import VenueUnavailable
from holdfast.domain.sides import Source
from holdfast.domain.view import AccountView
from holdfast.journal.reads import SqlReads
from holdfast.lab.torture.plants.catalogue import Catalogue, adder
from holdfast.lab.torture.plants.needs import DRIFT, act
from holdfast.lab.torture.plants.swaps import swapped
from holdfast.venues.binance.reader import BinanceReader

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from decimal import Decimal

    from holdfast.domain.hold import Hold
    from holdfast.domain.names import Symbol

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
