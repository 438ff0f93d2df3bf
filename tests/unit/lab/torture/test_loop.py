"""The virtual loop: time that jumps, order that never changes, processes that stop without a last word."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import time

import pytest

from holdfast.lab.torture.clock import VirtualClock
from holdfast.lab.torture.loop import (
    Deadlock,
    Livelock,
    NotInThisWorld,
    VirtualLoop,
    pass_ms,
    play,
    running_loop,
    until,
)
from holdfast.lab.torture.process import Life

DAY_MS = 86_400_000


def test_a_day_passes_in_no_time() -> None:
    """Waiting a day moves the virtual clocks by exactly a day and takes next to no real time."""

    async def story() -> tuple[int, int, float]:
        clock = VirtualClock(1_000)
        await pass_ms(DAY_MS)
        return clock.now_ms(), clock.monotonic_ns(), asyncio.get_running_loop().time()

    began = time.monotonic()
    now_ms, monotonic_ns, loop_s = play(story)

    assert now_ms == 1_000 + DAY_MS
    assert monotonic_ns == DAY_MS * 1_000_000
    assert loop_s == DAY_MS / 1000
    assert time.monotonic() - began < 2


def test_only_the_wall_clock_jumps() -> None:
    """A jump moves the wall clock, backward too, and neither the monotonic one nor any timer."""

    async def story() -> tuple[int, int]:
        clock = VirtualClock(1_000)
        clock.jump(-700)
        await pass_ms(5)
        return clock.now_ms(), clock.monotonic_ns()

    assert play(story) == (305, 5_000_000)


def test_timers_of_one_moment_run_in_the_order_they_were_set() -> None:
    """Ties are broken by who came first, and earlier moments come first however late they were set."""

    async def story() -> list[str]:
        loop, seen = asyncio.get_running_loop(), list[str]()
        for name in "abcdefgh":
            loop.call_later(0.2, seen.append, name)
        loop.call_later(0.1, seen.append, "early")
        cancelled = loop.call_later(0.2, seen.append, "never")
        cancelled.cancel()
        loop.call_later(-1, seen.append, "at once")
        await pass_ms(300)
        return seen

    assert play(story) == ["at once", "early", *"abcdefgh"]


def test_asyncio_works_on_it() -> None:
    """Time-outs, task groups, queues, events and locks behave as on a real loop."""

    async def story() -> list[object]:
        seen: list[object] = []
        queue: asyncio.Queue[int] = asyncio.Queue(maxsize=1)
        event, lock = asyncio.Event(), asyncio.Lock()

        async def tell_after(wait_s: int) -> int:
            await pass_ms(wait_s * 1000)
            return wait_s

        async def producer() -> None:
            for number in range(3):
                await pass_ms(10)
                await queue.put(number)
            event.set()

        async def consumer() -> None:
            for _ in range(3):
                async with lock:
                    seen.append(await queue.get())

        async with asyncio.TaskGroup() as group:
            group.create_task(producer())
            group.create_task(consumer())
            await event.wait()
        try:
            async with asyncio.timeout(5):
                await asyncio.get_running_loop().create_future()
        except TimeoutError:
            seen.append(asyncio.get_running_loop().time())
        done, waiting = await asyncio.wait(
            [asyncio.ensure_future(tell_after(wait_s)) for wait_s in (3, 1, 2)],
            return_when=asyncio.FIRST_COMPLETED,
        )
        seen.extend((len(done), len(waiting)))
        seen.extend(await asyncio.gather(*waiting))
        return seen

    result = play(story)

    assert result[:3] == [0, 1, 2]
    assert result[3] == pytest.approx(5.03)
    assert result[4:6] == [1, 2]
    assert sorted(map(str, result[6:])) == ["2", "3"]


def test_a_task_group_cancels_in_the_order_of_making() -> None:
    """Sets of tasks are walked by the order in which the tasks were made, not by where they lie in memory."""

    async def story() -> list[int]:
        seen: list[int] = []

        async def members() -> None:
            async with asyncio.TaskGroup() as group:
                for number in range(5):
                    group.create_task(member(number))
                await asyncio.sleep(0)
                group.create_task(fail())

        async def member(number: int) -> None:
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                seen.append(number)
                raise

        async def fail() -> None:
            raise ValueError("one fails")

        with pytest.raises(ExceptionGroup):
            await members()
        return seen

    assert play(story) == [0, 1, 2, 3, 4]


def test_a_wait_that_nothing_ends_is_an_error() -> None:
    """When nothing is ready and no timer stands, the loop says so instead of hanging."""

    async def story() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Deadlock):
        play(story)


def test_a_loop_that_turns_without_time_is_an_error() -> None:
    """Tasks that wake each other for ever at one moment are found out."""

    async def story() -> None:
        while True:  # noqa: ASYNC110 - the very thing that is to be found
            await asyncio.sleep(0)

    with pytest.raises(Livelock):
        play(story)


@pytest.mark.parametrize("name", ["add_reader", "run_in_executor", "create_connection", "getaddrinfo", "sock_recv"])
def test_there_is_no_machine_below(name: str) -> None:
    """Sockets, threads, signals and child processes are refused by name."""

    async def story() -> None:
        getattr(asyncio.get_running_loop(), name)()

    with pytest.raises(NotInThisWorld, match=name):
        play(story)


def test_a_thread_is_refused() -> None:
    """What would run in a thread raises instead."""

    async def story() -> None:
        await asyncio.to_thread(time.monotonic)

    with pytest.raises(NotInThisWorld, match="run_in_executor"):
        play(story)


def test_a_paused_process_goes_on_where_it_was() -> None:
    """A paused process does nothing while time passes; what came due meanwhile runs, in order, when it goes on."""

    async def story() -> tuple[list[float], list[float]]:
        loop, seen = running_loop(), list[float]()
        process = loop.new_process("one")

        async def work() -> None:
            for _ in range(4):
                await pass_ms(1000)
                seen.append(loop.time())

        task = process.start(work())
        await pass_ms(1500)
        process.pause()
        await pass_ms(10000)
        before = list(seen)
        process.resume()
        await task
        return before, seen

    before, seen = play(story)

    assert before == [1.0]
    assert seen == [1.0, 11.5, 12.5, 13.5]


def test_a_killed_process_has_no_last_word() -> None:
    """After a kill neither code nor `finally` of the process runs, whatever its children, timers and futures do."""
    seen: list[str] = []

    async def story() -> None:
        loop = running_loop()
        process, gate = loop.new_process("one"), loop.create_future()

        async def child() -> None:
            try:
                async with asyncio.timeout(2):
                    await gate
            finally:
                seen.append("child ended")

        async def work() -> None:
            loop.call_later(3, seen.append, "timer")
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(child())
                    group.create_task(child())
            finally:
                seen.append("group ended")

        task = process.start(work())
        await pass_ms(1000)
        process.kill()
        gate.set_result(None)
        task.cancel()
        del task
        gc.collect()
        await pass_ms(10000)
        assert seen == []
        assert process.life is Life.KILLED
        with pytest.raises(RuntimeError, match="one is dead"):
            process.start(work())
        seen.append("over")

    play(story)

    assert seen[0] == "over"


def test_a_process_kills_itself_in_mid_call() -> None:
    """`perish` never returns, and others go on."""

    async def story() -> list[str]:
        loop, seen = running_loop(), list[str]()
        process = loop.new_process("one")

        async def work() -> None:
            try:
                seen.append("before")
                await process.perish()
            finally:
                seen.append("finally")

        process.start(work())
        await pass_ms(1000)
        return list(seen)

    assert play(story) == ["before"]


def test_the_dead_are_buried_quietly() -> None:
    """Closing the loop prints nothing, though dead coroutines wait and fail in their `finally`."""
    program = """
