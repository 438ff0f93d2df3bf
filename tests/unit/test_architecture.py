"""The architecture, read from the syntax trees: who builds a Permit, what the pure floors import, closed lists."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from enum import Enum
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from holdfast.decide.move import MoveKind
from holdfast.decide.reconcile import Status
from holdfast.domain.hold import HoldReason, StepKind
from holdfast.domain.reasons import REASON_TEXT, Reason
from holdfast.domain.reasons_page import HOLD_REASON_TEXT, reasons_page

SRC = Path(__file__).resolve().parents[2] / "src"
PACKAGE = SRC / "holdfast"
MAY_BUILD_A_PERMIT = {"decide/permit.py", "decide/guardrails.py"}
PURE_STANDARD_LIBRARY = {
    "__future__",
    "base64",
    "collections",
    "dataclasses",
    "decimal",
    "enum",
    "hashlib",
    "re",
    "typing",
}
"""What the pure floors may import of the standard library: none of it does I/O, reads a clock or rolls dice."""


@cache
def tree_of(path: Path) -> ast.Module:
    """The module's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def modules(*under: str) -> list[Path]:
    """Every module of the product, or of some of its packages."""
    roots = [PACKAGE / name for name in under] or [PACKAGE]
    return sorted(path for root in roots for path in root.rglob("*.py"))


def name_of(path: Path) -> str:
    """The module's path below the package."""
    return path.relative_to(PACKAGE).as_posix()


def imported(tree: ast.Module) -> set[str]:
    """Every module that is imported, for types only or not."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add("." * node.level + (node.module or ""))
    return found


def permit_names(tree: ast.Module) -> set[str]:
    """The names under which the module knows the class Permit."""
    return {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name == "Permit"
    }


def builds_permit(tree: ast.Module) -> bool:
    """Tell whether a Permit is called into being, directly, by an attribute, by `replace` or past its constructor."""
    names = permit_names(tree) | {"Permit"}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Name) and called.id in names:
            return True
        if isinstance(called, ast.Attribute) and (
            called.attr == "Permit" or (called.attr in {"__new__", "_make"} and ast.unparse(called.value) in names)
        ):
            return True
        is_replace = isinstance(called, ast.Name) and called.id == "replace"
        if is_replace and node.args and ast.unparse(node.args[0]).rpartition(".")[2] == "permit":
            return True
    return False


def test_only_two_modules_build_a_permit() -> None:
    """A Permit is built in decide/permit.py and decide/guardrails.py and nowhere else in the product."""
    assert {name_of(path) for path in modules() if builds_permit(tree_of(path))} == MAY_BUILD_A_PERMIT


@pytest.mark.parametrize(
    "text",
    [
        "Permit(plan_id=1)",
        "from holdfast.domain.permit import Permit as Proof\nProof(1)",
        "import holdfast.domain.permit as p\np.Permit(1)",
        "from dataclasses import replace\nreplace(permit, qty=2)",
        "from dataclasses import replace\nreplace(self.permit, qty=2)",
        "Permit.__new__(Permit)",
    ],
)
def test_the_search_for_permits_finds_every_way(text: str) -> None:
    """The search would find a Permit built under another name, by attribute, by replacement or past its constructor."""
    assert builds_permit(ast.parse(text))


def test_only_decisions_return_a_permit() -> None:
    """In decide only the two gates return a Permit; domain and ports return none (services hand on decide's choice)."""
    for path in modules("decide"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef) and node.returns is not None and "Permit" in names_in(node.returns):
                assert name_of(path) in MAY_BUILD_A_PERMIT, f"{name_of(path)}:{node.name}"
    for path in [*modules("domain"), *modules("ports")]:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is not None:
                assert "Permit" not in names_in(node.returns), f"{name_of(path)}:{node.name}"


def names_in(expression: ast.expr) -> set[str]:
    """Every name in an annotation."""
    return {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}


@pytest.mark.parametrize("floor", ["domain", "decide"])
def test_the_pure_floors_import_nothing_that_acts(floor: str) -> None:
    """Domain imports pure standard library and itself; decide these and domain; never anything that acts or waits."""
    allowed = {"domain": ("holdfast.domain",), "decide": ("holdfast.domain", "holdfast.decide")}[floor]
    found = modules(floor)
    assert found
    for path in found:
        for module in imported(tree_of(path)):
            root = module.partition(".")[0]
            if root == "holdfast":
                assert module.startswith(allowed), f"{name_of(path)} imports {module}"
            else:
                assert root in PURE_STANDARD_LIBRARY, f"{name_of(path)} imports {module}"
                assert root in sys.stdlib_module_names


FORBIDDEN_CALLS = {
    "open",
    "print",
    "input",
    "exec",
    "eval",
    "compile",
    "__import__",
    "globals",
    "vars",
    "setattr",
    "hash",
}


@pytest.mark.parametrize("floor", ["domain", "decide"])
def test_the_pure_floors_call_nothing_that_acts(floor: str) -> None:
    """No open, print, eval or their like on the pure floors; no async; no module-level state that may change."""
    for path in modules(floor):
        tree = tree_of(path)
        for node in ast.walk(tree):
            assert not isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.Global | ast.Nonlocal), name_of(path)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in FORBIDDEN_CALLS, f"{name_of(path)} calls {node.func.id}"


