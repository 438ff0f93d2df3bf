"""One account at the simulator, one data folder, and the victims that run on it, one after the other.

The simulator is a process of its own and is never killed. The bus is the victim's own embedded server, which dies
with it, or another one that stays. A keeper starts a new victim whenever one died.

Invariants: a victim that ends by anything but the drill's own SIGKILL is a finding; a lease that a dead victim left is
freed at once as if its time had passed (its holder is dead for certain), unless the drill lets the time pass.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import sqlite3
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from holdfast.bus.connection import BusConnection, Command, checked
from holdfast.bus.embedded import EmbeddedServer
from holdfast.domain.errors import BusUnavailable, CannotStart, JournalLost, Unclassified
from holdfast.lab.children import Child, child
from holdfast.lab.desk import Desk
from holdfast.lab.drills.effects import Shot, Trace, aim
from holdfast.lab.drills.nursery import nursery
from holdfast.lab.drills.victim import Errand
from holdfast.lab.drills.victim_settings import ACCOUNT, LIMITS, password_and_address, settings_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from holdfast.lab.drills.effects import Reached
    from holdfast.lab.drills.nursery import Nursery, Victim

INVENTED_SYMBOLS = 8
BROKEN_MAX = 3
"""Stages that a job may lose (a victim that does not start, a simulator that is gone) before it gives up."""
ASKED_POLL_S = 0.05
ACQUIRES = 4
"""Both sides of the first attempt of two services."""
STARTS_MAX = 2_000
"""Victims of one stage: more is a loop of its own making."""
FREED = "UPDATE lease SET expires_ms = 0 WHERE account = ? AND owner NOT LIKE '%-' || ?"
ACQUIRE = "journal.acquire"


class BusKind(Enum):
    """Whose the bus is."""

    EMBEDDED = "embedded"
    """The victim's own: it dies with it, and comes back from its append-only file."""
    EXTERNAL = "external"
    """One that nobody kills."""


