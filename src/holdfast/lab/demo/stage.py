"""The stage: simulator, embedded Valkey and services in a temporary folder, started as a user would start them.

    holdfast sim --port 0 --json
    holdfast run --settings <folder>/holdfast.toml --json

Invariants: the account is made for this demo, with a key that reads for reconcile and one that trades for apply,
handed over in the environment alone; prices stand still, so that amounts are the only thing that moves; whatever was
started ends with the block, and the folder goes with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.lab.children import Child, child
from holdfast.lab.demo.scenarios import SYMBOL, Ending
from holdfast.lab.demo.webhook import Webhook
from holdfast.lab.desk import Desk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from holdfast.lab.demo.scenarios import Scenario
    from holdfast.ports.clock import Clock

ACCOUNT_AT_EXCHANGE = "desk"
PRICE = "64000"
HIDDEN_MS = 3_600_000
"""How long the exchange's trade history keeps quiet where trades are hidden: longer than any demo."""

_SETTINGS = """\
[venue]
environment = "sim"
rest_url = "{base_url}"
stream_url = "{stream_url}"

[accounts.main]
symbols = ["{symbol}"]
read_key_env = "DEMO_READ_KEY"
read_secret_env = "DEMO_READ_SECRET"
trade_key_env = "DEMO_TRADE_KEY"
trade_secret_env = "DEMO_TRADE_SECRET"
reconcile_close = "{reconcile_close}"

[alerts]
urls = [{alert_urls}]
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """What stands ready."""

    bus_url: str
    """With its password: for clients, never to be shown."""
    exchange_url: str
    desk: Desk
    webhook: Webhook
    children: tuple[Child, ...]


@contextlib.asynccontextmanager
async def set_up(scenario: Scenario, clock: Clock) -> AsyncIterator[Stage]:
    """Start everything for a scenario. Raises CannotStart with the last words of what did not start."""
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-demo-")))
        webhook = await stack.enter_async_context(Webhook(clock))
        sim = await stack.enter_async_context(child("sim", ("sim", "--port", "0", "--json"), folder))
        desk = await stack.enter_async_context(Desk(str(sim.said["admin_url"]), ACCOUNT_AT_EXCHANGE))
        keys = await _open_account(desk)
        if scenario.are_trades_hidden:
            await desk.post(
                "faults", name="stale_trades", match={"account": ACCOUNT_AT_EXCHANGE}, count=0, delay_ms=HIDDEN_MS
            )
        settings = folder / "holdfast.toml"
        alert_urls = f'"{webhook.apprise_url}"' if scenario.tells_operator else ""
        text = _SETTINGS.format(
            base_url=sim.said["base_url"],
            stream_url=sim.said["stream_url"],
            symbol=SYMBOL,
            reconcile_close="off" if scenario.ending is Ending.FREED_BY_HAND else "on",
            alert_urls=alert_urls,
        )
        await asyncio.to_thread(settings.write_text, text, encoding="utf-8")
        services = ("run", "--settings", str(settings), "--json")
        run = await stack.enter_async_context(child("run", services, folder, keys))
        bus_url = await asyncio.to_thread(Path(str(run.said["bus_file"])).read_text, encoding="utf-8")
        yield Stage(bus_url.strip(), str(sim.said["base_url"]), desk, webhook, (sim, run))


async def _open_account(desk: Desk) -> dict[str, str]:
    """Make the account with its two keys, and let prices stand still; the variables that hand the keys over."""
    names = ("DEMO_READ_KEY", "DEMO_READ_SECRET", "DEMO_TRADE_KEY", "DEMO_TRADE_SECRET")
    keys = {name: secrets.token_hex(32) for name in names}
    await desk.post(
        "accounts",
        name=ACCOUNT_AT_EXCHANGE,
        keys=[
            {"key": keys["DEMO_READ_KEY"], "secret": keys["DEMO_READ_SECRET"], "permission": "read"},
            {"key": keys["DEMO_TRADE_KEY"], "secret": keys["DEMO_TRADE_SECRET"], "permission": "trade"},
        ],
    )
    await desk.post("price", symbol=SYMBOL, price=PRICE, motion="frozen")
    return keys
