"""Stories: histories written out in full, kept in a file, and played without what a seed draws."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.errors import CannotStart
from holdfast.lab.torture.acts import Act, Cue
from holdfast.lab.torture.climate import STORM, USUAL
from holdfast.lab.torture.dice import keyed, shared
from holdfast.lab.torture.litter import kept_aside
from holdfast.lab.torture.prompter import Prompter
from holdfast.lab.torture.replay import keep_story, story_text
from holdfast.lab.torture.schedule import DEED_KINDS, FAULT_KINDS, draw
from holdfast.lab.torture.story import Story, read_story
from holdfast.lab.torture.world import play_history

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SEED = 3
NAMES = "f0,d1,d2,d3"


def kept(path: Path) -> Story:
    """A few acts of a seed, written out."""
    keep_story(path, SEED, NAMES, "")
    return read_story(path)


def test_a_kept_history_is_the_seeds_own_acts_and_plays_the_same_each_time(tmp_path: Path) -> None:
    """The file holds shape, faults and deeds as the seed drew them; two plays of it agree to the last line."""
    path = tmp_path / "story.json"
    story, whole = kept(path), draw(SEED)

    assert (story.seed, story.shape, story.faults) == (SEED, whole.shape, whole.faults[:1])
    assert story.deeds == whole.deeds[1:4]
    assert path.read_text() == story.text()
    assert story_text(path, "") == story_text(path, "")


def test_a_violations_report_leads_to_a_story(tmp_path: Path) -> None:
    """Keeping says what it shows and how to play it; playing says the seed that it was found with."""
    path = tmp_path / "story.json"

    told = keep_story(path, SEED, NAMES, "")
    played, is_found = story_text(path, "")

    assert f"holdfast torture --story {path}" in told
    assert f"seed {SEED}, hash " in played
    assert not is_found


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda text: text.replace('"format": 1', '"format": 7'), "format 7"),
        (lambda text: text.replace('"kind":"plan"', '"kind":"dance"'), "no deed is called 'dance'"),
        (lambda text: text.replace('"units":["both"]', '"units":["neither"]'), "no process runs 'neither'"),
        (lambda text: text.replace('"seed": 3', '"seed": "three"'), "is no story"),
        (lambda text: text[:-9], "is no story"),
    ],
)
def test_a_file_that_this_world_cannot_play_is_refused(tmp_path: Path, spoil: Callable[[str], str], says: str) -> None:
    """Another format, an unknown act or process, a wrong type, half a file: each is named, none is played."""
    path = tmp_path / "story.json"
    kept(path)
    path.write_text(spoil(path.read_text()))

    with pytest.raises(CannotStart, match=says):
        read_story(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A name that leads nowhere is said."""
    with pytest.raises(CannotStart, match="cannot be read"):
        read_story(tmp_path / "nowhere.json")


def test_an_act_waits_for_its_cue_and_is_told_if_that_never_came() -> None:
    """A trade by hand comes right after the second intent; what waits for a tenth close is left."""
    deeds = tuple(act for act in draw(SEED).deeds if act.kind == "plan")
    at_second = Act(0, "hand", ("ETHUSDT", "BUY", "LONG", 1), Cue("journal", "INTENT", 2))
    never = Act(0, "hand", ("ETHUSDT", "BUY", "LONG", 1), Cue("journal", "CLOSE_PLANNED", 10))
    schedule = replace(draw(SEED), deeds=(*deeds, at_second, never), faults=(), dice=0)

    with kept_aside():
        ended = play_history(schedule)

    by_hand = next(n for n, line in enumerate(ended.lines) if "ETHUSDT LONG by hand" in line)
    assert sum(" INTENT " in line for line in ended.lines[:by_hand]) == 2
    assert ended.left == (never,)
    assert not ended.violations


def test_one_draw_more_shifts_its_own_purpose_alone() -> None:
    """Keyed dice keep the streams of different purposes apart; shared ones are one stream."""
    more, less = keyed("here"), keyed("here")
    more("commits").random()

    assert more("answers").random() == less("answers").random()
    assert more("commits").random() != less("commits").random()
    one = shared("here")
    assert one("commits") is one("answers")


def test_a_cue_counts_whole_words_of_one_speaker() -> None:
    """`CLOSE` is no part of `CLOSE_PLANNED`, and what another says counts nothing."""
    done: list[Act] = []
    prompter = Prompter(lambda _ms, do, act: do(act))
    act = Act(5, "hand", (), Cue("journal", "CLOSE", 2))
    prompter.prompt(act, done.append)

    for who, what in (("journal", "7 CLOSE_PLANNED ab"), ("journal", "8 CLOSE cd"), ("person", "9 CLOSE ef")):
        prompter.hear(who, what)
    assert prompter.left == (act,)
    prompter.hear("journal", "10 CLOSE")

    assert done == [act]
    assert not prompter.is_waiting


def test_whatever_is_drawn_can_stand_in_a_story() -> None:
    """What seeds draw, in fair weather and in a storm, is known to whoever reads a file."""
    drawn = [draw(seed, climate) for seed in range(300) for climate in (USUAL, STORM)]

    assert {act.kind for each in drawn for act in each.faults} == FAULT_KINDS
    assert {act.kind for each in drawn for act in each.deeds} == DEED_KINDS
