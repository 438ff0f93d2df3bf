"""One permitted order: its request, the answer, its fills, and the record of it.

`sign, check the fence, send` (DESIGN §7): the timestamp was fixed in the permit's transaction, the lease is looked
at last of all, then exactly one request leaves. What came back is judged by `decide.outcome`; a result is only
ever given in the transaction that records it.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from holdfast.decide.outcome import adopt_report, refused, unknown, was_taken
from holdfast.domain.amounts import ZERO
from holdfast.domain.errors import JournalBusy, VenueUnavailable
from holdfast.domain.order import Order, OrderState
from holdfast.ports.telemetry import Stage
from holdfast.ports.venue import Accepted, AlreadyExists, NotExecuted, Refused, SubmitOutcome, TradeCursor, Unknown
from holdfast.services.concluding import Concluded, conclude

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from holdfast.domain.names import ClientOrderId, Symbol
    from holdfast.domain.order import OrderReport
    from holdfast.domain.permit import Permit
    from holdfast.domain.trade import Trade
    from holdfast.ports.venue import VenueTrader
    from holdfast.services.context import Context
    from holdfast.services.fills import Fills
    from holdfast.services.knocks import Knocks

FILL_WAIT_MS = 150
"""How long the stream may take to show an accepted order's trades before they are asked for."""
RETRY_WAIT_MS_MAX = 1_000
"""A venue that asks for a longer wait than this ends the plan; its maker decides anew."""


class Again(Enum):
    """What the caller does after a send."""

    NO = "no"
    AFTER_WAIT = "after_wait"
    """Nothing was executed: run the whole permit again after `wait_ms`."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of one request."""

    concluded: Concluded | None
    again: Again
    wait_ms: int = 0


def order_of(permit: Permit, now_ms: int, sent_before: int) -> Order:
    """The intent, as it is journaled before the request leaves."""
    return Order(
        client_order_id=permit.client_order_id,
        plan_id=permit.plan_id,
        decision=permit.decision,
        leg=permit.leg,
        side=permit.side,
        qty=permit.qty,
        order_type=permit.order_type,
        reduce_only=permit.reduce_only,
        price=permit.price,
        time_in_force=permit.time_in_force,
        against_drift_qty=permit.against_drift_qty,
        hold_id=permit.hold_id,
        state=OrderState.SENDING,
        timestamp_ms=permit.timestamp_ms,
        recv_window_ms=permit.recv_window_ms,
        sent_count=sent_before + 1,
        venue_order_id=None,
        executed_qty=ZERO,
        booked_qty=ZERO,
        avg_price=None,
        error="",
        error_detail="",
        created_ms=now_ms,
        updated_ms=now_ms,
    )


