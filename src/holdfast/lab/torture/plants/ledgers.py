"""Bugs in the ledger: what fills do to it, and what others' trades are taken for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from holdfast.decide.evidence import weigh
from holdfast.domain.amounts import ZERO
from holdfast.domain.order import Order
from holdfast.domain.sides import Decision
from holdfast.journal.writes import SqlTx
from holdfast.lab.torture.plants.catalogue import Catalogue, adder
from holdfast.lab.torture.plants.needs import DRIFT, act, shape
from holdfast.lab.torture.plants.swaps import everywhere, swapped
from holdfast.services import booking

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager
    from decimal import Decimal

    from holdfast.domain.ledger import LedgerState, MoveCause
    from holdfast.domain.sides import Leg
    from holdfast.domain.trade import Trade

LEDGERS: Catalogue = {}
_plant = adder(LEDGERS)


@_plant(
    "forget-a-fill",
    "of several fills that are booked together the last one does not move the ledger",
    shape(lambda shape: shape.fills_per_match > 1),
)
def _forget() -> AbstractContextManager[None]:
    book = booking.book_trades

    def forgetful(tx: Any, order: Order, trades: Iterable[Trade], cause: MoveCause) -> Any:
        given = sorted(trades, key=lambda each: each.trade_id)
        last = f"trade {given[-1].trade_id}" if len(given) > 1 else None
        move = SqlTx.move_ledger

        def moved(self: Any, leg: Leg, delta: Decimal, why: MoveCause, reference: str) -> LedgerState:
            return move(self, leg, ZERO if reference == last else delta, why, reference)

        with swapped(SqlTx, "move_ledger", moved):
            return book(tx, order, given, cause)

    return everywhere(book, forgetful)


@_plant("fill-booked-twice", "a fill that is seen a second time moves the ledger a second time")
def _twice() -> AbstractContextManager[None]:
    book = SqlTx.book_trade

    def always(self: Any, trade: Trade, order: Order, ledger_part: Decimal) -> bool:
        book(self, trade, order, ledger_part)
        return True

    return swapped(SqlTx, "book_trade", always)


@_plant("wrong-sign-on-a-short", "a fill that raises a short position is booked as if it lowered it")
def _sign() -> AbstractContextManager[None]:
    move = SqlTx.move_ledger

    def moved(self: Any, leg: Leg, delta: Decimal, cause: MoveCause, reference: str) -> LedgerState:
        before = self.leg(leg).amt
        wrong = before < ZERO and delta < ZERO
        return move(self, leg, -delta if wrong else delta, cause, reference)

    return swapped(SqlTx, "move_ledger", moved)


@_plant("close-moves-the-ledger", "the fill of a RECONCILE_CLOSE moves the ledger as well as the position", DRIFT)
def _close() -> AbstractContextManager[None]:
    part = Order.ledger_part

    def whole(self: Order, qty: Decimal) -> Decimal:
        return qty if self.decision is Decision.RECONCILE_CLOSE else part(self, qty)

    return swapped(Order, "ledger_part", whole)


@_plant("own-fills-are-foreign", "fills of ours that are missing are taken for others' trades", act("orphaned fill"))
def _foreign() -> AbstractContextManager[None]:
    real = weigh

    def blind(*args: Any, **named: Any) -> Any:
        evidence = real(*args, **named)
        foreign = (*evidence.own, *evidence.foreign)
        return replace(evidence, own=(), own_ledger_qty=ZERO, foreign=foreign)

    return everywhere(weigh, blind)
