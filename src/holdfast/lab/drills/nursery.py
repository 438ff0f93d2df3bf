"""Victims, started cheaply: one process that has everything loaded and forks each of them (`nursery_main`).

    async with nursery(folder) as born:
        async with born.victim(errand) as victim:
            await victim.wait()

Invariants: a victim is ready when it said so; until then its end, or silence for `START_S_MAX`, is CannotStart with
the last lines of its log. No victim outlives its block, no nursery its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from holdfast.domain.errors import CannotStart, Unclassified
from holdfast.lab.children import LOG_SHOWN_BYTES, START_S_MAX, STOP_S_MAX
from holdfast.lab.drills.nursery_main import News

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from holdfast.lab.drills.victim import Errand

PROGRAM = "holdfast.lab.drills.nursery_main"


@dataclass(slots=True)
class Victim:
    """One forked process, as its driver sees it."""

    number: int
    log_path: Path
    pid: int = 0
    returncode: int | None = None
    """Its exit status, negative for a signal; None while it lives."""
    born: asyncio.Event = field(default_factory=asyncio.Event)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """It is ready, or it ended."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self) -> None:
        """Until it has ended."""
        await self.ended.wait()

    def log_tail(self) -> str:
        """The last lines of its log."""
        if not self.log_path.exists():
            return ""
        return self.log_path.read_bytes()[-LOG_SHOWN_BYTES:].decode("utf-8", "replace").strip()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal while it lives."""
        if self.pid and self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Nursery:
    """See the module."""

    def __init__(self, process: asyncio.subprocess.Process, log_path: Path) -> None:
        """`process` is a running nursery."""
        self._process = process
        self._log_path = log_path
        self._victims: dict[int, Victim] = {}
        self._number = 0

    def next_number(self) -> int:
        """A number that no victim of this nursery had."""
        self._number += 1
        return self._number

    @contextlib.asynccontextmanager
    async def victim(self, errand: Errand) -> AsyncIterator[Victim]:
        """Run a victim until the end of the block. Raises CannotStart if it does not get ready."""
        victim = self._victims[errand.number] = Victim(errand.number, Path(errand.log))
        into = self._process.stdin
        if into is None or self._process.returncode is not None:
            raise Unclassified(f"the nursery is gone: {self._log_path.read_text()[-LOG_SHOWN_BYTES:]}")
        into.write(msgspec.json.encode(errand) + b"\n")
        try:
            await _ready(victim)
            yield victim
        finally:
            await _end(victim)
            del self._victims[errand.number]

    async def listen(self) -> None:
        """Take the nursery's news until it ends."""
        out = self._process.stdout
        while out is not None and (line := await out.readline()):
            news = msgspec.json.decode(line, type=News)
            victim = self._victims.get(news.number)
            if victim is None:
                continue
            victim.pid = news.pid
            victim.born.set()
            if news.ended is not None:
                victim.returncode = news.ended
                victim.ended.set()
            if news.is_ready or news.ended is not None:
                victim.news.set()
        for victim in self._victims.values():  # the nursery is gone, and with it whoever it had
            victim.returncode = victim.returncode if victim.returncode is not None else -signal.SIGTERM
            victim.born.set()
            victim.ended.set()
            victim.news.set()


async def _ready(victim: Victim) -> None:
    try:
        async with asyncio.timeout(START_S_MAX):
            await victim.news.wait()
    except TimeoutError:
        raise CannotStart(f"victim-{victim.number} was not ready in {START_S_MAX:g} s") from None
    if victim.returncode is not None:
        raise CannotStart(f"victim-{victim.number} did not start: {victim.log_tail()}")


async def _end(victim: Victim) -> None:
    """End it in order, by SIGKILL if that takes too long."""
    try:
        async with asyncio.timeout(STOP_S_MAX):
            await victim.born.wait()
            victim.signal(signal.SIGTERM)
            await victim.wait()
    except TimeoutError:
        victim.signal(signal.SIGKILL)


@contextlib.asynccontextmanager
async def nursery(folder: Path) -> AsyncIterator[Nursery]:
    """Run a nursery until the end of the block."""
    log_path = folder / "nursery.log"
    log_fd = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    clean = {name: value for name, value in os.environ.items() if not (name.startswith("HOLDFAST_") and "__" in name)}
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", PROGRAM, str(os.getpid())),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log_fd,
            env=clean,
            start_new_session=True,
        )
    finally:
        os.close(log_fd)
    made = Nursery(process, log_path)
    listening = asyncio.create_task(made.listen(), name="nursery")
    try:
        yield made
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        await asyncio.gather(listening, return_exceptions=True)
