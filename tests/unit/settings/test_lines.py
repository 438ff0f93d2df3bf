"""Where a key stands in a TOML text."""

from __future__ import annotations

import pytest

from holdfast.settings.lines import line_of

TEXT = '''# a comment with key = 1
top = 1
[a]   # a comment
x = [
  "key = 2",   # not a key
  3,
]
text = """
y = 4
[b]
"""
"y y" = 5
[ "b" . c ]
y = { z = 6, w = 7 }
d.e = 8
[[list]]
f = 9
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("a",), 3),
        (("a", "x"), 4),
        (("a", "x", "1"), 4),
        (("a", "text"), 8),
        (("a", "y"), 3),
        (("a", "y y"), 12),
        (("b",), 13),
        (("b", "c", "y"), 14),
        (("b", "c", "y", "w"), 14),
        (("b", "c", "d", "e"), 15),
        (("b", "missing"), 13),
        (("list", "f"), 17),
        (("key",), None),
        ((), None),
    ],
)
def test_a_key_is_found_where_it_stands(path: tuple[str, ...], line: int | None) -> None:
    """Each key is found at its own line, a missing one at its parent's; what only looks like a key is passed over."""
    assert line_of(TEXT, path) == line
