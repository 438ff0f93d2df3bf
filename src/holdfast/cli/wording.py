"""Words of a person that go into the journal or name something there: read once, at the edge, with bounds.

Each raises CannotStart (exit status 2, nothing was tried) with what to write instead.
"""

from __future__ import annotations

from holdfast.domain.amounts import ZERO, format_amount, parse_amount
from holdfast.domain.errors import BadAmount, CannotStart
from holdfast.domain.names import ClientOrderId, HoldId, Symbol, is_symbol
from holdfast.domain.sides import PositionSide

REASON_CHARS_MAX = 500
NAME_CHARS_MAX = 80
HOLD_ID_CHARS_MAX = 80
ORDER_ID_CHARS_MAX = 36


def symbol_of(text: str) -> Symbol:
    """A symbol; lower case is read as upper case."""
    symbol = text.strip().upper()
    if not is_symbol(symbol):
        raise CannotStart(f"{text[:40]!r} is no symbol: write it like BTCUSDT")
    return Symbol(symbol)


def leg_of(text: str, side_text: str) -> tuple[Symbol, PositionSide | None]:
    """A leg: `SYMBOL`, or `SYMBOL:LONG` and `SYMBOL:SHORT`, as every report names it; or the side as an option."""
    name, colon, named = text.strip().partition(":")
    side = position_side_of(side_text)
    if not colon:
        return symbol_of(name), side
    if named.upper() not in {PositionSide.LONG.value, PositionSide.SHORT.value}:
        raise CannotStart(f"{text[:40]!r} names no leg: write BTCUSDT, BTCUSDT:LONG or BTCUSDT:SHORT")
    if side not in {None, PositionSide(named.upper())}:
        raise CannotStart(f"{text[:40]!r} and --position-side {side_text[:40]} name two legs: say one of them")
    return symbol_of(name), PositionSide(named.upper())


def position_side_of(text: str) -> PositionSide | None:
    """LONG, SHORT or BOTH; None if left out."""
    if not text:
        return None
    try:
        return PositionSide(text.strip().upper())
    except ValueError:
        raise CannotStart(f"--position-side is LONG or SHORT (BOTH in one-way mode), not {text[:40]!r}") from None


def qty_of(text: str) -> str:
    """A positive quantity as the journal writes it; "" if left out."""
    if not text:
        return ""
    try:
        qty = parse_amount(text)
    except BadAmount as error:
        raise CannotStart(f"--qty: {error}") from None
    if qty <= ZERO:
        raise CannotStart(f"--qty must be above 0, not {text}")
    return format_amount(qty)


def reason_of(text: str) -> str:
    """Why: one line that is not empty."""
    return _line(text, "--reason", REASON_CHARS_MAX)


def name_of(text: str) -> str:
    """Who: one line that is not empty."""
    return _line(text, "--name", NAME_CHARS_MAX)


def hold_id_of(text: str) -> HoldId:
    """A hold's id, as `holdfast status` shows it."""
    return HoldId(_line(text, "HOLD_ID", HOLD_ID_CHARS_MAX))


def client_order_id_of(text: str) -> ClientOrderId:
    """An order's client id, as `holdfast explain` shows it."""
    return ClientOrderId(_line(text, "ORDER", ORDER_ID_CHARS_MAX))


def _line(text: str, what: str, chars_max: int) -> str:
    line = text.strip()
    if not line:
        raise CannotStart(f"{what} must not be empty")
    if len(line) > chars_max:
        raise CannotStart(f"{what} has {len(line)} characters; at most {chars_max}")
    if not line.isprintable():
        raise CannotStart(f"{what} must be one line of printable text")
    return line
