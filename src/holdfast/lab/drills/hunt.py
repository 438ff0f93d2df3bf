"""One round's shots across its deaths: which victim is aimed at what, and what each death was.

The victim dies at whichever of the round's sides comes up first; its successor is aimed at the others and, if that
death was no second one itself, at an effect of its recovery. A round that is played again is a chain instead: each
victim is aimed at the side that the victim in its place died of.

Invariant: the chain names every death of the round in order, so that it can be played again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from holdfast.lab.drills.rounds import Start, in_recovery

if TYPE_CHECKING:
    from holdfast.lab.drills.effects import Shot
    from holdfast.lab.drills.rounds import Cover, Round
    from holdfast.lab.drills.stage import Stage

POLL_S = 0.02
END_S_MAX = 15.0
"""How long an orderly end, or the death in it, may take."""


@dataclass(slots=True)
class Hunt:
    """See the module."""

    here: Stage
    played: Round
    cover: Cover
    left: list[Shot] = field(default_factory=list)
    """Sides that nobody died of yet."""
    chain: list[Shot] = field(default_factory=list)
    """Sides that were died of, in order."""
    seconds: int = 0
    """How many of these deaths were in the recovery from the one before."""
    _second: Shot | None = None
    _seen: int = 0
    _is_over: bool = False

    def __post_init__(self) -> None:
        """Aim at what the round names; deaths of earlier rounds are not its own."""
        self.left = list(self.played.shots)
        self._seen = self.here.deaths()

    async def begin(self) -> None:
        """Aim at the victim that runs now, or bring it to the start or end that its recipe wants."""
        self.here.aims = self.next_shots
        match self.played.recipe.start:
            case Start.RUNNING:
                self.here.shoot(*self._aims())
            case Start.KILLED:
                self.here.kill()
            case Start.ENDED:
                await self._end_often()
            case Start.FIRST:
                pass

    async def _end_often(self) -> None:
        """End a victim in order for each side that belongs to an end."""
        for _ in range(len(self.played.shots) + len(self.played.chain)):
            self._take_stock()
            if not self._aims():
                return
            await self.here.up()
            starts = self.here.starts
            self.here.shoot(*self._aims())
            self.here.stop()
            async with asyncio.timeout(END_S_MAX):
                while self.here.starts == starts:  # noqa: ASYNC110 - the keeper of another chain tells of no event
                    await asyncio.sleep(POLL_S)

    async def wait(self) -> None:
        """Give what comes by the clock alone its time, each death anew."""
        loop = asyncio.get_running_loop()
        deaths, until = self._seen, loop.time() + self.played.recipe.patience_s
        while self._aims() and loop.time() < until:
            await asyncio.sleep(POLL_S)
            self._take_stock()
            if self._seen > deaths:
                deaths, until = self._seen, loop.time() + self.played.recipe.patience_s

    def end(self) -> None:
        """Let whoever runs now, and all that come, live."""
        self._is_over = True
        self._take_stock()
        self.here.hold_fire()
        self.here.aims = None

    def next_shots(self) -> tuple[Shot, ...]:
        """Where the victim that starts next shall die."""
        if self._is_over:
            return ()
        self._take_stock()
        return self._aims()

    def _aims(self) -> tuple[Shot, ...]:
        if self.played.chain:
            return self.played.chain[len(self.chain) : len(self.chain) + 1]
        second = () if self._second is None or self._second in self.left else (self._second,)
        return (*self.left, *second)

    def _take_stock(self) -> None:
        """Look at the deaths since the last time; choose the second one that goes with the newest."""
        deaths = self.here.last_deaths()
        for death in deaths[self._seen :]:
            side = death.side
            is_second = bool(self.chain) and in_recovery(self.here.trace(), death)
            self.cover.died(side)
            if is_second:
                self.seconds += 1
                self.cover.crossing(self.chain[-1], side)
            self.chain.append(side)
            if side in self.left:
                self.left.remove(side)
            if side == self._second or is_second:
                self._second = None
            else:
                self._second = None if self.played.chain else self.cover.second_after(side)
        self._seen = len(deaths)
