"""A Valkey in memory, reached as our `BusConnection` reaches the real one, and every way in which it can fail.

`MemoryValkey` takes packed commands from `dial`ed lines, so that the product's own codec, adapter and connection code
runs above it. A blocked read waits on the running loop's clock and is served first come, first served.

What the world may do to it:

    refuse, accept    new connections are refused, the standing ones are cut, as when the server is gone
    wipe              FLUSHALL by somebody
    restart           a new run id, no scripts, every line cut; with a picture that was taken earlier, what was written
                      since is lost, as after a failover or an everysec file: entries are delivered a second time
    redeliver         a group's last deliveries are undone (lost in a failover): the same entries go out twice
    is_full           what writes is refused with OOM
    a `Wire`          one line of one process: refuses, delays, cuts before, within or after a write
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import Context
from copy import deepcopy
from typing import TYPE_CHECKING, Protocol, cast

import hiredis
from redis._parsers.base import BaseParser
from redis.exceptions import ConnectionError as LineError

from holdfast.lab.torture.keyspace import Refused, Value
from holdfast.lab.torture.process import OWNER, Life, Process
from holdfast.lab.torture.stream_commands import Blocked, StreamKeyspace
from holdfast.lab.torture.streams import ZERO_ID, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from holdfast.bus.connection import Socket

REFUSED = "Error 111 connecting to 127.0.0.1:6379. Connection refused."
CLOSED = "Connection closed by server."
BROKEN = "Error 32 while writing to socket. Broken pipe."
OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'."
_WRITES = frozenset({b"XADD", b"SET", b"HSET", b"EVAL", b"EVALSHA"})
"""What a full server refuses, of what we send."""
_named = cast("Callable[[str], Exception]", BaseParser.parse_error)
"""The very function that names errors in life; it has no public name."""
Picture = tuple[dict[bytes, Value], dict[bytes, int]]


class Wire(Protocol):
    """One process's line to the server."""

    async def connect(self, name: str) -> None:
        """Take the time of a connect. Raises redis-py's ConnectionError."""
        ...

    async def carry(self, name: str, count: int, take_effect: Callable[[int], None]) -> bool:
        """Carry a write of `count` commands: `take_effect(n)` lets the next n reach the server, at any time.

        False cuts the line, and no reply of this write arrives.
        """
        ...


class GoodWire:
    """Nothing ever happens to it, and it takes no time."""

    async def connect(self, name: str) -> None:
        """At once."""

    async def carry(self, name: str, count: int, take_effect: Callable[[int], None]) -> bool:
        """At once."""
        del name
        take_effect(count)
        return True


