"""The venue's clock as seen from here: one offset, measured through GET /fapi/v1/time.

The venue read its clock somewhere between our two readings; the middle is the guess, half the round trip its
error. Of several samples the one with the shortest round trip counts. The round trip is measured on the
monotonic clock, so that a wall clock that jumps in between cannot bend it.
"""

from __future__ import annotations

from dataclasses import dataclass

SAMPLES = 3
"""Requests a measurement; the first one may pay for a new connection."""
_NS_A_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading of the venue's clock."""

    offset_ms: int
    """Venue minus ours."""
    round_trip_ns: int


def sample_of(our_ms: int, started_ns: int, ended_ns: int, venue_ms: int) -> Sample:
    """Build a sample: `our_ms` and `started_ns` read before the request, `ended_ns` after the answer."""
    round_trip_ns = max(ended_ns - started_ns, 0)
    return Sample(venue_ms - our_ms - round_trip_ns // (2 * _NS_A_MS), round_trip_ns)


def best_of(samples: tuple[Sample, ...]) -> Sample:
    """The sample with the smallest possible error."""
    return min(samples, key=lambda one: one.round_trip_ns)
