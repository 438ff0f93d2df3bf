"""The program that explores the model, without SPIN: what it reads, and what it does not take for a proof."""

from __future__ import annotations

import pytest

from model.explore import (
    LONGER,
    MODEL,
    PLANTS,
    SEARCHES,
    STATES_MIN,
    Found,
    Kind,
    Plant,
    Search,
    numbers_of,
    problems_of,
    read_output,
)

CLEAN = """
Full statespace search for:
	assertion violations	+
	invalid end states	+

State-vector 124 byte, depth reached 62, errors: 0
  2005662 states, stored
  5373821 states, matched
"""
VIOLATED = """pan:1: assertion violated (acc[1]<=1) (at depth 38)
pan: wrote holdfast.pml.trail
Warning: Search not completed
Full statespace search for:
State-vector 124 byte, depth reached 40, errors: 1
       62 states, stored
"""
WHOLE = Found(STATES_MIN, 62, 0, complete=True, violation="")
CAUGHT = Found(62, 40, 1, complete=False, violation="assertion violated (acc[1]<=1)")
SEARCH = Search("a crash", {"CRASHES": 1})
PLANT = Plant("NO_ALERT")


def test_a_search_that_ended_is_read_with_its_counts() -> None:
    """States, depth and errors of a whole search are what the verifier printed."""
    assert read_output(CLEAN) == Found(2_005_662, 62, 0, complete=True, violation="")


def test_a_violation_is_read_with_its_claim() -> None:
    """The violated claim is named, without its depth."""
    assert read_output(VIOLATED) == CAUGHT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pan: error while loading shared libraries",
        "error: max search depth too small\n" + CLEAN,
        CLEAN.replace("Full statespace", "Warning: Search not completed\nFull statespace"),
        CLEAN.replace("Full statespace search", "Bit statespace search"),
        CLEAN + "pan: reached -DMEMLIM bound\npan: out of memory\n",
    ],
)
def test_a_search_that_was_cut_short_is_no_proof(text: str) -> None:
    """Silence, a bound that was reached, hashing and a full memory all count as cut short."""
    assert not read_output(text).complete


def test_whole_searches_and_found_mistakes_prove_the_model() -> None:
    """Nothing stands against it if each search is whole and each mistake was found."""
    assert problems_of([(SEARCH, WHOLE)], [(PLANT, CAUGHT)]) == []


@pytest.mark.parametrize(
    ("found", "planted", "problem"),
    [
        (CAUGHT, CAUGHT, "a crash: assertion violated (acc[1]<=1)"),
        (Found(STATES_MIN, 62, 0, complete=False, violation=""), CAUGHT, "a crash: the search was cut short"),
        (Found(STATES_MIN - 1, 62, 0, complete=True, violation=""), CAUGHT, "fewer than"),
        (WHOLE, WHOLE, "planted NO_ALERT was not found"),
    ],
)
def test_each_lack_keeps_the_model_from_being_proven(found: Found, planted: Found, problem: str) -> None:
    """A violation, a cut, too few states and a mistake that nobody finds are each named."""
    assert any(problem in each for each in problems_of([(SEARCH, found)], [(PLANT, planted)]))


def test_every_mistake_of_the_model_is_planted_and_every_misfortune_is_one() -> None:
    """The lists of the program and of the model name the same things."""
    model = MODEL.read_text(encoding="utf-8")
    named = {name for each in (*SEARCHES, *LONGER, *PLANTS) for name in each.misfortunes}

    assert set(numbers_of(model)) == {plant.name for plant in PLANTS}
    assert all(f'from_environment("{name}")' in model for name in named)
    assert {search.kind for search in SEARCHES} == set(Kind)
