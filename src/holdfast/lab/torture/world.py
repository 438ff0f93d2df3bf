"""One history: the world of a schedule from its first moment until the product is at rest, and the oracle's word on it.

    0 ... BEGIN_MS             the product starts
    ... BEGIN_MS + active_ms   deeds and faults
    then                       no more faults; the product has `REST_MS_MAX` to come to rest

A history ends early when the oracle finds a violation, or when everything is at rest.
"""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from holdfast.compose import BOTH, ServiceName
from holdfast.domain.entry import EntryKind
from holdfast.domain.names import AccountId
from holdfast.journal import InlineRunner
from holdfast.journal.store import SqlJournal
from holdfast.lab.torture.acts import BEGIN_MS
from holdfast.lab.torture.bus import MemoryValkey
from holdfast.lab.torture.chronicle import Chronicle
from holdfast.lab.torture.clock import VirtualClock
from holdfast.lab.torture.desk import Desk, at_once
from holdfast.lab.torture.dice import keyed, shared
from holdfast.lab.torture.disk import Disk
from holdfast.lab.torture.exchange import open_exchange
from holdfast.lab.torture.fence import fenced
from holdfast.lab.torture.intruder import Intruder
from holdfast.lab.torture.logs import Logs
from holdfast.lab.torture.loop import Deadlock, Livelock, VirtualLoop, pass_ms, play, running_loop
from holdfast.lab.torture.machine import Machine
from holdfast.lab.torture.net import Net
from holdfast.lab.torture.oracle import Oracle
from holdfast.lab.torture.prompter import Prompter
from holdfast.lab.torture.settings import ACCOUNT, world_settings
from holdfast.lab.torture.trouble import Trouble
from holdfast.lab.torture.unit import Unit

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.domain.operator import Alert
    from holdfast.lab.torture.acts import Act, Shape
    from holdfast.lab.torture.dice import Dice
    from holdfast.lab.torture.schedule import Schedule
    from holdfast.lab.torture.settings import WorldSettings
    from holdfast.ports.telemetry import Log
    from holdfast.sim.core.requests import Request
    from holdfast.telemetry.redact import Redactor

