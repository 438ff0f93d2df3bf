"""The table of resting orders that must end, enumerated."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

from holdfast.decide.cancelling import CancelFacts, why_to_cancel
from holdfast.domain.hold import HoldOwner, HoldReason
from holdfast.domain.order import CancelAsked, OrderState
from holdfast.domain.sides import OrderType, PositionSide, Side, TradingState
from tests.unit.decide.samples import CLOSE, HOLD, LEG, LONG_LEG, NOW, ORDER, SHORT_LEG, D
from tests.unit.decide.tables import Row, hold_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.domain.hold import Hold

RESTING = replace(ORDER, order_type=OrderType.LIMIT, price=D(10), state=OrderState.OPEN)
ASKED = CancelAsked(NOW, "plan p2")
LEGS = (LEG, LONG_LEG, SHORT_LEG)
QUIET = {HoldReason.VIEW_MISSING, HoldReason.VIEW_STALE, HoldReason.FOREIGN_ORDER, HoldReason.OPERATOR}


def raises(facts: CancelFacts) -> bool:
    """It is neither reduce-only nor closes a hedge leg."""
    order = facts.order
    closes = {PositionSide.LONG: Side.SELL, PositionSide.SHORT: Side.BUY}.get(order.leg.position_side)
    return not order.reduce_only and order.side is not closes


ROWS: list[Row[CancelFacts]] = [
    Row(
        "1",
        lambda f: f.order.state is not OrderState.OPEN or f.order.order_type is OrderType.MARKET,
        False,
    ),
    Row("2", lambda f: f.order.cancel is not None, True),
    Row("3", lambda f: f.unfinished is not None, True),
    Row("4", lambda f: any(h.leg == f.order.leg and h.reason not in QUIET for h in f.holds), True),
    Row("5", lambda f: raises(f) and len(f.holds) > 0, True),
    Row("6", lambda f: raises(f) and f.trading is TradingState.HALTED, True),
    Row("7", lambda _: True, False),
]


def world() -> Iterator[CancelFacts]:
    """Every order with every hold, close and switch."""
    orders = [
        replace(RESTING, leg=leg, side=side, reduce_only=reduces, cancel=cancel)
        for leg, side, reduces, cancel in product(LEGS, Side, (True, False), (None, ASKED))
    ]
    orders += [replace(RESTING, state=state) for state in OrderState]
    orders += [replace(ORDER, state=state, cancel=ASKED) for state in OrderState]
    holds: list[tuple[Hold, ...]] = [()]
    holds += [(replace(HOLD, reason=reason, leg=leg),) for reason in HoldReason for leg in LEGS]
    holds.append((replace(HOLD, reason=HoldReason.OPERATOR, owner=HoldOwner.OPERATOR), HOLD))
    for order, found, close, trading in product(orders, holds, (None, CLOSE), TradingState):
        yield CancelFacts(order, found, close, trading)


def test_every_order_falls_under_its_row() -> None:
    """Over every order, hold, close and switch the first row that applies says whether it is cancelled, and why."""
    decided = hold_to(ROWS, world(), lambda f: bool(why_to_cancel(f)))
    assert sum(decided.values()) > 2_000


def test_the_reason_names_what_stands() -> None:
    """Whoever reads the journal sees which close, hold or halt ended the order."""
    close = CancelFacts(RESTING, (HOLD,), CLOSE, TradingState.ACTIVE)
    assert CLOSE.plan_id in str(why_to_cancel(close))
    assert HOLD.hold_id in str(why_to_cancel(replace(close, unfinished=None)))
    assert "halted" in str(why_to_cancel(replace(close, unfinished=None, holds=(), trading=TradingState.HALTED)))
    asked = replace(close, order=replace(RESTING, cancel=ASKED))
    assert why_to_cancel(asked) == ASKED.why
