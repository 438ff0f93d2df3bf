"""One field's bytes to one value of the domain. Each defect raises `BadPlan` with its own Reason.

Written by others, so: every text is bounded before it is decoded, every number goes through `domain.amounts`, and
no message repeats more than a few characters of what it complains about.

Facts: booleans are `true`/`false` in any case and `1`/`0`; times are epoch milliseconds, and a number below 10^11
is seconds (DESIGN, bus contract).
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, TypeVar

from holdfast.domain.amounts import AMOUNT_CHARS_MAX, ZERO, parse_amount
from holdfast.domain.errors import BadAmount, BadPlan
from holdfast.domain.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

TEXT_CHARS_MAX = 512
"""Longest free text (`reason`, `source`) of a plan."""
NAME_CHARS_MAX = 128
SECONDS_BELOW = 10**11
"""A time below it is epoch seconds: as milliseconds it would lie before March 1973."""
SHOWN_CHARS_MAX = 40
TIME_MS_MAX = 10**14
"""In the year 5138; beyond it a time is an accident."""

_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}

Choice = TypeVar("Choice", bound=Enum)


def shown(text: str) -> str:
    """At most `SHOWN_CHARS_MAX` characters of `text`, quoted, for a message."""
    return repr(text) if len(text) <= SHOWN_CHARS_MAX else f"{text[:SHOWN_CHARS_MAX]!r}... ({len(text)} characters)"


def salvaged(raw: bytes | None, chars_max: int) -> str:
    """What can be read of a name in an entry that is none: bounded, printable, "" if there is nothing."""
    if raw is None:
        return ""
    # A character of UTF-8 has at most 4 bytes: nothing beyond is copied.
    text = raw[: chars_max * 4].decode("utf-8", "replace").strip()[:chars_max]
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def texts_of(fields: Mapping[bytes, bytes]) -> dict[str, str]:
    """Names and values as text without surrounding blanks. Raises BadPlan (UNREADABLE) if one is not UTF-8."""
    texts: dict[str, str] = {}
    for name, value in fields.items():
        try:
            texts[name.decode("utf-8")] = value.decode("utf-8").strip()
        except UnicodeDecodeError:
            raise BadPlan(Reason.UNREADABLE, f"{salvaged(name, SHOWN_CHARS_MAX)}: not UTF-8") from None
    return texts


def text_of(fields: Mapping[str, str], name: str, chars_max: int = TEXT_CHARS_MAX) -> str:
    """The field's text, "" if absent. Raises BadPlan (BAD_FIELD) if longer than `chars_max`."""
    text = fields.get(name, "")
    if len(text) > chars_max:
        raise BadPlan(Reason.BAD_FIELD, f"{name}: {len(text)} characters; {chars_max} are allowed")
    return text


def amount_of(fields: Mapping[str, str], name: str) -> Decimal | None:
    """The field's amount, None if absent or empty. Raises BadPlan (BAD_FIELD) unless finite and bounded."""
    text = text_of(fields, name, AMOUNT_CHARS_MAX)
    if not text:
        return None
    # Decimal would also read "1_000" and digits of other scripts: nobody means those on a wire.
    if "_" in text or not text.isascii():
        raise BadPlan(Reason.BAD_FIELD, f"{name}: not a number: {shown(text)}")
    try:
        return parse_amount(text)
    except BadAmount as bad:
        raise BadPlan(Reason.BAD_FIELD, f"{name}: {bad}") from None


def qty_of(fields: Mapping[str, str]) -> Decimal:
    """The plan's quantity. Raises BadPlan (BAD_QTY) unless it is one finite positive number."""
    try:
        qty = amount_of(fields, "qty")
    except BadPlan as bad:
        if bad.reason is not Reason.BAD_FIELD:
            raise
        raise BadPlan(Reason.BAD_QTY, bad.detail) from None
    if qty is None or qty <= ZERO:
        raise BadPlan(Reason.BAD_QTY, f"qty: must be above zero, is {qty}")
    return qty


def price_of(fields: Mapping[str, str]) -> Decimal | None:
    """The plan's price, None if absent or empty. Raises BadPlan (BAD_FIELD) unless above zero."""
    price = amount_of(fields, "price")
    if price is not None and price <= ZERO:
        raise BadPlan(Reason.BAD_FIELD, f"price: must be above zero, is {price}")
    return price


def time_ms_of(fields: Mapping[str, str], name: str) -> int | None:
    """The field's time in epoch milliseconds, None if absent or empty."""
    value = amount_of(fields, name)
    if value is None:
        return None
    if value <= ZERO:
        raise BadPlan(Reason.BAD_FIELD, f"{name}: must be above zero, is {value}")
    time_ms = int(value * 1000) if value < SECONDS_BELOW else int(value)
    if time_ms > TIME_MS_MAX:
        raise BadPlan(Reason.BAD_FIELD, f"{name}: too far in the future: {value}")
    return time_ms


def boolean_of(fields: Mapping[str, str], name: str) -> bool:
    """The field's truth value. Raises BadPlan (BAD_FIELD) for anything but true, false, 1, 0."""
    text = text_of(fields, name)
    value = _BOOLEANS.get(text.lower())
    if value is None:
        raise BadPlan(Reason.BAD_FIELD, f"{name}: neither true nor false: {shown(text)}")
    return value


def choice_of(fields: Mapping[str, str], name: str, choices: Mapping[str, Choice]) -> Choice:
    """The member whose lower-case word the field holds, in any case. Raises BadPlan (BAD_FIELD)."""
    text = text_of(fields, name)
    member = choices.get(text.lower())
    if member is None:
        raise BadPlan(Reason.BAD_FIELD, f"{name}: unknown: {shown(text)}")
    return member


def words_of(members: type[Choice]) -> dict[str, Choice]:
    """Lower-case word to member, for `choice_of`."""
    return {member.value.lower(): member for member in members}
