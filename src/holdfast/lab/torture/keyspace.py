"""The keys of the in-memory Valkey: values, lives, and the commands on texts, hashes and keys.

A command is a method that takes the arguments after its name and returns the reply as hiredis would (bytes, int, list,
None), or raises `Refused` with the server's own words. The two scripts are recognised by their text; anything else
that our code does not send is refused as unknown.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from holdfast.bus.copies import DELETE_IF, FREE_VALUES, SET_IF
from holdfast.lab.torture.streams import Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    Args = list[bytes]

Value = bytes | dict[bytes, bytes] | Stream
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
_TYPES = {bytes: b"string", dict: b"hash", Stream: b"stream"}


class Refused(Exception):
    """What the server answers instead of a reply, in its own words."""


def whole(raw: bytes) -> int:
    """An integer argument. Raises Refused."""
    try:
        return int(raw)
    except ValueError:
        raise Refused("ERR value is not an integer or out of range") from None


class Keyspace:
    """See the module. `now_ms` is the server's clock."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.now_ms = now_ms
        self.values: dict[bytes, Value] = {}
        self.ends_ms: dict[bytes, int] = {}
        self._scripts: set[bytes] = set()
        self.touched: list[bytes] = []
        """Keys that a command wrote or removed, for those who block on them; the server takes them."""

    # --- values ---------------------------------------------------------------------------------------

    def get(self, key: bytes) -> Value | None:
        """The living value."""
        end_ms = self.ends_ms.get(key)
        if end_ms is not None and end_ms <= self.now_ms():
            self.remove(key)
        return self.values.get(key)

    def put(self, key: bytes, value: Value, end_ms: int | None = None) -> None:
        """Set a value and its life."""
        self.values[key] = value
        if end_ms is None:
            self.ends_ms.pop(key, None)
        else:
            self.ends_ms[key] = end_ms
        self.touched.append(key)

    def remove(self, key: bytes) -> bool:
        """Remove a key; whether there was one."""
        self.ends_ms.pop(key, None)
        self.touched.append(key)
        return self.values.pop(key, None) is not None

    def stream(self, key: bytes) -> Stream | None:
        """The stream, None if there is none. Raises Refused for another type."""
        value = self.get(key)
        if value is not None and not isinstance(value, Stream):
            raise Refused(WRONG_TYPE)
        return value

    def _text(self, key: bytes) -> bytes | None:
        value = self.get(key)
        if value is not None and not isinstance(value, bytes):
            raise Refused(WRONG_TYPE)
        return value

    def _hash(self, key: bytes) -> dict[bytes, bytes] | None:
        value = self.get(key)
        if value is not None and not isinstance(value, dict):
            raise Refused(WRONG_TYPE)
        return value

    # --- commands on texts ----------------------------------------------------------------------------

    def cmd_get(self, args: Args) -> object:
        """GET key."""
        return self._text(args[0])

    def cmd_mget(self, args: Args) -> object:
        """MGET key ...: nil for another type."""
        found = (self.get(key) for key in args)
        return [value if isinstance(value, bytes) else None for value in found]

    def cmd_set(self, args: Args) -> object:
        """SET key value [PX ms]."""
        if len(args) == 2:  # noqa: PLR2004 - key and value
            self.put(args[0], args[1])
            return b"OK"
        if len(args) != 4 or args[2].upper() != b"PX":  # noqa: PLR2004 - key, value, PX, ms
            raise Refused("ERR syntax error")
        life_ms = whole(args[3])
        if life_ms <= 0:
            raise Refused("ERR invalid expire time in 'set' command")
        self.put(args[0], args[1], self.now_ms() + life_ms)
        return b"OK"

    # --- commands on hashes ---------------------------------------------------------------------------

    def cmd_hset(self, args: Args) -> object:
        """HSET key field value ...: how many fields are new."""
        if len(args) % 2 == 0:
            raise Refused("ERR wrong number of arguments for 'hset' command")
        found = self._hash(args[0])
        fields = found if found is not None else {}
        before = len(fields)
        fields.update(zip(args[1::2], args[2::2], strict=True))
        if found is None:
            self.put(args[0], fields)
        return len(fields) - before

    def cmd_hget(self, args: Args) -> object:
        """HGET key field."""
        fields = self._hash(args[0])
        return None if fields is None else fields.get(args[1])

    def cmd_hlen(self, args: Args) -> object:
        """HLEN key."""
        return len(self._hash(args[0]) or ())

    def cmd_hgetall(self, args: Args) -> object:
        """HGETALL key."""
        return [part for pair in (self._hash(args[0]) or {}).items() for part in pair]

    # --- commands on keys -----------------------------------------------------------------------------

    def cmd_del(self, args: Args) -> object:
        """DEL key ..."""
        return sum(self.get(key) is not None and self.remove(key) for key in args)

    def cmd_exists(self, args: Args) -> object:
        """EXISTS key ..."""
        return sum(self.get(key) is not None for key in args)

    def cmd_type(self, args: Args) -> object:
        """TYPE key."""
        value = self.get(args[0])
        return b"none" if value is None else _TYPES[type(value)]

    def cmd_pexpire(self, args: Args) -> object:
        """PEXPIRE key ms."""
        life_ms = whole(args[1])
        if self.get(args[0]) is None:
            return 0
        if life_ms <= 0:
            self.remove(args[0])
        else:
            self.ends_ms[args[0]] = self.now_ms() + life_ms
        return 1

    def cmd_pttl(self, args: Args) -> object:
        """PTTL key: -1 without an end, -2 without a key."""
        if self.get(args[0]) is None:
            return -2
        end_ms = self.ends_ms.get(args[0])
        return -1 if end_ms is None else end_ms - self.now_ms()

    def cmd_flushall(self, _args: Args) -> object:
        """FLUSHALL: everything but the scripts."""
        self.touched.extend(self.values)
        self.values.clear()
        self.ends_ms.clear()
        return b"OK"

    # --- the two scripts ------------------------------------------------------------------------------

    def cmd_eval(self, args: Args) -> object:
        """EVAL text 1 key arg ..."""
        self._scripts.add(hashlib.sha1(args[0], usedforsecurity=False).hexdigest().encode())
        return self._run(args[0].decode(), args[2], args[3:])

    def cmd_evalsha(self, args: Args) -> object:
        """EVALSHA hash 1 key arg ..."""
        if args[0] not in self._scripts:
            raise Refused("NOSCRIPT No matching script.")
        text = {script.digest.encode(): script.text for script in (DELETE_IF, SET_IF)}[args[0]]
        return self._run(text, args[2], args[3:])

    def cmd_script(self, _args: Args) -> object:
        """SCRIPT FLUSH."""
        self._scripts.clear()
        return b"OK"

    def _run(self, text: str, key: bytes, args: Args) -> object:
        if text == DELETE_IF.text:
            return int(self.get(key) == args[0] and self.remove(key))
        if text != SET_IF.text:
            raise Refused("ERR this in-memory server knows the two scripts of bus.copies only")
        value = self.get(key)
        if isinstance(value, bytes) and value != args[0] and value.lower().decode("latin-1") not in FREE_VALUES:
            return 0
        life_ms = whole(args[2]) if len(args) > 2 else None  # noqa: PLR2004 - expected, value, life
        if life_ms is not None and life_ms <= 0:
            raise Refused("ERR invalid expire time in 'set' command script")
        self.put(key, args[1], None if life_ms is None else self.now_ms() + life_ms)
        return 1
