"""`holdfast alerts`, the work. An acknowledgement is one transaction of the command line itself, with its entry."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.cli.asking import signed_by
from holdfast.cli.exit_status import DONE, REFUSED
from holdfast.cli.journal_access import open_desk
from holdfast.cli.printing import columns, print_json, print_line, print_table, time_text
from holdfast.domain.entry import Entry, EntryKind, JsonValue

if TYPE_CHECKING:
    from pathlib import Path

    from holdfast.domain.names import AccountId
    from holdfast.domain.operator import Alert
    from holdfast.ports.journal import Journal, Tx

HEADERS = ("ID", "ACCOUNT", "SINCE", "DELIVERED", "TRIES", "TITLE", "TEXT")


async def list_alerts(account: str, settings: Path, *, as_json: bool) -> int:
    """List what is not acknowledged."""
    found: list[Alert] = []
    async with open_desk(settings) as desk:
        for name in desk.accounts(account):
            found += await desk.journal.query(name, lambda reads: reads.alerts_unacked())
    if as_json:
        listed: list[JsonValue] = [_json(alert) for alert in found]
        print_json({"alerts": listed})
    elif found:
        print_table(columns(HEADERS, [_row(alert) for alert in found]))
    else:
        print_line("no alert waits")
    return DONE


async def acknowledge(alert_ids: tuple[str, ...], name: str, account: str, settings: Path, *, as_json: bool) -> int:
    """Acknowledge each; REFUSED if one was not there to be acknowledged."""
    who = signed_by(name)
    async with open_desk(settings) as desk:
        heard = {each: await _acknowledge(desk.journal, desk.account(account), each, who) for each in alert_ids}
    if as_json:
        acked: list[JsonValue] = [each for each, was_there in heard.items() if was_there]
        unknown: list[JsonValue] = [each for each, was_there in heard.items() if not was_there]
        print_json({"acked": acked, "unknown": unknown})
    else:
        for each, was_there in heard.items():
            if was_there:
                print_line(f"{each} is acknowledged by {who}")
            else:
                sys.stderr.write(f"holdfast: no alert {each[:80]!r} waits (`holdfast alerts list`)\n")
    return DONE if all(heard.values()) else REFUSED


async def _acknowledge(journal: Journal, account: AccountId, alert_id: str, who: str) -> bool:
    def find(waiting: tuple[Alert, ...]) -> Alert | None:
        return next((alert for alert in waiting if alert.alert_id == alert_id), None)

    def write(tx: Tx, alert: Alert | None, _facts: tuple[Alert, ...]) -> None:
        if alert is None:
            return
        tx.put_alert(replace(alert, acked_ms=tx.now_ms(), acked_by=who))
        body: dict[str, JsonValue] = {"alert_id": alert.alert_id, "who": who}
        tx.append(Entry(EntryKind.ALERT_ACKED, account, alert.symbol, alert.hold_id, None, body))

    found = await journal.transact(account, None, read=lambda reads: reads.alerts_unacked(), decide=find, write=write)
    return found is not None


def _row(alert: Alert) -> tuple[str, ...]:
    delivered = "NOT YET" if alert.delivered_ms is None else time_text(alert.delivered_ms)
    since = time_text(alert.created_ms)
    return (alert.alert_id, alert.account, since, delivered, str(alert.deliveries), alert.title, alert.text)


def _json(alert: Alert) -> JsonValue:
    return {
        "alert_id": alert.alert_id,
        "account": alert.account,
        "symbol": alert.symbol,
        "hold_id": alert.hold_id,
        "title": alert.title,
        "text": alert.text,
        "created_ms": alert.created_ms,
        "delivered_ms": alert.delivered_ms,
        "deliveries": alert.deliveries,
    }
