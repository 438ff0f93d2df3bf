"""The state tables: what is put is what is read, found by the keys that steps ask with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.domain.close import CloseState
from holdfast.domain.entry import Entry, EntryKind
from holdfast.domain.hold import HoldOwner
from holdfast.domain.ledger import LedgerState, MoveCause
from holdfast.domain.names import ClientOrderId, HoldId, PlanId, TradeId, VenueOrderId
from holdfast.domain.operator import RequestState
from holdfast.domain.order import OrderState
from holdfast.domain.sides import PositionMode, Side, TradingState
from holdfast.domain.trade import Undone
from holdfast.ports.journal import AccountState, PlanRecord
from tests.contract.journal.samples import (
    ACCOUNT,
    ALERT,
    BTC,
    CLOSE,
    ETH,
    ETH_LEG,
    HOLD,
    HOLD_ID,
    LEG,
    LONG,
    ORDER,
    PLAN_ID,
    REQUEST,
    RESULT,
    SHORT,
    TRADE,
    D,
    drift_entry,
    each,
    get,
    put,
    released,
)

if TYPE_CHECKING:
    from holdfast.journal.store import SqlJournal
    from holdfast.ports.journal import Tx
    from tests.contract.journal.places import Place


def test_account_starts_blank_and_keeps_what_is_set(place: Place) -> None:
    """An account never seen is active, without baseline and stamp; each setter changes its own field."""

    async def body(journal: SqlJournal) -> None:
        blank = await get(journal, lambda reads: reads.account())
        assert replace(blank, head_hash="") == AccountState(
            ACCOUNT, None, None, None, TradingState.ACTIVE, "", 0, "", 0
        )
        await put(journal, lambda tx: tx.set_baseline(5, PositionMode.ONE_WAY))
        await put(journal, lambda tx: tx.set_stamp(6))
        await put(journal, lambda tx: tx.set_trading_state(TradingState.HALTED, "why"))
        await put(journal, lambda tx: tx.set_events_published(7))
        await put(journal, lambda tx: tx.set_position_mode(PositionMode.HEDGE))
        full = await get(journal, lambda reads: reads.account())
        assert replace(full, head_hash="") == AccountState(
            ACCOUNT, 5, PositionMode.HEDGE, 6, TradingState.HALTED, "why", 0, "", 7
        )
        await put(journal, lambda tx: tx.set_stamp(None))
        assert (await get(journal, lambda reads: reads.account())).stamp_ms is None

    place.run(body)


def test_ledger_moves_add_up_exactly(place: Place) -> None:
    """Each move adds its delta without rounding and raises the version by 1; a zero delta counts too."""
    deltas = ["123456789012345.000000000000000001", "-0.000000000000000002", "0", "-123456789012345"]

    async def body(journal: SqlJournal) -> None:
        states: list[LedgerState] = []
        for delta in deltas:
            await put(journal, lambda tx, d=delta: states.append(tx.move_ledger(LEG, D(d), MoveCause.REPAIR, "r")))  # type: ignore[misc]  # lambda default
        assert [state.version for state in states] == [1, 2, 3, 4]
        assert states[-1].amt == D("-0.000000000000000001")
        assert await get(journal, lambda reads: reads.leg(LEG)) == states[-1]

    place.run(body)


def test_put_leg_keeps_amount_and_version(place: Place) -> None:
    """`put_leg` writes everything but amount and version, on a leg never moved as well."""

    async def body(journal: SqlJournal) -> None:
        blank = await get(journal, lambda reads: reads.leg(LEG))
        assert (blank.amt, blank.version, blank.is_agreed) == (D(0), 0, False)
        full = LedgerState(LEG, D(9), 9, 0, 1_000, TradeId(5), 900, 1_100, D("-0.5"), 1_050, "AGREED")
        await put(journal, lambda tx: tx.put_leg(full))
        assert await get(journal, lambda reads: reads.leg(LEG)) == replace(full, amt=D(0), version=0)
        await put(journal, lambda tx: tx.move_ledger(LEG, D(2), MoveCause.FILL, "t"))
        await put(journal, lambda tx: tx.put_leg(replace(full, agreed_version=1, watermark_trade_id=None)))
        kept = await get(journal, lambda reads: reads.leg(LEG))
        assert kept == replace(full, amt=D(2), version=1, agreed_version=1, watermark_trade_id=None)
        assert kept.is_agreed
        assert await journal.verify(ACCOUNT) == 0

    place.run(body)


def test_legs_are_listed_in_sort_order(place: Place) -> None:
    """Every leg with a row is listed, in the order of `Leg.sort_key`."""

    async def body(journal: SqlJournal) -> None:
        for leg in (SHORT, ETH_LEG, LEG, LONG):
            await put(journal, lambda tx, leg=leg: tx.move_ledger(leg, D(1), MoveCause.FILL, ""))  # type: ignore[misc]  # lambda default
        legs = [state.leg for state in await get(journal, lambda reads: reads.legs())]
        assert legs == sorted((LEG, LONG, SHORT, ETH_LEG), key=lambda leg: leg.sort_key())

    place.run(body)


def test_holds_are_found_by_symbol_leg_and_id(place: Place) -> None:
    """Open holds are found by symbol whatever their leg, all of a leg newest first, each by its id."""
    on_long = replace(HOLD, hold_id=HoldId("h-2"), leg=LONG, exchange_amt=None, approved_notional=None)
    on_eth = replace(HOLD, hold_id=HoldId("h-3"), leg=ETH_LEG)
    later = replace(HOLD, hold_id=HoldId("h-4"), owner=HoldOwner.OPERATOR, opened_ms=2_000)

    async def body(journal: SqlJournal) -> None:
        await put(journal, lambda tx: each(tx.put_hold, (HOLD, on_long, on_eth, later)))
        of_symbol = await get(journal, lambda reads: reads.open_holds(BTC))
        assert set(of_symbol) == {HOLD, on_long, later}
        assert set(await get(journal, lambda reads: reads.open_holds(None))) == {HOLD, on_long, on_eth, later}
        ended = released(HOLD, 3_000)
        await put(journal, lambda tx: tx.put_hold(ended))
        assert set(await get(journal, lambda reads: reads.open_holds(BTC))) == {on_long, later}
        assert await get(journal, lambda reads: reads.holds_of(LEG, 5)) == (later, ended)
        assert await get(journal, lambda reads: reads.holds_of(LEG, 1)) == (later,)
        assert await get(journal, lambda reads: (reads.hold(HOLD_ID), reads.hold(HoldId("none")))) == (ended, None)

    place.run(body)


def test_orders_are_found_by_id_number_hold_and_life(place: Place) -> None:
    """An order is found by our id, the venue's number, its hold; live ones by symbol and over all."""
    bare = replace(
        ORDER, client_order_id=ClientOrderId("hf-b"), leg=ETH_LEG, price=None, time_in_force=None, hold_id=None,
        cancel=None, venue_order_id=None, avg_price=None, reduce_only=False, state=OrderState.UNKNOWN, created_ms=999,
    )  # fmt: skip
    refused = replace(ORDER, client_order_id=ClientOrderId("hf-c"), state=OrderState.REFUSED, created_ms=1_500)

    async def body(journal: SqlJournal) -> None:
        await put(journal, lambda tx: each(tx.put_order, (ORDER, bare, refused)))
        assert await get(journal, lambda reads: reads.order(ORDER.client_order_id)) == ORDER
        assert await get(journal, lambda reads: reads.order(bare.client_order_id)) == bare
        assert await get(journal, lambda reads: reads.order(ClientOrderId("none"))) is None
        number = VenueOrderId(77)
        await put(journal, lambda tx: tx.put_order(replace(refused, venue_order_id=VenueOrderId(78))))
        assert await get(journal, lambda reads: reads.order_by_number(BTC, number)) == ORDER
        assert await get(journal, lambda reads: reads.order_by_number(ETH, number)) is None
        held = await get(journal, lambda reads: reads.orders_of_hold(HOLD_ID))
        assert [order.client_order_id for order in held] == ["hf-a", "hf-c"]
        assert await get(journal, lambda reads: reads.live_orders(BTC)) == (ORDER,)
        assert await get(journal, lambda reads: reads.live_orders(None)) == (bare, ORDER)

    place.run(body)


