"""The ports, with every call of theirs counted. The services see no difference but the one that ends them.

    journal   transact: before = everything is written and the commit has not begun; after = the commit is durable
    venue     each request, reading or trading: before it leaves, after its answer was decoded
    bus       each call: before it leaves, after its reply

Invariant: every method of a port that does something outside the process is counted here (a test holds the lists
together); what only reads the process's own files (`query`, `now_ms`) is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from holdfast.domain.entry import EntryKind
from holdfast.lab.drills.effects import Effects, Moment, path_of_caller

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from holdfast.domain.entry import Entry, JournaledEntry
    from holdfast.domain.names import AccountId
    from holdfast.domain.permit import Permit
    from holdfast.ports.bus import Bus
    from holdfast.ports.journal import Choice, Facts, Fence, Journal, Reads, Tx
    from holdfast.ports.venue import SubmitOutcome, VenueReader, VenueTrader

JOURNAL_CALLS = frozenset({"acquire", "renew", "give_up"})
READER_CALLS = frozenset(
    {
        "sync_clock",
        "instruments",
        "mark_prices",
        "position_mode",
        "account_view",
        "symbol_view",
        "trades",
        "order",
        "order_by_number",
        "forced_orders",
        "open_orders",
    }
)
TRADER_CALLS = READER_CALLS | {"cancel"}
"""`submit` is counted too, by a method of its own."""
BUS_CALLS = frozenset(
    {
        "ensure_ready",
        "read_plans",
        "reclaim_plans",
        "finish",
        "publish_close",
        "publish_events",
        "hold_values",
        "read_text",
        "publish_copies",
        "backlog",
    }
)
APPLIES = frozenset(
    {EntryKind.CLOSE_CLAIMED, EntryKind.CLOSE_DONE, EntryKind.CLOSE_FAILED, EntryKind.OPERATOR_CLOSE_DONE}
)
"""What apply journals and, after its death, whoever looks first publishes: which of them is luck."""
READS_PLANS = ("bus.read_plans", "bus.reclaim_plans")
WITH_PLANS = " with plans"
"""Known only afterwards: such an effect has no side before it."""
QUIET_ENTRIES = frozenset({"AGREED"})
"""Entries that ride along with others: named only where they stand alone."""


class Counted:
    """A port whose named calls are counted; everything else goes through as it is."""

    def __init__(self, port: object, port_name: str, calls: frozenset[str], effects: Effects) -> None:
        self._port = port
        self._port_name = port_name
        self._calls = calls
        self._effects = effects

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if name not in self._calls:
            return found

        def counted(*arguments: Any, **named: Any) -> Coroutine[None, None, Any]:
            # Named here, where it is called: it may be awaited by a task that has no frame of ours above it.
            path = path_of_caller()
            what = _bus_matter(name, f" {path}", arguments) if self._port_name == "bus" else ""
            return self._count(f"{self._port_name}.{name} {path}{what}", found(*arguments, **named))

        return counted

    async def _count(self, point: str, call: Coroutine[None, None, Any]) -> Any:
        try:
            self._effects.reach(Moment.BEFORE, point)
            answer = await call
        finally:
            call.close()
        has_plans = point.startswith(READS_PLANS) and bool(answer)
        self._effects.reach(Moment.AFTER, f"{point}{WITH_PLANS}" if has_plans else point)
        return answer


def _bus_matter(name: str, path: str, arguments: tuple[Any, ...]) -> str:
    if name == "finish":
        results, entries = arguments
        return f" [{'results' if results else ''}{'+' if results and entries else ''}{'acks' if entries else ''}]"
    if name == "publish_copies":
        kinds = {":".join(copy.key.split(":")[:2]) for copy in arguments[0]}
        return " [holds]" if "reconcile:hold" in kinds else (" [permits]" if kinds == {"permit:p33"} else "")
    if name == "publish_events":  # how many more ride along is luck
        kind = arguments[0][0].entry.kind
        return f" [{'of apply' if kind in APPLIES and ' reconcile ' in path else kind.value}]"
    return ""


class CountedTrader(Counted):
    """A trading adapter: an order is named by what it is."""

    async def submit(self, permit: Permit) -> SubmitOutcome:
        """Send, counted."""
        point = f"venue.submit {path_of_caller()} [{permit.decision.value}]"
        self._effects.reach(Moment.BEFORE, point)
        outcome = await cast("VenueTrader", self._port).submit(permit)
        self._effects.reach(Moment.AFTER, point)
        return outcome


class CountedJournal(Counted):
    """A journal: a transaction is named by what it writes."""

    async def transact(
        self,
        account: AccountId,
        fence: Fence | None,
        *,
        read: Callable[[Reads], Facts],
        decide: Callable[[Facts], Choice],
        write: Callable[[Tx, Choice, Facts], None],
    ) -> Choice:
        """Run the step, counted. One that writes nothing has no effect and no name."""
        path = path_of_caller()
        named: list[str] = []

        def noted(tx: Tx, choice: Choice, facts: Facts) -> None:
            watched = WatchedTx(tx)
            write(cast("Tx", watched), choice, facts)
            named[:] = [f"journal.transact {path} [{watched.matter()}]"] if watched.written else []
            if named:
                self._effects.reach(Moment.BEFORE, named[0])

        choice = await cast("Journal", self._port).transact(account, fence, read=read, decide=decide, write=noted)
        if named:
            self._effects.reach(Moment.AFTER, named[0])
        return choice


class WatchedTx:
    """A transaction that remembers what it was asked to write."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.written: list[str] = []

    def append(self, entry: Entry) -> JournaledEntry:
        """Append, and remember the kind."""
        self.written.append(entry.kind.value)
        return self._tx.append(entry)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._tx, name)
        if name.startswith(("put_", "set_", "book_", "move_", "mark_")):
            self.written.append(name)
        return found

    def matter(self) -> str:
        """What was written first, of several lines that ride in one transaction; the calls where there was no line."""
        lines = [word for word in self.written if word.isupper()]
        loud = [word for word in lines if word not in QUIET_ENTRIES]
        return (loud or lines or self.written)[0]


class KillingPorts:
    """The wrapping that a victim is composed with (compose.Wrapping)."""

    def __init__(self, effects: Effects) -> None:
        self._effects = effects

    def journal(self, journal: Journal) -> Journal:
        """The journal, counted."""
        return cast("Journal", CountedJournal(journal, "journal", JOURNAL_CALLS, self._effects))

    def bus(self, bus: Bus) -> Bus:
        """The bus, counted."""
        return cast("Bus", Counted(bus, "bus", BUS_CALLS, self._effects))

    def reader(self, reader: VenueReader) -> VenueReader:
        """The reading adapter, counted."""
        return cast("VenueReader", Counted(reader, "venue", READER_CALLS, self._effects))

    def trader(self, trader: VenueTrader) -> VenueTrader:
        """The trading adapter, counted."""
        return cast("VenueTrader", CountedTrader(trader, "venue", TRADER_CALLS, self._effects))
