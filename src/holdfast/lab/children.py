"""Our own programs as child processes: started as a user starts them, seen to run, ended in order.

    async with child("sim", ("sim", "--json", "--port", "0"), folder) as sim:
        await while_running((sim,), work(sim.said["base_url"]))

Invariants:

    - A child is ready when it has printed its one JSON line; until then its end, or silence for `START_S_MAX`, is
      CannotStart with the last lines of its log.
    - No child outlives its block. On Linux none outlives us either, SIGKILL included: the kernel sends it SIGTERM when
      our main thread ends (prctl PR_SET_PDEATHSIG).
    - A child hears Ctrl-C from us alone (a session of its own), so that it ends when its block does, not before.
    - It inherits the environment without settings of ours (HOLDFAST_x__y): its settings are those of its file.
    - Its standard error is a file, `<folder>/<name>.log`: nobody has to read a pipe to keep it going.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from holdfast.domain.errors import CannotStart, Unclassified

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
    from pathlib import Path

    Answer = TypeVar("Answer")

START_S_MAX = 30.0
"""Loading the program, opening the journal and the first contact with the exchange."""
STOP_S_MAX = 10.0
"""How long an orderly end may take before SIGKILL."""
ENDING_S_MAX = 2.0
"""How long a child may take to end after what it served has failed."""
ONCE_S_MAX = 20.0
"""How long a command that a person types may take."""
FIRST_LINE_BYTES_MAX = 64 * 1024
LOG_SHOWN_BYTES = 1_500

_PROGRAM = """
import os, sys
parent = int(sys.argv.pop(1))
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(1, 15, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the parent is gone")
for name in [name for name in os.environ if name.startswith("HOLDFAST_") and "__" in name]:
    del os.environ[name]
import importlib
importlib.import_module(sys.argv.pop(1)).main()
"""
HOLDFAST = "holdfast.cli.main"
"""The module whose `main` is the `holdfast` command. Named, not imported: it lies above this floor."""


@dataclass(frozen=True, slots=True)
class Child:
    """One started program."""

    name: str
    process: asyncio.subprocess.Process
    log_path: Path
    """Its standard error."""
    said: Mapping[str, Any] = field(default_factory=dict)
    """The JSON line that it printed when it was ready."""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def log_tail(self) -> str:
        """The last lines of its log."""
        return self.log_path.read_bytes()[-LOG_SHOWN_BYTES:].decode("utf-8", "replace").strip()

    async def stop(self) -> int:
        """End it in order, by SIGKILL if that takes too long; its exit status (negative: the signal)."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            async with asyncio.timeout(STOP_S_MAX):
                return await self.process.wait()
        except TimeoutError:
            self.process.kill()
            return await self.process.wait()


@contextlib.asynccontextmanager
async def child(
    name: str,
    arguments: Sequence[str],
    folder: Path,
    secrets: Mapping[str, str] | None = None,
    module: str = HOLDFAST,
) -> AsyncIterator[Child]:
    """Run `holdfast <arguments>` until the end of the block. Raises CannotStart if it does not get ready.

    `module` names another program of ours: the module whose `main` is run instead.
    `secrets` are variables that it finds in its environment besides ours: the keys that its settings name.
    """
    log_path = folder / f"{name}.log"
    log_fd = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _PROGRAM, str(os.getpid()), module, *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log_fd,
            env={**os.environ, **(secrets or {})},
            start_new_session=True,
            limit=FIRST_LINE_BYTES_MAX,
        )
    finally:
        os.close(log_fd)
    started = Child(name, process, log_path)
    try:
        yield Child(name, process, log_path, await _first_line(started))
    finally:
        await started.stop()


async def _first_line(started: Child) -> dict[str, Any]:
    out = started.process.stdout
    if out is None:
        raise Unclassified(f"{started.name} has no standard output")
    try:
        async with asyncio.timeout(START_S_MAX):
            line = await out.readline()
        said = msgspec.json.decode(line, type=dict[str, Any])
    except TimeoutError:
        raise CannotStart(f"{started.name} was not ready in {START_S_MAX:g} s: {started.log_tail()}") from None
    except msgspec.MsgspecError:
        await started.stop()
        raise CannotStart(f"{started.name} did not start: {started.log_tail()}") from None
    return said


@dataclass(frozen=True, slots=True)
class Ended:
    """One program that ran to its end."""

    status: int
    out: str
    """Its standard output."""
    err: str


async def run_once(arguments: Sequence[str], folder: Path, secrets: Mapping[str, str] | None = None) -> Ended:
    """Run `holdfast <arguments>` to its end, as a user types it. Raises TimeoutError after `ONCE_S_MAX`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _PROGRAM, str(os.getpid()), HOLDFAST, *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(secrets or {})},
        cwd=folder,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(ONCE_S_MAX):
            out, err = await process.communicate()
    except TimeoutError:
        raise TimeoutError(f"holdfast {arguments[0]} to end") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    return Ended(process.returncode or 0, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


async def while_running(children: Sequence[Child], work: Coroutine[None, None, Answer]) -> Answer:
    """Await `work`. Raises Unclassified if a child ends before it does; the work is cancelled then.

    Work that fails because a child is ending (its bus is gone, say) fails for the child's reason, not for its own.
    """
    task = asyncio.ensure_future(work)
    ends = {asyncio.ensure_future(each.process.wait()): each for each in children}
    try:
        await asyncio.wait({task, *ends}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            if task.cancelled() or task.exception() is None:
                return task.result()
            await asyncio.wait(ends, timeout=ENDING_S_MAX, return_when=asyncio.FIRST_COMPLETED)
        ended = next((each for end, each in ends.items() if end.done()), None)
        if ended is not None:
            raise Unclassified(f"{ended.name} ended with status {ended.process.returncode}: {ended.log_tail()}")
        return task.result()
    finally:
        for each in (task, *ends):
            each.cancel()
        await asyncio.gather(task, *ends, return_exceptions=True)
