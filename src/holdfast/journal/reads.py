"""What a step may read: `ports.journal.Reads` over one session, inside a transaction that somebody else began.

Bounds: lists that grow with history take a limit or a starting point; the others (open holds, live orders,
unfinished closes, unacknowledged alerts) are as long as what is going on now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.domain.amounts import ZERO
from holdfast.domain.errors import Unclassified
from holdfast.domain.ledger import LedgerState
from holdfast.domain.sides import Leg, PositionSide, TradingState
from holdfast.journal import statements as sql
from holdfast.journal.chain import entry_of, genesis_hash
from holdfast.journal.rows import account_of, hold_of, leg_of
from holdfast.journal.rows_operator import alert_of, request_of, result_of
from holdfast.journal.rows_orders import close_of, foreign_of, order_of, undone_of
from holdfast.ports.journal import AccountState, PlanRecord

if TYPE_CHECKING:
    from holdfast.domain.close import Close
    from holdfast.domain.entry import EntryKind, JournaledEntry
    from holdfast.domain.foreign import ForeignOrder
    from holdfast.domain.hold import Hold
    from holdfast.domain.names import AccountId, ClientOrderId, HoldId, PlanId, Symbol, TradeId, VenueOrderId
    from holdfast.domain.operator import Alert, OperatorRequest
    from holdfast.domain.order import Order
    from holdfast.domain.plan import PlanResult
    from holdfast.domain.trade import Undone
    from holdfast.journal.backend import Session


def new_account(account: AccountId) -> AccountState:
    """An account that nothing was ever recorded of."""
    return AccountState(account, None, None, None, TradingState.ACTIVE, "", 0, genesis_hash(account), 0)


def load_account(session: Session, account: AccountId) -> AccountState:
    """The account's row, or `new_account` without one."""
    row = session.one(sql.ACCOUNT, (account,))
    return new_account(account) if row is None else account_of(row)


def new_leg(leg: Leg) -> LedgerState:
    """A leg never seen: zero at version 0, not agreed."""
    return LedgerState(leg, ZERO, 0, None, 0, None, 0, None, None, None, "")


