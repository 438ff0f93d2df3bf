"""A loop on which waiting takes no time: when nothing is ready, its clock jumps to the next timer.

Everything else is asyncio's own. A wait that nothing can ever end is an error at once, not a hang.
"""
# ruff: noqa: D102 - asyncio and the Clock port say what these are

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

from tests.unit.decide.samples import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

Value = TypeVar("Value")


class _Selector(selectors.SelectSelector):
    """Never blocks: it moves the loop's time instead."""

    def __init__(self) -> None:
        super().__init__()
        self.passed_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen: every task waits for what nobody will do")
        self.passed_s += max(timeout, 0.0)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop; `time` starts at 0."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.passed_s


class VirtualClock:
    """The Clock port on the virtual loop; `jump` moves the wall clock alone."""

    def __init__(self) -> None:
        self.jumped_ms = 0

    def now_ms(self) -> int:
        return NOW + self.jumped_ms + round(asyncio.get_running_loop().time() * 1000)

    def monotonic_ns(self) -> int:
        return round(asyncio.get_running_loop().time() * 1_000_000_000)

    def jump(self, ms: int) -> None:
        """Let the wall clock jump, as one does that is set right."""
        self.jumped_ms += ms


def play(story: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
    """Run one story on a loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(story())


async def until(condition: Callable[[], bool], within_ms: int = 60_000) -> None:
    """Let virtual time pass until the condition holds."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within_ms / 1000
    while not condition():
        if loop.time() > end:
            raise AssertionError(f"not within {within_ms} ms of virtual time")
        await pass_ms(1)


async def pass_ms(ms: float) -> None:
    """Let virtual time pass: a timer on this loop, on which no real time goes by."""
    passed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(ms / 1000, passed.set_result, None)
    await passed