def test_order_lives_until_all_that_it_executed_is_booked(place: Place) -> None:
    """A final order with more executed than booked is live; the trade that books the rest settles it."""

    async def body(journal: SqlJournal) -> None:
        await put(journal, lambda tx: tx.put_order(ORDER))
        done = replace(ORDER, state=OrderState.FILLED, executed_qty=D("0.003"))
        await put(journal, lambda tx: tx.put_order(done))
        assert await get(journal, lambda reads: reads.live_orders(BTC)) == (done,)
        second = replace(TRADE, trade_id=TradeId(501), qty=D("0.002"))
        assert await _book(journal, TRADE.trade_id) is True
        assert [o.booked_qty for o in await get(journal, lambda reads: reads.live_orders(BTC))] == [D("0.001")]
        await put(journal, lambda tx: tx.book_trade(second, ORDER, D(0)))
        assert await get(journal, lambda reads: reads.live_orders(BTC)) == ()
        settled = await get(journal, lambda reads: reads.order(ORDER.client_order_id))
        assert settled == replace(done, booked_qty=D("0.003"))

    place.run(body)


async def _book(journal: SqlJournal, trade_id: TradeId, order_id: VenueOrderId = TRADE.order_id) -> bool:
    outcome: list[bool] = []
    trade = replace(TRADE, trade_id=trade_id, order_id=order_id)
    await put(journal, lambda tx: outcome.append(tx.book_trade(trade, ORDER, trade.qty)))
    return outcome[0]