class MemoryValkey:
    """See the module. `now_ms` is the server's clock, `run_id` its name until it restarts."""

    def __init__(self, now_ms: Callable[[], int], run_id: str = "memory-0") -> None:
        self.keys = StreamKeyspace(now_ms)
        self.run_id = run_id
        self.is_full = False
        self.is_refusing = False
        self._starts = 0
        self._lines: list[MemoryLine] = []
        self._blocked: list[MemoryLine] = []
        self._commands = {
            name.removeprefix("cmd_").upper().encode(): getattr(self.keys, name)
            for name in dir(self.keys)
            if name.startswith("cmd_")
        }
        self._commands |= {b"PING": lambda _: b"PONG", b"TIME": self._time, b"INFO": self._info}

    def dial(self, wire: Wire) -> Callable[[str, str], Socket]:
        """What a `BusConnection` is given to reach this server through a wire."""
        return lambda _url, name: MemoryLine(self, name, wire)

    def run(self, *command: bytes | str | int) -> object:
        """One command of somebody whose line never fails. Raises Refused; never blocks."""
        parts = [part if isinstance(part, bytes) else str(part).encode() for part in command]
        reply = self._answer(parts)
        self._serve()
        return None if isinstance(reply, Blocked) else reply

    # --- what the world does --------------------------------------------------------------------------

    def refuse(self) -> None:
        """Be gone."""
        self.is_refusing = True
        self.cut_lines()

    def accept(self) -> None:
        """Be there again, as if it had only been out of reach."""
        self.is_refusing = False

    def cut_lines(self) -> None:
        """End every standing connection."""
        for line in list(self._lines):
            line.cut()

    def wipe(self) -> None:
        """Lose everything."""
        self.run("FLUSHALL")

    def picture(self) -> Picture:
        """Everything there is now, for a `restart` that loses what comes after."""
        return deepcopy((self.keys.values, self.keys.ends_ms))

    def restart(self, picture: Picture | None = None) -> None:
        """Start anew, with everything, or with what was in the picture."""
        self.cut_lines()
        self.run("SCRIPT", "FLUSH")
        if picture is not None:
            self.keys.values, self.keys.ends_ms = deepcopy(picture)
        self._starts += 1
        self.run_id = f"{self.run_id.rpartition('-')[0]}-{self._starts}"

    def redeliver(self, key: str, count: int) -> int:
        """Undo the newest `count` deliveries of every group on a stream; how many there were."""
        stream = self.keys.get(key.encode())
        if not isinstance(stream, Stream):
            return 0
        undone = 0
        for group in stream.groups.values():
            given = [entry_id for entry_id in stream.ids if entry_id <= group.delivered]
            again = given[-count:]
            if again:
                group.delivered, group.read = (given[-count - 1] if len(given) > count else ZERO_ID), None
                undone += len(again)
                for entry_id in again:
                    group.pending.pop(entry_id, None)
        self.keys.touched.append(key.encode())
        self._serve()
        return undone

    # --- running commands -----------------------------------------------------------------------------

    def execute(self, line: MemoryLine, parts: list[bytes]) -> None:
        """Run a line's next command: a reply, an error, or the line waits."""
        reply = self._reply(parts)
        if isinstance(reply, Blocked):
            line.block(reply, parts[0])
            self._blocked.append(line)
        else:
            line.replies.append(reply)
        self._serve()

    def _reply(self, parts: list[bytes]) -> object:
        try:
            return self._answer(parts)
        except Refused as refused:
            return _named(str(refused))

    def _answer(self, parts: list[bytes]) -> object:
        name = parts[0].upper()
        command = self._commands.get(name)
        if command is None:
            raise Refused(f"ERR unknown command '{parts[0].decode()}', with args beginning with: ")
        if self.is_full and name in _WRITES:
            raise Refused(OUT_OF_MEMORY)
        try:
            return command(parts[1:])
        except (IndexError, StopIteration):
            raise Refused(f"ERR wrong number of arguments for '{parts[0].decode().lower()}' command") from None

    def _serve(self) -> None:
        """Let those who wait for a touched key try again, first come, first served."""
        while self.keys.touched:
            touched, self.keys.touched = set(self.keys.touched), []
            for line in list(self._blocked):
                waits = line.waits
                if waits is None or waits.key not in touched or self._hung_up(line):
                    continue
                reply = self._reply([line.waits_for, *waits.again])
                # A plain XREAD does not mind that its stream is gone or no stream any more.
                goes_on = isinstance(reply, Blocked) or (isinstance(reply, Exception) and line.waits_for == b"XREAD")
                if not goes_on:
                    self.unblock(line, reply)

    def _hung_up(self, line: MemoryLine) -> bool:
        """End the connection of a process that was killed: its machine closes its sockets."""
        if line.owner is None or line.owner.life is not Life.KILLED:
            return False
        line.cut()
        return True

    def unblock(self, line: MemoryLine, reply: object) -> None:
        """End a wait with a reply, and run what the line sent meanwhile."""
        self._blocked.remove(line)
        line.unblock(reply)

    def join(self, line: MemoryLine) -> None:
        """A connection stands."""
        self._lines.append(line)

    def leave(self, line: MemoryLine) -> None:
        """A connection is gone; what it waited for nobody gets."""
        if line in self._lines:
            self._lines.remove(line)
        if line in self._blocked:
            self._blocked.remove(line)

    def _time(self, _args: list[bytes]) -> object:
        seconds, ms = divmod(self.keys.now_ms(), 1000)
        return [b"%d" % seconds, b"%d" % (ms * 1000)]

    def _info(self, _args: list[bytes]) -> object:
        lines = ("# Server", "server_name:valkey", f"run_id:{self.run_id}")
        return "\r\n".join((*lines, "# Clients", f"blocked_clients:{len(self._blocked)}", "")).encode()


