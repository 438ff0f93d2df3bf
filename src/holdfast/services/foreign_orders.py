"""Open orders that are nobody's here: written down, told once, and dealt with by the account's policy.

    | policy (`foreign_orders`) | what happens besides the event and the journal's row                          |
    |---------------------------|-------------------------------------------------------------------------------|
    | report (default)          | a person is told once                                                         |
    | cancel                    | a person is told once; the order is cancelled, again at each reading          |
    | hold                      | its leg is held for a person; the hold ends once no such order is left there  |

They come from a reading of all open orders, and from the stream: an order that the stream showed and that has not ended
within `settle_ms_max` rests (a MARKET order is over long before). Orders of the venue's own (liquidation, ADL) are no
orders of anybody. Bounds: `FOREIGN_MAX` are kept at once, `NAMED_MAX` are named in one alert; of more it says how many.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from holdfast.decide.move import automatic_hold
from holdfast.domain.amounts import format_amount
from holdfast.domain.entry import Entry, EntryKind, JsonValue
from holdfast.domain.foreign import ForeignOrder
from holdfast.domain.hold import HoldReason, NextStep, StepKind
from holdfast.domain.limits import ForeignOrderPolicy
from holdfast.domain.names import is_our_client_order_id
from holdfast.ports.venue import Cancelled
from holdfast.services.holding import Written, alert_person, hold_entry, new_alert, put_alert, put_persons_hold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from holdfast.domain.names import Symbol, VenueOrderId
    from holdfast.domain.order import OrderReport
    from holdfast.domain.sides import Leg
    from holdfast.ports.journal import Tx
    from holdfast.ports.venue import VenueTrader
    from holdfast.services.context import Context

    Key = tuple[Symbol, VenueOrderId]

FOREIGN_MAX = 200
NAMED_MAX = 10
HEARD_MAX = 1_000
"""Orders of others that the stream showed and that are watched for their end."""


def is_foreign(report: OrderReport) -> bool:
    """Tell whether an order is neither ours nor the venue's own."""
    return not is_our_client_order_id(report.client_order_id) and not report.is_forced


@dataclass(frozen=True, slots=True)
class _Change:
    """What one look found against what the journal keeps."""

    new: tuple[OrderReport, ...]
    gone: tuple[ForeignOrder, ...]
    left_out: int


