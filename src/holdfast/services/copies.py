"""The published copies of state (DESIGN §4), built from the journal; only what changed is written again.

    reconcile:hold:<SYMBOL>      the hold's id while held; compared before it is deleted
    reconcile:state:<SYMBOL>     status, reason, amounts, drift, next step, since, as_of
    reconcile:verdict:<SYMBOL>   AGREED and the version it is true of; expires, so a dead reconciler shows
    position:snapshot:<SYMBOL>   what the venue shows
    position:ledger:<SYMBOL>     what the ledger holds
    reconcile:foreign_orders:<SYMBOL>  open orders at the exchange that are not ours; absent when none
    permit:state:<SYMBOL>        ALLOW or DENY with the reason; expires
    permit:p33:<plan_id>         one plan's permit or refusal; expires

What changed is built at once, whoever changed it: knocks name it in this process, the journal's entries in any.
Besides, every symbol is built once a cycle, a few a step: what is about to expire is renewed, what somebody deleted
is put back. A step builds at most `PAGE_MAX` symbols that changed and `RING_MAX` that did not; so the cycle grows with
the number of symbols, and the life of what expires grows with the cycle (3 s up to 64 symbols, 24 s with 500).

In hedge mode each leg has its own `<SYMBOL>:LONG` and `<SYMBOL>:SHORT` besides; the symbol's hold is any leg's.
Nobody is obeyed through these: they are for others to read.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING

from holdfast.domain.amounts import ZERO, format_amount, sign_of
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Leg, PositionMode, PositionSide, TradingState
from holdfast.ports.bus import StateCopy
from holdfast.services.halting import mark_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from holdfast.domain.foreign import ForeignOrder
    from holdfast.domain.hold import Hold
    from holdfast.domain.ledger import LedgerState
    from holdfast.domain.names import Symbol, VenueOrderId
    from holdfast.domain.permit import Permit, Refusal
    from holdfast.domain.plan import Plan
    from holdfast.ports.journal import AccountState, Reads
    from holdfast.services.context import Context
    from holdfast.services.picture import Picture

PERMIT_TTL_MS = 60_000
PAGE_MAX = 64
"""Symbols built in one step; what is more follows in the next one."""
RING_MAX = 16
"""Symbols built in one step though nothing about them is known to have changed."""
STEP_MS = 200
"""Between two steps that build such symbols."""
CYCLE_MS_MIN = 1_000
"""No symbol is built more often than this without a reason."""
CYCLES = 3
"""What expires lives for so many cycles."""
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
    foreign: tuple[ForeignOrder, ...]
    """Open orders at the exchange that are not ours."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What the journal says of the account, and which symbols its newest entries name."""

    state: AccountState
    now_ms: int
    touched: tuple[Symbol, ...]
    holds: tuple[Hold, ...]


def _look(reads: Reads, seen_seq: int | None) -> _Look:
    state = reads.account()
    is_new = seen_seq is not None and state.last_seq > seen_seq
    touched = reads.symbols_after(seen_seq) if is_new and seen_seq is not None else ()
    return _Look(state, reads.now_ms(), touched, reads.open_holds(None))


