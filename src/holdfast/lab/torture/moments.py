"""What waits for its moment: faults and deeds that happen as an entry of one kind is written into the journal.

Drawn by the clock alone these moments are met too rarely: a process that stands still exactly between a close that was
planned and its claim, while a person trades; a pager that dies as a hold is placed; a close whose answer is lost, and
whose fate cannot be asked for until its step is overdue. Each story brings the trade by hand that leads to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdfast.domain.entry import EntryKind
from holdfast.lab.torture.acts import Act, drift_at, moment
from holdfast.sim.core.fault_names import FaultName

if TYPE_CHECKING:
    from random import Random

    from holdfast.lab.torture.climate import Climate

PLANNED: Final = EntryKind.CLOSE_PLANNED.value
LATE_SHARE: Final = 0.08
OVERTAKEN_SHARE: Final = 0.6
"""Late claims before which a person trades."""
OVERTAKING: Final = ("hand flip", "hand flip", "hand part", "hand part", "hand flatten", "hand halve")
STANDSTILL_MS: Final = (2_500, 3_500, 4_500, 5_600, 7_000)
"""For how long apply stands still: a close lives 5 s."""
LONGER_MS: Final = (0, 0, 1_500, 3_000)
"""How much longer a reconciler of its own does."""
AHEAD_SHARE: Final = 0.03
AHEAD_MS: Final = (5_200, 12_000)
MUTE_SHARE: Final = 0.05
MUTE_AT: Final = (EntryKind.HOLD_SET, EntryKind.ALERT, EntryKind.MANUAL_REQUIRED)
MUTE_MS: Final = (1_500, 6_000)
UNSURE_SHARE: Final = 0.06
UNSURE_MS: Final = (4_000, 7_000)
"""For how long one kind of question gets no answer: a look is due within 3 s, a close within 5."""


def draw_moments(rng: Random, climate: Climate) -> tuple[tuple[Act, ...], tuple[Act, ...]]:
    """Deeds and faults that wait."""
    deeds: list[Act] = []
    faults: list[Act] = []
    for share, story in ((LATE_SHARE, _late), (AHEAD_SHARE, _ahead), (MUTE_SHARE, _mute), (UNSURE_SHARE, _unsure)):
        if rng.random() < share * climate.moments_factor:
            at_ms = moment(rng)
            story(rng, at_ms, deeds, faults)
            deeds.append(drift_at(rng, at_ms + 1))
    return tuple(deeds), tuple(faults)


def _upon(at_ms: int, kind: str, *what: int | str) -> Act:
    return Act(at_ms, "upon", (kind, *what))


def _late(rng: Random, at_ms: int, deeds: list[Act], faults: list[Act]) -> None:
    """A close is planned, and everybody stands still; when apply goes on, the close or its cause may be over."""
    apply_ms = rng.choice(STANDSTILL_MS)
    faults.append(_upon(at_ms, PLANNED, "stand still", apply_ms, apply_ms + rng.choice(LONGER_MS)))
    if rng.random() < OVERTAKEN_SHARE:
        deeds.append(_upon(at_ms, PLANNED, rng.choice(OVERTAKING), rng.randint(1, 6)))
        if rng.random() < OVERTAKEN_SHARE:
            faults.append(_upon(at_ms, PLANNED, "stream silent", apply_ms))


def _ahead(rng: Random, at_ms: int, deeds: list[Act], faults: list[Act]) -> None:
    """The clock is set ahead between a close's plan and its claim."""
    del deeds
    faults.append(_upon(at_ms, PLANNED, "clock jump", rng.choice(AHEAD_MS)))


def _mute(rng: Random, at_ms: int, deeds: list[Act], faults: list[Act]) -> None:
    """The pager dies as somebody is to be told."""
    faults.append(_upon(at_ms, rng.choice(MUTE_AT).value, "pager down", rng.choice(MUTE_MS)))
    deeds.append(Act(at_ms + 2, rng.choice(("hand flatten", "hand halve")), drift_at(rng, at_ms).args))


def _unsure(rng: Random, at_ms: int, deeds: list[Act], faults: list[Act]) -> None:
    """What would end a hold cannot be read: its trades, or what became of the close whose answer was lost."""
    del deeds
    for_ms = rng.choice(UNSURE_MS)
    if rng.random() < OVERTAKEN_SHARE:
        faults.append(_upon(at_ms, EntryKind.HOLD_SET.value, "no answers", "/fapi/v1/userTrades", for_ms))
        return
    lost = rng.choice((FaultName.RESET_EXECUTED, FaultName.RESET_NOT_EXECUTED)).value
    claimed = EntryKind.CLOSE_CLAIMED.value
    faults.append(_upon(at_ms, claimed, "order answer", lost, 1, 300))
    faults.append(_upon(at_ms, claimed, "no answers", "/fapi/v1/order", for_ms))
    faults.append(_upon(at_ms, claimed, "stream silent", for_ms))
