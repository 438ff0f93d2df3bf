"""The stream commands of the in-memory Valkey, as `keyspace` has the others.

A read that would block is told apart by its reply: `Blocked`. The server runs the command again when one of its keys
was touched, and answers nil when its time is up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.lab.torture.keyspace import Keyspace, Refused, whole
from holdfast.lab.torture.streams import ZERO_ID, EntryId, Group, Pending, Stream, shown

if TYPE_CHECKING:
    from holdfast.lab.torture.keyspace import Args

MAX_ID: EntryId = (2**64 - 1, 2**64 - 1)
CLAIM_SCANS = 10
"""Pending entries that XAUTOCLAIM looks at for each that it may return."""
COUNT_DEFAULT = 100
_NO_KEY = (
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option "
    "to create an empty stream automatically."
)


@dataclass(frozen=True, slots=True)
class Blocked:
    """There is nothing yet: ask again when `key` was touched, for at most `wait_ms` (0: for ever)."""

    key: bytes
    wait_ms: int
    again: Args
    """The arguments to run the same command with."""


def entry_id_of(raw: bytes, sequence: int = 0) -> EntryId:
    """An id; `sequence` if it names none. Raises Refused."""
    ms, dash, rest = raw.partition(b"-")
    try:
        return int(ms), int(rest) if dash else sequence
    except ValueError:
        raise Refused("ERR Invalid stream ID specified as stream command argument") from None


def _bound(raw: bytes, step: int) -> EntryId:
    """One end of a range; `step` is the way inward from an end that is left out with `(`. Raises Refused."""
    if raw in {b"-", b"+"}:
        return ZERO_ID if raw == b"-" else MAX_ID
    is_open = raw.startswith(b"(")
    ms, sequence = entry_id_of(raw[is_open:], 0 if step > 0 else MAX_ID[1])
    if not is_open:
        return ms, sequence
    if (ms, sequence) == (MAX_ID if step > 0 else ZERO_ID):
        raise Refused(f"ERR invalid {'start' if step > 0 else 'end'} ID for the interval")
    if step > 0:
        return (ms, sequence + 1) if sequence < MAX_ID[1] else (ms + 1, 0)
    return (ms, sequence - 1) if sequence > 0 else (ms - 1, MAX_ID[1])


class StreamKeyspace(Keyspace):
    """All commands."""

    # --- one stream -----------------------------------------------------------------------------------

    def cmd_xadd(self, args: Args) -> object:
        """XADD key [MAXLEN [~|=] n] id field value ..."""
        key, rest = args[0], args[1:]
        kept, is_rough = None, False
        if rest[0].upper() == b"MAXLEN":
            is_rough = rest[1] == b"~"
            rest = rest[2:] if rest[1] in {b"~", b"="} else rest[1:]
            kept, rest = whole(rest[0]), rest[1:]
        if len(rest) < 3 or len(rest) % 2 == 0:  # noqa: PLR2004 - an id and at least one pair
            raise Refused("ERR wrong number of arguments for 'xadd' command")
        named = None if rest[0] == b"*" else entry_id_of(rest[0])
        if named == ZERO_ID:
            raise Refused("ERR The ID specified in XADD must be greater than 0-0")
        stream = self.stream(key)
        found = stream if stream is not None else Stream()
        entry_id = found.next_id(self.now_ms()) if named is None else named
        if entry_id <= found.last:
            raise Refused("ERR The ID specified in XADD is equal or smaller than the target stream top item")
        if stream is None:
            self.put(key, found)
        found.add(entry_id, rest[1:])
        self.touched.append(key)
        if kept is not None:
            self._keep(found, kept, is_rough=is_rough)
        return shown(entry_id)

    def cmd_xtrim(self, args: Args) -> object:
        """XTRIM key MINID|MAXLEN [~|=] threshold."""
        stream = self.stream(args[0])
        if stream is None:
            return 0
        is_rough = args[2] == b"~"
        threshold = args[3] if args[2] in {b"~", b"="} else args[2]
        if args[1].upper() == b"MAXLEN":
            return self._keep(stream, whole(threshold), is_rough=is_rough)
        below = entry_id_of(threshold)
        if is_rough:
            return stream.drop_nodes(kept=0, below=below)
        return stream.drop_oldest(sum(entry_id < below for entry_id in stream.ids))

    @staticmethod
    def _keep(stream: Stream, kept: int, *, is_rough: bool) -> int:
        if is_rough:
            return stream.drop_nodes(kept=kept, below=MAX_ID)
        return stream.drop_oldest(max(len(stream.ids) - kept, 0))

    def cmd_xlen(self, args: Args) -> object:
        """XLEN key."""
        stream = self.stream(args[0])
        return 0 if stream is None else len(stream.ids)

    def cmd_xdel(self, args: Args) -> object:
        """XDEL key id ..."""
        stream = self.stream(args[0])
        return 0 if stream is None else sum(stream.delete(entry_id_of(raw)) for raw in args[1:])

    def cmd_xrange(self, args: Args) -> object:
        """XRANGE key first last [COUNT n]."""
        return self._range(args[0], args[1], args[2], args[3:], is_newest_first=False)

    def cmd_xrevrange(self, args: Args) -> object:
        """XREVRANGE key last first [COUNT n]."""
        return self._range(args[0], args[2], args[1], args[3:], is_newest_first=True)

    def _range(self, key: bytes, first: bytes, last: bytes, rest: Args, *, is_newest_first: bool) -> object:
        ends = _bound(first, 1), _bound(last, -1)
        stream = self.stream(key)
        if stream is None:
            return []
        ids = stream.between(*ends)
        if is_newest_first:
            ids = ids[::-1]
        return stream.rows(ids if not rest else ids[: whole(rest[1])])

    def cmd_xread(self, args: Args) -> object:
        """XREAD [COUNT n] [BLOCK ms] STREAMS key ... id ..."""
        at = next(index for index, word in enumerate(args) if word.upper() == b"STREAMS")
        count, wait_ms = _options(args[:at])
        names = args[at + 1 :]
        half = len(names) // 2
        found: list[object] = []
        asked: list[bytes] = []
        for key, raw in zip(names[:half], names[half:], strict=True):
            stream = self.stream(key)
            last = stream.last if stream is not None else ZERO_ID
            after = last if raw == b"$" else entry_id_of(raw)
            asked.append(shown(after))
            ids = stream.after(after, count) if stream is not None else []
            if stream is not None and ids:
                found.append([key, stream.rows(ids)])
        if found or wait_ms is None:
            return found or None
        return Blocked(names[0], wait_ms, [*args[: at + 1], *names[:half], *asked])

    # --- groups ---------------------------------------------------------------------------------------

    def _group(self, key: bytes, name: bytes, otherwise: str) -> tuple[Stream, Group]:
        stream = self.stream(key)
        group = None if stream is None else stream.groups.get(name)
        if stream is None or group is None:
            raise Refused(otherwise)
        return stream, group

    def cmd_xgroup(self, args: Args) -> object:
        """XGROUP CREATE | DESTROY | SETID | CREATECONSUMER | DELCONSUMER."""
        word, key, name = args[0].upper(), args[1], args[2]
        stream = self.stream(key)
        if stream is None:
            if word != b"CREATE" or args[-1].upper() != b"MKSTREAM":
                raise Refused(_NO_KEY)
            stream = Stream()
            self.put(key, stream)
        if word == b"CREATE":
            if name in stream.groups:
                raise Refused("BUSYGROUP Consumer Group name already exists")
            stream.groups[name] = Group(stream.last if args[3] == b"$" else entry_id_of(args[3]))
            return b"OK"
        if word == b"DESTROY":
            self.touched.append(key)
            return int(stream.groups.pop(name, None) is not None)
        group = stream.groups.get(name)
        if group is None:
            raise Refused(f"NOGROUP No such consumer group '{name.decode()}' for key name '{key.decode()}'")
        return self._change_group(word, stream, group, args[3])

    def _change_group(self, word: bytes, stream: Stream, group: Group, what: bytes) -> object:
        if word == b"SETID":
            group.delivered, group.read = (stream.last if what == b"$" else entry_id_of(what)), None
            return b"OK"
        if word == b"CREATECONSUMER":
            is_new = what not in group.consumers
            group.consumer(what, self.now_ms())
            return int(is_new)
        if word != b"DELCONSUMER":
            raise Refused(f"ERR unknown subcommand '{word.decode()}'. Try XGROUP HELP.")
        held = group.pending_of(what)
        for entry_id in held:
            del group.pending[entry_id]
        group.consumers.pop(what, None)
        return len(held)

    def cmd_xreadgroup(self, args: Args) -> object:
        """XREADGROUP GROUP group consumer [COUNT n] [BLOCK ms] STREAMS key >|id."""
        name, consumer_name = args[1], args[2]
        at = next(index for index, word in enumerate(args) if word.upper() == b"STREAMS")
        count, wait_ms = _options(args[3:at])
        key, raw = args[at + 1], args[at + 2]
        stream, group = self._group(
            key,
            name,
            f"NOGROUP No such key '{key.decode()}' or consumer group '{name.decode()}' in XREADGROUP with GROUP option",
        )
        consumer = group.consumer(consumer_name, self.now_ms())
        if raw != b">":
            after = entry_id_of(raw)
            held = [entry_id for entry_id in group.pending_of(consumer_name) if entry_id > after][:count]
            return [[key, [[shown(entry_id), stream.fields.get(entry_id)] for entry_id in held]]]
        ids = stream.after(group.delivered, count)
        if not ids:
            return None if wait_ms is None else Blocked(key, wait_ms, args)
        consumer.active_ms = self.now_ms()
        for entry_id in ids:
            stream.count_read(group, entry_id)
            group.pending[entry_id] = Pending(consumer_name, self.now_ms())
        return [[key, stream.rows(ids)]]

    def cmd_xack(self, args: Args) -> object:
        """XACK key group id ..."""
        stream = self.stream(args[0])
        group = None if stream is None else stream.groups.get(args[1])
        if group is None:
            return 0
        ids = [entry_id_of(raw) for raw in args[2:]]
        return sum(group.pending.pop(entry_id, None) is not None for entry_id in ids)

    def cmd_xautoclaim(self, args: Args) -> object:
        """XAUTOCLAIM key group consumer min-idle start [COUNT n]."""
        key, name, consumer_name = args[0], args[1], args[2]
        idle_ms, start = whole(args[3]), _bound(args[4], 1)
        count = whole(args[6]) if len(args) > 6 else COUNT_DEFAULT  # noqa: PLR2004 - behind the start
        if count < 1:
            raise Refused("ERR COUNT must be > 0")
        text = f"NOGROUP No such key '{key.decode()}' or consumer group '{name.decode()}'"
        stream, group = self._group(key, name, text)
        now_ms = self.now_ms()
        consumer = group.consumer(consumer_name, now_ms)
        claimed: list[EntryId] = []
        deleted: list[EntryId] = []
        looks, following = count * CLAIM_SCANS, ZERO_ID
        for entry_id in sorted(group.pending):
            if entry_id < start:
                continue
            if not looks or len(claimed) + len(deleted) >= count:
                following = entry_id
                break
            looks -= 1
            held = group.pending[entry_id]
            if entry_id not in stream.fields:
                del group.pending[entry_id]
                deleted.append(entry_id)
            elif now_ms - held.delivered_ms >= idle_ms:
                group.pending[entry_id] = Pending(consumer_name, now_ms, held.times + 1)
                consumer.active_ms = now_ms
                claimed.append(entry_id)
        return [shown(following), stream.rows(claimed), [shown(entry_id) for entry_id in deleted]]

    def cmd_xpending(self, args: Args) -> object:
        """XPENDING key group, the summary."""
        key, name = args[0], args[1]
        _, group = self._group(key, name, f"NOGROUP No such key '{key.decode()}' or consumer group '{name.decode()}'")
        if not group.pending:
            return [0, None, None, None]
        counts: dict[bytes, int] = {}
        for held in group.pending.values():
            counts[held.consumer] = counts.get(held.consumer, 0) + 1
        rows = [[consumer, b"%d" % counts[consumer]] for consumer in sorted(counts)]
        return [len(group.pending), shown(min(group.pending)), shown(max(group.pending)), rows]

    def cmd_xinfo(self, args: Args) -> object:
        """XINFO GROUPS key | CONSUMERS key group."""
        stream = self.stream(args[1])
        if stream is None:
            raise Refused("ERR no such key")
        if args[0].upper() == b"GROUPS":
            return [_group_row(stream, name, stream.groups[name]) for name in sorted(stream.groups)]
        group = stream.groups.get(args[2])
        if group is None:
            raise Refused(f"NOGROUP No such consumer group '{args[2].decode()}' for key name '{args[1].decode()}'")
        now_ms = self.now_ms()
        return [
            [
                *(b"name", name, b"pending", len(group.pending_of(name)), b"idle", now_ms - consumer.seen_ms),
                *(b"inactive", -1 if consumer.active_ms is None else now_ms - consumer.active_ms),
            ]
            for name, consumer in sorted(group.consumers.items())
        ]


def _options(words: Args) -> tuple[int | None, int | None]:
    """COUNT and BLOCK in front of STREAMS."""
    given = dict(zip((word.upper() for word in words[::2]), words[1::2], strict=True))
    count = whole(given[b"COUNT"]) if b"COUNT" in given else None
    wait_ms = whole(given[b"BLOCK"]) if b"BLOCK" in given else None
    if wait_ms is not None and wait_ms < 0:
        raise Refused("ERR timeout is negative")
    return count or None, wait_ms


def _group_row(stream: Stream, name: bytes, group: Group) -> list[object]:
    return [
        *(b"name", name, b"consumers", len(group.consumers), b"pending", len(group.pending)),
        *(b"last-delivered-id", shown(group.delivered), b"entries-read", group.read, b"lag", stream.lag(group)),
    ]
