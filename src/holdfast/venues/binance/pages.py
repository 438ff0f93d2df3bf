"""The account's trades since a cursor, over as many requests as it takes, up to a named bound.

`complete` is honest: it is True only if every trade since the cursor is in the page. By id: pages of 1,000 from
`after + 1` on until a short one. By time: windows of at most 7 days (the venue's bound), each halved while it comes
back full, because the documentation does not say which end of a full window is left out; from the first trade on, by
id. Trades older than the venue keeps (3 months) cannot be had: a cursor before that is never complete.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from holdfast.domain.errors import VenueUnavailable
from holdfast.domain.trade import TradePage
from holdfast.venues.binance.client import Security
from holdfast.venues.binance.wire import decode_trades

if TYPE_CHECKING:
    from holdfast.domain.names import Symbol, TradeId
    from holdfast.domain.trade import Trade
    from holdfast.ports.venue import TradeCursor
    from holdfast.venues.binance.budget import Lane
    from holdfast.venues.binance.client import BinanceClient, Params

PAGE_TRADES_MAX = 1_000
PAGES_MAX = 20
"""Requests for one call, 5 weight each."""
WINDOW_MS_MAX = 7 * 24 * 3_600_000 - 1
HISTORY_MS = 89 * 24 * 3_600_000
"""A day inside the three months that the venue keeps."""
AHEAD_MS = 60_000
"""The last window reaches past our idea of the venue's clock."""


@dataclass(slots=True)
class _Walk:
    """One call's progress."""

    client: BinanceClient
    symbol: Symbol
    lane: Lane
    pages: int = 0
    found: dict[TradeId, Trade] = field(default_factory=dict)

    @property
    def is_spent(self) -> bool:
        """Tell whether the bound on requests is reached."""
        return self.pages >= PAGES_MAX

    async def page(self, params: Params) -> tuple[Trade, ...]:
        """One request."""
        self.pages += 1
        body = await self.client.read(
            "GET",
            "/fapi/v1/userTrades",
            (("symbol", self.symbol), *params, ("limit", str(PAGE_TRADES_MAX))),
            Security.SIGNED,
            self.lane,
        )
        trades = decode_trades(body)
        if any(one.symbol != self.symbol for one in trades):
            raise VenueUnavailable(f"asked for trades of {self.symbol}, the venue's answer names another symbol")
        return trades

    def keep(self, trades: tuple[Trade, ...]) -> None:
        """Add trades; a trade seen twice is one trade."""
        self.found.update({one.trade_id: one for one in trades})

    def result(self, *, complete: bool, goes_on: bool = False) -> TradePage:
        """All found, oldest first."""
        return TradePage(tuple(self.found[key] for key in sorted(self.found)), complete, goes_on)


async def read_trades(client: BinanceClient, symbol: Symbol, cursor: TradeCursor, lane: Lane) -> TradePage:
    """Everything since the cursor. Raises VenueUnavailable if any request fails."""
    walk = _Walk(client, symbol, lane)
    if cursor.after_trade_id is not None:
        return await _by_id(walk, cursor.after_trade_id)
    return await _by_time(walk, cursor.from_ms)


async def _by_id(walk: _Walk, after: TradeId) -> TradePage:
    last = after
    while not walk.is_spent:
        trades = await walk.page((("fromId", str(last + 1)),))
        newer = tuple(one for one in trades if one.trade_id > last)
        walk.keep(newer)
        if len(trades) < PAGE_TRADES_MAX:
            return walk.result(complete=True)
        if not newer:
            return walk.result(complete=False)
        last = max(one.trade_id for one in newer)
    return walk.result(complete=False, goes_on=True)


async def _by_time(walk: _Walk, from_ms: int) -> TradePage:
    await walk.client.require_clock()
    until_ms = walk.client.venue_now_ms() + AHEAD_MS
    oldest_ms = until_ms - HISTORY_MS
    reachable = from_ms >= oldest_ms
    start = max(from_ms, oldest_ms)
    width = WINDOW_MS_MAX
    while not walk.is_spent and start <= until_ms:
        end = min(start + width, until_ms)
        trades = await walk.page((("startTime", str(start)), ("endTime", str(end))))
        if len(trades) >= PAGE_TRADES_MAX:
            if end == start:
                return walk.result(complete=False)
            width = (end - start) // 2
            continue
        walk.keep(tuple(one for one in trades if start <= one.venue_ms <= end))
        if walk.found:
            page = await _by_id(walk, max(walk.found))
            return TradePage(page.trades, page.complete and reachable, page.goes_on and reachable)
        start = end + 1
        width = WINDOW_MS_MAX
    return walk.result(complete=reachable and start > until_ms)