def test_the_product_asserts_nothing() -> None:
    """No `assert` in the product: it vanishes under -O, and a check with it."""
    asserting = [name_of(path) for path in modules() if any(isinstance(n, ast.Assert) for n in ast.walk(tree_of(path)))]
    assert asserting == []


def test_every_dataclass_of_the_pure_floors_is_frozen_with_slots() -> None:
    """A fact that was decided on can't be changed afterwards."""
    seen = 0
    for path in modules("domain", "decide"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef):
                for decorator in node.decorator_list:
                    seen += 1
                    assert isinstance(decorator, ast.Call), f"{name_of(path)}:{node.name}"
                    given = {keyword.arg: ast.unparse(keyword.value) for keyword in decorator.keywords}
                    assert given.get("frozen") == given.get("slots") == "True", f"{name_of(path)}:{node.name}"
    assert seen > 20


def enums() -> list[type[Enum]]:
    """Every enumeration of the pure floors."""
    found = []
    for path in modules("domain", "decide"):
        module = import_module(".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__"))
        found += [
            each
            for each in vars(module).values()
            if isinstance(each, type) and issubclass(each, Enum) and each.__module__ == module.__name__
        ]
    return found


def test_every_reason_has_its_meaning_and_its_line() -> None:
    """Every code has one line of meaning that ends a sentence, and stands on the page once a table."""
    assert set(REASON_TEXT) == set(Reason)
    assert set(HOLD_REASON_TEXT) == set(HoldReason)
    texts = [*REASON_TEXT.values(), *HOLD_REASON_TEXT.values()]
    assert all(text.endswith(".") and "\n" not in text and len(text) > 10 for text in texts)
    assert len(set(REASON_TEXT.values())) == len(Reason)
    page = reasons_page()
    lines = Counter(reason.value for reason in [*Reason, *HoldReason])  # a word may be in both of the page's tables
    for value, count in lines.items():
        assert page.count(f"| `{value}` |") == count
    values = [reason.value for reason in Reason]
    assert all(value.isascii() and value.replace("_", "").islower() for value in values)
    assert len(set(values)) == len(values)


def test_every_code_is_given_by_somebody() -> None:
    """Each reason, status, move and step is named somewhere in the product beside the page that explains it."""
    used: set[str] = set()
    for path in modules():
        if name_of(path) not in {"domain/reasons.py", "domain/reasons_page.py"}:
            used |= {ast.unparse(node) for node in ast.walk(tree_of(path)) if isinstance(node, ast.Attribute)}
    codes = {str(member) for enum in (Reason, HoldReason, Status, MoveKind, StepKind) for member in enum}
    assert codes - used == set()


def test_no_enumeration_hides_an_alias() -> None:
    """Two names of one value would be one member, and one of them would never be told apart."""
    assert len(enums()) > 15
    for enum in enums():
        assert len(enum.__members__) == len(list(enum)), enum
