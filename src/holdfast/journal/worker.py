"""One background thread that runs functions in order and tells the loop when each has ended.

It is for calls that block outside Python (an fsync, a wait for a lock): nothing else belongs here, see `groups`.
"""

from __future__ import annotations

import asyncio
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Task = tuple[Callable[[], None], Callable[[BaseException | None], None]]


class Worker:
    """A thread of the running loop. Its queue is bounded by its user, who has one task under way at a time."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def start(self, function: Callable[[], None], then: Callable[[BaseException | None], None]) -> None:
        """Run `function` in the thread; `then` gets None, or what it raised, on the loop."""
        self._tasks.put((function, then))

    def stop(self) -> None:
        """End the thread after the tasks it was given."""
        self._tasks.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            function, then = task
            error: BaseException | None = None
            try:
                function()
            except BaseException as raised:  # noqa: BLE001 it is handed to `then`
                error = raised
            try:
                self._loop.call_soon_threadsafe(then, error)
            except RuntimeError:
                return  # the loop was closed without closing the journal: nobody is left who could be told
