"""`holdfast.toml` and HOLDFAST_* variables into `Settings`, or CannotStart with every problem, its line, its reason."""

from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from typing import TYPE_CHECKING

from pydantic import ValidationError

from holdfast.domain.errors import CannotStart
from holdfast.settings.answers import Settings
from holdfast.settings.problems import Origin, Problem, problems_of
from holdfast.settings.rules import broken_rules
from holdfast.settings.tables import Tables

if TYPE_CHECKING:
    from pathlib import Path

FILE_BYTES_MAX = 256 * 1024
_PLACE = re.compile(r"\s*\((?:at line (\d+), column \d+|at end of document)\)$")


def load_settings(path: Path) -> Settings:
    """Read, check and answer for the settings at `path`. Secrets are read later, when they are asked for.

    Raises CannotStart naming file, line and reason of everything that is wrong.
    """
    origin = Origin(path, _read(path))
    try:
        found = tomllib.loads(origin.text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise CannotStart(_not_toml(origin, str(error))) from None
    except RecursionError:
        raise CannotStart(f"{path}: nested too deeply") from None
    hidden = [Problem((name,), "unknown key") for name in found if name.startswith("_")]
    if hidden:  # pydantic-settings would take some of these for switches of its own
        raise origin.refuse(hidden)
    try:
        tables = Tables(**found)
    except ValidationError as error:
        raise origin.refuse(problems_of(error)) from None
    broken = list(broken_rules(tables))
    if broken:
        raise origin.refuse(broken)
    return Settings(tables, origin)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise CannotStart(f"there are no settings at {path}: `holdfast init` writes them") from None
    except OSError as error:
        raise CannotStart(f"cannot read the settings at {path}: {error.strerror}") from error
    if len(raw) > FILE_BYTES_MAX:
        raise CannotStart(f"{path} is larger than {FILE_BYTES_MAX} bytes: these are no settings")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise CannotStart(f"{path}:{line}: not UTF-8 text") from None


def _not_toml(origin: Origin, message: str) -> str:
    place = _PLACE.search(message)
    if place is None:
        return f"{origin.path}: not TOML: {message}"
    line = place[1] or str(origin.text.count("\n") + 1)
    return f"{origin.path}:{line}: not TOML: {message[: place.start()]}"
