"""The venue's clock as seen from here: one offset, measured through GET /fapi/v1/time.

The venue read its clock somewhere between our two readings; the middle is the guess, half the round trip its
error. Of several samples the one with the shortest round trip counts. The round trip is measured on the
monotonic clock, so that a wall clock that jumps in between cannot bend it.

The offset is true as long as our wall clock goes on as it did. One that was set since (or a machine that slept) shows
against the monotonic clock, and the offset is measured again before anything is dated by it: a read that is dated too
late could end a hold whose drift still stands.
"""

from __future__ import annotations

from dataclasses import dataclass

SAMPLES = 3
"""Requests a measurement; the first one may pay for a new connection."""
SET_MS_MIN = 20
"""A wall clock that moved so far against the monotonic one was set; what disciplines it slowly moves both."""
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


def was_set(then: tuple[int, int], now: tuple[int, int]) -> bool:
    """Tell whether the wall clock was set between two readings, each of it (ms) and of the monotonic clock (ns)."""
    passed_ms = (now[1] - then[1]) // _NS_A_MS
    return abs(now[0] - then[0] - passed_ms) >= SET_MS_MIN
