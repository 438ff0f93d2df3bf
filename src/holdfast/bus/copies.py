"""Published copies as commands, and what to say again when the server answered "not executed". Pure.

    copy                      command
    text                      SET, with PX if it has a life
    text and expected         the same, but only over nothing, a free value or `expected`: a hold that somebody set by
                              hand stands until it was imported
    fields                    HSET, and PEXPIRE if it has a life (a copy always names all its fields)
    neither, and expected     DEL if the key holds `expected` (compare-and-delete)
    neither                   DEL; but nothing for a hold key: nobody says whose hold it would be

The two conditional ones are Lua scripts, called by their hash. NOSCRIPT is answered with the script's text; WRONGTYPE
(somebody made the key another type) with a DEL and the copy's own commands. Both mean that nothing was executed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.bus.connection import ErrorReply, checked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.bus.connection import Argument, Command
    from holdfast.bus.keys import Keys
    from holdfast.ports.bus import StateCopy

HOLD_KEYS = "reconcile:hold:"
FREE_VALUES = frozenset({"", "0", "false"})
"""What on a hold key means that there is no hold, in lower case."""


@dataclass(frozen=True, slots=True)
class _Script:
    """A script with one key."""

    text: str

    @property
    def digest(self) -> str:
        """The server names scripts by SHA-1; nothing is secured by it."""
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    def call(self, key: str, *arguments: Argument) -> Command:
        return ("EVALSHA", self.digest, 1, key, *arguments)


DELETE_IF = _Script("if redis.pcall('GET',KEYS[1])==ARGV[1] then return redis.call('DEL',KEYS[1]) end return 0")
SET_IF = _Script(
    "local v=redis.pcall('GET',KEYS[1]) "
    "if v and type(v)=='string' and v~=ARGV[1] and v~='' and v~='0' and string.lower(v)~='false' then return 0 end "
    "if ARGV[3] then redis.call('SET',KEYS[1],ARGV[2],'PX',ARGV[3]) else redis.call('SET',KEYS[1],ARGV[2]) end return 1"
)
_SCRIPTS: dict[Argument, str] = {script.digest: script.text for script in (DELETE_IF, SET_IF)}


def copy_commands(keys: Keys, copy: StateCopy) -> tuple[Command, ...]:
    """Return what writes or deletes one copy."""
    key = keys.named(copy.key)
    if copy.text is not None:
        text = copy.text.encode("utf-8", "replace")
        if copy.expected is not None:
            life: Command = (copy.ttl_ms,) if copy.ttl_ms is not None else ()
            return (SET_IF.call(key, copy.expected, text, *life),)
        return (("SET", key, text, "PX", copy.ttl_ms) if copy.ttl_ms is not None else ("SET", key, text),)
    if copy.fields is not None:
        write: Command = (
            "HSET",
            key,
            *(part.encode("utf-8", "replace") for pair in copy.fields.items() for part in pair),
        )
        return (write, ("PEXPIRE", key, copy.ttl_ms)) if copy.ttl_ms is not None else (write,)
    if copy.expected is not None:
        return (DELETE_IF.call(key, copy.expected),)
    return () if copy.key.startswith(HOLD_KEYS) else (("DEL", key),)


def commands_again(written: Sequence[tuple[Command, ...]], replies: Sequence[object]) -> list[Command]:
    """Return what the server did not execute, in a form that it will. Raises BusUnavailable for any other error."""
    again: list[Command] = []
    left = iter(replies)
    for commands in written:
        of_copy = [next(left) for _ in commands]
        if any(isinstance(reply, ErrorReply) and reply.is_code("WRONGTYPE") for reply in of_copy):
            again += [("DEL", commands[0][1]), *commands]
            continue
        for command, reply in zip(commands, of_copy, strict=True):
            if isinstance(reply, ErrorReply) and reply.is_code("NOSCRIPT"):
                again.append(("EVAL", _SCRIPTS[command[1]], *command[2:]))
            else:
                checked(reply)
    return again
