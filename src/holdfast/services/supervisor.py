"""Leases, tasks, and their ends.

A service runs under its lease as a set of named tasks. The first that ends, by an error or by a clean return, ends
the service: the others are cancelled, the lease is given up, and the end is raised to whoever started it. Nothing
here restarts anything: a process that stopped for a reason says so and exits; restarting is for the machine's own
supervisor, and safe at any time.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from holdfast.domain.errors import Fenced, HoldfastError, JournalBusy, Unavailable, Unclassified, VenueUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from holdfast.ports.venue import VenueReader
    from holdfast.services.context import Context

LEASE_MS = 5_000
LEASE_RENEW_MS = 1_000
LEASE_WAIT_MS = 500
"""How often a second process asks whether the first has gone."""
READ_AGAIN_MS_MAX = 1_500
MARKS_MS = 2_000
"""How often mark prices are read, by whichever account of the process has its turn."""
CLOCK_MS = 60_000
PASSED_OVER_MS = 20
RULES_MS = 3_600_000
"""Instruments are read again after this."""
RULES_DOUBTED_MS = 10_000
"""Or after this, once somebody has reason to doubt them: a symbol that was halted may trade again, or the reverse."""

_STANDS_BY = (
    f"another process runs this account's service, or was killed less than {LEASE_MS} ms ago: this one stands by"
)

Value = TypeVar("Value")
Task = tuple[str, "Callable[[], Awaitable[None]]"]


async def acquire_lease(context: Context, owner: str) -> bool:
    """Wait until the account's lease for this service is ours; True if another held it meanwhile."""
    waited = False
    while True:
        started_ns = context.clock.monotonic_ns()
        try:
            fence = await context.journal.acquire(context.account, context.service, owner, LEASE_MS)
        except JournalBusy as error:  # whoever holds the write lock may be stopped: it is waited for like a lease
            context.log.warning("journal_busy", account=context.account, detail=str(error))
            fence = None
        if fence is not None:
            context.lease.fence = fence
            context.lease.live_until_ns = started_ns + LEASE_MS * 1_000_000
            return waited
        if not waited:
            context.log.warning("lease_waits", account=context.account, service=context.service, detail=_STANDS_BY)
            waited = True
        await asyncio.sleep(LEASE_WAIT_MS / 1000)


async def under_lease(context: Context, step: Awaitable[None]) -> None:
    """Take a start's first step; if it fails, the lease is given up, so that a successor need not wait for its end."""
    try:
        await step
    except BaseException:
        await _give_up(context)
        raise


async def keep_lease(context: Context) -> None:
    """Renew the lease until cancelled; raises Fenced once it is another's or could not be renewed in time."""
    failed: Unavailable | None = None
    while True:
        await asyncio.sleep(LEASE_RENEW_MS / 1000)
        started_ns = context.clock.monotonic_ns()
        if started_ns > context.lease.live_until_ns:
            raise Fenced(f"the {context.service} lease of {context.account} ran out ({failed})")
        if context.lease.fence is None:
            raise Fenced("there is no lease to keep")
        try:
            await context.journal.renew(context.lease.fence, LEASE_MS)
        except Unavailable as error:
            failed = error
            continue
        context.lease.live_until_ns = started_ns + LEASE_MS * 1_000_000


@dataclass(frozen=True, slots=True)
class Turn:
    """One account's place among those of the process: what one of them reads of the venue, all of them have."""

    number: int = 0
    """From 0."""
    count: int = 1


