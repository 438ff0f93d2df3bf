"""The second half of the histories that every run of the tests plays."""

from __future__ import annotations

import pytest

from tests.unit.lab.torture.histories import play


@pytest.mark.parametrize("first", range(151, 301, 25))
def test_no_later_history_of_the_deterministic_world_violates_anything(first: int) -> None:
    """Twenty-five seeds: crashes, lost answers, silent streams, people who trade by hand; the oracle finds nothing."""
    play(first, first + 25)
