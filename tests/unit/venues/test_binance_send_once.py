"""Invariant 1 of the adapter, on a bare socket: one call, at most one request, whatever the connection does."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.ports.venue import Accepted, Cancelled, NotExecuted, Unknown
from holdfast.venues.binance.budget import Lane
from holdfast.venues.binance.client import BinanceClient, Security
from holdfast.venues.binance.exchange import NoAnswer, Reach
from holdfast.venues.binance.trader import BinanceTrader
from tests.unit.venues.venue_kit import (
    BTC,
    CLIENT_ID,
    DEADLINE_S,
    DROP,
    NOW_MS,
    ORDER_BODY,
    SILENT,
    RawVenue,
    SetClock,
    answer,
    config,
    permit,
    raw_venue,
    time_answer,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from holdfast.ports.venue import CancelOutcome, SubmitOutcome

KEPT = time_answer()
"""A first request whose connection is kept for the next one."""


def run(scenario: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run a scenario with a deadline."""
    asyncio.run(asyncio.wait_for(scenario(), DEADLINE_S))


async def submitted(venue: RawVenue, *, warm: bool, recv_window_ms: int = 2_000) -> SubmitOutcome:
    """Submit once, over a kept connection if `warm`."""
    trader = BinanceTrader(BinanceClient(config(venue.url, send_margin_ms=100), SetClock()))
    try:
        if warm:
            await trader._client.read("GET", "/fapi/v1/time", (), Security.NONE)
        return await trader.submit(permit(recv_window_ms=recv_window_ms))
    finally:
        await trader.close()


async def cancelled(venue: RawVenue, *, warm: bool) -> CancelOutcome:
    """Cancel once, over a kept connection if `warm`."""
    trader = BinanceTrader(BinanceClient(config(venue.url), SetClock()))
    try:
        if warm:
            await trader._client.read("GET", "/fapi/v1/time", (), Security.NONE)
        return await trader.cancel(BTC, CLIENT_ID)
    finally:
        await trader.close()


def test_a_post_whose_fresh_connection_drops_after_the_server_read_it_is_sent_once_and_unknown() -> None:
    """A submit on a fresh connection that the venue cuts after reading is Unknown, and one request arrived."""

    async def scenario() -> None:
        async with raw_venue(DROP) as venue:
            assert isinstance(await submitted(venue, warm=False), Unknown)
            assert venue.count("POST") == 1
            assert len(venue.requests) == 1

    run(scenario)


def test_a_post_whose_kept_connection_drops_after_the_server_read_it_is_sent_once_and_unknown() -> None:
    """A submit on a kept connection that the venue cuts after reading is Unknown, and one request arrived."""

    async def scenario() -> None:
        async with raw_venue(KEPT, DROP) as venue:
            assert isinstance(await submitted(venue, warm=True), Unknown)
            assert venue.connections == 1
            assert venue.count("POST") == 1

    run(scenario)


def test_a_delete_whose_kept_connection_drops_after_the_server_read_it_is_sent_once_and_unknown() -> None:
    """A cancel on a kept connection that the venue cuts after reading is Unknown, and one request arrived."""

    async def scenario() -> None:
        async with raw_venue(KEPT, DROP) as venue:
            assert isinstance(await cancelled(venue, warm=True), Unknown)
            assert venue.connections == 1
            assert venue.count("DELETE") == 1

    run(scenario)


def test_the_bare_library_does_repeat_a_delete_so_that_the_count_can_fail() -> None:
    """Without our arrangement the library sends the same DELETE twice: what the test above counts is real."""

    async def scenario() -> None:
        async with raw_venue(KEPT, DROP) as venue, aiohttp.ClientSession() as session:
            async with session.get(venue.url) as first:
                await first.read()
            async with session.delete(venue.url) as second:
                assert second.status == 200
            assert venue.count("DELETE") == 2

    run(scenario)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
def test_no_method_is_repeated_by_the_transport(method: str) -> None:
    """Whatever the method, a kept connection that drops leaves one request on the wire and no answer."""

    async def scenario() -> None:
        async with raw_venue(KEPT, DROP) as venue:
            client = BinanceClient(config(venue.url), SetClock())
            await client.read("GET", "/fapi/v1/time", (), Security.NONE)
            ended = await client.exchange(method, "/x", (), Security.NONE, lane=Lane.READ, timeout_ms=2_000)
            await client.close()
            assert isinstance(ended, NoAnswer)
            assert ended.reach is Reach.WRITTEN
            assert len(venue.requests) == 2

    run(scenario)


def test_a_submit_that_gets_no_answer_in_time_is_unknown_after_its_bound() -> None:
    """A venue that stays silent is given up after recvWindow plus the margin, and the order's fate is Unknown."""

    async def scenario() -> None:
        async with raw_venue(SILENT) as venue:
            outcome = await submitted(venue, warm=False, recv_window_ms=100)
            assert outcome == Unknown("no answer in time")
            assert venue.count("POST") == 1

    run(scenario)


def test_an_answer_that_is_cut_short_is_unknown() -> None:
    """Half a body proves nothing, even under status 200."""

    async def scenario() -> None:
        whole = answer(200, ORDER_BODY + b"CUT")
        async with raw_venue(whole[:-60] + b"CUT") as venue:
            assert isinstance(await submitted(venue, warm=False), Unknown)
            assert venue.count("POST") == 1

    run(scenario)


def test_a_refused_connection_is_not_executed() -> None:
    """Nobody listens: not one byte was written, so the order cannot have been executed."""

    async def scenario() -> None:
        async with raw_venue() as venue:
            url = venue.url
        outcome = await submitted(RawVenue((), b"", url=url), warm=False)
        assert isinstance(outcome, NotExecuted)
        assert outcome.retry_after_ms > 0

    run(scenario)


