"""Draws of moments in which an old word of the exchange could be taken for a new one, each with what makes it matter.

    a start into the past   a trade by hand is seen, the reconciler is stopped at once, and its next life reads the
                            position as it was before
    twin order              as an order of ours arrives a person trades the same, and the positions that its fills make
                            are never told: the older position is what the ledger says now
    late read               the answer about all positions is on its way for long, and comes right after the news of a
                            trade by hand that it does not know of
    orphaned fill           whoever sent an order hears nothing of its fill, and the exchange reduces the position by
                            force before anybody has booked it

Drawn after everything else, from a chance of their own: what a seed had before, it still has.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

from holdfast.lab.torture.acts import ACTIVE_MS, BEGIN_MS, Act, drift_at, moment
from holdfast.sim.core.fault_names import FaultName

if TYPE_CHECKING:
    from holdfast.lab.torture.acts import Shape

SHARE: Final = 0.06
"""Histories that have such a moment, for each kind."""
LATE_READS: Final = 2
STALE_MS: Final = 900
"""As stale as a read may be."""
APPLY: Final = "apply"
WAYLAYING: Final = ("twin order", "late read", "orphaned fill")
"""Faults that wait for the request which they fit (`waylay`)."""

Acts = tuple[Act, ...]


def old_words(seed: int, shape: Shape) -> tuple[Acts, Acts]:
    """Deeds and faults."""
    rng = Random(f"holdfast torture, the old words of {seed}")  # noqa: S311 - chance that can be replayed
    deeds: list[Act] = []
    faults: list[Act] = []
    if rng.random() < SHARE:
        at_ms = moment(rng)
        deeds.append(drift_at(rng, at_ms))
        faults += [
            Act(at_ms, "stale", (FaultName.STALE_POSITIONS.value, STALE_MS, 1_500)),
            Act(at_ms + rng.choice((20, 40, 80)), "stop", (rng.randrange(len(shape.units)),)),
        ]
    if rng.random() < SHARE:
        faults.append(Act(moment(rng), "twin order", (rng.choice((5, 50, 300, 700)),)))
    if rng.random() < SHARE:
        drift = drift_at(rng, moment(rng))
        faults.append(
            Act(drift.at_ms, "late read", (rng.choice((60, 120, 300)), rng.choice((8, 15, 30, 45)), *drift.args))
        )
    if rng.random() < SHARE and APPLY in shape.units:
        early_ms = BEGIN_MS + rng.randrange(ACTIVE_MS // 2)
        faults.append(Act(early_ms, "orphaned fill", (rng.choice((2_000, 4_000)), rng.choice((1, 2)))))
    return tuple(deeds), tuple(faults)
