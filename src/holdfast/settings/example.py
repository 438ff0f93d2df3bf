"""The commented file that `holdfast init` writes: every key with its default and meaning, read from the models.

Invariant: it can be loaded as it stands (given its two variables), and every commented key that has a default
uncommented, it means the same.
"""

from __future__ import annotations

import os
import textwrap
from enum import Enum
from typing import TYPE_CHECKING, get_args

from holdfast.domain.errors import CannotStart
from holdfast.settings.limits import ALLOWLIST, shown
from holdfast.settings.tables import AccountTable, Tables, env_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

WIDTH = 110
MODE = 0o600
ACCOUNT = "main"
_CHOSEN = {
    ALLOWLIST: '["BTCUSDT"]',
    "read_key_env": '"HOLDFAST_READ_KEY"',
    "read_secret_env": '"HOLDFAST_READ_SECRET"',
}
"""What stands uncommented: keys without a default that a first run needs."""


def commented_example() -> str:
    """Return the text of a settings file for the futures demo."""
    return "\n".join(_lines()) + "\n"


def write_example(path: Path) -> None:
    """Write the example with mode 0600. Raises CannotStart if it can't, or if a file stands there."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
    except FileExistsError:
        raise CannotStart(f"{path} exists: holdfast init never overwrites settings") from None
    except OSError as error:
        raise CannotStart(f"cannot write {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(commented_example())


def _lines() -> Iterator[str]:
    yield from _comment(
        "Settings of Holdfast. A commented key shows its default, or an example where it has none. Times are "
        "milliseconds, notionals are in the quote asset. Secrets never stand in this file: it names the variable or "
        "the file (mode 0600) that holds them. "
        f"Every key can be set by the environment too, which wins: {env_name(('bus', 'prefix'))}=desk1, "
        f"{env_name(('accounts', ACCOUNT, 'stamp_ms'))}=250."
    )
    for name, field in Tables.model_fields.items():
        if name == "accounts":
            yield from _table(f"accounts.{ACCOUNT}", AccountTable)
        else:
            yield from _table(name, type(field.default))


def _table(name: str, model: type[BaseModel]) -> Iterator[str]:
    yield ""
    yield from _comment(model.__doc__ or "")
    yield f"[{name}]"
    for key, field in model.model_fields.items():
        yield from _comment(f"{field.description or ''}{_choices(field.annotation)}")
        yield _assignment(key, field)


def _assignment(key: str, field: FieldInfo) -> str:
    if key in _CHOSEN:
        return f"{key} = {_CHOSEN[key]}"
    if field.default is not None:
        return f"# {key} = {shown(_plain(field.default))}"
    if field.examples:
        return f"# {key} = {shown(field.examples[0])}"
    return f'# {key} = "{"NAME" if key.endswith("_env") else "PATH"}"'


def _choices(kind: object) -> str:
    kinds = (kind, *get_args(kind))
    found = next((one for one in kinds if isinstance(one, type) and issubclass(one, Enum)), None)
    return "" if found is None else f" One of: {', '.join(shown(one) for one in found)}."


def _plain(default: object) -> object:
    return str(default) if isinstance(default, os.PathLike) else default


def _comment(text: str) -> list[str]:
    return textwrap.wrap(" ".join(text.split()), WIDTH, initial_indent="# ", subsequent_indent="# ")
