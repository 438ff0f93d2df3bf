"""What the scale bench runs: one exchange, and one process of ours with many accounts, as a user would start it.

The exchange keeps the venue's own rate limits: what one address may ask is part of what is measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

from holdfast.domain.errors import CannotStart
from holdfast.lab.children import child
from holdfast.lab.desk import Desk
from holdfast.lab.machine import children_of, cpu_us_of, rss_mb_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from holdfast.lab.children import Child

BALANCE = "100000000"
PROVED_S_MAX = 180.0
"""Until every account's stream and view are proven; a venue's minute may have to end first."""
HEALTH_POLL_S = 0.1
STATUS_OK = 200
VIEW_AGE_MS_MAX = 10_000
"""With many accounts on one address views come more rarely: see `docs/running.md`."""
_HEAD = """\
[venue]
rest_url = "{rest_url}"
stream_url = "{stream_url}"

[bus]
data_dir = "{data_dir}"

[log]
level = "warning"
"""
_ACCOUNT = """
[accounts.{account}]
symbols = [{symbols}]
bus_prefix = "{account}"
read_key_env = "{variable}_KEY"
read_secret_env = "{variable}_SECRET"
view_age_ms_max = {view_age_ms_max}
"""


@dataclass(frozen=True, slots=True)
class Fleet:
    """The accounts of one process and the symbols that each may trade."""

    symbols: Mapping[str, tuple[str, ...]]

    @property
    def legs(self) -> int:
        """All symbols of all accounts."""
        return sum(map(len, self.symbols.values()))


def fleet_of(accounts: int, first: int, others: int) -> Fleet:
    """So many accounts: `first` symbols on one, `others` on each of the rest."""
    names = [f"SYM{number:03d}USDT" for number in range(1, max(first, others) + 1)]
    return Fleet({f"a{number:02d}": tuple(names[: others if number else first]) for number in range(accounts)})


@dataclass(frozen=True, slots=True)
class Used:
    """What our process and its Valkey had used up at one moment."""

    at_ns: int
    cpu_us: int
    bus_cpu_us: int
    rss_mb: float
    requests: int
    weight: int


@dataclass(frozen=True, slots=True)
class Running:
    """One process of ours, ready to trade on every account."""

    fleet: Fleet
    child: Child
    sim: Child
    desk: Desk
    """Of the simulator; accounts are named in each request."""
    bus_url: str
    journal: Path
    start_s: float
    """From starting the process until every account was proven."""

    async def used(self) -> Used:
        """CPU time, memory, requests and weight up to now."""
        said = await self.desk.get("requests", limit="1")
        pid, servers = self.child.pid, children_of(self.child.pid)
        return Used(
            at_ns=time.monotonic_ns(),
            cpu_us=cpu_us_of(pid),
            bus_cpu_us=sum(map(cpu_us_of, servers)),
            rss_mb=rss_mb_of(pid) + sum(map(rss_mb_of, servers)),
            requests=int(said["total"]),
            weight=sum(said["weights"].values()),
        )

    def leases_lost(self) -> int:
        """How many leases had to be taken more than once, by the journal."""
        with closing(sqlite3.connect(f"file:{self.journal}?mode=ro", uri=True)) as base:
            (count,) = base.execute("SELECT count(*) FROM lease WHERE number > 1").fetchone()
        return int(count)


@contextlib.asynccontextmanager
async def exchange(folder: Path, symbols: int, *options: str) -> AsyncIterator[Child]:
    """The simulator as a process of its own, prices frozen. Raises CannotStart."""
    arguments = ("sim", "--json", "--port", "0", "--symbols", str(symbols), "--volatility", "0", *options)
    async with child("sim", arguments, folder) as sim:
        yield sim


@contextlib.asynccontextmanager
async def running(folder: Path, name: str, fleet: Fleet, sim: Child, **limits: int) -> AsyncIterator[Running]:
    """Open the accounts at the exchange and run one process on all of them. Raises CannotStart."""
    place = folder / name
    place.mkdir()
    async with contextlib.AsyncExitStack() as stack:
        desk = await stack.enter_async_context(Desk(str(sim.said["admin_url"])))
        variables: dict[str, str] = {}
        for account in fleet.symbols:
            key, secret = secrets.token_hex(16), secrets.token_hex(16)
            await desk.post("accounts", name=account_at(name, account), balance=BALANCE, keys=[_key(key, secret)])
            variables |= {f"{_variable(account)}_KEY": key, f"{_variable(account)}_SECRET": secret}
        settings = place / "holdfast.toml"
        settings.write_text(_settings(place, fleet, sim, limits), encoding="utf-8")
        started = time.monotonic()
        arguments = ("run", "--json", "--settings", str(settings))
        run = await stack.enter_async_context(child(name, arguments, folder, secrets=variables))
        await _until_proved(run)
        yield Running(
            fleet=fleet,
            child=run,
            sim=sim,
            desk=desk,
            bus_url=_bus_url(run),
            journal=place / "data" / "journal.sqlite",
            start_s=round(time.monotonic() - started, 2),
        )


def _bus_url(run: Child) -> str:
    return Path(str(run.said["bus_file"])).read_text(encoding="utf-8").strip()


def account_at(run: str, account: str) -> str:
    """The account's name at the exchange: each process trades accounts of its own."""
    return f"{run}-{account}"


def _key(key: str, secret: str) -> dict[str, str]:
    return {"key": key, "secret": secret}


def _variable(account: str) -> str:
    return f"HOLDFAST_SCALE_{account.upper()}"


def _settings(place: Path, fleet: Fleet, sim: Child, limits: Mapping[str, int]) -> str:
    text = _HEAD.format(rest_url=sim.said["base_url"], stream_url=sim.said["stream_url"], data_dir=place / "data")
    more = "".join(f"{name} = {value}\n" for name, value in limits.items())
    for account, symbols in fleet.symbols.items():
        text += _ACCOUNT.format(
            account=account,
            symbols=", ".join(f'"{symbol}"' for symbol in symbols),
            variable=_variable(account),
            view_age_ms_max=VIEW_AGE_MS_MAX,
        )
        text += more
    return text


async def _until_proved(run: Child) -> None:
    """Wait until the process says of every account that its stream and its view are proven."""
    address = f"{run.said['metrics_url']}/health"
    try:
        async with asyncio.timeout(PROVED_S_MAX), aiohttp.ClientSession() as http:
            while True:
                async with http.get(address) as answer:
                    if answer.status == STATUS_OK:
                        return
                await asyncio.sleep(HEALTH_POLL_S)
    except TimeoutError:
        raise CannotStart(f"not every account was proven in {PROVED_S_MAX:g} s: {run.log_tail()}") from None
    except aiohttp.ClientError as error:
        raise CannotStart(f"{run.name} ended while it started ({error}): {run.log_tail()}") from None
