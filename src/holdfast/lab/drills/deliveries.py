"""Plans delivered several times each, reordered, interleaved, to two apply processes: one effect each.

The second process waits for the lease. In the middle the one that holds it is killed at an effect; later the one that
holds it then is stopped (SIGSTOP) past its lease and woken again: it has to find itself fenced, and to end. What it
was delivered and did not answer, its successor takes over.

Invariant: what is in flight is bounded, so that no plan is refused for the length of a queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.clock import SystemClock
from holdfast.domain.errors import BusUnavailable
from holdfast.lab.drills.effects import Moment, Shot
from holdfast.lab.drills.judge import come_to_rest, judge
from holdfast.lab.drills.record import PLANS, PlanSent, Record, Stuck
from holdfast.lab.drills.report import Report
from holdfast.lab.drills.stage import BusKind, LeaseWait, Stage, exchange, stage
from holdfast.lab.drills.traffic import Traffic
from holdfast.lab.drills.victim_settings import ACCOUNT, LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STARVED = "fenced, because the stopped process held the journal's lock"
SYMBOLS = 40
SPREAD = 400
"""A repeat follows within so many deliveries."""
BATCH = 100
IN_FLIGHT_MAX = 1_500
KILL_AT, STOP_AT = 0.3, 0.6
"""After which part of all deliveries the lease's holder is killed, and the next one stopped."""
PAUSE_S = 7.0
"""Longer than a lease."""
SILENCE_S_MAX = 60.0
HOLDER = "SELECT owner, expires_ms FROM lease WHERE service = 'apply'"
OWN_LIMITS = LIMITS.replace("plan_age_ms_max = 120000", "plan_age_ms_max = 3600000")


@dataclass(frozen=True, slots=True)
class Amount:
    """How much is delivered."""

    plans: int = 20_000
    deliveries: int = 100_000


def deliveries_of(amount: Amount, choose: random.Random) -> list[int]:
    """Numbers of plans in the order of their deliveries: each plan at least once, repeats soon after, all mixed."""
    copies = list(range(amount.plans))
    copies += [choose.randrange(amount.plans) for _ in range(amount.deliveries - amount.plans)]
    per_plan = amount.deliveries / amount.plans
    placed = sorted((number * per_plan + choose.uniform(0, SPREAD), index) for index, number in enumerate(copies))
    return [copies[index] for _, index in placed]


