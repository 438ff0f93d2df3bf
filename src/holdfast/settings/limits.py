"""The fields of domain `Limits` as settings: names, types, defaults and meanings are read from it, none is repeated.

So a limit that the domain gains is a setting at once, and `holdfast init` explains it in the domain's own words.
What is added here are bounds: an age or interval is 1 ms to a day, a count 1 to 100, a notional positive and finite.
"""

from __future__ import annotations

import ast
import inspect
from dataclasses import fields
from decimal import Decimal
from enum import Enum
from itertools import pairwise
from typing import Annotated, Any, get_type_hints

from pydantic import BeforeValidator, Field

from holdfast.domain import limits as domain_limits
from holdfast.domain.amounts import AMOUNT_ABS_MAX, ZERO, format_amount, parse_amount
from holdfast.domain.errors import BadAmount
from holdfast.domain.limits import Limits
from holdfast.domain.names import Symbol

MS_MAX = 24 * 60 * 60 * 1000
COUNT_MAX = 100
RECV_WINDOW_MS_MAX = 60_000
"""The venue refuses longer ones (documented for spot; the futures interface follows)."""
ALLOWLIST = "symbols"


def limit_names() -> tuple[str, ...]:
    """Names of all limits but the allowlist, which has no default."""
    return tuple(field.name for field in fields(Limits) if field.name != ALLOWLIST)


def limit_fields() -> dict[str, tuple[Any, Any]]:
    """Return pydantic field definitions for every limit."""
    hints = get_type_hints(Limits, localns={"Symbol": Symbol})
    defaults = {field.name: field.default for field in fields(Limits)}
    meanings = _meanings()
    return {
        name: (_bounded(name, hints[name]), Field(default=defaults[name], description=meanings[name]))
        for name in limit_names()
    }


def read_int(value: object) -> object:
    """Refuse a boolean where a number is due: to Python `true` is 1."""
    if isinstance(value, bool):
        raise ValueError("must be a whole number, not true or false")  # noqa: TRY004 - pydantic reports ValueErrors
    return value


def read_notional(value: object) -> Decimal:
    """Read an amount from a TOML number or text. Never through a binary float: the file's digits count."""
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")  # noqa: TRY004 - pydantic reports ValueErrors
    try:
        amount = parse_amount(str(value))
    except BadAmount as error:
        raise ValueError(str(error)) from None
    if amount <= ZERO:
        raise ValueError("must be above 0")
    return amount


def _bounded(name: str, kind: Any) -> Any:
    if kind is Decimal:
        return Annotated[Decimal, BeforeValidator(read_notional), Field(gt=0, lt=AMOUNT_ABS_MAX)]
    if kind is int:
        largest = MS_MAX if "_ms" in name else COUNT_MAX
        largest = RECV_WINDOW_MS_MAX if name == "recv_window_ms" else largest
        return Annotated[int, BeforeValidator(read_int), Field(ge=1, le=largest)]
    return kind


def _meanings() -> dict[str, str]:
    """Read the text under each field of `Limits`; a field of an enumerated type has its type's text besides."""
    tree = ast.parse(inspect.getsource(domain_limits))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == Limits.__name__)
    hints = get_type_hints(Limits, localns={"Symbol": Symbol})
    meanings = {name: _kind_text(kind) for name, kind in hints.items()}
    for field, text in pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        ):
            meanings[field.target.id] = inspect.cleandoc(str(text.value.value))
    return meanings


def _kind_text(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return inspect.cleandoc(kind.__doc__ or "")
    return ""


def shown(value: object) -> str:
    """Write a default as TOML."""
    if isinstance(value, Enum):
        return f'"{value.value}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format_amount(value)
    if isinstance(value, list | tuple | frozenset):
        return "[" + ", ".join(shown(item) for item in value) + "]"
    return str(value) if isinstance(value, int) else f'"{value}"'
