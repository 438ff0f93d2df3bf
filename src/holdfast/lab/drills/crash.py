"""Every side effect x SIGKILL before and after x recovery, and SIGKILL again in recovery.

Rounds without a kill enumerate the effects, one round for each cause that makes rare ones come up; each round after
them kills at as many sides as share its recipe, lets the script run across the deaths, waits for rest, and judges. What
only comes up in recovery is found there, and aimed at in its turn. Whoever starts after a death is killed again in its
recovery, at the effect that was crossed least with such a death (`rounds`).

Two jobs run at once, each with a simulator, a nursery, an account and a data folder of its own: one on the embedded
bus that dies with the victim, one on a bus that stays.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import shlex
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from holdfast.domain.errors import BusUnavailable, HoldfastError
from holdfast.lab.drills.causes import CAUSES, NOTHING
from holdfast.lab.drills.hunt import Hunt
from holdfast.lab.drills.judge import come_to_rest, judge
from holdfast.lab.drills.record import Record
from holdfast.lab.drills.report import Report
from holdfast.lab.drills.rounds import Cover, Recipe, Round, Start
from holdfast.lab.drills.stage import BROKEN_MAX, BusKind, Exchange, Stage, exchange, stage
from holdfast.lab.drills.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ROUNDS_A_STAGE = 15
"""Then a new account and folder: old traces and journals only slow a round down."""
EMPTIED_AFTER_S = 0.4
"""When the bus is emptied: while every lane is busy."""
PLAYS = 3
"""How often a round that is played again is played: timing is the machine's."""
KILLS_A_SCOUT = 20
ARMED_MIN = 3
"""Rounds in which a fault was armed and must have struck at least once."""


@dataclass(slots=True)
class Plan:
    """What all jobs do together."""

    seed: int
    kills: int
    """Deaths that are wanted; 0: every side that comes up, and every effect of recovery as a second death."""
    until_s: float
    """time.monotonic() after which no round begins."""
    report: Report
    say: Callable[[str], None]
    cover: Cover
    replays: list[Round] = field(default_factory=list)
    is_replay: bool = False
    deaths: int = 0
    armed: Counter[str] = field(default_factory=Counter)

    def take(self, kind: BusKind) -> Round | None:
        """The next round for a job on this kind of bus; None when it is over."""
        if self.is_replay:
            fitting = [each for each in self.replays if each.bus in {None, kind}]
            if fitting:
                self.replays.remove(fitting[0])
            return fitting[0] if fitting else None
        if time.monotonic() > self.until_s or (self.kills and self.deaths >= self.kills):
            return None
        found = self.cover.next_round()
        if found is None and (self.kills or self.cover.uncrossed()):
            found = self.cover.crossing_round()
        return found