class SqlReads:
    """`Reads` of one account."""

    __slots__ = ("_account", "_now_ms", "_session", "_state")

    def __init__(self, session: Session, account: AccountId, state: AccountState | None) -> None:
        self._session = session
        self._account = account
        self._state = state
        self._now_ms: int | None = None

    def _own_account(self, account: AccountId) -> None:
        if account != self._account:
            raise Unclassified(f"a step of account {self._account} touched account {account}")

    def _own(self, leg: Leg) -> tuple[str, str, str]:
        self._own_account(leg.account)
        return (leg.account, leg.symbol, leg.position_side.value)

    def now_ms(self) -> int:
        """The journal's clock; one reading a step, so that its facts and entries agree."""
        if self._now_ms is None:
            self._now_ms = self._session.now_ms()
        return self._now_ms

    def account(self) -> AccountState:
        """The account's row."""
        if self._state is None:
            self._state = load_account(self._session, self._account)
        return self._state

    def leg(self, leg: Leg) -> LedgerState:
        """The leg's ledger."""
        row = self._session.one(sql.LEG, self._own(leg))
        return new_leg(leg) if row is None else leg_of(row)

    def legs(self) -> tuple[LedgerState, ...]:
        """Every leg that has a row, in `Leg.sort_key` order."""
        return tuple(leg_of(row) for row in self._session.all(sql.LEGS, (self._account,)))

    def restless_legs(self) -> tuple[Leg, ...]:
        """Legs of which something is going on by the journal alone."""
        found: dict[Leg, None] = {}
        for statement in (sql.LEGS_NOT_AGREED, sql.LEGS_HELD, sql.LEGS_WITH_ORDERS):
            for symbol, side in self._session.all(statement, (self._account,)):
                found[Leg(self._account, symbol, PositionSide(side))] = None
        return tuple(found)

    def open_holds(self, symbol: Symbol | None) -> tuple[Hold, ...]:
        """Open holds of a symbol (any leg), or of the account."""
        if symbol is None:
            rows = self._session.all(sql.HOLDS_OPEN, (self._account,))
        else:
            rows = self._session.all(sql.HOLDS_OPEN_OF_SYMBOL, (self._account, symbol))
        return tuple(hold_of(row) for row in rows)

    def hold(self, hold_id: HoldId) -> Hold | None:
        """One hold, released or not."""
        row = self._session.one(sql.HOLD, (self._account, hold_id))
        return None if row is None else hold_of(row)

    def holds_of(self, leg: Leg, limit: int) -> tuple[Hold, ...]:
        """The leg's newest holds, newest first."""
        rows = self._session.all(sql.HOLDS_OF_LEG, (*self._own(leg), limit))
        return tuple(hold_of(row) for row in rows)

    def order(self, client_order_id: ClientOrderId) -> Order | None:
        """One order by our id."""
        row = self._session.one(sql.ORDER, (self._account, client_order_id))
        return None if row is None else order_of(row)

    def order_by_number(self, symbol: Symbol, order_id: VenueOrderId) -> Order | None:
        """One order by the venue's number."""
        row = self._session.one(sql.ORDER_BY_NUMBER, (self._account, symbol, order_id))
        return None if row is None else order_of(row)

    def orders_of_hold(self, hold_id: HoldId) -> tuple[Order, ...]:
        """Orders sent under a hold, oldest first."""
        rows = self._session.all(sql.ORDERS_OF_HOLD, (self._account, hold_id))
        return tuple(order_of(row) for row in rows)

    def live_orders(self, symbol: Symbol | None) -> tuple[Order, ...]:
        """Orders that are not settled, oldest first."""
        if symbol is None:
            rows = self._session.all(sql.ORDERS_LIVE, (self._account,))
        else:
            rows = self._session.all(sql.ORDERS_LIVE_OF_SYMBOL, (self._account, symbol))
        return tuple(order_of(row) for row in rows)

    def foreign_orders(self) -> tuple[ForeignOrder, ...]:
        """Foreign open orders, in the order in which they were first seen."""
        return tuple(foreign_of(row) for row in self._session.all(sql.FOREIGN_OPEN, (self._account,)))

    def booked_trade_ids(self, symbol: Symbol, after: TradeId | None, from_ms: int) -> frozenset[TradeId]:
        """Ids of booked trades after an id, or from a venue time on."""
        if after is None:
            rows = self._session.all(sql.TRADE_IDS_FROM, (self._account, symbol, from_ms))
        else:
            rows = self._session.all(sql.TRADE_IDS_AFTER, (self._account, symbol, after))
        return frozenset(row[0] for row in rows)

    def undone_fills(self, leg: Leg, after: TradeId | None, from_ms: int) -> tuple[Undone, ...]:
        """What the leg's booked fills did beyond the ledger, by trade id, oldest first."""
        if after is None:
            rows = self._session.all(sql.UNDONE_FROM, (*self._own(leg), from_ms))
        else:
            rows = self._session.all(sql.UNDONE_AFTER, (*self._own(leg), after))
        return tuple(undone_of(row) for row in rows)

    def last_trade_id(self, leg: Leg) -> TradeId | None:
        """Highest trade id booked on the leg."""
        row = self._session.one(sql.LAST_TRADE_ID, self._own(leg))
        return None if row is None else row[0]

    def last_order_id(self, leg: Leg) -> VenueOrderId | None:
        """The venue's number of the order whose fill was booked last on the leg."""
        row = self._session.one(sql.LAST_ORDER_ID, self._own(leg))
        return None if row is None else row[0]

    def plan(self, plan_id: PlanId) -> PlanRecord | None:
        """A plan that was claimed or answered."""
        row = self._session.one(sql.PLAN, (self._account, plan_id))
        if row is None:
            return None
        return PlanRecord(plan_id, row[0], None if row[1] is None else result_of(row[1]))

    def close(self, plan_id: PlanId) -> Close | None:
        """One close by its plan id."""
        row = self._session.one(sql.CLOSE, (self._account, plan_id))
        return None if row is None else close_of(row)

    def unfinished_close(self, leg: Leg) -> Close | None:
        """The leg's one close that is planned or claimed."""
        row = self._session.one(sql.CLOSE_UNFINISHED, self._own(leg))
        return None if row is None else close_of(row)

    def planned_closes(self) -> tuple[Close, ...]:
        """Closes that nobody has claimed yet, oldest first."""
        return tuple(close_of(row) for row in self._session.all(sql.CLOSES_PLANNED, (self._account,)))

    def unpublished_results(self, limit: int) -> tuple[PlanResult, ...]:
        """Results not yet on the bus, oldest first."""
        rows = self._session.all(sql.RESULTS_UNPUBLISHED, (self._account, limit))
        return tuple(result_of(row[0]) for row in rows)

    def entries_after(self, seq: int, limit: int) -> tuple[JournaledEntry, ...]:
        """Entries from `seq + 1` on, at most `limit`."""
        rows = self._session.all(sql.ENTRIES_AFTER, (self._account, seq, limit))
        return tuple(entry_of(row) for row in rows)

    def symbols_after(self, seq: int) -> tuple[Symbol, ...]:
        """The symbols that entries from `seq + 1` on name."""
        return tuple(row[0] for row in self._session.all(sql.ENTRY_SYMBOLS_AFTER, (self._account, seq)))

    def entries_of_hold(self, hold_id: HoldId) -> tuple[JournaledEntry, ...]:
        """All entries that name the hold, in order."""
        return tuple(entry_of(row) for row in self._session.all(sql.ENTRIES_OF_HOLD, (self._account, hold_id)))

    def entries_of_plan(self, plan_id: PlanId) -> tuple[JournaledEntry, ...]:
        """All entries that name the plan, in order."""
        return tuple(entry_of(row) for row in self._session.all(sql.ENTRIES_OF_PLAN, (self._account, plan_id)))

    def count_entries(self, kind: EntryKind) -> int:
        """How many entries of the kind there are."""
        row = self._session.one(sql.ENTRIES_COUNT, (self._account, kind.value))
        return 0 if row is None else int(row[0])

    def newest_entry(self, kind: EntryKind) -> JournaledEntry | None:
        """The newest entry of the kind."""
        row = self._session.one(sql.ENTRY_NEWEST, (self._account, kind.value))
        return None if row is None else entry_of(row)

    def requests_open(self) -> tuple[OperatorRequest, ...]:
        """Requests that nobody has ended, oldest first."""
        return tuple(request_of(row) for row in self._session.all(sql.REQUESTS_OPEN, (self._account,)))

    def request(self, request_id: str) -> OperatorRequest | None:
        """One request."""
        row = self._session.one(sql.REQUEST, (self._account, request_id))
        return None if row is None else request_of(row)

    def alerts_unacked(self) -> tuple[Alert, ...]:
        """Alerts that no person has acknowledged, oldest first."""
        return tuple(alert_of(row) for row in self._session.all(sql.ALERTS_UNACKED, (self._account,)))

    def alert_of_hold(self, hold_id: HoldId) -> Alert | None:
        """The newest alert about the hold."""
        row = self._session.one(sql.ALERT_OF_HOLD, (self._account, hold_id))
        return None if row is None else alert_of(row)
