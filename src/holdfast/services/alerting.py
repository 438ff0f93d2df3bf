"""Telling a person, beside the trading path: journaled alerts are delivered, and repeated until acknowledged.

Also watches over I9: every open hold has a next step that is not overdue; one that waits for a person counts only
once a channel took its alert. What is without one is counted in `holdfast_holds_without_next_step` (must be 0). A hold
that stands longer than `hold_alert_ms` is told whatever its step is.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.domain.errors import JournalBusy
from holdfast.domain.hold import HoldOwner, HoldReason, StepKind
from holdfast.services.holding import Written, alert_person

if TYPE_CHECKING:
    from holdfast.domain.hold import Hold
    from holdfast.domain.names import HoldId
    from holdfast.domain.operator import Alert
    from holdfast.ports.alerts import Alerts
    from holdfast.ports.journal import AccountState, Reads, Tx
    from holdfast.services.context import Context

WATCH_MS = 500
"""How often holds and alerts are looked over."""
RETRY_MS = 1_000
"""Wait after an alert that no channel took, doubled up to `RETRY_MS_MAX`."""
RETRY_MS_MAX = 30_000


class Alerting:
    """Alerts of one account."""

    def __init__(self, context: Context, alerts: Alerts) -> None:
        self._context = context
        self._alerts = alerts

    async def run(self) -> None:
        """Watch and deliver until cancelled."""
        while True:
            await self._context.wakes.alerts.take(WATCH_MS)
            try:
                await self._watch()
                await self._deliver_due()
            except JournalBusy as error:
                self._context.log.warning("journal_busy", account=self._context.account, detail=str(error))

    async def _deliver_due(self) -> None:
        context = self._context
        unacked = await context.journal.query(context.account, _still_true)
        now_ms = context.clock.now_ms()
        for alert in sorted(unacked, key=lambda each: each.deliveries > 0):  # what nobody was told yet goes first
            if alert.next_try_ms > now_ms or not self._alerts.has_channel:
                continue
            taken = await self._alerts.deliver(alert)
            await self._record(alert, taken=taken)

    async def _record(self, alert: Alert, *, taken: bool) -> None:
        def write(tx: Tx, _choice: None, current: tuple[Alert, ...]) -> None:
            known = next((each for each in current if each.alert_id == alert.alert_id), None)
            if known is None:
                return  # acknowledged meanwhile
            now_ms, tries = tx.now_ms(), known.deliveries + 1
            if taken:
                wait_ms = self._context.limits.alert_repeat_ms
                tx.put_alert(replace(known, delivered_ms=now_ms, deliveries=tries, next_try_ms=now_ms + wait_ms))
            else:
                wait_ms = min(RETRY_MS * 2 ** min(tries, 10), RETRY_MS_MAX)
                tx.put_alert(replace(known, deliveries=tries, next_try_ms=now_ms + wait_ms))

        await self._context.transact(read=lambda reads: reads.alerts_unacked(), decide=lambda _: None, write=write)
        self._context.log.info(
            "alert",
            account=alert.account,
            symbol=alert.symbol,
            hold_id=alert.hold_id,
            alert_id=alert.alert_id,
            delivered=taken,
            title=alert.title,
        )

    async def _watch(self) -> None:
        context = self._context

        def read(reads: Reads) -> tuple[AccountState, tuple[Hold, ...], dict[HoldId, Alert | None], int]:
            holds = reads.open_holds(None)
            return reads.account(), holds, _alerts_of(reads, holds), reads.now_ms()

        state, holds, alerts, now_ms = await context.journal.query(context.account, read)
        context.metrics.stamp_age(context.account, now_ms - state.stamp_ms if state.stamp_ms is not None else None)
        without = [hold for hold in holds if is_without_next_step(hold, alerts.get(hold.hold_id), now_ms)]
        context.metrics.holds(context.account, Counter(hold.reason for hold in holds), len(without))
        late = [
            hold
            for hold in holds
            if alerts.get(hold.hold_id) is None
            and hold.owner is HoldOwner.AUTO
            and not 0 <= now_ms - hold.opened_ms <= context.limits.hold_alert_ms
        ]
        if late:
            await self._tell_late(late)

    async def _tell_late(self, late: list[Hold]) -> None:
        out = Written([], [])

        def write(tx: Tx, _choice: None, _facts: None) -> None:
            out.entries.clear()
            for each in late:
                hold = tx.hold(each.hold_id)
                if hold is not None and hold.is_open:
                    alert_person(tx, hold, f"it still stands; next: {hold.next_step.text}", out)

        await self._context.transact(read=lambda _: None, decide=lambda _: None, write=write)
        self._context.emit(out.entries)


def _alerts_of(reads: Reads, holds: tuple[Hold, ...]) -> dict[HoldId, Alert | None]:
    """The newest alert of each hold; a changed position mode holds every leg and is told once for all of them."""
    alerts = {hold.hold_id: reads.alert_of_hold(hold.hold_id) for hold in holds}
    for_mode = [hold.hold_id for hold in holds if hold.reason is HoldReason.MODE_CHANGED]
    told = next((alert for name in for_mode if (alert := alerts[name]) is not None), None)
    return alerts | {name: alerts[name] or told for name in for_mode}


def _still_true(reads: Reads) -> tuple[Alert, ...]:
    """Unacknowledged alerts; one that was delivered is not repeated once its hold has ended."""
    found = []
    for alert in reads.alerts_unacked():
        hold = reads.hold(alert.hold_id) if alert.hold_id is not None else None
        if hold is None or hold.is_open or alert.delivered_ms is None:
            found.append(alert)
    return tuple(found)


def is_without_next_step(hold: Hold, alert: Alert | None, now_ms: int) -> bool:
    """Tell whether nothing would ever end this hold: its step is overdue and no person was told.

    | next step   | alert                  | without |
    |-------------|------------------------|---------|
    | not overdue | any                    | no      |
    | overdue, a person's | delivered or acknowledged | no |
    | overdue     | otherwise              | yes     |

    A hold that a person placed is that person's: it counts as told.
    """
    if now_ms <= hold.next_step.due_ms or hold.owner is HoldOwner.OPERATOR:
        return False
    told = alert is not None and (alert.delivered_ms is not None or alert.acked_ms is not None)
    return not (hold.next_step.kind is StepKind.OPERATOR and told)
