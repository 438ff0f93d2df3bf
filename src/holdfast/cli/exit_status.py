"""What the exit status of every command means, and how an error is said: one line on standard error, no traceback.

| status | meaning                                                                             |
|--------|-------------------------------------------------------------------------------------|
| 0      | done; the answer is yes                                                             |
| 1      | the answer is no: refused, not executed, held, a chain that does not hold           |
| 2      | it could not be tried: wrong input, settings, files; nothing was changed            |
| 3      | nobody answered in time: no service runs, a part is busy or blind                   |
| 70     | a bug; HOLDFAST_TRACEBACK=1 shows where                                             |
"""

from __future__ import annotations

import sys

DONE = 0
REFUSED = 1
NOT_TRIED = 2
NO_ANSWER = 3
BUG = 70


def say(text: str) -> None:
    """Write one line for people to standard error."""
    sys.stderr.write(f"holdfast: {text}\n")


def status_of(error: Exception) -> int:
    """Tell how a command ends that raised `error`; the table of the module."""
    from holdfast.domain.errors import (  # noqa: PLC0415 - only a command that failed needs the tree
        CannotStart,
        HoldfastError,
        JournalLost,
        Rejected,
        Unavailable,
    )

    if not isinstance(error, HoldfastError):
        return BUG
    if isinstance(error, Rejected | CannotStart | JournalLost):
        return NOT_TRIED
    return NO_ANSWER if isinstance(error, Unavailable) else REFUSED