class ForeignOrders:
    """Foreign open orders of one account."""

    def __init__(self, context: Context, trader: VenueTrader) -> None:
        self._context = context
        self._trader = trader
        self._heard: dict[Key, tuple[OrderReport, int]] = {}
        self._ended: set[Key] = set()
        self._kept: frozenset[Key] = frozenset()
        """What the journal kept when it was last compared with."""

    # --- from the stream; nothing here waits -------------------------------------------------------------

    @property
    def has_news(self) -> bool:
        """Tell whether the stream told of something that is to be settled soon."""
        return bool(self._heard or self._ended)

    def hear(self, report: OrderReport) -> None:
        """The stream tells of an order that is not ours."""
        key = (report.symbol, report.order_id)
        if report.status.is_final:
            self._heard.pop(key, None)
            if key in self._kept:
                self._ended.add(key)
        elif key in self._heard or len(self._heard) < HEARD_MAX:
            since_ms = self._heard[key][1] if key in self._heard else self._context.clock.now_ms()
            self._heard[key] = (report, since_ms)

    async def settle(self) -> None:
        """Record what the stream showed to rest for long enough, and what it showed to end. Raises JournalBusy."""
        old_ms = self._context.clock.now_ms() - self._context.limits.settle_ms_max
        resting = {key: report for key, (report, since) in self._heard.items() if since < old_ms}
        ended = frozenset(self._ended)
        if not resting and not ended:
            return
        await self._record(tuple(resting.values()), lambda order: (order.symbol, order.order_id) in ended)
        self._ended -= ended
        for key in resting:
            self._heard.pop(key, None)

    # --- from a reading ------------------------------------------------------------------------------------

    async def compare(self, reports: Iterable[OrderReport], asked_ms: int) -> None:
        """Record a complete reading of open orders. Raises JournalBusy."""
        found = {(each.symbol, each.order_id): each for each in reports if is_foreign(each)}
        settled_ms = asked_ms - self._context.limits.settle_ms_max

        def is_gone(order: ForeignOrder) -> bool:
            return (order.symbol, order.order_id) not in found and order.seen_ms < settled_ms

        await self._record(tuple(found.values()), is_gone)
        if self._context.limits.foreign_orders is ForeignOrderPolicy.CANCEL:
            await self._cancel(tuple(found.values()))

    async def _record(self, reports: tuple[OrderReport, ...], is_gone: Callable[[ForeignOrder], bool]) -> None:
        out = Written([], [])

        def decide(known: tuple[ForeignOrder, ...]) -> _Change:
            keys = {(each.symbol, each.order_id) for each in known}
            new = [each for each in reports if (each.symbol, each.order_id) not in keys]
            room = max(FOREIGN_MAX - len(known), 0)
            return _Change(tuple(new[:room]), tuple(each for each in known if is_gone(each)), len(new[room:]))

        def write(tx: Tx, change: _Change, known: tuple[ForeignOrder, ...]) -> None:
            out.entries.clear()
            out.alerted = False
            for report in change.new:
                self._write_new(tx, report, out)
            if change.new and self._context.limits.foreign_orders is not ForeignOrderPolicy.HOLD:
                self._tell(tx, change, out)
            left = [each for each in known if each not in change.gone]
            for order in change.gone:
                self._write_gone(tx, order, {each.leg for each in left}, out)

        context = self._context
        known = await context.journal.query(context.account, lambda reads: reads.foreign_orders())
        if known or reports:
            change = await context.transact(read=lambda reads: reads.foreign_orders(), decide=decide, write=write)
            await self._after(change, out)

    async def _after(self, change: _Change, out: Written) -> None:
        context = self._context
        known = await context.journal.query(context.account, lambda reads: reads.foreign_orders())
        self._kept = frozenset((each.symbol, each.order_id) for each in known)
        context.emit(out.entries)
        if out.alerted:
            context.wakes.alerts.knock("foreign order")
        for symbol in dict.fromkeys([each.symbol for each in change.new] + [each.symbol for each in change.gone]):
            context.hold_changed(symbol)
        for order in change.gone:
            context.wakes.legs.knock(order.leg)
        if change.left_out:
            context.log.error("foreign_orders_left_out", account=context.account, count=change.left_out)

    def _write_new(self, tx: Tx, report: OrderReport, out: Written) -> None:
        order = _order_of(self._context, report, tx.now_ms())
        tx.put_foreign_order(order)
        policy = self._context.limits.foreign_orders
        out.entries.append(tx.append(_entry(EntryKind.FOREIGN_ORDER, order, {"policy": policy.value})))
        if policy is not ForeignOrderPolicy.HOLD:
            return
        text = f"{_text(order)} rests and is not ours: cancel it at the exchange, or set the policy foreign_orders"
        hold = put_persons_hold(tx, order.leg, HoldReason.FOREIGN_ORDER, text)
        tx.put_leg(replace(tx.leg(order.leg), agreed_version=None))
        out.entries.append(hold_entry(tx, hold, EntryKind.HOLD_SET))
        alert_person(tx, hold, text, out)

    def _tell(self, tx: Tx, change: _Change, out: Written) -> None:
        """One alert about all that was found together; nothing is held, so nothing repeats it once it was heard."""
        named = "; ".join(_text(_order_of(self._context, each, 0)) for each in change.new[:NAMED_MAX])
        more = len(change.new) + change.left_out - NAMED_MAX
        rest = f"; and {more} more" if more > 0 else ""
        policy = self._context.limits.foreign_orders
        does = "It is being cancelled" if policy is ForeignOrderPolicy.CANCEL else "Nothing is done about it"
        text = (
            f"open at the exchange and not ours: {named}{rest}. {does} (policy foreign_orders = "
            f"{policy.value}). Type: holdfast status (docs/runbooks/foreign-order.md)"
        )
        symbol = change.new[0].symbol
        put_alert(tx, out, new_alert(tx, f"{symbol}: a foreign order rests", text, symbol=symbol))

    def _write_gone(self, tx: Tx, order: ForeignOrder, left: set[Leg], out: Written) -> None:
        tx.put_foreign_order(replace(order, gone_ms=tx.now_ms()))
        out.entries.append(tx.append(_entry(EntryKind.FOREIGN_ORDER_GONE, order, {})))
        hold = automatic_hold(tuple(each for each in tx.open_holds(order.symbol) if each.leg == order.leg))
        if hold is None or hold.reason is not HoldReason.FOREIGN_ORDER or order.leg in left:
            return
        # What is left of the hold is what every look ends that agrees.
        due_ms = tx.now_ms() + self._context.limits.view_age_ms_max
        step = NextStep(StepKind.RELEASE, due_ms, "the foreign order is gone; a look that agrees ends the hold")
        hold = replace(hold, reason=HoldReason.VIEW_STALE, next_step=step)
        tx.put_hold(hold)
        out.entries.append(hold_entry(tx, hold, EntryKind.HOLD_UPDATED))

    async def _cancel(self, reports: tuple[OrderReport, ...]) -> None:
        """Cancel what rests, as its journaled line said; what does not end now is asked again at the next reading."""
        for report in reports[:FOREIGN_MAX]:
            self._context.live_fence()
            outcome = await self._trader.cancel(report.symbol, report.client_order_id)
            if isinstance(outcome, Cancelled):
                self._ended.add((report.symbol, report.order_id))
            else:
                self._context.log.warning("foreign_not_cancelled", symbol=report.symbol, detail=outcome.text)
        await self.settle()


def _order_of(context: Context, report: OrderReport, seen_ms: int) -> ForeignOrder:
    return ForeignOrder(
        account=context.account,
        symbol=report.symbol,
        order_id=report.order_id,
        client_order_id=report.client_order_id,
        side=report.side,
        position_side=report.position_side,
        qty=report.qty,
        executed_qty=report.executed_qty,
        price=report.price,
        reduce_only=report.reduce_only,
        seen_ms=seen_ms,
    )


def _text(order: ForeignOrder) -> str:
    at = f" at {format_amount(order.price)}" if order.price is not None else ""
    what = f"{order.side.value} {format_amount(order.qty)} {order.leg.key}{at}"
    return f"{what} (order {order.order_id}, {order.client_order_id})"


def _entry(kind: EntryKind, order: ForeignOrder, more: dict[str, JsonValue]) -> Entry:
    body: dict[str, JsonValue] = {
        "order_id": order.order_id,
        "client_order_id": order.client_order_id,
        "position_side": order.position_side.value,
        "side": order.side.value,
        "qty": format_amount(order.qty),
        "executed_qty": format_amount(order.executed_qty),
        "price": format_amount(order.price) if order.price is not None else None,
        "reduce_only": order.reduce_only,
        **more,
    }
    return Entry(kind, order.account, order.symbol, body=body)
