"""Everything that the bench runs: one exchange, our services, and the two floors, each side with a Valkey of its own.

    sim             the simulator, rate limits raised, prices frozen
    run             `holdfast run` on the account `bench`, with its embedded Valkey: what is measured
    floor plans     bare code on the account `floor_plans`   } a second Valkey, same build and configuration,
    floor drifts    bare code on the account `floor_drifts`  } started by us for the floor

All children of ours, in one folder that is removed at the end. While one side is measured the other one idles.
"""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from holdfast.bus.connection import BusConnection, checked
from holdfast.bus.embedded import EmbeddedServer
from holdfast.domain.errors import CannotStart
from holdfast.lab.children import Child, child
from holdfast.lab.desk import Desk
from holdfast.lab.floor_parts import FloorConfig
from holdfast.lab.machine import children_of, cpu_us_of, rss_mb_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LIMITS_FACTOR = 100_000
BALANCE = "100000000"
LATENCY_SYMBOL = "BTCUSDT"
FLOOR = "holdfast.lab.floor"
SETTINGS = """\
[venue]
rest_url = "{rest_url}"
stream_url = "{stream_url}"

[bus]
data_dir = "{data_dir}"

[accounts.bench]
symbols = [{symbols}]
read_key_env = "HOLDFAST_BENCH_KEY"
read_secret_env = "HOLDFAST_BENCH_SECRET"
"""
NOT_OURS = frozenset({"xread"})
"""Commands that the load generator alone sends."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a side had used up at one moment."""

    cpu_us: int
    bus_commands: int
    """Of its Valkey, without XREAD (the load generator's alone); its XADDs are taken off by who counts them."""


@dataclass(frozen=True, slots=True)
class Side:
    """Ours or the floor: where plans go in, on which accounts, and whose processes count."""

    name: str
    bus_url: str
    plan_desk: Desk
    drift_desk: Desk
    pids: tuple[int, ...]
    """The program that carries plans out, and its Valkey."""
    stats: BusConnection
    """Connected already: what connecting sends is not in the statistics of a load."""

    async def spent(self) -> Spent:
        """CPU time and bus commands up to now."""
        (text,) = await self.stats.call(("INFO", "commandstats"))
        calls = 0
        for line in cast("bytes", checked(text)).decode().splitlines():
            name, _, rest = line.removeprefix("cmdstat_").partition(":")
            if rest and name.partition("|")[0] not in NOT_OURS:
                calls += int(rest.removeprefix("calls=").partition(",")[0])
        return Spent(sum(map(cpu_us_of, self.pids)), calls)

    def rss_mb(self) -> float:
        """Resident memory of its processes now."""
        return sum(map(rss_mb_of, self.pids))


STATS_COMMANDS = 1
"""Commands that one `spent` leaves in the statistics that the next one reads: its INFO."""


@dataclass(frozen=True, slots=True)
class Rig:
    """Both sides, ready."""

    ours: Side
    floor: Side
    symbols: tuple[str, ...]
    children: tuple[Child, ...]


@contextlib.asynccontextmanager
async def rig(folder: Path, symbols: int) -> AsyncIterator[Rig]:
    """Start everything in `folder`; it ends with the block. Raises CannotStart."""
    names = tuple(f"SYM{number:03d}USDT" for number in range(1, symbols + 1))
    async with contextlib.AsyncExitStack() as stack:
        options = ("--port", "0", "--symbols", str(symbols), "--limits", str(LIMITS_FACTOR), "--volatility", "0")
        sim = await stack.enter_async_context(child("sim", ("sim", "--json", *options), folder))
        keys = {account: await _open_account(sim, account) for account in ("bench", "floor_plans", "floor_drifts")}
        desks = {
            account: await stack.enter_async_context(Desk(str(sim.said["admin_url"]), account)) for account in keys
        }
        run = await stack.enter_async_context(_run(folder, sim, names, keys["bench"]))
        server = await stack.enter_async_context(EmbeddedServer(folder / "floor-bus"))
        floors = []
        for kind in ("plans", "drifts"):
            arguments = (kind, str(_floor_file(folder, kind, sim, server.url, keys[f"floor_{kind}"])))
            floors.append(await stack.enter_async_context(child(f"floor-{kind}", arguments, folder, module=FLOOR)))
        pids = (run.pid, *children_of(run.pid))
        ours = await _side(stack, "ours", _bus_url(run), (desks["bench"], desks["bench"]), pids)
        pids = (floors[0].pid, _server_pid(server))
        floor = await _side(stack, "floor", server.url, (desks["floor_plans"], desks["floor_drifts"]), pids)
        yield Rig(ours, floor, names, (sim, run, *floors))


async def _side(
    stack: contextlib.AsyncExitStack, name: str, bus_url: str, desks: tuple[Desk, Desk], pids: tuple[int, ...]
) -> Side:
    stats = BusConnection(bus_url, f"bench-{name}-stats")
    stack.push_async_callback(stats.close)
    await stats.connect()
    return Side(name, bus_url, desks[0], desks[1], pids, stats)


async def _open_account(sim: Child, account: str) -> tuple[str, str]:
    key, secret = secrets.token_hex(16), secrets.token_hex(16)
    async with Desk(str(sim.said["admin_url"]), account) as desk:
        await desk.post("accounts", name=account, balance=BALANCE, keys=[{"key": key, "secret": secret}])
    return key, secret


@contextlib.asynccontextmanager
async def _run(folder: Path, sim: Child, symbols: tuple[str, ...], keys: tuple[str, str]) -> AsyncIterator[Child]:
    settings = folder / "holdfast.toml"
    text = SETTINGS.format(
        rest_url=sim.said["base_url"],
        stream_url=sim.said["stream_url"],
        data_dir=folder / "data",
        symbols=", ".join(f'"{name}"' for name in (LATENCY_SYMBOL, *symbols)),
    )
    settings.write_text(text, encoding="utf-8")
    arguments = ("run", "--json", "--settings", str(settings))
    variables = {"HOLDFAST_BENCH_KEY": keys[0], "HOLDFAST_BENCH_SECRET": keys[1]}
    async with child("run", arguments, folder, secrets=variables) as run:
        yield run


def _floor_file(folder: Path, kind: str, sim: Child, bus_url: str, keys: tuple[str, str]) -> Path:
    config = FloorConfig(
        bus_url=bus_url,
        rest_url=str(sim.said["base_url"]),
        stream_url=str(sim.said["stream_url"]),
        key=keys[0],
        secret=keys[1],
        database=str(folder / f"floor-{kind}.sqlite"),
        symbol=LATENCY_SYMBOL,
    )
    path = folder / f"floor-{kind}.json"
    path.touch(mode=0o600)
    path.write_bytes(msgspec.json.encode(config))
    return path


def _bus_url(run: Child) -> str:
    return Path(str(run.said["bus_file"])).read_text(encoding="utf-8").strip()


def _server_pid(server: EmbeddedServer) -> int:
    if server.pid is None:
        raise CannotStart("the floor's Valkey does not run")
    return server.pid
