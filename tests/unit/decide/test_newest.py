"""The table of `newest`, enumerated."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from holdfast.decide.newest import newest
from holdfast.domain.sides import Source
from holdfast.domain.view import PositionView
from tests.unit.decide.samples import NOW, VIEW, D
from tests.unit.decide.tables import Row, hold_to

Pair = tuple[PositionView | None, PositionView]

ROWS: list[Row[Pair]] = [
    Row("first", lambda pair: pair[0] is None, "candidate"),
    Row("later", lambda pair: pair[0] is not None and pair[1].as_of_ms > pair[0].as_of_ms, "candidate"),
    Row(
        "equal, read later",
        lambda pair: pair[0] is not None and pair[1].as_of_ms == pair[0].as_of_ms and pair[1].read_ms > pair[0].read_ms,
        "candidate",
    ),
    Row(
        "equal, read not later",
        lambda pair: (
            pair[0] is not None and pair[1].as_of_ms == pair[0].as_of_ms and pair[1].read_ms <= pair[0].read_ms
        ),
        "current",
    ),
    Row("earlier", lambda pair: pair[0] is not None and pair[1].as_of_ms < pair[0].as_of_ms, "current"),
]


def pairs() -> list[Pair]:
    """Every order of venue times, reading times and sources."""
    views = [
        replace(VIEW, amt=D(amt), as_of_ms=NOW + as_of, read_ms=NOW + read, source=source)
        for amt, as_of, read, source in product((0, 1), (-1, 0, 1), (-1, 0, 1), Source)
    ]
    return [(current, replace(candidate)) for current in (None, *views) for candidate in views]


def test_venue_time_decides_then_receipt() -> None:
    """A view counts if it is later by venue time, or equal and read later; its source and amount say nothing."""

    def seen(pair: Pair) -> str:
        chosen = newest(*pair)
        if chosen is pair[1]:
            return "candidate"
        return "current" if chosen is pair[0] else "neither"

    hold_to(ROWS, pairs(), seen, alone=frozenset(row.name for row in ROWS))


def test_the_same_views_in_any_order_end_at_the_same_instant() -> None:
    """Views that arrive out of order leave the newest venue time standing, whatever the order."""
    views = [replace(VIEW, as_of_ms=NOW + at, read_ms=NOW + read) for at, read in product((0, 1, 2), (5, 6))]
    for shift in range(len(views)):
        current: PositionView | None = None
        for view in views[shift:] + views[:shift]:
            current = newest(current, view)
        assert current is not None
        assert (current.as_of_ms, current.read_ms) == (NOW + 2, NOW + 6)
