"""What the journal's public audit says, as the oracle reads it: entries in their order, and nothing else.

The oracle believes none of it: what is written here is compared with the exchange's own books.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from holdfast.domain.entry import EntryKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdfast.domain.entry import JournaledEntry

LegKey = tuple[str, str]
"""Symbol and position side."""


@dataclass(frozen=True, slots=True)
class Intent:
    """One order as it was written down before it left."""

    seq: int
    client_order_id: str
    plan_id: str
    decision: str
    leg: LegKey
    side: str
    qty: Decimal
    reduce_only: bool
    against_drift: Decimal
    hold_id: str | None
    timestamp_ms: int
    recv_window_ms: int


@dataclass(slots=True)
class Hold:
    """One hold's time in the journal's order."""

    hold_id: str
    symbol: str
    set_seq: int
    released_seq: int | None = None

    def stands_at(self, seq: int) -> bool:
        """Tell whether it stood when this entry was written."""
        return self.set_seq < seq and (self.released_seq is None or self.released_seq > seq)


@dataclass(frozen=True, slots=True)
class Move:
    """A repair or a write-down: the ledger takes over trades by their ids."""

    leg: LegKey
    forced: tuple[int, ...]
    foreign: tuple[int, ...]
    undone: tuple[int, ...]
    """Trades of closes, which undid a drift that these trades explain."""


@dataclass(slots=True)
class Audit:
    """The entries read so far."""

    last_seq: int = 0
    intents: dict[str, list[Intent]] = field(default_factory=dict)
    """By client order id, one an attempt."""
    holds: dict[str, Hold] = field(default_factory=dict)
    booked: dict[tuple[str, int], list[tuple[str, Decimal]]] = field(default_factory=dict)
    """By symbol and trade id: the order that it was booked for, and how much."""
    adopted: list[tuple[LegKey, Decimal, str]] = field(default_factory=list)
    """The ledger was moved by somebody's word: leg, amount, whose."""
    moved: list[Move] = field(default_factory=list)
    """The ledger was moved by trades that book nothing."""
    halted_by: list[str] = field(default_factory=list)
    _read_of: dict[EntryKind, int] = field(default_factory=lambda: defaultdict(int))

    def take(self, entries: Iterable[JournaledEntry]) -> None:
        """Read on."""
        for journaled in entries:
            self.last_seq = journaled.seq
            kind, body = journaled.entry.kind, dict(journaled.entry.body)
            self._read_of[kind] += 1
            match kind:
                case EntryKind.INTENT:
                    self._intent(journaled, body)
                case EntryKind.HOLD_SET | EntryKind.HOLD_IMPORTED:
                    self._hold(journaled)
                case EntryKind.HOLD_RELEASED:
                    hold = self.holds.get(journaled.entry.hold_id or "")
                    if hold is not None:
                        hold.released_seq = journaled.seq
                case EntryKind.FILL:
                    self._fills(journaled, body)
                case EntryKind.REPAIR | EntryKind.WRITTEN_DOWN:
                    self._repair(journaled, body)
                case EntryKind.ADOPTED:
                    leg = (str(journaled.entry.symbol), str(body["position_side"]))
                    self.adopted.append((leg, Decimal(str(body["drift"])), str(body["who"])))
                case EntryKind.HALTED:
                    self.halted_by.append(f"{body['who']}: {body['why']}")

    def count(self, kind: EntryKind) -> int:
        """How many entries of a kind there are."""
        return self._read_of[kind]

    def _intent(self, journaled: JournaledEntry, body: dict[str, Any]) -> None:
        entry = journaled.entry
        intent = Intent(
            seq=journaled.seq,
            client_order_id=body["client_order_id"],
            plan_id=str(entry.plan_id),
            decision=body["decision"],
            leg=(str(entry.symbol), body["position_side"]),
            side=body["side"],
            qty=Decimal(body["qty"]),
            reduce_only=body["reduce_only"],
            against_drift=Decimal(body["against_drift_qty"]),
            hold_id=entry.hold_id,
            timestamp_ms=body["timestamp_ms"],
            recv_window_ms=body["recv_window_ms"],
        )
        self.intents.setdefault(intent.client_order_id, []).append(intent)

    def _hold(self, journaled: JournaledEntry) -> None:
        hold_id = str(journaled.entry.hold_id)
        if hold_id not in self.holds:
            self.holds[hold_id] = Hold(hold_id, str(journaled.entry.symbol), journaled.seq)

    def _repair(self, journaled: JournaledEntry, body: dict[str, Any]) -> None:
        if "trades" in body:
            self._fills(journaled, body)
        else:
            self._moved(journaled, body)

    def _moved(self, journaled: JournaledEntry, body: dict[str, Any]) -> None:
        leg, evidence = (str(journaled.entry.symbol), str(body["position_side"])), body["evidence"]
        ids = (tuple(evidence[name]) for name in ("forced", "foreign", "undone"))
        self.moved.append(Move(leg, *ids))

    def _fills(self, journaled: JournaledEntry, body: dict[str, Any]) -> None:
        for trade in body["trades"]:
            key = (str(journaled.entry.symbol), int(trade["trade_id"]))
            self.booked.setdefault(key, []).append((body["client_order_id"], Decimal(trade["qty"])))