def plan_of(number: int, symbols: tuple[str, ...]) -> dict[str, str]:
    """The plan of a number: symbols in turn, buying and selling in turn, so that positions stay small."""
    symbol = symbols[number % len(symbols)]
    return {
        "plan_id": f"d{number}",
        "symbol": symbol,
        "decision": "EXECUTE",
        "side": ("BUY", "SELL")[number // len(symbols) % 2],
        "qty": "1.00",
        "type": "MARKET",
        "reduceOnly": "false",
        "reason": "delivered",
    }


async def delivery_drill(folder: Path, seed: int, amount: Amount, say: Callable[[str], None]) -> Report:
    """Run it."""
    report = Report(seed)
    place = folder / "deliveries"
    async with (
        exchange(place, seed, SYMBOLS) as venue,
        stage(venue, place / "stage", BusKind.EXTERNAL, OWN_LIMITS) as here,
    ):
        here.lease_wait = LeaseWait.RUNS_OUT
        reconcile = here.beside("reconcile", "reconcile")
        pair = (here.beside("apply-a", "apply"), here.beside("apply-b", "apply"))
        record = Record(here)
        async with contextlib.AsyncExitStack() as stack:
            for each in (reconcile, *pair):
                await stack.enter_async_context(each.kept_alive())
                await each.up()
            await stack.enter_async_context(record.listening())
            await record.until(Traffic(record, 0).has_baseline, "the account has a baseline")
            found = await _deliver(record, pair, amount, random.Random(f"{seed}-deliveries"), report, say)  # noqa: S311 - a drill's dice, replayable
            found += await come_to_rest(record)
            found += (await judge(record)).violations
        for each in (reconcile, *pair):
            found += [finding for finding in each.findings if not _starved(finding)]
            report.faults_hit.update(STARVED for finding in each.findings if _starved(finding))
            report.kills += each.kills
            report.points |= {reached.name for reached in each.trace()}
            if each.pauses:
                found.append(f"{each.place.name}: a process that was stopped past its lease did not end as fenced")
    report.plans, report.deliveries = len(record.taken), record.deliveries
    report.orders = sum(1 for each in record.results.values() if any(row["executed"] == "true" for row in each))
    counts = Counter(row["error"] or "executed" for each in record.results.values() for row in each)
    say(f"results: {dict(counts)}")
    replay = f"holdfast drill --only deliveries --seed {seed} --plans {amount.plans} --deliveries {amount.deliveries}"
    report.violations += [f"[deliveries] {each} (replay: {replay})" for each in found]
    if report.kills < 1 or report.faults_hit["stopped past its lease"] < 1:
        report.violations.append(f"[deliveries] nobody was killed or stopped in the middle (replay: {replay})")
    return report


def _starved(finding: str) -> bool:
    """Tell whether a process ended as it must when another one was stopped inside a transaction.

    SQLite has one write lock, and nobody can take it from a process that does not run: leases can't be renewed, so
    their holders stop by themselves rather than act on a lease that they cannot prove.
    """
    return "the victim stopped: Fenced: the reconcile lease" in finding and "ran out" in finding.replace("run", "ran")


async def _deliver(  # noqa: PLR0917 - the parts of one drill
    record: Record,
    pair: tuple[Stage, Stage],
    amount: Amount,
    choose: random.Random,
    report: Report,
    say: Callable[[str], None],
) -> list[str]:
    symbols = tuple(symbol for symbol in record.stage.symbols if symbol.startswith("SYM"))
    order = deliveries_of(amount, choose)
    began = time.monotonic()
    disturbed: list[asyncio.Task[None]] = []
    for start in range(0, len(order), BATCH):
        share = start / len(order)
        if len(disturbed) == 0 and share >= KILL_AT:
            disturbed.append(asyncio.create_task(_kill_holder(record, pair, choose, say)))
        if len(disturbed) == 1 and share >= STOP_AT and disturbed[0].done():
            disturbed.append(asyncio.create_task(_stop_holder(record, pair, report, say)))
        try:
            await _room(record)
            for number in order[start : start + BATCH]:
                await _add(record, plan_of(number, symbols))
        except Stuck as error:
            return [str(error)]
    if len(disturbed) == 1:
        await asyncio.wait(disturbed)
        disturbed.append(asyncio.create_task(_stop_holder(record, pair, report, say)))
    ended = await asyncio.gather(*disturbed, return_exceptions=True)
    found = [f"stuck: {each}" for each in ended if isinstance(each, Stuck)]
    for each in ended:
        if isinstance(each, BaseException) and not isinstance(each, Stuck):
            raise each
    say(f"{len(order)} deliveries in {time.monotonic() - began:.1f} s")
    return found


async def _room(record: Record) -> None:
    """Wait until few enough deliveries are unanswered. Raises Stuck after a long silence."""
    answered, since = -1, time.monotonic()
    while True:
        seen = sum(len(each) for each in record.results.values())
        if record.deliveries - seen < IN_FLIGHT_MAX:
            return
        if seen != answered:
            answered, since = seen, time.monotonic()
        if time.monotonic() - since > SILENCE_S_MAX:
            raise Stuck(f"{record.deliveries - seen} deliveries have had no answer for {SILENCE_S_MAX:g} s")
        await asyncio.sleep(0.02)


async def _add(record: Record, plan: dict[str, str]) -> None:
    record.taken.setdefault(plan["plan_id"], PlanSent(plan["plan_id"], plan["symbol"], plan["side"], plan["qty"]))
    stamped = {**plan, "timestamp": str(SystemClock().now_ms())}
    flat = [part for pair in stamped.items() for part in pair]

    async def taken() -> bool:
        try:
            await record.stage.bus("XADD", PLANS, "*", *flat)
        except BusUnavailable:  # a busy machine: once more, as a producer does; a delivery more harms nobody
            return False
        return True

    await record.until(taken, f"the bus takes plan {plan['plan_id']}")
    record.deliveries += 1


def _holder(record: Record, pair: tuple[Stage, Stage]) -> Stage | None:
    """Whose lease it is, by the process id that the owner's name ends with; None while it is a dead one's."""
    rows = record.rows(HOLDER)
    owner = rows[0]["owner"] if rows and rows[0]["expires_ms"] > SystemClock().now_ms() else ""
    return next((each for each in pair if each.pid and owner.endswith(f"-{each.pid}")), None)


async def _kill_holder(
    record: Record, pair: tuple[Stage, Stage], choose: random.Random, say: Callable[[str], None]
) -> None:
    holder = _holder(record, pair)
    if holder is not None:
        deaths = holder.deaths()
        shot = Shot("", choose.choice(list(Moment)), choose.randint(1, 200))

        async def has_died() -> bool:
            return holder.deaths() > deaths

        dying = holder.pid
        holder.shoot(shot)
        await record.until(has_died, "the holder dies")

        async def is_taken_over() -> bool:
            now = _holder(record, pair)
            return now is not None and now.pid != dying

        await record.until(is_taken_over, "somebody takes the lease over")
        say(f"{holder.place.name} held the lease of {ACCOUNT} and was killed: {holder.trace()[-1].name}")


async def _stop_holder(record: Record, pair: tuple[Stage, Stage], report: Report, say: Callable[[str], None]) -> None:
    await record.until(lambda: _has_holder(record, pair), "somebody holds the lease")
    holder = _holder(record, pair)
    if holder is None:
        return
    say(f"{holder.place.name} is stopped for {PAUSE_S:g} s")
    await holder.pause(PAUSE_S)

    async def has_ended() -> bool:
        return holder.pauses == 0

    await record.until(has_ended, "the stopped process ends as fenced")
    report.faults_hit["stopped past its lease"] += 1


async def _has_holder(record: Record, pair: tuple[Stage, Stage]) -> bool:
    return _holder(record, pair) is not None