@dataclass(slots=True)
class Job:
    """One worker."""

    plan: Plan
    number: int
    kind: BusKind
    venue: Exchange
    folder: Path
    rounds: int = 0
    stages: int = 0
    broken: int = 0

    async def run(self) -> None:
        """Round after round until the plan is done."""
        wanted = self.plan.take(self.kind)
        while wanted is not None and self.broken < BROKEN_MAX:
            self.stages += 1
            async with stage(self.venue, self.folder / f"stage-{self.stages}", self.kind) as here:
                wanted = await self._one_stage(here, wanted)

    async def _one_stage(self, here: Stage, first: Round) -> Round | None:
        """Rounds on one account; the round that needs another one, None when the plan is done."""
        record = Record(here)
        played = first
        hunt = self._hunt(here, first)
        try:
            async with here.kept_alive(), record.listening():
                for _ in range(ROUNDS_A_STAGE):
                    fresh = await self._round(record, hunt)
                    wanted = self.plan.take(self.kind)
                    if wanted is None or not fresh or wanted.recipe.start is Start.FIRST or self.plan.is_replay:
                        return wanted
                    played = wanted
                    hunt = self._hunt(here, wanted)
        except HoldfastError as error:
            self.broken += 1
            self._violation(played, hunt, [f"the stage broke: {error}"])
        finally:
            self._count(here, record)
        return self.plan.take(self.kind)

    def _hunt(self, here: Stage, wanted: Round) -> Hunt:
        hunt = Hunt(here, wanted, self.plan.cover)
        if wanted.recipe.start is Start.FIRST:
            here.aims = hunt.next_shots
        return hunt

    async def _round(self, record: Record, hunt: Hunt) -> bool:
        """One round; True if the stage is as good as new after it."""
        here, this = record.stage, hunt.played
        self.rounds += 1
        began = time.monotonic()
        record.resend = this.recipe.resend
        here.lease_wait = this.recipe.lease
        await self._arm(here, this.recipe)
        await here.up()
        with self._emptied(record, this.recipe):
            await hunt.begin()
            found = await Traffic(record, self.rounds).run()
            await hunt.wait()
        hunt.end()
        await self._disarm(here, this.recipe)
        found += await come_to_rest(record)
        await here.up()
        found += (await judge(record)).violations + here.findings
        here.findings.clear()
        self._book(here, hunt)
        took_s = time.monotonic() - began
        deaths = ", ".join(str(shot) for shot in hunt.chain) or "no kill"
        missed = f" ({len(hunt.left)} not reached)" if hunt.left else ""
        self.plan.say(
            f"job {self.number} round {self.rounds} {took_s:.1f} s, {this.recipe.cause}, "
            f"{this.recipe.start.value}: {deaths}{missed}: {found or 'ok'}"
        )
        if found:
            self._violation(this, hunt, found)
        return not found

    def _book(self, here: Stage, hunt: Hunt) -> None:
        """What the round taught."""
        plan = self.plan
        plan.deaths += len(hunt.chain)
        plan.report.shots |= {str(shot) for shot in hunt.chain}
        plan.report.second_kills += hunt.seconds
        if not plan.is_replay:
            plan.cover.learn(here.trace(), hunt.played.recipe)
            plan.cover.not_hit(hunt.played, hunt.left)

    async def _arm(self, here: Stage, recipe: Recipe) -> None:
        for fault in recipe.armed().faults:
            await here.desk.post("faults", **fault.body(here.name))
        self.plan.armed.update({fault.name for fault in recipe.armed().faults})

    async def _disarm(self, here: Stage, recipe: Recipe) -> None:
        if recipe.armed().faults:
            faults = (await here.desk.get("faults"))["faults"]
            self.plan.report.faults_hit.update({each["name"]: 0 for each in faults})
            for each in faults:
                self.plan.report.faults_hit[each["name"]] += each["hits"]
            await here.desk.delete("faults")

    @contextlib.contextmanager
    def _emptied(self, record: Record, recipe: Recipe) -> Iterator[None]:
        """Empty the bus in the middle of the block, if the recipe wants it."""
        if not recipe.armed().empties_bus:
            yield
            return
        task = asyncio.create_task(self._empty(record), name="empties the bus")
        try:
            yield
        finally:
            task.cancel()

    async def _empty(self, record: Record) -> None:
        await asyncio.sleep(EMPTIED_AFTER_S)
        with contextlib.suppress(BusUnavailable):
            await record.collect()
            await record.stage.bus("FLUSHALL")
            self.plan.report.faults_hit["bus emptied"] += 1

    def _violation(self, this: Round, hunt: Hunt, found: list[str]) -> None:
        again = msgspec.structs.replace(this, shots=(), bus=self.kind, chain=tuple(hunt.chain))
        replay = f"holdfast drill --only crash --play {shlex.quote(msgspec.json.encode(again).decode())}"
        where = ", ".join(str(shot) for shot in hunt.chain) or "no kill"
        where = f"{where}; {this.recipe.cause}; {self.kind.value} bus"
        self.plan.report.violations.extend(f"[{where}] {each}  (replay: {replay})" for each in found)

    def _count(self, here: Stage, record: Record) -> None:
        report = self.plan.report
        report.points |= {each.name for each in here.trace()}
        report.kills += here.kills
        report.orders += sum(1 for _ in here.rows("SELECT 1 FROM orders"))
        report.plans += len(record.taken)
        report.deliveries += record.deliveries


def scouts(kills: int, choose: random.Random) -> list[Recipe]:
    """Every cause once, without a kill: what comes up under it. A short drill has time for a few only."""
    causes = [cause for cause in CAUSES if cause != NOTHING]
    if kills:
        causes = choose.sample(causes, min(len(causes), kills // KILLS_A_SCOUT))
    return [Recipe(start=Start.FIRST), *(Recipe(cause) for cause in causes)]


async def crash_drill(  # noqa: PLR0917 - what the command line asks for
    folder: Path, seed: int, kills: int, seconds_max: float, say: Callable[[str], None], play: Round | None = None
) -> Report:
    """Run it; `kills` 0 means every side once. With `play` that round alone, a few times."""
    report = Report(seed)
    choose = random.Random(f"{seed}-crash")  # noqa: S311 - a drill's dice, replayable
    cover = Cover(choose, scouting=scouts(kills, choose))
    plan = Plan(seed, kills, time.monotonic() + seconds_max, report, say, cover)
    if play is not None:
        plan.is_replay = True
        plan.replays = [play] * PLAYS
    async with contextlib.AsyncExitStack() as stack:
        jobs = []
        for number, kind in enumerate(BusKind):
            place = folder / f"job-{number}"
            venue = await stack.enter_async_context(exchange(place, seed + number))
            jobs.append(Job(plan, number, kind, venue, place))
        await asyncio.gather(*(job.run() for job in jobs))
    if not plan.is_replay:
        _figures(plan)
    return report


def _figures(plan: Plan) -> None:
    """What was covered, and what should have struck and did not."""
    report, cover = plan.report, plan.cover
    report.known |= {str(shot) for shot in cover.known}
    report.missed += sorted(str(shot) for shot in cover.missed)
    report.pairs = len(cover.crossed)
    report.pairs_known = len(cover.kinds) * len({shot.name for shot in cover.recovery})
    report.recovery_known |= {str(shot) for shot in cover.recovery}
    report.recovery_killed |= {str(shot) for shot in cover.seconds}
    for name, rounds in sorted(plan.armed.items()):
        if rounds >= ARMED_MIN and not report.faults_hit[name]:
            replay = f"holdfast drill --only crash --seed {plan.seed}"
            report.violations.append(f"fault never hit: {name}, armed in {rounds} rounds (replay: {replay})")
