"""Classing the trades that the ledger lacks: every kind of order behind a trade, and what the sums say."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

from holdfast.decide.evidence import missing_trades, weigh
from holdfast.domain.names import ClientOrderId, TradeId, VenueOrderId
from holdfast.domain.order import OrderState
from holdfast.domain.sides import Decision, PositionSide, Side
from holdfast.domain.trade import TradePage, Undone
from tests.unit.decide.samples import LEDGER, NOW, ORDER, OTHER_SYMBOL, TRADE, D
from tests.unit.decide.tables import Row, hold_to

if TYPE_CHECKING:
    from holdfast.decide.evidence import Evidence
    from holdfast.domain.order import Order
    from holdfast.domain.trade import Trade

Case = tuple[bool, str | None, str | None, bool]
"""In the journal by its venue number; client id on the trade; client id looked up; by the venue's own word."""

IDS = (None, "hf-unknown", "autoclose-1", "adl_autoclose", "settlement_autoclose-2", "web_1", "x-adl_autoclose", "")
FORCED = ("autoclose-1", "adl_autoclose", "settlement_autoclose-2")
OWN = replace(ORDER, state=OrderState.FILLED, executed_qty=D(5), venue_order_id=TRADE.order_id)


def name_of(case: Case) -> str | None:
    """The client id that is known: the trade's own, else the one that was looked up."""
    return case[1] or case[2]


ROWS: list[Row[Case]] = [
    Row("own", lambda case: case[0], "own"),
    Row("ours, not in the journal", lambda case: (name_of(case) or "").startswith("hf-"), "stray"),
    Row("forced", lambda case: name_of(case) in FORCED or case[3], "forced"),
    Row("not known", lambda case: not name_of(case), "nothing"),
    Row("foreign", lambda _: True, "foreign"),
]


def weighed(
    trades: list[Trade],
    own: dict[VenueOrderId, Order],
    looked_up: str | None,
    *,
    complete: bool,
    said: frozenset[VenueOrderId] = frozenset(),
) -> Evidence:
    """Weigh a page of trades."""
    names = {} if looked_up is None else {trade.order_id: ClientOrderId(looked_up) for trade in trades}
    page = TradePage(tuple(trades), complete)
    return weigh(
        page, LEDGER, frozenset(), own_orders=own, client_ids=names, forced_orders=said, undone=(), read_ms=NOW
    )


def classed(case: Case) -> str:
    """The class of the one trade."""
    journaled, on_trade, looked_up, by_venue = case
    trade = replace(TRADE, client_order_id=None if on_trade is None else ClientOrderId(on_trade))
    own = {TRADE.order_id: OWN} if journaled else {}
    said = frozenset({trade.order_id} if by_venue else ())
    found = weighed([trade], own, looked_up, complete=True, said=said)
    classes = {"own": found.own, "forced": found.forced, "foreign": found.foreign, "stray": found.stray}
    named = [name for name, trades in classes.items() if [each.trade_id for each in trades] == [trade.trade_id]]
    assert found.complete is (len(named) == 1 and not found.stray), "what is not known, or not in the journal"
    assert not weighed([trade], own, looked_up, complete=False).complete, "a page that was cut off proves nothing"
    return named[0] if named else "nothing"


def test_every_trade_falls_into_its_class() -> None:
    """Whatever is known of the order behind a trade, its class is that of the first row that applies."""
    hold_to(ROWS, product((True, False), IDS, (None, *IDS[1:]), (True, False)), classed)


def test_an_own_order_found_by_its_name_is_own() -> None:
    """An order whose venue number the journal did not know, found by its client id, makes its trade own."""
    found = weighed([TRADE], {TRADE.order_id: replace(OWN, venue_order_id=None)}, ORDER.client_order_id, complete=True)
    assert found.own == (replace(TRADE, client_order_id=ORDER.client_order_id),), "it carries the name it was found by"
    assert (found.own_ledger_qty, found.complete) == (D(5), True)


def test_trades_of_other_legs_and_booked_ones_are_left_out() -> None:
    """Only trades of this very leg that were not booked are missing, in the page's order."""
    mine = [replace(TRADE, trade_id=TradeId(number)) for number in (101, 102, 103)]
    others = [replace(TRADE, symbol=OTHER_SYMBOL), replace(TRADE, position_side=PositionSide.LONG)]
    page = TradePage((others[0], *mine, others[1]), complete=True)
    assert missing_trades(page, LEDGER, frozenset({TradeId(102)})) == (mine[0], mine[2])


