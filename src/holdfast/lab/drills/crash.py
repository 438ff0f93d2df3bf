"""Every side effect x SIGKILL before and after x recovery, and SIGKILL again in recovery.

A first round of traffic without a kill enumerates the effects; each round after it aims at one side of one of them,
lets the script run across the death, waits for rest, and judges. What only comes up in recovery is found there, and
aimed at in its turn. A share of the rounds kills the successor too, at a random effect of its start; a share lets the
exchange fail meanwhile; a share lets the dead lease run out by itself; a share has producers that never send again.

Two jobs run at once, each with a simulator, an account and a data folder of its own: one on the embedded bus that
dies with the victim, one on a bus that stays.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import shlex
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from holdfast.domain.errors import HoldfastError
from holdfast.lab.drills.effects import Moment, Shot
from holdfast.lab.drills.judge import come_to_rest, judge
from holdfast.lab.drills.record import Record, Resend
from holdfast.lab.drills.report import Report
from holdfast.lab.drills.stage import BROKEN_MAX, BusKind, Exchange, LeaseWait, Stage, exchange, stage
from holdfast.lab.drills.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AGAIN_SHARE, FAULT_SHARE, LEASE_SHARE, QUIET_SHARE = 0.3, 0.3, 0.1, 0.1
AGAIN_COUNT_MAX = 80
FAULTS = (
    *("unknown_error_executed", "timeout_executed", "timeout_not_executed", "reset_executed", "reset_not_executed"),
    *("overloaded", "service_unavailable", "stream_drop", "stream_close", "stream_delay", "stale_orders"),
)
AFTER_FAULTS = ("Resolver", "ask_trades", "CLOSE_FAILED", "footprint", "[ORDER_OUTCOME]", "UNKNOWN")
"""Effects that come up only once an answer or a fill was lost."""
FIRST_START = ("[BASELINE]",)
"""Effects that only an account's very first start has."""
AFTER_WAIT = ("read_again",)
"""Effects that only a successor has which waited for the lease."""
IN_HAND = ("bus.read_plans apply", "bus.hold_values apply", "Executor._claim")
"""Effects at which a plan was read and nothing was journaled: nobody may help by sending it again."""
ROUNDS_A_STAGE = 12
"""Then a new account and folder: a first start is an effect like any other."""
TRIES_MAX = 4
ORDER_PATH = "/fapi/v1/order"


@dataclass(slots=True)
class Plan:
    """Which sides are still to be killed, by all jobs together."""

    seed: int
    kills: int
    """How many rounds; 0: every side that comes up, once."""
    until_s: float
    """time.monotonic() after which no round begins."""
    report: Report
    say: Callable[[str], None]
    queue: list[tuple[Shot, int]] = field(default_factory=list)
    known: set[Shot] = field(default_factory=set)
    replay: bool = False
    done: int = 0

    def take(self) -> tuple[Shot, int] | None:
        """The next side, and how often it was tried before; None when it is over."""
        is_over = time.monotonic() > self.until_s or (self.kills and self.done >= self.kills)
        if is_over or not self.queue:
            return None
        self.done += 1
        return self.queue.pop(0)

    def learn(self, shots: set[Shot], choose: random.Random) -> None:
        """Queue the sides that are new, in an order of the seed's. A replay learns nothing."""
        if self.replay:
            return
        new = sorted(shots - self.known, key=lambda shot: (shot.name, shot.moment.value))
        self.known.update(new)
        for shot in new:
            self.queue.insert(choose.randint(0, len(self.queue)), (shot, 0))


