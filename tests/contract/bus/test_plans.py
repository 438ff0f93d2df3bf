"""Plans in: delivered once to the group, taken over from the dead, and never in danger from a wiped server."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, cast

import pytest

from holdfast.bus.keys import GROUP, Keys
from holdfast.bus.readiness import MARKS_MAX, Readiness
from holdfast.bus.valkey import TRIM_EVERY, ValkeyBus
from holdfast.domain.errors import BusUnavailable
from holdfast.domain.reasons import Reason
from holdfast.ports.bus import Backlog, Bus
from tests.contract.bus.parts import PLANS, add_plan, raw, run, running_bus, running_server, until_blocked

if TYPE_CHECKING:
    from holdfast.bus.connection import BusConnection
    from holdfast.domain.plan import PlanEntry

GENERATION = "quantum:holdfast:generation"


def ids(entries: tuple[PlanEntry, ...]) -> list[str]:
    """The plan ids of entries, in order."""
    return [entry.plan_id for entry in entries]


def test_the_adapter_is_the_port() -> None:
    """The adapter has every method of the port, by its types (mypy) and by its names."""

    async def body() -> None:
        async with running_server() as server, running_bus(server.url) as bus:
            port: Bus = bus
            assert await port.backlog() == Backlog(0, 0)

    run(body())


def test_plans_arrive_decoded_in_order_and_bounded() -> None:
    """New plans come oldest first, no more than asked for, each once."""

    async def body() -> None:
        async with running_server() as server, running_bus(server.url) as bus, raw(server.url) as other:
            entry_ids = [await add_plan(other, f"p-{n}") for n in range(5)]
            first = await bus.read_plans(count=3, wait_ms=0)
            assert ids(first) == ["p-0", "p-1", "p-2"]
            assert [entry.entry_id for entry in first] == entry_ids[:3]
            assert first[0].plan is not None
            assert ids(await bus.read_plans(count=3, wait_ms=1_000)) == ["p-3", "p-4"]
            assert await bus.read_plans(count=3, wait_ms=0) == ()

    run(body())


def test_waiting_ends_empty_or_with_the_first_plan() -> None:
    """A read without any plan ends empty after its wait; one that waits gets the plan when it comes."""

    async def body() -> None:
        async with running_server() as server, running_bus(server.url) as bus, raw(server.url) as other:
            began = asyncio.get_running_loop().time()
            assert await bus.read_plans(count=1, wait_ms=50) == ()
            assert 0.045 <= asyncio.get_running_loop().time() - began < 2
            waiting = asyncio.create_task(bus.read_plans(count=1, wait_ms=10_000))
            await until_blocked(other)
            await add_plan(other, "p-1")
            assert ids(await waiting) == ["p-1"]

    run(body())


def test_an_entry_that_is_no_plan_arrives_with_its_reason() -> None:
    """Ten megabytes of junk, and bytes that are no text, arrive as entries with their reasons and can be acked."""

    async def body() -> None:
        async with running_server() as server, running_bus(server.url) as bus, raw(server.url) as other:
            await add_plan(other, "p-1", junk="x" * 10_000_000)
            await other.call(("XADD", PLANS, "*", b"\xff\xfe", b"\x00" * 50))
            entries = await bus.read_plans(count=10, wait_ms=1_000)
            assert [(entry.plan_id, entry.problem) for entry in entries] == [
                ("p-1", Reason.TOO_LARGE),
                ("", Reason.UNREADABLE),
            ]
            await bus.finish([], [entry.entry_id for entry in entries])
            assert await bus.backlog() == Backlog(0, 0)

    run(body())


def test_plans_sent_before_the_group_stood_are_read() -> None:
    """A group made late begins at the stream's first entry."""

    async def body() -> None:
        async with running_server() as server, raw(server.url) as other:
            await add_plan(other, "early")
            async with running_bus(server.url) as bus:
                assert ids(await bus.read_plans(count=9, wait_ms=0)) == ["early"]

    run(body())


