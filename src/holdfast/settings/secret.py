"""References to secrets, and reading them. A secret never stands in the settings file itself.

Invariants: a reference names an environment variable or a file; a secret's file is a regular file that nobody but its
owner may read (mode 0600 or stricter); no message and no repr contains what was read (pydantic's SecretStr).
"""

from __future__ import annotations

import os
import re
import stat
from enum import Enum
from typing import TYPE_CHECKING

from pydantic import SecretStr

from holdfast.domain.errors import CannotStart

if TYPE_CHECKING:
    from pathlib import Path

SECRET_BYTES_MAX = 65_536
ENV_NAME_CHARS_MAX = 48
"""Longer than any name in use, shorter than the venue's keys (64): one pasted in place of a name is recognised."""
_ENV_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
_SECRET_WORDS = re.compile(r"(key|secret|password|passwd|token|credential)s?$")


class KeyUse(Enum):
    """What a key is for. `reconcile` needs READ alone, only `apply` needs TRADE."""

    READ = "read"
    TRADE = "trade"


def is_secret_name(name: str) -> bool:
    """Tell whether a key of the file, by its name, would hold a secret itself instead of a reference."""
    return _SECRET_WORDS.search(name.lower()) is not None


def require_env_name(text: str) -> str:
    """Return `text` if it may name a variable. Raises ValueError, without the text: it might be a secret."""
    if len(text) > ENV_NAME_CHARS_MAX or _ENV_NAME.match(text) is None:
        raise ValueError("must be the NAME of an environment variable, not the secret itself (letters, digits and _)")
    return text


def from_env(name: str) -> SecretStr:
    """Read a secret from the environment. Raises CannotStart saying what to do."""
    value = os.environ.get(name, "").strip()
    if not value:
        raise CannotStart(f"the environment variable {name} is not set or empty: export {name}=...")
    return SecretStr(value)


def from_file(path: Path) -> SecretStr:
    """Read a secret from a file that only its owner may read. Raises CannotStart saying what to do."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise CannotStart(f"{path} is not a regular file")
            if status.st_mode & 0o077:
                mode = stat.S_IMODE(status.st_mode)
                raise CannotStart(f"others may read {path} (mode {mode:04o}): chmod 600 {path}")
            raw = file.read(SECRET_BYTES_MAX + 1)
    except OSError as error:
        raise CannotStart(f"cannot read the secret's file {path}: {error.strerror}") from error
    if len(raw) > SECRET_BYTES_MAX:
        raise CannotStart(f"{path} is larger than {SECRET_BYTES_MAX} bytes: that is no secret's file")
    try:
        value = raw.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise CannotStart(f"{path} is not text") from None
    if not value:
        raise CannotStart(f"the secret's file {path} is empty")
    return SecretStr(value)
