"""Overdue steps: seen beside a fresh stamp alone, after a while, and not where a person was told."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from holdfast.domain.hold import Hold, HoldOwner, NextStep, StepKind
from holdfast.journal import InlineRunner
from holdfast.journal.store import SqlJournal
from holdfast.lab.torture.disk import Disk
from holdfast.lab.torture.dues import OVERDUE_MS_MAX, Dues
from tests.contract.journal.places import SetClock
from tests.contract.journal.samples import ACCOUNT, HOLD, put

NOW_MS = 1_000_000
FRESH_MS = NOW_MS - 400
TOLD = replace(HOLD, next_step=NextStep(StepKind.OPERATOR, NOW_MS - 5_000, "overdue: trades are awaited"))
IN_TIME = replace(HOLD, next_step=NextStep(StepKind.EVIDENCE, NOW_MS + 1, "trades are awaited"))


def accused(hold: Hold, stamp_ms: int | None, *, looks_ms: tuple[float, ...]) -> int:
    """How often looks at these moments accuse a journal with this hold and this stamp."""
    found: list[str] = []
    times = iter(looks_ms)

    async def story() -> None:
        journal = SqlJournal(InlineRunner(Disk().database(SetClock(NOW_MS))))
        await put(journal, lambda tx: tx.put_hold(hold), lambda tx: tx.set_stamp(stamp_ms))
        dues = Dues(lambda: next(times), found.append)
        for _ in looks_ms:
            await journal.query(ACCOUNT, dues.look)

    asyncio.run(story())
    return len(found)


def test_a_step_that_stays_overdue_beside_a_fresh_stamp_is_accused() -> None:
    """The first look may come too early to blame anybody, the one after the grace does not."""
    assert accused(HOLD, FRESH_MS, looks_ms=(0.0, OVERDUE_MS_MAX - 1.0)) == 0
    assert accused(HOLD, FRESH_MS, looks_ms=(0.0, OVERDUE_MS_MAX + 1.0)) == 1


@pytest.mark.parametrize(
    ("hold", "stamp_ms"),
    [
        (TOLD, FRESH_MS),
        (IN_TIME, FRESH_MS),
        (replace(HOLD, owner=HoldOwner.OPERATOR), FRESH_MS),
        (HOLD, None),
        (HOLD, NOW_MS - 1_001),
        (HOLD, NOW_MS + 1),
    ],
)
def test_what_a_person_has_is_not_due_or_cannot_be_known_is_not_accused(hold: Hold, stamp_ms: int | None) -> None:
    """A person's step, one in time, an operator's own hold; and a reconciler that does not claim to be well."""
    assert accused(hold, stamp_ms, looks_ms=(0.0, 2.0 * OVERDUE_MS_MAX)) == 0