def test_a_wiped_server_costs_no_later_plan() -> None:
    """After FLUSHALL, with a read under way or without, the group is made again and new plans arrive."""

    async def body() -> None:
        async with running_server() as server, running_bus(server.url) as bus, raw(server.url) as other:
            waiting = asyncio.create_task(bus.read_plans(count=9, wait_ms=10_000))
            await until_blocked(other)
            await other.call(("FLUSHALL",))
            await until_blocked(other)
            await add_plan(other, "p-1")
            assert ids(await waiting) == ["p-1"]
            await other.call(("FLUSHALL",))
            await add_plan(other, "p-2")
            assert await bus.reclaim_plans(idle_ms=0, count=9) == ()
            assert ids(await bus.read_plans(count=9, wait_ms=0)) == ["p-2"]
            await other.call(("FLUSHALL",))
            assert await bus.backlog() == Backlog(0, None)
            await bus.finish([], ["1-0"])

    run(body())


def test_a_lost_group_delivers_what_stands_on_the_stream_again() -> None:
    """When only the group is gone, the new one begins at the first entry: repeats are the journal's to know."""

    async def body() -> None:
        async with running_server() as server, running_bus(server.url) as bus, raw(server.url) as other:
            await add_plan(other, "p-1")
            await bus.read_plans(count=9, wait_ms=0)
            await other.call(("XGROUP", "DESTROY", PLANS, GROUP))
            assert ids(await bus.read_plans(count=9, wait_ms=0)) == ["p-1"]

    run(body())


def test_readiness_tells_whether_all_must_be_published_again() -> None:
    """True after FLUSHALL, to each consumer once; False in between, whatever another consumer was told."""

    async def body() -> None:
        async with running_server() as server, raw(server.url) as other, running_bus(server.url, "one") as one:
            assert await one.ensure_ready() is False
            async with running_bus(server.url, "two") as two:
                assert await two.ensure_ready() is False
                assert await one.ensure_ready() is False
                await other.call(("FLUSHALL",))
                assert await two.ensure_ready() is True
                assert await one.ensure_ready() is True
                assert await one.ensure_ready() is False

    run(body())


def test_a_new_instance_publishes_again_what_its_predecessor_may_not_have() -> None:
    """The first call of every instance is True, under a name that was used before too."""

    async def body() -> None:
        async with running_server() as server:
            for _ in range(2):
                bus = ValkeyBus(server.url, "one")
                assert await bus.ensure_ready() is True
                assert await bus.ensure_ready() is False
                await bus.close()

    run(body())


def test_what_dead_consumers_leave_behind_is_swept() -> None:
    """Consumers unseen for more than a day go unless plans are pending with them, and the marks stay bounded."""

    async def body() -> None:
        async with running_server() as server, raw(server.url) as other, running_bus(server.url, "one") as one:
            entry_id = await add_plan(other, "p-1")
            await one.read_plans(count=1, wait_ms=0)
            await other.call(*(("XGROUP", "CREATECONSUMER", PLANS, GROUP, f"dead-{n}") for n in range(3)))
            await other.call(("XCLAIM", PLANS, GROUP, "dead-0", 0, entry_id))
            await other.call(*(("HSET", GENERATION, f"gone-{n}", "x") for n in range(MARKS_MAX)))
            async with running_bus(server.url, "two"):
                assert await consumers(other) == {"one", "dead-0", "dead-1", "dead-2"}
            assert await other.call(("HKEYS", GENERATION)) == [[b"two"]]
            readiness = Readiness(Keys(), "three", consumer_idle_ms_max=-1)
            assert await readiness.ensure(other) is True
            assert await consumers(other) == {"dead-0"}

    run(body())


async def consumers(line: BusConnection) -> set[str]:
    """The names of the group's consumers."""
    (rows,) = await line.call(("XINFO", "CONSUMERS", PLANS, GROUP))
    return {row[1].decode() for row in cast("list[list[bytes]]", rows)}


def test_a_plan_of_a_dead_consumer_is_taken_over() -> None:
    """What was delivered and never acknowledged goes to another consumer once idle long enough, and to none before."""

    async def body() -> None:
        async with running_server() as server, raw(server.url) as other:
            async with running_bus(server.url, "one") as one:
                for n in range(3):
                    await add_plan(other, f"p-{n}")
                taken = await one.read_plans(count=9, wait_ms=0)
                await one.finish([], [taken[0].entry_id])
            async with running_bus(server.url, "two") as two:
                assert await two.reclaim_plans(idle_ms=600_000, count=9) == ()
                assert ids(await two.reclaim_plans(idle_ms=0, count=1)) == ["p-1"]
                await other.call(("XDEL", PLANS, taken[1].entry_id))
                assert ids(await two.reclaim_plans(idle_ms=0, count=9)) == ["p-2"]
                await two.finish([], [taken[2].entry_id])
                assert await two.backlog() == Backlog(0, 0)

    run(body())


