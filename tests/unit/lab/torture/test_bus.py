"""The in-memory Valkey under the product's own adapter: what fails there fails as it does in life."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.bus.connection import BusConnection, ErrorReply
from holdfast.bus.valkey import ValkeyBus
from holdfast.domain.errors import BusUnavailable
from holdfast.lab.torture.bus import GoodWire, MemoryValkey
from holdfast.lab.torture.clock import VirtualClock
from holdfast.lab.torture.loop import pass_ms, play, running_loop
from holdfast.ports.bus import StateCopy

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

PLANS = "quantum:stream:trading.plan"


class CutWire(GoodWire):
    """Cuts the first write that carries more than one command after `after` of them."""

    def __init__(self, after: int) -> None:
        self._after = after
        self.is_cut = False

    async def carry(self, name: str, count: int, take_effect: Callable[[int], None]) -> bool:
        """See the class."""
        if self.is_cut or count == 1:
            return await super().carry(name, count, take_effect)
        self.is_cut = True
        take_effect(self._after)
        return False


def with_server(story: Callable[[MemoryValkey], Coroutine[Any, Any, None]]) -> None:
    """Play a story with a server on the virtual clock."""

    async def whole() -> None:
        clock = VirtualClock(1_700_000_000_000)
        await story(MemoryValkey(clock.now_ms))

    play(whole)


def adapter(server: MemoryValkey, consumer: str = "one") -> ValkeyBus:
    """The product's bus on a good wire."""
    return ValkeyBus("redis://memory", consumer, dial=server.dial(GoodWire()))


def add_plan(server: MemoryValkey, plan_id: str) -> None:
    """A plan by somebody outside; that it cannot be read does not matter here."""
    server.run("XADD", PLANS, "*", "plan_id", plan_id)


def test_plans_arrive_in_virtual_time() -> None:
    """A blocked read takes exactly its time when nothing comes, and ends at once when something does."""

    async def story(server: MemoryValkey) -> None:
        bus, loop = adapter(server), asyncio.get_running_loop()
        assert await bus.ensure_ready()
        assert await bus.read_plans(count=5, wait_ms=250) == ()
        assert loop.time() == pytest.approx(0.25)
        loop.call_later(0.1, add_plan, server, "p-1")

        (entry,) = await bus.read_plans(count=5, wait_ms=250)

        assert entry.plan_id == "p-1"
        assert loop.time() == pytest.approx(0.35)

    with_server(story)


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_write_is_cut_before_within_or_after(after: int) -> None:
    """A cut leaves exactly the commands that had reached the server, and the caller does not learn which."""

    async def story(server: MemoryValkey) -> None:
        line = BusConnection("", "test", dial=server.dial(CutWire(after)))
        with pytest.raises(BusUnavailable, match="Connection closed by server"):
            await line.call(("SET", "a", "1"), ("SET", "b", "2"))

        assert [server.run("GET", key) for key in ("a", "b")] == [b"1", b"2"][:after] + [None] * (2 - after)
        assert await line.call(("PING",)) == [b"PONG"]

    with_server(story)


def test_a_server_that_is_gone_refuses() -> None:
    """A gone server cuts what stands and refuses what is new, until it accepts again with everything it had."""

    async def story(server: MemoryValkey) -> None:
        line = BusConnection("", "test", dial=server.dial(GoodWire()))
        await line.call(("SET", "a", "1"))
        blocked = asyncio.ensure_future(line.call(("XREAD", "BLOCK", 900, "STREAMS", "s", "$"), wait_ms=900))
        await pass_ms(1)
        server.refuse()
        with pytest.raises(BusUnavailable, match="Connection closed by server"):
            await blocked
        with pytest.raises(BusUnavailable, match="Error 111 connecting"):
            await line.call(("GET", "a"))
        server.accept()

        assert await line.call(("GET", "a")) == [b"1"]

    with_server(story)


def test_a_wiped_or_restarted_server_is_noticed() -> None:
    """The adapter asks for everything to be published again after a wipe, and after a restart that kept all."""

    async def story(server: MemoryValkey) -> None:
        bus = adapter(server)
        seen = [await bus.ensure_ready(), await bus.ensure_ready()]
        server.wipe()
        seen += [await bus.ensure_ready(), await bus.ensure_ready()]
        server.restart()
        seen += [await bus.ensure_ready(), await bus.ensure_ready()]

        assert seen == [True, False, True, False, True, False]

    with_server(story)


def test_a_failover_delivers_twice() -> None:
    """What a lost acknowledgement or a lost delivery undoes is handed out again under the same entry id."""

    async def story(server: MemoryValkey) -> None:
        bus = adapter(server)
        await bus.ensure_ready()
        for name in ("p-1", "p-2", "p-3"):
            add_plan(server, name)
        before = server.picture()
        first = await bus.read_plans(count=9, wait_ms=0)
        await bus.finish([], [entry.entry_id for entry in first])

        assert server.redeliver(PLANS, 2) == 2
        assert await bus.read_plans(count=9, wait_ms=0) == first[1:]
        server.restart(before)
        assert await bus.read_plans(count=9, wait_ms=0) == first

    with_server(story)


def test_copies_are_written_with_scripts_and_die_by_time() -> None:
    """Conditional copies run the server's scripts, and a copy with a life is gone when its time is over."""

    async def story(server: MemoryValkey) -> None:
        bus = adapter(server)
        await bus.publish_copies(
            [
                StateCopy("reconcile:hold:BTCUSDT", text="h-1", expected=""),
                StateCopy("permit:state:BTCUSDT", fields={"state": "DENY"}, ttl_ms=500),
            ]
        )
        server.run("SET", "quantum:reconcile:hold:ETHUSDT", "by hand")
        await bus.publish_copies(
            [
                StateCopy("reconcile:hold:ETHUSDT", text="h-2", expected=""),
                StateCopy("reconcile:hold:BTCUSDT", expected="h-1"),
            ]
        )
        await pass_ms(499)
        assert server.run("HGETALL", "quantum:permit:state:BTCUSDT") == [b"state", b"DENY"]
        await pass_ms(2)

        assert server.run("EXISTS", "quantum:permit:state:BTCUSDT", "quantum:reconcile:hold:BTCUSDT") == 0
        assert server.run("GET", "quantum:reconcile:hold:ETHUSDT") == b"by hand"

    with_server(story)


def test_a_full_server_refuses_to_write() -> None:
    """A server without memory refuses writes with its own word and goes on answering questions."""

    async def story(server: MemoryValkey) -> None:
        line = BusConnection("", "test", dial=server.dial(GoodWire()))
        server.is_full = True

        refused, found = await line.call(("SET", "a", "1"), ("GET", "a"))

        assert isinstance(refused, ErrorReply)
        assert refused.is_code("OOM")
        assert found is None

    with_server(story)


def test_the_dead_take_no_plans() -> None:
    """A killed process that blocked on the stream is hung up: the next entry goes to who lives."""

    async def story(server: MemoryValkey) -> None:
        process = running_loop().new_process("dying")
        await adapter(server).ensure_ready()
        process.start(adapter(server, "dying").read_plans(count=1, wait_ms=5_000))
        await pass_ms(10)
        process.kill()
        add_plan(server, "p-1")

        (entry,) = await adapter(server, "living").read_plans(count=1, wait_ms=100)

        assert entry.plan_id == "p-1"

    with_server(story)
