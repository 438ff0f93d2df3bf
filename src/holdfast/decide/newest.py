"""Which of two views of one leg counts.

Venue time decides; receipt does not, because a REST read may be answered late and stale.

    | candidate.as_of against current.as_of | candidate.source | result    |
    |---------------------------------------|------------------|-----------|
    | later                                 | any              | candidate |
    | equal                                 | any, read later  | candidate |
    | equal                                 | any, read not later | current |
    | earlier                               | any              | current   |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.domain.view import PositionView


def newest(current: PositionView | None, candidate: PositionView) -> PositionView:
    """Return the view that counts from now on (see the module's table)."""
    if current is None or candidate.as_of_ms > current.as_of_ms:
        return candidate
    if candidate.as_of_ms == current.as_of_ms and candidate.read_ms > current.read_ms:
        return candidate
    return current
