"""The journal: the durable, append-only, hash-chained truth, and the one shape of every step.

    decision = await journal.transact(account, fence, read=..., decide=..., write=...)

Inside ONE transaction: `facts = read(tx)`, `decision = decide(facts)` (pure), `write(tx, decision, facts)`. The call
returns the decision after the commit is durable, and only then may an effect follow. `read`, `decide` and `write`
are synchronous, must not block, and may run more than once only if nothing of an earlier run was committed.

Invariants: a transaction whose fence is stale raises Fenced and changes nothing; state tables and journal
entries change together or not at all; concurrent transactions of one account are serialised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from decimal import Decimal

    from holdfast.domain.close import Close
    from holdfast.domain.entry import Entry, EntryKind, JournaledEntry
    from holdfast.domain.foreign import ForeignOrder
    from holdfast.domain.hold import Hold
    from holdfast.domain.ledger import LedgerState, MoveCause
    from holdfast.domain.names import AccountId, ClientOrderId, HoldId, PlanId, Symbol, TradeId, VenueOrderId
    from holdfast.domain.operator import Alert, OperatorRequest
    from holdfast.domain.order import Order
    from holdfast.domain.plan import PlanResult
    from holdfast.domain.sides import Leg, PositionMode, TradingState
    from holdfast.domain.trade import Trade, Undone

Facts = TypeVar("Facts")
Choice = TypeVar("Choice")


@dataclass(frozen=True, slots=True)
class Fence:
    """Proof of a lease: this process is the account's one `service` while `number` is the highest given."""

    account: AccountId
    service: str
    """`apply` or `reconcile`."""
    number: int


@dataclass(frozen=True, slots=True)
class AccountState:
    """One account's row."""

    account: AccountId
    baseline_ms: int | None
    """Venue time of the first complete view ever; None before it."""
    position_mode: PositionMode | None
    stamp_ms: int | None
    """The reconciler's stamp: a clock reading from before its newest proof; None when void."""
    trading_state: TradingState
    halt_detail: str
    last_seq: int
    """Sequence of the newest journal entry, 0 if none."""
    head_hash: str
    events_published_seq: int
    """Entries up to here were published on the bus."""


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """A plan that was claimed or answered."""

    plan_id: PlanId
    content_hash: str
    result: PlanResult | None
    """None while its order is not final."""


class Reads(Protocol):
    """What a step may read. All of it is one consistent state."""

    def now_ms(self) -> int:
        """The journal's clock, read after the lock is taken: the Clock port on SQLite, the server's on PostgreSQL."""
        ...

    def account(self) -> AccountState: ...

    def leg(self, leg: Leg) -> LedgerState:
        """The leg's ledger; a leg never seen is zero at version 0, not agreed."""
        ...

    def legs(self) -> tuple[LedgerState, ...]:
        """Every leg that has a row, in `Leg.sort_key` order."""
        ...

    def restless_legs(self) -> tuple[Leg, ...]:
        """Legs whose ledger moved since its agreement, or that have an open hold or an own order not settled."""
        ...

    def open_holds(self, symbol: Symbol | None) -> tuple[Hold, ...]:
        """Open holds of a symbol (any leg), or of the whole account."""
        ...

    def hold(self, hold_id: HoldId) -> Hold | None: ...

    def holds_of(self, leg: Leg, limit: int) -> tuple[Hold, ...]:
        """The leg's newest holds, released ones too, newest first."""
        ...

    def order(self, client_order_id: ClientOrderId) -> Order | None: ...

    def order_by_number(self, symbol: Symbol, order_id: VenueOrderId) -> Order | None: ...

    def orders_of_hold(self, hold_id: HoldId) -> tuple[Order, ...]: ...

    def live_orders(self, symbol: Symbol | None) -> tuple[Order, ...]:
        """Orders that are not settled: not final, or final with more executed than booked."""
        ...

    def foreign_orders(self) -> tuple[ForeignOrder, ...]:
        """Open orders at the exchange that are not ours, in the order in which they were first seen."""
        ...

    def booked_trade_ids(self, symbol: Symbol, after: TradeId | None, from_ms: int) -> frozenset[TradeId]:
        """Ids of the symbol's booked trades with id > `after` (or venue time >= `from_ms` if `after` is None)."""
        ...

    def undone_fills(self, leg: Leg, after: TradeId | None, from_ms: int) -> tuple[Undone, ...]:
        """What the leg's booked fills did beyond the ledger, by trade id, oldest first.

        Of fills with id > `after` (or venue time >= `from_ms` if `after` is None).
        """
        ...

    def last_trade_id(self, leg: Leg) -> TradeId | None:
        """Highest trade id booked on the leg."""
        ...

    def last_order_id(self, leg: Leg) -> VenueOrderId | None:
        """The venue's number of the order whose fill was booked last on the leg, by venue time."""
        ...

    def plan(self, plan_id: PlanId) -> PlanRecord | None: ...

    def close(self, plan_id: PlanId) -> Close | None: ...

    def unfinished_close(self, leg: Leg) -> Close | None: ...

    def planned_closes(self) -> tuple[Close, ...]:
        """Closes that nobody has claimed yet, oldest first."""
        ...

    def unpublished_results(self, limit: int) -> tuple[PlanResult, ...]: ...

    def entries_after(self, seq: int, limit: int) -> tuple[JournaledEntry, ...]: ...

    def symbols_after(self, seq: int) -> tuple[Symbol, ...]:
        """The symbols that entries from `seq + 1` on name, each once, in no order."""
        ...

    def entries_of_hold(self, hold_id: HoldId) -> tuple[JournaledEntry, ...]: ...

    def entries_of_plan(self, plan_id: PlanId) -> tuple[JournaledEntry, ...]: ...

    def count_entries(self, kind: EntryKind) -> int: ...

    def newest_entry(self, kind: EntryKind) -> JournaledEntry | None: ...

    def requests_open(self) -> tuple[OperatorRequest, ...]: ...

    def request(self, request_id: str) -> OperatorRequest | None: ...

    def alerts_unacked(self) -> tuple[Alert, ...]: ...

    def alert_of_hold(self, hold_id: HoldId) -> Alert | None:
        """The newest alert about the hold."""
        ...


