"""The gate before every request: what the venue counted, and until when it wants to be left alone.

Guarantee: after an answer 429, 418, -1003 nothing is sent to the venue before its wait has ended; after -1015
no order is (reads and cancels are not counted as orders). Durations are kept on the monotonic clock: a wall
clock that jumps cannot shorten a ban.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.venues.binance.budget import (
    Count,
    Counter,
    Lane,
    Limit,
    Wanted,
    open_orders_spacing_ms,
    room_ms,
    view_spacing_ms,
)
from holdfast.venues.binance.budget import wait_ms as wait_by_budget_ms
from holdfast.venues.binance.exchange import STATUS_OK, Blocked
from holdfast.venues.binance.waiting import (
    CODE_TOO_MANY_ORDERS,
    CODE_TOO_MUCH_WEIGHT,
    STATUS_BANNED,
    STATUS_LIMITED,
    wait_ms,
)
from holdfast.venues.binance.wire import decode_word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.ports.clock import Clock
    from holdfast.venues.binance.exchange import Answer

_NS_A_MS = 1_000_000
_TEN_SECONDS_MS = 10_000
_MINUTE_MS = 60_000
_STATUS_CLIENT_ERROR = range(400, 500)


@dataclass(frozen=True, slots=True)
class Usage:
    """The venue's own counts, from its last answer that carried them; None before the first."""

    weight_1m: int | None = None
    orders_10s: int | None = None
    orders_1m: int | None = None


class Gate:
    """What the venue said last about limits.

    Weight and bans count per address of ours: adapters of one process should share one gate, or each has to hear
    of a ban for itself.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._all_until_ns = 0
        self._orders_until_ns = 0
        self._limits: tuple[Limit, ...] = ()
        self._weight: dict[Limit, Count] = {}
        self._orders: dict[str, dict[Limit, Count]] = {}
        self.usage = Usage()

    def set_limits(self, limits: tuple[Limit, ...]) -> None:
        """Take over the limits that exchangeInfo names."""
        self._limits = limits

    def view_spacing_ms(self) -> int:
        """How far apart complete views of this address must lie, all accounts together; 0 before limits are known."""
        return view_spacing_ms(self._limits)

    def open_orders_spacing_ms(self) -> int:
        """The same of readings of all open orders."""
        return open_orders_spacing_ms(self._limits)

    def room_ms(self, wanted: Wanted, venue_now_ms: int) -> int:
        """How long to wait until the address has room for what is wanted; 0 if it has."""
        return room_ms(self._limits, self._weight, wanted, venue_now_ms)

    def blocked(self, lane: Lane, account: str, venue_now_ms: int) -> Blocked | None:
        """What stands in the way now, if anything does: a ban, or a budget that is kept for closes."""
        is_order = lane in {Lane.ORDER, Lane.CLOSE}
        until = max(self._all_until_ns, self._orders_until_ns) if is_order else self._all_until_ns
        left_ns = until - self._clock.monotonic_ns()
        if left_ns > 0:
            return Blocked(-(-left_ns // _NS_A_MS))
        counts = self._weight | self._orders.get(account, {})
        budget_ms = wait_by_budget_ms(lane, counts, venue_now_ms)
        return Blocked(budget_ms) if budget_ms > 0 else None

    def count(self, headers: Mapping[str, str], account: str, venue_now_ms: int) -> None:
        """Keep the counts of one answer: weight for the address, orders for the account."""
        weight = headers.get("X-MBX-USED-WEIGHT-1M")
        orders_10s = headers.get("X-MBX-ORDER-COUNT-10S")
        orders_1m = headers.get("X-MBX-ORDER-COUNT-1M")
        before = self.usage
        self.usage = Usage(
            _count(weight, before.weight_1m),
            _count(orders_10s, before.orders_10s),
            _count(orders_1m, before.orders_1m),
        )
        said = {
            (Counter.WEIGHT, _MINUTE_MS): _count(weight, None),
            (Counter.ORDERS, _TEN_SECONDS_MS): _count(orders_10s, None),
            (Counter.ORDERS, _MINUTE_MS): _count(orders_1m, None),
        }
        for limit in self._limits:
            used = said.get((limit.counter, limit.interval_ms))
            if used is None:
                continue
            kept = self._weight if limit.counter is Counter.WEIGHT else self._orders.setdefault(account, {})
            kept[limit] = Count(used, venue_now_ms)

    def note(self, answer: Answer, venue_now_ms: int) -> None:
        """Close the gate if the answer says so."""
        if answer.status == STATUS_OK or answer.status not in _STATUS_CLIENT_ERROR:
            return
        word = decode_word(answer.body)
        code = word.code if word is not None else None
        if answer.status not in (STATUS_LIMITED, STATUS_BANNED) and code not in (
            CODE_TOO_MUCH_WEIGHT,
            CODE_TOO_MANY_ORDERS,
        ):
            return
        until = self._clock.monotonic_ns() + wait_ms(answer, venue_now_ms) * _NS_A_MS
        if code == CODE_TOO_MANY_ORDERS and answer.status != STATUS_BANNED:
            self._orders_until_ns = max(self._orders_until_ns, until)
        else:
            self._all_until_ns = max(self._all_until_ns, until)


def _count(text: str | None, before: int | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else before
