"""The house's own rules find what they are there to find."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
HOUSE: dict[str, Any] = runpy.run_path(str(ROOT / ".ci/house_rules.py"))


def found(path: str, text: str) -> list[str]:
    """Judge one source as if it were committed."""
    source = HOUSE["Source"](Path(path), text, ast.parse(text))
    return [breach.text for rule in HOUSE["SOURCE_RULES"] for breach in rule(source)]


BAD = [
    ("src/holdfast/bus/x.py", "x = 1\n" * 401, "401 lines"),
    ("src/holdfast/bus/x.py", "def f():\n" + "    x = 1\n" * 60, "61 lines"),
    ("src/holdfast/bus/bus_utils.py", "", "says nothing"),
    ("src/holdfast/common/x.py", "", "says nothing"),
    ("src/holdfast/bus/x.py", "assert True\n", "vanishes"),
    ("src/holdfast/decide/x.py", "x = float('1')\n", "float"),
    ("src/holdfast/domain/x.py", "x = 0.5\n", "float"),
    ("tests/unit/test_x.py", "from unittest.mock import patch\n", "mock"),
    ("tests/unit/test_x.py", "from unittest import mock\n", "mock"),
    ("tests/unit/test_x.py", "monkeypatch.setattr(a, 'b', 1)\n", "inject"),
    ("tests/unit/test_x.py", "time.sleep(0.1)\n", "sleep"),
    ("tests/unit/test_x.py", "await_ = asyncio.sleep(x)\n", "sleep"),
    ("tests/unit/test_x.py", "@pytest.mark.skipif(True)\ndef f(): ...\n", "every test runs"),
    ("tests/unit/test_x.py", "pytest.skip('no')\n", "every test runs"),
    ("src/holdfast/bus/x.py", "x = 1  # noqa: " + "E501\n", "without its reason"),
    ("src/holdfast/bus/x.py", "x = 1  # type: " + "ignore[misc]\n", "without its reason"),
]


@pytest.mark.parametrize(("path", "text", "expected"), BAD, ids=[f"{n}-{row[2]}" for n, row in enumerate(BAD)])
def test_a_breach_is_found(path: str, text: str, expected: str) -> None:
    """Each rule of the house finds the breach it is there for, and nothing else in the same source."""
    breaches = found(path, text)
    assert len(breaches) == 1
    assert expected in breaches[0]


GOOD = [
    ("src/holdfast/bus/x.py", "x = 1\n" * 400),
    ("src/holdfast/bus/x.py", "def f():\n" + "    x = 1\n" * 59),
    ("src/holdfast/bus/x.py", "x = float('1')\n"),
    ("src/holdfast/bus/x.py", "x = 1  # noqa: " + "E501 - the venue's own text\n"),
    ("src/holdfast/bus/x.py", "# the library has no types\nx = 1  # type: " + "ignore[misc]\n"),
    ("tests/unit/test_x.py", "assert asyncio.sleep(0)\nmonkeypatch.setenv('A', 'b')\n"),
]


@pytest.mark.parametrize(("path", "text"), GOOD)
def test_what_is_allowed_passes(path: str, text: str) -> None:
    """What the rules allow is not reported."""
    assert found(path, text) == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("requirements/run.txt", "--extra-index-url x"),
        ("requirements/run.txt", "-i x"),
        ("requirements/run.txt", "a @ https" + "://example.test/a.whl"),
        ("README.md", "see files.pythonhost" + "ed.org"),
        ("docs/x.md", "as /work/" + "shared says"),
    ],
)
def test_an_address_in_a_committed_file_is_found(path: str, line: str) -> None:
    """A registry's address, or the founders' own shelf, is reported wherever it is committed."""
    assert [breach.line for breach in HOUSE["no_registry"](Path(path), "a==1\n" + line + "\n")][:1] == [2]


def test_a_page_out_of_step_is_found(tmp_path: Path) -> None:
    """A page of reasons that differs from the enums by one letter is reported."""
    page = tmp_path / "docs/reasons.md"
    page.parent.mkdir()
    page.write_text((ROOT / "docs/reasons.md").read_text(encoding="utf-8"), encoding="utf-8")
    assert list(HOUSE["reasons_in_step"](tmp_path)) == []
    page.write_text(page.read_text(encoding="utf-8").replace("hold_active", "hold_actiwe"), encoding="utf-8")
    assert len(list(HOUSE["reasons_in_step"](tmp_path))) == 1
