"""What is wrong with the settings, said so that a person can mend it: the place, the key, the reason.

Invariant: a value is shown only if its key can't hold a secret.
"""

from __future__ import annotations

import difflib
import os
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from holdfast.domain.errors import CannotStart
from holdfast.settings.lines import KeyPath, line_of
from holdfast.settings.secret import is_secret_name
from holdfast.settings.tables import AccountTable, Table, Tables, env_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

VALUE_CHARS_MAX = 60
PROBLEMS_MAX = 30
_TYPE_TEXT = {
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "string_type": "must be text in quotes",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "dict_type": "must be a table",
    "list_type": "must be a list",
    "too_short": "must not be empty",
    "path_type": "must be a path in quotes",
}


class Problem(NamedTuple):
    """One thing that is wrong."""

    path: KeyPath
    text: str


class Origin(NamedTuple):
    """Where the settings came from."""

    path: Path
    text: str

    def describe(self, problem: Problem) -> tuple[int, str]:
        """Return the line and `file:line: key: reason`; the variable's name stands for both if it came from there."""
        variable = env_name(problem.path)
        if variable in os.environ:
            return 0, f"environment {variable}: {problem.text}"
        line = line_of(self.text, problem.path)
        place = str(self.path) if line is None else f"{self.path}:{line}"
        return line or 0, f"{place}: {'.'.join(problem.path)}: {problem.text}"

    def refuse(self, problems: Iterable[Problem]) -> CannotStart:
        """Return the error that says all of it at once."""
        texts = [text for _, text in sorted(map(self.describe, problems), key=itemgetter(0))]
        shown = texts[:PROBLEMS_MAX]
        if len(texts) > len(shown):
            shown.append(f"... and {len(texts) - len(shown)} more")
        if len(shown) == 1:
            return CannotStart(shown[0])
        return CannotStart("\n  ".join([f"the settings have {len(texts)} problems:", *shown]))


def problems_of(error: ValidationError) -> list[Problem]:
    """Turn pydantic's findings into ours."""
    return [_problem(detail) for detail in error.errors(include_url=False)]


def _problem(detail: ErrorDetails) -> Problem:
    path = tuple(str(part) for part in detail["loc"] if part != "[key]")
    kind = detail["type"]
    if kind == "extra_forbidden":
        return Problem(path, _unknown(path))
    if kind == "missing":
        return Problem(path, "is missing" + (": write at least one [accounts.NAME] table" if len(path) == 1 else ""))
    if "[key]" in detail["loc"]:
        return Problem(path, "an account's name is lower-case letters, digits and single _, at most 32")
    text = _TYPE_TEXT.get(kind, detail["msg"].removeprefix("Value error, "))
    if kind in {"enum", "greater_than_equal", "less_than_equal", "less_than", "string_pattern_mismatch"}:
        text = text.replace("Input should", "must").replace("String should", "must")
    return Problem(path, f"{text}{_shown(path, detail['input'])}")


def _shown(path: KeyPath, value: object) -> str:
    # Names of variables and URLs are not shown either: people paste secrets into both.
    name = next((part for part in reversed(path) if not part.isdigit()), "")
    if isinstance(value, dict | list) or is_secret_name(name) or name.endswith(("_env", "url", "urls")):
        return ""
    text = repr(value) if isinstance(value, str) else str(value)
    return f" (it is {text[:VALUE_CHARS_MAX]})"


def _unknown(path: KeyPath) -> str:
    name = path[-1]
    known = _known_keys(path[:-1])
    if is_secret_name(name) and f"{name}_env" in known:
        return (
            f'a secret does not belong into this file: write {name}_env = "NAME" (an environment variable) '
            f'or {name}_file = "PATH" (a file with mode 0600)'
        )
    if is_secret_name(name):
        return "unknown key; and a secret does not belong into this file, only *_env or *_file keys that name its place"
    near = difflib.get_close_matches(name, known, n=1)
    return "unknown key" + (f"; did you mean {near[0]}?" if near else f"; known here: {', '.join(sorted(known))}")


def _known_keys(table: KeyPath) -> tuple[str, ...]:
    model: type[BaseModel] | None = Tables
    if len(table) == 1 and table[0] in Tables.model_fields:
        kind = Tables.model_fields[table[0]].annotation
        model = kind if isinstance(kind, type) and issubclass(kind, Table) else None
    elif table:
        model = AccountTable
    return tuple(model.model_fields) if model is not None else ()
