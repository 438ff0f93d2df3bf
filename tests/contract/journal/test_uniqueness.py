"""What must be unique is unique in the database: a step that breaks it is undone, whatever its code believed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.close import CloseState
from holdfast.domain.errors import Unclassified
from holdfast.domain.hold import HoldOwner
from holdfast.domain.names import ClientOrderId, HoldId, PlanId, TradeId, VenueOrderId
from tests.contract.journal.samples import (
    ACCOUNT,
    BTC,
    CLOSE,
    ETH_LEG,
    HOLD,
    LEG,
    LONG,
    ORDER,
    TRADE,
    D,
    drift_entry,
    each,
    get,
    put,
    released,
)

if TYPE_CHECKING:
    from holdfast.domain.trade import Trade
    from holdfast.journal.store import SqlJournal
    from holdfast.ports.journal import Tx
    from tests.contract.journal.places import Place


def test_second_open_hold_of_an_owner_on_a_leg_is_refused(place: Place) -> None:
    """One leg carries one open hold an owner; another owner's, another leg's and a released one do not count."""
    second = replace(HOLD, hold_id=HoldId("h-2"))

    async def body(journal: SqlJournal) -> None:
        await put(journal, lambda tx: tx.put_hold(HOLD))
        with pytest.raises(Unclassified, match=r"(?i)unique"):
            await put(journal, lambda tx: tx.put_hold(second))
        await put(journal, lambda tx: tx.put_hold(replace(second, owner=HoldOwner.OPERATOR)))
        await put(journal, lambda tx: tx.put_hold(replace(HOLD, hold_id=HoldId("h-3"), leg=LONG)))
        third = replace(HOLD, hold_id=HoldId("h-4"))
        await put(journal, lambda tx: each(tx.put_hold, (released(HOLD, 9), third)))
        assert len(await get(journal, lambda reads: reads.open_holds(BTC))) == 3

    place.run(body)


def test_second_unfinished_close_of_a_leg_is_refused(place: Place) -> None:
    """One leg carries one planned or claimed close; a finished one makes room."""
    second = replace(CLOSE, plan_id=PlanId("c-2"))

    async def body(journal: SqlJournal) -> None:
        await put(journal, lambda tx: tx.put_close(CLOSE))
        for state in (CloseState.PLANNED, CloseState.CLAIMED):
            with pytest.raises(Unclassified, match=r"(?i)unique"):
                await put(journal, lambda tx, s=state: tx.put_close(replace(second, state=s)))  # type: ignore[misc]  # lambda default
        await put(journal, lambda tx: tx.put_close(replace(second, leg=ETH_LEG)))
        third = replace(CLOSE, plan_id=PlanId("c-3"))
        superseded = replace(CLOSE, state=CloseState.SUPERSEDED)
        await put(journal, lambda tx: each(tx.put_close, (superseded, third)))
        assert await get(journal, lambda reads: reads.unfinished_close(LEG)) == third

    place.run(body)


def test_trade_is_booked_once(place: Place) -> None:
    """A trade booked before is not booked again and changes nothing; another order's or trade's is another fill."""
    other_order = replace(ORDER, client_order_id=ClientOrderId("hf-b"), venue_order_id=VenueOrderId(78))

    async def body(journal: SqlJournal) -> None:
        answers: list[bool] = []

        async def book(trade: Trade, part: str) -> None:
            await put(journal, lambda tx: answers.append(tx.book_trade(trade, ORDER, D(part))))

        await put(journal, lambda tx: each(tx.put_order, (ORDER, other_order)))
        await book(TRADE, "0.001")
        await book(replace(TRADE, qty=D(5)), "5")
        await book(replace(TRADE, trade_id=TradeId(501)), "0")
        await put(
            journal,
            lambda tx: answers.append(tx.book_trade(replace(TRADE, order_id=VenueOrderId(78)), other_order, D(0))),
        )
        assert answers == [True, False, True, True]
        order = await get(journal, lambda reads: reads.order(ORDER.client_order_id))
        assert order is not None
        assert order.booked_qty == D("0.002")

    place.run(body)


def test_trade_of_an_unknown_order_is_refused(place: Place) -> None:
    """A trade can only be booked on an order that the journal has."""

    async def body(journal: SqlJournal) -> None:
        with pytest.raises(Unclassified, match="unknown order hf-a"):
            await put(journal, lambda tx: tx.book_trade(TRADE, ORDER, D(0)))
        assert await get(journal, lambda reads: reads.booked_trade_ids(BTC, None, 0)) == frozenset()

    place.run(body)


def test_refused_step_does_not_stop_the_journal(place: Place) -> None:
    """After a step that broke a rule of the schema, the next one works."""

    async def body(journal: SqlJournal) -> None:
        await put(journal, lambda tx: tx.put_hold(HOLD))
        with pytest.raises(Unclassified):
            await put(journal, lambda tx: tx.put_hold(replace(HOLD, hold_id=HoldId("h-2"))))
        await put(journal, lambda tx: tx.put_hold(released(HOLD, 5)))
        assert await get(journal, lambda reads: reads.open_holds(None)) == ()

    place.run(body)


def test_step_refused_at_its_last_statement_leaves_its_group_alone(place: Place) -> None:
    """A step whose last write breaks a rule takes its entries and its changes of the account with it, nobody else's."""

    def bad(tx: Tx) -> None:
        tx.append(drift_entry("bad"))
        tx.set_stamp(5)
        tx.put_hold(replace(HOLD, hold_id=HoldId("h-2")))

    async def body(journal: SqlJournal) -> None:
        await put(journal, lambda tx: tx.put_hold(HOLD))
        steps = [put(journal, lambda tx: tx.append(drift_entry("good"))), put(journal, bad)]
        steps += [put(journal, lambda tx: tx.append(drift_entry("next")))]
        outcomes = await asyncio.gather(*steps, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [type(None), Unclassified, type(None)]
        account = await get(journal, lambda reads: reads.account())
        assert (account.stamp_ms, account.last_seq) == (None, 2)
        entries = await get(journal, lambda reads: reads.entries_after(0, 9))
        assert [kept.entry.body["text"] for kept in entries] == ["good", "next"]
        assert await journal.verify(ACCOUNT) == 2

    place.run(body)
