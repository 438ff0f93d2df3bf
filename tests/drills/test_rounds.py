"""Which round comes next, and what a second kill is aimed at."""

from __future__ import annotations

import random

import msgspec
import pytest

from holdfast.lab.drills.causes import CAUSES, NOTHING
from holdfast.lab.drills.effects import Moment, Reached, Shot
from holdfast.lab.drills.record import Resend
from holdfast.lab.drills.rounds import (
    RECOVERY_REACHES,
    TRIES_MAX,
    Cover,
    Recipe,
    Round,
    Start,
    circumstances,
    in_recovery,
    recoveries,
)
from holdfast.lab.drills.stage import BusKind, LeaseWait

SEND = "venue.submit apply Sender.send<Executor.execute [EXECUTE]"
ASK = "venue.order apply Resolver._look_up<Resolver._look_into"
START = "venue.instruments apply _first_answers<build_account"


def _cover() -> Cover:
    return Cover(random.Random(1))  # noqa: S311 - a drill's dice


def _reached(name: str, life: int = 1) -> Reached:
    return Reached(Moment.BEFORE, name, is_death=False, life=life)


def test_both_sides_of_an_effect_are_queued_though_one_was_seen() -> None:
    """An effect that was reached is killed before and after."""
    cover = _cover()

    cover.learn([_reached(SEND)], Recipe())

    assert {target.shot for target in cover.queue} == {Shot(SEND, moment) for moment in Moment}


def test_a_rare_effect_is_aimed_at_under_the_cause_that_brought_it_up() -> None:
    """The recipe of the round in which a side was first seen comes with it, alone with its like."""
    cover = _cover()
    cover.learn([_reached(SEND)], Recipe())
    cover.learn([_reached(SEND), _reached(ASK)], Recipe("lookups late"))

    rounds = [cover.next_round(), cover.next_round()]

    found = {played.recipe.cause: {shot.name for shot in played.shots} for played in rounds if played is not None}
    assert found == {NOTHING: {SEND}, "lookups late": {ASK}}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (SEND, Recipe("answers late")),
        (START, Recipe("answers late", Start.KILLED)),
        ("journal.transact reconcile Reconciler._step [BASELINE]", Recipe("answers late", Start.FIRST)),
        ("journal.give_up apply _give_up<_apply_job.job", Recipe("answers late", Start.ENDED)),
        (
            "venue.sync_clock apply read_again<_apply_job.job",
            Recipe("answers late", Start.KILLED, LeaseWait.STOOD_BY),
        ),
        ("bus.read_plans apply Intake._read_plans", Recipe("answers late", resend=Resend.NEVER)),
    ],
)
def test_an_effect_is_aimed_at_where_it_happens(name: str, expected: Recipe) -> None:
    """Starts, ends, first starts, waits for a lease and plans in hand have rounds of their own kind."""
    assert circumstances(name, Recipe("answers late", Start.FIRST)) == expected


def test_a_side_that_was_died_of_is_not_aimed_at_again() -> None:
    """A death takes its side out of the queue, whichever round it was meant for."""
    cover = _cover()
    cover.learn([_reached(SEND)], Recipe())

    cover.died(Shot(SEND, Moment.BEFORE))

    assert [target.shot for target in cover.queue] == [Shot(SEND, Moment.AFTER)]


def test_a_side_that_never_comes_up_again_is_reported_missed() -> None:
    """After the last try in vain it stands among the missed, and the queue is empty."""
    cover = _cover()
    cover.learn([_reached(SEND)], Recipe())

    for _ in range(2 * TRIES_MAX):
        if (played := cover.next_round()) is not None:
            cover.not_hit(played, played.shots)

    assert set(cover.missed) == {Shot(SEND, moment) for moment in Moment}
    assert cover.next_round() is None


def test_what_only_recovery_brings_up_is_aimed_at_with_the_death_before_it() -> None:
    """A side that was first seen after a death shares its round with that death, though it was died of before."""
    cover = _cover()
    death = Reached(Moment.AFTER, SEND, is_death=True, life=1)
    cover.learn([_reached(SEND)], Recipe())
    for moment in Moment:
        cover.died(Shot(SEND, moment))
    cover.learn([_reached(SEND), death, _reached(ASK, life=2)], Recipe())

    played = cover.next_round()

    assert played is not None
    assert set(played.shots) == {Shot(ASK, Moment.BEFORE), Shot(ASK, Moment.AFTER), Shot(SEND, Moment.AFTER)}


def test_second_kills_go_round_all_sides_of_recovery() -> None:
    """Each side of recovery is aimed at once before any is aimed at twice."""
    cover = _cover()
    names = [f"{START} {number}" for number in range(5)]
    cover.learn([_reached(SEND), *(_reached(name, life=2) for name in names)], Recipe())
    aimed = []
    for _ in range(len(cover.recovery)):
        second = cover.second_after(Shot(SEND, Moment.BEFORE))
        assert second is not None
        cover.crossing(Shot(SEND, Moment.BEFORE), second)
        aimed.append(second)

    assert {shot.name for shot in aimed} == set(names)
    assert len(set(aimed)) == len(cover.recovery)
    assert cover.uncrossed() == []


def test_recovery_is_what_a_successor_reaches_first() -> None:
    """The first victim's effects are no recovery, nor is what a successor does long after its start."""
    life = [_reached("early", 2)] * RECOVERY_REACHES + [_reached("late", 2)]
    death = Reached(Moment.AFTER, "late", is_death=True, life=2)

    assert recoveries([_reached("first"), *life]) == {"early"}
    assert in_recovery(life[:3], death)
    assert not in_recovery(life, death)
    assert not in_recovery([], Reached(Moment.AFTER, "late", is_death=True, life=1))


def test_a_round_that_is_played_again_is_the_same_round() -> None:
    """What a violation prints is read back as it was."""
    this = Round(Recipe("reads fail", Start.KILLED), (), BusKind.EXTERNAL, (Shot(SEND, Moment.AFTER, 2),))

    assert msgspec.json.decode(msgspec.json.encode(this), type=Round) == this


def test_every_cause_arms_something() -> None:
    """Only the cause called nothing arms nothing."""
    empty = [name for name, cause in CAUSES.items() if not cause.faults and not cause.empties_bus]
    assert empty == [NOTHING]
