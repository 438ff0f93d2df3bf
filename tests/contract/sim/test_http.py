"""The REST face: what a socket sees of answers, faults and cuts."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import pytest

from tests.contract.sim.visitor import KEY, ORDER, Visitor, signed, visit


def test_an_order_is_answered_with_counts_and_json() -> None:
    """A signed order is filled and its answer carries the X-MBX headers as JSON."""

    async def story(v: Visitor) -> None:
        url = f"{v.sim.base_url}/fapi/v1/order"
        async with v.http.post(f"{url}?{signed({**ORDER, 'newOrderRespType': 'RESULT'})}") as reply:
            body = await reply.json()
        assert (body["status"], reply.headers["X-MBX-ORDER-COUNT-10S"]) == ("FILLED", "1")

    visit(story)


@pytest.mark.parametrize("where", ["query", "body"])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_parameters_come_by_query_or_body(method: str, where: str) -> None:
    """POST and DELETE read their parameters from the query or from the body."""

    async def story(v: Visitor) -> None:
        params = signed(ORDER if method == "POST" else {"symbol": "BTCUSDT", "orderId": "1"})
        url = f"{v.sim.base_url}/fapi/v1/order" + (f"?{params}" if where == "query" else "")
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        body = params.encode() if where == "body" else None
        async with v.http.request(method, url, data=body, headers=form) as reply:
            answer = await reply.json()
        assert answer.get("code") == (None if method == "POST" else -2011)

    visit(story)


@pytest.mark.parametrize(("name", "orders"), [("reset_executed", 1), ("reset_not_executed", 0)])
def test_a_reset_reaches_the_client_as_a_lost_connection(name: str, orders: int) -> None:
    """A cut request ends without an answer, and only the truth tells whether it was executed."""

    async def story(v: Visitor) -> None:
        await v.act("/faults", name=name, match={"method": "POST", "path": "/fapi/v1/order"})
        with pytest.raises(aiohttp.ClientError):
            await v.ask("POST", "/fapi/v1/order", **ORDER)
        assert (await v.admin("GET", "/orders"))[1]["total"] == orders
        assert (await v.admin("GET", "/faults"))[1]["faults"][0]["hits"] == 1

    visit(story)


@pytest.mark.parametrize(("name", "orders"), [("hang_executed", 1), ("hang_not_executed", 0)])
def test_a_hang_outlasts_the_clients_patience(name: str, orders: int) -> None:
    """A hanging request is given up by the client, and only the truth tells whether it was executed."""

    async def story(v: Visitor) -> None:
        await v.act("/faults", name=name)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(v.ask("POST", "/fapi/v1/order", **ORDER), 0.2)
        assert (await v.admin("GET", "/orders"))[1]["total"] == orders

    visit(story)


def test_a_late_arrival_is_refused_by_the_engine() -> None:
    """An order held up between edge and engine beyond its recvWindow answers -5028 and leaves no order."""

    async def story(v: Visitor) -> None:
        await v.act("/faults", name="engine_delay", delay_ms=150)
        status, body = await v.ask("POST", "/fapi/v1/order", **ORDER, recvWindow="100")
        assert (status, body["code"]) == (400, -5028)
        await v.act("/faults", name="edge_delay", delay_ms=150)
        status, body = await v.ask("POST", "/fapi/v1/order", **ORDER, recvWindow="100")
        assert (status, body["code"]) == (400, -1021)
        assert (await v.admin("GET", "/orders"))[1]["total"] == 0

    visit(story)


def test_a_late_answer_is_executed_at_once() -> None:
    """A delayed answer comes late; the order was accepted long before."""

    async def story(v: Visitor) -> None:
        await v.act("/faults", name="reply_delay", delay_ms=200)
        assert (await v.ask("POST", "/fapi/v1/order", **ORDER))[0] == 200
        answered = time.monotonic_ns()
        order = (await v.admin("GET", "/orders"))[1]["orders"][0]
        assert answered - order["accepted_monotonic_ns"] >= 190_000_000

    visit(story)


def test_a_proxy_page_is_html() -> None:
    """A proxy's page has status 502 and is no JSON."""

    async def story(v: Visitor) -> None:
        await v.act("/faults", name="proxy_page_executed")
        status, body = await v.ask("POST", "/fapi/v1/order", **ORDER)
        assert (status, body[:6]) == (502, "<html>")

    visit(story)


def test_an_unknown_path_is_a_404_that_points_on() -> None:
    """A path that is not there answers 404 in JSON."""

    async def story(v: Visitor) -> None:
        async with v.http.get(f"{v.sim.base_url}/nothing", headers={"X-MBX-APIKEY": KEY}) as reply:
            assert (reply.status, "GET /sim/" in (await reply.json())["msg"]) == (404, True)

    visit(story)
