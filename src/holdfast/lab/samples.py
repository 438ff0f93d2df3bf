"""Many measured times in, a few figures out. Pure.

Percentiles are by nearest rank: the smallest sample that at least p percent of all samples do not exceed. So every
percentile is a time that was really measured, never one between two of them. Nanoseconds in, milliseconds out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.domain.errors import Unclassified

if TYPE_CHECKING:
    from collections.abc import Sequence

NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Timing:
    """One measured time in milliseconds: median, 99th percentile, and over how many samples."""

    p50: float
    p99: float
    n: int


@dataclass(frozen=True, slots=True)
class TimingRatio:
    """How many times the floor's percentile ours is."""

    p50: float
    p99: float


def percentile(ordered: Sequence[int], percent: int) -> int:
    """The nearest-rank percentile of samples in rising order; `percent` from 1 to 100. Raises Unclassified for none."""
    if not ordered:
        raise Unclassified("no sample, no percentile")
    rank = -(-len(ordered) * percent // 100)  # rounded up: ranks count from 1
    return ordered[rank - 1]


def timing_of(samples_ns: Sequence[int]) -> Timing:
    """The figures of some durations in nanoseconds. Raises Unclassified for none, or for a negative one."""
    ordered = sorted(samples_ns)
    if ordered and ordered[0] < 0:
        raise Unclassified(f"a duration of {ordered[0]} ns: two clocks were mixed, or an answer came before its cause")
    p50, p99 = (percentile(ordered, percent) / NS_PER_MS for percent in (50, 99))
    return Timing(round(p50, 3), round(p99, 3), len(ordered))


def ratio_of(ours: Timing, floor: Timing) -> TimingRatio:
    """Ours over the floor's."""
    return TimingRatio(round(ours.p50 / floor.p50, 2), round(ours.p99 / floor.p99, 2))
