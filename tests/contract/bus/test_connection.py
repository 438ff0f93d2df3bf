"""One connection: nothing is sent twice, nothing is read by the wrong call, every failure is BusUnavailable."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import pytest
import redis.asyncio

from holdfast.bus.connection import BusConnection, ErrorReply
from holdfast.domain.errors import BusUnavailable
from tests.contract.bus.parts import CutLine, entries, raw, run, running_server, until, until_blocked

if TYPE_CHECKING:
    from holdfast.bus.embedded import EmbeddedServer


def test_an_entry_is_written_once_when_its_answer_is_lost() -> None:
    """When the line is cut after the server took an XADD, the call raises and one entry stands; the next call works."""

    async def body() -> None:
        async with running_server() as server, CutLine(server.url, b"XADD", reply_lost=True) as line:
            async with raw(line.url) as connection:
                with pytest.raises(BusUnavailable):
                    await connection.call(("XADD", "s", "*", "n", "1"))
                assert line.cut.is_set()
                assert await connection.call(("PING",)) == [b"PONG"]
            async with raw(server.url) as straight:
                assert await entries(straight, "s") == [{"n": "1"}]

    run(body())


def test_the_same_cut_makes_the_library_with_its_defaults_write_twice() -> None:
    """The fault is real: redis-py as it comes answers this very cut with a second entry and reports success."""

    async def body() -> None:
        async with running_server() as server, CutLine(server.url, b"XADD", reply_lost=True) as line:
            at = urlsplit(line.url)
            async with redis.asyncio.Redis(host="127.0.0.1", port=at.port or 0, password=at.password) as client:
                await client.xadd("s", {"n": "1"})
            async with raw(server.url) as straight:
                assert len(await entries(straight, "s")) == 2

    run(body())


def test_a_command_that_never_arrived_is_not_sent_by_itself() -> None:
    """When the line is cut before the server got the command, the call raises and nothing stands."""

    async def body() -> None:
        async with running_server() as server, CutLine(server.url, b"XADD", reply_lost=False) as line:
            async with raw(line.url) as connection:
                with pytest.raises(BusUnavailable):
                    await connection.call(("XADD", "s", "*", "n", "1"))
            async with raw(server.url) as straight:
                assert await entries(straight, "s") == []

    run(body())


def test_a_connection_that_the_server_ended_while_idle_is_made_anew() -> None:
    """A call on a connection that ended while nothing was under way connects again and succeeds."""

    async def body() -> None:
        async with running_server() as server, raw(server.url) as admin, raw(server.url) as connection:
            (number,) = await connection.call(("CLIENT", "ID"))
            await admin.call(("CLIENT", "KILL", "ID", cast("int", number)))

            async def is_gone() -> bool:
                return await admin.call(("CLIENT", "LIST", "ID", cast("int", number))) == [b""]

            await until(is_gone)
            (other,) = await connection.call(("CLIENT", "ID"))
            assert other != number

    run(body())


def test_a_cancelled_call_leaves_no_answer_behind() -> None:
    """The call after a cancelled one gets its own answer, not the cancelled one's."""

    async def body() -> None:
        async with running_server() as server, raw(server.url) as admin, raw(server.url) as connection:
            blocked = asyncio.create_task(connection.call(("BLPOP", "list", 0), wait_ms=60_000))
            await until_blocked(admin)
            blocked.cancel()
            await asyncio.wait([blocked])
            assert blocked.cancelled()
            assert await connection.call(("ECHO", "mine")) == [b"mine"]

    run(body())


def test_concurrent_calls_get_their_own_answers() -> None:
    """Two hundred calls at once on one connection each get the answer to their own question."""

    async def body() -> None:
        async with running_server() as server, raw(server.url) as connection:
            answers = await asyncio.gather(*(connection.call(("ECHO", n), ("ECHO", -n)) for n in range(200)))
            assert answers == [[str(n).encode(), str(-n).encode()] for n in range(200)]

    run(body())


def test_an_error_is_a_value_with_its_code_and_later_commands_run() -> None:
    """What the server refuses comes back as an ErrorReply in its place; the commands behind it are executed."""

    async def body() -> None:
        async with running_server() as server, raw(server.url) as connection:
            await connection.call(("SET", "text", "x"))
            replies = await connection.call(
                ("HGET", "text", "f"), ("EVALSHA", "0" * 40, 0), ("XACK",), ("XREADGROUP", *GROUP_READ), ("ECHO", "x")
            )
            errors = [reply for reply in replies if isinstance(reply, ErrorReply)]
            assert [error.text.split()[0] for error in errors] == ["WRONGTYPE", "NOSCRIPT", "ERR", "NOGROUP"]
            assert replies[-1] == b"x"

    run(body())


