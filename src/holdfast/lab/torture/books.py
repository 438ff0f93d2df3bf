"""The exchange's books, walked trade by trade: what is held, what of it the system rightly traded, and the difference.

    position   the sum of all trades on the leg
    rightful   the sum of what EXECUTE orders really traded, and of what the journal moved by others' doing: a person's
               word, or trades by their ids, each of which is looked up and counted once
    drift      position minus rightful: what others did, less what closes undid

Safety, judged at each order and each trade, by the exchange's word alone where that is possible:

    S1  one accepted order a client order id
    S2  every order of ours was written down before it left, and is what was written down
    S3  no EXECUTE is accepted that was permitted while a hold stood; one that was in flight when a hold was placed
        arrives inside its own window
    S4  a RECONCILE_CLOSE shrinks the position and never flips it
    S5  a RECONCILE_CLOSE is sent for, and trades, no more than drift and position were at any moment since its position
        was read
    S6  a RECONCILE_CLOSE is permitted under its own standing hold only
    S7  a trade that moves the ledger by others' doing is what the journal says it is, and moves it once

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
    past: list[tuple[float, Decimal, Decimal]] = field(default_factory=lambda: [(0.0, ZERO, ZERO)])
    """Since when, in the world's ms, drift and position were what they were."""

    @property
    def drift(self) -> Decimal:
        """What others did, less what closes undid."""
        return self.position - self.rightful

    def note(self, now_ms: float) -> None:
        """Remember drift and position of this moment."""
        if self.past[-1][1:] != (self.drift, self.position):
            self.past.append((now_ms, self.drift, self.position))

    def was_free_since(self, since_ms: float) -> bool:
        """Tell whether there was a moment without drift since then: by what is rightful now, or was at that moment.

        A ledger that takes over what others traded agrees with what was held when that was read.
        """
        for at_ms, drift, position in reversed(self.past):
            if ZERO in {drift, position - self.rightful}:
                return True
            if at_ms <= since_ms:
                return False
        return True

    def came_to(self, position: Decimal, since_ms: float) -> bool:
        """Tell whether a position of just this came about since then."""
        for at_ms, _drift, held in reversed(self.past):
            if at_ms < since_ms:
                break
            if held == position:
                return True
        return False

    def closable(self, sign: int, since_ms: float) -> Decimal:
        """The most that could have been closed of a sign at any moment since then: no more than drift, nor position."""
        found = ZERO
        for at_ms, drift, position in reversed(self.past):
            found = max(found, min(drift * sign, position * sign))
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
    _traded_ms: dict[tuple[str, int], float] = field(default_factory=dict)
    """When each trade was made, in the world's ms."""
    _bounds: dict[str, Decimal] = field(default_factory=dict)
    """How much a close may trade at most, by client order id."""
    _booked_parts: dict[tuple[str, int], Decimal] = field(default_factory=dict)
    """How much of a trade of ours moves the ledger by itself, by symbol and trade id."""
    _taken_over: set[tuple[str, int]] = field(default_factory=set)
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

    def has_coincidence(self, leg: LegKey) -> bool:
        """Whether somebody else traded on a leg in the very millisecond of a trade of ours."""
        trades = [each for each in self.trades.values() if (each.symbol, each.position_side.value) == leg]
        ours = {each.time_ms for each in trades if each.source is Source.API}
        return any(each.time_ms in ours for each in trades if each.source is not Source.API)

    def take_moves(self) -> None:
        """Take over what the journal moved by others' doing."""
        adopted, moved = self._moves_seen
        now = self.now_ms()
        for leg, amount, who in self.audit.adopted[adopted:]:
            self.legs[leg].rightful += amount
            self.legs[leg].note(now)
            del who
        for move in self.audit.moved[moved:]:
            for source, ids in ((Source.VENUE, move.forced), (Source.MANUAL, move.foreign), (Source.API, move.undone)):
                for trade_id in ids:
                    self._take_over(move.leg, trade_id, source)
            self.legs[move.leg].note(now)
        self._moves_seen = (len(self.audit.adopted), len(self.audit.moved))

    def _take_over(self, leg: LegKey, trade_id: int, source: Source) -> None:
        key = (leg[0], trade_id)
        trade = self.trades.get(key)
        if trade is None or trade.source is not source or trade.position_side.value != leg[1]:
            self.accuse(f"S7: the ledger of {leg} was moved by trade {trade_id}, which is not what the journal says")
            return
        if key in self._taken_over:
            self.accuse(f"S7: the ledger of {leg} was moved by trade {trade_id} twice")
        self._taken_over.add(key)
        qty = trade.qty - self._booked_parts.get(key, ZERO)
        self.legs[leg].rightful += qty * trade.side.sign

    def has_unbooked(self, leg: LegKey) -> bool:
        """Tell whether a trade of ours on the leg is not in the journal yet."""
        return any(
            trade.symbol == leg[0] and trade.position_side.value == leg[1] and key not in self.audit.booked
            for key, trade in self.trades.items()
            if trade.source is Source.API and trade.client_id.startswith(PREFIX)
        )

    def booked_until_ms(self, leg: LegKey) -> float:
        """When the newest trade of ours on the leg that is in the journal was made; 0 if there is none."""
        return max(
            (
                self._traded_ms[key]
                for key, trade in self.trades.items()
                if trade.symbol == leg[0] and trade.position_side.value == leg[1] and key in self.audit.booked
            ),
            default=0.0,
        )

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
        self._bounds[order.client_id] = self._closable(intent, order.side.sign)

    def arrives(self, name: str) -> None:
        """An order arrives, and the exchange has not looked at it: a close too large must not even be sent."""
        self.read_on()
        intents = self.audit.intents.get(name)
        if not intents or intents[-1].decision != "RECONCILE_CLOSE":
            return
        intent = intents[-1]
        bound = self._closable(intent, 1 if intent.side == "BUY" else -1)
        if intent.qty > bound:
            self.accuse(f"S5: close {name} was sent for {intent.qty}, no more than {bound} was there to be closed")

    def _closable(self, intent: Intent, sign: int) -> Decimal:
        flight_ms = min(max(self.exchange.clock.now_ms() - intent.timestamp_ms, 0), FLIGHT_MS_MAX)
        since = self.now_ms() - flight_ms - READ_AGE_MS - READ_LAG_MS - SLACK_MS
        return self.legs[intent.leg].closable(-sign, since)

    # --- trades -----------------------------------------------------------------------------------------

    def _filled(self, trade: Trade) -> None:
        self.trades[trade.symbol, trade.trade_id] = trade
        self._traded_ms[trade.symbol, trade.trade_id] = self.now_ms()
        key = (trade.symbol, trade.position_side.value)
        leg, signed = self.legs[key], trade.qty * trade.side.sign
        before = leg.position
        leg.position = after = before + signed
        intents = self.audit.intents.get(trade.client_id) if trade.source is Source.API else None
        if intents:
            intent = intents[-1]
            done = self.executed[trade.client_id]
            self.executed[trade.client_id] = total = done + trade.qty
            part = self._booked_parts[trade.symbol, trade.trade_id] = _rightful(intent, done, total)
            leg.rightful += part * trade.side.sign
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
