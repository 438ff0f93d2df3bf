"""Which entries belong to an episode, in order, and when each was, counted from the first sign.

    asked for a hold, a leg or symbol (newest hold)   every entry of the hold, and whatever else happened on the symbol
                                                      or to the account from the first to the last of them
    asked for a plan, or an order of ours             every entry of the plan

The first sign is the moment at which what caused the first entry was read (our clock), if the entry says so, else the
entry's own time. Bound: `WINDOW_ENTRIES_MAX` entries are looked through.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from holdfast.cli.entry_words import Said, seen, words_after
from holdfast.domain.entry import EntryKind
from holdfast.domain.hold import HoldReason
from holdfast.domain.names import ClientOrderId, HoldId, PlanId, Symbol, is_symbol
from holdfast.domain.sides import Leg, PositionSide

if TYPE_CHECKING:
    from holdfast.domain.entry import Entry, JournaledEntry
    from holdfast.domain.hold import Hold
    from holdfast.domain.ledger import LedgerState
    from holdfast.domain.names import AccountId
    from holdfast.domain.operator import Alert
    from holdfast.ports.journal import PlanRecord, Reads

WINDOW_ENTRIES_MAX = 2_000
SIGN_AGE_MS_MAX = 60_000
"""A view that was read longer before the entry is no first sign of it."""
_HEDGE_SIDES = frozenset({PositionSide.LONG.value, PositionSide.SHORT.value})
_ACCOUNT_WIDE = frozenset(
    {EntryKind.HALTED, EntryKind.RESUMED, EntryKind.STAMP_VOIDED, EntryKind.ALERT_ACKED, EntryKind.MODE_CHANGED}
)


@dataclass(frozen=True, slots=True)
class Line:
    """One entry, told."""

    entry: JournaledEntry
    since_ms: int
    """Milliseconds since the first sign."""
    text: str


@dataclass(frozen=True, slots=True)
class Story:
    """What there is to tell."""

    title: str
    first_sign_ms: int
    lines: tuple[Line, ...]
    now_ms: int
    hold: Hold | None = None
    alert: Alert | None = None
    """The newest alert about the hold."""
    ledger: LedgerState | None = None
    plan: PlanRecord | None = None


def find_story(reads: Reads, account: AccountId, subject: str) -> Story | None:
    """Find what `subject` names: a hold, a plan, an order of ours, a leg or symbol; None if nothing."""
    hold = reads.hold(HoldId(subject))
    if hold is None:
        hold = _newest_hold(reads, account, subject.upper())
    if hold is not None:
        return _of_hold(reads, hold)
    order = reads.order(ClientOrderId(subject))
    return _of_plan(reads, order.plan_id if order is not None else PlanId(subject))


def _newest_hold(reads: Reads, account: AccountId, name: str) -> Hold | None:
    """The newest hold of `SYMBOL` (of any of its legs), `SYMBOL:LONG` or `SYMBOL:SHORT`; an open one first."""
    symbol, colon, side = name.partition(":")
    if not is_symbol(symbol) or (colon and side not in _HEDGE_SIDES):
        return None
    sides = (PositionSide(side),) if colon else tuple(PositionSide)
    found = [hold for each in sides for hold in reads.holds_of(Leg(account, Symbol(symbol), each), 1)]
    return max(found, key=lambda hold: (hold.is_open, hold.opened_ms), default=None)


def _of_hold(reads: Reads, hold: Hold) -> Story:
    own = reads.entries_of_hold(hold.hold_id)
    entries = {each.seq: each for each in own}
    if own:
        newest = reads.account().last_seq if hold.is_open else _release_seq(own)
        for each in reads.entries_after(own[0].seq - 1, WINDOW_ENTRIES_MAX):
            if each.seq <= newest and _belongs(each, hold):
                entries[each.seq] = each
    baseline = reads.newest_entry(EntryKind.BASELINE)
    if hold.reason is HoldReason.UNLEDGERED and baseline is not None:
        entries.setdefault(baseline.seq, baseline)  # what was found is where such a hold begins
    state = "stands" if hold.is_open else "ended"
    return _told(
        Story(
            title=f"{hold.leg.key}: {hold.reason.value}: hold {hold.hold_id} ({state})",
            first_sign_ms=hold.opened_ms,
            lines=(),
            now_ms=reads.now_ms(),
            hold=hold,
            alert=reads.alert_of_hold(hold.hold_id),
            ledger=reads.leg(hold.leg),
        ),
        [entries[seq] for seq in sorted(entries)],
    )


def _release_seq(own: tuple[JournaledEntry, ...]) -> int:
    """Where the hold ended: what came later (an acknowledgement, say) does not prolong it."""
    released = [each.seq for each in own if each.entry.kind is EntryKind.HOLD_RELEASED]
    return released[-1] if released else own[-1].seq


def _belongs(each: JournaledEntry, hold: Hold) -> bool:
    entry = each.entry
    if entry.symbol is None:
        return entry.kind in _ACCOUNT_WIDE
    if entry.symbol != hold.leg.symbol or entry.hold_id not in {None, hold.hold_id}:
        return False
    side = Said(entry.body).text("position_side")
    return side in {"", hold.leg.position_side.value}


def _of_plan(reads: Reads, plan_id: PlanId) -> Story | None:
    entries, record = reads.entries_of_plan(plan_id), reads.plan(plan_id)
    if not entries and record is None:
        return None
    close = reads.close(plan_id)
    symbol = next((each.entry.symbol for each in entries if each.entry.symbol is not None), "")
    under = f", under hold {close.hold_id}" if close is not None and close.hold_id is not None else ""
    first_ms = entries[0].at_ms if entries else reads.now_ms()
    return _told(
        Story(f"plan {plan_id} on {symbol}{under}", first_ms, (), reads.now_ms(), plan=record),
        list(entries),
    )


def _told(story: Story, entries: list[JournaledEntry]) -> Story:
    first_ms = _first_sign(entries[0]) if entries else story.first_sign_ms
    lines: list[Line] = []
    saw: Entry | None = None
    for each in entries:
        lines.append(Line(each, each.at_ms - first_ms, words_after(each.entry, saw)))
        if seen(Said(each.entry.body)):
            saw = each.entry
    return replace(story, first_sign_ms=first_ms, lines=tuple(lines))


def _first_sign(first: JournaledEntry) -> int:
    read_ms = Said(first.entry.body).inner("view").ms("read_ms")
    if read_ms is not None and 0 <= first.at_ms - read_ms <= SIGN_AGE_MS_MAX:
        return read_ms
    return first.at_ms
