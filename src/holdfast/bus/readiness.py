"""Whether the bus still is the one that was filled: the consumer group, and a mark that goes when the bus goes.

The mark is a field of one hash, named for the consumer, with the instance's token and the server's run id in it. So
"all must be published again" is the answer to

    an instance's first question    it cannot know what its predecessor still published
    a wiped server                  the hash is gone
    a restarted server              its last second of writes may be gone with the mark still there

Names of consumers come and go with processes, so what the dead leave behind is swept at the same occasions: consumers
without pending entries that were not seen for CONSUMER_IDLE_MS_MAX, and the hash when it has grown beyond MARKS_MAX
(then every instance publishes once more, which is harmless).
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, cast

from holdfast.bus.connection import ErrorReply, all_checked, checked
from holdfast.bus.keys import GROUP
from holdfast.domain.errors import BusUnavailable

if TYPE_CHECKING:
    from holdfast.bus.connection import BusConnection, Command
    from holdfast.bus.keys import Keys

MARKS_MAX = 64
CONSUMER_IDLE_MS_MAX = 86_400_000
SWEEP_MAX = 100
"""Dead consumers removed at once."""


class Readiness:
    """Asks and marks for one instance."""

    def __init__(self, keys: Keys, consumer: str, consumer_idle_ms_max: int = CONSUMER_IDLE_MS_MAX) -> None:
        self._keys = keys
        self._consumer = consumer
        self._idle_ms_max = consumer_idle_ms_max
        self._token = secrets.token_hex(8)

    async def ensure(self, line: BusConnection) -> bool:
        """Make what is missing; True if everything must be published again. Raises BusUnavailable."""
        keys = self._keys
        created, mark, info = await line.call(
            self._create_group(), ("HGET", keys.generation, self._consumer), ("INFO", "server")
        )
        _check_group(created)
        expected = f"{self._token}/{_run_id(checked(info))}".encode()
        if checked(mark) == expected:
            return False
        await self._sweep(line)
        all_checked(await line.call(("HSET", keys.generation, self._consumer, expected)))
        return True

    async def make_group(self, line: BusConnection) -> None:
        """Make the group, from the stream's first entry, unless it stands. Raises BusUnavailable."""
        (reply,) = await line.call(self._create_group())
        _check_group(reply)

    def _create_group(self) -> Command:
        return ("XGROUP", "CREATE", self._keys.plans, GROUP, "0", "MKSTREAM")

    async def _sweep(self, line: BusConnection) -> None:
        keys = self._keys
        marks, consumers = await line.call(("HLEN", keys.generation), ("XINFO", "CONSUMERS", keys.plans, GROUP))
        commands: list[Command] = []
        if cast("int", checked(marks)) >= MARKS_MAX:
            commands.append(("DEL", keys.generation))
        for row in cast("list[list[bytes | int]]", checked(consumers))[:SWEEP_MAX]:
            found = dict(zip(row[::2], row[1::2], strict=True))
            if found[b"pending"] == 0 and cast("int", found[b"idle"]) > self._idle_ms_max:
                commands.append(("XGROUP", "DELCONSUMER", keys.plans, GROUP, found[b"name"]))
        if commands:
            all_checked(await line.call(*commands))


def _check_group(created: object) -> None:
    if isinstance(created, ErrorReply) and not created.is_code("BUSYGROUP"):
        raise BusUnavailable(f"the consumer group cannot be made: {created.text}")


def _run_id(info: object) -> str:
    for line in cast("bytes", info).splitlines():
        if line.startswith(b"run_id:"):
            return line[7:].decode()
    return ""
