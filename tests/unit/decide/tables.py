"""Holds a decision against its table: a list of rows, written again from the docstring, first match wins.

`hold_to` proves for a stream of inputs that the decision is what the first matching row says, that no input falls
through, that every row is reached, and that every row but those named as exclusive loses or wins somewhere
against another (so that the order of the rows is really tested).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Facts = TypeVar("Facts")


@dataclass(frozen=True, slots=True)
class Row(Generic[Facts]):
    """One row of a decision table."""

    name: str
    applies: Callable[[Facts], bool]
    expected: Any
    """What the decision must be: compared by `==` with what `seen` makes of it."""


def hold_to(
    rows: Sequence[Row[Facts]],
    inputs: Iterable[Facts],
    seen: Callable[[Facts], object],
    *,
    alone: frozenset[str] = frozenset(),
) -> Counter[str]:
    """Assert the table (see the module); return how many inputs each row decided.

    `alone` names the rows whose facts exclude those of all others, so that order means nothing to them.
    """
    decided: Counter[str] = Counter()
    contested: set[str] = set()
    for facts in inputs:
        matching = [row for row in rows if row.applies(facts)]
        assert matching, f"falls through: {facts}"
        first = matching[0]
        actual = seen(facts)
        assert actual == first.expected, f"row {first.name}: {actual} is not {first.expected}: {facts}"
        decided[first.name] += 1
        if len(matching) > 1:
            contested.update(row.name for row in matching)
    names = {row.name for row in rows}
    assert len(names) == len(rows), "two rows of one name"
    assert names == set(decided), f"never reached: {sorted(names - set(decided))}"
    assert names - contested == alone, f"order not tested at {sorted((names - contested) ^ alone)}"
    return decided