def test_stale_order_put_again_does_not_unbook(place: Place) -> None:
    """Putting an order read before a booking keeps the booking, and settles by what is booked."""

    async def body(journal: SqlJournal) -> None:
        await put(journal, lambda tx: tx.put_order(ORDER))
        await _book(journal, TRADE.trade_id)
        stale = replace(ORDER, state=OrderState.PARTIAL, executed_qty=D("0.001"))
        await put(journal, lambda tx: tx.put_order(stale))
        kept = await get(journal, lambda reads: reads.order(ORDER.client_order_id))
        assert kept == replace(stale, booked_qty=D("0.001"))
        assert await get(journal, lambda reads: reads.live_orders(BTC)) == ()
        await put(journal, lambda tx: tx.put_order(replace(stale, executed_qty=D("0.003"))))
        assert len(await get(journal, lambda reads: reads.live_orders(BTC))) == 1
        assert await journal.verify(ACCOUNT) == 0

    place.run(body)


def test_booked_trades_are_listed_by_id_or_time(place: Place) -> None:
    """Booked ids are listed after an id, or from a venue time on; the last one is known by leg."""

    async def body(journal: SqlJournal) -> None:
        def write(tx: Tx) -> None:
            tx.put_order(ORDER)
            for number, at_ms in ((500, 1_000), (502, 1_200), (501, 1_100)):
                trade = replace(TRADE, trade_id=TradeId(number), venue_ms=at_ms, price=None)
                assert tx.book_trade(trade, ORDER, D(0))

        assert await get(journal, lambda reads: reads.last_trade_id(LEG)) is None
        await put(journal, write)
        assert await get(journal, lambda reads: reads.booked_trade_ids(BTC, TradeId(500), 0)) == {501, 502}
        assert await get(journal, lambda reads: reads.booked_trade_ids(BTC, None, 1_100)) == {501, 502}
        assert await get(journal, lambda reads: reads.booked_trade_ids(ETH, None, 0)) == frozenset()
        assert await get(journal, lambda reads: (reads.last_trade_id(LEG), reads.last_trade_id(LONG))) == (502, None)

    place.run(body)


