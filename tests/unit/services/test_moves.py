"""How new the cause of a hold is: as new as the newest that ever spoke for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.services.moves import newest_cause_ms
from tests.unit.decide.samples import HOLD, VIEW

OLDER, NEWER = 1_000, 2_000


@pytest.mark.parametrize(
    ("standing_ms", "view_ms", "expected"),
    [
        (None, None, 0),
        (None, OLDER, OLDER),
        (OLDER, None, OLDER),
        (OLDER, NEWER, NEWER),
        (NEWER, OLDER, NEWER),
        (NEWER, NEWER, NEWER),
    ],
)
def test_the_cause_of_a_hold_never_goes_back(standing_ms: int | None, view_ms: int | None, expected: int) -> None:
    """A view makes the cause newer or leaves it; without a view it stays; a new hold's is its view's."""
    standing = replace(HOLD, cause_as_of_ms=standing_ms) if standing_ms is not None else None
    view = replace(VIEW, as_of_ms=view_ms) if view_ms is not None else None

    assert newest_cause_ms(standing, view) == expected
