"""The exchange's books, walked trade by trade: what is held, what of it the system rightly traded, and the difference.

    position   the sum of all trades on the leg
    rightful   the sum of what EXECUTE orders really traded, and of what the journal moved by a person's or the venue's
               doing (adopted, forced), each such move checked
    drift      position minus rightful: what others did, less what closes undid

Safety, judged at each order and each trade, by the exchange's word alone where that is possible:

    S1  one accepted order a client order id
    S2  every order of ours was written down before it left, and is what was written down
    S3  no EXECUTE is accepted that was permitted while a hold stood; one that was in flight when a hold was placed
        arrives inside its own window
    S4  a RECONCILE_CLOSE shrinks the position and never flips it
    S5  a RECONCILE_CLOSE trades no more than the drift was at any moment since its position was read
    S6  a RECONCILE_CLOSE is permitted under its own standing hold only

In S5 the past counts from before the fresh read: an exchange's answer may be a moment old, and what a person trades
while the close is on its way nobody can know. Nothing here uses the product's own decisions.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from holdfast.sim.core.orders import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from holdfast.lab.torture.audit import Audit, Intent, LegKey
    from holdfast.sim.core.exchange import Exchange
    from holdfast.sim.core.orders import Order, Trade

ZERO: Final = Decimal(0)
PREFIX: Final = "hf-"
READ_LAG_MS: Final = 1_000
"""How old what the exchange says over REST may be."""
READ_AGE_MS: Final = 500
"""How old such an answer may be when it is acted upon."""
SLACK_MS: Final = 100
FLIGHT_MS_MAX: Final = 5_000
"""No request is under way for longer: the exchange refuses it by its timestamp."""


@dataclass(slots=True)
class Leg:
    """One position."""

    position: Decimal = ZERO
    rightful: Decimal = ZERO
    past: list[tuple[float, Decimal]] = field(default_factory=lambda: [(0.0, ZERO)])
    """Since when the drift was what it was, world's ms."""

    @property
    def drift(self) -> Decimal:
        """What others did, less what closes undid."""
        return self.position - self.rightful

    def note(self, now_ms: float) -> None:
        """Remember the drift of this moment."""
        if self.past[-1][1] != self.drift:
            self.past.append((now_ms, self.drift))

    def largest(self, sign: int, since_ms: float) -> Decimal:
        """The largest drift of a sign at any moment since then."""
        found = ZERO
        for at_ms, drift in reversed(self.past):
            found = max(found, drift * sign)
            if at_ms <= since_ms:
                break
        return found


