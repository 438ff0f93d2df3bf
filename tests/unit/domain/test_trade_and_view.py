"""Trades and views: signs, legs, who placed an order, and that only a complete answer makes a leg flat."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.domain.errors import Halting
from holdfast.domain.names import AccountId
from holdfast.domain.sides import Leg, PlanSide, PositionSide, Side, Source
from holdfast.domain.trade import is_forced_client_order_id
from holdfast.domain.view import AccountView
from tests.unit.decide.samples import (
    ACCOUNT,
    LEG,
    LONG_LEG,
    NOW,
    OTHER_LEG,
    OTHER_SYMBOL,
    SHORT_LEG,
    SYMBOL,
    TRADE,
    VIEW,
    D,
)

WHOLE = AccountView(ACCOUNT, None, {LEG: VIEW}, absent_as_of_ms=NOW - 900, read_ms=NOW, source=Source.REST)


def test_a_trade_moves_its_own_leg_by_its_signed_quantity() -> None:
    """A BUY raises its leg by its quantity, a SELL lowers it; the leg is named by the trade's position side."""
    assert TRADE.signed_qty == 5
    assert replace(TRADE, side=Side.SELL).signed_qty == -5
    assert TRADE.leg_of(ACCOUNT) == LEG
    assert replace(TRADE, position_side=PositionSide.SHORT).leg_of(ACCOUNT) == SHORT_LEG


@pytest.mark.parametrize(
    ("text", "forced"),
    [
        ("autoclose-1699999", True),
        ("adl_autoclose", True),
        ("settlement_autoclose-1", True),
        ("", False),
        ("autoclose", False),
        ("my-autoclose-1", False),
        ("hf-autoclose-", False),
        ("web_1", False),
    ],
)
def test_only_the_venues_own_names_are_forced(text: str, forced: bool) -> None:  # noqa: FBT001 - a table's column
    """An order is the venue's own by its prefix alone; a name that merely contains it is somebody's."""
    assert is_forced_client_order_id(text) is forced


def test_a_complete_answer_makes_the_absent_flat() -> None:
    """A leg that the complete answer names is as named; one that it omits was flat at the answer's own time."""
    assert WHOLE.of(LEG) is VIEW
    flat = WHOLE.of(OTHER_LEG)
    assert (flat.amt, flat.as_of_ms, flat.read_ms, flat.leg) == (D(0), NOW - 900, NOW, OTHER_LEG)
    assert WHOLE.of(LONG_LEG).amt == 0


def test_an_answer_about_one_symbol_makes_no_other_flat() -> None:
    """A leg of another symbol, or another account, is not flat for being absent: asking is refused aloud (I5)."""
    one = replace(WHOLE, symbol=SYMBOL, positions={})
    assert one.of(LEG).amt == 0
    assert one.of(LONG_LEG).amt == 0
    with pytest.raises(Halting):
        one.of(OTHER_LEG)
    with pytest.raises(Halting):
        WHOLE.of(Leg(AccountId("other"), OTHER_SYMBOL, PositionSide.BOTH))


def test_sides_have_signs_and_legs_have_keys() -> None:
    """BUY is +1 and SELL -1; a leg's key is its symbol, with the position side in hedge mode."""
    assert [side.sign for side in (Side.BUY, Side.SELL)] == [1, -1]
    assert Side.BUY.opposite is Side.SELL
    assert Side.SELL.opposite is Side.BUY
    assert (LEG.key, LONG_LEG.key, SHORT_LEG.key) == ("BTCUSDT", "BTCUSDT:LONG", "BTCUSDT:SHORT")
    legs = [OTHER_LEG, SHORT_LEG, LONG_LEG, LEG]
    assert sorted(legs, key=Leg.sort_key) == [LEG, LONG_LEG, SHORT_LEG, OTHER_LEG]
    assert {side.value for side in PlanSide} == {"BUY", "SELL", "close"}