def test_a_failed_tls_handshake_is_not_executed() -> None:
    """A connection that breaks before TLS stands never carried the request."""

    async def scenario() -> None:
        async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        outcome = await submitted(RawVenue((), b"", url=url), warm=False)
        server.close()
        assert isinstance(outcome, NotExecuted)

    run(scenario)


def test_a_connection_that_cannot_be_made_in_time_is_not_executed() -> None:
    """A TLS handshake that never ends is given up in time, and nothing of the request was written."""

    async def scenario() -> None:
        async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(hang, "127.0.0.1", 0)
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        outcome = await submitted(RawVenue((), b"", url=url), warm=False, recv_window_ms=100)
        server.close()
        assert isinstance(outcome, NotExecuted)

    run(scenario)


def test_a_redirect_is_not_followed() -> None:
    """A redirected order is Unknown, and nobody else gets to see it."""

    async def scenario() -> None:
        async with raw_venue(answer(307, b"", "Location: /elsewhere")) as venue:
            assert isinstance(await submitted(venue, warm=False), Unknown)
            assert len(venue.requests) == 1

    run(scenario)


def test_an_answered_order_is_accepted_and_an_answered_cancel_is_cancelled() -> None:
    """When nothing goes wrong one request is enough and its answer is the outcome."""

    async def scenario() -> None:
        async with raw_venue() as venue:
            accepted = await submitted(venue, warm=False)
            ended = await cancelled(venue, warm=False)
        assert isinstance(accepted, Accepted)
        assert accepted.report.client_order_id == CLIENT_ID
        assert accepted.report.avg_price is None
        assert isinstance(ended, Cancelled)
        assert len(venue.requests) == 2

    run(scenario)


def test_a_closed_adapter_sends_nothing() -> None:
    """After `close` a submit is NotExecuted and no connection is made."""

    async def scenario() -> None:
        async with raw_venue() as venue:
            trader = BinanceTrader(BinanceClient(config(venue.url), SetClock()))
            await trader.close()
            assert isinstance(await trader.submit(permit()), NotExecuted)
            assert venue.connections == 0

    run(scenario)


def test_a_permit_whose_window_has_passed_is_not_sent() -> None:
    """A process that was paused past recvWindow does not send what the venue would refuse anyway."""

    async def scenario() -> None:
        async with raw_venue() as venue:
            clock = SetClock(NOW_MS + 2_001)
            trader = BinanceTrader(BinanceClient(config(venue.url), clock))
            outcome = await trader.submit(permit(timestamp_ms=NOW_MS, recv_window_ms=2_000))
            await trader.close()
            assert isinstance(outcome, NotExecuted)
            assert venue.requests == []

    run(scenario)


STRAY = answer(400, b'{"code":-2022,"msg":"ReduceOnly Order is rejected."}')


@pytest.mark.parametrize("when", ["with-the-first-answer", "while-idle"])
def test_a_stray_answer_on_a_kept_connection_is_never_the_orders_answer(when: str) -> None:
    """An answer that came before the question proves nothing: such a connection carries no order."""

    async def scenario() -> None:
        strayed = asyncio.Event()
        posts = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal posts
            while head := await reader.readline():
                await reader.readuntil(b"\r\n\r\n")
                posts += head.startswith(b"POST")
                writer.write(answer(200, ORDER_BODY) if head.startswith(b"POST") else KEPT)
                if not strayed.is_set():
                    if when == "while-idle":
                        await answered.wait()
                    writer.write(STRAY)
                    await writer.drain()
                    strayed.set()
            writer.close()

        answered = asyncio.Event()
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        trader = BinanceTrader(BinanceClient(config(url), SetClock()))
        await trader._client.read("GET", "/fapi/v1/time", (), Security.NONE)
        answered.set()
        await strayed.wait()
        await echo_of_loopback()
        outcome = await trader.submit(permit())
        sent = posts
        await trader.close()
        server.close()
        if isinstance(outcome, NotExecuted):
            assert sent == 0
        else:
            assert isinstance(outcome, Accepted)
            assert sent == 1

    run(scenario)


async def echo_of_loopback() -> None:
    """Let a byte go round over loopback, so that what was written before has arrived."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(1))
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    writer.write(b"x")
    await reader.read(1)
    writer.close()
    server.close()


@pytest.mark.parametrize("name", ["symbol", "clientOrderId"])
def test_an_answer_about_another_order_is_unknown(name: str) -> None:
    """A 200 whose order is not the one that was sent or cancelled proves nothing about it."""

    async def scenario() -> None:
        other = answer(200, json.dumps({**json.loads(ORDER_BODY), name: "OTHER"}).encode())
        async with raw_venue(last=other) as venue:
            assert isinstance(await submitted(venue, warm=False), Unknown)
            assert isinstance(await cancelled(venue, warm=False), Unknown)

    run(scenario)


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(
        st.binary(min_size=1, max_size=120),
        st.binary(max_size=60).map(lambda junk: b"HTTP/1.1 200 OK\r\n" + junk + b"\r\n\r\n"),
        st.binary(max_size=60).map(lambda junk: answer(200, junk, "Content-Encoding: gzip")),
        st.binary(max_size=60).map(lambda junk: answer(200, junk, "Transfer-Encoding: chunked")),
    )
)
def test_no_bytes_on_the_wire_make_a_submit_raise(junk: bytes) -> None:
    """Whatever a server writes, the order's fate is Unknown and one request was sent."""

    async def scenario() -> None:
        async with raw_venue(junk + b"CUT") as venue:
            assert isinstance(await submitted(venue, warm=False, recv_window_ms=50), Unknown)
            assert len(venue.requests) == 1

    run(scenario)
