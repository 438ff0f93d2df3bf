"""What the status command says of an own order that keeps a symbol from trading is what plans are refused by."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.cli.standing import read_standing
from holdfast.domain.order import OrderState
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import OrderType
from holdfast.lab.torture.loop import play
from tests.unit.decide.samples import LIMITS, ORDER, D
from tests.unit.services.world import new_world


@pytest.mark.parametrize(
    ("state", "order_type", "executed", "denied"),
    [
        (OrderState.UNKNOWN, OrderType.MARKET, 0, Reason.ORDER_PENDING),
        (OrderState.PARTIAL, OrderType.MARKET, 2, Reason.ORDER_PENDING),
        (OrderState.OPEN, OrderType.MARKET, 0, Reason.ORDER_PENDING),
        (OrderState.OPEN, OrderType.LIMIT, 0, None),
    ],
)
def test_a_pending_order_is_named_as_what_denies(
    state: OrderState, order_type: OrderType, executed: int, denied: Reason | None
) -> None:
    """In flight, not ended, or executed beyond what is booked: `order_pending`; one that rests denies nothing."""

    async def story() -> None:
        world = await new_world()
        order = replace(ORDER, state=state, order_type=order_type, executed_qty=D(executed))
        await world.write(lambda tx: tx.put_order(order))
        standing = await world.query(lambda reads: read_standing(reads, LIMITS))
        (leg,) = standing.legs
        assert leg.denied is denied

    play(story)