START_MS: Final = 1_790_000_000_000
TICK_MS: Final = 1_000
REST_MS_MAX: Final = 150_000
"""How long the product may take to come to rest once nothing goes wrong any more: its slowest look is every 120 s."""
REST_LOOK_MS: Final = 250
SERVICES: Final = {"both": BOTH, "reconcile": (ServiceName.RECONCILE,), "apply": (ServiceName.APPLY,)}


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of one history."""

    seed: int
    violations: tuple[str, ...]
    hits: Counter[str]
    digest: str
    lines: tuple[str, ...]
    plans: int
    virtual_ms: float
    errors: tuple[BaseException, ...] = ()
    left: tuple[Act, ...] = ()
    """Acts that never got their cue."""


@dataclass(slots=True)
class World:
    """The parts of one history, joined."""

    schedule: Schedule
    log_of: Callable[[Unit, Redactor], Log] | None = None
    chronicle: Chronicle = field(init=False)
    machine: Machine = field(init=False)
    desk: Desk = field(init=False)
    trouble: Trouble = field(init=False)
    oracle: Oracle = field(init=False)
    prompter: Prompter = field(init=False)
    errors: list[BaseException] = field(default_factory=list)
    """What was raised unheard."""
    is_over: bool = False
    _loop: VirtualLoop = field(init=False)

    def __post_init__(self) -> None:
        """Build it; needs the virtual loop to run."""
        schedule, shape = self.schedule, self.schedule.shape
        self._loop = running_loop()
        self.chronicle = Chronicle(lambda: self._loop.time() * 1_000)
        hits: Counter[str] = Counter()
        net = Net(_dice(schedule, "net"), self.chronicle, lambda name: hits.update((name,)))
        clock, venue_clock = VirtualClock(START_MS), VirtualClock(START_MS)
        disk, logs = Disk(), Logs()
        exchange = open_exchange(schedule.seed, shape, venue_clock, net)
        self.machine = Machine(
            dice=_dice(schedule, "machine"),
            chronicle=self.chronicle,
            net=net,
            settings=_settings(shape),
            clock=clock,
            disk=disk,
            valkey=MemoryValkey(clock.now_ms),
            log_of=self.log_of or (logs.of if shape.is_logged else None),
            hits=hits,
        )
        journal = SqlJournal(InlineRunner(disk.database(clock)))
        self.desk = Desk(self.machine, exchange, journal)
        self.trouble = Trouble(self.machine, exchange, venue_clock)
        self.oracle = Oracle(self.machine, exchange, journal, self.desk, shape, START_MS)
        net.looked = self.oracle.exchange_changed
        self.oracle.lines = logs.lines
        self.trouble.clock_was_set = self.oracle.watch.clock_was_set
        self.desk.forge = Intruder(self.machine, self.oracle.watch).forge
        self.machine.newest = lambda kind: _newest(journal, EntryKind(kind))
        net.arrives = self._arrives
        self.machine.committed = self._committed
        self.machine.bus_written = self.oracle.bus_changed
        if shape.duty_ms:
            self.machine.paged = self._answer
        self.prompter = Prompter(net.later)
        self._loop.set_exception_handler(self._unheard)
        self.machine.units.extend(
            Unit(f"{services}-{number}", SERVICES[services], self.machine)
            for number, services in enumerate(shape.units, start=1)
        )

    async def run(self) -> Ended:
        """Play the history to its end."""
        for unit in self.machine.units:
            self.machine.net.later(self.machine.dice(f"{unit.name} starts").random() * 200, unit.start)
        for act in self.schedule.deeds:
            self.prompter.prompt(act, self.desk.act)
        for act in self.schedule.faults:
            self.prompter.prompt(act, self.trouble.strike)
        self.chronicle.heard = self.prompter.hear if self.prompter.is_waiting else None
        self._tick()
        await self._until(lambda: False, BEGIN_MS + self.schedule.active_ms)
        if not self.oracle.violations:
            self.chronicle.heard = None
            self.desk.calm()
            self.trouble.calm()
            self.oracle.persons.calm_ms = self.chronicle.now_ms()
            await self._until(self._is_over, REST_MS_MAX)
        if not self.oracle.violations:
            self.oracle.judge()
        self.trouble.hits()
        return Ended(
            seed=self.schedule.seed,
            violations=tuple(self.oracle.violations),
            hits=self.machine.hits,
            digest=self.chronicle.digest(),
            lines=tuple(self.chronicle.lines),
            plans=self.desk.sent,
            virtual_ms=self._loop.time() * 1_000,
            errors=tuple(self.errors),
            left=self.prompter.left,
        )

    def _committed(self) -> None:
        audit, awaiting = self.oracle.audit, tuple(self.machine.awaiting)
        before = [audit.count(kind) for kind, _strike in awaiting]
        self.oracle.journal_written()
        for each, count in zip(awaiting, before, strict=True):
            if audit.count(each[0]) > count:
                self.machine.awaiting.remove(each)
                each[1]()

    def _arrives(self, owner: str, request: Request) -> None:
        self.trouble.waylay.arrives(owner, request)
        if request.method == "POST":
            self.oracle.arrives(owner, request)
            self.desk.ambush(request)
        elif "symbol" in request.params:
            self.desk.before_read(request.params["symbol"])

    def _answer(self, alert: Alert) -> None:
        if alert.hold_id is not None and not self.trouble.is_calm:
            self.machine.net.later(self.schedule.shape.duty_ms, self.desk.answer, alert.hold_id)

    def _is_over(self) -> bool:
        self.trouble.end_resting()
        persons = self.oracle.persons
        if persons.knows_of_mode():
            self.trouble.set_mode_back()
        self.desk.on_duty(persons.are_needed)
        return self.oracle.is_at_rest() and self.trouble.has_its_mode

    def _unheard(self, _loop: object, context: dict[str, Any]) -> None:
        """Something was raised that nobody caught: in the product, or in the world itself."""
        error = context.get("exception")
        if error is not None:
            self.errors.append(error)
        self.oracle.accuse(f"S10: unheard: {context.get('message')}: {error!r}")

    async def _until(self, holds: Callable[[], bool], wait_ms: int) -> None:
        end_s = self._loop.time() + wait_ms / 1_000
        while not self.oracle.violations and self._loop.time() < end_s and not holds():
            await pass_ms(REST_LOOK_MS)

    def _tick(self) -> None:
        if self.is_over:
            return  # or time would go on for ever, should what is left of a history never end
        self.desk.exchange.tick()
        self.oracle.time_passed()
        self.machine.net.later(TICK_MS, self._tick)


def _newest(journal: SqlJournal, kind: EntryKind) -> int:
    entry = at_once(journal.query(AccountId(ACCOUNT), lambda reads: reads.newest_entry(kind)))
    return 0 if entry is None else entry.seq


def _dice(schedule: Schedule, name: str) -> Dice:
    """What a seed draws falls from the seed's shared dice, as ever; what is written out in full has keyed ones."""
    if schedule.dice is None:
        return shared(f"{name} {schedule.seed}")
    return keyed(f"{name} {schedule.seed}, dice {schedule.dice}")


def _settings(shape: Shape) -> WorldSettings:
    return world_settings(is_hedge=shape.is_hedge, foreign=shape.foreign, unledgered=shape.unledgered)


def _first(error: BaseException) -> BaseException:
    """What went wrong first: an end that cannot be reached hides it."""
    found, earlier = error, error.__context__
    while earlier is not None:
        if isinstance(earlier, Deadlock | Livelock):
            found = earlier
        earlier = earlier.__context__
    return found


def play_history(schedule: Schedule, log_of: Callable[[Unit, Redactor], Log] | None = None) -> Ended:
    """Play one schedule on a loop of its own. A world that stands still or runs in circles is a violation."""
    worlds: list[World] = []

    async def story() -> Ended:
        worlds.append(World(schedule, log_of))
        try:
            return await worlds[0].run()
        finally:
            worlds[0].is_over = True

    try:
        with fenced(), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a dead process's coroutines are never awaited
            return play(story)
    except (Deadlock, Livelock) as error:
        world = worlds[0]
        return Ended(
            schedule.seed,
            (f"L9: the world ended: {_first(error)}",),
            world.machine.hits,
            world.chronicle.digest(),
            tuple(world.chronicle.lines),
            world.desk.sent,
            0.0,
        )