@dataclass(slots=True)
class Job:
    """One worker."""

    plan: Plan
    number: int
    kind: BusKind
    venue: Exchange
    folder: Path
    choose: random.Random
    rounds: int = 0
    stages: int = 0
    opening: Shot | None = None
    """For the first victim of the next stage."""
    broken: int = 0

    async def run(self) -> None:
        """Round after round until the plan is done."""
        while self.broken < BROKEN_MAX and not await self._one_stage():
            self.stages += 1

    async def _one_stage(self) -> bool:
        """Rounds on one account; True when the plan is done."""
        async with stage(self.venue, self.folder / f"stage-{self.stages}", self.kind) as here:
            record = Record(here)
            opening, self.opening = self.opening, None
            here.shots = [opening] if opening is not None else []
            try:
                async with here.kept_alive(), record.listening():
                    return await self._rounds(here, record)
            except HoldfastError as error:
                self.broken += 1
                self._violation("stage", [f"the stage broke: {error}"])
                return False
            finally:
                self._count(here, record)

    async def _rounds(self, here: Stage, record: Record) -> bool:
        opening = here.shots[0] if here.shots else None
        fresh = await self._round(here, record, None)
        if opening is not None and here.deaths():
            self.plan.report.shots.add(str(opening))
        for _ in range(ROUNDS_A_STAGE):
            taken = self.plan.take()
            if taken is None:
                return True
            if not fresh:
                return False
            shot, tries = taken
            if any(word in shot.name for word in FIRST_START):
                self.opening = shot
                return False
            deaths = here.deaths()
            fresh = await self._round(here, record, shot, at_start=tries % 2 == (0 if _is_start(shot) else 1))
            if here.deaths() == deaths:
                self._missed(shot, tries)
            else:
                self.plan.report.shots.add(str(shot))
        return False

    def _missed(self, shot: Shot, tries: int) -> None:
        if tries + 1 < TRIES_MAX:
            self.plan.queue.append((shot, tries + 1))
        else:
            self.plan.report.missed.append(str(shot))

    async def _round(self, here: Stage, record: Record, shot: Shot | None, *, at_start: bool = False) -> bool:
        """One round; True if the stage is as good as new after it."""
        self.rounds += 1
        choose = self.choose
        began = time.monotonic()
        waits = shot is not None and any(word in shot.name for word in AFTER_WAIT)
        here.lease_wait = LeaseWait.RUNS_OUT if waits or choose.random() < LEASE_SHARE else LeaseWait.FREED
        alone = shot is not None and any(word in shot.name for word in IN_HAND)
        record.resend = Resend.NEVER if alone or choose.random() < QUIET_SHARE else Resend.SAME_ID
        found: list[str] = []
        needs_fault = shot is not None and any(word in shot.name for word in AFTER_FAULTS)
        armed = await self._arm_faults(here) if needs_fault or (shot and choose.random() < FAULT_SHARE) else ()
        await here.up()
        if shot is not None:
            again = [Shot("", choose.choice(list(Moment)), choose.randint(1, AGAIN_COUNT_MAX))]
            second = again if choose.random() < AGAIN_SHARE else []
            self._aim(here, shot, second, at_start=at_start)
        found += await Traffic(record, self.rounds).run()
        here.hold_fire()
        here.shots.clear()
        await self._disarm(here, armed)
        found += await come_to_rest(record)
        await here.up()
        verdict = await judge(record)
        found += verdict.violations + here.findings
        here.findings.clear()
        self.plan.learn({Shot(each.name, each.moment) for each in here.trace() if not each.is_death}, self.choose)
        self.plan.say(
            f"job {self.number} round {self.rounds} {time.monotonic() - began:.1f} s: {shot or 'no kill'}"
            f"{' at a start' if at_start else ''}{' faults ' + ','.join(armed) if armed else ''}: {found or 'ok'}"
        )
        if found:
            self._violation(str(shot), found, shot)
        return not found

    def _aim(self, here: Stage, shot: Shot, second: list[Shot], *, at_start: bool) -> None:
        if at_start:
            here.shots[:] = [shot, *second]
            here.stop() if "journal.give_up" in shot.name else here.kill()
        elif "give_up" in shot.name:
            here.shoot(shot)
            here.stop()
        else:
            here.shots[:] = second
            here.shoot(shot)

    async def _arm_faults(self, here: Stage) -> tuple[str, ...]:
        names = tuple(self.choose.sample(FAULTS, 2))
        for name in names:
            match: dict[str, str] = {"account": here.name}
            if not name.startswith(("stream_", "stale_")):
                match |= {"method": "POST", "path": ORDER_PATH}
            await here.desk.post("faults", name=name, match=match, count=self.choose.randint(1, 2), delay_ms=700)
        return names

    async def _disarm(self, here: Stage, armed: tuple[str, ...]) -> None:
        if not armed:
            return
        faults = (await here.desk.get("faults"))["faults"]
        self.plan.report.faults_hit.update({each["name"]: each["hits"] for each in faults if each["hits"]})
        await here.desk.delete("faults")

    def _violation(self, where: str, found: list[str], shot: Shot | None = None) -> None:
        shown = f" --shot {shlex.quote(msgspec.json.encode(shot).decode())}" if shot is not None else ""
        replay = f"holdfast drill --only crash --seed {self.plan.seed}{shown}"
        where = f"{where}, {self.kind.value} bus"
        self.plan.report.violations.extend(f"[{where}] {each}  (replay: {replay})" for each in found)

    def _count(self, here: Stage, record: Record) -> None:
        report = self.plan.report
        report.points |= {each.name for each in here.trace()}
        report.kills += here.kills
        report.orders += sum(1 for _ in here.rows("SELECT 1 FROM orders"))
        report.plans += len(record.taken)
        report.deliveries += record.deliveries


def _is_start(shot: Shot) -> bool:
    """Tell whether an effect belongs to a start, by the functions that lead to it."""
    return any(word in shot.name for word in ("build_account", "_job.job", "run_by_doors", *AFTER_WAIT))


async def crash_drill(  # noqa: PLR0917 - what the command line asks for
    folder: Path, seed: int, kills: int, seconds_max: float, say: Callable[[str], None], shot: Shot | None = None
) -> Report:
    """Run it; `kills` 0 means every side once. With `shot` only that one, a few times."""
    report = Report(seed)
    plan = Plan(seed, kills, time.monotonic() + seconds_max, report, say)
    if shot is not None:
        plan.replay = True
        plan.queue = [(shot, 0)] * max(kills, 3)
    async with contextlib.AsyncExitStack() as stack:
        jobs = []
        for number, kind in enumerate(BusKind):
            place = folder / f"job-{number}"
            venue = await stack.enter_async_context(exchange(place, seed + number))
            jobs.append(Job(plan, number, kind, venue, place, random.Random(f"{seed}-{number}")))  # noqa: S311 - a drill's dice, replayable
        await asyncio.gather(*(job.run() for job in jobs))
    return report
