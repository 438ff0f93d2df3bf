"""Amounts: what is read, what is refused, and that no rounding ever goes up."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.domain.amounts import (
    AMOUNT_ABS_MAX,
    AMOUNT_CHARS_MAX,
    AMOUNT_DIGITS_MAX,
    floor_to_step,
    format_amount,
    is_on_step,
    parse_amount,
    same_sign,
    sign_of,
)
from holdfast.domain.errors import BadAmount

D = Decimal

READ = [
    ("0", "0"),
    ("-0", "0"),
    ("0.000", "0"),
    ("0.007", "0.007"),
    (" 0.007\n", "0.007"),
    ("-0.4", "-0.4"),
    ("+1", "1"),
    ("1.", "1"),
    (".5", "0.5"),
    ("007", "7"),
    ("1e-7", "0.0000001"),
    ("1E+3", "1000"),
    ("100.10", "100.1"),
    ("0.000000000000000001", "0.000000000000000001"),
    ("999999999999999", "999999999999999"),
]

REFUSED = [
    "",
    " ",
    "-",
    ".",
    "NaN",
    "nan",
    "sNaN",
    "-NaN12",
    "Infinity",
    "-inf",
    "1_000",  # Decimal reads it; no venue and no honest writer sends it
    "_1",
    "１２",  # noqa: RUF001 - full-width digits, which Decimal reads, are the point
    "٣",
    "1,000",
    "0x10",
    "1 000",
    "1e",
    "1e400",
    "1E+15",
    "1000000000000000",
    "-1000000000000000",
    "0E+999999",
    "0E-999999",
    "1e-19",
    "0.0000000000000000001",
    "12345678901234.123456789012345",  # 29 digits: arithmetic would round it
    "true",
    "None",
    "0.007 BTC",
    "9" * (AMOUNT_CHARS_MAX + 1),
]


@pytest.mark.parametrize(("text", "written"), READ)
def test_an_amount_is_read_and_written_plainly(text: str, written: str) -> None:
    """A finite bounded number in plain ASCII is read, and written without exponent, sign of zero or padding."""
    assert format_amount(parse_amount(text)) == written


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_plain_bounded_number_is_refused(text: str) -> None:
    """Underscores, digits of other scripts, NaN, infinities, exponents without bound and long tails are refused."""
    with pytest.raises(BadAmount):
        parse_amount(text)


@pytest.mark.parametrize("value", [None, True, 1, 0.1, D(1), b"1", ["1"], {}])
def test_what_is_not_text_is_refused(value: object) -> None:
    """A JSON number, a boolean or nothing at all is no amount: only text is."""
    with pytest.raises(BadAmount):
        parse_amount(value)


AMOUNTS = st.decimals(min_value=-(10**14), max_value=10**14, places=8)
STEPS = st.sampled_from([D(1), D("0.1"), D("0.001"), D("0.00001"), D("0.00000001"), D(5), D("0.25"), D(1000)])


@given(AMOUNTS)
@example(D("-0"))
def test_what_is_written_reads_back_equal(value: Decimal) -> None:
    """Writing and reading an amount changes nothing."""
    text = format_amount(value)
    assert parse_amount(text) == value
    assert format_amount(parse_amount(text)) == text


@given(st.text(max_size=AMOUNT_CHARS_MAX + 2))
@example("1" + "0" * 14)
def test_any_text_is_read_as_a_bounded_number_or_refused(text: str) -> None:
    """Whatever the text, the outcome is BadAmount or one finite number inside the bounds, exact under arithmetic."""
    try:
        value = parse_amount(text)
    except BadAmount:
        return
    assert value.is_finite()
    assert abs(value) < AMOUNT_ABS_MAX
    assert text.isascii()
    assert "_" not in text
    assert len(value.as_tuple().digits) <= AMOUNT_DIGITS_MAX
    assert +value == value, "the default context would round it"


@given(AMOUNTS, STEPS)
@example(D("0.3"), D("0.1"))
@example(D("-0.3"), D("0.1"))
def test_rounding_to_a_step_goes_toward_zero(qty: Decimal, step: Decimal) -> None:
    """A rounded amount lies on the step, keeps its sign, never grows, and loses less than one step."""
    floored = floor_to_step(qty, step)
    assert is_on_step(floored, step)
    assert abs(floored) <= abs(qty)
    assert abs(qty) - abs(floored) < step
    assert sign_of(floored) in (0, sign_of(qty))


@given(st.integers(-(10**9), 10**9), STEPS)
def test_what_lies_on_a_step_is_not_rounded(lots: int, step: Decimal) -> None:
    """A whole number of lots stays that number of lots."""
    assert floor_to_step(lots * step, step) == lots * step
    assert is_on_step(lots * step, step)
    assert not is_on_step(lots * step + step / 2, step)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [(1, 1, True), (-1, -2, True), (1, -1, False), (-1, 1, False), (0, 0, False), (0, 1, False), (-1, 0, False)],
)
def test_zero_shares_a_sign_with_nothing(left: int, right: int, same: bool) -> None:  # noqa: FBT001 - a table's column
    """Two amounts share a sign only if both are long or both are short."""
    assert same_sign(D(left), D(right)) is same
    assert sign_of(D(left)) == left
