"""Somebody who can write to the bus and reads what stands there: forged closes, each with one flaw.

A forged message copies the newest close that the reconciler put on the plan stream, and changes one thing. It must be
refused by the name of its flaw, and touch nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.lab.torture.machine import KEYS
from holdfast.lab.torture.streams import Stream, shown

if TYPE_CHECKING:
    from holdfast.lab.torture.machine import Machine
    from holdfast.lab.torture.watch import Watch

TRIES_MAX: Final = 12
TRY_AGAIN_MS: Final = 500
FLAWS: Final[dict[str, tuple[dict[str, str], str]]] = {
    "type": ({"type": "LIMIT", "price": "1", "timeInForce": "GTC"}, "close_not_market"),
    "reduceOnly": ({"reduceOnly": "false"}, "close_not_reduce_only"),
    "side": ({"side": "BUY"}, "close_side_not_close"),
    "step": ({"qty": "0.0015"}, "qty_off_step"),
    "quantity": ({"qty": "7"}, "close_differs_from_journal"),
    "hold": ({"hold_id": "hold-of-mine"}, "close_differs_from_journal"),
    "life": ({"expires": "1999999999999"}, "close_differs_from_journal"),
    "name": ({"plan_id": "rc-of-mine-1"}, "close_not_journaled"),
}
"""What is changed, and the documented error that names it."""


@dataclass(slots=True)
class Intruder:
    """See the module."""

    machine: Machine
    watch: Watch

    def forge(self, flaw: str, tries: int = 1) -> None:
        """Put one forged message on the plan stream, as soon as there is a close to copy."""
        real = None if self.machine.valkey.is_refusing else self._newest_close()
        if real is None:
            if tries < TRIES_MAX:
                self.machine.net.later(TRY_AGAIN_MS, self.forge, flaw, tries + 1)
            return
        changes, error = FLAWS[flaw]
        flat = [part for pair in (real | changes).items() for part in pair]
        entry_id = self.machine.valkey.run("XADD", KEYS.plans, "*", *flat)
        if isinstance(entry_id, bytes):
            self.watch.forged[entry_id.decode()] = error
        self.machine.hit("forged message")
        self.machine.chronicle.say("intruder", f"forges {real['plan_id']}: {flaw}")

    def _newest_close(self) -> dict[str, str] | None:
        stream = self.machine.valkey.keys.values.get(KEYS.plans.encode())
        if not isinstance(stream, Stream):
            return None
        for entry_id in reversed(stream.ids):
            flat = stream.fields[entry_id]
            fields = {flat[i].decode(): flat[i + 1].decode() for i in range(0, len(flat), 2)}
            is_ours = shown(entry_id).decode() not in self.watch.forged
            if is_ours and fields.get("decision") == "RECONCILE_CLOSE" and fields.get("source") == "reconcile":
                return fields
        return None
