"""Which legs are judged next: urgent ones first, quiet ones never, and no stamp before what came before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.names import AccountId, Symbol
from holdfast.domain.sides import Leg, PositionSide
from holdfast.services.agenda import QUEUED_MAX, QUEUED_MIN, URGENT_MAX, Agenda

if TYPE_CHECKING:
    from collections.abc import Sequence

MS = 1_000_000


def legs(count: int, name: str = "S") -> tuple[Leg, ...]:
    """So many legs."""
    return tuple(Leg(AccountId("a"), Symbol(f"{name}{number}"), PositionSide.BOTH) for number in range(count))


def take_all(agenda: Agenda, now_ns: int = 0) -> list[Leg]:
    """Everything that is due, step by step."""
    found: list[Leg] = []
    while taken := agenda.take(now_ns):
        found += taken
        agenda.done()
    return found


def test_an_urgent_leg_goes_before_hundreds_that_wait_their_turn() -> None:
    """A leg that is knocked for while 500 are queued stands first in the next step."""
    agenda, (urgent,) = Agenda(), legs(1, "URGENT")
    agenda.queue(legs(500))
    assert len(agenda.take(0)) == QUEUED_MAX
    agenda.done()
    agenda.urge((urgent,))
    taken = agenda.take(0)
    assert taken[0] == urgent
    assert len(taken) <= QUEUED_MAX


def test_urgent_legs_never_starve_the_queued_ones() -> None:
    """However many legs are urgent, each step judges a few that are queued."""
    agenda = Agenda()
    agenda.queue(legs(10))
    agenda.urge(legs(200, "URGENT"))
    taken = agenda.take(0)
    assert len(taken) == URGENT_MAX + QUEUED_MIN


def test_a_queued_leg_that_is_knocked_for_becomes_urgent_and_is_judged_once() -> None:
    """It moves to the front, and does not stand at the back any more."""
    agenda, found = Agenda(), legs(40)
    agenda.queue(found)
    agenda.urge((found[39],))
    taken = take_all(agenda)
    assert taken[0] == found[39]
    assert sorted(taken, key=Leg.sort_key) == sorted(found, key=Leg.sort_key)


def test_an_appointment_comes_at_its_time_and_not_before() -> None:
    """Until then nothing need be done; the wait says how long."""
    agenda, (leg,) = Agenda(), legs(1)
    assert agenda.wait_ns(0) is None
    agenda.appoint(leg, 5 * MS)
    agenda.appoint(leg, 9 * MS)
    assert agenda.wait_ns(1 * MS) == 4 * MS, "the earlier appointment stands"
    assert agenda.take(4 * MS) == ()
    assert agenda.take(5 * MS) == (leg,)
    agenda.done()
    assert agenda.wait_ns(5 * MS) is None


def test_judging_a_leg_makes_its_appointment_void() -> None:
    """What was judged meanwhile makes its own appointments."""
    agenda, (leg,) = Agenda(), legs(1)
    agenda.appoint(leg, 5 * MS)
    agenda.urge((leg,))
    assert take_all(agenda, 1 * MS) == [leg]
    assert agenda.wait_ns(1 * MS) is None
    assert agenda.take(9 * MS) == ()


def test_a_leg_that_is_looked_at_for_hours_leaves_nothing_behind() -> None:
    """Ten thousand appointments of one leg, each void by the next judging, are not kept."""
    agenda, (leg,) = Agenda(), legs(1)
    for turn in range(10_000):
        agenda.appoint(leg, turn * MS + 3_600_000 * MS)
        agenda.urge((leg,))
        assert take_all(agenda, turn) == [leg]
    assert len(agenda._times) < 1_000


def test_a_mark_is_past_once_all_that_stood_there_was_taken() -> None:
    """What comes after the mark does not keep it."""
    agenda, (first, later) = Agenda(), legs(2)
    agenda.urge((first,))
    mark = agenda.mark()
    assert not agenda.is_past(mark)
    agenda.take(0)
    agenda.done()
    agenda.urge((later,))
    assert agenda.is_past(mark)


def test_what_is_put_back_keeps_its_place_before_the_mark() -> None:
    """A stamp can not overtake a drift whose step failed, nor one that was knocked for again meanwhile."""
    agenda, (leg,) = Agenda(), legs(1)
    agenda.urge((leg,))
    mark = agenda.mark()
    agenda.take(0)
    agenda.urge((leg,))
    agenda.put_back()
    assert not agenda.is_past(mark)
    assert take_all(agenda) == [leg]
    assert agenda.is_past(mark)


@given(st.lists(st.tuples(st.sampled_from(("urge", "queue", "appoint", "take", "fail")), st.integers(0, 30))))
def test_nothing_that_was_asked_for_is_ever_lost(story: Sequence[tuple[str, int]]) -> None:
    """Whatever the order of knocks, appointments and failed steps: each leg asked for is judged after it."""
    agenda, known, owed = Agenda(), legs(31), set[Leg]()
    for now_ns, (act, number) in enumerate(story):
        leg = known[number]
        if act == "urge":
            agenda.urge((leg,))
        elif act == "queue":
            agenda.queue((leg,))
        elif act == "appoint":
            agenda.appoint(leg, now_ns + number)
        if act in {"urge", "queue", "appoint"}:
            owed.add(leg)
        elif act == "take":
            owed -= set(agenda.take(now_ns))
            agenda.done()
        else:
            agenda.take(now_ns)
            agenda.put_back()
    owed -= set(take_all(agenda, 10_000))
    assert not owed
    assert agenda.wait_ns(10_000) is None