def test_what_fills_did_beyond_the_ledger_is_listed_by_leg(place: Place) -> None:
    """A fill's part that moved no ledger is listed with its sign, after an id or from a time on; others are not."""

    async def body(journal: SqlJournal) -> None:
        def write(tx: Tx) -> None:
            tx.put_order(ORDER)
            for number, side, qty, part in (
                (500, "BUY", "0.3", "0.3"),
                (501, "SELL", "0.7", "0"),
                (502, "BUY", "5", "2"),
            ):
                trade = replace(TRADE, trade_id=TradeId(number), side=Side(side), qty=D(qty), venue_ms=1_000 + number)
                assert tx.book_trade(trade, ORDER, D(part))

        await put(journal, write)
        both = (Undone(TradeId(501), D("-0.7")), Undone(TradeId(502), D(3)))
        assert await get(journal, lambda reads: reads.undone_fills(LEG, TradeId(500), 0)) == both
        assert await get(journal, lambda reads: reads.undone_fills(LEG, TradeId(501), 0)) == both[1:]
        assert await get(journal, lambda reads: reads.undone_fills(LEG, None, 1_502)) == both[1:]
        assert await get(journal, lambda reads: reads.undone_fills(LONG, None, 0)) == ()

    place.run(body)


def test_plans_are_claimed_answered_and_published(place: Place) -> None:
    """A claimed plan has no result; its result waits until published, a changed result waits again."""

    async def body(journal: SqlJournal) -> None:
        assert await get(journal, lambda reads: reads.plan(PLAN_ID)) is None
        await put(journal, lambda tx: tx.put_plan(PLAN_ID, "hash", BTC, None))
        assert await get(journal, lambda reads: reads.plan(PLAN_ID)) == PlanRecord(PLAN_ID, "hash", None)
        assert await get(journal, lambda reads: reads.unpublished_results(9)) == ()
        await put(journal, lambda tx: tx.put_plan(PLAN_ID, "hash", BTC, RESULT))
        assert await get(journal, lambda reads: reads.plan(PLAN_ID)) == PlanRecord(PLAN_ID, "hash", RESULT)
        assert await get(journal, lambda reads: reads.unpublished_results(9)) == (RESULT,)
        await put(journal, lambda tx: tx.mark_results_published([PLAN_ID]))
        assert await get(journal, lambda reads: reads.unpublished_results(9)) == ()
        await put(journal, lambda tx: tx.put_plan(PLAN_ID, "hash", BTC, RESULT))
        assert await get(journal, lambda reads: reads.unpublished_results(9)) == ()
        corrected = replace(RESULT, avg_price=None, order_id=None, executed=False, error="not_filled")
        await put(journal, lambda tx: tx.put_plan(PLAN_ID, "hash", BTC, corrected))
        assert await get(journal, lambda reads: reads.unpublished_results(9)) == (corrected,)

    place.run(body)


def test_unpublished_results_come_oldest_first_and_bounded(place: Place) -> None:
    """Results wait in the order of their time, and a reader gets no more than it asks for."""

    async def body(journal: SqlJournal) -> None:
        def write(tx: Tx) -> None:
            for number in (3, 1, 2):
                plan_id = PlanId(f"p-{number}")
                tx.put_plan(plan_id, "h", BTC, replace(RESULT, plan_id=plan_id, timestamp_ms=number))

        await put(journal, write)
        assert [r.plan_id for r in await get(journal, lambda reads: reads.unpublished_results(2))] == ["p-1", "p-2"]

    place.run(body)


def test_closes_are_found_by_plan_leg_and_state(place: Place) -> None:
    """A close is found by its plan, by its leg while unfinished, and in the list while nobody claimed it."""
    operators = replace(CLOSE, plan_id=PlanId("c-2"), leg=ETH_LEG, hold_id=None, approval=None, created_ms=500)

    async def body(journal: SqlJournal) -> None:
        await put(journal, lambda tx: each(tx.put_close, (CLOSE, operators)))
        assert await get(journal, lambda reads: reads.planned_closes()) == (operators, CLOSE)
        assert await get(journal, lambda reads: reads.close(CLOSE.plan_id)) == CLOSE
        for state, unfinished in zip(CloseState, (True, True, False, False, False), strict=True):
            close = replace(CLOSE, state=state)
            await put(journal, lambda tx, close=close: tx.put_close(close))  # type: ignore[misc]  # lambda default
            assert await get(journal, lambda reads: reads.unfinished_close(LEG)) == (close if unfinished else None)
            planned = await get(journal, lambda reads: reads.planned_closes())
            assert (close in planned) == (state is CloseState.PLANNED)

    place.run(body)


