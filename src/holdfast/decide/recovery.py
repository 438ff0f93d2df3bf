"""What has become of an order without an answer? First match wins.

    | #  | the venue says                                                                  | resolution   |
    |----|---------------------------------------------------------------------------------|--------------|
    |  1 | the lookup found the order                                                      | ADOPT it     |
    |  2 | the stream reported the order                                                   | ADOPT it     |
    |  3 | a trade of the order was seen, or a report of it ever came and it can't be forgotten | KEEP_ASKING |
    |  4 | the lookup failed (no answer)                                                   | KEEP_ASKING  |
    |  5 | "does not exist", before timestamp + recvWindow + margin on the venue's clock   | KEEP_ASKING  |
    |  6 | "does not exist" fewer than twice after that (and not from the future), or not spaced apart | KEEP_ASKING |
    |  7 | trades or the position could not be read after that, or the position changed    | KEEP_ASKING  |
    |  8 | "does not exist" twice, spaced, no event, no trade, position unchanged, or      | NOT_ACCEPTED |
    |    | changed by exactly what the trades of others say                                |              |
    |  9 | the same of an order that was reported once and may be forgotten                | ENDED        |

Row 8 is inferred, not promised by the venue: the matching engine refuses requests older than recvWindow (-5028),
so nothing can enter the book any more (ADR 0003); a fill that shows up later all the same is booked and held as
`late_acceptance`. Nothing is ever sent again (I8).

Row 9: the venue forgets a LIMIT order that ended without any fill `FORGOTTEN_MS` after its creation, one with a fill
`FORGOTTEN_FILLED_MS` after it (venue documentation of GET order); all that it is known to have executed must be booked.
Younger than that, "does not exist" contradicts what was seen and proves nothing. Source: DESIGN §7, ADR 0009.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from holdfast.decide.outcome import was_taken
from holdfast.domain.amounts import ZERO
from holdfast.domain.sides import OrderType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

    from holdfast.domain.limits import Limits
    from holdfast.domain.names import VenueOrderId
    from holdfast.domain.order import Order, OrderReport
    from holdfast.domain.trade import Trade


class Lookup(Enum):
    """What asking for the order brought."""

    FOUND = "found"
    NOT_THERE = "not_there"
    FAILED = "failed"


class Resolution(Enum):
    """What the order is now."""

    ADOPT = "adopt"
    KEEP_ASKING = "keep_asking"
    NOT_ACCEPTED = "not_accepted"
    ENDED = "ended"
    """It rested once and is over, with what is booked of it."""


class Footprint(Enum):
    """Whether anything on the account shows that the order was executed."""

    NONE = "none"
    """Trades and position were read after the window, complete: no trade of it, position unchanged."""
    TRADE = "trade"
    MOVED = "moved"
    """The position is not what it was before the order, and the trades of others do not say why."""
    NOT_READ = "not_read"


@dataclass(frozen=True, slots=True)
class UnknownFacts:
    """All that is known of one order without an answer."""

    order: Order
    limits: Limits
    venue_now_ms: int
    lookup: Lookup
    report: OrderReport | None
    """The lookup's or the stream's report, if any."""
    absences_ms: tuple[int, ...]
    """Venue times of the "does not exist" answers, this one included, oldest first."""
    footprint: Footprint


def moved_by_others(trades: Iterable[Trade], own: Mapping[VenueOrderId, Order]) -> Decimal:
    """What the trades since a leg's watermark did to its position and not to its ledger, signed.

    That is everybody else's trades, and what our own orders (`own`, by the venue's number) closed against the drift.
    With an order in doubt left out of them, ledger plus this is the position if that order was never executed.
    """
    moved = ZERO
    of_own: dict[VenueOrderId, Decimal] = {}
    for trade in trades:
        if trade.order_id in own:
            of_own[trade.order_id] = of_own.get(trade.order_id, ZERO) + trade.qty
        else:
            moved += trade.signed_qty
    for number, qty in of_own.items():
        moved += min(qty, own[number].against_drift_qty) * own[number].side.sign
    return moved


ABSENCE_SPACING_MS = 500
"""Two "does not exist" answers closer than this count as one: one lagging replica could give both."""


EARLIER_MS_MAX = 10_000
"""How far before its own signed timestamp an order's last change may lie: clocks differ by that much at most."""


def is_same_order(order: Order, report: OrderReport) -> bool:
    """Tell whether the venue's order of this client id can be ours.

    A client id is unique only among open orders there, so an older order may answer to it: side, position side,
    quantity (the venue may cut it, never raise it) and time must fit.
    """
    return (
        report.symbol == order.leg.symbol
        and report.side is order.side
        and report.position_side is order.leg.position_side
        and report.qty <= order.qty
        and report.venue_ms >= order.timestamp_ms - EARLIER_MS_MAX
    )


def window_end_ms(order: Order, limits: Limits) -> int:
    """Venue time after which the request can no longer enter the book."""
    return order.timestamp_ms + order.recv_window_ms + limits.unknown_margin_ms


FORGOTTEN_MS = 3 * 24 * 3_600_000
FORGOTTEN_FILLED_MS = 90 * 24 * 3_600_000


def may_be_forgotten(order: Order, venue_now_ms: int) -> bool:
    """Tell whether the venue may have forgotten a LIMIT order that it once had; see row 9."""
    if order.order_type is not OrderType.LIMIT or order.executed_qty > order.booked_qty:
        return False
    memory_ms = FORGOTTEN_FILLED_MS if order.booked_qty > ZERO else FORGOTTEN_MS
    return venue_now_ms - order.timestamp_ms > memory_ms


def are_spaced(absences_ms: list[int]) -> bool:
    """Tell whether "does not exist" was said twice, far enough apart."""
    return bool(absences_ms) and absences_ms[-1] - absences_ms[0] >= ABSENCE_SPACING_MS


def resolve(facts: UnknownFacts) -> Resolution:
    """Run the table (see the module)."""
    order, taken = facts.order, was_taken(facts.order)
    if facts.lookup is Lookup.FOUND or facts.report is not None:
        return Resolution.ADOPT
    if facts.footprint is Footprint.TRADE or facts.lookup is Lookup.FAILED:
        return Resolution.KEEP_ASKING
    if taken and not may_be_forgotten(order, facts.venue_now_ms):
        return Resolution.KEEP_ASKING
    end = window_end_ms(order, facts.limits)
    late = [at for at in facts.absences_ms if end < at <= facts.venue_now_ms]
    if facts.venue_now_ms <= end or not are_spaced(late) or facts.footprint is not Footprint.NONE:
        return Resolution.KEEP_ASKING
    return Resolution.ENDED if taken else Resolution.NOT_ACCEPTED