class Tx(Reads, Protocol):
    """What a step may write. `put_*` inserts or replaces by key."""

    def append(self, entry: Entry) -> JournaledEntry:
        """Append to the account's hash chain."""
        ...

    def set_baseline(self, venue_ms: int, mode: PositionMode) -> None: ...

    def set_position_mode(self, mode: PositionMode) -> None: ...

    def set_stamp(self, stamp_ms: int | None) -> None: ...

    def set_trading_state(self, state: TradingState, detail: str) -> None: ...

    def set_events_published(self, seq: int) -> None: ...

    def move_ledger(self, leg: Leg, delta: Decimal, cause: MoveCause, reference: str) -> LedgerState:
        """Add `delta` (may be 0 for an adoption that only confirms) and raise the version by 1."""
        ...

    def put_leg(self, state: LedgerState) -> None:
        """Write everything of the leg but `amt` and `version`, which only `move_ledger` changes."""
        ...

    def put_hold(self, hold: Hold) -> None: ...

    def put_order(self, order: Order) -> None:
        """Write everything of the order but, once it is there, `booked_qty`, which only `book_trade` changes."""
        ...

    def book_trade(self, trade: Trade, order: Order, ledger_part: Decimal) -> bool:
        """Record the trade as a fill of `order` and add its quantity to the order's `booked_qty`.

        False, and no change, if it was booked before. The ledger is moved apart (`move_ledger`).
        """
        ...

    def put_plan(self, plan_id: PlanId, content_hash: str, symbol: str, result: PlanResult | None) -> None: ...

    def mark_results_published(self, plan_ids: Iterable[PlanId]) -> None: ...

    def put_foreign_order(self, order: ForeignOrder) -> None: ...

    def put_close(self, close: Close) -> None: ...

    def put_request(self, request: OperatorRequest) -> None: ...

    def put_alert(self, alert: Alert) -> None: ...


class Journal(Protocol):
    """All accounts of one database."""

    async def transact(
        self,
        account: AccountId,
        fence: Fence | None,
        *,
        read: Callable[[Reads], Facts],
        decide: Callable[[Facts], Choice],
        write: Callable[[Tx, Choice, Facts], None],
    ) -> Choice:
        """Run one step; see the module. `fence` is None only for the operator's command line.

        Raises JournalBusy (queue full or lock held too long; nothing was changed), Fenced, JournalLost,
        ChainBroken. Whatever `read`, `decide` or `write` raise is raised here, and nothing was changed.
        """
        ...

    async def query(self, account: AccountId, read: Callable[[Reads], Facts]) -> Facts:
        """Read one consistent state."""
        ...

    async def now_ms(self) -> int:
        """The journal's clock."""
        ...

    async def acquire(self, account: AccountId, service: str, owner: str, ttl_ms: int) -> Fence | None:
        """Take the lease with a new, higher number if it is free or ran out; None while another holds it."""
        ...

    async def renew(self, fence: Fence, ttl_ms: int) -> None:
        """Prolong the lease. Raises Fenced if another took it."""
        ...

    async def give_up(self, fence: Fence) -> None:
        """Free the lease for a successor; nothing happens if it is another's already."""
        ...

    async def accounts(self) -> tuple[AccountId, ...]:
        """Every account that has a row."""
        ...

    async def verify(self, account: AccountId) -> int:
        """Recompute the chain and compare it, and the ledger with its moves; the number of entries.

        Raises ChainBroken naming the first bad entry.
        """
        ...

    async def close(self) -> None:
        """Finish what is queued, then end."""
        ...
