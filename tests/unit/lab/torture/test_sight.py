"""The oracle's rules about what is believed: each is broken once, and each is noticed; what nobody can know passes."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.entry import Entry, EntryKind, JournaledEntry
from holdfast.domain.names import AccountId, Symbol
from holdfast.lab.torture.audit import Audit
from holdfast.lab.torture.books import Books
from holdfast.lab.torture.chronicle import Chronicle
from holdfast.lab.torture.clock import VirtualClock
from holdfast.lab.torture.exchange import open_exchange
from holdfast.lab.torture.loop import play
from holdfast.lab.torture.net import Net
from holdfast.lab.torture.sight import Sight
from holdfast.sim.core.legs import PositionSide
from holdfast.sim.core.orders import Side
from tests.unit.lab.torture.test_books import LEG, SHAPE, START_MS, intent, sent

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.domain.entry import JsonValue
    from holdfast.lab.torture.exchange import WorldExchange

ACCOUNT = AccountId("desk")


@dataclass
class Stage:
    """An exchange, its books, and the rules that judge what the journal says."""

    exchange: WorldExchange
    books: Books
    sight: Sight
    now: list[float]
    entries: int = field(default=0)

    def by_hand(self, at_ms: float, qty: str) -> None:
        """A person buys."""
        self.now[0] = at_ms
        self.exchange.by_hand("BTCUSDT", Side.BUY, Decimal(qty), PositionSide.BOTH, "person")
        self.books.look()

    def ours(self, at_ms: float, name: str, qty: str) -> None:
        """An order of ours is executed, and its fills are booked."""
        self.now[0] = at_ms
        self.books.audit.intents[name] = [intent(name, "BUY", qty)]
        sent(self.exchange, name, Side.BUY, qty)
        self.books.look()
        for key, trade in self.books.trades.items():
            if trade.client_id == name:
                self.books.audit.booked[key] = [(name, trade.qty)]

    def says(self, kind: EntryKind, **body: JsonValue) -> None:
        """The journal says something of the leg."""
        self.entries += 1
        entry = Entry(kind, ACCOUNT, symbol=Symbol(LEG[0]), body={"position_side": LEG[1], **body})
        self.sight.read([JournaledEntry(self.entries, START_MS, entry, "", "")])

    def agrees(self, amount: str) -> None:
        """The reconciler agrees with the ledger."""
        self.says(EntryKind.AGREED, ledger_amt=amount)

    def shows(self, as_of_ms: int) -> None:
        """A hold's entry tells of a view."""
        self.says(EntryKind.HOLD_UPDATED, view={"as_of_ms": as_of_ms})


def judged(story: Callable[[Stage], None]) -> list[str]:
    """Which rules a story breaks."""
    accused: list[str] = []

    async def whole() -> None:
        now = [0.0]
        net = Net(lambda _key: Random(1), Chronicle(lambda: 0.0), lambda _name: None)  # noqa: S311 - replayed
        exchange = open_exchange(1, SHAPE, VirtualClock(START_MS), net)
        books = Books(exchange.venue.exchange, Audit(), lambda: None, lambda: now[0], accused.append)
        story(Stage(exchange, books, Sight(books, accused.append), now))

    play(whole)
    return [each.partition(":")[0] for each in accused]


def by_an_older_view(stage: Stage) -> None:
    """A person trades what our order trades a moment later; the position in between is what the ledger says then."""
    stage.by_hand(100, "0.002")
    stage.ours(105, "hf-a", "0.002")
    stage.agrees("0.002")


def released_by_an_older_view(stage: Stage) -> None:
    """The same of a hold that ends."""
    stage.by_hand(100, "0.002")
    stage.ours(105, "hf-a", "0.002")
    stage.says(EntryKind.HOLD_RELEASED, status="AGREED", ledger_amt="0.002")


def in_the_same_millisecond(stage: Stage) -> None:
    """Equal milliseconds prove agreement."""
    stage.by_hand(100.2, "0.002")
    stage.ours(100.9, "hf-a", "0.002")
    stage.agrees("0.002")


def rightly(stage: Stage) -> None:
    """The position is what the ledger says; later a person trades, of which nobody has heard yet."""
    stage.ours(100, "hf-a", "0.002")
    stage.by_hand(300, "0.002")
    stage.agrees("0.002")


def into_the_past(stage: Stage) -> None:
    """A later entry tells of an older view."""
    stage.shows(START_MS + 500)
    stage.shows(START_MS + 499)


def in_a_new_life(stage: Stage) -> None:
    """Who begins to reconcile knows nothing of what was shown before."""
    stage.shows(START_MS + 500)
    stage.says(EntryKind.LEASE, service="reconcile", owner="b", number=2)
    stage.shows(START_MS + 400)


def after_a_clock_was_set(stage: Stage) -> None:
    """What is dated by a clock that was set says nothing."""
    stage.shows(START_MS + 500)
    stage.sight.clocks_are_true = lambda: False
    stage.shows(START_MS + 400)


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        (by_an_older_view, ["S21"]),
        (released_by_an_older_view, ["S21"]),
        (in_the_same_millisecond, []),
        (rightly, []),
        (into_the_past, ["S22"]),
        (in_a_new_life, []),
        (after_a_clock_was_set, []),
    ],
)
def test_each_rule_is_noticed_when_it_is_broken(story: Callable[[Stage], None], expected: list[str]) -> None:
    """One story a rule, and those that break none."""
    assert judged(story) == expected