def test_a_trade_that_shows_after_its_effect_was_adopted_counts_no_more() -> None:
    """What happened until the moment that was adopted is in the ledger, whatever its id; what came after it is not."""
    until, later = (replace(TRADE, trade_id=TradeId(n), venue_ms=NOW + n) for n in (101, 102))
    adopted = replace(LEDGER, watermark_ms=until.venue_ms)
    assert missing_trades(TradePage((until, later), complete=True), adopted, frozenset()) == (later,)


def test_the_sums_are_signed_and_the_watermark_is_the_highest_id() -> None:
    """Forced and foreign trades add up with their signs; the highest id of the page is kept, whoever traded it."""
    trades = [
        replace(TRADE, trade_id=TradeId(104), order_id=VenueOrderId(1), side=Side.SELL, qty=D(3)),
        replace(TRADE, trade_id=TradeId(101), order_id=VenueOrderId(1), side=Side.BUY, qty=D(1)),
    ]
    foreign = weighed(trades, {}, "web_1", complete=True)
    forced = weighed(trades, {}, "autoclose-1", complete=True)
    assert (foreign.total_qty, foreign.forced_qty) == (D(-2), D(0))
    assert (forced.foreign, forced.forced_qty) == ((), D(-2))
    assert foreign.last_trade_id == 104
    assert (foreign.ledger_version, foreign.read_ms) == (LEDGER.version, NOW)
    assert weighed([], {}, None, complete=True).last_trade_id is None


def test_only_all_of_it_explains_a_drift() -> None:
    """All classes add up; one cut page, one other ledger or one lot less explain nothing."""
    close = replace(OWN, decision=Decision.RECONCILE_CLOSE, side=Side.SELL, against_drift_qty=D(5))
    trades = [
        replace(TRADE, trade_id=TradeId(101), qty=D(9), order_id=VenueOrderId(1)),
        replace(TRADE, trade_id=TradeId(103), qty=D(1), side=Side.SELL),
    ]
    page = TradePage(tuple(trades), complete=True)
    names = {VenueOrderId(1): ClientOrderId("web_1")}
    undone = (Undone(TradeId(102), D(-3)),)
    found = weigh(
        page,
        LEDGER,
        frozenset(),
        own_orders={TRADE.order_id: close},
        client_ids=names,
        forced_orders=frozenset(),
        undone=undone,
        read_ms=NOW,
    )
    assert (found.own_ledger_qty, found.total_qty) == (D(0), D(5))
    assert found.explains(D(5), LEDGER)
    assert not found.explains(D(4), LEDGER)
    assert not replace(found, complete=False).explains(D(5), LEDGER)
    assert not found.explains(D(5), replace(LEDGER, version=LEDGER.version + 1))
    assert not found.explains(D(5), replace(LEDGER, last_fill_ms=LEDGER.last_fill_ms + 1)), "a close was booked since"


def test_own_trades_move_the_ledger_by_their_orders_part_only() -> None:
    """However an order's fills are cut into trades, booking them moves the ledger by the part of its intent alone."""
    for side, against, booked, cuts in product(Side, (0, 2, 5), (0, 1, 2), ([4], [1, 3], [2, 2], [1, 1, 2])):
        if booked > 5 - 4:
            continue
        order = replace(
            OWN, side=side, decision=Decision.OPERATOR_CLOSE, against_drift_qty=D(against), booked_qty=D(booked)
        )
        trades = [replace(TRADE, trade_id=TradeId(200 + n), side=side, qty=D(qty)) for n, qty in enumerate(cuts)]
        moved, now_booked = 0, booked
        for qty in cuts:  # one unit after the other, as the intent says: the first `against` never move the ledger
            for _ in range(qty):
                moved += (1 if side is Side.BUY else -1) * (now_booked >= against)
                now_booked += 1
        found = weighed(trades, {TRADE.order_id: order}, None, complete=True)
        assert found.own_ledger_qty == moved, (side, against, booked, cuts)
