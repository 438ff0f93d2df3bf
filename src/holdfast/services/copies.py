"""The published copies of state (DESIGN §4), built from the journal; only what changed is written again.

    reconcile:hold:<SYMBOL>      the hold's id while held; compared before it is deleted
    reconcile:state:<SYMBOL>     status, reason, amounts, drift, next step, since, as_of
    reconcile:verdict:<SYMBOL>   AGREED and the version it is true of; expires, so a dead reconciler shows
    position:snapshot:<SYMBOL>   what the venue shows
    position:ledger:<SYMBOL>     what the ledger holds
    permit:state:<SYMBOL>        ALLOW or DENY with the reason; expires
    permit:p33:<plan_id>         one plan's permit or refusal; expires

In hedge mode each leg has its own `<SYMBOL>:LONG` and `<SYMBOL>:SHORT` besides; the symbol's hold is any leg's.
Nobody is obeyed through these: they are for others to read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.domain.amounts import ZERO, format_amount, sign_of
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Leg, PositionMode, PositionSide, TradingState
from holdfast.ports.bus import StateCopy
from holdfast.services.halting import mark_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from holdfast.domain.hold import Hold
    from holdfast.domain.ledger import LedgerState
    from holdfast.domain.names import Symbol, VenueOrderId
    from holdfast.domain.permit import Permit, Refusal
    from holdfast.domain.plan import Plan
    from holdfast.ports.journal import AccountState, Reads
    from holdfast.services.context import Context
    from holdfast.services.picture import Picture

PERMIT_TTL_MS = 60_000
FULL_MS = 500
"""How often all symbols are built, changed or not."""
FRESH_FACTOR = 3
"""Copies that say "fresh" live this many times the age at which a stamp denies."""
HELD_AGAIN_MS = 500
"""A standing hold's copy is put back this often, should somebody have deleted it (over a foreign value it is not)."""


@dataclass(frozen=True, slots=True)
class _Symbol:
    """What the journal says of one symbol."""

    symbol: Symbol
    holds: tuple[Hold, ...]
    legs: tuple[LedgerState, ...]
    last_orders: dict[Leg, VenueOrderId]
    """The venue's number of the order whose fill was booked last, by leg."""


