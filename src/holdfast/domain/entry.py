"""One line of the journal: what happened, in which transaction, chained to all that came before.

The chain is per account: `hash = SHA-256(prev_hash || canonical JSON of the entry)`; whoever changes, drops or
reorders a line breaks every later hash (`holdfast audit verify`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.domain.names import AccountId, HoldId, PlanId, Symbol


class EntryKind(Enum):
    """What a journal entry records. The names of reconcile events on the bus are the same."""

    BASELINE = "BASELINE"
    AGREED = "AGREED"
    DRIFT = "DRIFT"
    HOLD_SET = "HOLD_SET"
    HOLD_UPDATED = "HOLD_UPDATED"
    HOLD_RELEASED = "HOLD_RELEASED"
    HOLD_IMPORTED = "HOLD_IMPORTED"
    REPAIR = "REPAIR"
    """The ledger moved by own missing fills or by what the venue forced, by trade ids."""
    WRITTEN_DOWN = "WRITTEN_DOWN"
    """The ledger moved by the trades of others, by trade ids: closing could not have mended the drift."""
    FLATTENED = "FLATTENED"
    """The ledger was set to 0 by the settings' word; what the exchange still holds is closed."""
    DOUBTED = "DOUBTED"
    """Own orders explain a difference: the leg's agreement ends until they have settled."""
    CLOSE_PLANNED = "CLOSE_PLANNED"
    CLOSE_SUPERSEDED = "CLOSE_SUPERSEDED"
    CLOSE_CLAIMED = "CLOSE_CLAIMED"
    CLOSE_REFUSED = "CLOSE_REFUSED"
    CLOSE_DONE = "CLOSE_DONE"
    """A RECONCILE_CLOSE ended with something executed."""
    CLOSE_FAILED = "CLOSE_FAILED"
    """A close's order ended with nothing executed."""
    OPERATOR_CLOSE_DONE = "OPERATOR_CLOSE_DONE"
    MANUAL_REQUIRED = "MANUAL_REQUIRED"
    INTENT = "INTENT"
    """A permit, its claim and the order about to be sent, before the request leaves."""
    PLAN_REFUSED = "PLAN_REFUSED"
    ORDER_OUTCOME = "ORDER_OUTCOME"
    CANCEL_ASKED = "CANCEL_ASKED"
    """A resting order of ours is to end, before the request for it leaves."""
    FOREIGN_ORDER = "FOREIGN_ORDER"
    """An open order at the exchange that is not ours was seen first."""
    FOREIGN_ORDER_GONE = "FOREIGN_ORDER_GONE"
    FILL = "FILL"
    ADOPTED = "ADOPTED"
    APPROVED = "APPROVED"
    REQUESTED = "REQUESTED"
    REQUEST_ENDED = "REQUEST_ENDED"
    ALERT = "ALERT"
    ALERT_ACKED = "ALERT_ACKED"
    STAMP_VOIDED = "STAMP_VOIDED"
    MODE_CHANGED = "MODE_CHANGED"
    """The venue's position mode is not the journal's any more; it is again; or a new one was accepted."""
    HALTED = "HALTED"
    RESUMED = "RESUMED"
    LEASE = "LEASE"


JsonValue = str | int | bool | None | list["JsonValue"] | dict[str, "JsonValue"]
"""What a journal body may hold: amounts as decimal strings, times as epoch ms; never a float."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry to be appended. Sequence, time and hashes are the journal's to give."""

    kind: EntryKind
    account: AccountId
    symbol: Symbol | None = None
    hold_id: HoldId | None = None
    plan_id: PlanId | None = None
    body: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JournaledEntry:
    """An entry as it stands in the journal."""

    seq: int
    """1, 2, 3 ... per account, without a gap."""
    at_ms: int
    entry: Entry
    prev_hash: str
    hash: str
