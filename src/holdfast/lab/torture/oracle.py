"""The judge of a history. It reads the exchange's books, the bus, the pager and the journal's public audit.

Safety at every step is `books`' (S1 to S7) and this:

    S8   a result that says executed=false names its error
    S9   no key, secret or password shows on the bus, on the pager or in the journal
    S10   no process ends by what nobody foresaw, none halts the account by itself, nothing is raised unheard
    S11 to S20 are `watch`'s, S21 and S22 `sight`'s, S23 is `dues`'

In the end, when faults have stopped and the product had its time:

    L1   every order is settled, every close over, every request answered
    L2   every hold is released, or waits for a person who was told; none that was placed is gone without a release;
         every alert reached the pager
    L3   every plan that the system took has its result, and that is what the exchange says
    L4   every trade of ours is booked once, with its quantity
    L5   the ledger is what rightly was traded; the position is the ledger, but where a hold says so
    L6   the chain is whole
    L7   trading can go on: the account's stamp is fresh
    L8 to L13 are `persons`'

It shares no code with what decides.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from holdfast.domain.errors import HoldfastError
from holdfast.domain.hold import HoldOwner, StepKind
from holdfast.domain.names import AccountId, PlanId, Symbol, client_order_id
from holdfast.domain.sides import TradingState
from holdfast.lab.torture.audit import Audit
from holdfast.lab.torture.books import PREFIX, ZERO, Books
from holdfast.lab.torture.desk import at_once
from holdfast.lab.torture.dues import Dues
from holdfast.lab.torture.machine import KEYS
from holdfast.lab.torture.persons import Persons
from holdfast.lab.torture.settings import ACCOUNT, CANARIES
from holdfast.lab.torture.sight import Sight
from holdfast.lab.torture.streams import Stream, shown
from holdfast.lab.torture.watch import STAMP_AGE_MS_MAX, Watch
from holdfast.sim.core.orders import Source

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from holdfast.domain.entry import JournaledEntry
    from holdfast.domain.hold import Hold
    from holdfast.journal.store import SqlJournal
    from holdfast.lab.torture.acts import Shape
    from holdfast.lab.torture.desk import Desk
    from holdfast.lab.torture.exchange import WorldExchange
    from holdfast.lab.torture.machine import Machine
    from holdfast.ports.journal import Reads
    from holdfast.sim.core.requests import Request

NAME: Final = AccountId(ACCOUNT)
PAGE_MAX: Final = 1_000
VIOLATIONS_MAX: Final = 20
OWN_ANSWERS: Final = ("reused-", "full-", "busy-", "forged-", "bad-", "reserved-")
"""Results about one delivery, not about the plan: they say so by their id."""
FORESEEN: Final = frozenset(
    {"stopped", "CannotStart", "Fenced", "JournalLost", "JournalBusy", "BusUnavailable", "VenueUnavailable"}
)
"""How a process may end by itself: its supervisor starts it again."""


@dataclass(frozen=True, slots=True)
class Result:
    """One outcome as it stood on the bus."""

    result_id: str
    executed: bool
    error: str
    filled: Decimal


@dataclass(slots=True)
class Oracle:
    """See the module."""

    machine: Machine
    exchange: WorldExchange
    journal: SqlJournal
    desk: Desk
    shape: Shape
    start_ms: int
    violations: list[str] = field(default_factory=list)
    results: dict[str, list[Result]] = field(default_factory=dict)
    audit: Audit = field(default_factory=Audit)
    books: Books = field(init=False)
    watch: Watch = field(init=False)
    dues: Dues = field(init=False)
    persons: Persons = field(init=False)
    sight: Sight = field(init=False)
    lines: list[str] = field(default_factory=list)
    """What the product logged, where it did."""
    _last_result: tuple[int, int] = (0, 0)
    _ends_seen: dict[str, int] = field(default_factory=dict)
    _entries_seen: int = 0

    def __post_init__(self) -> None:
        """Open the books."""
        self.books = Books(
            self.exchange.venue.exchange, self.audit, self._read_on, self.machine.chronicle.now_ms, self.accuse
        )
        self.watch = Watch(self.books, self.accuse, self.desk.plans)
        self.dues = Dues(self.machine.chronicle.now_ms, self.accuse)
        self.persons = Persons(
            self.machine,
            self.exchange,
            self.watch,
            self.results.__contains__,
            self.desk.plans,
            self.audit.adopted,
            self.accuse,
            self.start_ms,
        )
        self.sight = Sight(self.books, self.accuse, lambda: self.watch.clocks_are_true)

    def accuse(self, what: str) -> None:
        """Note a violation."""
        if len(self.violations) < VIOLATIONS_MAX:
            self.machine.chronicle.say("ORACLE", what)
            self.violations.append(what)

    # --- at every step ----------------------------------------------------------------------------------

    def exchange_changed(self) -> None:
        """Judge what is new at the exchange."""
        self.books.look()
        self.watch.judge_releases()
        self.watch.note_positions(self.exchange.venue.exchange.clock.now_ms())

    def journal_written(self) -> None:
        """Judge what a commit has just added: when a hold was placed and released is known to the moment."""
        if self.machine.disk.entries == self._entries_seen:
            return  # a lease, a stamp or a mark: nothing that the journal tells
        self._entries_seen = self.machine.disk.entries
        self._read_on()
        self.books.look()
        self.watch.judge_releases()

    def time_passed(self) -> None:
        """Judge what becomes wrong by nothing being done; asked every now and then."""
        if self.audit.holds:
            at_once(self.journal.query(NAME, self.dues.look))

    def arrives(self, owner: str, request: Request) -> None:
        """An order of ours, or a question about one symbol's position, arrives at the exchange."""
        name = request.params.get("newClientOrderId", "")
        if name.startswith(PREFIX):
            self.books.arrives(name)
            self.watch.sent_by(owner, name)

    def bus_changed(self) -> None:
        """Read new results."""
        stream = self.machine.valkey.keys.values.get(KEYS.results.encode())
        if not isinstance(stream, Stream):
            self._last_result = (0, 0)
            return
        ids = stream.ids
        if not ids or ids[-1] == self._last_result:
            return
        if ids[-1] < self._last_result:
            self._last_result = (0, 0)  # another stream: the old one was lost
        for entry_id in ids:
            if entry_id > self._last_result:
                self._result(stream.fields[entry_id])
        self._last_result = ids[-1]

    def _result(self, flat: list[bytes]) -> None:
        fields = {flat[i].decode(): flat[i + 1].decode() for i in range(0, len(flat), 2)}
        result = Result(
            fields["result_id"], fields["executed"] == "true", fields["error"], Decimal(fields["filled_qty"])
        )
        self.results.setdefault(fields["plan_id"], []).append(result)
        what = f"executed={fields['executed']} {fields['filled_qty']} {fields['error']} {fields['status']}"
        self.machine.chronicle.say("result", f"{fields['plan_id']}: {what}")
        self.watch.answered(fields["entry_id"], result.result_id, result.error)
        if not result.executed and not result.error:
            self.accuse(f"S8: plan {fields['plan_id']} was not executed, and nobody says why")

    def _read_on(self) -> None:
        is_more = True
        while is_more:
            entries = at_once(self.journal.query(NAME, self._next_page))
            is_more = len(entries) == PAGE_MAX
            for each in entries:
                self.machine.chronicle.say("journal", f"{each.seq} {each.entry.kind.value} {each.hash[:12]}")
            self.audit.take(entries)
            self.watch.read(entries)
            self.sight.read(entries)

    def _next_page(self, reads: Reads) -> tuple[JournaledEntry, ...]:
        return reads.entries_after(self.audit.last_seq, PAGE_MAX)

    # --- rest -------------------------------------------------------------------------------------------

    def is_at_rest(self) -> bool:
        """Tell whether the product has nothing left to do, or has broken a rule."""
        before = len(self.violations)
        for late in self.persons.left_waiting(self._standing):
            self.accuse(late)
        return not self._watch_units() and len(self.violations) == before and next(iter(self._unrest()), None) is None

    def _standing(self) -> tuple[Hold, ...]:
        return at_once(self.journal.query(NAME, lambda reads: reads.open_holds(None)))

    def _watch_units(self) -> bool:
        """Notice how processes ended; whether that was a violation."""
        before = len(self.violations)
        for unit in self.machine.units:
            for end in unit.ends[self._ends_seen.get(unit.name, 0) :]:
                if end.removeprefix("ended: ").partition(":")[0] not in FORESEEN:
                    self.accuse(f"S10: {unit.name} {end}")
            self._ends_seen[unit.name] = len(unit.ends)
        return len(self.violations) > before

    def _unrest(self) -> Iterator[str]:
        try:
            yield from at_once(self.journal.query(NAME, lambda reads: list(self._unfinished(reads))))
        except HoldfastError as error:
            yield f"the journal cannot be read: {error}"
            return
        for plan_id in self._owed([name for name in self.desk.plans if name not in self.results]):
            yield f"L3: plan {plan_id} has no result"
        yield from self._forgeries()  # one that a dead process had in hand is answered when another takes it over
        for account, count in self.machine.without_next_step.items():
            if count:
                yield f"L2: the metric says that {count} holds of {account} have no next step"

    def _unfinished(self, reads: Reads) -> Iterator[str]:
        yield from _under_way(reads)
        told = {paged.alert_id for _, paged in self.machine.pages}
        for alert in reads.alerts_unacked():
            if alert.alert_id not in told:
                yield f"L2: {alert.alert_id} ({alert.title}: {alert.text}) never reached a person"
        holds = reads.open_holds(None)
        yield from self.persons.unexplained(holds)
        for hold in holds:
            if not self._waits_for_a_person(reads, hold):
                yield f"L2: {hold.hold_id} ({hold.reason.value}) waits for {hold.next_step.text!r}"
        held = {(hold.leg.symbol, hold.leg.position_side.value) for hold in holds}
        ledgers = {(row.leg.symbol, row.leg.position_side.value): row.amt for row in reads.legs()}
        for leg in sorted({*ledgers, *self.books.legs}):
            position, ledger = self.books.legs[leg].position, ledgers.get((Symbol(leg[0]), leg[1]), ZERO)
            if leg not in held and position != ledger:
                yield f"L5: {leg}: the position is {position}, the ledger {ledger}"
        state, now_ms = reads.account(), self.machine.clock.now_ms()
        is_fresh = state.stamp_ms is not None and 0 <= now_ms - state.stamp_ms <= STAMP_AGE_MS_MAX
        if not is_fresh and state.trading_state is not TradingState.HALTED:
            yield f"L7: the stamp is {state.stamp_ms}, the clock {now_ms}"

    def _waits_for_a_person(self, reads: Reads, hold: Hold) -> bool:
        if hold.owner is HoldOwner.OPERATOR and not hold.detail.startswith("set on the bus"):
            return True
        if hold.next_step.kind is not StepKind.OPERATOR:
            return False
        alert = reads.alert_of_hold(hold.hold_id)
        return alert is not None and any(paged.alert_id == alert.alert_id for _, paged in self.machine.pages)

    def _owed(self, names: Collection[str]) -> list[str]:
        """Those of the plans that the system took, or that still stand on the bus."""
        if not names:
            return []
        stream = self.machine.valkey.keys.values.get(KEYS.plans.encode())
        on_bus: set[str] = set()
        if isinstance(stream, Stream):
            for entry_id in stream.ids:
                flat = stream.fields[entry_id]
                on_bus.update(flat[i + 1].decode() for i in range(0, len(flat), 2) if flat[i] == b"plan_id")
        known = at_once(self.journal.query(NAME, lambda reads: {name for name in names if reads.plan(PlanId(name))}))
        return sorted(name for name in names if name in on_bus or name in known)

    # --- the end ----------------------------------------------------------------------------------------

    def judge(self) -> None:
        """Say what is wrong in the end."""
        self._watch_units()
        for left in self._unrest():
            self.accuse(left)
        self._read_on()
        self.books.look()
        self.books.take_moves()
        self.watch.judge_releases()
        for order in self.exchange.venue.exchange.truth.orders:
            if order.source is Source.API and ZERO < order.executed < order.qty:
                self.machine.hit("partial fill")
        for check in (self._ledgers, self._lost_holds, self._bookings, self._outcomes, self._secrets):
            for what in check():
                self.accuse(what)
        try:
            at_once(self.journal.verify(NAME))
        except HoldfastError as error:
            self.accuse(f"L6: {error}")

    def _ledgers(self) -> Iterator[str]:
        rows = at_once(self.journal.query(NAME, lambda reads: reads.legs()))
        ledgers = {(str(row.leg.symbol), row.leg.position_side.value): row.amt for row in rows}
        for leg in sorted({*ledgers, *self.books.legs}):
            rightful = self.books.legs[leg].rightful
            if ledgers.get(leg, ZERO) != rightful:
                yield f"L5: {leg}: rightly traded was {rightful}, the ledger is {ledgers.get(leg, ZERO)}"
        for halted in self.audit.halted_by:
            if halted.startswith("holdfast"):
                yield f"S10: the account was halted by the system itself: {halted}"

    def _lost_holds(self) -> Iterator[str]:
        standing = {hold.hold_id for hold in self._standing()}
        for hold in self.audit.holds.values():
            if hold.released_seq is None and hold.hold_id not in standing:
                yield f"L2: {hold.hold_id} was placed and never released, and is gone"

    def _bookings(self) -> Iterator[str]:
        ours = {
            key: trade
            for key, trade in self.books.trades.items()
            if trade.source is Source.API and trade.client_id.startswith(PREFIX)
        }
        for key, trade in ours.items():
            booked = self.audit.booked.get(key, [])
            if booked != [(trade.client_id, trade.qty)]:
                yield f"L4: trade {key} of {trade.client_id}, {trade.qty}, was booked as {booked}"
        for key in sorted(self.audit.booked.keys() - ours.keys()):
            yield f"L4: trade {key} was booked, and is none of ours"

    def _outcomes(self) -> Iterator[str]:
        orders = [name for name, fields in self.desk.plans.items() if fields.get("decision") != "CANCEL"]
        for plan_id in self._owed(orders):
            filled = self.books.executed.get(client_order_id(NAME, PlanId(plan_id)), ZERO)
            results = [each for each in self.results.get(plan_id, ()) if not each.result_id.startswith(OWN_ANSWERS)]
            if not results:
                continue
            last = results[-1]
            if filled > ZERO and any(not each.executed for each in results):
                yield f"L3: plan {plan_id}: {results}, the exchange executed {filled}"
            if last.executed != (filled > ZERO) or last.filled != filled:
                yield f"L3: plan {plan_id}: {last}, the exchange executed {filled}"
            if len({each.result_id for each in results}) == 1 and len(set(results)) > 1:
                yield f"L3: plan {plan_id} has different outcomes under one id: {results}"

    def _forgeries(self) -> Iterator[str]:
        stream = self.machine.valkey.keys.values.get(KEYS.plans.encode())
        if isinstance(stream, Stream):
            yield from self.watch.unanswered(shown(entry_id).decode() for entry_id in stream.ids)

    def _secrets(self) -> Iterator[str]:
        texts = [*self.lines, *(str(alert) for _, alert in self.machine.pages)]
        texts.extend(repr(value) for value in self.machine.valkey.keys.values.values())
        entries = at_once(self.journal.query(NAME, lambda reads: reads.entries_after(0, 100 * PAGE_MAX)))
        texts.extend(str(each.entry) for each in entries)
        for text in texts:
            for secret in CANARIES:
                if secret in text:
                    yield f"S9: {secret} shows in {text[:200]}"


def _under_way(reads: Reads) -> Iterator[str]:
    for order in reads.live_orders(None):
        yield f"L1: order {order.client_order_id} is {order.state.value}"
    for close in reads.planned_closes():
        yield f"L1: close {close.plan_id} is planned"
    for request in reads.requests_open():
        yield f"L1: request {request.request_id} ({request.kind.value}) is open"
