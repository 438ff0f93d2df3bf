"""A journaled entry as a line of the log, for people who watch it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.domain.entry import Entry, EntryKind
from holdfast.ports.telemetry import about_close

if TYPE_CHECKING:
    from holdfast.ports.telemetry import Log


def log_entry(log: Log, entry: Entry) -> None:
    """Log what the reconciler did; agreement is the rule, and not worth a line."""
    if entry.kind is EntryKind.AGREED:
        return
    if entry.plan_id is not None:
        log = about_close(log, entry.plan_id, entry.hold_id)
    log.info(
        entry.kind.value.lower(),
        account=entry.account,
        symbol=entry.symbol,
        hold_id=entry.hold_id,
        reason=entry.body.get("reason"),
        drift=entry.body.get("drift"),
        next_step=entry.body.get("next_step"),
    )
