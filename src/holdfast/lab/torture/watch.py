"""More rules of the oracle, judged as the journal's public audit is written: what each intent needed, what was told.

    S11  nothing but a person's own close is permitted while trading is halted
    S12  an EXECUTE needs the reconciler's stamp, no older than STAMP_AGE_MS_MAX and not from the future
    S13  an EXECUTE needs every other order of ours on its symbol to have a known fate
    S14  an EXECUTE needs a plan no older than PLAN_AGE_MS_MAX
    S15  an EXECUTE needs agreement with the ledger at this very version
    S16  a RECONCILE_CLOSE needs to have been planned, to be alive, and fewer than ATTEMPTS_MAX closes without progress
    S17  what the exchange is said to have shown, it did hold at about that time
    S18  a process whose lease another has taken sends no order
    S19  a forged message is answered, with the name of its flaw
    S20  a hold for a drift or a deficit ends by itself only if there was a moment without one since it was placed, no
         longer ago than a read may be old; and not while the audit itself knows of an order of ours on its leg that is
         in flight, UNKNOWN, or executed beyond what is booked: that could hide a drift of its size

Numbers are those that the product promises its users (its limits' documented defaults), not read from its code.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from holdfast.domain.entry import EntryKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from holdfast.domain.entry import JournaledEntry
    from holdfast.lab.torture.audit import LegKey
    from holdfast.lab.torture.books import Books

STAMP_AGE_MS_MAX: Final = 1_000
PLAN_AGE_MS_MAX: Final = 10_000
ATTEMPTS_MAX: Final = 3
VIEW_SLACK_MS: Final = 600
"""How far the product's measure of the exchange's clock may be off, with a slow answer."""
READ_LAG_MS: Final = 1_000
"""What is read over REST counts as so much older than its question: it may be."""
RELEASE_MS_MAX: Final = 1_600
"""How old what a release was decided on may be: a read's lag, and the time until it is acted upon."""
SET_BACK_MS_MAX: Final = 3_000
"""How far the exchange's clock is set back: until it is measured again, what is read is dated too late by so much."""
LEASE_SLACK_MS: Final = 1_000
"""A request that left before the lease was handed over may still be under way."""
OPEN_STATES: Final = frozenset({"claimed", "sending", "unknown"})
AGREEMENT_ENDS: Final = frozenset({"drift", "deficit"})


