"""The table of an order without an answer, enumerated."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import pytest

from holdfast.decide.recovery import (
    ABSENCE_SPACING_MS,
    EARLIER_MS_MAX,
    FORGOTTEN_FILLED_MS,
    FORGOTTEN_MS,
    Footprint,
    Lookup,
    Resolution,
    UnknownFacts,
    is_same_order,
    moved_by_others,
    resolve,
    window_end_ms,
)
from holdfast.domain.names import VenueOrderId
from holdfast.domain.order import OrderState
from holdfast.domain.sides import OrderType, PositionSide, Side
from tests.unit.decide.samples import LIMITS, NOW, ORDER, OTHER_SYMBOL, REPORT, TRADE, ZERO, D
from tests.unit.decide.tables import Row, hold_to

if TYPE_CHECKING:
    from collections.abc import Iterator

UNKNOWN = replace(ORDER, state=OrderState.UNKNOWN)
TAKEN = (
    replace(UNKNOWN, venue_order_id=VenueOrderId(1)),
    replace(UNKNOWN, executed_qty=D(1)),
    replace(UNKNOWN, booked_qty=D(1)),
)
END = ORDER.timestamp_ms + ORDER.recv_window_ms + LIMITS.unknown_margin_ms
SPACE = ABSENCE_SPACING_MS
NOWS = (END - 1, END, END + 1, END + 1 + SPACE, END + 2 + SPACE)
ABSENCES = (
    (),
    (END,),
    (END + 1,),
    (END, END + SPACE),
    (END + 1, END + SPACE),
    (END + 1, END + 1 + SPACE),
    (END - 9, END + 1, END + 2, END + 1 + SPACE),
    (END + 1, END + 2 + SPACE),
)


def late(facts: UnknownFacts) -> list[int]:
    """The absences that count: after the window, not from the future."""
    return [at for at in facts.absences_ms if at > END and at <= facts.venue_now_ms]


def was_seen(facts: UnknownFacts) -> bool:
    """The venue has shown the order once."""
    order = facts.order
    return order.venue_order_id is not None or order.executed_qty != ZERO or order.booked_qty != ZERO


ROWS: list[Row[UnknownFacts]] = [
    Row("1", lambda f: f.lookup is Lookup.FOUND, Resolution.ADOPT),
    Row("2", lambda f: f.report is not None, Resolution.ADOPT),
    Row("3", lambda f: f.footprint is Footprint.TRADE or was_seen(f), Resolution.KEEP_ASKING),
    Row("4", lambda f: f.lookup is Lookup.FAILED, Resolution.KEEP_ASKING),
    Row("5", lambda f: f.venue_now_ms <= END, Resolution.KEEP_ASKING),
    Row("6 fewer", lambda f: len(late(f)) < 2, Resolution.KEEP_ASKING),
    Row("6 not spaced", lambda f: max(late(f), default=0) - min(late(f), default=0) < SPACE, Resolution.KEEP_ASKING),
    Row("7 not read", lambda f: f.footprint is Footprint.NOT_READ, Resolution.KEEP_ASKING),
    Row("7 moved", lambda f: f.footprint is Footprint.MOVED, Resolution.KEEP_ASKING),
    Row("8", lambda _: True, Resolution.NOT_ACCEPTED),
]


def world() -> Iterator[UnknownFacts]:
    """Every combination of what the venue may say."""
    for order, now, lookup, report, absences, footprint in product(
        (UNKNOWN, *TAKEN), NOWS, Lookup, (None, REPORT), ABSENCES, Footprint
    ):
        yield UnknownFacts(order, LIMITS, now, lookup, report, absences, footprint)


def test_every_answer_falls_under_its_row() -> None:
    """Over every combination of answers the resolution is that of the first row that applies."""
    decided = hold_to(ROWS, world(), resolve)
    assert decided["8"] > 0


def test_the_window_ends_when_the_venue_can_take_the_request_no_more() -> None:
    """The window is the signed timestamp, the recvWindow and a margin, on the venue's clock."""
    assert window_end_ms(ORDER, LIMITS) == NOW - 100 + 2_000 + 1_000


