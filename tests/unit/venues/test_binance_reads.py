"""Reads: dated views, honest pages, and never a guess where no complete answer came."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from holdfast.domain.errors import VenueUnavailable
from holdfast.domain.names import ClientOrderId, Symbol, TradeId, VenueOrderId
from holdfast.domain.sides import Leg, PositionMode, PositionSide, Source
from holdfast.ports.venue import TradeCursor
from holdfast.venues.binance import pages
from holdfast.venues.binance.client import BinanceClient
from holdfast.venues.binance.reader import BinanceReader
from tests.unit.venues.venue_kit import (
    ACCOUNT,
    BTC,
    CLIENT_ID,
    DEADLINE_S,
    DROP,
    NOW_MS,
    ORDER_BODY,
    SILENT,
    SetClock,
    answer,
    config,
    raw_venue,
    time_answer,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from holdfast.domain.trade import TradePage
    from holdfast.domain.view import AccountView

LAG_MS = 1_000
SYNCED = (time_answer(NOW_MS + 500),) * 3
"""The clock's three samples: the venue is 500 ms ahead."""


def run(scenario: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run a scenario with a deadline."""
    asyncio.run(asyncio.wait_for(scenario(), DEADLINE_S))


def row(side: str, amt: str, updated_ms: int = 5, symbol: str = "BTCUSDT") -> dict[str, Any]:
    """A row of positionRisk."""
    return {
        "symbol": symbol,
        "positionSide": side,
        "positionAmt": amt,
        "entryPrice": "61000",
        "markPrice": "0",
        "updateTime": updated_ms,
    }


async def viewed(
    body: object, *, mode: PositionMode = PositionMode.ONE_WAY, symbol: Symbol | None = None, status: int = 200
) -> AccountView:
    """The view that an answer makes."""
    async with raw_venue(*SYNCED, answer(status, json.dumps(body).encode())) as venue:
        reader = BinanceReader(BinanceClient(config(venue.url, mode=mode, rest_lag_ms=LAG_MS), SetClock()))
        try:
            return await (reader.account_view() if symbol is None else reader.symbol_view(symbol))
        finally:
            await reader.close()


def test_a_row_is_dated_by_its_update_or_by_the_request_less_the_lag() -> None:
    """as_of is the later of updateTime and the request's venue time minus the lag; absent legs get the latter."""

    async def scenario() -> None:
        recent = NOW_MS + 400
        view = await viewed([row("BOTH", "0.007", recent), row("BOTH", "-2", 9, "ETHUSDT")])
        btc = view.positions[Leg(ACCOUNT, BTC, PositionSide.BOTH)]
        eth = view.positions[Leg(ACCOUNT, Symbol("ETHUSDT"), PositionSide.BOTH)]
        assert (btc.amt, btc.as_of_ms) == (Decimal("0.007"), recent)
        assert (eth.amt, eth.as_of_ms) == (Decimal(-2), NOW_MS + 500 - LAG_MS)
        assert (btc.entry_price, btc.mark_price, btc.source) == (Decimal(61000), None, Source.REST)
        assert (view.read_ms, btc.read_ms, view.symbol) == (NOW_MS, NOW_MS, None)
        absent = view.of(Leg(ACCOUNT, Symbol("SOLUSDT"), PositionSide.BOTH))
        assert (absent.amt, absent.as_of_ms) == (Decimal(0), NOW_MS + 500 - LAG_MS)

    run(scenario)


def test_an_empty_answer_is_flat_and_complete() -> None:
    """No rows is an answer: everything is flat."""

    async def scenario() -> None:
        view = await viewed([], symbol=BTC)
        assert dict(view.positions) == {}
        assert (view.symbol, view.absent_as_of_ms) == (BTC, NOW_MS + 500 - LAG_MS)

    run(scenario)


def test_hedge_legs_are_two_positions() -> None:
    """LONG and SHORT rows become two legs, never netted; a flat BOTH row beside them says nothing."""

    async def scenario() -> None:
        view = await viewed([row("LONG", "20"), row("SHORT", "-10"), row("BOTH", "0")], mode=PositionMode.HEDGE)
        assert {leg.position_side: one.amt for leg, one in view.positions.items()} == {
            PositionSide.LONG: Decimal(20),
            PositionSide.SHORT: Decimal(-10),
        }

    run(scenario)


@pytest.mark.parametrize(
    ("mode", "rows", "symbol"),
    [
        (PositionMode.ONE_WAY, [row("LONG", "1")], None),
        (PositionMode.HEDGE, [row("BOTH", "1")], None),
        (PositionMode.ONE_WAY, [row("BOTH", "1"), row("BOTH", "1")], None),
        (PositionMode.ONE_WAY, [row("BOTH", "1", symbol="ETHUSDT")], BTC),
        (PositionMode.ONE_WAY, [row("BOTH", "1", NOW_MS + 120_000)], None),
        (PositionMode.ONE_WAY, [row("BOTH", "NaN")], None),
        (PositionMode.ONE_WAY, [{**row("BOTH", "1"), "positionAmt": 1}], None),
        (PositionMode.ONE_WAY, {"code": 200, "msg": "success"}, None),
    ],
    ids=["mode", "mode-hedge", "twice", "other-symbol", "future", "nan", "number", "not-a-list"],
)
def test_an_answer_that_contradicts_itself_is_no_view(mode: PositionMode, rows: object, symbol: Symbol | None) -> None:
    """A changed mode, a leg named twice, a foreign symbol, a time from the future: no view, never flat."""

    async def scenario() -> None:
        with pytest.raises(VenueUnavailable):
            await viewed(rows, mode=mode, symbol=symbol)

    run(scenario)


@pytest.mark.parametrize("status", [202, 204, 301, 400, 403, 404, 429, 500, 502, 503])
def test_a_status_other_than_200_is_no_view_even_with_an_empty_list(status: int) -> None:
    """Only a 200 is an answer: `[]` under any other status is not flat."""

    async def scenario() -> None:
        with pytest.raises(VenueUnavailable):
            await viewed([], status=status)

    run(scenario)


def test_a_silent_venue_is_unavailable_after_the_bound() -> None:
    """A read that gets no answer ends by itself."""

    async def scenario() -> None:
        async with raw_venue(*SYNCED, SILENT) as venue:
            reader = BinanceReader(BinanceClient(config(venue.url, read_timeout_ms=100), SetClock()))
            with pytest.raises(VenueUnavailable, match="no answer in time"):
                await reader.account_view()
            await reader.close()

    run(scenario)


def test_no_error_text_carries_the_signed_address() -> None:
    """What a failed read says can be logged: no signature, no key, no query."""

    async def scenario() -> None:
        async with raw_venue(*SYNCED, answer(502, b"<html>"), DROP) as venue:
            reader = BinanceReader(BinanceClient(config(venue.url), SetClock()))
            texts = []
            for _ in range(2):
                with pytest.raises(VenueUnavailable) as raised:
                    await reader.account_view()
                texts.append(str(raised.value))
                texts.append(repr(raised.value.__cause__))
            await reader.close()
            assert venue.count("GET") == 5
            assert not any("signature" in text or "test-key" in text or "timestamp" in text for text in texts)

    run(scenario)


async def asked_for_an_order(status: int, body: bytes, client_order_id: ClientOrderId = CLIENT_ID) -> object:
    """What `order` makes of an answer."""
    async with raw_venue(*SYNCED, answer(status, body)) as venue:
        reader = BinanceReader(BinanceClient(config(venue.url), SetClock()))
        try:
            return await reader.order(BTC, client_order_id)
        finally:
            await reader.close()


def test_an_order_that_the_venue_does_not_know_is_none() -> None:
    """-2013 under status 400 is an answer; the same code under a 503 is none."""

    async def scenario() -> None:
        unknown = b'{"code":-2013,"msg":"Order does not exist."}'
        assert await asked_for_an_order(400, unknown) is None
        for status in (200, 503, 500, 404):
            with pytest.raises(VenueUnavailable):
                await asked_for_an_order(status, unknown)

    run(scenario)


def test_an_answer_about_another_order_is_no_answer() -> None:
    """The order that comes back must be the one that was asked for."""

    async def scenario() -> None:
        assert await asked_for_an_order(200, ORDER_BODY) is not None
        with pytest.raises(VenueUnavailable):
            await asked_for_an_order(200, ORDER_BODY, ClientOrderId("hf-other"))
        async with raw_venue(*SYNCED) as venue:
            reader = BinanceReader(BinanceClient(config(venue.url), SetClock()))
            with pytest.raises(VenueUnavailable):
                await reader.order_by_number(BTC, VenueOrderId(1))
            assert await reader.order_by_number(BTC, VenueOrderId(22542179)) is not None
            with pytest.raises(VenueUnavailable):
                await reader.order(Symbol("ETHUSDT"), CLIENT_ID)
            await reader.close()

    run(scenario)


# --- trades


class Trades:
    """A venue that keeps trades and answers userTrades like the documentation says, or as told.

    `newest_first_out` keeps the newest of a full window, which the documentation does not exclude.
    """

    def __init__(self, times: list[int], *, keep: str = "oldest") -> None:
        self.times = times
        self.keep = keep
        self.asked: list[dict[str, str]] = []

    async def handle(self, request: web.Request) -> web.Response:
        """One request."""
        if request.path == "/fapi/v1/time":
            return web.json_response({"serverTime": NOW_MS})
        query = dict(parse_qsl(urlsplit(request.raw_path).query))
        self.asked.append(query)
        rows = [self._row(number, at) for number, at in enumerate(self.times, start=1)]
        if "fromId" in query:
            rows = [one for one in rows if one["id"] >= int(query["fromId"])][: int(query["limit"])]
            return web.json_response(rows)
        first, last = int(query["startTime"]), int(query["endTime"])
        if last - first >= 7 * 24 * 3_600_000:
            return web.json_response({"code": -4165, "msg": "Invalid time interval"}, status=400)
        rows = [one for one in rows if first <= one["time"] <= last]
        limit = int(query["limit"])
        return web.json_response(rows[:limit] if self.keep == "oldest" else rows[-limit:])

    @staticmethod
    def _row(number: int, at: int) -> dict[str, Any]:
        return {
            "symbol": "BTCUSDT",
            "id": number,
            "orderId": 7,
            "side": "BUY",
            "positionSide": "BOTH",
            "price": "1",
            "qty": "1",
            "time": at,
        }


async def paged(venue: Trades, cursor: TradeCursor) -> TradePage:
    """Read the trades since a cursor."""
    server = TestServer(web.Application())
    server.app.router.add_get("/{path:.*}", venue.handle)
    await server.start_server()
    reader = BinanceReader(BinanceClient(config(str(server.make_url("")).rstrip("/")), SetClock()))
    try:
        return await reader.trades(BTC, cursor)
    finally:
        await reader.close()
        await server.close()


DAY_MS = 24 * 3_600_000


def test_trades_after_an_id_come_whole_over_several_pages() -> None:
    """2,500 trades after id 100 take three pages and are complete, oldest first."""

    async def scenario() -> None:
        venue = Trades([NOW_MS - 5_000 + n for n in range(2_600)])
        page = await paged(venue, TradeCursor(TradeId(100), 0))
        assert [one.trade_id for one in page.trades] == list(range(101, 2_601))
        assert page.complete
        assert [one.get("fromId") for one in venue.asked] == ["101", "1101", "2101"]
        assert all("startTime" not in one for one in venue.asked)

    run(scenario)


def test_no_trades_after_an_id_is_complete() -> None:
    """An empty page is an answer."""

    async def scenario() -> None:
        page = await paged(Trades([NOW_MS]), TradeCursor(TradeId(1), 0))
        assert page.trades == ()
        assert page.complete

    run(scenario)


def test_more_pages_than_the_bound_are_not_complete() -> None:
    """When the bound on requests is reached the page says that it proves nothing."""

    async def scenario() -> None:
        venue = Trades([NOW_MS - 90_000 + n for n in range(pages.PAGES_MAX * 1_000)])
        page = await paged(venue, TradeCursor(TradeId(0), 0))
        assert len(venue.asked) == pages.PAGES_MAX
        assert not page.complete
        assert page.goes_on, "the next look may go on from its last trade"

    run(scenario)


@pytest.mark.parametrize("keep", ["oldest", "newest"])
def test_trades_since_a_time_come_whole_whichever_end_a_full_window_keeps(keep: str) -> None:
    """2,500 trades 20 days back are found through windows of at most 7 days, and none is left out."""

    async def scenario() -> None:
        first = NOW_MS - 20 * DAY_MS
        venue = Trades([first - 10, *(first + n * 300_000 for n in range(2_500))], keep=keep)
        page = await paged(venue, TradeCursor(None, first))
        assert [one.trade_id for one in page.trades] == list(range(2, 2_502))
        assert page.complete

    run(scenario)


def test_an_account_without_trades_is_complete_back_to_the_cursor() -> None:
    """Thirty quiet days take five windows and prove that nothing was traded."""

    async def scenario() -> None:
        venue = Trades([])
        page = await paged(venue, TradeCursor(None, NOW_MS - 30 * DAY_MS))
        assert page.trades == ()
        assert page.complete
        assert len(venue.asked) == 5

    run(scenario)


def test_a_cursor_before_the_venues_memory_is_never_complete() -> None:
    """Older than three months cannot be had: whatever is found proves nothing."""

    async def scenario() -> None:
        page = await paged(Trades([NOW_MS - DAY_MS]), TradeCursor(None, NOW_MS - 100 * DAY_MS))
        assert [one.trade_id for one in page.trades] == [1]
        assert not page.complete

    run(scenario)


def test_more_than_a_page_of_trades_in_one_millisecond_is_not_complete() -> None:
    """A window that cannot be halved any more and is still full is honest about it."""

    async def scenario() -> None:
        page = await paged(Trades([NOW_MS] * 1_500, keep="newest"), TradeCursor(None, NOW_MS - 5))
        assert not page.complete

    run(scenario)
