"""`ValkeyBus`: the adapter of `ports.bus.Bus` for one account on a Valkey (or Redis 7) server.

Three connections, made lazily and made again at the next call after a failure: one blocks in XREADGROUP, one
writes, one reads. See `holdfast.bus` for the invariants.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from holdfast.bus.connection import CALL_MS_MAX, BusConnection, ErrorReply, all_checked, checked
from holdfast.bus.copies import FREE_VALUES, commands_again, copy_commands
from holdfast.bus.keys import EVENTS_KEPT, GROUP, PLANS_KEPT_MS, PREFIX_DEFAULT, RESULTS_KEPT, Keys, checked_consumer
from holdfast.bus.outcomes import encode_event, encode_result
from holdfast.bus.readiness import Readiness
from holdfast.bus.wire import decode_entry, encode_plan
from holdfast.domain.close import plan_of_close
from holdfast.ports.bus import Backlog

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.bus.connection import Argument, Command, Dial
    from holdfast.domain.close import Close
    from holdfast.domain.entry import JournaledEntry
    from holdfast.domain.names import Symbol
    from holdfast.domain.plan import PlanEntry, PlanResult
    from holdfast.ports.bus import StateCopy

HOLD_VALUE_BYTES_MAX = 256
"""A hold's id is shorter; of what others set by hand no more is kept."""
RECLAIM_SCANS_MAX = 16
"""Round trips of one reclaim; the server looks at ten pending entries for each that it may return."""
TRIM_EVERY = 1_024
"""Acknowledged entries between two trims of the plan stream."""


