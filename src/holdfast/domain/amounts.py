"""Amounts: quantities, prices and notionals are `Decimal`, finite and bounded, from text to text.

Invariants: no amount here is NaN or infinite; none came through a binary float; rounding to a step is
always toward zero, so that no rounding can raise an exposure (venue documentation: orders must lie on
`stepSize`, sizes above the position are the venue's to judge, so we never produce one).
"""

from __future__ import annotations

import re
from decimal import Decimal

from holdfast.domain.errors import BadAmount

ZERO = Decimal(0)
AMOUNT_ABS_MAX = Decimal(10) ** 15
"""No venue quantity, price or notional comes near it; beyond it a number is an accident or an attack."""
AMOUNT_DECIMALS_MAX = 18
AMOUNT_DIGITS_MAX = 28
"""Arithmetic keeps 28 digits (the default context): a longer number would be rounded, perhaps up."""
AMOUNT_CHARS_MAX = 40
_PLAIN = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)
"""What is written here and by venues. `Decimal` itself also reads `1_000`, NaN and the digits of other scripts."""


def parse_amount(text: object) -> Decimal:
    """Read a decimal from its wire text.

    Raises BadAmount unless `text` is a `str` that holds one plain ASCII number below `AMOUNT_ABS_MAX` with at
    most `AMOUNT_DECIMALS_MAX` decimals and `AMOUNT_DIGITS_MAX` digits. JSON numbers are refused: they passed
    through a binary float.
    """
    if not isinstance(text, str):
        raise BadAmount(f"an amount must be text, not {type(text).__name__}")
    if len(text) > AMOUNT_CHARS_MAX:
        raise BadAmount(f"an amount of {len(text)} characters")
    plain = text.strip(" \t\r\n")
    if _PLAIN.fullmatch(plain) is None:
        raise BadAmount(f"not a plain number: {text!r}")
    value = Decimal(plain)
    if abs(value) >= AMOUNT_ABS_MAX:
        raise BadAmount(f"out of bounds: {text!r}")
    _, digits, exponent = value.as_tuple()
    if isinstance(exponent, int) and -exponent > AMOUNT_DECIMALS_MAX:
        raise BadAmount(f"more than {AMOUNT_DECIMALS_MAX} decimals: {text!r}")
    if len(digits) > AMOUNT_DIGITS_MAX:
        raise BadAmount(f"more than {AMOUNT_DIGITS_MAX} digits: {text!r}")
    return value


def format_amount(value: Decimal) -> str:
    """Write an amount as plain decimal text: no exponent, no trailing zeros, zero without a sign."""
    if value == ZERO:
        return "0"
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text


def floor_to_step(qty: Decimal, step: Decimal) -> Decimal:
    """Round the absolute value of `qty` down to a multiple of `step` (> 0); the sign stays."""
    multiples = abs(qty) // step
    floored = multiples * step
    return floored if qty >= ZERO else -floored


def is_on_step(qty: Decimal, step: Decimal) -> bool:
    """Tell whether `qty` is a whole multiple of `step` (> 0)."""
    return qty % step == ZERO


def sign_of(value: Decimal) -> int:
    """Return -1, 0 or +1: short, flat or long."""
    return (value > ZERO) - (value < ZERO)


def same_sign(left: Decimal, right: Decimal) -> bool:
    """Tell whether both are positive or both negative. Zero shares a sign with nothing."""
    return sign_of(left) * sign_of(right) > 0
