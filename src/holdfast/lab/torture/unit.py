"""One process of the product, life after life: started as in life, killed as by SIGKILL, started again by its machine.

What runs in it is `compose.run_by_doors`, with doors that lead into the world: the same graph of objects, the same
services, the same adapters. Every way out passes `reach`: there a life that was told to end ends, before or after the
effect, and no code of it runs any more.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from holdfast.compose import Doors, run_by_doors
from holdfast.journal import InlineRunner
from holdfast.journal.store import SqlJournal
from holdfast.lab.torture.loop import pass_ms, running_loop
from holdfast.lab.torture.net import OUTSIDE, WorldLine
from holdfast.lab.torture.settings import PACE
from holdfast.lab.torture.silence import QUIET, NoMetrics

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable, Sequence

    from holdfast.compose import ServiceName
    from holdfast.domain.operator import Alert
    from holdfast.journal.backend import Database, Session
    from holdfast.journal.batches import Found, WriteJob
    from holdfast.lab.torture.machine import Machine
    from holdfast.lab.torture.process import Process
    from holdfast.ports.clock import Clock
    from holdfast.ports.telemetry import Log
    from holdfast.settings import Settings
    from holdfast.telemetry.redact import Redactor

COMMIT_MS = (0.1, 1.5)
"""How long a commit takes: waiting for the lock and the disk. Nothing is committed before it has passed."""


class MortalRunner:
    """`journal.runners.Runner`: the inline one, where the process may die before and after each commit."""

    def __init__(self, unit: Unit, database: Database) -> None:
        self._unit = unit
        self._inner = InlineRunner(database)

    async def write(self, job: WriteJob) -> Any:
        """Run a job in a transaction."""
        unit = self._unit
        await unit.reach("before a commit")
        low, high = COMMIT_MS
        await pass_ms(low + (high - low) * unit.machine.dice(f"{unit.name} commits").random())
        machine, armed = unit.machine, unit.machine.deadly
        before = machine.newest(armed) if armed else 0
        value = await self._inner.write(job)
        machine.committed()
        if armed and machine.deadly == armed and machine.newest(armed) > before:
            machine.deadly = ""
            machine.hit(f"crash right after {armed}")
            unit.fuse = 1
        await unit.reach("after a commit")
        return value

    async def write_first(self, job: WriteJob) -> Any:
        """The same: nothing waits here."""
        return await self.write(job)

    async def read(self, look: Callable[[Session], Found]) -> Found:
        """Now."""
        return await self._inner.read(look)

    async def read_long(self, look: Callable[[Session], Found]) -> Found:
        """Now."""
        return await self._inner.read(look)

    async def close(self) -> None:
        """End the connections."""
        await self._inner.close()


class WorldAlerts:
    """`ports.alerts.Alerts`: the pager of the person on duty."""

    has_channel = True

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    async def deliver(self, alert: Alert) -> bool:
        """Tell the person, unless the channel is down."""
        await self._unit.reach("alert")
        return self._unit.machine.page(alert)


class _Telemetry:
    """`compose.doors.Telemetry`: counted, told to nobody."""

    def __init__(self, unit: Unit) -> None:
        self.metrics = NoMetrics(unit.machine.without_next_step)

    @contextlib.asynccontextmanager
    async def serve(self, health: object, port: int) -> AsyncIterator[str]:
        """Nobody scrapes."""
        del health, port
        yield ""


@dataclass(slots=True, eq=False)
class Unit:
    """See the module."""

    name: str
    services: tuple[ServiceName, ...]
    machine: Machine
    lives: int = 0
    fuse: int = 0
    """Ways out that are still passed before this life ends; 0: it was not told to."""
    next_fuse: int = 0
    """The fuse that its next life starts with: a crash in the recovery."""
    is_recovering: bool = False
    """This life's fuse was set before it began."""
    life: Process | None = None
    ends: list[str] = field(default_factory=list)
    """How its lives ended by themselves."""
    is_told_to_stop: bool = False
    """This life was asked to end."""
    _task: asyncio.Task[None] | None = None

    @property
    def owner(self) -> str:
        """The name that the leases and consumers of this life carry."""
        return f"{self.name}-{self.lives}"

    @property
    def machine_address(self) -> str:
        """Where its requests come from."""
        return "10.0.0.1"

    def start(self) -> None:
        """Begin a life, unless one is under way."""
        if self.life is not None or self.machine.is_off:
            return
        self.lives += 1
        self.fuse, self.next_fuse = self.next_fuse, 0
        self.is_recovering = self.fuse > 0
        self.machine.chronicle.say(self.name, f"starts, life {self.lives}")
        life = self.life = running_loop().new_process(f"{self.name}-{self.lives}")
        work = run_by_doors(self.machine.settings, self.services, lambda _started: None, self._doors())
        self._task = life.start(work, name=life.name)
        self._task.add_done_callback(self._ended, context=OUTSIDE)

    async def reach(self, point: str) -> None:
        """Pass a way out, or die there."""
        if self.fuse <= 0:
            return
        self.fuse -= 1
        if self.fuse > 0:
            return
        life = self.life
        self.machine.hit("crash in the recovery" if self.is_recovering else "crash at an await")
        self._over(f"killed: {point}")
        if life is not None:
            await life.perish()

    def kill(self, why: str) -> None:
        """End the life from outside."""
        life = self.life
        if life is not None:
            self._over(why)
            life.kill()

    def stop(self) -> None:
        """Ask the process to end, as SIGTERM does."""
        if self._task is not None and self.life is not None:
            self.machine.chronicle.say(self.name, "is told to stop")
            self.is_told_to_stop = True
            running_loop().call_soon(self._task.cancel, context=OUTSIDE)

    def _over(self, why: str) -> None:
        self.machine.chronicle.say(self.name, why)
        self.life = self._task = None
        self.is_told_to_stop = False
        self.machine.net.forget(self)
        self.machine.start_later(self)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task is not self._task:
            return
        error = None if task.cancelled() else task.exception()
        why = "stopped" if error is None else f"ended: {type(error).__name__}: {error}"
        self.ends.append(why)
        life = self.life
        self._over(why)
        if life is not None:
            life.kill()

    def _doors(self) -> Doors:
        machine = self.machine

        async def journal(url: str, clock: Clock) -> SqlJournal:
            del url
            await self.reach("open the journal")
            return SqlJournal(MortalRunner(self, machine.disk.database(clock)))

        async def alerts(urls: Sequence[str], log: Log) -> WorldAlerts:
            del urls, log
            return WorldAlerts(self)

        def log(settings: Settings, redactor: Redactor) -> Log:
            del settings
            return machine.log_of(self, redactor) if machine.log_of is not None else QUIET

        return Doors(
            clock=machine.clock,
            owner=self.owner,
            log=log,
            bus=lambda _url, owner, prefix: machine.open_bus(self, owner, prefix),
            line=lambda config: WorldLine(machine.net, self, config),
            journal=journal,
            alerts=alerts,
            telemetry=lambda _clock: _Telemetry(self),
            pace=PACE,
        )