async def keep_rules(context: Context, reader: VenueReader, turn: Turn) -> None:
    """Keep mark prices and instruments up to date until cancelled, in turn with the other accounts of the process.

    Apply runs it with the adapter that trades: its connection stays warm by it, so that an order needs no handshake
    (with up to seven accounts: then its turn comes before the connection is given up). An account whose turn it is and
    that does not take it, because another process runs it, is passed over after `PASSED_OVER_MS`.
    """
    rules = context.rules
    while True:
        behind = (turn.number - rules.reader - 1) % turn.count
        due_ns = rules.asked_ns + (MARKS_MS + behind * PASSED_OVER_MS) * 1_000_000
        wait_ns = due_ns - context.clock.monotonic_ns()
        if wait_ns > 0:
            await asyncio.sleep(wait_ns / 1_000_000_000)
            continue
        rules.reader = turn.number
        try:
            await read_marks(context, reader)
            life_ms = RULES_DOUBTED_MS if rules.are_doubted else RULES_MS
            if not 0 <= context.clock.monotonic_ns() - rules.read_ns <= life_ms * 1_000_000:
                await read_rules(context, reader)
        except VenueUnavailable as error:
            context.log.warning("rules_failed", account=context.account, detail=str(error))


async def keep_clock(context: Context, reader: VenueReader) -> None:
    """Keep the adapter's measure of the venue's clock up to date until cancelled."""
    while True:
        await asyncio.sleep(CLOCK_MS / 1000)
        try:
            await reader.sync_clock()
        except VenueUnavailable as error:
            context.log.warning("clock_failed", account=context.account, detail=str(error))


async def read_again(context: Context, reader: VenueReader) -> None:
    """Read once more what was read before the lease was waited for; what the venue does not answer now stays as it was.

    Prices that are hours old would refuse every plan until they are read in their turn, and a clock that was measured
    hours ago may be off. It is bounded well inside the lease, which nobody renews yet.
    """
    try:
        async with asyncio.timeout(READ_AGAIN_MS_MAX / 1000):
            await reader.sync_clock()
            await read_marks(context, reader)
            await read_rules(context, reader)
    except (VenueUnavailable, TimeoutError) as error:
        context.log.warning("rules_failed", account=context.account, detail=str(error))


async def read_marks(context: Context, reader: VenueReader) -> None:
    """Read all mark prices once."""
    read_ms, read_ns = context.clock.now_ms(), context.clock.monotonic_ns()
    context.rules.asked_ns = read_ns
    marks = await reader.mark_prices()
    context.rules.marks_ns = read_ns
    context.rules.marks = {symbol: (price, read_ms) for symbol, price in marks.items()}


async def read_rules(context: Context, reader: VenueReader) -> None:
    """Read all instruments once."""
    read_ns, context.rules.are_doubted = context.clock.monotonic_ns(), False
    context.rules.instruments = await reader.instruments()
    context.rules.read_ns = read_ns


async def while_leased(context: Context, work: Awaitable[Value]) -> Value:
    """Await what must be done before the service's tasks begin, and keep the lease meanwhile; raises Fenced."""
    keeping, working = asyncio.ensure_future(keep_lease(context)), asyncio.ensure_future(work)
    try:
        await asyncio.wait({keeping, working}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            keeping.result()
        return await working
    finally:
        keeping.cancel()
        working.cancel()
        await asyncio.gather(keeping, working, return_exceptions=True)


async def run_tasks(context: Context, tasks: Sequence[Task]) -> None:
    """Run all until one ends; cancel the others; raise why. Cancelled from outside, end quietly."""
    running = [asyncio.ensure_future(start()) for _, start in tasks]
    names = {future: name for future, (name, _) in zip(running, tasks, strict=True)}
    try:
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for future in running:
            future.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await _give_up(context)
    for future in done:
        error = future.exception() if not future.cancelled() else None
        if isinstance(error, HoldfastError):
            context.log.error("service_stopped", service=context.service, task=names[future], detail=str(error))
            raise error
        if error is not None:
            context.log.failure("service_stopped", error, service=context.service, task=names[future])
            raise Unclassified(f"{context.service}: {names[future]} failed: {error!r}") from error
        raise Unclassified(f"{context.service}: {names[future]} ended without an error")


async def _give_up(context: Context) -> None:
    fence = context.lease.fence
    context.lease.fence = None
    if fence is None:
        return
    try:
        await context.journal.give_up(fence)
    except HoldfastError as error:
        context.log.warning("lease_not_freed", service=context.service, detail=str(error))
