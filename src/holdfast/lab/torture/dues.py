"""The oracle's watch over next steps, as the journal shows them.

    S23  while the reconciler says that it is well (its stamp is fresh), no automatic hold keeps a step that is overdue
         for longer than OVERDUE_MS_MAX: by then a person is to decide, and an alert says so

Our clock may jump, and a process may stand still: so an overdue step counts from the moment on from which it was seen
overdue beside a fresh stamp, in the world's own time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from holdfast.domain.hold import HoldOwner, StepKind
from holdfast.lab.torture.watch import STAMP_AGE_MS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.domain.hold import Hold
    from holdfast.domain.names import HoldId
    from holdfast.ports.journal import Reads

OVERDUE_MS_MAX: Final = 1_900
"""Legs with a hold are looked around for every second, and a commit takes its time."""


@dataclass(slots=True)
class Dues:
    """See the module."""

    now_ms: Callable[[], float]
    accuse: Callable[[str], None]
    _since: dict[HoldId, float] = field(default_factory=dict)
    """Since when, in the world's ms, a hold's step has been overdue without a pause in the stamps."""

    def look(self, reads: Reads) -> None:
        """Look at all holds that stand."""
        stamp_ms, now_ms = reads.account().stamp_ms, reads.now_ms()
        if stamp_ms is None or not 0 <= now_ms - stamp_ms <= STAMP_AGE_MS_MAX:
            self._since.clear()
            return
        now = self.now_ms()
        late = [hold for hold in reads.open_holds(None) if _is_overdue(hold, now_ms)]
        self._since = {hold.hold_id: self._since.get(hold.hold_id, now) for hold in late}
        for hold in late:
            if now - self._since[hold.hold_id] > OVERDUE_MS_MAX:
                step = hold.next_step
                self.accuse(
                    f"S23: {hold.hold_id} waits for {step.text!r}, which was due {now_ms - step.due_ms} ms ago; "
                    "nobody was told"
                )


def _is_overdue(hold: Hold, now_ms: int) -> bool:
    return (
        hold.owner is HoldOwner.AUTO and hold.next_step.kind is not StepKind.OPERATOR and now_ms > hold.next_step.due_ms
    )
