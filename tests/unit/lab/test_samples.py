"""Percentiles by nearest rank, and ratios."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.errors import Unclassified
from holdfast.lab.samples import Timing, TimingRatio, percentile, ratio_of, timing_of


@pytest.mark.parametrize(
    ("count", "percent", "expected"),
    [
        (1, 1, 1),
        (1, 50, 1),
        (1, 99, 1),
        (2, 50, 1),
        (2, 51, 2),
        (3, 50, 2),
        (4, 50, 2),
        (5, 50, 3),
        (99, 99, 99),
        (100, 99, 99),
        (101, 99, 100),
        (200, 99, 198),
        (1_000, 99, 990),
        (1_000, 100, 1_000),
    ],
)
def test_a_percentile_is_the_sample_of_its_rank(count: int, percent: int, expected: int) -> None:
    """Of the numbers from 1 to n the percentile is n times percent, rounded up to a whole rank."""
    assert percentile(range(1, count + 1), percent) == expected


@given(st.lists(st.integers(0, 10**12), min_size=1), st.integers(1, 100))
def test_a_percentile_bounds_its_share_of_the_samples(samples: list[int], percent: int) -> None:
    """At least p percent of the samples do not exceed the percentile, and no smaller sample bounds so many."""
    ordered = sorted(samples)
    found = percentile(ordered, percent)
    assert found in samples
    assert 100 * sum(each <= found for each in samples) >= percent * len(samples)
    assert 100 * sum(each < found for each in samples) < percent * len(samples)


def test_a_timing_names_milliseconds_of_unordered_nanoseconds() -> None:
    """Samples may come in any order; figures are milliseconds, with the number of samples."""
    samples = [3_000_000, 1_000_000, 2_000_000, 250_500_000]
    assert timing_of(samples) == Timing(p50=2.0, p99=250.5, n=4)


def test_no_sample_gives_no_figure() -> None:
    """A percentile of nothing is refused, not 0."""
    with pytest.raises(Unclassified):
        timing_of([])


def test_a_negative_duration_is_refused() -> None:
    """An effect before its cause means mixed clocks, and no figure comes of it."""
    with pytest.raises(Unclassified, match="-1 ns"):
        timing_of([5, -1, 7])


def test_a_ratio_divides_each_percentile_by_the_floors() -> None:
    """The ratio says how many times the floor's time ours is, for p50 and p99 apart."""
    assert ratio_of(Timing(5.0, 30.0, 10), Timing(2.0, 10.0, 99)) == TimingRatio(p50=2.5, p99=3.0)
