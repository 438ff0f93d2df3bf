"""One dedicated connection to the server: one round trip a call, and nothing is ever sent twice.

Invariants:

    - redis-py's retries are off (`Retry(NoBackoff(), 0)`, no error is retried, no health check): with them an XADD
      whose answer was lost is written again (LESSONS, reproduced in tests/contract/bus).
    - A call has one deadline for all of it: waiting for its turn, connecting, sending, every reply.
    - A call that fails or is cancelled after its first byte was sent closes the connection, so that no later call
      can read its replies. The next call connects anew.
    - Every failure is `BusUnavailable`, but an error that the server answered, which is a value: `ErrorReply`.

    - Whoever is cancelled or late before its turn came is never sent.

The client library's own commands are passed by: its `Connection` sends, receives and parses, hiredis packs.
A connection is no pool. Of concurrent callers the first is sent at once; those who came while it was under way go
together in the next write (at most BATCH_COMMANDS_MAX commands), in their order: under load that is one system call
for many plans. If that write fails, each of them is told that its fate is unknown.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, cast

import hiredis
from redis.asyncio.connection import Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from holdfast.domain.errors import BusUnavailable, CannotStart

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CALL_MS_MAX = 2_000
"""A server that needs longer than this for one round trip counts as gone."""
RESP = 2
"""The plainest protocol, without push messages. RESP3 was measured to be neither faster nor slower here."""
BATCH_COMMANDS_MAX = 512

Argument = bytes | str | int
Command = tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """What the server refused, in its own words. Nothing was executed, or it says otherwise."""

    text: str

    def is_code(self, code: str) -> bool:
        """Tell whether the error's first word is `code`, for instance `NOGROUP`."""
        return self.text.split(" ", 1)[0] == code


def checked(reply: object) -> object:
    """Return the reply. Raises BusUnavailable if it is an error."""
    if isinstance(reply, ErrorReply):
        raise BusUnavailable(f"the bus refused: {reply.text}")
    return reply


def all_checked(replies: Iterable[object]) -> None:
    """Raise BusUnavailable for the first error among the replies."""
    for reply in replies:
        checked(reply)


class Socket(Protocol):
    """The part of redis-py's Connection that is used here, with its types."""

    @property
    def is_connected(self) -> bool:
        """Tell whether it was connected and nobody saw it end."""
        ...

    async def connect(self) -> None:
        """Connect."""
        ...

    async def disconnect(self, nowait: bool = ...) -> None:  # noqa: FBT001 - their signature
        """End the connection."""
        ...

    async def send_packed_command(self, command: Iterable[bytes], check_health: bool = ...) -> None:  # noqa: FBT001 - their signature
        """Send commands, each packed."""
        ...

    async def read_response(self) -> object:
        """The next reply. Raises the server's refusal as a RedisError."""
        ...

    async def can_read(self) -> bool:
        """Tell whether a reply, or the connection's end, is there to be read."""
        ...


Dial = Callable[[str, str], Socket]
"""Makes a socket of an address and a client's name, and connects nothing yet: redis-py's in life (`socket_of`)."""


@dataclass(eq=False, slots=True)
class _Turn:
    """One call's packed commands, and their replies as far as they came."""

    packed: list[bytes]
    replies: list[object] = field(default_factory=list)
    is_taken: bool = False
    """True once it belongs to a write; before that, nothing of it was sent."""