class LeaseWait(Enum):
    """What becomes of a dead victim's lease."""

    FREED = "freed"
    """It has run out before the next victim starts."""
    STOOD_BY = "stood_by"
    """It runs out as soon as the next victim has asked for it in vain."""
    RUNS_OUT = "runs_out"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A running simulator."""

    child: Child
    base_url: str
    admin_url: str
    symbols: tuple[str, ...]
    nursery: Nursery
    """Where its victims come from."""


@contextlib.asynccontextmanager
async def exchange(folder: Path, seed: int, symbols: int = INVENTED_SYMBOLS) -> AsyncIterator[Exchange]:
    """Run a simulator until the end of the block."""
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - once, before anything runs
    options = ("--symbols", str(symbols), "--limits", "1000", "--seed", str(seed))
    simulator = child("sim", ("sim", "--json", "--port", "0", *options), folder)
    async with simulator as process, nursery(folder) as victims:
        listed = ("BTCUSDT", "ETHUSDT", *(f"SYM{n:03d}USDT" for n in range(1, symbols + 1)))
        yield Exchange(process, process.said["base_url"], process.said["admin_url"], listed, victims)


@dataclass(slots=True)
class Stage:
    """See the module."""

    folder: Path
    """Settings, journal and bus."""
    place: Path
    """Logs, trace and shots of the victims of this chain."""
    desk: Desk
    name: str
    """The account's name at the simulator."""
    symbols: tuple[str, ...]
    secrets: dict[str, str]
    nursery: Nursery
    server: EmbeddedServer | None
    """The bus that stays; None with the victim's own."""
    services: tuple[str, ...] = ()
    """What each victim runs; both when empty."""
    lease_wait: LeaseWait = LeaseWait.FREED
    before: Callable[[], None] | None = None
    """Called before each victim starts."""
    after: Callable[[], None] | None = None
    """Called when a victim was killed, before anything else touches what it left."""
    kills: int = 0
    pauses: int = 0
    """Victims that were stopped past their lease: each has to end as Fenced when it wakes up."""
    starts: int = 0
    findings: list[str] = field(default_factory=list)
    """Ends that nobody asked for."""
    shots: list[Shot] = field(default_factory=list)
    """For the victims to come, the next one first."""
    aims: Callable[[], tuple[Shot, ...]] | None = None
    """Asked before each victim starts where that one shall die; None: `shots` says it."""
    _victim: Victim | None = None
    _keeper: asyncio.Task[None] | None = None
    _stopping: bool = False
    _connection: tuple[str, BusConnection] | None = None
    _up: asyncio.Event = field(default_factory=asyncio.Event)
    _trace: Trace | None = None

    def beside(self, name: str, *services: str) -> Stage:
        """Another chain of victims on the same folder."""
        place = self.folder / name
        place.mkdir()
        return replace(
            self,
            place=place,
            services=services,
            findings=[],
            shots=[],
            _up=asyncio.Event(),
            _connection=None,
            _keeper=None,
            _trace=None,
        )

    # --- victims ----------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def kept_alive(self) -> AsyncIterator[None]:
        """Keep a victim running until the end of the block; the last one is ended in order."""
        keeper = self._keeper = asyncio.create_task(self._keep(), name="keeper")
        try:
            yield
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
            if not keeper.cancelled() and (error := keeper.exception()) is not None:
                raise error

    async def _keep(self) -> None:
        while True:
            self.starts += 1
            if self.starts > STARTS_MAX:
                raise Unclassified(f"{STARTS_MAX} victims on one stage")
            aim(self.place, *self._next_shots())
            if self.before is not None:
                self.before()
            kills = self.kills
            await self._live()
            if self.after is not None and self.kills > kills:
                self.after()
            if self.lease_wait is LeaseWait.FREED:
                self.free_leases()

    def _next_shots(self) -> tuple[Shot, ...]:
        if self.aims is not None:
            return self.aims()
        return (self.shots.pop(0),) if self.shots else ()

    async def _live(self) -> None:
        """One victim, from its start to its end."""
        number = self.nursery.next_number()
        log = self.place / f"victim-{number}.log"
        errand = Errand(number, str(self.settings_path), str(self.place), str(log), self.services, self.secrets)
        deaths = self.deaths()
        self._stopping = False
        freeing = asyncio.create_task(self._free_when_asked(), name="frees the lease")
        try:
            async with self.nursery.victim(errand) as victim:
                self._victim = victim
                self._up.set()
                try:
                    await victim.wait()
                finally:
                    self._up.clear()
                    self._victim = None
        except CannotStart as error:
            if self.deaths() == deaths:
                self.findings.append(f"a victim did not start: {error}")
                raise Unclassified(f"a victim did not start: {error}") from error
            self.kills += 1
            return
        finally:
            freeing.cancel()
        if victim.returncode == -signal.SIGKILL:
            self.kills += 1
            return
        if self.pauses and "Fenced" in victim.log_tail():
            self.pauses -= 1
            return
        was_stopping, self._stopping = self._stopping, False
        if was_stopping and victim.returncode == 0:
            return
        self.findings.append(f"a victim ended by itself ({victim.returncode}): {victim.log_tail()}")

    async def _free_when_asked(self) -> None:
        """Let the dead one's lease run out once the victim that starts now stands by for it."""
        before = sum(each.name.startswith(ACQUIRE) for each in self.trace())
        while self.lease_wait is LeaseWait.STOOD_BY:
            await asyncio.sleep(ASKED_POLL_S)
            if sum(each.name.startswith(ACQUIRE) for each in self.trace()) >= before + ACQUIRES:
                self.free_leases()
                return

    def shoot(self, *shots: Shot) -> None:
        """Aim at the victim that runs now: it dies at the first of these that comes up."""
        aim(self.place, *shots)
        if self._victim is not None:
            self._victim.signal(signal.SIGUSR1)

    def hold_fire(self) -> None:
        """Let the victim that runs now live."""
        self.shoot()

    @property
    def pid(self) -> int | None:
        """The process id of the victim that runs now."""
        return self._victim.pid if self._victim is not None else None

    def kill(self) -> None:
        """Kill the victim that runs now, wherever it is."""
        if self._victim is not None:
            self._victim.signal(signal.SIGKILL)

    async def pause(self, seconds: float) -> None:
        """Stop the victim that runs now (SIGSTOP) and let it go on later: its lease is another's by then."""
        victim = self._victim
        if victim is None or victim.returncode is not None:
            return
        self.pauses += 1
        os.kill(victim.pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            os.kill(victim.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End the victim that runs now in order; the next one starts at once."""
        if self._victim is not None:
            self._stopping = True
            self._victim.signal(signal.SIGTERM)

    async def up(self) -> None:
        """Wait until a victim runs. Raises what ended the keeper, if none will ever run again."""
        running = asyncio.ensure_future(self._up.wait())
        try:
            await asyncio.wait({running, *self._keepers()}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            running.cancel()
        for keeper in self._keepers():
            if keeper.done():
                keeper.result()

    def _keepers(self) -> tuple[asyncio.Task[None], ...]:
        return (self._keeper,) if self._keeper is not None else ()

    def deaths(self) -> int:
        """How many victims died of the effect they were aimed at."""
        return len(self.last_deaths())

    def last_deaths(self) -> list[Reached]:
        """The effects that victims died of, in order."""
        self.trace()
        return self._read.deaths

    def trace(self) -> list[Reached]:
        """What all victims of this stage reached."""
        return self._read.read()

    @property
    def _read(self) -> Trace:
        if self._trace is None:
            self._trace = Trace(self.place)
        return self._trace

    # --- journal and bus, from outside ------------------------------------------------------------------

    @property
    def settings_path(self) -> Path:
        """The victims' settings."""
        return self.folder / "holdfast.toml"

    @property
    def journal_path(self) -> Path:
        """The journal's file."""
        return self.folder / "data" / "journal.sqlite"

    def free_leases(self) -> None:
        """Let the leases of dead victims have run out; the one that lives keeps its own."""
        living = self._victim.pid if self._victim is not None else 0
        if self.journal_path.exists():
            with contextlib.closing(sqlite3.connect(self.journal_path, timeout=5)) as journal, journal:
                if journal.execute("SELECT 1 FROM sqlite_master WHERE name = 'lease'").fetchone():
                    journal.execute(FREED, (ACCOUNT, str(living)))

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Rows of the journal's file, read by a connection that writes nothing; [] before there is a journal."""
        if not self.journal_path.exists():
            return []
        with contextlib.closing(sqlite3.connect(f"file:{self.journal_path}?mode=ro", uri=True, timeout=5)) as journal:
            journal.row_factory = sqlite3.Row
            try:
                return [dict(row) for row in journal.execute(query, values)]
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):
                    return []
                raise
            except sqlite3.DatabaseError as error:
                raise JournalLost(f"the journal cannot be read: {error}") from error

    async def bus(self, *command: bytes | str | int, wait_ms: int = 0) -> Any:
        """One command on the bus. Raises BusUnavailable; whether it was executed is unknown then."""
        connection = await self._connected()
        call: Command = command
        (reply,) = await connection.call(call, wait_ms=wait_ms)
        return checked(reply)

    async def _connected(self) -> BusConnection:
        url = self._bus_url()
        if self._connection is not None and self._connection[0] != url:
            await self.close()  # to a server that is gone: forgotten, it would be found unclosed at some later moment
        if self._connection is None:
            self._connection = (url, BusConnection(url, "drill"))
        return self._connection[1]

    def _bus_url(self) -> str:
        if self.server is not None:
            return self.server.url
        try:
            return (self.folder / "data" / "bus.url").read_text().strip()
        except OSError:
            raise BusUnavailable("there is no bus now") from None

    async def close(self) -> None:
        """End the driver's own connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(BusUnavailable):
                await connection[1].close()


@contextlib.asynccontextmanager
async def stage(venue: Exchange, folder: Path, kind: BusKind, limits: str = LIMITS) -> AsyncIterator[Stage]:
    """Open a new account at the simulator and a new data folder for it."""
    folder.mkdir(parents=True)  # noqa: ASYNC240 - once, before anything runs
    name = f"acct{secrets.token_hex(4)}"
    keys = {"DRILL_KEY": f"key-{name}", "DRILL_SECRET": f"secret-{name}"}
    async with contextlib.AsyncExitStack() as stack:
        desk = await stack.enter_async_context(Desk(venue.admin_url, name))
        owned = {"key": keys["DRILL_KEY"], "secret": keys["DRILL_SECRET"]}
        await desk.post("accounts", name=name, keys=[owned])
        server = None
        bus = 'data_dir = "data"'
        if kind is BusKind.EXTERNAL:
            server = await stack.enter_async_context(EmbeddedServer(folder / "bus"))
            keys["DRILL_BUS"], address = password_and_address(server.url)
            bus += f'\nurl = "{address}"\npassword_env = "DRILL_BUS"'
        made = Stage(folder, folder, desk, name, venue.symbols, keys, venue.nursery, server)
        made.settings_path.write_text(settings_text(venue.base_url, venue.symbols, bus, limits))
        stack.push_async_callback(made.close)
        yield made