def test_taking_over_reaches_behind_what_others_still_work_on() -> None:
    """Idle plans far behind many that are not idle are found in one call, no more than asked for."""

    async def body() -> None:
        async with running_server() as server, raw(server.url) as other, running_bus(server.url, "one") as one:
            entry_ids = [await add_plan(other, f"p-{n}") for n in range(60)]
            await one.read_plans(count=60, wait_ms=0)
            # The last three count as idle for an hour, by the server's own command for it.
            await other.call(("XCLAIM", PLANS, GROUP, "one", 0, *entry_ids[-3:], "IDLE", 3_600_000))
            async with running_bus(server.url, "two") as two:
                assert ids(await two.reclaim_plans(idle_ms=600_000, count=2)) == ["p-57", "p-58"]
                assert ids(await two.reclaim_plans(idle_ms=600_000, count=2)) == ["p-59"]

    run(body())


def test_backlog_counts_what_waits() -> None:
    """Pending is what was delivered and not acknowledged, lag what was not delivered yet."""

    async def body() -> None:
        async with running_server() as server, running_bus(server.url) as bus, raw(server.url) as other:
            for n in range(5):
                await add_plan(other, f"p-{n}")
            await bus.read_plans(count=2, wait_ms=0)
            assert await bus.backlog() == Backlog(pending=2, lag=3)

    run(body())


def test_the_plan_stream_loses_acknowledged_entries_only() -> None:
    """Trimming drops old acknowledged plans and keeps every pending or undelivered one."""

    async def body() -> None:
        async with running_server() as server, running_bus(server.url) as bus, raw(server.url) as other:
            entry_ids = [await add_plan(other, f"p-{n}") for n in range(1_000)]
            await bus.read_plans(count=900, wait_ms=0)
            await bus.finish([], entry_ids[:500])
            await bus.trim_plans(kept_ms=3_600_000)
            assert (await other.call(("XLEN", PLANS))) == [1_000]
            await bus.trim_plans(kept_ms=-3_600_000)
            (left,) = await other.call(("XLEN", PLANS))
            assert 500 <= cast("int", left) < 700
            await bus.finish([], entry_ids[500:900])
            await bus.trim_plans(kept_ms=-3_600_000)
            (left,) = await other.call(("XLEN", PLANS))
            assert 100 <= cast("int", left) < 300
            assert ids(await bus.read_plans(count=900, wait_ms=0)) == [f"p-{n}" for n in range(900, 1_000)]

    run(body())


def test_finishing_trims_now_and_then() -> None:
    """Once in TRIM_EVERY acknowledgements the plan stream is trimmed, and by default nothing recent goes."""

    async def body() -> None:
        async with running_server() as server, running_bus(server.url) as bus, raw(server.url) as other:
            entry_ids = [await add_plan(other, f"p-{n}") for n in range(9)]
            await bus.read_plans(count=9, wait_ms=0)
            for entry_id in entry_ids * (2 * TRIM_EVERY // 9 + 1):
                await bus.finish([], [entry_id])
            (stats,) = await other.call(("INFO", "commandstats"))
            assert b"cmdstat_xtrim:calls=2," in cast("bytes", stats)
            assert await other.call(("XLEN", PLANS)) == [9]

    run(body())


def test_a_killed_server_that_comes_back_keeps_the_plans() -> None:
    """SIGKILL of the server fails the read under way; on the same files all plans, pending ones too, are back."""

    async def body() -> None:
        async with running_server() as server, running_bus(server.url) as bus, raw(server.url) as other:
            await add_plan(other, "p-1")
            await bus.read_plans(count=9, wait_ms=0)
            waiting = asyncio.create_task(bus.read_plans(count=9, wait_ms=10_000))
            await until_blocked(other)
            os.kill(server.pid or 0, signal.SIGKILL)
            with pytest.raises(BusUnavailable):
                await waiting
            assert await server.wait_ended() == -signal.SIGKILL
            for call in (bus.read_plans(count=1, wait_ms=1), bus.backlog(), bus.finish([], ["1-0"])):
                with pytest.raises(BusUnavailable):
                    await call
            await server.stop()
            await server.start()
            async with running_bus(server.url, "two") as after:
                assert ids(await after.reclaim_plans(idle_ms=0, count=9)) == ["p-1"]

    run(body())
