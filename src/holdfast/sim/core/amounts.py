r"""Decide what counts as an amount on the wire, and how one is written back.

Invariants: amounts are `Decimal`, come in as plain digits only (no sign but a leading minus, no exponent, no NaN) and
go out as plain digits, never `1E-8`.
Source: the venue refuses anything but `^([0-9]{1,20})(\.[0-9]{1,20})?$` with -1100 (documented).
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from holdfast.sim.core.refusals import Code, refuse

__all__ = ["MONEY", "ZERO", "decimals_of", "money", "off_grid", "parse_amount", "plain"]

ZERO: Final = Decimal(0)
MONEY: Final = Decimal("0.00000001")
LEGAL: Final = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
_SHAPE: Final = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")


def parse_amount(name: str, text: str) -> Decimal:
    """Read one amount, or refuse with -1100."""
    if _SHAPE.fullmatch(text) is None:
        raise refuse(Code.ILLEGAL_CHARACTERS, name, LEGAL)
    return Decimal(text)


def plain(value: Decimal) -> str:
    """Write an amount as plain digits."""
    return format(value, "f")


def money(value: Decimal) -> Decimal:
    """Round to the eight decimals that balances and profits are kept in."""
    return value.quantize(MONEY, ROUND_HALF_UP)


def decimals_of(value: Decimal) -> int:
    """Count the decimals that matter: 0.10 has one."""
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def off_grid(value: Decimal, step: Decimal) -> bool:
    """Say whether a value misses the grid; a step of 0 is no grid."""
    return step != ZERO and value % step != ZERO
