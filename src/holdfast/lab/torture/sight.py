"""More rules of the oracle: what the reconciler believes, against what the exchange held when its own fills were known.

    S21  a ledger is agreed with only if the exchange's position came to be just that with the newest fill of ours that
         is booked, or after it: an older one may equal the ledger by chance, somebody else's trade being in it
    S22  what a leg is said to have shown never goes back in the exchange's time while one process reconciles

In S21 the fill's own millisecond passes: equal milliseconds prove agreement. Both say nothing once the
exchange's clock was set: then the product cannot date what it reads. (Where its own is set, it can: it has two.)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from holdfast.domain.entry import EntryKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from holdfast.domain.entry import JournaledEntry
    from holdfast.lab.torture.audit import LegKey
    from holdfast.lab.torture.books import Books

EQUAL_MS: Final = 1.0
AGREED: Final = "AGREED"
"""The verdict's word by which an automatic hold ends."""


@dataclass(slots=True)
class Sight:
    """See the module."""

    books: Books
    accuse: Callable[[str], None]
    clocks_are_true: Callable[[], bool] = lambda: True
    """False once the exchange's clock was set: its times say nothing any more."""
    _shown: dict[LegKey, int] = field(default_factory=dict)
    """The newest venue time that the process which reconciles now has told of each leg."""

    def read(self, entries: Iterable[JournaledEntry]) -> None:
        """Read on."""
        for journaled in entries:
            entry = journaled.entry
            body: Mapping[str, Any] = entry.body
            if entry.kind is EntryKind.LEASE and body["service"] == "reconcile":
                self._shown.clear()
            if not self.clocks_are_true():
                continue
            leg = (str(entry.symbol), str(body.get("position_side", "")))
            view = body.get("view")
            if view is not None:
                self._shows(journaled, leg, int(view["as_of_ms"]))
            if entry.kind is EntryKind.AGREED or (
                entry.kind is EntryKind.HOLD_RELEASED and body.get("status") == AGREED
            ):
                self._agrees(journaled, leg, Decimal(body["ledger_amt"]))

    def _shows(self, journaled: JournaledEntry, leg: LegKey, as_of_ms: int) -> None:
        newest_ms = self._shown.get(leg, as_of_ms)
        if as_of_ms < newest_ms:
            what = f"{journaled.entry.kind.value} {journaled.seq} shows {leg} as of {as_of_ms}"
            self.accuse(f"S22: {what}, {newest_ms - as_of_ms} ms before what was shown already")
        self._shown[leg] = max(newest_ms, as_of_ms)

    def _agrees(self, journaled: JournaledEntry, leg: LegKey, amount: Decimal) -> None:
        since_ms = self.books.booked_until_ms(leg)
        if not self.books.legs[leg].came_to(amount, since_ms - EQUAL_MS):
            what = f"{journaled.entry.kind.value} {journaled.seq} agrees with {amount} on {leg}"
            self.accuse(f"S21: {what}, the exchange held no such position since our fill at {since_ms:.0f} ms")