class BusConnection:
    """One connection, made at the first call. Raises CannotStart for an address that cannot be read."""

    def __init__(self, url: str, name: str, call_ms_max: int = CALL_MS_MAX, dial: Dial | None = None) -> None:
        self._socket = (socket_of if dial is None else dial)(url, name)
        self._call_s_max = call_ms_max / 1000
        self._line = asyncio.Lock()
        self._waiting: deque[_Turn] = deque()

    async def connect(self) -> None:
        """Connect if there is no connection. Raises BusUnavailable; nothing of a call was sent then."""
        with _as_unavailable():
            async with asyncio.timeout(self._call_s_max), self._line:
                await self._ensure_connected()

    async def call(self, *commands: Command, wait_ms: int = 0) -> list[object]:
        """Send the commands in one write and return their replies, in order.

        `wait_ms` is how long the server itself may block. Raises BusUnavailable; whether the commands were
        executed is unknown then.
        """
        turn = _Turn([_pack(command) for command in commands])
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._call_s_max + wait_ms / 1000), self._line:
                while not turn.is_taken:
                    await self._exchange(self._next_batch())
        except (TimeoutError, RedisError, OSError) as error:
            raise _unavailable(error) from error
        finally:
            if not turn.is_taken:
                self._waiting.remove(turn)
        if len(turn.replies) < len(turn.packed):
            raise BusUnavailable("the bus failed in a call that was sent together with this one")
        return turn.replies

    def _next_batch(self) -> list[_Turn]:
        """Take the waiting calls that fit into one write, oldest first; the first one always fits."""
        batch: list[_Turn] = []
        size = 0
        while self._waiting and (not batch or size + len(self._waiting[0].packed) <= BATCH_COMMANDS_MAX):
            turn = self._waiting.popleft()
            turn.is_taken = True
            size += len(turn.packed)
            batch.append(turn)
        return batch

    async def _exchange(self, batch: list[_Turn]) -> None:
        await self._ensure_connected()
        packed = [command for turn in batch for command in turn.packed]
        left = len(packed)
        try:
            await self._socket.send_packed_command(packed, check_health=False)
            for turn in batch:
                for _ in turn.packed:
                    turn.replies.append(await self._reply())
                    left -= 1
        finally:
            if left:
                await self._socket.disconnect(nowait=True)

    async def _ensure_connected(self) -> None:
        """Connect, anew if the server ended the connection while it was idle: nothing of this call was sent yet."""
        if self._socket.is_connected and await self._socket.can_read():
            # No reply is due, so what can be read is the end, or something that nobody asked for.
            await self._socket.disconnect(nowait=True)
        if not self._socket.is_connected:
            await self._socket.connect()

    async def _reply(self) -> object:
        try:
            return await self._socket.read_response()
        except ResponseError as error:
            # The library takes the code words that it knows off the text.
            code = f"{error.status_code} " if error.status_code else ""
            return ErrorReply(f"{code}{error}")

    async def close(self) -> None:
        """End the connection; the next call would make a new one."""
        with _as_unavailable():
            async with asyncio.timeout(self._call_s_max), self._line:
                await self._socket.disconnect()


_pack = cast("Callable[[Command], bytes]", hiredis.pack_command)
"""Its published type names a tuple of exactly one argument."""


@contextmanager
def _as_unavailable() -> Iterator[None]:
    """Turn every failure of the line into BusUnavailable."""
    try:
        yield
    except (TimeoutError, RedisError, OSError) as error:
        raise _unavailable(error) from error


def _unavailable(error: Exception) -> BusUnavailable:
    if isinstance(error, TimeoutError):
        return BusUnavailable("the bus did not answer in time")
    return BusUnavailable(f"the bus failed: {error}")


def socket_of(url: str, name: str) -> Socket:
    """A socket of redis-py. Raises CannotStart for an address that cannot be read.

    The message of a bad one does not repeat it: it may hold a password.
    """
    try:
        options = dict(parse_url(url))
    except ValueError as error:
        raise CannotStart("bus.url: not a redis://, rediss:// or unix:// address") from error
    kind = cast("Callable[..., Socket]", options.pop("connection_class", Connection))
    return kind(
        **options,
        client_name=name,
        driver_info=None,
        protocol=RESP,
        retry=Retry(NoBackoff(), 0),
        retry_on_error=[],
        retry_on_timeout=False,
        health_check_interval=0,
        # The deadline of `call` covers every step; a second one inside would only cost a task a command.
        socket_timeout=None,
        socket_connect_timeout=CALL_MS_MAX / 1000,
    )
