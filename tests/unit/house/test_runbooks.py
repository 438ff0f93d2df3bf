"""The runbooks and the code say the same: every reason that may need a person has its page, with what to type."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.cli.main import COMMANDS
from holdfast.domain.hold import HoldReason
from holdfast.domain.way_out import HALTED_COMMANDS, HALTED_PAGE, WAYS_OUT, commands_for, way_out_text
from tests.unit.decide.samples import HOLD, LONG_LEG

ROOT = Path(__file__).resolve().parents[3]
PAGES = ROOT / "docs" / "runbooks"
HEADS = ("**What it means.**", "**What to look at.**", "**What to type.**")
ALERTING = {"holding.py", "halting.py", "foreign_orders.py"}
"""Where alerts are made: about a hold (its reason's page), a halt, a foreign order (their own pages)."""


def verbs(commands: tuple[str, ...]) -> set[str]:
    """`holdfast close`, `holdfast audit`: what each command begins with."""
    return {" ".join(command.split()[:2]) for command in commands}


@pytest.mark.parametrize("reason", list(HoldReason), ids=lambda reason: reason.value)
def test_every_reason_of_a_hold_has_its_page(reason: HoldReason) -> None:
    """The index names the reason and its page; the page says what it means, what to look at, and what to type."""
    index = (PAGES / "README.md").read_text(encoding="utf-8")
    page = WAYS_OUT[reason].page
    (row,) = [line for line in index.splitlines() if f"`{reason.value}`" in line]
    assert f"({page})" in row
    text = (PAGES / page).read_text(encoding="utf-8")
    assert f"`{reason.value}`" in text
    places = [text.find(head) for head in HEADS]
    assert -1 not in places
    assert places == sorted(places)
    assert all(verb in text for verb in verbs(WAYS_OUT[reason].commands))


def test_the_halt_has_its_page() -> None:
    """The page of a halted account is in the index and says what to type."""
    assert f"({HALTED_PAGE})" in (PAGES / "README.md").read_text(encoding="utf-8")
    text = (PAGES / HALTED_PAGE).read_text(encoding="utf-8")
    assert all(head in text for head in HEADS)
    assert all(verb in text for verb in verbs(HALTED_COMMANDS))


def test_alerts_are_made_only_where_a_page_belongs_to_them() -> None:
    """Whoever makes another kind of alert must give it a page, and add its place here."""
    made = {
        path.name
        for path in (ROOT / "src").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"Alert", "new_alert"}
    }
    assert made - {"rows_operator.py"} == ALERTING


def test_every_page_is_in_the_index() -> None:
    """No page is there that nobody is led to, and no link leads nowhere."""
    linked = set(re.findall(r"\(([a-z-]+\.md)\)", (PAGES / "README.md").read_text(encoding="utf-8")))
    assert linked == {path.name for path in PAGES.glob("*.md")} - {"README.md"}


@pytest.mark.parametrize("reason", list(HoldReason), ids=lambda reason: reason.value)
def test_what_to_type_names_the_hold_and_exists(reason: HoldReason) -> None:
    """Each command is one of the command line's, and names the very leg or hold, in hedge mode too."""
    hold = replace(HOLD, reason=reason, leg=LONG_LEG)
    named = commands_for(hold)
    known = {command.name for command in COMMANDS}
    assert all(words.split()[0] == "holdfast" and words.split()[1] in known for words in named)
    for words in named:
        assert "{" not in words
        if " --reason" in words and "ORDER" not in words:
            assert "BTCUSDT:LONG" in words or hold.hold_id in words
    assert WAYS_OUT[reason].page in way_out_text(hold)