class Sender:
    """Sends permitted orders of one account, once each."""

    def __init__(self, context: Context, trader: VenueTrader, fills: Fills, resolve: Knocks[ClientOrderId]) -> None:
        self._context = context
        self._trader = trader
        self._fills = fills
        self._resolve = resolve
        self.in_flight: Counter[ClientOrderId] = Counter()
        """Orders that this process claims, sends or repeats now; the resolver keeps its hands off them."""
        self._sent: set[ClientOrderId] = set()
        """Those of them that were sent: the resolver looks at them once they are not in flight any more."""

    @contextmanager
    def in_hand(self, name: ClientOrderId) -> Iterator[None]:
        """Keep an order to ourselves, from before its claim until it is sure that nobody here sends it (again)."""
        self.in_flight[name] += 1
        try:
            yield
        finally:
            self.in_flight[name] -= 1
            if not self.in_flight[name]:
                del self.in_flight[name]
                if name in self._sent:
                    self._sent.discard(name)
                    self._resolve.knock(name)

    async def send(self, permit: Permit, entry_id: str, sent_before: int) -> Sent:
        """Send the order whose intent has just been committed, and record what came back."""
        name = permit.client_order_id
        with self.in_hand(name):
            self._sent.add(name)
            self._fills.expect(name)
            try:
                self._context.live_fence()
                started = self._context.clock.monotonic_ns()
                outcome = await self._trader.submit(permit)
                self._context.metrics.stage(Stage.SUBMIT, self._context.clock.monotonic_ns() - started)
                return await self._record(permit, outcome, entry_id, sent_before)
            except JournalBusy as error:
                # The order left: whatever came of it, only the resolver may say so now.
                self._context.log.warning(
                    "outcome_unrecorded",
                    account=permit.leg.account,
                    symbol=permit.leg.symbol,
                    client_order_id=name,
                    plan_id=permit.plan_id,
                    hold_id=permit.hold_id,
                    detail=str(error),
                )
                return Sent(None, Again.NO)
            finally:
                self._fills.landed(name)

    async def _record(self, permit: Permit, outcome: SubmitOutcome, entry_id: str, sent_before: int) -> Sent:
        match outcome:
            case Accepted(report=report):
                trades = await self._trades(permit, report)
                change = adopting(report)
                concluded = await self._conclude(permit, change, trades, entry_id, "answer")
                return Sent(concluded, Again.NO)
            case Refused(reason=reason, code=code, text=text):
                detail = f"{code}: {text}" if code is not None else text
                self._context.rules.are_doubted = True
                self._context.wakes.mode.knock("an order was refused")  # of another mode's position side, perhaps
                concluded = await self._conclude(
                    permit, lambda order, now: refused(order, reason, detail, now), (), entry_id, "answer"
                )
                return Sent(concluded, Again.NO)
            case NotExecuted():
                return await self._not_executed(permit, outcome, entry_id, sent_before)
            case AlreadyExists(text=text) | Unknown(text=text):
                concluded = await self._conclude(
                    permit, lambda order, now: unknown(order, text, now), (), entry_id, "no answer that proves anything"
                )
                return Sent(concluded, Again.NO)

    async def _not_executed(self, permit: Permit, outcome: NotExecuted, entry_id: str, sent_before: int) -> Sent:
        limits = self._context.limits
        if self._fills.has_any(permit.client_order_id):  # the venue's word against its own trades: ask, do not repeat
            text = f"{outcome.text}, but the stream shows a trade of it"
            concluded = await self._conclude(
                permit, lambda order, now: unknown(order, text, now), (), entry_id, "contradicted by a trade"
            )
            return Sent(concluded, Again.NO)
        if sent_before + 1 < limits.send_attempts_max and outcome.retry_after_ms <= RETRY_WAIT_MS_MAX:
            concluded = await self._conclude(
                permit, lambda order, now: _to_be_repeated(order, outcome.text, now), (), entry_id, "not executed"
            )
            return Sent(concluded, Again.AFTER_WAIT, outcome.retry_after_ms)
        concluded = await self._conclude(
            permit, lambda order, now: refused(order, outcome.reason, outcome.text, now), (), entry_id, "not executed"
        )
        return Sent(concluded, Again.NO)

    async def _trades(self, permit: Permit, report: OrderReport) -> tuple[Trade, ...]:
        """The order's trades: from the stream, or else asked for. Too few is fine: the resolver goes on."""
        if report.executed_qty <= ZERO:
            return ()
        trades = await self._fills.wait_for(permit.client_order_id, report.executed_qty, FILL_WAIT_MS)
        if sum((trade.qty for trade in trades), ZERO) >= report.executed_qty:
            return trades
        return trades + await self.ask_trades(permit.leg.symbol, report)

    async def ask_trades(self, symbol: Symbol, report: OrderReport) -> tuple[Trade, ...]:
        """An order's trades over REST; () if the venue does not answer now."""
        cursor = TradeCursor(None, report.venue_ms - TRADES_BACK_MS)
        try:
            page = await self._trader.trades(symbol, cursor)
        except VenueUnavailable as error:
            self._context.log.warning("trades_failed", symbol=symbol, detail=str(error))
            return ()
        return tuple(trade for trade in page.trades if trade.order_id == report.order_id)

    async def _conclude(
        self,
        permit: Permit,
        change: Callable[[Order, int], Order],
        trades: tuple[Trade, ...],
        entry_id: str,
        why: str,
    ) -> Concluded | None:
        concluded = await conclude(
            self._context, permit.client_order_id, change=change, trades=trades, entry_id=entry_id, why=why
        )
        self._fills.booked(permit.client_order_id, trades)
        return concluded


TRADES_BACK_MS = 60_000
"""How far before an order's last change its trades are looked for."""


def adopting(report: OrderReport) -> Callable[[Order, int], Order]:
    """The change that takes over what the venue reports."""
    return lambda order, now: adopt_report(order, report, now)


def _to_be_repeated(order: Order, text: str, now_ms: int) -> Order:
    """Back to claimed: the request was not executed, and only a whole new permit sends it again."""
    if order.state is not OrderState.SENDING or was_taken(order):
        return unknown(order, f"not executed, it said, but the order is {order.state.value}: {text}", now_ms)
    return replace(order, state=OrderState.CLAIMED, error_detail=text, updated_ms=now_ms)