class Copies:
    """Builds the copies of one account and remembers what was written."""

    def __init__(self, context: Context, picture: Picture | None) -> None:
        self._context = context
        self._picture = picture
        self._written: dict[str, tuple[StateCopy, int]] = {}
        self._held: dict[str, str] = {}
        self._last_orders: dict[Leg, tuple[tuple[int, int], VenueOrderId | None]] = {}
        self._seen_seq: int | None = None
        self._standing: tuple[object, ...] | None = None
        self._known: frozenset[Symbol] = context.limits.symbols
        self._pending: dict[Symbol, None] = {}
        self._ring: deque[Symbol] = deque()
        self._ring_ns = self._step_ns = 0
        self._cycle_ms = CYCLE_MS_MIN

    @property
    def has_more(self) -> bool:
        """Tell whether more than one step's symbols had changed: the next step is due at once."""
        return bool(self._pending)

    def forget(self) -> None:
        """Take everything as unwritten: the bus was emptied, or its state is not known."""
        self._written.clear()
        self._standing = None

    async def changed(self, symbols: Iterable[Symbol]) -> tuple[StateCopy, ...]:
        """The copies that differ from what was written, of these symbols and of those whose turn it is."""
        journal, account, seen = self._context.journal, self._context.account, self._seen_seq
        look = await journal.query(account, lambda reads: _look(reads, seen))
        self._seen_seq = look.state.last_seq
        page = await self._page(symbols, look)
        found = await journal.query(account, lambda reads: self._read(reads, page, look.holds)) if page else []
        copies = [copy for each in found for copy in self._build(each, look.state, look.now_ms)]
        copies.append(mark_of(look.state))
        return tuple(copy for copy in copies if self._is_news(copy, look.now_ms))

    async def _page(self, symbols: Iterable[Symbol], look: _Look) -> tuple[Symbol, ...]:
        """The symbols of this step, what is known to have changed first; what is too much waits for the next."""
        touched = (symbol for symbol in look.touched if symbol in self._known)  # a plan may name anything
        changed = dict.fromkeys(chain(symbols, touched))
        standing = self._standing_of(look)
        if standing != self._standing:
            self._standing = standing
            self._pending.update(dict.fromkeys(await self._every_symbol(look)))
        for symbol in changed:
            self._pending.pop(symbol, None)
        wanted = iter({**changed, **self._pending})
        page = dict.fromkeys(islice(wanted, PAGE_MAX))
        self._pending = dict.fromkeys(wanted)
        now_ns = self._context.clock.monotonic_ns()
        if now_ns - self._step_ns >= STEP_MS * 1_000_000:
            self._step_ns = now_ns
            page.update(dict.fromkeys(await self._in_turn(look, now_ns)))
        return tuple(page)

    def _standing_of(self, look: _Look) -> tuple[object, ...]:
        """What about the account shows in the copies of every symbol."""
        state, fresh_ms = look.state, self._context.limits.stamp_age_ms_max
        age_ms = look.now_ms - state.stamp_ms if state.stamp_ms is not None else -1
        fresh = (0 <= age_ms <= fresh_ms, 0 <= age_ms <= fresh_ms * FRESH_FACTOR)
        return state.trading_state, state.baseline_ms is None, *fresh

    async def _in_turn(self, look: _Look, now_ns: int) -> list[Symbol]:
        """The next symbols of the cycle, and those that are held: their copies are put back sooner."""
        if not self._ring and now_ns - self._ring_ns >= CYCLE_MS_MIN * 1_000_000:
            self._ring_ns = now_ns
            self._ring.extend(await self._every_symbol(look))
            self._cycle_ms = max(CYCLE_MS_MIN, -(-len(self._ring) // RING_MAX) * self._context.pace.copies_ms)
        turn = [self._ring.popleft() for _ in range(min(RING_MAX, len(self._ring)))]
        held = dict.fromkeys(hold.leg.symbol for hold in look.holds)
        return [*turn, *islice(held, RING_MAX)]

    async def _every_symbol(self, look: _Look) -> list[Symbol]:
        legs, foreign = await self._context.journal.query(
            self._context.account, lambda reads: (reads.legs(), reads.foreign_orders())
        )
        found = {each.leg.symbol for each in legs} | {hold.leg.symbol for hold in look.holds}
        found |= {order.symbol for order in foreign}
        self._known = self._context.limits.symbols | found
        return sorted(found)

    def _read(self, reads: Reads, page: tuple[Symbol, ...], open_holds: tuple[Hold, ...]) -> list[_Symbol]:
        holds: dict[Symbol, list[Hold]] = {}
        for hold in open_holds:
            holds.setdefault(hold.leg.symbol, []).append(hold)
        found, foreign = [], reads.foreign_orders()
        for symbol in page:
            legs = self._legs_of(reads, symbol)
            last = {each.leg: number for each in legs if (number := self._last_order(reads, each)) is not None}
            others = tuple(order for order in foreign if order.symbol == symbol)
            found.append(_Symbol(symbol, tuple(holds.get(symbol, ())), legs, last, others))
        return found

    def _legs_of(self, reads: Reads, symbol: Symbol) -> tuple[LedgerState, ...]:
        is_hedge = reads.account().position_mode is PositionMode.HEDGE
        sides = (PositionSide.LONG, PositionSide.SHORT) if is_hedge else (PositionSide.BOTH,)
        return tuple(reads.leg(Leg(self._context.account, symbol, side)) for side in sides)

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
        ttl_ms = max(fresh_ms, CYCLES * self._cycle_ms)
        yield self._hold(found.symbol, found.holds)
        yield self._permit_state(found, state, now_ms, ttl_ms)
        yield StateCopy(f"reconcile:foreign_orders:{found.symbol}", text=_foreign(found.foreign))
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
            yield StateCopy(f"reconcile:verdict:{key}", text=text, ttl_ms=ttl_ms if text else None)

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


def _foreign(orders: tuple[ForeignOrder, ...]) -> str | None:
    """A JSON list, amounts as decimal strings; None without any."""
    rows = [
        {
            "order_id": order.order_id,
            "client_order_id": order.client_order_id,
            "position_side": order.position_side.value,
            "side": order.side.value,
            "qty": format_amount(order.qty),
            "price": format_amount(order.price) if order.price is not None else "",
            "reduce_only": order.reduce_only,
            "seen": order.seen_ms,
        }
        for order in orders
    ]
    return json.dumps(rows) if rows else None


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
