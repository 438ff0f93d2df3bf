"""`holdfast audit`, the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.cli.entry_words import words
from holdfast.cli.exit_status import DONE, REFUSED, say
from holdfast.cli.journal_access import open_desk
from holdfast.cli.printing import columns, print_json, print_line, print_table, time_text
from holdfast.domain.errors import ChainBroken

if TYPE_CHECKING:
    from pathlib import Path

    from holdfast.domain.entry import JournaledEntry, JsonValue
    from holdfast.ports.journal import Reads

HEADERS = ("SEQ", "AT", "KIND", "SYMBOL", "WHAT")
PAGE = 1_000


async def verify(account: str, settings: Path, *, as_json: bool) -> int:
    """Prove every account that was asked for; REFUSED if one of them does not hold."""
    found: list[JsonValue] = []
    broken = False
    async with open_desk(settings) as desk:
        for name in desk.accounts(account):
            try:
                count = await desk.journal.verify(name)
            except ChainBroken as error:
                broken = True
                found.append({"account": name, "ok": False, "first_bad_entry": error.seq, "detail": str(error)})
                if not as_json:
                    where = "" if error.seq is None else f" (first bad entry: {error.seq})"
                    say(f"account {name}: THE JOURNAL DOES NOT HOLD: {error}{where}")
                continue
            found.append({"account": name, "ok": True, "entries": count})
            if not as_json:
                print_line(f"account {name}: {count} entries; chain, ledger and bookings hold")
    if as_json:
        print_json({"ok": not broken, "accounts": found})
    return REFUSED if broken else DONE


async def show(limit: int, account: str, settings: Path, *, as_json: bool) -> int:
    """Show the newest entries of one account."""
    async with open_desk(settings) as desk:
        entries = await desk.journal.query(desk.account(account), lambda reads: _newest(reads, limit))
    if as_json:
        for each in entries:
            print_json(_json(each))
    else:
        rows = [
            (str(e.seq), time_text(e.at_ms), e.entry.kind.value, e.entry.symbol or "-", words(e.entry)) for e in entries
        ]
        print_table(columns(HEADERS, rows))
    return DONE


def _newest(reads: Reads, limit: int) -> list[JournaledEntry]:
    found: list[JournaledEntry] = []
    seq = max(reads.account().last_seq - limit, 0)
    while page := reads.entries_after(seq, min(PAGE, limit)):
        found += page
        seq = page[-1].seq
    return found[-limit:]


def _json(each: JournaledEntry) -> JsonValue:
    entry = each.entry
    return {
        "seq": each.seq,
        "at_ms": each.at_ms,
        "kind": entry.kind.value,
        "account": entry.account,
        "symbol": entry.symbol,
        "hold_id": entry.hold_id,
        "plan_id": entry.plan_id,
        "body": dict(entry.body),
        "prev_hash": each.prev_hash,
        "hash": each.hash,
    }
