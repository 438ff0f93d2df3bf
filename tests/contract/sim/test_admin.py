"""The admin face: its manual, its acts, its refusals, and the truth that it tells; and `holdfast sim` itself."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import time
from typing import Any

import aiohttp
import pytest

from holdfast.sim.core.account import Mode
from holdfast.sim.face.admin import ROUTES
from holdfast.sim.server import SimConfig, read_account
from tests.contract.sim.visitor import DEADLINE_S, ORDER, Visitor, visit

TRADE = {"account": "demo", "symbol": "BTCUSDT", "side": "BUY", "qty": "0.007"}
FORCE = {"account": "demo", "symbol": "BTCUSDT"}


def test_the_manual_names_every_route() -> None:
    """GET /sim/ describes each route with its method, body and meaning, and each fault."""

    async def story(v: Visitor) -> None:
        status, manual = await v.admin("GET", "/")
        assert status == 200
        assert {(r["method"], r["path"]) for r in manual["routes"]} == {(r.method, r.path) for r in ROUTES}
        assert all(r["meaning"] for r in manual["routes"])
        trade = next(r for r in manual["routes"] if r["path"] == "/sim/trade")
        assert trade["body"]["qty"] == "required"
        assert "engine_delay" in manual["faults"]

    visit(story)


@pytest.mark.parametrize("qty", ["0.007", 0.007])
def test_a_hand_trade_says_when_the_core_took_it(qty: object) -> None:
    """A manual trade answers its ids, venue time, and a monotonic moment between question and answer."""

    async def story(v: Visitor) -> None:
        before = time.monotonic_ns()
        answer = await v.act("/trade", **{**TRADE, "qty": qty})
        assert before < answer["accepted_monotonic_ns"] < time.monotonic_ns()
        fill = (await v.admin("GET", "/fills?source=manual"))[1]["fills"][0]
        assert (fill["tradeId"], fill["orderId"], fill["qty"]) == (answer["tradeId"], answer["orderId"], "0.007")
        assert abs(answer["time"] - time.time_ns() // 1_000_000) < 5000

    visit(story)


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/trade", {**TRADE, "account": "nobody"}, "unknown account 'nobody'"),
        ("/trade", {**TRADE, "qty": "NaN"}, "qty must be a positive number"),
        ("/trade", {**TRADE, "qty": "-1"}, "qty must be a positive number"),
        ("/trade", {**TRADE, "qty": "0.0001"}, "Precision is over"),
        ("/trade", {**TRADE, "side": "UP"}, "Invalid enum value 'UP'"),
        ("/trade", {**TRADE, "more": 1}, "unknown field"),
        ("/trade", {"account": "demo"}, "missing required field"),
        ("/trade", [], "JSON object"),
        ("/trade", {**TRADE, "symbol": "NOPE"}, "Invalid symbol"),
        ("/liquidate", FORCE, "does not allow to close"),
        ("/price", {"symbol": "BTCUSDT", "price": "0"}, "price must be a positive number"),
        ("/price", {"symbol": "BTCUSDT", "spread_ticks": 0}, "spread"),
        ("/faults", {"name": "bad_weather"}, "Invalid enum value 'bad_weather'"),
        ("/faults", {"name": "stream_drop", "match": {"colour": "red"}}, "unknown field"),
        ("/knobs", {"reduce_only_oversize": "maybe"}, "Invalid enum value 'maybe'"),
        ("/knobs", {"no_such": 1}, "unknown field"),
        ("/knobs", {"taker_fee": "2"}, "a fee is a fraction"),
        ("/accounts", {"name": "demo"}, "exists already"),
        ("/accounts", {"name": "b", "keys": [{"key": "demo-key", "secret": "x"}]}, "each key must be new"),
        ("/limits", {"factor": "0"}, "factor must be a positive number"),
        ("/mode", {"account": "demo", "mode": "one_way"}, "No need to change position side"),
    ],
)
def test_wrong_admin_input_is_refused_with_a_message(path: str, body: object, message: str) -> None:
    """Wrong input answers 400, says what is wrong, and changes nothing."""

    async def story(v: Visitor) -> None:
        status, answer = await v.admin("POST", path, body)
        assert (status, message in answer["error"]) == (400, True), answer
        assert (await v.admin("GET", "/orders"))[1]["total"] == 0
        assert len((await v.admin("GET", "/accounts"))[1]["accounts"]) == 1

    visit(story)


def test_an_unknown_route_is_a_404() -> None:
    """A route that is not there answers 404 and points at the manual."""

    async def story(v: Visitor) -> None:
        status, answer = await v.admin("GET", "/weather")
        assert (status, "GET /sim/" in answer["error"]) == (404, True)

    visit(story)


async def _every_act(v: Visitor) -> None:
    keys = [{"key": "k2", "secret": "s2"}, {"key": "r2", "secret": "s2", "permission": "read"}]
    await v.act("/accounts", name="second", balance="5000", keys=keys)
    await v.act("/trade", **TRADE)
    for path in ("/liquidate", "/adl", "/settle"):
        answer = await v.act(path, **FORCE, qty="0.001")
        assert answer["executedQty"] == "0.001"
    assert (await v.act("/funding", **FORCE, rate="0.0001"))["paid"].startswith("-")
    assert await v.act("/transfer", account="second", amount="-5") == {"wallet": "4995"}
    market = await v.act("/price", symbol="BTCUSDT", price="50000", motion="frozen", spread_ticks=2)
    assert (market["mark"], market["ask"], market["motion"]) == ("50000.0", "50000.2", "frozen")
    assert (await v.act("/depth", symbol="BTCUSDT", qty="0.002"))["depth"] == "0.002"
    partial = await v.act("/trade", **TRADE)
    assert (partial["status"], partial["executedQty"]) == ("EXPIRED", "0.002")
    assert (await v.act("/depth", symbol="BTCUSDT", qty=None))["depth"] is None
    resting = await v.act("/trade", **TRADE, price="49000")
    assert (await v.act("/cancel", **FORCE))["cancelled"] == [resting["orderId"]]
    assert (await v.act("/symbol", symbol="ETHUSDT", status="SETTLING"))["status"] == "SETTLING"
    assert (await v.act("/mode", account="second", mode="hedge"))["mode"] == "hedge"
    assert (await v.act("/restrict", account="second", restriction="no_trading"))["restriction"] == "no_trading"
    assert (await v.act("/limits", factor="10"))["weight_1m"] == 24000
    assert (await v.act("/knobs", taker_fee="0.001", fills_per_match=2))["fills_per_match"] == 2


def test_every_act_of_the_admin_face() -> None:
    """Each act does what its route says, and the truth shows it."""

    async def story(v: Visitor) -> None:
        await _every_act(v)
        positions = (await v.admin("GET", "/positions"))[1]["positions"]
        assert [(p["account"], p["positionAmt"]) for p in positions] == [("demo", "0.006")]
        orders = (await v.admin("GET", "/orders?source=venue"))[1]["orders"]
        assert [re.sub(r"\d+", "#", o["clientOrderId"]) for o in orders] == [
            "autoclose-#",
            "adl_autoclose",
            "settlement_autoclose-#",
        ]
        later = (await v.admin("GET", "/orders?after=4&limit=1"))[1]
        assert (len(later["orders"]), later["total"]) == (1, 6)
        accounts = (await v.admin("GET", "/accounts"))[1]["accounts"]
        assert [k["permission"] for k in accounts[1]["keys"]] == ["trade", "read"]
        assert "s2" not in json.dumps(accounts)

    visit(story)


def test_requests_are_counted_and_shown_without_signatures() -> None:
    """The request log shows what was asked, counted by method and path, and hides the signature."""

    async def story(v: Visitor) -> None:
        for _ in range(3):
            await v.ask("POST", "/fapi/v1/order", **ORDER)
        log = (await v.admin("GET", "/requests"))[1]
        assert log["counts"] == {"POST /fapi/v1/order": 3}
        assert log["requests"][0]["params"]["quantity"] == "0.003"
        assert "signature" not in log["requests"][0]["params"]

    visit(story)


def test_the_venues_clock_can_be_shifted() -> None:
    """A venue clock a minute ahead refuses our timestamps until it is set back."""

    async def story(v: Visitor) -> None:
        await v.act("/clock", offset_ms=60_000)
        assert (await v.ask("GET", "/fapi/v3/positionRisk"))[1]["code"] == -1021
        await v.act("/clock", offset_ms=0)
        assert (await v.ask("GET", "/fapi/v3/positionRisk"))[0] == 200

    visit(story)


def test_accounts_open_in_hedge_mode_with_more_symbols_on_request() -> None:
    """The configuration opens accounts in hedge mode and adds symbols."""

    async def story(v: Visitor) -> None:
        info = (await v.ask("GET", "/fapi/v1/exchangeInfo"))[1]
        assert [s["symbol"] for s in info["symbols"]] == ["BTCUSDT", "ETHUSDT", "SYM001USDT", "SYM002USDT"]
        assert (await v.ask("GET", "/fapi/v1/positionSide/dual"))[1] == {"dualSidePosition": True}

    visit(story, SimConfig(symbols=2, mode=Mode.HEDGE))


@pytest.mark.parametrize("text", ["a", "a:", ":b", "a:b:write", "a:b:read:c:d", "a:b:read:"])
def test_a_wrong_account_option_is_refused(text: str) -> None:
    """An account that is not key:secret[:read|trade[:name]] is refused."""
    with pytest.raises(ValueError, match=r"account|permission"):
        read_account(text)


COMMAND = (sys.executable, "-c", "import typer; from holdfast.cli.sim import sim; typer.run(sim)")


async def _process(*options: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*COMMAND, *options, stdout=pipe, stderr=pipe)


async def _first_line(process: asyncio.subprocess.Process) -> str:
    if process.stdout is None:
        raise RuntimeError("the process has no output")
    return (await asyncio.wait_for(process.stdout.readline(), DEADLINE_S)).decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_says_where_it_is_and_stops_when_told(number: signal.Signals) -> None:
    """`holdfast sim --port 0 --json` prints one line with its addresses, serves, and ends with 0 on a signal."""

    async def story() -> None:
        process = await _process("--port", "0", "--json", "--account", "mine:secret:read:me")
        line: dict[str, Any] = json.loads(await _first_line(process))
        assert set(line) == {"base_url", "ws_api_url", "stream_url", "admin_url", "port", "keys"}
        async with aiohttp.ClientSession() as http, http.get(f"{line['admin_url']}/accounts") as reply:
            accounts = (await reply.json())["accounts"]
        assert (accounts[0]["name"], accounts[0]["keys"]) == ("me", [{"key": "mine", "permission": "read"}])
        process.send_signal(number)
        out, err = await asyncio.wait_for(process.communicate(), DEADLINE_S)
        assert (process.returncode, out, err) == (0, b"", b"")

    asyncio.run(story())


def test_the_command_greets_a_person_and_refuses_a_busy_port() -> None:
    """Without --json it prints addresses and a demo account; a second one on the port ends with 2 and one line."""

    async def story() -> None:
        first = await _process("--port", "0", "--json")
        port = json.loads(await _first_line(first))["port"]
        second = await _process("--port", str(port))
        _, err = await asyncio.wait_for(second.communicate(), DEADLINE_S)
        assert (second.returncode, err.decode().count("\n"), str(port) in err.decode()) == (2, 1, True)
        third = await _process("--port", "0")
        greeting = "".join([await _first_line(third) for _ in range(4)])
        assert "demo-key" in greeting
        for process in (first, third):
            process.terminate()
            await asyncio.wait_for(process.communicate(), DEADLINE_S)
            assert process.returncode == 0

    asyncio.run(story())


@pytest.mark.parametrize(
    "options", [("--account", "x"), ("--limits", "0"), ("--limits", "x"), ("--symbols", "-1"), ("--volatility", "-1")]
)
def test_a_wrong_option_ends_the_command_with_2(options: tuple[str, ...]) -> None:
    """A bad option is named, and the command ends with status 2."""

    async def story() -> None:
        process = await _process(*options)
        _, err = await asyncio.wait_for(process.communicate(), DEADLINE_S)
        assert (process.returncode, bool(err)) == (2, True)

    asyncio.run(story())
