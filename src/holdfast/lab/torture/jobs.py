"""Histories played by several processes, each its share of the seeds; what they found, in one report.

A job is a process of its own, started anew (never forked from a process that has threads), which plays seeds one after
the other and keeps nothing between them. The order in which jobs end has no influence on anything but the progress.
"""

from __future__ import annotations

import gc
import multiprocessing
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from holdfast.lab.torture.climate import STORM, USUAL
from holdfast.lab.torture.litter import collect, kept_aside
from holdfast.lab.torture.planting import check_is_known, plant
from holdfast.lab.torture.report import Found, Report
from holdfast.lab.torture.schedule import Schedule, draw
from holdfast.lab.torture.shrink import rule_of, shrink
from holdfast.lab.torture.world import play_history

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from holdfast.lab.torture.acts import Act
    from holdfast.lab.torture.climate import Climate

CHUNK: Final = 5
"""Seeds that a job takes at once."""
AHEAD: Final = 2
"""Shares a job that are handed in: one is played, one waits."""
COLLECT_EVERY: Final = 10
"""Histories between two runs of the garbage collector, which is off while one is played."""
FOUND_MAX: Final = 1
"""Violations that are shrunk and told; of the others the seeds are named."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for."""

    first_seed: int
    schedules: int | None
    """None: as many as fit into `seconds`."""
    seconds: float | None
    jobs: int
    plant: str = ""
    climate: Climate = USUAL


@dataclass(frozen=True, slots=True)
class Played:
    """What one chunk brought."""

    digests: tuple[tuple[int, str], ...]
    hits: Counter[str]
    plans: int
    violated: tuple[int, ...]


def run_order(order: Order, progress: Callable[[Report], None]) -> Report:
    """Play it. `progress` is called after every chunk. Raises CannotStart for a planted bug that there is not."""
    if order.plant:
        check_is_known(order.plant)
    report = Report(order.first_seed)
    started = time.monotonic()
    violated: list[int] = []
    for played in _chunks(order, started):
        report.digests.update(played.digests)
        report.schedules += len(played.digests)
        report.plans += played.plans
        report.hits.update(played.hits)
        report.violations += len(played.violated)
        violated.extend(played.violated)
        report.seconds = time.monotonic() - started
        progress(report)
    report.violated = tuple(sorted(violated))
    for seed in report.violated[:FOUND_MAX]:
        report.found.append(find(seed, order.plant, order.climate))
    return report


def _chunks(order: Order, started: float) -> Iterator[Played]:
    if order.jobs <= 1:
        if order.plant:
            plant(order.plant)
        for first, last in _ranges(order, started):
            yield play_range(first, last, order.climate)
        return
    context = multiprocessing.get_context("spawn")
    ranges = _ranges(order, started)
    with ProcessPoolExecutor(order.jobs, context, _prepare, (order.plant,)) as pool:
        # Few shares wait at a time: what is handed in is played, also when the time is over.
        playing = {pool.submit(play_range, *share, order.climate) for share in islice(ranges, AHEAD * order.jobs)}
        while playing:
            done, playing = wait(playing, return_when=FIRST_COMPLETED)
            playing |= {pool.submit(play_range, *share, order.climate) for share in islice(ranges, len(done))}
            for future in done:
                yield future.result()


def _ranges(order: Order, started: float) -> Iterator[tuple[int, int]]:
    seed, end = order.first_seed, None if order.schedules is None else order.first_seed + order.schedules
    while end is None or seed < end:
        if order.seconds is not None and time.monotonic() - started > order.seconds:
            return
        last = seed + CHUNK if end is None else min(seed + CHUNK, end)
        yield seed, last
        seed = last


def _prepare(plant_name: str) -> None:
    """Make a process ready to play: no collector during a history, nothing of the start looked at by it."""
    if plant_name:
        plant(plant_name)
    gc.disable()
    gc.collect()
    gc.freeze()


def play_range(first: int, last: int, climate: Climate = USUAL) -> Played:
    """Play the seeds from `first` up to `last`, which is not played."""
    digests: list[tuple[int, str]] = []
    hits: Counter[str] = Counter()
    violated: list[int] = []
    plans = 0
    with kept_aside():
        for seed in range(first, last):
            ended = play_history(draw(seed, climate))
            digests.append((seed, ended.digest))
            hits.update(ended.hits)
            plans += ended.plans
            if ended.violations:
                violated.append(seed)
            if len(digests) % COLLECT_EVERY == 0:
                collect()
    return Played(tuple(digests), hits, plans, tuple(violated))


def find(seed: int, plant_name: str, climate: Climate = USUAL) -> Found:
    """Shrink the history of a seed that was violated, and tell it."""
    whole = draw(seed, climate)
    with kept_aside():
        rule = rule_of(play_history(whole).violations)
        small = shrink(whole, lambda schedule: rule_of(play_history(schedule).violations) == rule)
        ended = play_history(small)
    command = f"holdfast torture --replay {seed} --acts {kept(whole, small)}"
    if climate == STORM:
        command += " --storm"
    if plant_name:
        command += f" --plant {plant_name}"
    return Found(seed, ended.violations, small, ended.lines, command)


def kept(whole: Schedule, small: Schedule) -> str:
    """Which acts of the whole schedule a smaller one has: `f0,f3,d7`."""
    names = [f"f{number}" for number in _places(whole.faults, small.faults)]
    names += [f"d{number}" for number in _places(whole.deeds, small.deeds)]
    return ",".join(names) or "none"


def keeping(whole: Schedule, names: str) -> Schedule:
    """The schedule with the acts that are named as `kept` names them; all of it for an empty text.

    Raises ValueError for a name of nothing.
    """
    if not names:
        return whole
    wanted = set() if names == "none" else set(names.split(","))
    faults = [act for number, act in enumerate(whole.faults) if f"f{number}" in wanted]
    deeds = [act for number, act in enumerate(whole.deeds) if f"d{number}" in wanted]
    if len(faults) + len(deeds) < len(wanted):
        raise ValueError(f"of {names!r} not all are acts of seed {whole.seed}")
    return whole.keeping(deeds=deeds, faults=faults)


def _places(whole: tuple[Act, ...], part: tuple[Act, ...]) -> list[int]:
    places: list[int] = []
    for act in part:
        places.append(next(n for n, each in enumerate(whole) if each == act and n not in places))
    return places
