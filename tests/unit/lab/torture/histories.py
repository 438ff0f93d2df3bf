"""Playing a range of seeds inside a test, and saying what was violated."""

from __future__ import annotations

from holdfast.lab.torture.jobs import find, play_range


def play(first: int, last: int) -> None:
    """Play the seeds and fail with the first violation, shrunk."""
    played = play_range(first, last)
    told = find(played.violated[0], "").text() if played.violated else ""
    assert not played.violated, f"{told}\n\nviolated: {played.violated}"