import asyncio, gc
from holdfast.lab.torture.loop import pass_ms, play, running_loop
async def stubborn():
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        try:
            await pass_ms(1000)
        finally:
            raise ValueError("too late")
async def story():
    process = running_loop().new_process("one")
    process.start(stubborn())
    await pass_ms(1000)
    process.kill()
for _ in range(3):
    play(story)
gc.collect()
"""
    ended = subprocess.run([sys.executable, "-X", "dev", "-c", program], capture_output=True, check=True, timeout=60)  # noqa: S603 - our own program

    assert ended.stderr == b""


def test_callbacks_belong_to_who_asked_for_them() -> None:
    """The world goes on when it awaits what a process does, and the process's own part stops with it."""

    async def story() -> list[str]:
        loop, seen = running_loop(), list[str]()
        process = loop.new_process("one")
        answer: asyncio.Future[str] = loop.create_future()

        async def work() -> None:
            await pass_ms(1000)
            answer.set_result("done")
            await asyncio.sleep(0)
            seen.append("went on")

        process.start(work())
        answer.add_done_callback(lambda _: process.kill())
        seen.append(await answer)
        await pass_ms(1000)
        return seen

    assert play(story) == ["done"]


def test_waiting_for_a_condition_has_a_bound() -> None:
    """`until` returns when the condition holds and raises when it never does."""

    async def story() -> float:
        loop = running_loop()
        await until(lambda: loop.time() > 1)
        with pytest.raises(TimeoutError):
            await until(lambda: False, within_ms=50)
        return loop.time()

    assert play(story) == pytest.approx(1.053, abs=0.01)


def test_a_loop_outside_is_no_virtual_loop() -> None:
    """What needs the virtual loop says so on a real one."""

    async def story() -> None:
        running_loop()

    with pytest.raises(NotInThisWorld):
        asyncio.run(story())
    loop = VirtualLoop()
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_soon(print)
