"""Power cuts: the journal is taken back to what its file layer had on the disk for certain, and the services go on.

A victim dies at a write or sync of its files, around an order, or anywhere; then journal and log are made again from
their notes (`filelayer`): synced is there, the rest is gone, or torn by sectors. Exchange and clock know nothing of it.
With the embedded bus a share of the cuts loses the bus too; the other bus stands for one on another machine.

Nothing but the victims writes the journal meanwhile (no person's requests): what they wrote is all that there is.

Invariant: a cut that undid nothing proves nothing: how many operations were undone is counted, and 0 fails the drill.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from holdfast.domain.errors import HoldfastError
from holdfast.lab.drills.effects import Moment, Shot
from holdfast.lab.drills.filelayer import Disk
from holdfast.lab.drills.judge import come_to_rest, judge
from holdfast.lab.drills.record import Record
from holdfast.lab.drills.report import Report
from holdfast.lab.drills.stage import BROKEN_MAX, BusKind, Exchange, Stage, exchange, stage
from holdfast.lab.drills.traffic import Traffic
from holdfast.lab.drills.victim import files_trace, with_file_layer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

JOURNAL = "journal.sqlite"
FILES = (JOURNAL, f"{JOURNAL}-wal", f"{JOURNAL}-journal")
ROUNDS_A_STAGE = 10
BUS_LOST_SHARE = 0.5
KEPT = (0.0, 0.0, 0.5, 0.9)
"""How much of what was not synced survives; nothing, in half of the cuts."""
CUT, UNDONE, BUS_LOST = "power cut", "unsynced operation undone", "bus lost with the power"
SHOTS = (
    *(("file.sync log", 50), ("file.write log", 100), ("file.sync log", 50), ("file.write log", 100)),
    *(("file.write database", 1), ("venue.submit *", 6), ("journal.transact *", 40), ("", 100)),
)
"""What the victim dies at, and at the how manieth at most. The database itself is written at checkpoints only."""
MISSES_MAX = 3
"""Rounds without a death for each cut that is wanted."""
LANES = (Traffic.book, Traffic.long, Traffic.swarm)


def shots_of(choose: random.Random) -> Shot:
    """Where the power goes: mostly at the files, else around an order or anywhere."""
    name, count_max = choose.choice(SHOTS)
    return Shot(name, choose.choice(list(Moment)), choose.randint(1, count_max))


@dataclass(slots=True)
class Cutter:
    """Undoes on the disk of one stage what was not synced when its victim died."""

    here: Stage
    choose: random.Random
    report: Report
    disk: Disk = field(default_factory=Disk)

    @property
    def data(self) -> Path:
        """The folder with the journal."""
        return self.here.folder / "data"

    def before(self) -> None:
        """A victim starts: all that lies there now is safe."""
        found = {name: self.data / name for name in FILES}
        self.disk = Disk.of({name: path.read_bytes() for name, path in found.items() if path.exists()})

    def after(self) -> None:
        """A victim died: the power is gone."""
        trace = files_trace(self.here.place)
        if not trace.exists():
            return
        self.disk.replay(trace.read_bytes())
        left = self.disk.cut_power(self.choose, self.choose.choice(KEPT))
        for name in (*FILES, f"{JOURNAL}-shm"):
            (self.data / name).unlink(missing_ok=True)
        for name, content in left.items():
            (self.data / name).write_bytes(content)
        self.report.faults_hit[CUT] += 1
        self.report.faults_hit[UNDONE] += self.disk.dropped
        if self.here.server is None and self.choose.random() < BUS_LOST_SHARE:
            shutil.rmtree(self.data / "appendonlydir", ignore_errors=True)
            self.report.faults_hit[BUS_LOST] += 1


async def power_drill(folder: Path, seed: int, cuts: int, seconds_max: float, say: Callable[[str], None]) -> Report:
    """Cut the power `cuts` times, on two stages at once."""
    report = Report(seed)
    until_s = time.monotonic() + seconds_max
    async with contextlib.AsyncExitStack() as stack:
        jobs = []
        for number, kind in enumerate(BusKind):
            place = folder / f"power-{number}"
            venue = await stack.enter_async_context(exchange(place, seed + number))
            choose = random.Random(f"{seed}-power-{number}")  # noqa: S311 - a drill's dice, replayable
            share = (cuts + 1) // 2
            job = Job(number, kind, venue, place, choose, report, say, share, until_s, misses=share * MISSES_MAX)
            jobs.append(job)
        await asyncio.gather(*(job.run() for job in jobs))
    replay = f"replay: holdfast drill --only power --seed {seed} --power-cuts {cuts}"
    report.violations = [f"[power] {each} ({replay})" for each in report.violations]
    if not report.faults_hit[UNDONE]:
        report.violations.append(f"[power] no cut undid anything ({replay})")
    return report


@dataclass(slots=True)
class Job:
    """One worker."""

    number: int
    kind: BusKind
    venue: Exchange
    folder: Path
    choose: random.Random
    report: Report
    say: Callable[[str], None]
    left: int
    until_s: float
    misses: int = 0
    """Rounds without a death that are still allowed."""
    stages: int = 0
    broken: int = 0
    rounds: int = 0

    async def run(self) -> None:
        """Cut until all cuts are done."""
        while self.left > 0 and self.misses > 0 and self.broken < BROKEN_MAX and time.monotonic() < self.until_s:
            self.stages += 1
            async with stage(self.venue, self.folder / f"stage-{self.stages}", self.kind) as here:
                cutter = Cutter(here, self.choose, self.report)
                here.before, here.after = cutter.before, cutter.after
                with_file_layer(here.place)
                record = Record(here)
                try:
                    async with here.kept_alive(), record.listening():
                        await self._rounds(here, record)
                except HoldfastError as error:
                    self.broken += 1
                    self.report.violations.append(f"the stage broke: {error}")
                finally:
                    self.report.kills += here.kills
                    self.report.points |= {each.name for each in here.trace()}
                    self.report.orders += len(here.rows("SELECT 1 FROM orders"))
                    self.report.plans += len(record.taken)
                    self.report.deliveries += record.deliveries

    async def _rounds(self, here: Stage, record: Record) -> None:
        await record.until(Traffic(record, 0).has_baseline, "the account has a baseline")
        for _ in range(ROUNDS_A_STAGE):
            if self.left <= 0 or self.misses <= 0 or time.monotonic() > self.until_s:
                return
            self.rounds += 1
            deaths = here.deaths()
            shot = shots_of(self.choose)
            began = time.monotonic()
            await here.up()
            here.shoot(shot)
            found = await Traffic(record, self.rounds).run(LANES)
            here.hold_fire()
            if here.deaths() > deaths:
                self.left -= 1
            else:
                self.misses -= 1
            found += await come_to_rest(record)
            await here.up()
            found += (await judge(record)).violations + here.findings
            here.findings.clear()
            self.say(f"job {self.number} {time.monotonic() - began:.1f} s: power cut {shot}: {found or 'ok'}")
            self.report.violations.extend(f"{shot}: {each}" for each in found)
            if found:
                return
