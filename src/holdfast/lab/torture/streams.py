"""A Valkey stream and its consumer groups as data: what is stored, who was given what, how far a group has read.

Facts (tests/contract/bus compares them with the real server, reply by reply): an id is (ms, sequence) and only grows; a
group delivers what lies behind its last delivered id, each entry to one consumer, and keeps it pending until it was
acknowledged; a pending entry may be deleted from the stream, and is then forgotten when somebody would claim it.

Trimming with `~` removes whole nodes only. One deliberate difference: a node ends here after NODE_ENTRIES entries,
on the server after 4 kB too, so that it may keep a few entries less.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

EntryId = tuple[int, int]
Row = tuple[EntryId, list[bytes]]
ZERO_ID: EntryId = (0, 0)
NODE_ENTRIES = 100
"""Entries a node of the server's tree holds at most (stream-node-max-entries)."""


@dataclass(slots=True)
class Pending:
    """An entry that was delivered and not acknowledged."""

    consumer: bytes
    delivered_ms: int
    times: int = 1


@dataclass(slots=True)
class Consumer:
    """One name in a group."""

    seen_ms: int
    """When it last asked."""
    active_ms: int | None = None
    """When it last got something; None if never."""


@dataclass(slots=True)
class Group:
    """One consumer group."""

    delivered: EntryId = ZERO_ID
    read: int | None = None
    """Entries ever read, None if the server does not know."""
    pending: dict[EntryId, Pending] = field(default_factory=dict)
    consumers: dict[bytes, Consumer] = field(default_factory=dict)

    def consumer(self, name: bytes, now_ms: int) -> Consumer:
        """The consumer, made if it is new."""
        found = self.consumers.get(name)
        if found is None:
            found = self.consumers[name] = Consumer(now_ms)
        found.seen_ms = now_ms
        return found

    def pending_of(self, name: bytes) -> list[EntryId]:
        """What a consumer holds, oldest first."""
        return sorted(entry_id for entry_id, held in self.pending.items() if held.consumer == name)


@dataclass(slots=True)
class Stream:
    """Entries in the order of their ids."""

    ids: list[EntryId] = field(default_factory=list)
    fields: dict[EntryId, list[bytes]] = field(default_factory=dict)
    groups: dict[bytes, Group] = field(default_factory=dict)
    last: EntryId = ZERO_ID
    added: int = 0
    deleted_max: EntryId = ZERO_ID
    _nodes: dict[EntryId, int] = field(default_factory=dict)
    _newest_node: int = 0
    _newest_fill: int = 0

    def next_id(self, now_ms: int) -> EntryId:
        """The id that `*` stands for: the clock's, but never one that is not greater than the last."""
        return (now_ms, 0) if now_ms > self.last[0] else (self.last[0], self.last[1] + 1)

    def add(self, entry_id: EntryId, fields: list[bytes]) -> None:
        """Append; the caller checked that the id is greater than the last."""
        if not self.ids or self._newest_fill >= NODE_ENTRIES:
            self._newest_node += 1
            self._newest_fill = 0
        self._newest_fill += 1
        self._nodes[entry_id] = self._newest_node
        self.ids.append(entry_id)
        self.fields[entry_id] = fields
        self.last = entry_id
        self.added += 1

    def between(self, first: EntryId, last: EntryId) -> list[EntryId]:
        """Ids from `first` to `last`, both included."""
        return self.ids[bisect_left(self.ids, first) : bisect_right(self.ids, last)]

    def after(self, entry_id: EntryId, count: int | None) -> list[EntryId]:
        """At most `count` ids behind `entry_id`."""
        start = bisect_right(self.ids, entry_id)
        return self.ids[start:] if count is None else self.ids[start : start + count]

    def rows(self, ids: list[EntryId]) -> list[list[object]]:
        """Entries as the server answers them."""
        return [[shown(entry_id), self.fields[entry_id]] for entry_id in ids]

    def delete(self, entry_id: EntryId) -> bool:
        """Delete one entry (XDEL)."""
        if self.fields.pop(entry_id, None) is None:
            return False
        del self._nodes[entry_id]
        del self.ids[bisect_left(self.ids, entry_id)]
        self.deleted_max = max(self.deleted_max, entry_id)
        return True

    def drop_oldest(self, count: int) -> int:
        """Trim `count` entries; how many there were."""
        dropped = self.ids[:count]
        del self.ids[:count]
        for entry_id in dropped:
            del self.fields[entry_id]
            del self._nodes[entry_id]
        return len(dropped)

    def drop_nodes(self, *, kept: int, below: EntryId) -> int:
        """Trim the oldest nodes that lie wholly below `below`, while `kept` entries stay; how many entries."""
        before = len(self.ids)
        while self.ids:
            node = self._nodes[self.ids[0]]
            size = bisect_right(self.ids, node, key=self._nodes.__getitem__)
            if self.ids[size - 1] >= below or len(self.ids) - size < kept:
                break
            self.drop_oldest(size)
        return before - len(self.ids)

    # --- how far a group is ---------------------------------------------------------------------------

    def lag(self, group: Group) -> int | None:
        """Entries that the group has not read; None if the server does not know."""
        if not self.added:
            return 0
        if group.read is not None and not self._is_holed_behind(group.delivered):
            return self.added - group.read
        guessed = self._place_of(group.delivered)
        return None if guessed is None else self.added - guessed

    def count_read(self, group: Group, entry_id: EntryId) -> None:
        """Move the group behind an entry that it was just given."""
        if group.read is not None and not self._is_holed_behind(entry_id):
            group.read += 1
        elif self.added:
            group.read = self._place_of(entry_id)
        group.delivered = entry_id

    def _is_holed_behind(self, entry_id: EntryId) -> bool:
        """Tell whether an entry behind this one may have been deleted."""
        return bool(self.ids) and self.deleted_max != ZERO_ID and self.deleted_max >= max(entry_id, self.ids[0])

    def _place_of(self, entry_id: EntryId) -> int | None:
        """Which of all entries ever added it is, counted from 1; None if that cannot be told."""
        if not self.added:
            return 0
        if entry_id > self.last:
            return None
        if entry_id == self.last or not self.ids:
            return self.added
        if self.deleted_max == ZERO_ID or self.deleted_max < self.ids[0]:
            if entry_id < self.ids[0]:
                return self.added - len(self.ids)
            if entry_id == self.ids[0]:
                return self.added - len(self.ids) + 1
        return None


def shown(entry_id: EntryId) -> bytes:
    """An id as text."""
    return b"%d-%d" % entry_id
