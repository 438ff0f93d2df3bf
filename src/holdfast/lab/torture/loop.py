"""An asyncio loop without a machine below it: its time is a number, and waiting takes none.

    ready       callbacks run first in, first out; nothing else is ever consulted
    nothing     ready: time jumps to the earliest timer; timers of one moment run in the order they were set
    no timer    either: `Deadlock`, because nobody will ever do anything again
    too much    `MOMENT_CALLS_MAX` callbacks and no time passed: `Livelock`

There is no selector, no socket, no thread, no child process: whoever asks for one gets `NotInThisWorld`. Tasks hash by
the order in which they were made, so that sets of tasks (TaskGroup, asyncio.wait) are walked in the same order in
every process.

Owners. A callback belongs to the `Process` in whose context it was scheduled, if any. Whose process is paused has its
callbacks withheld, in order, until it goes on; time passes meanwhile. Whose process is killed has them dropped for
ever: none of its code runs again, no `finally` either (its tasks are kept from the garbage collector, which would run
them, and are buried when the loop is closed and nothing they do reaches anybody).
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from contextvars import copy_context
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, TypeVarTuple, Unpack, cast

from holdfast.lab.torture.process import OWNER, RUNNING, Process

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextvars import Context

Value = TypeVar("Value")
Arguments = TypeVarTuple("Arguments")
Handle = asyncio.Handle

MOMENT_CALLS_MAX = 100_000
"""Callbacks that one moment of virtual time may take."""
BURIAL_TRIES_MAX = 100
"""Times that a dead coroutine may wait for something while it is closed."""

_ABSENT = (
    *("add_reader", "remove_reader", "add_writer", "remove_writer", "add_signal_handler", "remove_signal_handler"),
    *("sock_recv", "sock_recv_into", "sock_recvfrom", "sock_recvfrom_into", "sock_sendall", "sock_sendto"),
    *("sock_connect", "sock_accept", "sock_sendfile", "sendfile", "start_tls", "getaddrinfo", "getnameinfo"),
    *("create_connection", "create_server", "create_unix_connection", "create_unix_server", "connect_accepted_socket"),
    *("create_datagram_endpoint", "connect_read_pipe", "connect_write_pipe", "subprocess_shell", "subprocess_exec"),
    *("run_in_executor", "set_default_executor"),
)


class Deadlock(RuntimeError):
    """Every task waits for what nobody will do. A bug of the world, or of what it plays."""


class Livelock(RuntimeError):
    """Callbacks call one another, and no time passes."""


class NotInThisWorld(RuntimeError):
    """Somebody asked the virtual loop for a thread, a socket, a signal or a process."""


class _Call(asyncio.TimerHandle):
    """A callback in line, without what asyncio's own handles keep for debugging; the loop runs it with its own hand."""

    __slots__ = ()

    def __init__(  # asyncio's own looks at the loop's debug mode four times a handle
        self, callback: Callable[..., object], args: tuple[Any, ...], loop: VirtualLoop, context: Context | None
    ) -> None:
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._loop = loop
        self._context = copy_context() if context is None else context

    def cancel(self) -> None:
        """Do not run it; it stays in line, and is passed over when its time has come."""
        self._cancelled = True
        self._callback = _nothing
        self._args = ()

    def __repr__(self) -> str:
        return f"<call of {self._callback!r}>"  # asyncio's own tells what is not kept here


def _nothing() -> None:
    """What a cancelled call would do: so that it keeps nothing alive."""


class _Task(asyncio.Task[Any]):
    """A task with a place in line."""

    def __init__(self, serial: int, coroutine: Coroutine[Any, Any, Any], **options: Any) -> None:
        self._serial = serial  # before the rest: asyncio hashes a task while it is made
        super().__init__(coroutine, **options)

    def __hash__(self) -> int:
        return self._serial


def _absent(name: str) -> Callable[..., NoReturn]:
    def refuse(*_args: object, **_named: object) -> NoReturn:
        raise NotInThisWorld(f"the virtual loop has no {name}: no sockets, threads, signals or processes in there")

    return refuse


