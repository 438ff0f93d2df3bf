"""The first complete view of an account: what was found there, written down before anything is decided about it.

Nothing found is traded or assumed. The baseline is written in the very transaction that judges every leg that the view
names, so that each position is held as `unledgered` (row 4 of the table) before any later evaluation can take it for
drift; and together with what rests in the order book, so that a person sees the whole account in one report
(`holdfast found`). Until both were read there is no baseline, and without one nothing is permitted.

Invariants: the baseline never comes before a position that it does not speak of, nor with one that was not judged by
it (its view may have gone stale while the order book was read); an order book that cannot be read puts
it off, and is asked at most every `ASK_AGAIN_MS` (for the whole account it is a dear request).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.decide.move import MoveKind, automatic_hold
from holdfast.decide.reconcile import Status
from holdfast.domain.amounts import ZERO, format_amount
from holdfast.domain.entry import Entry, EntryKind, JsonValue
from holdfast.domain.errors import VenueUnavailable
from holdfast.domain.hold import HoldReason
from holdfast.domain.names import is_our_client_order_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from holdfast.domain.entry import JournaledEntry
    from holdfast.domain.order import OrderReport
    from holdfast.domain.sides import PositionMode
    from holdfast.ports.journal import Tx
    from holdfast.ports.venue import VenueReader
    from holdfast.services.context import Context
    from holdfast.services.judged import Judged
    from holdfast.services.leg_memory import Shown
    from holdfast.services.picture import Picture

ASK_AGAIN_MS = 1_000
ORDERS_LISTED_MAX = 200
"""Open orders that the entry lists; of more it says how many there are."""
OURS, STRAY, FOREIGN = "ours", "stray", "foreign"
"""Whose an open order is: of the journal; of our prefix but not in the journal; somebody else's."""


class FirstStart:
    """What is still to be read before the account's baseline can be written."""

    def __init__(self, context: Context, reader: VenueReader, picture: Picture, mode: PositionMode) -> None:
        self._context = context
        self._reader = reader
        self._picture = picture
        self._mode = mode
        self._is_over = False
        self._asked_ns: int | None = None
        self._orders: tuple[OrderReport, ...] | None = None

    async def is_due(self) -> bool:
        """Tell whether the next evaluation is the first: no baseline yet, positions and open orders were read."""
        if self._is_over or self._picture.complete_read_ms is None:
            return False
        state = await self._context.journal.query(self._context.account, lambda reads: reads.account())
        self._is_over = state.baseline_ms is not None
        return not self._is_over and await self._read_orders()

    async def _read_orders(self) -> bool:
        if self._context.resting.reports is not None:
            self._orders = self._context.resting.reports
            return True
        now_ns = self._context.clock.monotonic_ns()
        if self._asked_ns is not None and now_ns - self._asked_ns < ASK_AGAIN_MS * 1_000_000:
            return self._orders is not None
        self._asked_ns = now_ns
        try:
            self._orders = await self._reader.open_orders(None)
        except VenueUnavailable as error:
            self._context.log.warning("first_start_waits", account=self._context.account, detail=str(error))
            self._orders = None
        return self._orders is not None

    def speaks_of(self, shown: Sequence[Shown]) -> bool:
        """Tell whether the evaluation that is about to begin covers every leg that any view named."""
        return self._orders is not None and set(self._picture.known_legs()) <= {each.leg for each in shown}

    @staticmethod
    def is_seen_through(choice: Iterable[Judged]) -> bool:
        """Tell whether every leg agrees, or is held as `unledgered` from this transaction on.

        A view that went stale meanwhile holds nothing back, nor does a hold for a changed position mode give way.
        """
        return all(judged.verdict.status is Status.AGREED or _is_unledgered(judged) for judged in choice)

    def write_baseline(self, tx: Tx, shown: Sequence[Shown]) -> JournaledEntry:
        """Write the baseline and what was found, in the transaction that judges `shown`."""
        read_ms = self._picture.complete_read_ms or 0
        venue_ms = read_ms + self._reader.venue_now_ms() - self._context.clock.now_ms()
        tx.set_baseline(venue_ms, self._mode)
        orders = self._orders or ()
        positions: list[JsonValue] = [_position(each) for each in shown if each.view is not None and each.view.amt]
        listed: list[JsonValue] = [_order(tx, each) for each in orders[:ORDERS_LISTED_MAX]]
        body: dict[str, JsonValue] = {
            "venue_ms": venue_ms,
            "mode": self._mode.value,
            "positions": positions,
            "orders": listed,
            "orders_count": len(orders),
        }
        return tx.append(Entry(EntryKind.BASELINE, self._context.account, body=body))


def _is_unledgered(judged: Judged) -> bool:
    standing = automatic_hold(judged.facts.holds)
    is_held = standing is not None and standing.reason is HoldReason.UNLEDGERED
    return judged.verdict.status is Status.UNLEDGERED and (is_held or judged.move.kind is MoveKind.HOLD)


def _position(shown: Shown) -> JsonValue:
    view = shown.view
    amount = view.amt if view is not None else ZERO
    entry = view.entry_price if view is not None else None
    mark = view.mark_price if view is not None and view.mark_price is not None else shown.mark_price
    return {
        "leg": shown.leg.key,
        "symbol": shown.leg.symbol,
        "position_side": shown.leg.position_side.value,
        "amt": format_amount(amount),
        "entry_price": format_amount(entry) if entry is not None else None,
        "mark_price": format_amount(mark) if mark is not None else None,
        "notional": format_amount(abs(amount) * mark) if mark is not None else None,
    }


def _order(tx: Tx, report: OrderReport) -> JsonValue:
    name = report.client_order_id
    unknown = STRAY if is_our_client_order_id(name) else FOREIGN
    return {
        "symbol": report.symbol,
        "position_side": report.position_side.value,
        "client_order_id": name,
        "order_id": report.order_id,
        "side": report.side.value,
        "qty": format_amount(report.qty),
        "price": format_amount(report.price) if report.price is not None else None,
        "executed_qty": format_amount(report.executed_qty),
        "reduce_only": report.reduce_only,
        "owner": OURS if tx.order(name) is not None else unknown,
    }
