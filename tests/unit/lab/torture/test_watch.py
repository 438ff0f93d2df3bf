"""The oracle's watch: a release beside an order of ours whose fill may be missing is accused (S20)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from holdfast.domain.entry import Entry, EntryKind, JournaledEntry
from holdfast.domain.names import AccountId, HoldId, PlanId, Symbol
from holdfast.lab.torture.acts import Shape
from holdfast.lab.torture.audit import Audit
from holdfast.lab.torture.books import Books
from holdfast.lab.torture.chronicle import Chronicle
from holdfast.lab.torture.clock import VirtualClock
from holdfast.lab.torture.dice import shared
from holdfast.lab.torture.exchange import open_exchange
from holdfast.lab.torture.loop import play
from holdfast.lab.torture.net import Net
from holdfast.lab.torture.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Sequence

START_MS = 1_790_000_000_000
SHAPE = Shape(("both",), is_hedge=True, foreign="close", unledgered="hold", opening_lots=0, fills_per_match=1,
              oversize="clamp", event_order="natural")  # fmt: skip


def line(kind: EntryKind, **body: Any) -> Entry:
    """A line of the audit about the LONG leg, unless it says otherwise."""
    return Entry(
        kind, AccountId("main"), Symbol("BTCUSDT"), HoldId("h-1"), PlanId("p-1"), {"position_side": "LONG", **body}
    )


def outcome(state: str, executed: str, booked: str) -> Entry:
    """What became of the order."""
    return line(EntryKind.ORDER_OUTCOME, state=state, executed_qty=executed, booked_qty=booked)


INTENT = line(EntryKind.INTENT, client_order_id="hf-a", decision="EXECUTE", stamp_ms=START_MS, ledger_version=1)
FILL = line(EntryKind.FILL, trades=[{"qty": "1"}])
SET = line(EntryKind.HOLD_SET, reason="drift")
RELEASED = line(EntryKind.HOLD_RELEASED, reason="drift")
AGREED = line(EntryKind.AGREED, ledger_version=1)


def accused(entries: Sequence[Entry]) -> list[str]:
    """What the watch says of these lines."""
    found: list[str] = []

    async def whole() -> None:
        net = Net(shared("net"), Chronicle(lambda: 0.0), lambda _name: None)
        exchange = open_exchange(1, SHAPE, VirtualClock(START_MS), net)
        books = Books(exchange.venue.exchange, Audit(), lambda: None, lambda: 1_000.0, found.append)
        watch = Watch(books, found.append, {})
        watch.read(JournaledEntry(seq, START_MS, entry, "", "") for seq, entry in enumerate(entries, 1))

    play(whole)
    return [each.partition(":")[0] for each in found]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ((INTENT,), ["S20"]),
        ((INTENT, outcome("unknown", "0", "0")), ["S20"]),
        ((INTENT, outcome("filled", "1", "0")), ["S20"]),
        ((INTENT, outcome("filled", "1", "0"), FILL), []),
        ((INTENT, FILL, outcome("filled", "1", "1")), []),
        ((INTENT, outcome("open", "0", "0")), []),
        ((INTENT, line(EntryKind.PLAN_REFUSED)), []),
    ],
)
def test_a_release_beside_an_unsettled_order_of_ours_is_accused(order: tuple[Entry, ...], expected: list[str]) -> None:
    """In flight, UNKNOWN, or executed beyond what is booked: accused; resting, settled or refused: not."""
    assert accused([AGREED, *order, SET, RELEASED]) == expected


def test_an_order_of_another_leg_hides_nothing() -> None:
    """In hedge mode the other side's order in flight says nothing of this one's position."""
    assert accused([AGREED, INTENT, SET, line(EntryKind.HOLD_RELEASED, reason="drift", position_side="SHORT")]) == []
