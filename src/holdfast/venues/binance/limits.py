"""The gate before every request: what the venue counted, and until when it wants to be left alone.

Guarantee: after an answer 429, 418, -1003 nothing is sent to the venue before its wait has ended; after -1015
no order is (reads and cancels are not counted as orders). Durations are kept on the monotonic clock: a wall
clock that jumps cannot shorten a ban.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

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
_STATUS_CLIENT_ERROR = range(400, 500)


class Lane(Enum):
    """What kind of request wants through."""

    READ = "read"
    CANCEL = "cancel"
    ORDER = "order"


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
        self.usage = Usage()

    def blocked(self, lane: Lane) -> Blocked | None:
        """What stands in the way now, if anything does."""
        until = max(self._all_until_ns, self._orders_until_ns) if lane is Lane.ORDER else self._all_until_ns
        left_ns = until - self._clock.monotonic_ns()
        return Blocked(-(-left_ns // _NS_A_MS)) if left_ns > 0 else None

    def count(self, headers: Mapping[str, str]) -> None:
        """Keep the counts of one answer."""
        weight = headers.get("X-MBX-USED-WEIGHT-1M")
        orders_10s = headers.get("X-MBX-ORDER-COUNT-10S")
        orders_1m = headers.get("X-MBX-ORDER-COUNT-1M")
        self.usage = replace(
            self.usage,
            weight_1m=_count(weight, self.usage.weight_1m),
            orders_10s=_count(orders_10s, self.usage.orders_10s),
            orders_1m=_count(orders_1m, self.usage.orders_1m),
        )

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
