"""Planted bugs: the oracle sees each in the history that showed it, nothing without it, and no wheel has them."""

from __future__ import annotations

import itertools
from functools import lru_cache
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from holdfast.decide import guardrails
from holdfast.lab.torture.litter import kept_aside
from holdfast.lab.torture.plants import PLANTS
from holdfast.lab.torture.plants.caught import known, page
from holdfast.lab.torture.plants.found import FOUND, STORIES, story_of
from holdfast.lab.torture.plants.swaps import reworded, without
from holdfast.lab.torture.schedule import draw
from holdfast.lab.torture.shrink import rule_of
from holdfast.lab.torture.world import play_history

ROOT = Path(__file__).parents[4]
PLANTS_MIN = 25
TRIES_MAX = 8
CAUGHT = known()


@lru_cache(maxsize=64)
def rule_without(seed: int) -> str:
    """What is violated in the history of a seed when nothing was planted."""
    with kept_aside():
        return rule_of(play_history(draw(seed)).violations)


def shown_by(name: str) -> int | None:
    """The seed that shows a plant: the recorded one, or, if the product's timing has changed since, one of the next."""
    plant, seed = PLANTS[name], CAUGHT[name].seed
    candidates = itertools.islice((each for each in itertools.count(seed) if plant.needs(draw(each))), TRIES_MAX)
    with plant.planted(), kept_aside():
        return next((each for each in candidates if rule_of(play_history(draw(each)).violations)), None)


@pytest.mark.parametrize("name", sorted(CAUGHT))
def test_the_oracle_sees_the_plant(name: str) -> None:
    """A history shows the plant, and shows nothing without it."""
    seed = shown_by(name)

    assert seed is not None
    assert rule_without(seed) == ""


def test_a_plant_that_no_longer_fits_says_so() -> None:
    """Taking a row out of a function that has no such row is an error, not a bug that does nothing."""
    with pytest.raises(LookupError, match="no_such_rule"), without(guardrails.judge_message, "'no_such_rule'"):
        pass


def test_every_plant_was_caught() -> None:
    """None is listed that nobody has seen, and there are enough of them."""
    assert set(CAUGHT) == set(PLANTS)
    assert len(CAUGHT) >= PLANTS_MIN


def test_a_plant_whose_words_are_gone_says_so() -> None:
    """Rewording what does not stand there is an error too."""
    with pytest.raises(LookupError, match="no such words"), reworded(guardrails.judge_message, "no such words", ""):
        pass


def test_every_bug_that_our_own_code_had_has_its_story() -> None:
    """One file a bug, which names it; no file without a bug."""
    stories = {path.stem: story_of(path.stem) for path in STORIES.glob("*.json")}
    assert set(stories) == set(FOUND)
    assert all(story.plant == name and story.rule for name, story in stories.items())


def test_the_page_says_what_was_caught() -> None:
    """docs/plants.md is the last hunt's page."""
    assert (ROOT / "docs" / "plants.md").read_text() == page(PLANTS, CAUGHT)


def test_no_wheel_has_them() -> None:
    """The wheel's builder takes the world along, and not the plants."""
    files = {each.distribution_path for each in WheelBuilder(str(ROOT)).recurse_included_files()}

    assert "holdfast/lab/torture/world.py" in files
    assert not [path for path in files if "/plants/" in path]
