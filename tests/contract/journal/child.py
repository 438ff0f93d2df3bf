"""What other processes do to a journal in these tests: `python -m tests.contract.journal.child TASK URL ARGUMENT`."""

from __future__ import annotations

import asyncio
import os
import sys

from holdfast.clock import SystemClock
from holdfast.domain.errors import HoldfastError
from holdfast.domain.names import PlanId
from holdfast.journal import open_journal
from tests.contract.journal.samples import ACCOUNT, BTC, add_one, drift_entry, put

NOBODY = 65_534
STREAMS = 16


async def _open_and_add(url: str, service: str, count: int) -> None:
    """Take the service's lease and add 1 to the leg `count` times."""
    journal = await open_journal(url, SystemClock())
    fence = await journal.acquire(ACCOUNT, service, service, 60_000)
    for _ in range(count):
        await add_one(journal, fence)
    await journal.close()


async def _stream(url: str) -> None:
    """Claim plans without end from many tasks; print each id once it was acknowledged."""
    journal = await open_journal(url, SystemClock())

    async def claim(stream: int) -> None:
        number = 0
        while True:
            plan_id = PlanId(f"{stream}-{number}")
            await put(journal, lambda tx, p=plan_id: [tx.put_plan(p, "h", BTC, None), tx.append(drift_entry(p))])  # type: ignore[misc]  # lambda default
            os.write(1, f"{plan_id}\n".encode())
            number += 1

    await asyncio.gather(*(claim(stream) for stream in range(STREAMS)))


async def _open_as_nobody(url: str) -> None:
    """Open the journal without the rights to write it, and print what came of it."""
    await asyncio.to_thread(lambda: None)  # the interpreter may be out of reach for nobody: load what is loaded late
    if os.geteuid() == 0:
        os.seteuid(NOBODY)
    try:
        await open_journal(url, SystemClock())
    except HoldfastError as error:
        os.write(1, f"{type(error).__name__}: {error}".encode())


async def _open_and_close(url: str) -> None:
    """Open and close."""
    await (await open_journal(url, SystemClock())).close()


def main() -> None:
    """Do the task."""
    task, url, *rest = sys.argv[1:]
    match task:
        case "add":
            asyncio.run(_open_and_add(url, rest[0], int(rest[1])))
        case "stream":
            asyncio.run(_stream(url))
        case "nobody":
            asyncio.run(_open_as_nobody(url))
        case _:
            asyncio.run(_open_and_close(url))


if __name__ == "__main__":
    main()