class ValkeyBus:
    """One account's streams and keys."""

    def __init__(
        self,
        url: str,
        consumer: str,
        prefix: str = PREFIX_DEFAULT,
        call_ms_max: int = CALL_MS_MAX,
        dial: Dial | None = None,
    ) -> None:
        """Connect to nothing yet. Raises CannotStart for an unusable address, prefix or consumer name."""
        self._keys = Keys(prefix)
        self._consumer = checked_consumer(consumer)
        self._plans = BusConnection(url, f"holdfast-{consumer}-plans", call_ms_max, dial)
        self._writes = BusConnection(url, f"holdfast-{consumer}-writes", call_ms_max, dial)
        self._reads = BusConnection(url, f"holdfast-{consumer}-reads", call_ms_max, dial)
        self._readiness = Readiness(self._keys, self._consumer)
        self._acknowledged = 0

    async def ensure_ready(self) -> bool:
        """See the port, and `readiness`: True on the first call, too, and after the server was restarted."""
        return await self._readiness.ensure(self._reads)

    # --- plans in -------------------------------------------------------------------------------------

    async def read_plans(self, *, count: int, wait_ms: int) -> tuple[PlanEntry, ...]:
        """See the port. A group that is gone is made again from the stream's first entry."""
        block: Command = ("BLOCK", wait_ms) if wait_ms > 0 else ()
        command: Command = (
            *("XREADGROUP", "GROUP", GROUP, self._consumer, "COUNT", count),
            *block,
            *("STREAMS", self._keys.plans, ">"),
        )
        (reply,) = await self._plans.call(command, wait_ms=wait_ms)
        if _is_group_gone(reply):
            await self._readiness.make_group(self._plans)
            (reply,) = await self._plans.call(command, wait_ms=wait_ms)
            if _is_group_gone(reply):
                return ()
        streams = cast("list[tuple[bytes, list[object]]] | None", checked(reply))
        return _entries(streams[0][1]) if streams else ()

    async def reclaim_plans(self, *, idle_ms: int, count: int) -> tuple[PlanEntry, ...]:
        """See the port."""
        claimed: tuple[PlanEntry, ...] = ()
        cursor: Argument = "0-0"
        for _ in range(RECLAIM_SCANS_MAX):
            start: Command = ("XAUTOCLAIM", self._keys.plans, GROUP, self._consumer, idle_ms, cursor)
            (reply,) = await self._reads.call((*start, "COUNT", count - len(claimed)))
            if _is_group_gone(reply):
                await self._readiness.make_group(self._reads)
                break
            following, entries, *_deleted = cast("list[object]", checked(reply))
            claimed += _entries(cast("list[object]", entries))
            cursor = cast("bytes", following)
            if cursor == b"0-0" or len(claimed) >= count:
                break
        return claimed

    async def backlog(self) -> Backlog:
        """See the port. Nothing is known of a group that is gone: no lag."""
        (reply,) = await self._reads.call(("XINFO", "GROUPS", self._keys.plans))
        if isinstance(reply, ErrorReply) and "no such key" in reply.text:
            return Backlog(0, None)
        for group in cast("list[list[object]]", checked(reply)):
            row = dict(zip(group[::2], group[1::2], strict=True))
            if row[b"name"] == GROUP.encode():
                return Backlog(cast("int", row[b"pending"]), cast("int | None", row[b"lag"]))
        return Backlog(0, None)

    # --- out ------------------------------------------------------------------------------------------

    async def finish(self, results: Sequence[PlanResult], acknowledge: Sequence[str]) -> None:
        """See the port. The server runs the commands in this order; if it dies between, the entries stay pending.

        If it refuses a result (out of memory) it may still have acknowledged: finish again with the same results.
        """
        if self._acknowledged >= TRIM_EVERY:
            # Before the results, so that a failure here leaves nothing half done.
            await self.trim_plans(PLANS_KEPT_MS)
            self._acknowledged = 0
        keys = self._keys
        commands: list[Command] = [
            ("XADD", keys.results, "MAXLEN", "~", RESULTS_KEPT, "*", *encode_result(result)) for result in results
        ]
        if acknowledge:
            commands.append(("XACK", keys.plans, GROUP, *acknowledge))
        if commands:
            all_checked(await self._writes.call(*commands))
        self._acknowledged += len(acknowledge)

    async def trim_plans(self, kept_ms: int) -> None:
        """Drop acknowledged plans that are older than `kept_ms` by the server's clock.

        Entries arrive in the order of their ids, so everything below both the oldest pending and the last
        delivered entry was acknowledged; both only grow.
        """
        pending, groups, now = await self._writes.call(
            ("XPENDING", self._keys.plans, GROUP), ("XINFO", "GROUPS", self._keys.plans), ("TIME",)
        )
        if _is_group_gone(pending) or isinstance(groups, ErrorReply):
            return
        oldest = cast("list[bytes | None]", checked(pending))[1]
        if oldest is None:
            rows = [dict(zip(row[::2], row[1::2], strict=True)) for row in cast("list[list[bytes]]", groups)]
            oldest = next((row[b"last-delivered-id"] for row in rows if row[b"name"] == GROUP.encode()), b"0-0")
        kept_from_ms = int(cast("list[bytes]", checked(now))[0]) * 1000 - kept_ms
        below = min(_id_parts(oldest), (kept_from_ms, 0))
        (reply,) = await self._writes.call(("XTRIM", self._keys.plans, "MINID", "~", f"{below[0]}-{below[1]}"))
        checked(reply)

    async def publish_close(self, close: Close) -> str:
        """See the port."""
        (reply,) = await self._writes.call(("XADD", self._keys.plans, "*", *encode_plan(plan_of_close(close))))
        return cast("bytes", checked(reply)).decode()

    async def publish_events(self, entries: Sequence[JournaledEntry]) -> None:
        """See the port."""
        commands: list[Command] = [
            ("XADD", self._keys.events, "MAXLEN", "~", EVENTS_KEPT, "*", *encode_event(entry)) for entry in entries
        ]
        if commands:
            all_checked(await self._writes.call(*commands))

    # --- published state ------------------------------------------------------------------------------

    async def hold_values(self, symbols: Sequence[Symbol]) -> Mapping[Symbol, str]:
        """See the port."""
        if not symbols:
            return {}
        (reply,) = await self._reads.call(("MGET", *(self._keys.hold(symbol) for symbol in symbols)))
        values = cast("list[bytes | None]", checked(reply))
        read = ((symbol, _hold_text(raw)) for symbol, raw in zip(symbols, values, strict=True))
        return {symbol: text for symbol, text in read if text.lower() not in FREE_VALUES}

    async def read_text(self, key: str) -> str | None:
        """See the port. A value that is no text counts as none."""
        (reply,) = await self._reads.call(("GET", self._keys.named(key)))
        raw = checked(reply)
        return raw.decode(errors="replace") if isinstance(raw, bytes) else None

    async def publish_copies(self, copies: Sequence[StateCopy]) -> None:
        """See the port. A key that somebody made of another type is deleted and written anew."""
        written = [copy_commands(self._keys, copy) for copy in copies]
        commands = [command for of_copy in written for command in of_copy]
        if not commands:
            return
        replies = await self._writes.call(*commands)
        again = commands_again(written, replies)
        if again:
            all_checked(await self._writes.call(*again))

    async def close(self) -> None:
        """See the port."""
        connections = (self._plans, self._writes, self._reads)
        ends = await asyncio.gather(*(connection.close() for connection in connections), return_exceptions=True)
        for error in ends:
            if error is not None:
                raise error


def _is_group_gone(reply: object) -> bool:
    return isinstance(reply, ErrorReply) and (reply.is_code("NOGROUP") or reply.is_code("UNBLOCKED"))


def _entries(rows: list[object]) -> tuple[PlanEntry, ...]:
    """Decode delivered rows; one that was deleted meanwhile (no fields) is left out."""
    pairs = cast("list[tuple[bytes, list[bytes] | None] | None]", rows)
    return tuple(decode_entry(row[0].decode(), row[1]) for row in pairs if row is not None and row[1] is not None)


def _id_parts(entry_id: bytes) -> tuple[int, int]:
    milliseconds, _, sequence = entry_id.partition(b"-")
    return int(milliseconds), int(sequence or 0)


def _hold_text(raw: bytes | None) -> str:
    return "" if raw is None else raw[:HOLD_VALUE_BYTES_MAX].decode("utf-8", "replace")
