"""What must never be said: secrets, by the name of a field, by their known value, or by their place in an address.

Invariants: a field whose name says secret shows `***`, however deep it lies; a registered value is cut out of the
finished line wherever it stands (in another field, an address, an exception's text), also as JSON or a URL writes it;
so are passwords in addresses and secret parameters of queries that nobody registered.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import MutableMapping

SHOWN = "***"
VALUE_CHARS_MIN = 4
"""Shorter values are no secrets, and cutting them out would make lines unreadable."""
DEPTH_MAX = 6
_WORDS = "key|keys|secret|secrets|password|passwd|signature|token|tokens|credential|credentials|authorization"
_NAME = re.compile(rf"(?:^|[_.\-\s])(?:{_WORDS}|apikey|listenkey)$|^x-mbx-apikey$")
_SCALARS = frozenset({str, int, bool, type(None), Decimal, float})
"""Nothing can be hidden inside these; asking their type is quicker than asking what they are like."""
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_QUERY = re.compile(rf"(?i)\b((?:api_?key|listen_?key|{_WORDS})=)[^&\s\"'\\]+")
_USERINFO = re.compile(r"(://[^/\s:@\"']*:)[^@/\s\"']+@")


class Redactor:
    """Cuts secrets out of fields and text. One for the whole process."""

    def __init__(self) -> None:
        self._values: tuple[str, ...] = ()

    def add(self, value: str) -> None:
        """Register a secret's value; ends of lines and spaces around it don't count."""
        bare = value.strip()
        if len(bare) >= VALUE_CHARS_MIN:
            forms = {bare, json.dumps(bare)[1:-1], json.dumps(bare, ensure_ascii=False)[1:-1], quote(bare, safe="")}
            # The longest first: else a secret that contains another one would be shown in part.
            self._values = tuple(sorted({*self._values, *forms}, key=len, reverse=True))

    def text(self, text: str) -> str:
        """Return the text without secrets."""
        for value in self._values:
            if value in text:
                text = text.replace(value, SHOWN)
        if "=" in text:
            text = _QUERY.sub(rf"\1{SHOWN}", text)
        return _USERINFO.sub(rf"\1{SHOWN}@", text) if "://" in text else text

    def fields(self, fields: MutableMapping[str, object]) -> None:
        """Hide the fields whose names say secret, in place."""
        for name, value in fields.items():
            if is_secret_name(name):
                fields[name] = SHOWN
            elif type(value) not in _SCALARS and isinstance(value, Mapping | list | tuple):
                fields[name] = _hidden_inside(value, 1)


@lru_cache(maxsize=4096)  # names are few and stand in the code; the bound is for those that do not
def is_secret_name(name: str) -> bool:
    """Tell whether a field of this name holds a secret: `secret`, `api_key`, `listenKey`, `X-MBX-APIKEY` ..."""
    return _NAME.search(_CAMEL.sub("_", name).lower()) is not None


def _hidden_inside(value: object, depth: int) -> object:
    if depth > DEPTH_MAX:
        return SHOWN
    if isinstance(value, Mapping):
        return {
            str(name): SHOWN if is_secret_name(str(name)) else _hidden_inside(inner, depth + 1)
            for name, inner in value.items()
        }
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_hidden_inside(inner, depth + 1) for inner in value]
    return value
