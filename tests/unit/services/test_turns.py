"""Mark prices are read once for all accounts of a process, each account in its turn, whoever is missing."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.errors import VenueUnavailable
from holdfast.lab.torture.loop import pass_ms, play
from holdfast.services.supervisor import MARKS_MS, Turn, keep_rules
from tests.unit.services.world import new_world

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from holdfast.domain.names import Symbol
    from tests.unit.services.world import World


class Prices:
    """A venue that notes who asks for prices, when."""

    def __init__(self, number: int, asked: list[tuple[int, float]]) -> None:
        self._number = number
        self._asked = asked
        self.fails = False

    async def mark_prices(self) -> Mapping[Symbol, Decimal]:
        """Nothing is priced here."""
        self._asked.append((self._number, asyncio.get_running_loop().time()))
        await pass_ms(3)
        if self.fails:
            raise VenueUnavailable("the story wants it so")
        return {}


async def ask(world: World, numbers: list[int], count: int, ms: int, failing: int = -1) -> list[tuple[int, float]]:
    """Let these of `count` accounts keep prices for so long; who asked when."""
    asked: list[tuple[int, float]] = []
    world.rules.read_ns = world.clock.monotonic_ns()
    tasks = []
    for number in numbers:
        prices = Prices(number, asked)
        prices.fails = number == failing
        context = replace(world.apply)
        tasks.append(asyncio.ensure_future(keep_rules(context, prices, Turn(number, count))))  # type: ignore[arg-type]  # only prices are asked for
    await pass_ms(ms)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return asked


@pytest.mark.parametrize(("numbers", "count"), [([0], 1), ([0, 1, 2], 3), ([0, 3], 20), ([5, 6, 19], 20)])
def test_prices_are_read_every_two_seconds_by_whoever_is_there(numbers: list[int], count: int) -> None:
    """Accounts that another process runs leave no gap, and those that are here take turns."""

    async def story() -> None:
        asked = await ask(await new_world(), numbers, count, 60_000)
        times = [at for _, at in asked]
        gaps_ms = [round((later - earlier) * 1000) for earlier, later in itertools.pairwise(times)]
        assert all(MARKS_MS <= gap_ms < MARKS_MS + 500 for gap_ms in gaps_ms), gaps_ms
        assert {number for number, _ in asked} == set(numbers)
        shares = [sum(each == number for each, _ in asked) for number in numbers]
        assert max(shares) - min(shares) <= 1

    play(story)


def test_one_account_whose_readings_fail_costs_its_turn_and_no_more() -> None:
    """The next account asks at its own time, not at once and not never."""

    async def story() -> None:
        asked = await ask(await new_world(), [0, 1, 2], 3, 20_000, failing=1)
        assert [number for number, _ in asked][:6] == [1, 2, 0, 1, 2, 0]

    play(story)