def test_entries_are_found_by_hold_plan_kind_and_sequence(place: Place) -> None:
    """Entries are found after a sequence, by hold, by plan, and counted by kind."""

    async def body(journal: SqlJournal) -> None:
        def write(tx: Tx) -> None:
            tx.append(drift_entry("1"))
            tx.append(Entry(EntryKind.AGREED, ACCOUNT, BTC))
            tx.append(Entry(EntryKind.HOLD_SET, ACCOUNT, BTC, hold_id=HOLD_ID))
            tx.append(Entry(EntryKind.INTENT, ACCOUNT, BTC, plan_id=PLAN_ID))

        await put(journal, write)
        seqs = await get(
            journal,
            lambda reads: [
                [kept.seq for kept in found]
                for found in (
                    reads.entries_after(1, 2),
                    reads.entries_of_hold(HOLD_ID),
                    reads.entries_of_plan(PLAN_ID),
                    reads.entries_of_hold(HoldId("none")),
                )
            ],
        )
        assert seqs == [[2, 3], [1, 3], [1, 4], []]
        counts = await get(journal, lambda reads: [reads.count_entries(kind) for kind in EntryKind])
        assert sum(counts) == 4
        assert await get(journal, lambda reads: reads.count_entries(EntryKind.DRIFT)) == 1
        newest = await get(journal, lambda reads: [reads.newest_entry(kind) for kind in EntryKind])
        assert {each.seq for each in newest if each is not None} <= {1, 2, 3, 4}
        assert sum(each is not None for each in newest) == sum(count > 0 for count in counts)

        def write_one_without_a_symbol(tx: Tx) -> None:
            tx.append(Entry(EntryKind.HALTED, ACCOUNT))

        await put(journal, write_one_without_a_symbol)
        assert await get(journal, lambda reads: reads.symbols_after(2)) == (BTC,)
        assert await get(journal, lambda reads: reads.symbols_after(4)) == ()

    place.run(body)


def test_requests_are_open_until_ended(place: Place) -> None:
    """A request is listed while open, and found by its id afterwards."""
    plain = replace(REQUEST, request_id="q-0", symbol=None, position_side=None, hold_id=None)

    async def body(journal: SqlJournal) -> None:
        await put(journal, lambda tx: each(tx.put_request, (REQUEST, plain)))
        assert await get(journal, lambda reads: reads.requests_open()) == (plain, REQUEST)
        done = replace(REQUEST, state=RequestState.DONE, outcome="closed")
        await put(journal, lambda tx: tx.put_request(done))
        assert await get(journal, lambda reads: reads.requests_open()) == (plain,)
        assert await get(journal, lambda reads: (reads.request("q-1"), reads.request("q-9"))) == (done, None)

    place.run(body)


def test_alerts_stand_until_acknowledged(place: Place) -> None:
    """An alert is listed until acknowledged; a hold knows its newest one."""
    newer = replace(ALERT, alert_id="a-2", created_ms=3_000, delivered_ms=None)
    plain = replace(ALERT, alert_id="a-3", hold_id=None, symbol=None, created_ms=4_000)

    async def body(journal: SqlJournal) -> None:
        await put(journal, lambda tx: each(tx.put_alert, (ALERT, newer, plain)))
        assert await get(journal, lambda reads: reads.alerts_unacked()) == (ALERT, newer, plain)
        acked = replace(newer, acked_ms=5_000, acked_by="ann")
        await put(journal, lambda tx: tx.put_alert(acked))
        assert await get(journal, lambda reads: reads.alerts_unacked()) == (ALERT, plain)
        assert await get(journal, lambda reads: reads.alert_of_hold(HOLD_ID)) == acked
        assert await get(journal, lambda reads: reads.alert_of_hold(HoldId("none"))) is None

    place.run(body)
