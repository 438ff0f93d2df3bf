"""The rules of the house that no ready-made linter knows. Run by `make check`; prints each breach with its place.

A rule here is one function that yields breaches; `RULES` names them all. Sources are read as syntax trees, never
executed, so that a broken module is judged like any other. Only files that git tracks or would track count.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
FORBIDDEN_WORDS = frozenset({"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc"})
REGISTRY_TRACES = re.compile(r"://|^\s*-i\s|--(extra-)?index-url|--find-links|--trusted-host", re.MULTILINE)
REGISTRY_HOSTS = re.compile(r"(py" + r"pi|pythonhost" + r"ed)\.org|/work/" + r"shared")
"""Hosts of registries, and the founders' own shelf: neither may be named in a committed file."""
BARE_EXCUSE = re.compile(r"#\s*(?:noqa(?::\s*[A-Z0-9, ]+)?|type:\s*ignore(?:\[[^\]]*\])?)\s*(?P<reason>.*)$")
REASON_CHARS_MIN = 8
PATCHING = frozenset({"setattr", "delattr", "setitem"})
SKIPPING = frozenset({"skip", "skipif", "xfail", "importorskip"})


class Source(NamedTuple):
    """One Python file."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def is_product(self) -> bool:
        """Tell whether it is part of what users run."""
        return self.path.parts[0] == "src"

    @property
    def is_test(self) -> bool:
        """Tell whether it is part of the proof."""
        return self.path.parts[0] == "tests"

    @property
    def is_pure(self) -> bool:
        """Tell whether it is on a floor without I/O, where amounts live."""
        return self.path.parts[:2] == ("src", "holdfast") and self.path.parts[2] in {"domain", "decide"}


class Breach(NamedTuple):
    """One broken rule."""

    path: Path
    line: int
    text: str


def sizes(source: Source) -> Iterator[Breach]:
    """Small rooms: files of at most 400 lines, product functions of at most 60."""
    lines = source.text.count("\n")
    if lines > FILE_LINES_MAX:
        yield Breach(source.path, 1, f"{lines} lines; a file has at most {FILE_LINES_MAX}")
    if not source.is_product:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield Breach(source.path, node.lineno, f"{node.name}: {length} lines; at most {FUNCTION_LINES_MAX}")


def names(source: Source) -> Iterator[Breach]:
    """A file is named for what it decides."""
    for part in (*source.path.parts[:-1], source.path.stem):
        if FORBIDDEN_WORDS & set(part.lower().split("_")):
            yield Breach(source.path, 1, f"the name {part!r} says nothing about what is inside")


def real_checks(source: Source) -> Iterator[Breach]:
    """`assert` vanishes under -O: the product raises instead."""
    if source.is_product:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Assert):
                yield Breach(source.path, node.lineno, "assert in the product: it vanishes under -O")


def no_float(source: Source) -> Iterator[Breach]:
    """Money never passes through a binary float."""
    if source.is_pure:
        for node in ast.walk(source.tree):
            if (isinstance(node, ast.Name) and node.id == "float") or (
                isinstance(node, ast.Constant) and isinstance(node.value, float)
            ):
                yield Breach(source.path, node.lineno, "float on a pure floor: use Decimal, or integers with a unit")


def honest_tests(source: Source) -> Iterator[Breach]:
    """Tests use real parts, wait for events, and all of them run."""
    if not source.is_test:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any("mock" in name.split(".") for name in (*modules, *(alias.name for alias in node.names))):
                yield Breach(source.path, node.lineno, "a mock: use the real part")
        elif isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value)
            if node.attr in PATCHING and owner.endswith("monkeypatch"):
                yield Breach(source.path, node.lineno, f"{owner}.{node.attr}: inject the part instead")
            if node.attr in SKIPPING and owner in {"pytest", "pytest.mark"}:
                yield Breach(source.path, node.lineno, f"{owner}.{node.attr}: every test runs")
        elif isinstance(node, ast.Call) and _is_real_sleep(node):
            yield Breach(source.path, node.lineno, "sleep in a test: wait for the event, with a deadline")


def _is_real_sleep(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name != "sleep" or not call.args:
        return False
    first = call.args[0]
    return not (isinstance(first, ast.Constant) and first.value == 0)


def excused(source: Source) -> Iterator[Breach]:
    """Each `noqa` and `type: ignore` says why, on its line or in the comment above it."""
    lines = source.text.splitlines()
    for number, line in enumerate(lines, start=1):
        match = BARE_EXCUSE.search(line)
        if match is None or source.path.name == Path(__file__).name:
            continue
        above = lines[number - 2].strip() if number > 1 else ""
        if len(match["reason"].strip(" -#:(")) < REASON_CHARS_MIN and not above.startswith("#"):
            yield Breach(source.path, number, "an excuse without its reason")


SOURCE_RULES: tuple[Callable[[Source], Iterator[Breach]], ...] = (
    sizes,
    names,
    real_checks,
    no_float,
    honest_tests,
    excused,
)


def no_registry(path: Path, text: str) -> Iterator[Breach]:
    """No committed file names a registry; a requirements file names no address at all."""
    pattern = REGISTRY_TRACES if path.parts[0] == "requirements" else REGISTRY_HOSTS
    for match in (*pattern.finditer(text), *REGISTRY_HOSTS.finditer(text)):
        yield Breach(path, text.count("\n", 0, match.start()) + 1, f"names an address: {match[0].strip()!r}")


def reasons_in_step(root: Path) -> Iterator[Breach]:
    """docs/reasons.md is what the enums say it is."""
    from holdfast.domain.reasons_page import reasons_page  # noqa: PLC0415 - all other rules work without the package

    path = Path("docs/reasons.md")
    page = root / path
    if not page.exists() or page.read_text(encoding="utf-8") != reasons_page():
        yield Breach(path, 1, "out of step with the enums; write it anew: python .ci/house_rules.py --write-reasons")


def _tracked(root: Path) -> Iterator[tuple[Path, str]]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)  # noqa: S603 - our own words
    for name in sorted(filter(None, listed.stdout.split("\0"))):
        try:
            yield Path(name), (root / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue  # a picture, or a file deleted but not yet committed


def breaches(root: Path) -> Iterator[Breach]:
    """All of them, file by file."""
    for path, text in _tracked(root):
        yield from no_registry(path, text)
        if path.suffix == ".py":
            try:
                source = Source(path, text, ast.parse(text))
            except SyntaxError as error:
                yield Breach(path, error.lineno or 1, "not Python")
                continue
            for rule in SOURCE_RULES:
                yield from rule(source)
    yield from reasons_in_step(root)


def main(arguments: list[str]) -> int:
    """Print the breaches; 1 if there are any."""
    root = Path(__file__).resolve().parent.parent
    if arguments == ["--write-reasons"]:
        from holdfast.domain.reasons_page import reasons_page  # noqa: PLC0415 - as above

        (root / "docs/reasons.md").write_text(reasons_page(), encoding="utf-8")
        return 0
    found = list(breaches(root))
    for breach in found:
        sys.stderr.write(f"{breach.path}:{breach.line}: {breach.text}\n")
    sys.stdout.write(f"House rules: {len(found)} broken\n" if found else "House rules: all kept\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
