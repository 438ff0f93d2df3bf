"""The world's border: no socket, thread, process or real waiting while a history is played.

Python tells its audit hooks of most of these before they happen; one that happens inside a history is an error, whoever
did it. A hook can't be taken away again, so it is set once, and sleeps outside of histories. Threads are refused at
their one door in the standard library, because older Pythons do not tell of them.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import TYPE_CHECKING, Final, NoReturn

from holdfast.lab.torture.loop import NotInThisWorld

if TYPE_CHECKING:
    from collections.abc import Iterator

FORBIDDEN: Final = frozenset(
    {
        *("socket.__new__", "socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto"),
        "time.sleep",
        *("subprocess.Popen", "os.system", "os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.spawn"),
    }
)


class _Fence:
    def __init__(self) -> None:
        self.is_set = False
        self.is_closed = False

    def hear(self, event: str, _args: object) -> None:
        if self.is_closed and event in FORBIDDEN:
            raise NotInThisWorld(f"{event} inside a history: nothing in there may leave virtual time")


_FENCE = _Fence()


@contextlib.contextmanager
def fenced() -> Iterator[None]:
    """Close the border from entering to leaving. Whoever crosses it gets NotInThisWorld."""
    if not _FENCE.is_set:
        sys.addaudithook(_FENCE.hear)
        _FENCE.is_set = True
    _FENCE.is_closed = True
    start = threading.Thread.start
    threading.Thread.start = _no_thread  # type: ignore[assignment, method-assign] # put back below
    try:
        yield
    finally:
        threading.Thread.start = start  # type: ignore[method-assign] # as it was
        _FENCE.is_closed = False


def _no_thread(thread: threading.Thread) -> NoReturn:
    raise NotInThisWorld(f"a thread {thread.name} inside a history: nothing in there may leave virtual time")
