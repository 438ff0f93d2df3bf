"""The picture's merging, and what a stamp may say of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.sides import Source
from holdfast.domain.view import AccountView
from holdfast.lab.torture.loop import pass_ms, play
from holdfast.ports.venue import PositionsSeen, StreamAlive, StreamGap, StreamUp
from holdfast.services.picture import Picture
from tests.unit.decide.samples import ACCOUNT, LEG, NOW, OTHER_LEG, OTHER_SYMBOL, SYMBOL, VIEW, ZERO, D
from tests.unit.services.world import new_world

if TYPE_CHECKING:
    from holdfast.domain.view import PositionView


def complete(as_of_ms: int, *views: PositionView, read_ms: int = NOW) -> AccountView:
    """A complete answer."""
    return AccountView(ACCOUNT, None, {view.leg: view for view in views}, as_of_ms, read_ms, Source.REST)


def test_a_leg_is_unknown_until_somebody_showed_it() -> None:
    """No view is no position, not a flat one."""
    assert Picture().of(LEG) is None


@pytest.mark.parametrize(("as_of_ms", "amt"), [(VIEW.as_of_ms - 1, "7"), (VIEW.as_of_ms + 1, "3")])
def test_venue_time_decides_which_view_counts(as_of_ms: int, amt: str) -> None:
    """An answer that arrives later but was true earlier does not count."""
    picture = Picture()
    picture.see(VIEW)
    picture.see(replace(VIEW, amt=D(3), as_of_ms=as_of_ms, read_ms=NOW + 100))
    found = picture.of(LEG)
    assert found is not None
    assert found.amt == D(amt)


def test_a_complete_answer_makes_the_absent_flat() -> None:
    """A leg that a newer complete answer leaves out is flat; one that a fresher event showed is not."""
    picture = Picture()
    picture.see(VIEW)
    fresh = replace(VIEW, leg=OTHER_LEG, as_of_ms=VIEW.as_of_ms + 500)
    picture.see(fresh)
    touched = picture.see_all(complete(VIEW.as_of_ms + 100))
    assert set(touched) == {LEG, OTHER_LEG}
    flat, kept = picture.of(LEG), picture.of(OTHER_LEG)
    assert flat is not None
    assert kept is not None
    assert (flat.amt, kept.amt) == (ZERO, D(7))


def test_a_symbols_answer_says_nothing_of_others() -> None:
    """A complete answer about one symbol flattens only that symbol, and is no complete view."""
    picture = Picture()
    picture.see(VIEW)
    picture.see(replace(VIEW, leg=OTHER_LEG))
    answer = AccountView(ACCOUNT, SYMBOL, {}, VIEW.as_of_ms + 100, NOW, Source.REST)
    assert picture.see_all(answer) == (LEG,)
    other = picture.of(OTHER_LEG)
    assert other is not None
    assert other.amt == D(7)
    assert picture.complete_read_ms is None
    assert OTHER_LEG.symbol == OTHER_SYMBOL


def test_a_stamp_needs_stream_proof_and_a_view_asked_for_after_the_connection() -> None:
    """Neither a view from before the connection, nor a connection without an answered probe, proves anything."""

    async def story() -> None:
        world = await new_world()
        feed, clock = world.feed, world.clock

        def proof() -> int | None:
            return feed.proof_ms

        await feed._view()
        assert proof() is None
        await pass_ms(10)
        feed._take(StreamUp(clock.now_ms()))
        feed._take(StreamAlive(clock.now_ms()))
        assert proof() is None
        await pass_ms(10)
        await feed._view()
        proved = proof()
        assert proved is not None
        await pass_ms(10)
        feed._take(StreamAlive(clock.now_ms() - 3))
        assert proof() == clock.now_ms() - 3

    play(story)


def test_a_gap_takes_the_proof_away_and_a_new_connection_does_not_bring_it_back() -> None:
    """After a gap a probe of the old life, the new connection and the old view prove nothing."""

    async def story() -> None:
        world = await new_world()
        feed, clock = world.feed, world.clock

        def proof() -> int | None:
            return feed.proof_ms

        feed._take(StreamUp(clock.now_ms()))
        await feed._view()
        feed._take(StreamAlive(clock.now_ms()))
        assert proof() is not None
        feed._take(StreamGap("gone"))
        assert proof() is None
        feed._take(StreamAlive(clock.now_ms()))
        assert proof() is None
        await pass_ms(10)
        feed._take(StreamUp(clock.now_ms()))
        feed._take(StreamAlive(clock.now_ms()))
        assert proof() is None

    play(story)


def test_a_view_that_has_aged_proves_nothing() -> None:
    """Past `view_age_ms_max`, or with an age below 0, no stamp."""

    async def story() -> None:
        world = await new_world()
        feed, clock = world.feed, world.clock

        def proof() -> int | None:
            return feed.proof_ms

        feed._take(StreamUp(clock.now_ms()))
        await feed._view()
        feed._take(StreamAlive(clock.now_ms()))
        clock.jump(-60_000)
        assert proof() is None
        clock.jump(60_000)
        assert proof() is not None
        await pass_ms(5_100)
        assert proof() is None

    play(story)


def test_a_failed_view_is_no_view_and_everybody_looks_again() -> None:
    """What could not be read changes nothing in the picture."""

    async def story() -> None:
        world = await new_world()
        world.picture.see(VIEW)
        world.venue.reads_fail = True
        world.wakes.legs.take_now()
        assert not await world.feed._view()
        assert world.picture.of(LEG) == VIEW
        assert world.wakes.legs.take_now() != ()

    play(story)


def test_positions_seen_knock_their_leg() -> None:
    """An event about a position is merged, and its leg is looked at."""

    async def story() -> None:
        world = await new_world()
        world.feed._take(PositionsSeen((VIEW,), "ORDER"))
        assert world.picture.of(LEG) == VIEW
        assert LEG in world.wakes.legs.take_now()

    play(story)