GROUP_READ = ("GROUP", "g", "c", "STREAMS", "absent", ">")


def test_a_server_that_hangs_is_unavailable_within_the_deadline() -> None:
    """A stopped server costs a call no more than its deadline, and the first call after it goes on works."""

    async def body() -> None:
        async with running_server() as server:
            connection = BusConnection(server.url, "test", call_ms_max=200)
            assert await connection.call(("PING",)) == [b"PONG"]
            began = asyncio.get_running_loop().time()
            os.kill(_pid(server), signal.SIGSTOP)
            try:
                with pytest.raises(BusUnavailable, match="in time"):
                    await connection.call(("PING",))
            finally:
                os.kill(_pid(server), signal.SIGCONT)
            assert asyncio.get_running_loop().time() - began < 2
            assert await connection.call(("PING",)) == [b"PONG"]
            await connection.close()

    run(body())


def test_nobody_there_and_a_wrong_password_are_unavailable() -> None:
    """A refused connection and a refused password raise BusUnavailable, and no message names the password."""

    async def body() -> None:
        async with running_server() as server:
            wrong = BusConnection(server.url.replace(":", ":sesame", 2).replace(":sesame", ":", 1), "test")
            with pytest.raises(BusUnavailable) as caught:
                await wrong.connect()
            assert "sesame" not in str(caught.value)
            gone = server.url
        absent = BusConnection(gone, "test")
        with pytest.raises(BusUnavailable) as caught:
            await absent.connect()
        assert gone.split(":")[2].split("@")[0] not in str(caught.value)

    run(body())


def _pid(server: EmbeddedServer) -> int:
    if server.pid is None:
        raise RuntimeError("not started")
    return server.pid


def test_calls_that_wait_go_together_and_each_once() -> None:
    """A thousand calls at once are written in few packets, in their order, each once."""

    async def body() -> None:
        async with running_server() as server, raw(server.url) as connection, raw(server.url) as other:
            await connection.connect()
            await other.call(("CONFIG", "RESETSTAT"))
            await asyncio.gather(*(connection.call(("XADD", "s", "*", "n", n)) for n in range(1_000)))
            assert [row["n"] for row in await entries(other, "s")] == [str(n) for n in range(1_000)]
            (stats,) = await other.call(("INFO", "stats"))
            reads = int(cast("bytes", stats).split(b"total_reads_processed:")[1].split()[0])
            assert reads < 100

    run(body())


def test_a_call_cancelled_before_its_turn_is_never_sent() -> None:
    """Of the calls that wait behind a slow one, those cancelled or late meanwhile are not sent; the others are."""

    async def body() -> None:
        async with running_server() as server, raw(server.url) as admin, raw(server.url) as connection:
            slow = asyncio.create_task(connection.call(("BLPOP", "list", 0), wait_ms=60_000))
            await until_blocked(admin)
            waiting = [asyncio.create_task(connection.call(("XADD", "s", "*", "n", n))) for n in range(3)]
            await admin.call(("PING",))
            waiting[1].cancel()
            await asyncio.wait([waiting[1]])
            await admin.call(("RPUSH", "list", "x"))
            await asyncio.wait([slow, *waiting])
            assert [row["n"] for row in await entries(admin, "s")] == ["0", "2"]
            assert waiting[1].cancelled()

    run(body())


def test_calls_that_were_sent_together_fail_together() -> None:
    """When the line is cut under a common write, each call of it raises, nothing is sent again, and the next works."""

    async def body() -> None:
        async with (
            running_server() as server,
            raw(server.url) as other,
            CutLine(server.url, b"XADD", reply_lost=True) as line,
            raw(line.url) as connection,
        ):
            calls = (connection.call(("PING",)), *(connection.call(("XADD", "s", "*", "n", n)) for n in range(5)))
            pong, *failed = await asyncio.gather(*calls, return_exceptions=True)
            assert pong == [b"PONG"]
            assert [type(error) for error in failed] == [BusUnavailable] * 5
            assert [row["n"] for row in await entries(other, "s")] == ["0", "1", "2", "3", "4"]
            assert await connection.call(("PING",)) == [b"PONG"]

    run(body())
