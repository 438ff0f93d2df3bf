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
from holdfast.lab.demo.scenarios import SYMBOL
from holdfast.lab.demo.webhook import Webhook
from holdfast.lab.desk import Desk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from holdfast.lab.demo.staging import Staging
    from holdfast.ports.clock import Clock

ACCOUNT_AT_EXCHANGE = "desk"
PRICE = "64000"

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
position_mode = "{mode}"
{limits}

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
    folder: Path
    settings: Path
    secrets: Mapping[str, str]
    """What the operator's commands find in their environment, as the services do."""


@contextlib.asynccontextmanager
async def set_up(staging: Staging, clock: Clock) -> AsyncIterator[Stage]:
    """Start everything for a play. Raises CannotStart with the last words of what did not start."""
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-demo-")))
        webhook = await stack.enter_async_context(Webhook(clock))
        sim = await stack.enter_async_context(child("sim", ("sim", "--port", "0", "--json"), folder))
        desk = await stack.enter_async_context(Desk(str(sim.said["admin_url"]), ACCOUNT_AT_EXCHANGE))
        keys = await _open_account(desk, staging)
        await staging.before(desk)
        settings = folder / "holdfast.toml"
        alert_urls = f'"{webhook.apprise_url}"' if staging.alerts == "webhook" else ""
        text = _SETTINGS.format(
            base_url=sim.said["base_url"],
            stream_url=sim.said["stream_url"],
            symbol=SYMBOL,
            mode=staging.mode,
            limits="\n".join(staging.limits),
            alert_urls=alert_urls,
        )
        await asyncio.to_thread(settings.write_text, text, encoding="utf-8")
        services = ("run", "--settings", str(settings), "--json")
        run = await stack.enter_async_context(child("run", services, folder, keys))
        bus_url = await asyncio.to_thread(Path(str(run.said["bus_file"])).read_text, encoding="utf-8")
        yield Stage(
            bus_url=bus_url.strip(),
            exchange_url=str(sim.said["base_url"]),
            desk=desk,
            webhook=webhook,
            children=(sim, run),
            folder=folder,
            settings=settings,
            secrets=keys,
        )


async def _open_account(desk: Desk, staging: Staging) -> dict[str, str]:
    """Make the account with its two keys, and let prices stand still; the variables that hand the keys over."""
    names = ("DEMO_READ_KEY", "DEMO_READ_SECRET", "DEMO_TRADE_KEY", "DEMO_TRADE_SECRET")
    keys = {name: secrets.token_hex(32) for name in names}
    await desk.post(
        "accounts",
        name=ACCOUNT_AT_EXCHANGE,
        mode=staging.mode,
        balance=staging.balance,
        keys=[
            {"key": keys["DEMO_READ_KEY"], "secret": keys["DEMO_READ_SECRET"], "permission": "read"},
            {"key": keys["DEMO_TRADE_KEY"], "secret": keys["DEMO_TRADE_SECRET"], "permission": "trade"},
        ],
    )
    await desk.post("price", symbol=SYMBOL, price=PRICE, motion="frozen")
    return keys
