"""What happened in one history, line by line, and the hash that tells two histories apart.

Every line is `time who what`, in virtual milliseconds. The hash is taken over the lines as text: the same seed gives
the same lines, in any process, under any PYTHONHASHSEED, on any day.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LINES_MAX = 200_000
"""A history that says more than this runs in circles."""


class TooMuch(RuntimeError):
    """A history without end."""


@dataclass(slots=True)
class Chronicle:
    """The lines of one history."""

    now_ms: Callable[[], float]
    lines: list[str] = field(default_factory=list)
    heard: Callable[[str, str], None] | None = None
    """Called with who and what after every line, if anybody listens."""

    def say(self, who: str, what: str) -> None:
        """Note one line."""
        if len(self.lines) >= LINES_MAX:
            raise TooMuch(f"more than {LINES_MAX} lines")
        self.lines.append(f"{self.now_ms():11.3f} {who:<9} {what}")
        if self.heard is not None:
            self.heard(who, what)

    def digest(self) -> str:
        """The history's hash."""
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()