class Copies:
    """Builds the copies of one account and remembers what was written."""

    def __init__(self, context: Context, picture: Picture | None) -> None:
        self._context = context
        self._picture = picture
        self._written: dict[str, tuple[StateCopy, int]] = {}
        self._held: dict[str, str] = {}
        self._full_ns = 0
        self._last_orders: dict[Leg, tuple[tuple[int, int], VenueOrderId | None]] = {}

    def forget(self) -> None:
        """Take everything as unwritten: the bus was emptied, or its state is not known."""
        self._written.clear()

    async def changed(self, symbols: Iterable[Symbol]) -> tuple[StateCopy, ...]:
        """The copies of these symbols that differ from what was written.

        After `forget`, and every `FULL_MS`, every symbol of the account is built: what is about to expire is renewed.
        """
        now_ns = self._context.clock.monotonic_ns()
        wanted: frozenset[Symbol] | None = frozenset(symbols)
        if not self._written or now_ns - self._full_ns > FULL_MS * 1_000_000:
            wanted, self._full_ns = None, now_ns
        account = self._context.account
        state, found, now_ms = await self._context.journal.query(account, lambda reads: self._read(reads, wanted))
        copies = [copy for each in found for copy in self._build(each, state, now_ms)]
        copies.append(mark_of(state))
        return tuple(copy for copy in copies if self._is_news(copy, now_ms))

    def _read(self, reads: Reads, wanted: frozenset[Symbol] | None) -> tuple[AccountState, list[_Symbol], int]:
        legs: dict[Symbol, list[LedgerState]] = {}
        for state in reads.legs() if wanted is None else self._legs_of(reads, wanted):
            legs.setdefault(state.leg.symbol, []).append(state)
        holds: dict[Symbol, list[Hold]] = {}
        for hold in reads.open_holds(None):
            if wanted is None or hold.leg.symbol in wanted:
                holds.setdefault(hold.leg.symbol, []).append(hold)
                legs.setdefault(hold.leg.symbol, [])
        found = [
            _Symbol(
                symbol,
                tuple(holds.get(symbol, ())),
                tuple(legs[symbol]),
                {leg.leg: last for leg in legs[symbol] if (last := self._last_order(reads, leg)) is not None},
            )
            for symbol in sorted(legs)
        ]
        return reads.account(), found, reads.now_ms()

    def _legs_of(self, reads: Reads, symbols: frozenset[Symbol]) -> Iterable[LedgerState]:
        """The legs of a few symbols, read one by one: a hold must not wait for hundreds of others."""
        is_hedge = reads.account().position_mode is PositionMode.HEDGE
        sides = (PositionSide.LONG, PositionSide.SHORT) if is_hedge else (PositionSide.BOTH,)
        return [reads.leg(Leg(self._context.account, symbol, side)) for symbol in sorted(symbols) for side in sides]

    def _last_order(self, reads: Reads, leg: LedgerState) -> VenueOrderId | None:
        """Asked of the journal only after a fill: the copies of every symbol are built several times a second."""
        known = self._last_orders.get(leg.leg)
        if known is None or known[0] != (leg.version, leg.last_fill_ms):
            known = ((leg.version, leg.last_fill_ms), reads.last_order_id(leg.leg))
            self._last_orders[leg.leg] = known
        return known[1]

    def _is_news(self, copy: StateCopy, now_ms: int) -> bool:
        known = self._written.get(copy.key)
        if known is not None and (known[0].text, known[0].fields) == (copy.text, copy.fields):
            half_life = copy.ttl_ms // 2 if copy.ttl_ms is not None else None
            if copy.expected is not None and copy.text is not None:
                half_life = HELD_AGAIN_MS
            if half_life is None or now_ms - known[1] < half_life:
                return False
        if known is None and copy.text is None and copy.fields is None and copy.expected is None:
            return False
        self._written[copy.key] = (copy, now_ms)
        return True

    def _build(self, found: _Symbol, state: AccountState, now_ms: int) -> Iterable[StateCopy]:
        fresh_ms = self._context.limits.stamp_age_ms_max * FRESH_FACTOR
        yield self._hold(found.symbol, found.holds)
        yield self._permit_state(found, state, now_ms, fresh_ms)
        stamped = state.stamp_ms is not None and 0 <= now_ms - state.stamp_ms <= fresh_ms
        for leg in found.legs:
            holds = tuple(hold for hold in found.holds if hold.leg == leg.leg)
            key = leg.leg.key
            if leg.leg.position_side is not PositionSide.BOTH:
                yield self._hold(key, holds)
            yield self._state(key, leg, holds)
            yield StateCopy(f"position:ledger:{key}", fields=_ledger(leg, found.last_orders.get(leg.leg)))
            yield from self._snapshot(key, leg)
            agreed = json.dumps({"status": "AGREED", "ledger_version": leg.version})
            text = agreed if leg.is_agreed and stamped and not holds else None
            yield StateCopy(f"reconcile:verdict:{key}", text=text, ttl_ms=fresh_ms if text else None)

    def _hold(self, key: str, holds: tuple[Hold, ...]) -> StateCopy:
        name = f"reconcile:hold:{key}"
        ours = self._held.get(key)
        if holds:
            hold_id = holds[0].hold_id
            self._held[key] = hold_id
            return StateCopy(name, text=hold_id, expected=ours or hold_id)
        return StateCopy(name, expected=ours)

    def _state(self, key: str, leg: LedgerState, holds: tuple[Hold, ...]) -> StateCopy:
        hold = holds[0] if holds else None
        amount = leg.seen_amt
        fields = {
            "status": "HOLD" if hold is not None else leg.status,
            "reason": hold.reason.value if hold is not None else "",
            "exchange_amt": format_amount(amount) if amount is not None else "",
            "ledger_amt": format_amount(leg.amt),
            "drift": format_amount(amount - leg.amt) if amount is not None else "",
            "next_step": hold.next_step.text if hold is not None else "",
            "since": str(hold.opened_ms) if hold is not None else "",
            "as_of": str(leg.seen_as_of_ms) if leg.seen_as_of_ms is not None else "",
        }
        return StateCopy(f"reconcile:state:{key}", fields=fields)

    def _snapshot(self, key: str, leg: LedgerState) -> Iterable[StateCopy]:
        view = self._picture.of(leg.leg) if self._picture is not None else None
        if view is None:
            return
        mark = self._context.rules.marks.get(leg.leg.symbol)
        price = view.mark_price if view.mark_price is not None or mark is None else mark[0]
        fields = {
            "position_amt": format_amount(view.amt),
            "side": _side(view.amt),
            "entry_price": format_amount(view.entry_price) if view.entry_price is not None else "",
            "mark_price": format_amount(price) if price is not None else "",
            "as_of": str(view.as_of_ms),
        }
        if self._is_same_but_for_time(key, fields):
            return
        yield StateCopy(f"position:snapshot:{key}", fields=fields)

    def _is_same_but_for_time(self, key: str, fields: dict[str, str]) -> bool:
        """Prices and times move all day: a snapshot is written again only for its position or an entry price."""
        known = self._written.get(f"position:snapshot:{key}")
        if known is None or known[0].fields is None:
            return False
        before = known[0].fields
        return all(before.get(name) == fields[name] for name in ("position_amt", "entry_price"))

    def _permit_state(self, found: _Symbol, state: AccountState, now_ms: int, ttl_ms: int) -> StateCopy:
        reason = self._denies(found, state, now_ms)
        fields = {
            "state": "ALLOW" if reason is None else "DENY",
            "reason": reason.value if reason is not None else "",
        }
        return StateCopy(f"permit:state:{found.symbol}", fields=fields, ttl_ms=ttl_ms)

    def _denies(self, found: _Symbol, state: AccountState, now_ms: int) -> Reason | None:
        limits = self._context.limits
        if state.trading_state is TradingState.HALTED:
            return Reason.HALTED
        if found.symbol not in limits.symbols:
            return Reason.NOT_ALLOWED
        if state.baseline_ms is None:
            return Reason.NO_BASELINE
        if found.holds:
            return Reason.HOLD_ACTIVE
        if state.stamp_ms is None or not 0 <= now_ms - state.stamp_ms <= limits.stamp_age_ms_max:
            return Reason.STAMP_STALE
        return None


