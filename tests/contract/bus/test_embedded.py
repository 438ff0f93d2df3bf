"""The embedded server: ours alone, gone with us, back on the same files."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from holdfast.bus.binary import wheel_program
from holdfast.bus.connection import BusConnection, ErrorReply
from holdfast.bus.embedded import EmbeddedServer, free_port
from holdfast.bus.tether import Tether
from holdfast.domain.errors import BusUnavailable, CannotStart
from tests.contract.bus.parts import DEADLINE_S, PROGRAM, add_plan, raw, run, running_bus, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator


def files_under(directory: Path) -> list[Path]:
    """Every file in the directory and below."""
    return [path for path in directory.rglob("*") if path.is_file()]


def append_only_file(directory: Path) -> Path:
    """The one that commands are appended to."""
    (newest,) = directory.glob("appendonlydir/*.incr.aof")
    return newest


def test_it_serves_on_loopback_behind_a_password() -> None:
    """The server answers on its address, listens on 127.0.0.1 only, and refuses whoever has no password."""

    async def body() -> None:
        async with running_server() as server:
            assert 0 < server.start_ms < DEADLINE_S * 1000
            async with raw(server.url) as line:
                (bind, save, appendonly) = await line.call(
                    ("CONFIG", "GET", "bind"), ("CONFIG", "GET", "save"), ("CONFIG", "GET", "appendonly")
                )
                assert (bind, save, appendonly) == ([b"bind", b"127.0.0.1"], [b"save", b""], [b"appendonly", b"yes"])
            port = server.url.rpartition(":")[2]
            stranger = BusConnection(f"redis://127.0.0.1:{port}", "stranger")
            with pytest.raises(BusUnavailable, match=r"(?i)auth"):
                await stranger.call(("PING",))

    run(body())


def test_its_address_is_for_its_owner_only(tmp_path: Path) -> None:
    """bus.url holds the address with mode 0600 while the server runs, and is gone after it."""

    async def body() -> None:
        async with running_server(tmp_path) as server:
            assert server.url_path == tmp_path / "bus.url"
            assert server.url_path.read_text().strip() == server.url
            assert stat.S_IMODE(server.url_path.stat().st_mode) == 0o600
        assert not server.url_path.exists()
        assert server.url == ""

    run(body())


def test_the_password_is_in_no_argument_environment_or_log(tmp_path: Path) -> None:
    """Neither the process list nor the log nor any file but bus.url shows the password."""

    async def body() -> None:
        async with running_server(tmp_path) as server:
            password = server.url.split(":")[2].split("@")[0].encode()
            assert len(password) >= 32
            process = Path(f"/proc/{server.pid}")
            assert password not in process.joinpath("cmdline").read_bytes()
            assert password not in process.joinpath("environ").read_bytes()
            holders = [path for path in files_under(tmp_path) if password in path.read_bytes()]
            assert holders == [server.url_path]

    run(body())


def test_a_new_start_has_a_new_address_and_the_old_plans(tmp_path: Path) -> None:
    """Stopped and started again on the same directory, the server has another password and the same stream."""

    async def body() -> None:
        urls = []
        for _ in range(2):
            async with running_server(tmp_path) as server, raw(server.url) as line:
                urls.append(server.url)
                await add_plan(line, "p")
        async with running_server(tmp_path) as server, running_bus(server.url) as bus:
            assert len({server.url.split("@")[0], *(url.split("@")[0] for url in urls)}) == 3
            assert len(await bus.read_plans(count=9, wait_ms=0)) == 2

    run(body())


def test_a_torn_append_only_file_costs_its_tail_alone(tmp_path: Path) -> None:
    """Killed, and with the last command on disk cut short, the server starts with everything before it."""

    async def body() -> None:
        async with running_server(tmp_path) as server, raw(server.url) as line:
            for n in range(3):
                await add_plan(line, f"p-{n}")
            os.kill(server.pid or 0, signal.SIGKILL)
            await server.wait_ended()
        newest = append_only_file(tmp_path)
        os.truncate(newest, newest.stat().st_size - 5)
        async with running_server(tmp_path) as server, running_bus(server.url) as bus:
            assert [e.plan_id for e in await bus.read_plans(count=9, wait_ms=0)] == ["p-0", "p-1"]

    run(body())


def test_a_damaged_append_only_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """A file damaged in its middle is no start; the message names the directory to move away."""

    async def body() -> None:
        async with running_server(tmp_path) as server, raw(server.url) as line:
            await add_plan(line, "p-1")
        newest = append_only_file(tmp_path)
        newest.write_bytes(b"not a command\r\n" + newest.read_bytes())
        with pytest.raises(CannotStart, match="appendonlydir away"):
            await EmbeddedServer(tmp_path).start()
        assert not (tmp_path / "bus.url").exists()

    run(body())


def test_a_second_server_on_the_directory_is_refused(tmp_path: Path) -> None:
    """While one server lives on a directory, another start on it is refused and the first goes on serving."""

    async def body() -> None:
        async with running_server(tmp_path) as server:
            with pytest.raises(CannotStart, match="another bus server"):
                await EmbeddedServer(tmp_path, lock_ms_max=50).start()
            async with raw(server.url) as line:
                assert await line.call(("PING",)) == [b"PONG"]

    run(body())


def test_a_port_taken_in_the_race_is_tried_elsewhere(tmp_path: Path) -> None:
    """When somebody takes the chosen port first, the server starts on another; after five such it gives up."""

    async def body() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            bad = taken.getsockname()[1]
            ports: Iterator[int] = iter([bad, free_port()])
            async with EmbeddedServer(tmp_path, choose_port=lambda: next(ports)) as server:
                assert not server.url.endswith(f":{bad}/0")
            tried: list[int] = []

            def always_bad() -> int:
                tried.append(bad)
                return cast("int", bad)

            with pytest.raises(CannotStart, match="did not start"):
                await EmbeddedServer(tmp_path, choose_port=always_bad).start()
            assert len(tried) == 5

    run(body())


@pytest.mark.parametrize("tether", list(Tether))
def test_its_death_is_noticed(tmp_path: Path, tether: Tether) -> None:
    """When the server is ended from outside, whoever waits for its end learns it."""

    async def body() -> None:
        async with EmbeddedServer(tmp_path, tether=tether) as server:
            ended = asyncio.create_task(server.wait_ended())
            async with raw(server.url) as line:
                (info,) = await line.call(("INFO", "server"))
                pid = int(cast("bytes", info).split(b"process_id:")[1].split()[0])
            os.kill(pid, signal.SIGKILL)
            assert await ended != 0

    run(body())


CHILD = """
import asyncio, sys
from pathlib import Path
from holdfast.bus.connection import BusConnection
from holdfast.bus.embedded import EmbeddedServer
from holdfast.bus.tether import Tether

