"""A process inside the virtual loop: code that can be paused, or killed without a last word.

    RUNNING  its callbacks run
    PAUSED   they are withheld, in order; its timers come due meanwhile, and run when it goes on
    KILLED   they are dropped, for ever

What is started inside a process belongs to it (a context variable, which tasks and callbacks inherit). Killing from
inside, in the middle of a call: `await process.perish()`, which never returns. Plain code that is running when its
own process is killed runs on up to its next await; so whatever it can reach there must be cut first.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar, copy_context
from enum import Enum
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from holdfast.lab.torture.loop import VirtualLoop

KEPT_MIN = 64
"""Tasks kept before the ended ones are sorted out for the first time."""


class Life(Enum):
    """What becomes of a process's callbacks."""

    RUNNING = "running"
    PAUSED = "paused"
    KILLED = "killed"


RUNNING = Life.RUNNING


class Process:
    """See the module. Made by `VirtualLoop.new_process`."""

    def __init__(self, name: str, loop: VirtualLoop) -> None:
        self.name = name
        self.life = Life.RUNNING
        self._loop = loop
        self._withheld: list[asyncio.Handle] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self._sort_out_at = KEPT_MIN

    def start(self, coroutine: Coroutine[Any, Any, Any], name: str | None = None) -> asyncio.Task[Any]:
        """Run a coroutine inside the process. Raises RuntimeError if it was killed."""
        if self.life is Life.KILLED:
            coroutine.close()
            raise RuntimeError(f"{self.name} is dead")
        context = copy_context()
        context.run(OWNER.set, self)
        return self._loop.create_task(coroutine, name=name, context=context)

    def pause(self) -> None:
        """Withhold its callbacks from now on."""
        if self.life is Life.RUNNING:
            self.life = Life.PAUSED

    def resume(self) -> None:
        """Go on: what was withheld runs now, in its order."""
        if self.life is Life.PAUSED:
            self.life = Life.RUNNING
            withheld, self._withheld = self._withheld, []
            self._loop.resume(withheld)

    def kill(self) -> None:
        """End it without a last word; see the module for a process that kills itself."""
        if self.life is Life.KILLED:
            return
        self.life = Life.KILLED
        self._withheld.clear()
        left = [task for task in self._tasks if not task.done()]
        self._tasks.clear()
        for task in left:
            asyncio.tasks._unregister_task(task)  # noqa: SLF001 - documented for whoever extends asyncio
        self._loop.lay_out(left)

    async def perish(self) -> NoReturn:
        """Kill the process that the caller runs in; nothing after this is reached."""
        self.kill()
        await self._loop.create_future()
        raise RuntimeError(f"{self.name} was killed and yet runs")

    def takes(self, handle: asyncio.Handle) -> bool:
        """Tell whether the callback may run now; keep it if it may later."""
        if self.life is Life.RUNNING:
            return True
        if self.life is Life.PAUSED:
            self._withheld.append(handle)
        return False

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Note one of its tasks; called by the loop."""
        if len(self._tasks) >= self._sort_out_at:
            self._tasks = [each for each in self._tasks if not each.done()]
            self._sort_out_at = max(KEPT_MIN, 2 * len(self._tasks))
        self._tasks.append(task)


OWNER: ContextVar[Process | None] = ContextVar("owner", default=None)
"""The process that the running code belongs to; None is the world itself."""
