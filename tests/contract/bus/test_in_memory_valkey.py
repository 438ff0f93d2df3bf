"""The in-memory Valkey answers as the real one does: the same commands on both, every reply compared."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from holdfast.bus.connection import BusConnection, ErrorReply
from holdfast.bus.copies import DELETE_IF, SET_IF
from holdfast.lab.torture.bus import GoodWire, MemoryValkey
from tests.contract.bus.parts import DEADLINE_S, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.bus.connection import Command

CLOCK_IDS_FROM = 1_000_000_000
"""Ids that the servers drew from their clocks are greater; ours are smaller."""
STREAMS, KEYS = ("s", "t"), ("s", "t", "k", "h")
stream, key = st.sampled_from(STREAMS), st.sampled_from(KEYS)
group, consumer = st.sampled_from(("g", "h")), st.sampled_from(("one", "two"))
value = st.sampled_from(("", "0", "False", "mine", "theirs"))
count, number = st.integers(1, 4), st.integers(0, 12)
entry_id = st.builds("{}-{}".format, number, st.integers(0, 2))
new_id = st.one_of(entry_id, st.just("*"))
bound = st.one_of(entry_id, st.builds("({}".format, entry_id), st.sampled_from(("-", "+")), st.builds(str, number))
idle_ms = st.sampled_from((0, 1_000_000))
life_ms = st.sampled_from((-1, 0, 1_000_000))


def command(*parts: st.SearchStrategy[object] | str) -> st.SearchStrategy[Command]:
    """A command of fixed words and drawn arguments."""
    drawn = [st.just(part) if isinstance(part, str) else part for part in parts]
    return cast("st.SearchStrategy[Command]", st.tuples(*drawn))


writes_to_streams = st.one_of(
    command("XADD", stream, new_id, "f", value),
    command("XADD", stream, "MAXLEN", "=", count, new_id, "f", value),
    command("XADD", stream, "MAXLEN", "~", count, "*", "f", value),
    command("XTRIM", stream, "MINID", "=", entry_id),
    command("XTRIM", stream, "MINID", "~", entry_id),
    command("XDEL", stream, entry_id),
)
group_commands = st.one_of(
    command("XGROUP", "CREATE", stream, group, "0", "MKSTREAM"),
    command("XGROUP", "CREATE", stream, group, "$"),
    command("XGROUP", "CREATECONSUMER", stream, group, consumer),
    command("XGROUP", "DELCONSUMER", stream, group, consumer),
    command("XGROUP", "DESTROY", stream, group),
    command("XGROUP", "SETID", stream, group, entry_id),
    command("XREADGROUP", "GROUP", group, consumer, "COUNT", count, "STREAMS", stream, ">"),
    command("XREADGROUP", "GROUP", group, consumer, "STREAMS", stream, entry_id),
    command("XACK", stream, group, entry_id, entry_id),
    command("XAUTOCLAIM", stream, group, consumer, idle_ms, st.one_of(entry_id, st.just("0-0")), "COUNT", count),
)
questions = st.one_of(
    command("XRANGE", stream, bound, bound),
    command("XREVRANGE", stream, "+", "-", "COUNT", count),
    command("XREAD", "COUNT", count, "STREAMS", stream, st.one_of(entry_id, st.just("$"))),
    command("XLEN", stream),
    command("XINFO", "GROUPS", stream),
    command("XINFO", "CONSUMERS", stream, group),
    command("XPENDING", stream, group),
    command("TYPE", key),
    command("EXISTS", key, key),
    command("PTTL", key),
    command("GET", key),
    command("MGET", key, key),
    command("HGET", key, st.sampled_from(("a", "b"))),
    command("HLEN", key),
    command("HGETALL", key),
)
writes_to_keys = st.one_of(
    command("SET", key, value),
    command("SET", key, value, "PX", life_ms),
    command("HSET", key, "a", value, st.sampled_from(("a", "b")), value),
    command("PEXPIRE", key, life_ms),
    command("DEL", key, key),
    command("EVALSHA", st.sampled_from((DELETE_IF.digest, "a" * 40)), "1", key, value),
    command("EVAL", st.just(DELETE_IF.text), "1", key, value),
    command("EVAL", st.just(SET_IF.text), "1", key, value, value),
    command("EVAL", st.just(SET_IF.text), "1", key, value, value, st.just(1_000_000)),
    command("EVALSHA", st.just(SET_IF.digest), "1", key, value, value),
    command("SCRIPT", "FLUSH"),
    command("FLUSHALL"),
)
first_commands = st.one_of(group_commands, writes_to_streams)
commands = st.one_of(writes_to_streams, group_commands, group_commands, questions, questions, writes_to_keys)
SIMPLE: tuple[Command, ...] = (
    ("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM"),
    ("XADD", "s", "1-1", "f", "v"),
    ("XADD", "s", "2-1", "f", "v"),
)
BLOCKED_GROUP: Command = ("XREADGROUP", "GROUP", "g", "one", "COUNT", 2, "BLOCK", 5_000, "STREAMS", "s", ">")
BLOCKED_READ: Command = ("XREAD", "COUNT", 2, "BLOCK", 5_000, "STREAMS", "s", "$")
EMPTIED: tuple[Command, ...] = (("XDEL", "s", "1-1", "2-1"), ("XINFO", "GROUPS", "s"))
END: tuple[Command, ...] = (("FLUSHALL",), ("XADD", "s", "9999999999999-0", "the", "end"))
"""An entry that is newer than any that a server drew from its clock, in the same millisecond too."""


class Pair:
    """A real and an in-memory server on one loop, each with a line that asks and one that blocks."""

    def __init__(self, loop: asyncio.AbstractEventLoop, url: str) -> None:
        self._loop = loop
        ticks = itertools.count(time.time_ns() // 1_000_000)  # a real server's time passes from command to command
        self.memory = MemoryValkey(lambda: next(ticks))
        dial = self.memory.dial(GoodWire())
        self.real = BusConnection(url, "asks"), BusConnection(url, "blocks")
        self.ours = BusConnection("", "asks", dial=dial), BusConnection("", "blocks", dial=dial)

    def compare(self, plain: list[Command]) -> None:
        """The same commands from nothing, on both."""
        asked = (("FLUSHALL",), ("SCRIPT", "FLUSH"), *plain)
        real = self._loop.run_until_complete(self.real[0].call(*asked))
        ours = self._loop.run_until_complete(self.ours[0].call(*asked))

        for sent, expected, found in zip(asked, seen_alike(real), seen_alike(ours), strict=True):
            assert found == expected, sent

    def compare_blocked(self, before: list[Command], waits: Command, meanwhile: list[Command]) -> None:
        """A line blocks while the other one goes on; FLUSHALL and an entry end every wait."""
        replies = [
            self._loop.run_until_complete(self._blocked(lines, [("FLUSHALL",), *before], waits, [*meanwhile, *END]))
            for lines in (self.real, self.ours)
        ]

        assert seen_alike(replies[1]) == seen_alike(replies[0]), (waits, meanwhile)

    @staticmethod
    async def _blocked(
        lines: tuple[BusConnection, BusConnection], before: list[Command], waits: Command, meanwhile: list[Command]
    ) -> list[object]:
        asks, blocks = lines
        first = await asks.call(*before)
        waiting = asyncio.ensure_future(blocks.call(waits, ("PING",), wait_ms=5_000))
        since_ms = time.time_ns() // 1_000_000
        async with asyncio.timeout(DEADLINE_S):
            while not waiting.done():
                (info,) = await asks.call(("INFO", "clients"))
                # Ids of the clock are drawn in another millisecond than those before, as the in-memory clock does.
                if b"blocked_clients:1" in cast("bytes", info) and time.time_ns() // 1_000_000 > since_ms:
                    break
                await asyncio.sleep(0)
        then = await asks.call(*meanwhile)
        return [*first, *then, *await waiting]


def seen_alike(replies: list[object]) -> list[object]:
    """Replies with what differs by nature made equal: ids drawn from a clock, ages, lives."""

    def alike(reply: object, before: object = None) -> object:
        if isinstance(reply, list | tuple):
            return [alike(part, reply[at - 1] if at else None) for at, part in enumerate(reply)]
        if before in {b"idle", b"inactive"} and isinstance(reply, int):
            return "an age" if reply >= 0 else "never"
        if isinstance(reply, ErrorReply):
            return f"error {reply.text.split(' script:')[0]}"
        if isinstance(reply, int) and reply > 900_000:
            return "a life"
        if isinstance(reply, bytes):
            ms, _, rest = reply.partition(b"-")
            if ms.isdigit() and rest.isdigit() and int(ms) > CLOCK_IDS_FROM:
                return "an id of the clock"
        return reply

    return [alike(reply) for reply in replies]


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """Both servers, for all tests of this file."""
    with asyncio.Runner() as runner:
        server = running_server()
        address = runner.run(server.__aenter__()).url
        both = Pair(runner.get_loop(), address)
        try:
            yield both
        finally:
            for line in both.real:
                runner.run(line.close())
            runner.run(server.__aexit__(None, None, None))


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(first=[], then=[("XRANGE", "s", "-", "(0-0"), ("XRANGE", "s", f"({2**64 - 1}-{2**64 - 1}", "+")])
@example(first=[("SET", "k", "mine")], then=[("XRANGE", "k", "x", "+"), ("XRANGE", "k", "-", "(0-0")])
@example(first=[], then=[*EMPTIED, ("XGROUP", "SETID", "s", "g", "4-0"), ("XINFO", "GROUPS", "s")])
@example(first=[("XREADGROUP", "GROUP", "g", "one", "COUNT", 1, "STREAMS", "s", ">")], then=[*EMPTIED])
@given(first=st.lists(first_commands, min_size=4, max_size=12), then=st.lists(commands, min_size=8, max_size=40))
def test_any_commands_are_answered_alike(pair: Pair, first: list[Command], then: list[Command]) -> None:
    """Whatever our code may send, in any order, gets the same reply from both, errors word by word."""
    pair.compare([*SIMPLE, *first, *then])


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    before=st.lists(first_commands, max_size=4),
    waits=st.sampled_from((BLOCKED_GROUP, BLOCKED_READ)),
    meanwhile=st.lists(st.one_of(writes_to_streams, group_commands, writes_to_keys), max_size=5),
)
def test_a_blocked_read_ends_alike(pair: Pair, before: list[Command], waits: Command, meanwhile: list[Command]) -> None:
    """A read that blocks while others write, delete, destroy and overwrite ends with the same reply on both."""
    pair.compare_blocked([*SIMPLE[:1], *before], waits, meanwhile)
