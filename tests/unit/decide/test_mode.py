"""The two tables of the position mode, over every input."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from holdfast.decide.mode import ModeAnswer, ModeFacts, at_start, while_running
from holdfast.domain.sides import PositionMode
from tests.unit.decide.tables import Row, hold_to

if TYPE_CHECKING:
    from collections.abc import Iterator

READ = (None, *PositionMode)


def world() -> Iterator[ModeFacts]:
    """Every mode in every place, at rest and not, with none, some and all legs held."""
    for journaled, venue, setting, rest in product(READ, READ, PositionMode, (True, False)):
        for held, unheld in product((0, 1, 3), (0, 2)):
            yield ModeFacts(journaled, venue, setting, is_at_rest=rest, held=held, unheld=unheld)


def lived_by(f: ModeFacts) -> PositionMode:
    """The journal's mode, before the baseline the settings'."""
    return f.setting if f.journaled is None else f.journaled


AT_START: list[Row[ModeFacts]] = [
    Row("not read", lambda f: f.venue is None and lived_by(f) is f.setting, ModeAnswer.GO_ON),
    Row("not the settings'", lambda f: f.venue is not f.setting, ModeAnswer.REFUSE_START),
    Row("no baseline", lambda f: f.journaled is None, ModeAnswer.GO_ON),
    Row("back", lambda f: f.journaled is f.venue and f.held > 0, ModeAnswer.LET_GO),
    Row("same", lambda f: f.journaled is f.venue, ModeAnswer.GO_ON),
    Row("at rest", lambda f: f.is_at_rest, ModeAnswer.ACCEPT),
    Row("not at rest", lambda _: True, ModeAnswer.REFUSE_START),
]
RUNNING: list[Row[ModeFacts]] = [
    Row("not read", lambda f: f.venue is None, ModeAnswer.GO_ON),
    Row("back", lambda f: f.venue is lived_by(f) and f.held > 0, ModeAnswer.LET_GO),
    Row("same", lambda f: f.venue is lived_by(f), ModeAnswer.GO_ON),
    Row("changed", lambda f: f.unheld > 0, ModeAnswer.HOLD_ALL),
    Row("all held", lambda _: True, ModeAnswer.GO_ON),
]


def test_a_start_falls_under_its_row() -> None:
    """At a start every combination of modes is answered by the first row that applies."""
    hold_to(AT_START, world(), at_start)


def test_a_reading_while_running_falls_under_its_row() -> None:
    """While running every combination of modes is answered by the first row that applies."""
    hold_to(RUNNING, world(), while_running)


def test_a_mode_is_never_taken_up_without_the_settings_and_rest() -> None:
    """ACCEPT needs the exchange and the settings to agree, and an account at rest; a running process never accepts."""
    for facts in world():
        assert while_running(facts) not in {ModeAnswer.ACCEPT, ModeAnswer.REFUSE_START}
        if at_start(facts) is ModeAnswer.ACCEPT:
            assert facts.venue is facts.setting
            assert facts.is_at_rest