async def main():
    program = Path(sys.argv[3]) if sys.argv[3] else None
    server = EmbeddedServer(Path(sys.argv[1]), program=program, tether=Tether(sys.argv[2]))
    await server.start()
    (info,) = await BusConnection(server.url, "child").call(("INFO", "server"))
    print(info.split(b"process_id:")[1].split()[0].decode(), flush=True)
    await server.wait_ended()

asyncio.run(main())
"""


@pytest.mark.parametrize("tether", list(Tether))
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_dies_with_its_parent(tmp_path: Path, tether: Tether, number: signal.Signals) -> None:
    """A parent killed by SIGKILL, or by SIGTERM without a handler, takes the server with it; the next start works."""

    async def body() -> None:
        parent = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", CHILD, str(tmp_path), tether.value, str(PROGRAM or "")),
            stdout=asyncio.subprocess.PIPE,
        )
        if parent.stdout is None:
            raise RuntimeError("no pipe")
        descriptor = os.pidfd_open(int(await parent.stdout.readline()))
        try:
            parent.send_signal(number)
            assert await parent.wait() == -number
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            assert poll.poll(DEADLINE_S * 1000), "the server outlived its parent"
        finally:
            os.close(descriptor)
        async with running_server(tmp_path) as server:
            assert server.url

    run(body())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("#!/bin/sh\necho 'Redis server v=6.2.7 sha=0'\n", "version 6"),
        ("#!/bin/sh\necho hello\n", "no Valkey"),
        ("not a program", "cannot be run"),
    ],
)
def test_a_program_that_is_no_fit_server_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    """A named program that is too old, another program or none at all is refused with its name."""

    async def body() -> None:
        program = tmp_path / "server"
        program.write_text(text)
        program.chmod(0o700)
        with pytest.raises(CannotStart, match=complaint):
            await EmbeddedServer(tmp_path / "data", program=program).start()
        with pytest.raises(CannotStart, match="cannot be run"):
            await EmbeddedServer(tmp_path / "data", program=tmp_path / "absent").start()

    run(body())


def test_the_wheels_program_may_be_named_and_a_directory_may_have_any_name(tmp_path: Path) -> None:
    """A named program of version 7 or newer runs, in a directory whose name has blanks, quotes and line ends."""

    async def body() -> None:
        directory = tmp_path / 'a "b" \\x41\n requirepass größe'
        async with EmbeddedServer(directory, program=wheel_program()) as server:
            async with raw(server.url) as line:
                assert await line.call(("PING",)) == [b"PONG"]
            assert (directory / "appendonlydir").is_dir()

    run(body())


def test_a_server_that_died_is_started_again_at_the_same_address(tmp_path: Path) -> None:
    """After its death a restart serves the old address and the old plans: a bus made before goes on by itself."""

    async def body() -> None:
        async with running_server(tmp_path) as server, running_bus(server.url) as bus, raw(server.url) as line:
            await add_plan(line, "p-1")
            before = server.url
            os.kill(server.pid or 0, signal.SIGKILL)
            await server.wait_ended()
            await server.restart()
            assert server.url == before == server.url_path.read_text().strip()
            assert await bus.ensure_ready() is True
            assert [entry.plan_id for entry in await bus.read_plans(count=9, wait_ms=0)] == ["p-1"]

    run(body())


def test_a_restart_at_a_port_that_was_taken_is_refused(tmp_path: Path) -> None:
    """When somebody took the port meanwhile, or nothing was ever started, restart raises and nothing runs."""

    async def body() -> None:
        server = EmbeddedServer(tmp_path)
        with pytest.raises(CannotStart, match="not started"):
            await server.restart()
        await server.start()
        os.kill(server.pid or 0, signal.SIGKILL)
        await server.wait_ended()
        with socket.create_server(("127.0.0.1", int(server.url.rpartition(":")[2].removesuffix("/0")))):
            with pytest.raises(CannotStart):
                await server.restart()
            assert server.pid is None

    run(body())


def test_a_directory_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    """A data directory that is a file is no start, and the message names it."""

    async def body() -> None:
        path = tmp_path / "file"
        path.write_text("")
        with pytest.raises(CannotStart, match="file"):
            await EmbeddedServer(path).start()

    run(body())


def test_what_was_not_started_cannot_be_waited_for(tmp_path: Path) -> None:
    """Waiting for the end of a server that never started raises; stopping it does nothing."""

    async def body() -> None:
        server = EmbeddedServer(tmp_path)
        await server.stop()
        with pytest.raises(BusUnavailable):
            await server.wait_ended()

    run(body())


def test_a_junk_producer_cannot_take_the_machine_down() -> None:
    """The server refuses writes beyond its memory bound, and a value beyond its size bound ends that producer only."""

    async def body() -> None:
        async with running_server() as server, raw(server.url) as line, raw(server.url) as producer:
            memory, policy = await line.call(("CONFIG", "GET", "maxmemory"), ("CONFIG", "GET", "maxmemory-policy"))
            assert (memory, policy) == ([b"maxmemory", b"536870912"], [b"maxmemory-policy", b"noeviction"])
            with pytest.raises(BusUnavailable):
                await producer.call(("SET", "k", b"x" * (16 * 1024 * 1024 + 1)))
            assert not isinstance((await line.call(("SET", "k", "v")))[0], ErrorReply)

    run(body())
