"""Each fault of the exchange, as accepted and as not accepted where the answer leaves it open, x crashes around a send.

A round arms one fault a symbol, hands in one plan a symbol (or trades by hand, so that a close is sent), aims at one
side of one effect around the send, and judges at rest. Faults that stop the whole address (429, 418) get rounds of
their own. A closed WebSocket is no case here: orders go over REST alone.

Invariant: the exchange counts how often each fault really struck; one that never did fails the drill.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from holdfast.domain.errors import HoldfastError
from holdfast.lab.drills.effects import Moment, Shot
from holdfast.lab.drills.judge import come_to_rest, judge
from holdfast.lab.drills.record import Record, Stuck
from holdfast.lab.drills.report import Report
from holdfast.lab.drills.stage import BROKEN_MAX, INVENTED_SYMBOLS, BusKind, Exchange, Stage, exchange, stage
from holdfast.lab.drills.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

ORDER_PATH = "/fapi/v1/order"
ROUNDS_A_STAGE = 10


class Sends(Enum):
    """Which kind of order meets the fault."""

    PLAN = "plan"
    CLOSE = "close"


class Reach(Enum):
    """What a fault stops."""

    ORDER = "order"
    ADDRESS = "address"
    """Every request of ours: it gets a round of its own."""


class Lasts(Enum):
    """How often a fault strikes; the value is the simulator's count."""

    ONCE = 1
    THE_ROUND = 0


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault as the simulator arms it."""

    name: str
    delay_ms: int | None = None
    status: int | None = None
    code: int | None = None
    event: str | None = None
    lasts: Lasts = Lasts.ONCE


@dataclass(frozen=True, slots=True)
class Case:
    """One way to fail."""

    label: str
    strikes: tuple[Strike, ...]
    reach: Reach = Reach.ORDER
    plans_only: bool = False
    """-1008 spares what reduces risk."""


def _one(label: str, name: str, delay_ms: int | None = None) -> Case:
    return Case(label, (Strike(name, delay_ms),))


LATE_MS = 1_500
"""Longer than the drill's recvWindow and the client's patience."""
_CASES = (
    _one("503 unknown error, accepted", "unknown_error_executed"),
    _one("503 unknown error, not accepted", "unknown_error_not_executed"),
    _one("503 service unavailable", "service_unavailable"),
    _one("503 -1001 internal error", "internal_error"),
    Case("503 -1008 throttled", (Strike("overloaded"),), plans_only=True),
    _one("503 -1006, accepted", "bus_executed"),
    _one("503 -1006, not accepted", "bus_not_executed"),
    _one("408 -1007, accepted", "timeout_executed"),
    _one("408 -1007, not accepted", "timeout_not_executed"),
    _one("400 -1021 at the edge", "edge_delay", LATE_MS),
    _one("400 -5028 in the engine", "engine_delay", LATE_MS),
    Case("400 -4116, accepted", (Strike("unknown_error_executed", status=400, code=-4116),)),
    Case("400 -4116, not accepted", (Strike("unknown_error_not_executed", status=400, code=-4116),)),
    Case("400 unlisted code, accepted", (Strike("unknown_error_executed", status=400, code=-9999),)),
    _one("proxy page, accepted", "proxy_page_executed"),
    _one("proxy page, not accepted", "proxy_page_not_executed"),
    Case("503 that is not JSON, accepted", (Strike("proxy_page_executed", status=503),)),
    _one("time-out, accepted", "hang_executed", LATE_MS + 2_000),
    _one("time-out, not accepted", "hang_not_executed", LATE_MS + 2_000),
    _one("late reply, accepted", "reply_delay", LATE_MS + 2_000),
    _one("reset, accepted", "reset_executed"),
    _one("reset, not accepted", "reset_not_executed"),
    Case("-2013 too early", (Strike("reset_executed"), Strike("stale_orders", 700, lasts=Lasts.THE_ROUND))),
    Case(
        "trades too late",
        (
            Strike("timeout_executed"),
            Strike("stale_trades", LATE_MS, lasts=Lasts.THE_ROUND),
            Strike("stream_drop", event="ORDER_TRADE_UPDATE", lasts=Lasts.THE_ROUND),
        ),
    ),
    Case(
        "position too late", (Strike("unknown_error_executed"), Strike("stale_positions", 400, lasts=Lasts.THE_ROUND))
    ),
    Case("fill lost on the stream", (Strike("stream_drop", event="ORDER_TRADE_UPDATE"),)),
    Case("fill twice on the stream", (Strike("stream_duplicate", event="ORDER_TRADE_UPDATE"),)),
    Case("fill late on the stream", (Strike("stream_delay", 600, event="ORDER_TRADE_UPDATE"),)),
    Case("stream closed at the fill", (Strike("stream_close", event="ORDER_TRADE_UPDATE"),)),
    Case("429 -1003", (Strike("rate_limited"),), Reach.ADDRESS),
    Case("429 -1015", (Strike("orders_limited"),), Reach.ADDRESS),
    Case("418 ban", (Strike("banned", 1_500),), Reach.ADDRESS),
)
SILENT = Strike("stream_drop", lasts=Lasts.THE_ROUND)
CASES = _CASES + tuple(
    Case(f"{case.label}, stream silent", (*case.strikes, SILENT), plans_only=case.plans_only)
    for case in _CASES
    if "accepted" in case.label
)
"""An answer that is lost is seldom lost alone: without the stream, only asking tells what became of the order."""
SHOTS: dict[Sends, tuple[str, ...]] = {
    Sends.PLAN: (
        "journal.transact apply Executor._claim<*",
        "venue.submit apply Sender.send<Executor.execute<*",
        "journal.transact apply conclude<Sender.send<Executor.execute<*",
        "venue.order apply Resolver.*",
        "journal.transact apply conclude<Resolver.*",
    ),
    Sends.CLOSE: (
        "journal.transact apply Closer._claim<*",
        "venue.submit apply Sender.send<Closer.close<*",
        "journal.transact apply conclude<Sender.send<Closer.close<*",
        "venue.order apply Resolver.*",
        "journal.transact apply conclude<Resolver.*",
    ),
}


@dataclass(frozen=True, slots=True)
class Round:
    """Faults that strike in one round, on one symbol each, and where the victim dies meanwhile."""

    cases: tuple[Case, ...]
    sends: Sends
    shot: Shot | None

    def __str__(self) -> str:
        labels = ", ".join(case.label for case in self.cases)
        return f"{self.sends.value}: {labels}: {self.shot or 'no kill'}"


def rounds_of(choose: random.Random) -> list[Round]:
    """Every fault x every side around a send, packed so that each round has many; without a kill first."""
    found: list[Round] = []
    for sends in Sends:
        fitting = [case for case in CASES if sends is Sends.PLAN or not case.plans_only]
        shots: list[Shot | None] = [None]
        shots += [Shot(name, moment) for name in SHOTS[sends] for moment in Moment]
        for shot in shots:
            mixed = choose.sample(fitting, len(fitting))
            alone = [case for case in mixed if case.reach is Reach.ADDRESS]
            together = [case for case in mixed if case.reach is Reach.ORDER]
            found += [Round((case,), sends, shot) for case in alone]
            size = INVENTED_SYMBOLS
            found += [Round(tuple(together[i : i + size]), sends, shot) for i in range(0, len(together), size)]
    first = [each for each in found if each.shot is None and each.sends is Sends.PLAN]
    rest = [each for each in found if each not in first]
    choose.shuffle(rest)
    return first + rest


@dataclass(slots=True)
class Job:
    """One worker."""

    number: int
    kind: BusKind
    venue: Exchange
    folder: Path
    seed: int
    report: Report
    say: Callable[[str], None]
    queue: list[Round]
    until_s: float
    hits: Counter[str] = field(default_factory=Counter)
    stages: int = 0
    broken: int = 0
    rounds: int = 0

    async def run(self) -> None:
        """Take rounds until there are none, or time is up."""
        while self.queue and self.broken < BROKEN_MAX and time.monotonic() < self.until_s:
            self.stages += 1
            async with stage(self.venue, self.folder / f"stage-{self.stages}", self.kind) as here:
                record = Record(here)
                try:
                    async with here.kept_alive(), record.listening():
                        await self._rounds(here, record)
                except HoldfastError as error:
                    self.broken += 1
                    self.report.violations.append(f"[faults] the stage broke: {error} ({self._replay()})")
                finally:
                    self.report.points |= {each.name for each in here.trace()}
                    self.report.kills += here.kills
                    self.report.orders += len(here.rows("SELECT 1 FROM orders"))
                    self.report.plans += len(record.taken)
                    self.report.deliveries += record.deliveries

    async def _rounds(self, here: Stage, record: Record) -> None:
        traffic = Traffic(record, 0)
        await record.until(traffic.has_baseline, "the account has a baseline")
        for _ in range(ROUNDS_A_STAGE):
            if not self.queue or time.monotonic() > self.until_s:
                return
            this = self.queue.pop(0)
            self.rounds += 1
            traffic.number = self.rounds
            began = time.monotonic()
            found = await self._round(here, record, traffic, this)
            self.say(f"job {self.number} {time.monotonic() - began:.1f} s: {this}: {found or 'ok'}")
            if found:
                self.report.violations.extend(f"[{this}] {each} ({self._replay()})" for each in found)
                return

    async def _round(self, here: Stage, record: Record, traffic: Traffic, this: Round) -> list[str]:
        await here.up()
        symbols = [symbol for symbol in here.symbols if symbol.startswith("SYM")][: len(this.cases)]
        deaths = here.deaths()
        await self._arm(here, this, symbols)
        if this.shot is not None:
            here.shoot(Shot(this.shot.name, this.shot.moment, min(traffic.number % 3 + 1, len(symbols))))
        lanes = (self._send(traffic, this, symbol) for symbol in symbols)
        ended = await asyncio.gather(*lanes, return_exceptions=True)
        found = [f"stuck: {each}" for each in ended if isinstance(each, Stuck)]
        for each in ended:
            if isinstance(each, BaseException) and not isinstance(each, Stuck):
                raise each
        here.hold_fire()
        await self._count_hits(here, this, died=here.deaths() > deaths)
        found += await come_to_rest(record)
        await here.up()
        found += (await judge(record)).violations + here.findings
        here.findings.clear()
        return found

    async def _send(self, traffic: Traffic, this: Round, symbol: str) -> None:
        if this.sends is Sends.PLAN:
            await traffic.trade(symbol, "BUY", "2.00")
        else:
            await traffic.foreign(symbol, "BUY", "3.00")
        await traffic.flatten(symbol)

    async def _arm(self, here: Stage, this: Round, symbols: Iterable[str]) -> None:
        for case, symbol in zip(this.cases, symbols, strict=True):
            for strike in case.strikes:
                match = {"account": here.name, "symbol": symbol}
                if not strike.name.startswith(("stream_", "stale_")):
                    match |= {"method": "POST", "path": ORDER_PATH}
                if strike.event is not None:
                    match["event"] = strike.event
                said = {"delay_ms": strike.delay_ms, "status": strike.status, "code": strike.code}
                body = {name: value for name, value in said.items() if value is not None}
                await here.desk.post("faults", name=strike.name, match=match, count=strike.lasts.value, **body)

    async def _count_hits(self, here: Stage, this: Round, *, died: bool) -> None:
        """A case was hit if every one of its faults struck."""
        struck: dict[str, list[int]] = {}
        for each in (await here.desk.get("faults"))["faults"]:
            struck.setdefault(each["match"]["symbol"], []).append(each["hits"])
        await here.desk.delete("faults")
        symbols = [symbol for symbol in here.symbols if symbol.startswith("SYM")]
        for case, symbol in zip(this.cases, symbols, strict=False):
            if all(hits > 0 for hits in struck.get(symbol, [0])):
                self.hits[case.label] += 1
                if died and this.shot is not None:
                    self.report.shots.add(f"{case.label} x {this.shot.moment.value} {this.shot.name}")

    def _replay(self) -> str:
        return f"replay: holdfast drill --only faults --seed {self.seed}"


async def fault_drill(folder: Path, seed: int, rounds: int, seconds_max: float, say: Callable[[str], None]) -> Report:
    """Run it; `rounds` 0 means all of them."""
    report = Report(seed)
    queue = rounds_of(random.Random(f"{seed}-faults"))  # noqa: S311 - a drill's dice, replayable
    if rounds:
        del queue[rounds:]
    wanted = {case.label for each in queue for case in each.cases}
    until_s = time.monotonic() + seconds_max
    async with contextlib.AsyncExitStack() as stack:
        jobs = []
        for number, kind in enumerate(BusKind):
            place = folder / f"faults-{number}"
            venue = await stack.enter_async_context(exchange(place, seed + number))
            jobs.append(Job(number, kind, venue, place, seed, report, say, queue, until_s))
        await asyncio.gather(*(job.run() for job in jobs))
    for job in jobs:
        report.faults_hit.update(job.hits)
    for label in sorted(wanted - {name for name, count in report.faults_hit.items() if count}):
        report.violations.append(f"fault never hit: {label} (replay: holdfast drill --only faults --seed {seed})")
    return report
