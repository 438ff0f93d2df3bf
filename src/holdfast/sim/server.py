"""Start the exchange: one port, one task that lets time pass, and the addresses to reach it by.

Invariants: `start` returns when the port answers; `close` ends every connection and wait that it opened; everything
listens on loopback unless a host is named.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

from holdfast.sim.core.account import Mode, Permission
from holdfast.sim.core.calls.table import new_venue
from holdfast.sim.core.exchange import new_exchange
from holdfast.sim.core.faults import Faults
from holdfast.sim.core.knobs import Knobs
from holdfast.sim.core.stream_faults import FaultyStream
from holdfast.sim.core.symbols import standard_symbols
from holdfast.sim.face.admin import Admin
from holdfast.sim.face.admin_acts import Desk
from holdfast.sim.face.clock import MachineClock
from holdfast.sim.face.http import Face
from holdfast.sim.face.streams import Hub
from holdfast.sim.face.waits import Waits
from holdfast.sim.face.ws_api import WsApi

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from holdfast.sim.core.venue import Venue

__all__ = ["DEMO_ACCOUNT", "AccountSpec", "RunningSim", "SimConfig", "read_account", "running", "serve", "start"]

TICK_S: Final = 0.1
PRICES_EVERY: Final = 10
CLOSE_S: Final = 2.0
PPM: Final = 1_000_000
PORT_BUSY: Final = 2


@dataclass(frozen=True, slots=True)
class AccountSpec:
    """One key to register; specs with the same name share the account."""

    name: str
    key: str
    secret: str
    permission: Permission = Permission.TRADE


DEMO_ACCOUNT: Final = AccountSpec("demo", "demo-key", "demo-secret")


def read_account(text: str) -> AccountSpec:
    """Read `key:secret[:read|trade[:name]]`; the account is named by its key unless a name is given."""
    match text.split(":"):
        case [key, secret]:
            permission, name = "trade", key
        case [key, secret, permission]:
            name = key
        case [key, secret, permission, name]:
            pass
        case _:
            raise ValueError(f"an account is key:secret[:read|trade[:name]], not {text!r}")
    if not (key and secret and name):
        raise ValueError(f"key, secret and name of an account may not be empty: {text!r}")
    if permission not in {"read", "trade"}:
        raise ValueError(f"a key's permission is read or trade, not {permission!r}")
    return AccountSpec(name, key, secret, Permission(permission))


@dataclass(frozen=True, slots=True)
class SimConfig:
    """How to start."""

    host: str = "127.0.0.1"
    port: int = 0
    """0 takes a free one."""
    accounts: tuple[AccountSpec, ...] = (DEMO_ACCOUNT,)
    balance: Decimal = Decimal(100_000)
    """USDT in each account."""
    symbols: int = 0
    """Invented symbols besides BTCUSDT and ETHUSDT."""
    limits: Decimal = Decimal(1)
    """Factor on the venue's rate limits."""
    seed: int = 1
    volatility: Decimal = Decimal("0.0001")
    """Largest move of a price in one second, as a fraction."""
    latency_ms: int = 0
    """Waited before each request reaches the engine."""
    mode: Mode = Mode.ONE_WAY


@dataclass(slots=True)
class RunningSim:
    """A started exchange."""

    host: str
    port: int
    venue: Venue
    """The core, for tests in the same process."""
    _runner: web.ServerRunner
    _beat: asyncio.Task[None]
    _face: Face

    @property
    def base_url(self) -> str:
        """REST: paths start with /fapi."""
        return f"http://{self.host}:{self.port}"

    @property
    def ws_api_url(self) -> str:
        """The order WebSocket API."""
        return f"ws://{self.host}:{self.port}/ws-fapi/v1"

    @property
    def stream_url(self) -> str:
        """Base of /private, /public and /market."""
        return f"ws://{self.host}:{self.port}"

    @property
    def admin_url(self) -> str:
        """The admin face; GET it for its manual."""
        return f"http://{self.host}:{self.port}/sim"

    def addresses(self) -> dict[str, object]:
        """Return all addresses, by name."""
        return {
            "base_url": self.base_url,
            "ws_api_url": self.ws_api_url,
            "stream_url": self.stream_url,
            "admin_url": self.admin_url,
            "port": self.port,
        }

    async def close(self) -> None:
        """Stop: no connection, task or wait is left."""
        self._face.waits.stopping.set()
        self._beat.cancel()
        await asyncio.gather(self._beat, return_exceptions=True)
        await self._face.hub.close_all()
        await self._face.ws_api.close_all()
        await self._runner.cleanup()