def _ledger(leg: LedgerState, last_order_id: VenueOrderId | None) -> dict[str, str]:
    return {
        "ledger_amt": format_amount(leg.amt),
        "side": _side(leg.amt),
        "version": str(leg.version),
        "last_order_id": str(last_order_id) if last_order_id is not None else "",
        "updated_at": str(leg.last_fill_ms),
    }


def _side(amount: Decimal) -> str:
    return ("FLAT", "LONG", "SHORT")[sign_of(amount)]


def permit_copy(permit: Permit) -> StateCopy:
    """The published permit of one plan."""
    body = {
        "decision": "ALLOW",
        "reason": "",
        "symbol": permit.leg.symbol,
        "side": permit.side.value,
        "qty": format_amount(permit.qty),
        "reduce_only": permit.reduce_only,
        "client_order_id": permit.client_order_id,
        "against_drift": format_amount(permit.against_drift_qty) if permit.against_drift_qty > ZERO else "0",
        "timestamp": permit.timestamp_ms,
    }
    return StateCopy(f"permit:p33:{permit.plan_id}", text=json.dumps(body), ttl_ms=PERMIT_TTL_MS)


def refusal_copy(plan: Plan, refusal: Refusal) -> StateCopy:
    """The published refusal of one plan."""
    body = {
        "decision": "DENY",
        "reason": refusal.reason.value,
        "symbol": plan.symbol,
        "detail": refusal.detail,
        "timestamp": plan.timestamp_ms,
    }
    return StateCopy(f"permit:p33:{plan.plan_id}", text=json.dumps(body), ttl_ms=PERMIT_TTL_MS)