@dataclass(slots=True)
class Books:
    """See the module. `read_on` brings the audit up to this moment."""

    exchange: Exchange
    audit: Audit
    read_on: Callable[[], None]
    now_ms: Callable[[], float]
    accuse: Callable[[str], None]
    legs: dict[LegKey, Leg] = field(default_factory=lambda: defaultdict(Leg))
    accepted: Counter[str] = field(default_factory=Counter)
    trades: dict[tuple[str, int], Trade] = field(default_factory=dict)
    executed: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    """By client order id."""
    _bounds: dict[str, Decimal] = field(default_factory=dict)
    """How much a close may trade at most, by client order id."""
    _orders_seen: int = 0
    _fills_seen: int = 0
    _moves_seen: tuple[int, int] = (0, 0)

    def look(self) -> bool:
        """Judge what is new; whether anything is."""
        truth = self.exchange.truth
        if truth.orders_total == self._orders_seen and truth.fills_total == self._fills_seen:
            return False
        self.read_on()
        self.take_moves()
        for index in range(self._orders_seen, truth.orders_total):
            order = truth.orders[index]
            if order.source is Source.API and order.client_id.startswith(PREFIX):
                self._accepted(order)
        self._orders_seen = truth.orders_total
        for index in range(self._fills_seen, truth.fills_total):
            self._filled(truth.fills[index][1])
        self._fills_seen = truth.fills_total
        return True

    def take_moves(self) -> None:
        """Take over what the journal moved by others' doing."""
        adopted, forced = self._moves_seen
        now = self.now_ms()
        for leg, amount, who in self.audit.adopted[adopted:]:
            self.legs[leg].rightful += amount
            self.legs[leg].note(now)
            del who
        for leg, ids in self.audit.forced[forced:]:
            for trade_id in ids:
                trade = self.trades.get((leg[0], trade_id))
                if trade is None or trade.source is not Source.VENUE:
                    self.accuse(f"the ledger of {leg} was moved by trade {trade_id}, which the venue did not force")
                else:
                    self.legs[leg].rightful += trade.qty * trade.side.sign
            self.legs[leg].note(now)
        self._moves_seen = (len(self.audit.adopted), len(self.audit.forced))

    # --- orders -----------------------------------------------------------------------------------------

    def _accepted(self, order: Order) -> None:
        name = order.client_id
        self.accepted[name] += 1
        if self.accepted[name] > 1:
            self.accuse(f"S1: {name} was accepted {self.accepted[name]} times")
        intents = self.audit.intents.get(name)
        if not intents:
            self.accuse(f"S2: {name} was accepted, and nobody had written it down")
            return
        intent = intents[-1]
        for wrong in _differences(order, intent):
            self.accuse(f"S2: {name} was written down with another {wrong}")
        if intent.decision == "EXECUTE":
            self._check_holds(order, intent)
        elif intent.decision == "RECONCILE_CLOSE":
            self._check_close(order, intent)

    def _check_holds(self, order: Order, intent: Intent) -> None:
        for hold in self.audit.holds.values():
            if hold.symbol != order.symbol:
                continue
            if hold.stands_at(intent.seq):
                self.accuse(f"S3: {order.client_id} was permitted while {hold.hold_id} stood")
            elif hold.released_seq is None and order.created_ms > intent.timestamp_ms + intent.recv_window_ms:
                self.accuse(f"S3: {order.client_id} came after its window, while {hold.hold_id} stood")

    def _check_close(self, order: Order, intent: Intent) -> None:
        hold = self.audit.holds.get(intent.hold_id or "")
        if hold is None or not hold.stands_at(intent.seq) or hold.symbol != order.symbol:
            self.accuse(f"S6: {order.client_id} was permitted without a standing hold of its own")
        flight_ms = min(max(order.created_ms - intent.timestamp_ms, 0), FLIGHT_MS_MAX)
        since = self.now_ms() - flight_ms - READ_AGE_MS - READ_LAG_MS - SLACK_MS
        leg = self.legs[order.symbol, order.position_side.value]
        self._bounds[order.client_id] = leg.largest(-order.side.sign, since)

    # --- trades -----------------------------------------------------------------------------------------

    def _filled(self, trade: Trade) -> None:
        self.trades[trade.symbol, trade.trade_id] = trade
        key = (trade.symbol, trade.position_side.value)
        leg, signed = self.legs[key], trade.qty * trade.side.sign
        before = leg.position
        leg.position = after = before + signed
        intents = self.audit.intents.get(trade.client_id) if trade.source is Source.API else None
        if intents:
            intent = intents[-1]
            done = self.executed[trade.client_id]
            self.executed[trade.client_id] = total = done + trade.qty
            leg.rightful += _rightful(intent, done, total) * trade.side.sign
            if intent.decision == "RECONCILE_CLOSE":
                self._check_fill(trade, before, after, total)
        leg.note(self.now_ms())

    def _check_fill(self, trade: Trade, before: Decimal, after: Decimal, total: Decimal) -> None:
        if abs(after) >= abs(before) or before * after < ZERO:
            self.accuse(f"S4: close {trade.client_id} took {trade.symbol} from {before} to {after}")
        bound = self._bounds.get(trade.client_id, ZERO)
        if total > bound:
            self.accuse(f"S5: close {trade.client_id} traded {total} of {trade.symbol}, the drift was {bound} at most")


def _rightful(intent: Intent, done: Decimal, total: Decimal) -> Decimal:
    """How much of a trade is the system's own: what goes beyond the order's part against the drift."""
    if intent.decision == "EXECUTE":
        return total - done
    if intent.decision == "RECONCILE_CLOSE":
        return ZERO
    return max(total - intent.against_drift, ZERO) - max(done - intent.against_drift, ZERO)


def _differences(order: Order, intent: Intent) -> Iterator[str]:
    if order.symbol != intent.leg[0] or order.position_side.value != intent.leg[1]:
        yield "leg"
    if order.side.value != intent.side:
        yield "side"
    if order.qty_asked != intent.qty:
        yield "quantity"
    if order.position_side.value == "BOTH" and order.reduce_only != intent.reduce_only:
        yield "reduce-only"