def _build(config: SimConfig) -> tuple[Venue, Face]:
    clock, faults = MachineClock(), Faults()
    built: list[Venue] = []
    hub = Hub(lambda: built[0])
    exchange = new_exchange(
        clock=clock,
        rng=Random(config.seed),  # noqa: S311 - an exchange that can be replayed, not a secret
        sink=FaultyStream(faults, hub),
        symbols=standard_symbols(config.symbols),
        volatility_ppm=int(config.volatility * PPM),
    )
    exchange.knobs = Knobs(latency_ms=config.latency_ms)
    for spec in config.accounts:
        account = exchange.accounts.get(spec.name) or exchange.open_account(spec.name, config.balance, config.mode)
        exchange.add_key(account, spec.key, spec.secret, spec.permission)
    venue = new_venue(exchange, faults, config.limits)
    built.append(venue)
    waits = Waits()
    face = Face(venue, hub, WsApi(venue, waits), Admin(Desk(venue, hub, clock)), waits)
    return venue, face


async def _beat(venue: Venue, hub: Hub) -> None:
    """Let time pass; prices go out once a second."""
    beats = 0
    while True:
        await asyncio.sleep(TICK_S)
        venue.tick()
        beats += 1
        if beats % PRICES_EVERY == 0:
            hub.tell_prices()


async def start(config: SimConfig) -> RunningSim:
    """Start an exchange; OSError if the port is taken."""
    venue, face = _build(config)
    # The low-level server: no router, no access log, nothing between the socket and the core that costs time.
    runner = web.ServerRunner(web.Server(face.handle, access_log=None), shutdown_timeout=CLOSE_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, config.host, config.port)
        await site.start()
    except OSError:
        await runner.cleanup()
        raise
    port = int(runner.addresses[0][1])
    beat = asyncio.create_task(_beat(venue, face.hub), name="sim beat")
    return RunningSim(config.host, port, venue, runner, beat, face)


@contextlib.asynccontextmanager
async def running(config: SimConfig) -> AsyncIterator[RunningSim]:
    """Start an exchange, and stop it at the end of the block."""
    sim = await start(config)
    try:
        yield sim
    finally:
        await sim.close()


async def _until_signal(config: SimConfig, announce: Callable[[RunningSim], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with running(config) as sim:
        announce(sim)
        await stop.wait()


def _announce_json(sim: RunningSim) -> None:
    keys = [
        {"account": k.account, "key": k.key, "secret": k.secret, "permission": k.permission.value}
        for k in sim.venue.exchange.keys.values()
    ]
    _say(msgspec.json.encode({**sim.addresses(), "keys": keys}).decode())


def _announce(sim: RunningSim, config: SimConfig) -> None:
    _say(f"exchange simulator  {sim.base_url}")
    _say(f"  order WebSocket   {sim.ws_api_url}")
    _say(f"  streams           {sim.stream_url}/private/ws/<listenKey>")
    for spec in config.accounts:
        _say(f"  account {spec.name}: key {spec.key}, secret {spec.secret}, may {spec.permission.value}")
    example = f'{{"account":"{config.accounts[0].name}","symbol":"BTCUSDT","side":"BUY","qty":"0.007"}}'
    _say(f"  admin face        curl {sim.admin_url}/        (its manual)")
    _say(f"  trade by hand     curl -d '{example}' {sim.admin_url}/trade")
    _say("  stop with Ctrl-C")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def serve(config: SimConfig, *, json_line: bool) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status: 0, or 2 with one line if the port is taken."""
    try:
        import uvloop as loops  # noqa: PLC0415 - absent on Windows
    except ImportError:  # pragma: no cover
        run: Callable[..., None] = asyncio.run
    else:
        run = loops.run
    try:
        run(_until_signal(config, _announce_json if json_line else lambda sim: _announce(sim, config)))
    except OSError as error:
        sys.stderr.write(f"can't listen on {config.host}:{config.port}: {error.strerror or error}\n")
        return PORT_BUSY
    return 0