class MemoryLine:
    """`bus.connection.Socket` to a `MemoryValkey`: one connection at a time."""

    def __init__(self, server: MemoryValkey, name: str, wire: Wire) -> None:
        self._server = server
        self._name = name
        self._wire = wire
        self._is_open = False
        self._is_cut = False
        self._sent: deque[list[bytes]] = deque()
        self._arrived: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.replies: deque[object] = deque()
        self.waits: Blocked | None = None
        self.waits_for = b""
        self.owner: Process | None = None
        """The process at the other end."""

    @property
    def is_connected(self) -> bool:
        """As redis-py: the client's own view, which does not know of a cut yet."""
        return self._is_open

    async def connect(self) -> None:
        """Connect. Raises ConnectionError."""
        await self._wire.connect(self._name)
        if self._server.is_refusing:
            raise LineError(REFUSED)
        self._is_open, self._is_cut = True, False
        self.owner = OWNER.get()
        self._server.join(self)

    async def disconnect(self, nowait: bool = False) -> None:  # noqa: FBT001, FBT002 - redis-py's signature
        """End it; what is under way is forgotten."""
        del nowait
        self._is_open = False
        self._end()

    async def can_read(self) -> bool:
        """Tell whether a reply, or the end, is there to be read."""
        return self._is_cut or bool(self.replies)

    async def send_packed_command(self, command: Iterable[bytes], check_health: bool = True) -> None:  # noqa: FBT001, FBT002 - redis-py's signature
        """Send. Raises ConnectionError on a line that was cut."""
        del check_health
        if self._is_cut or not self._is_open:
            raise LineError(BROKEN)
        reader = hiredis.Reader()
        count = 0
        for packed in command:
            reader.feed(packed)
            count += 1
        commands = deque(reader.gets() for _ in range(count))

        def take_effect(number: int) -> None:
            for _ in range(min(number, len(commands))):
                self._take(commands.popleft())

        if not await self._wire.carry(self._name, count, take_effect):
            self.cut()

    def _take(self, parts: list[bytes]) -> None:
        if self.waits is None:
            self._server.execute(self, parts)
        else:
            self._sent.append(parts)
        self._tell()

    async def read_response(self) -> object:
        """The next reply. Raises what the server answered, ConnectionError for a line that was cut."""
        while not self.replies:
            if self._is_cut or not self._is_open:
                self._is_open = False
                raise LineError(CLOSED)
            self._arrived = asyncio.get_running_loop().create_future()
            await self._arrived
        reply = self.replies.popleft()
        if isinstance(reply, Exception):
            raise reply
        return reply

    def block(self, waits: Blocked, command: bytes) -> None:
        """Wait for a touched key, up to the command's own time."""
        self.waits, self.waits_for = waits, command
        if waits.wait_ms:
            # The server's timer, not the waiting process's: it runs while that one is paused.
            self._timer = asyncio.get_running_loop().call_later(
                waits.wait_ms / 1000, self._server.unblock, self, None, context=Context()
            )

    def unblock(self, reply: object) -> None:
        """Answer, and go on with what was sent meanwhile."""
        self._forget_wait()
        self.replies.append(reply)
        while self._sent and self.waits is None:
            self._server.execute(self, self._sent.popleft())
        self._tell()

    def cut(self) -> None:
        """The connection breaks: replies that were not read are lost."""
        self._is_cut = True
        self._end()
        self._tell()

    def _end(self) -> None:
        self._forget_wait()
        self._sent.clear()
        self.replies.clear()
        self._server.leave(self)

    def _forget_wait(self) -> None:
        self.waits = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tell(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)