def test_absence_proves_nothing_while_anything_else_is_seen() -> None:
    """NOT_ACCEPTED needs every single one of its conditions: take any away and the order is asked about again (I8)."""
    proof = UnknownFacts(
        UNKNOWN, LIMITS, END + 1 + SPACE, Lookup.NOT_THERE, None, (END + 1, END + 1 + SPACE), Footprint.NONE
    )
    assert resolve(proof) is Resolution.NOT_ACCEPTED
    for weaker in (
        replace(proof, venue_now_ms=END + SPACE),
        replace(proof, lookup=Lookup.FAILED),
        replace(proof, absences_ms=(END + 1,)),
        replace(proof, absences_ms=(END, END + SPACE)),
        *(replace(proof, footprint=each) for each in Footprint if each is not Footprint.NONE),
        *(replace(proof, order=each) for each in TAKEN),
    ):
        assert resolve(weaker) is Resolution.KEEP_ASKING, weaker


def test_an_older_order_under_the_same_client_id_is_not_ours() -> None:
    """A report is of our order only if symbol, side, position side, quantity and time all fit."""
    since = ORDER.timestamp_ms - EARLIER_MS_MAX
    for fits in (REPORT, replace(REPORT, qty=D(1)), replace(REPORT, venue_ms=since)):
        assert is_same_order(ORDER, fits)
    for other in (
        replace(REPORT, symbol=OTHER_SYMBOL),
        replace(REPORT, side=Side.SELL),
        replace(REPORT, position_side=PositionSide.LONG),
        replace(REPORT, qty=ORDER.qty + 1),
        replace(REPORT, venue_ms=since - 1),
    ):
        assert not is_same_order(ORDER, other)


@pytest.mark.parametrize(
    ("of_others", "own_closed", "against_drift", "moved"),
    [("0", "0", "0", "0"), ("3", "0", "0", "3"), ("3", "3", "3", "0"), ("3", "5", "3", "0"), ("0", "5", "0", "0")],
)
def test_what_others_moved_is_their_trades_and_what_own_orders_closed_of_them(
    of_others: str, own_closed: str, against_drift: str, moved: str
) -> None:
    """Own fills that the ledger followed explain nothing; own fills against the drift undo what others did."""
    foreign, close = VenueOrderId(900), replace(ORDER, side=Side.SELL, against_drift_qty=D(against_drift))
    parts = [replace(TRADE, order_id=foreign, side=Side.BUY, qty=D(of_others))]
    half = D(own_closed) / 2
    parts += [replace(TRADE, order_id=VenueOrderId(901), side=Side.SELL, qty=half)] * 2

    assert moved_by_others(parts, {VenueOrderId(901): close}) == D(moved)


OLD = replace(
    UNKNOWN,
    order_type=OrderType.LIMIT,
    price=D(10),
    venue_order_id=VenueOrderId(1),
    timestamp_ms=NOW - FORGOTTEN_MS - 1,
)
FILLED_OLD = replace(OLD, executed_qty=D(2), booked_qty=D(2), timestamp_ms=NOW - FORGOTTEN_FILLED_MS - 1)
FORGOTTEN = UnknownFacts(OLD, LIMITS, NOW, Lookup.NOT_THERE, None, (NOW - SPACE, NOW), Footprint.NONE)


def test_an_order_that_rested_ends_only_once_the_venue_may_have_forgotten_it() -> None:
    """Old enough, all booked, absent twice, no trace: ended. Take any of it away and it is asked about again."""
    for facts in (
        FORGOTTEN,
        replace(FORGOTTEN, order=replace(OLD, state=OrderState.OPEN)),
        replace(FORGOTTEN, order=FILLED_OLD),
    ):
        assert resolve(facts) is Resolution.ENDED, facts
    for weaker in (
        replace(FORGOTTEN, order=replace(OLD, timestamp_ms=NOW - FORGOTTEN_MS)),
        replace(FORGOTTEN, order=replace(OLD, order_type=OrderType.MARKET)),
        replace(FORGOTTEN, order=replace(OLD, executed_qty=D(1))),
        replace(FORGOTTEN, order=replace(FILLED_OLD, timestamp_ms=NOW - FORGOTTEN_FILLED_MS)),
        replace(FORGOTTEN, order=replace(FILLED_OLD, booked_qty=D(1))),
        replace(FORGOTTEN, lookup=Lookup.FAILED),
        replace(FORGOTTEN, absences_ms=(NOW,)),
        replace(FORGOTTEN, absences_ms=(NOW - SPACE + 1, NOW)),
        *(replace(FORGOTTEN, footprint=each) for each in Footprint if each is not Footprint.NONE),
    ):
        assert resolve(weaker) is Resolution.KEEP_ASKING, weaker
    assert resolve(replace(FORGOTTEN, lookup=Lookup.FOUND)) is Resolution.ADOPT
    assert resolve(replace(FORGOTTEN, report=REPORT)) is Resolution.ADOPT
