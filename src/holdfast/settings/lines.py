"""Where in the text of a TOML file a key stands, for messages that a person can act on.

The parser of the standard library says nothing about places, so the text is scanned for headers and keys. A value that
spans lines (a list, a multi-line string) counts as one; a key inside an inline table is found at the table's line.
If a key does not stand in the text (it is missing), its nearest parent's line is the answer.
"""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache

KeyPath = tuple[str, ...]

_NAME = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_PATH = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_HEADER = re.compile(rf"^\s*\[\[?\s*({_PATH})\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(rf"^\s*({_PATH})\s*=(.*)$", re.DOTALL)


def line_of(text: str, path: KeyPath) -> int | None:
    """Return the 1-based line of the key at `path`, or of its nearest parent; None if neither stands there."""
    places = _places(text)
    for length in range(len(path), 0, -1):
        found = places.get(path[:length])
        if found is not None:
            return found
    return None


@lru_cache(maxsize=1)  # one file is asked about once for each of its problems
def _places(text: str) -> dict[KeyPath, int]:
    """Return the line at which each key path and each of its parents first stands."""
    places: dict[KeyPath, int] = {}
    table: KeyPath = ()
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        header = _HEADER.match(lines[number])
        key = _KEY.match(lines[number])
        path: KeyPath = ()
        first = number + 1
        if header is not None:
            path = table = _split(header[1])
        elif key is not None:
            path = table + _split(key[1])
            number = _end_of_value(lines, number, key[2])
        for length in range(len(path), 0, -1):
            places.setdefault(path[:length], first)
        number += 1
    return places


def _end_of_value(lines: list[str], number: int, value: str) -> int:
    """Return the index of the line on which the value ends: the first one at which it can be read."""
    text = value
    for end in range(number, len(lines)):
        if end > number:
            text += "\n" + lines[end]
        try:
            tomllib.loads("x = " + text)
        except tomllib.TOMLDecodeError:
            continue
        return end
    return number  # it ends nowhere: the parser has said so already


def _split(path: str) -> KeyPath:
    return tuple(part.strip().strip("\"'") for part in re.findall(_NAME, path))