class VirtualLoop(asyncio.BaseEventLoop):
    """See the module. `time` starts at 0."""

    _stopping: bool  # asyncio's own loop sets it when it is told to stop

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0
        self._calls: deque[_Call] = deque()
        self._timers: list[tuple[float, int, _Call]] = []
        self._serial = 0
        self._moment_calls = 0
        self._is_over = False
        self._made_in = threading.get_ident()
        self._processes: list[Process] = []
        self._dead: list[asyncio.Task[Any]] = []
        self.set_task_factory(cast("Any", self._new_task))
        for name in _ABSENT:
            setattr(self, name, _absent(name))

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now_s

    # --- scheduling -----------------------------------------------------------------------------------

    def call_soon(
        self, callback: Callable[[Unpack[Arguments]], object], *args: *Arguments, context: Context | None = None
    ) -> Handle:
        """Run in this moment, after what is ready already."""
        if self._is_over:
            raise RuntimeError("the virtual loop is closed")
        handle = _Call(callback, args, self, context)
        self._calls.append(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[Unpack[Arguments]], object], *args: *Arguments, context: Context | None = None
    ) -> Handle:
        """The same: there is one thread. Raises NotInThisWorld for a caller from another one."""
        if threading.get_ident() != self._made_in:
            raise NotInThisWorld("a thread called into the virtual loop: what it does has no place in virtual time")
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[Arguments]], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run after `delay` seconds of virtual time."""
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Arguments]], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run at a virtual time; now, if it has passed."""
        if self._is_over:
            raise RuntimeError("the virtual loop is closed")
        self._serial += 1
        timer = _Call(callback, args, self, context)
        heappush(self._timers, (when, self._serial, timer))
        return timer

    # --- running --------------------------------------------------------------------------------------

    def _run_once(self) -> None:
        """Turn after turn until the loop is told to stop. Raises Deadlock, Livelock."""
        while True:
            self._turn()
            if self._stopping:
                return

    def _turn(self) -> None:
        """What is ready now, not what that makes ready."""
        calls = self._calls
        timers = self._timers
        if not calls or (timers and timers[0][0] <= self._now_s):
            self._take_due(calls)
        count = len(calls)
        self._moment_calls += count
        if self._moment_calls > MOMENT_CALLS_MAX:
            self._moment_calls = 0
            raise Livelock(f"{MOMENT_CALLS_MAX} callbacks at {self._now_s:.6f} s, and no time passes")
        for _ in range(count):
            call = calls.popleft()
            if call._cancelled:  # noqa: SLF001 - asyncio's own loop reads it like this
                continue
            context = call._context  # noqa: SLF001 - only it says whose it is
            owner = context.get(OWNER)
            if owner is None or owner.life is RUNNING or owner.takes(call):
                try:
                    context.run(call._callback, *call._args)  # noqa: SLF001 - that is what a loop does
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as error:  # noqa: BLE001 - told, as asyncio's own loop does
                    self._tell_of(error, call)

    def _tell_of(self, error: BaseException, call: _Call) -> None:
        self.call_exception_handler({"message": f"Exception in {call!r}", "exception": error, "handle": call})

    def _take_due(self, calls: deque[_Call]) -> None:
        """Move due timers to the calls; if there is nothing to call, let time pass first."""
        timers = self._timers
        while timers:
            when, _, timer = timers[0]
            if timer._cancelled:  # noqa: SLF001 - as above
                heappop(timers)
                continue
            if when > self._now_s:
                if calls or self._stopping:
                    return
                self._now_s = when
                self._moment_calls = 0
            heappop(timers)
            calls.append(timer)
        if not calls and not self._stopping:
            raise Deadlock("nothing will ever happen: every task waits for what nobody will do")

    def _write_to_self(self) -> None:
        """Nobody has to be woken."""

    def _new_task(self, _loop: object, coroutine: Coroutine[Any, Any, Any], **options: Any) -> asyncio.Task[Any]:
        self._serial += 1
        task = _Task(self._serial, coroutine, loop=self, **options)
        context = options.get("context")
        owner = OWNER.get() if context is None else context.get(OWNER)
        if owner is not None:
            owner.keep(task)
        return task

    # --- processes ------------------------------------------------------------------------------------

    def new_process(self, name: str) -> Process:
        """A process that runs. What is started in it (`Process.start`) and what that starts belongs to it."""
        process = Process(name, self)
        self._processes.append(process)
        return process

    def end_processes(self) -> None:
        """Kill every process: the end of a history."""
        for process in self._processes:
            process.kill()
        self._processes.clear()

    def resume(self, withheld: list[asyncio.Handle]) -> None:
        """Put a paused process's callbacks back in line, in their order."""
        self._calls.extend(cast("list[_Call]", withheld))

    def lay_out(self, tasks: list[asyncio.Task[Any]]) -> None:
        """Keep a killed process's tasks from the garbage collector until the loop is closed."""
        self._dead.extend(tasks)

    def close(self) -> None:
        """Forget what is scheduled and bury the dead."""
        self._dead.extend(sorted(asyncio.all_tasks(self), key=hash))
        self._is_over = True
        self._calls.clear()
        self._timers.clear()
        super().close()
        asyncio._set_running_loop(self)  # noqa: SLF001 - a `finally` that asks for its loop finds this one, closed, and no new one
        try:
            for task in self._dead:
                _bury(task)
        finally:
            asyncio._set_running_loop(None)  # noqa: SLF001 - as above
        self._dead.clear()

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncio's signature
        """There is none."""


def _bury(task: asyncio.Task[Any]) -> None:
    """Close a dead task's coroutine while nobody listens. What its `finally` says or raises counts for nothing."""
    task._log_destroy_pending = False  # type: ignore[attr-defined] # noqa: SLF001 - asyncio's own switch for this
    coroutine = task.get_coro()
    for _ in range(BURIAL_TRIES_MAX):
        try:
            coroutine.close()
        except BaseException:  # noqa: BLE001, S112 - a `finally` that waits or fails: it is closed again from there on
            continue
        return


def play(story: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
    """Run one story on a loop of its own; at its end its processes are killed, its other tasks cancelled.

    Raises what the story raises, Deadlock, Livelock.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_to_its_end(story))


async def _to_its_end(story: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
    try:
        return await story()
    finally:
        running_loop().end_processes()


def running_loop() -> VirtualLoop:
    """The virtual loop that the caller runs on. Raises NotInThisWorld on any other."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualLoop):
        raise NotInThisWorld("this runs on a real loop")
    return loop


async def pass_ms(ms: float) -> None:
    """Let virtual time pass."""
    loop = asyncio.get_running_loop()
    passed: asyncio.Future[None] = loop.create_future()
    timer = loop.call_later(ms / 1000, passed.set_result, None)
    try:
        await passed
    except BaseException:
        timer.cancel()
        raise


async def until(condition: Callable[[], bool], within_ms: int = 60_000) -> None:
    """Let virtual time pass until the condition holds. Raises TimeoutError if it does not within that time."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + within_ms / 1000
    while not condition():
        if loop.time() > end_s:
            raise TimeoutError(f"not within {within_ms} ms of virtual time")
        await pass_ms(1)
