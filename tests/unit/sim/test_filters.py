"""Filters on a symbol whose step and tick are no powers of ten: every row of the table is reached."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from holdfast.sim.core.amounts import parse_amount, plain
from holdfast.sim.core.filters import check_price, check_qty
from holdfast.sim.core.market import Quote
from holdfast.sim.core.orders import OrderType, Side
from holdfast.sim.core.refusals import ApiError
from holdfast.sim.core.symbols import standard_symbols

RULES = replace(
    standard_symbols(0)[0],
    step=Decimal("0.005"),
    qty_min=Decimal("0.010"),
    qty_max=Decimal(10),
    qty_max_market=Decimal(5),
    tick=Decimal("0.5"),
    price_min=Decimal(100),
    price_max=Decimal(70_000),
)
QUOTE = Quote(Decimal("63999.5"), Decimal("64000.5"), Decimal(64_000))


@pytest.mark.parametrize(
    ("order_type", "qty", "code"),
    [
        (OrderType.LIMIT, "0", -4003),
        (OrderType.LIMIT, "0.0100", None),
        (OrderType.LIMIT, "0.0101", -1111),
        (OrderType.LIMIT, "0.012", -4023),
        (OrderType.LIMIT, "0.005", -4004),
        (OrderType.LIMIT, "10", None),
        (OrderType.LIMIT, "10.005", -4005),
        (OrderType.MARKET, "5", None),
        (OrderType.MARKET, "5.005", -4005),
    ],
)
def test_a_quantity_must_fit(order_type: OrderType, qty: str, code: int | None) -> None:
    """Quantity is checked for sign, decimals, step, minimum and the maximum of its order type, in this order."""
    try:
        check_qty(RULES, order_type, Decimal(qty))
        found = None
    except ApiError as error:
        found = error.code
    assert found == code


@pytest.mark.parametrize(
    ("side", "price", "code"),
    [
        (Side.BUY, "0", -4001),
        (Side.BUY, "64000.25", -1111),
        (Side.BUY, "99.5", -4013),
        (Side.BUY, "70000.5", -4002),
        (Side.BUY, "64000.1", -4014),
        (Side.BUY, "67200", None),
        (Side.BUY, "67200.5", -4016),
        (Side.SELL, "60800", None),
        (Side.SELL, "60799.5", -4024),
        (Side.SELL, "70000", None),
        (Side.BUY, "100", None),
    ],
)
def test_a_price_must_fit(side: Side, price: str, code: int | None) -> None:
    """Price is checked for sign, decimals, bounds, tick and the band of its side, in this order."""
    try:
        check_price(RULES, QUOTE, side, Decimal(price))
        found = None
    except ApiError as error:
        found = error.code
    assert found == code


@pytest.mark.parametrize(
    "text", ["", "1e3", "+1", " 1", "1_000", "\u0661", "1.", ".5", "NaN", "-Infinity", "9" * 21, "1\n"]
)
def test_what_is_no_plain_number_is_no_amount(text: str) -> None:
    """Exponents, signs, spaces, foreign digits, overlong numbers and words are refused with -1100."""
    with pytest.raises(ApiError) as refused:
        parse_amount("quantity", text)
    assert refused.value.code == -1100


def test_amounts_go_out_as_plain_digits() -> None:
    """A tiny amount is written without an exponent."""
    assert plain(Decimal("1E-8")) == "0.00000001"
