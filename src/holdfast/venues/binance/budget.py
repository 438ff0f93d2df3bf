"""Who may still send when the venue's own counters run high: closes before everything else. Pure.

| lane       | what it is                                        | waits when four fifths are used of            |
|------------|---------------------------------------------------|-----------------------------------------------|
| CLOSE      | a RECONCILE_CLOSE or OPERATOR_CLOSE               | (never: only a ban stops it)                  |
| CANCEL     | a cancel                                          | (never)                                       |
| READ       | what apply reads before it closes or to resolve   | (never)                                       |
| LOOK       | the reconciler's looks: hundreds may be wanted    | the weight of our address, at nine tenths     |
| ORDER      | an EXECUTE                                        | an order count of the account                 |
| BACKGROUND | complete views, mark prices, rules: they recur    | the weight of our address                     |

A counter of the venue starts anew at each whole interval of its clock; so a lane waits until the interval in which the
count was read has ended. Counts come from the headers of the last answer, limits from exchangeInfo (never hard-coded:
before it was read, nothing waits). When many symbols drift at once, looks alone could use up the minute and get the
address banned, closes and all: they stop a tenth before that, and go on when the minute has ended. A complete view that
waits lets the account's stamp age, and that denies EXECUTE plans: the budget that is left is the closes'.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

SHARE_NUMERATOR, SHARE_DENOMINATOR = 4, 5
"""Four fifths of a counter may be used by what can wait; the last fifth is kept for closes."""
LOOKS_NUMERATOR, LOOKS_DENOMINATOR = 9, 10
"""Looks, which closes need, may use nine tenths; what is under way when they are reached fits into the last one."""

VIEW_WEIGHT = 5
"""A complete view, `positionRisk` of all symbols (venue documentation)."""
VIEW_AND_MODE_WEIGHT = VIEW_WEIGHT + 1
"""A view, and its part of a reading of the position mode, which weighs as much and comes with every fifth."""
VIEWS_NUMERATOR, VIEWS_DENOMINATOR = 9, 16
"""The part of the weight for the complete views and modes of all accounts of one address together."""
OPEN_ORDERS_WEIGHT = 40
"""All open orders of an account (venue documentation)."""
OPEN_ORDERS_DENOMINATOR = 16
"""A sixteenth is for reading them."""


class Lane(Enum):
    """What kind of request wants through."""

    READ = "read"
    LOOK = "look"
    BACKGROUND = "background"
    CANCEL = "cancel"
    ORDER = "order"
    CLOSE = "close"


class Counter(Enum):
    """What the venue counts."""

    WEIGHT = "REQUEST_WEIGHT"
    """Per address."""
    ORDERS = "ORDERS"
    """Per account."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of exchangeInfo."""

    counter: Counter
    interval_ms: int
    count_max: int


@dataclass(frozen=True, slots=True)
class Count:
    """The venue's own count for one limit, and the venue's time at which it was read."""

    used: int
    read_ms: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Weight that somebody is about to use, and what goes on from then on."""

    at_once: int
    per_minute: int


_MINUTE_MS = 60_000
_SHARE = (SHARE_NUMERATOR, SHARE_DENOMINATOR)
_COUNTED = {
    Lane.BACKGROUND: (Counter.WEIGHT, _SHARE),
    Lane.LOOK: (Counter.WEIGHT, (LOOKS_NUMERATOR, LOOKS_DENOMINATOR)),
    Lane.ORDER: (Counter.ORDERS, _SHARE),
}


def wait_ms(lane: Lane, counts: dict[Limit, Count], venue_now_ms: int) -> int:
    """How long the lane must wait by these counts; 0 if it need not."""
    counter, (numerator, denominator) = _COUNTED.get(lane, (None, _SHARE))
    waits = [0]
    for limit, count in counts.items():
        if limit.counter is not counter or count.used * denominator < limit.count_max * numerator:
            continue
        ends_ms = (count.read_ms // limit.interval_ms + 1) * limit.interval_ms
        waits.append(ends_ms - venue_now_ms)
    return max(waits)


def view_spacing_ms(limits: tuple[Limit, ...]) -> int:
    """How far apart complete views of one address must lie, whichever account's they are; 0 if no limit is known."""
    return _spacing_ms(limits, VIEW_AND_MODE_WEIGHT * VIEWS_DENOMINATOR, VIEWS_NUMERATOR)


def open_orders_spacing_ms(limits: tuple[Limit, ...]) -> int:
    """The same of readings of all open orders."""
    return _spacing_ms(limits, OPEN_ORDERS_WEIGHT * OPEN_ORDERS_DENOMINATOR, 1)


def _spacing_ms(limits: tuple[Limit, ...], weight: int, numerator: int) -> int:
    counted = [limit for limit in limits if limit.counter is Counter.WEIGHT]
    return max((-(-weight * each.interval_ms // max(each.count_max * numerator, 1)) for each in counted), default=0)


def room_ms(limits: tuple[Limit, ...], counts: dict[Limit, Count], wanted: Wanted, venue_now_ms: int) -> int:
    """How long to wait until the address has room for what is wanted besides closes; 0 if it has.

    What comes later in the same interval counts too: with less, views would have to wait for the interval's end.
    """
    waits = [0]
    for limit in limits:
        if limit.counter is not Counter.WEIGHT:
            continue
        number, passed_ms = divmod(venue_now_ms, limit.interval_ms)
        count = counts.get(limit)
        used = count.used if count is not None and count.read_ms // limit.interval_ms == number else 0
        left_ms = limit.interval_ms - passed_ms
        later = wanted.per_minute * left_ms // _MINUTE_MS
        if (used + wanted.at_once + later) * SHARE_DENOMINATOR > limit.count_max * SHARE_NUMERATOR:
            waits.append(left_ms)
    return max(waits)