@dataclass(slots=True)
class Watch:
    """See the module."""

    books: Books
    accuse: Callable[[str], None]
    plans: Mapping[str, Mapping[str, str]]
    """What strategies sent, by plan id."""
    clocks_are_true: bool = True
    """False once the exchange's clock was set: then S17 says nothing, and S20 only of drifts that stood for longer."""
    forged: dict[str, str] = field(default_factory=dict)
    """Entry ids of forged messages, and the error that each must get."""
    _answers: set[str] = field(default_factory=set)
    """Forged messages that were answered."""
    _is_halted: bool = False
    _orders: dict[str, tuple[LegKey, str]] = field(default_factory=dict)
    """Leg and state by plan id."""
    _unbooked: dict[str, Decimal] = field(default_factory=dict)
    """By plan id, what the audit says was executed and is not booked."""
    _agreed: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    """Ledger versions that the reconciler agreed with, of any leg of a symbol: the audit does not always say which."""
    _planned: dict[str, int] = field(default_factory=dict)
    """When a planned close ends, by plan id."""
    _ended: list[str] = field(default_factory=list)
    _placed: dict[str, tuple[LegKey, float]] = field(default_factory=dict)
    """Leg and world's ms of each hold."""
    _failures: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Closes without progress in a row, by hold."""
    _positions: dict[LegKey, list[tuple[int, Decimal]]] = field(default_factory=dict)
    """Since when, in the exchange's ms, a position was what it was."""
    _lease: tuple[str, float] = ("", 0.0)
    """Who holds apply's lease, and since when in the world's ms."""

    @property
    def lease_ms(self) -> float:
        """Since when apply's newest holder has its lease, in the world's ms."""
        return self._lease[1]

    # --- the audit --------------------------------------------------------------------------------------

    def read(self, entries: Iterable[JournaledEntry]) -> None:
        """Read on."""
        for journaled in entries:
            body: dict[str, Any] = dict(journaled.entry.body)
            self._order(journaled, body)
            self._hold(journaled, body)
            if journaled.entry.kind in {EntryKind.HALTED, EntryKind.RESUMED}:
                self._is_halted = journaled.entry.kind is EntryKind.HALTED
            elif journaled.entry.kind is EntryKind.LEASE and body["service"] == "apply":
                self._lease = (str(body["owner"]), self.books.now_ms())
            self._agreement(journaled, body)
            self._view(journaled, body)

    def _order(self, journaled: JournaledEntry, body: dict[str, Any]) -> None:
        plan_id = str(journaled.entry.plan_id)
        match journaled.entry.kind:
            case EntryKind.INTENT:
                self._intent(journaled, body)
            case EntryKind.ORDER_OUTCOME:
                self._orders[plan_id] = (self._leg(journaled, body), str(body["state"]))
                self._unbooked[plan_id] = Decimal(body["executed_qty"]) - Decimal(body["booked_qty"])
            case EntryKind.FILL | EntryKind.REPAIR if "trades" in body:
                booked = sum(Decimal(trade["qty"]) for trade in body["trades"])
                self._unbooked[plan_id] = self._unbooked.get(plan_id, Decimal(0)) - booked
            case EntryKind.PLAN_REFUSED | EntryKind.CLOSE_REFUSED:
                self._orders.pop(plan_id, None)
            case EntryKind.CLOSE_PLANNED:
                self._planned[plan_id] = int(body["expires_ms"])

    def _hold(self, journaled: JournaledEntry, body: dict[str, Any]) -> None:
        hold_id = str(journaled.entry.hold_id)
        match journaled.entry.kind:
            case EntryKind.CLOSE_FAILED:
                self._failures[hold_id] += 1
            case EntryKind.CLOSE_DONE | EntryKind.APPROVED:
                self._failures.pop(hold_id, None)
            case EntryKind.HOLD_SET:
                self._placed[hold_id] = (self._leg(journaled, body), self.books.now_ms())
            case EntryKind.HOLD_RELEASED if body.get("reason") in AGREEMENT_ENDS and "who" not in body:
                self._ended.append(hold_id)
                leg = self._leg(journaled, body)
                for plan_id, (where, state) in self._orders.items():
                    if where == leg and (state in OPEN_STATES or self._unbooked.get(plan_id, 0) > 0):
                        self.accuse(
                            f"S20: {hold_id} was released while the order of {plan_id} was {state}, not all booked"
                        )

    @staticmethod
    def _leg(journaled: JournaledEntry, body: dict[str, Any]) -> LegKey:
        return str(journaled.entry.symbol), str(body.get("position_side", ""))

    def judge_releases(self) -> None:
        """Judge the holds that ended, once the books have followed the audit."""
        ended, self._ended = self._ended, []
        if ended:
            self.books.take_moves()
        for hold_id in ended:
            self._released(hold_id)

    def _released(self, hold_id: str) -> None:
        leg, placed_ms = self._placed.get(hold_id, (("", ""), 0.0))
        since_ms = max(placed_ms, self.books.now_ms() - RELEASE_MS_MAX)
        if not self.clocks_are_true:
            since_ms = self.books.now_ms() - RELEASE_MS_MAX - SET_BACK_MS_MAX
        if self._is_settling(leg):
            return
        if leg in self.books.legs and not self.books.legs[leg].was_free_since(since_ms):
            self.accuse(f"S20: {hold_id} was released, the drift has been {self.books.legs[leg].drift} all the time")

    def _is_settling(self, leg: LegKey) -> bool:
        """Tell whether an order of ours is not booked yet: a drift of its size, against it, cannot be seen then."""
        is_open = any(where[0] == leg[0] and state in OPEN_STATES for where, state in self._orders.values())
        return is_open or self.books.has_unbooked(leg)

    def _agreement(self, journaled: JournaledEntry, body: dict[str, Any]) -> None:
        if journaled.entry.kind in {EntryKind.AGREED, EntryKind.HOLD_RELEASED} and "ledger_version" in body:
            self._agreed[str(journaled.entry.symbol)].add(int(body["ledger_version"]))

    def _intent(self, journaled: JournaledEntry, body: dict[str, Any]) -> None:
        name, decision, symbol = body["client_order_id"], body["decision"], str(journaled.entry.symbol)
        if self._is_halted and decision != "OPERATOR_CLOSE":
            self.accuse(f"S11: {name} ({decision}) was permitted while trading was halted")
        if decision == "EXECUTE":
            self._execute(journaled, body, name, symbol)
        elif decision == "RECONCILE_CLOSE":
            self._close(journaled, name)
        self._orders[str(journaled.entry.plan_id)] = (self._leg(journaled, body), "sending")

    def _execute(self, journaled: JournaledEntry, body: dict[str, Any], name: str, symbol: str) -> None:
        stamp, plan_id = body["stamp_ms"], str(journaled.entry.plan_id)
        if stamp is None or not 0 <= journaled.at_ms - int(stamp) <= STAMP_AGE_MS_MAX:
            self.accuse(f"S12: {name} was permitted at {journaled.at_ms}, the stamp was {stamp}")
        for other, (where, state) in self._orders.items():
            if where[0] == symbol and other != plan_id and state in OPEN_STATES:
                self.accuse(f"S13: {name} was permitted while the order of {other} was {state}")
        plan = self.plans.get(plan_id)
        if plan is not None and journaled.at_ms - int(plan["timestamp"]) > PLAN_AGE_MS_MAX:
            self.accuse(f"S14: {name} was permitted {journaled.at_ms - int(plan['timestamp'])} ms after its plan")
        if int(body["ledger_version"]) not in self._agreed[symbol]:
            self.accuse(
                f"S15: {name} was permitted at ledger version {body['ledger_version']}, which nobody agreed with"
            )

    def _close(self, journaled: JournaledEntry, name: str) -> None:
        expires_ms = self._planned.get(str(journaled.entry.plan_id))
        if expires_ms is None:
            self.accuse(f"S16: close {name} was permitted, and nobody had planned it")
        elif journaled.at_ms > expires_ms:
            self.accuse(f"S16: close {name} was permitted {journaled.at_ms - expires_ms} ms after its life")
        failures = self._failures[str(journaled.entry.hold_id)]
        if failures >= ATTEMPTS_MAX:
            self.accuse(f"S16: close {name} was permitted after {failures} closes without progress")

    # --- what the exchange showed -----------------------------------------------------------------------

    def note_positions(self, venue_ms: int) -> None:
        """Remember what is held now."""
        for leg, books in self.books.legs.items():
            past = self._positions.setdefault(leg, [(0, Decimal(0))])
            if past[-1][1] != books.position:
                past.append((venue_ms, books.position))

    def _view(self, journaled: JournaledEntry, body: dict[str, Any]) -> None:
        view, amount = body.get("view"), body.get("exchange_amt")
        if not self.clocks_are_true or not isinstance(view, dict) or amount is None:
            return
        leg = (str(journaled.entry.symbol), str(body["position_side"]))
        as_of_ms = int(view["as_of_ms"])
        if not self._was_held(leg, Decimal(str(amount)), as_of_ms):
            what = f"{journaled.entry.kind.value} {journaled.seq} says that {leg} was {amount} at {as_of_ms}"
            self.accuse(f"S17: {what}, it was not: {self._positions.get(leg, [])[-4:]}")

    def _was_held(self, leg: LegKey, amount: Decimal, as_of_ms: int) -> bool:
        past = self._positions.get(leg, [(0, Decimal(0))])
        until = as_of_ms + READ_LAG_MS + VIEW_SLACK_MS
        for since, held in reversed(past):
            if since <= until:
                if held == amount:
                    return True
                if since < as_of_ms - VIEW_SLACK_MS:
                    return False
        return False

    def clock_was_set(self) -> None:
        """The exchange's clock is set: its times say nothing any more."""
        self.clocks_are_true = False

    # --- orders and messages ----------------------------------------------------------------------------

    def sent_by(self, owner: str, name: str) -> None:
        """An order of ours arrives from a process."""
        holder, since_ms = self._lease
        if owner != holder and self.books.now_ms() - since_ms > LEASE_SLACK_MS:
            self.accuse(f"S18: {name} comes from {owner}, the lease is {holder}'s")

    def answered(self, entry_id: str, result_id: str, error: str) -> None:
        """A result names the entry that it answers."""
        expected = self.forged.get(entry_id)
        if expected is None:
            return
        self._answers.add(entry_id)
        if result_id.startswith("forged-") and error != expected:
            self.accuse(f"S19: the forged message {entry_id} was answered with {error!r}, not {expected!r}")

    def unanswered(self, on_bus: Iterable[str]) -> Iterator[str]:
        """Forged messages that still stand on the bus in the end, and that nobody answered."""
        for entry_id in sorted((self.forged.keys() & set(on_bus)) - self._answers):
            yield f"S19: the forged message {entry_id} was never answered"
