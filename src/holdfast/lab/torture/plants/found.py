"""Bugs that our own code had until a history or a drill found them, each put back as it was.

Each has a story, in `stories`, in which it shows: `tests/regressions/test_found_bugs_must_not_come_back.py` plays it
with the bug and without.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.decide.evidence import missing_trades
from holdfast.domain.errors import VenueUnavailable
from holdfast.lab.torture.plants.catalogue import Catalogue, adder
from holdfast.lab.torture.plants.needs import DRIFT, act, both, shape
from holdfast.lab.torture.plants.swaps import reworded, swapped
from holdfast.lab.torture.story import read_story
from holdfast.ports.venue import StreamUp
from holdfast.services import moves
from holdfast.services.context import Rules
from holdfast.services.mode_watch import ModeWatch
from holdfast.services.open_orders import OpenOrders
from holdfast.services.resolving import Resolver
from holdfast.venues.binance import client
from holdfast.venues.binance.stream import BinanceStream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from holdfast.lab.torture.story import Story
    from holdfast.venues.binance.transport import Socket

FOUND: Catalogue = {}
_plant = adder(FOUND)
FOR_EVER_S = 1e9
STORIES = Path(__file__).with_name("stories")


def story_of(name: str) -> Story:
    """The story in which one of these bugs shows. Raises CannotStart if it has none."""
    return read_story(STORIES / f"{name}.json")


@_plant(
    "stream-swallows-its-end",
    "a stream whose connection breaks in the moment in which it is ended connects again",
    act("cut at stop"),
)
def _swallowed() -> AbstractContextManager[None]:
    async def watch(self: Any, socket: Socket) -> None:
        self._probes.clear()
        self._push(StreamUp(self._clock.now_ms()))
        watching = (self._receive(socket), self._probe(socket), self._keep_alive())
        await _as_a_task_group(tuple(asyncio.create_task(each) for each in watching))

    return swapped(BinanceStream, "_watch", watch)


async def _as_a_task_group(tasks: tuple[asyncio.Task[None], ...]) -> None:
    """Wait as a task group does before Python 3.13: cancelled while a task fails, it tells of the failure alone."""
    with suppress(asyncio.CancelledError):
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    while not all(task.done() for task in tasks):
        for task in tasks:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait(tasks)
    errors = [error for task in tasks if not task.cancelled() and (error := task.exception()) is not None]
    if not errors:
        raise asyncio.CancelledError
    raise next((error for error in errors if not isinstance(error, VenueUnavailable)), errors[0])


@_plant(
    "halted-for-an-hour",
    "an apply process of its own that heard of a halted symbol believes it until the hour is over",
    both(DRIFT, act("symbol halted"), shape(lambda shape: "apply" in shape.units)),
)
def _hour() -> AbstractContextManager[None]:
    return swapped(Rules, "doubt", lambda _self, _reason: None)


@_plant(
    "resting-told-late",
    "an order that rested and is gone, and changed too shortly before a reading to prove anything, waits for the next",
    act("gtc"),
)
def _late() -> AbstractContextManager[None]:
    return reworded(OpenOrders._interval_ms, "self._has_left", "False")


@_plant("mode-not-watched", "the account's position mode is read at a start, and never again", act("mode changed"))
def _unwatched() -> AbstractContextManager[None]:
    async def sleep(_self: Any) -> None:
        await asyncio.sleep(FOR_EVER_S)

    return swapped(ModeWatch, "run", sleep)


@_plant("wait-that-spins", "the last part of a millisecond before a reading of open orders is waited out in a circle")
def _spinning() -> AbstractContextManager[None]:
    return reworded(OpenOrders.run, " + 999_999", "")


@_plant(
    "doubt-kept-by-others",
    "an order whose fate is not known stays in doubt once somebody else has moved its position",
    both(DRIFT, act("order answer")),
)
def _kept() -> AbstractContextManager[None]:
    return reworded(Resolver._footprint, "held in fitting", "held == before")


@_plant(
    "adopted-trade-counts-twice",
    "a trade that shows only after a person adopted what it made of the position is evidence of another one",
    both(DRIFT, act("stale_trades"), act("adopt")),
)
def _twice() -> AbstractContextManager[None]:
    @contextmanager
    def planted() -> Iterator[None]:
        with (
            reworded(missing_trades, "and trade.venue_ms > ledger.watermark_ms", ""),
            reworded(Resolver._footprint, "trade.venue_ms > ledger.watermark_ms", "True"),
        ):
            yield

    return planted()


@_plant(
    "offset-outlives-a-set-clock",
    "what is read is dated by the distance to the venue's clock as it was before our own clock was set",
    both(DRIFT, act("clock jump"), act("stale stale_positions")),
)
def _offset() -> AbstractContextManager[None]:
    return swapped(client, "was_set", lambda _then, _now: False)


@_plant(
    "cause-goes-back",
    "a hold that is updated takes the last view for its cause, be it older than the one that placed it",
    both(DRIFT, act("stale stale_positions")),
)
def _back() -> AbstractContextManager[None]:
    return swapped(moves, "newest_cause_ms", lambda _standing, view: view.as_of_ms if view is not None else 0)
