"""What a step may write: `ports.journal.Tx`. Nothing here begins or ends a transaction.

The account's row is kept in memory during a batch and written once before its commit (`batches`); every other
change goes to the database at once, so that later reads of the step see it.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import TYPE_CHECKING

from holdfast.domain.amounts import format_amount
from holdfast.domain.entry import JournaledEntry
from holdfast.domain.errors import Unclassified
from holdfast.journal import statements as sql
from holdfast.journal.chain import new_row
from holdfast.journal.reads import SqlReads
from holdfast.journal.rows import hold_row, leg_row
from holdfast.journal.rows_operator import alert_row, request_row, result_text
from holdfast.journal.rows_orders import ORDER_STATES, close_row, fill_row, foreign_row, order_row

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdfast.domain.close import Close
    from holdfast.domain.entry import Entry
    from holdfast.domain.foreign import ForeignOrder
    from holdfast.domain.hold import Hold
    from holdfast.domain.ledger import LedgerState, MoveCause
    from holdfast.domain.names import PlanId
    from holdfast.domain.operator import Alert, OperatorRequest
    from holdfast.domain.order import Order
    from holdfast.domain.plan import PlanResult
    from holdfast.domain.sides import Leg, PositionMode, TradingState
    from holdfast.domain.trade import Trade
    from holdfast.journal.backend import Session
    from holdfast.ports.journal import AccountState

EXACT = Context(prec=60, traps=[Inexact, InvalidOperation])
"""Sums of amounts are exact: the default context would round a long one without a word."""


class SqlTx(SqlReads):
    """`Tx` of one account."""

    __slots__ = ("_before", "_head", "_seq", "_set")

    def __init__(self, session: Session, state: AccountState) -> None:
        super().__init__(session, state.account, state)
        self._before = state
        self._set = state
        self._seq = state.last_seq
        self._head = state.head_hash

    def account(self) -> AccountState:
        """The account's row as this step left it so far."""
        if self._set.last_seq != self._seq:
            self._set = replace(self._set, last_seq=self._seq, head_hash=self._head)
        return self._set

    @property
    def changed_account(self) -> AccountState | None:
        """The account's state to be kept if the step succeeds; None if the step left it alone."""
        state = self.account()
        return None if state is self._before else state

    def append(self, entry: Entry) -> JournaledEntry:
        """Append to the account's chain."""
        self._own_account(entry.account)
        row = new_row(entry, self._seq + 1, self.now_ms(), self._head)
        self._session.run(sql.ENTRY_NEW, row)
        self._seq, self._head = row[1], row[9]
        return JournaledEntry(row[1], row[2], entry, row[8], row[9])

    def set_baseline(self, venue_ms: int, mode: PositionMode) -> None:
        """Record the first complete view."""
        self._set = replace(self.account(), baseline_ms=venue_ms, position_mode=mode)

    def set_position_mode(self, mode: PositionMode) -> None:
        """Record how the account keeps positions."""
        self._set = replace(self.account(), position_mode=mode)

    def set_stamp(self, stamp_ms: int | None) -> None:
        """Renew the reconciler's stamp, or void it."""
        self._set = replace(self.account(), stamp_ms=stamp_ms)

    def set_trading_state(self, state: TradingState, detail: str) -> None:
        """Halt or resume."""
        self._set = replace(self.account(), trading_state=state, halt_detail=detail)

    def set_events_published(self, seq: int) -> None:
        """Remember up to where entries are on the bus."""
        self._set = replace(self.account(), events_published_seq=seq)

    def move_ledger(self, leg: Leg, delta: Decimal, cause: MoveCause, reference: str) -> LedgerState:
        """Add `delta` and raise the version by 1."""
        before = self.leg(leg)
        after = replace(before, amt=EXACT.add(before.amt, delta), version=before.version + 1)
        self._session.run(sql.LEG_MOVED, leg_row(after))
        amounts = (format_amount(delta), format_amount(after.amt))
        self._session.run(
            sql.MOVE_NEW, (*self._own(leg), after.version, *amounts, cause.value, reference, self.now_ms())
        )
        return after

    def put_leg(self, state: LedgerState) -> None:
        """Write everything of the leg but `amt` and `version`; a leg not seen before starts at 0, version 0."""
        self._own(state.leg)
        row = leg_row(state)
        self._session.run(sql.LEG_PUT, (*row[:3], "0", 0, *row[5:]))  # amt and version of a new row

    def put_hold(self, hold: Hold) -> None:
        """Insert or replace."""
        self._own(hold.leg)
        self._session.run(sql.HOLD_PUT, hold_row(hold))

    def put_order(self, order: Order) -> None:
        """Insert, or replace everything but `booked_qty`, which only `book_trade` changes."""
        self._own(order.leg)
        row = self._session.one(sql.ORDER_PUT, order_row(order))
        booked = order.booked_qty if row is None else Decimal(row[0])
        if booked != order.booked_qty:
            settled = int(replace(order, booked_qty=booked).is_settled)
            self._session.run(sql.ORDER_SETTLED, (settled, self._account, order.client_order_id))

    def book_trade(self, trade: Trade, order: Order, ledger_part: Decimal) -> bool:
        """Record the trade as a fill and add it to the order's `booked_qty`. False, no change, if booked before.

        Raises Unclassified if the journal has no such order.
        """
        key = (self._account, order.client_order_id)
        kept = self._session.one(sql.ORDER_PROGRESS, key)
        if kept is None:
            raise Unclassified(f"trade {trade.trade_id} was to be booked on unknown order {order.client_order_id}")
        if self._session.one(sql.FILL_NEW, fill_row(self._account, trade, order, ledger_part)) is None:
            return False
        state, executed, booked_before = kept
        booked = EXACT.add(Decimal(booked_before), trade.qty)
        settled = ORDER_STATES[state].is_final and booked >= Decimal(executed)
        self._session.run(sql.ORDER_BOOKED, (format_amount(booked), int(settled), *key))
        return True

    def put_plan(self, plan_id: PlanId, content_hash: str, symbol: str, result: PlanResult | None) -> None:
        """Insert or replace; a result that changed has to be published again."""
        text = None if result is None else result_text(result)
        answered_ms = 0 if result is None else result.timestamp_ms
        self._session.run(sql.PLAN_PUT, (self._account, plan_id, content_hash, symbol, text, answered_ms, 0))

    def mark_results_published(self, plan_ids: Iterable[PlanId]) -> None:
        """Take the plans' results off `unpublished_results`."""
        self._session.run_many(sql.PLAN_PUBLISHED, [(1, self._account, plan_id) for plan_id in plan_ids])

    def put_foreign_order(self, order: ForeignOrder) -> None:
        """Insert or replace."""
        self._own_account(order.account)
        self._session.run(sql.FOREIGN_PUT, foreign_row(order))

    def put_close(self, close: Close) -> None:
        """Insert or replace."""
        self._own(close.leg)
        self._session.run(sql.CLOSE_PUT, close_row(close))

    def put_request(self, request: OperatorRequest) -> None:
        """Insert or replace."""
        self._own_account(request.account)
        self._session.run(sql.REQUEST_PUT, request_row(request))

    def put_alert(self, alert: Alert) -> None:
        """Insert or replace."""
        self._own_account(alert.account)
        self._session.run(sql.ALERT_PUT, alert_row(alert))
