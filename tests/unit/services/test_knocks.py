"""Wake-ups: none is lost, none is doubled, and none outlives its wait."""

from __future__ import annotations

import asyncio

from holdfast.lab.torture.loop import pass_ms, play
from holdfast.services.knocks import Changes, Knocks


def test_a_knock_before_the_wait_is_taken_at_once() -> None:
    """Whoever comes late finds the keys that were knocked, in order, each once."""

    async def story() -> None:
        knocks: Knocks[str] = Knocks()
        for key in ("a", "b", "a"):
            knocks.knock(key)
        assert await knocks.take(60_000) == ("a", "b")
        assert asyncio.get_running_loop().time() == 0

    play(story)


def test_a_knock_during_the_wait_ends_it() -> None:
    """The taker wakes when the knock comes, not at its bound."""

    async def story() -> None:
        knocks: Knocks[str] = Knocks()
        taking = asyncio.ensure_future(knocks.take(60_000))
        await pass_ms(10)
        knocks.knock("a")
        assert await taking == ("a",)
        assert asyncio.get_running_loop().time() < 1

    play(story)


def test_without_a_knock_the_wait_ends_at_its_bound_with_nothing() -> None:
    """An empty hand means: look around by yourself."""

    async def story() -> None:
        knocks: Knocks[str] = Knocks()
        assert await knocks.take(500) == ()
        knocks.knock("late")
        assert await knocks.take(500) == ("late",)

    play(story)


def test_a_change_told_between_expecting_and_waiting_is_not_missed() -> None:
    """A waiter that was taken before reading wakes for what changed while it read."""

    async def story() -> None:
        changes: Changes[str] = Changes()
        first, second = changes.expect("a"), changes.expect("a")
        other = changes.expect("b")
        changes.tell("a")
        await changes.wait("a", first, 60_000)
        await changes.wait("a", second, 60_000)
        assert asyncio.get_running_loop().time() == 0
        await changes.wait("b", other, 50)
        assert changes._waiters == {}

    play(story)


def test_a_forgotten_waiter_leaves_nothing_behind() -> None:
    """Waiters that were given back are not kept."""

    async def story() -> None:
        changes: Changes[str] = Changes()
        changes.forget("a", changes.expect("a"))
        assert changes._waiters == {}

    play(story)
