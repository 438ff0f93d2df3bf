"""Every side effect gets a name, is counted, and may be the last thing this process does.

A name is found, not listed: `<port>.<method> <service> <path> [<what>]`, where the path is the chain of our own
functions that led there (read off the stack: an awaited coroutine lies above the one that awaits it), and what is what
the effect is about (journal entries written, kind of order). So a new call site is a new point by itself.

Invariants: SIGKILL falls in this very process at once, between two instructions of Python, with no clean-up; each
effect that was reached is in the trace file before the process can die of it (a write survives the process, not the
power: that is another drill); arming again forgets what was counted.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import msgspec

from holdfast.domain.errors import CannotStart

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

SERVICES = "/holdfast/services/"
COMPOSE = "/holdfast/compose/"
PASSED_THROUGH = frozenset(
    {"Context.transact", "run_tasks", "run", "run_by_doors", "run_by_doors.<listcomp>", "_until_one_ends"}
)
"""Frames that every effect has above it: they tell nothing."""
FRAMES_MAX = 60


class Moment(Enum):
    """On which side of the effect the process dies."""

    BEFORE = "before"
    AFTER = "after"


class Shot(msgspec.Struct, frozen=True):
    """When to die: at the `count`-th time that `name` is reached on this side.

    A name that ends in `*` stands for all that begin so; "" for any effect.
    """

    name: str
    moment: Moment
    count: int = 1

    def fits(self, moment: Moment, name: str) -> bool:
        """Tell whether this is an effect that it waits for."""
        if moment is not self.moment:
            return False
        return name.startswith(self.name[:-1]) if self.name.endswith("*") else self.name in {"", name}

    def __str__(self) -> str:
        return f"{self.moment.value} {self.name or 'any effect'} #{self.count}"


@dataclass(frozen=True, slots=True)
class Reached:
    """One line of the trace."""

    moment: Moment
    name: str
    is_death: bool


class Effects:
    """Counts the effects of this process and ends it at the one that was asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._trace_fd = os.open(trace_path(folder), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._shot: Shot | None = None
        self._left = 0
        self.arm()

    def arm(self) -> None:
        """Read anew when to die. A file that is not there: never."""
        path = shot_path(self._folder)
        if not path.exists():
            self._shot = None
            return
        try:
            self._shot = msgspec.json.decode(path.read_bytes(), type=Shot)
        except msgspec.MsgspecError as error:
            raise CannotStart(f"{path} holds no shot: {error}") from None
        self._left = self._shot.count

    def reach(self, moment: Moment, name: str) -> None:
        """Note the effect; die if it is the one."""
        shot = self._shot
        line = f"{moment.value}\t{name}\n"
        if shot is not None and shot.fits(moment, name):
            self._left -= 1
            if self._left <= 0:
                os.write(self._trace_fd, (line + f"killed\t{moment.value}\t{name}\n").encode())
                os.kill(os.getpid(), signal.SIGKILL)
        os.write(self._trace_fd, line.encode())


def trace_path(folder: Path) -> Path:
    """Where the victims of a folder write what they reached."""
    return folder / "effects.trace"


def shot_path(folder: Path) -> Path:
    """Where a victim reads when it is to die."""
    return folder / "shot.json"


def aim(folder: Path, shot: Shot | None) -> None:
    """Write when the next (or, after a SIGUSR1, this) victim dies."""
    path = shot_path(folder)
    if shot is None:
        path.unlink(missing_ok=True)
        return
    draft = path.with_suffix(".draft")
    draft.write_bytes(msgspec.json.encode(shot))
    draft.replace(path)


def read_trace(folder: Path) -> tuple[Reached, ...]:
    """What the victims of a folder reached, in order; `is_death` on the effects that were a process's last."""
    path = trace_path(folder)
    found: list[Reached] = []
    for line in path.read_text().splitlines() if path.exists() else ():
        word, _, rest = line.partition("\t")
        if word == "killed":
            moment, _, name = rest.partition("\t")
            found.append(Reached(Moment(moment), name, is_death=True))
        else:
            found.append(Reached(Moment(word), rest, is_death=False))
    return tuple(found)


def path_of_caller() -> str:
    """The service and the chain of our functions that led here, nearest first."""
    names: list[str] = []
    service = ""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the documented way to read the stack
    for _ in range(FRAMES_MAX):
        if frame is None:
            break
        file, name = frame.f_code.co_filename, frame.f_code.co_qualname
        if (SERVICES in file or COMPOSE in file) and name not in PASSED_THROUGH:
            service = service or _service_of(frame)
            tidy = name.replace(".<locals>", "")
            if not names or names[-1] != tidy:
                names.append(tidy)
        frame = frame.f_back
    inner = names[:1] + [name for name in names[1:-1] if "._" not in name and not name.startswith("_")] + names[1:][-1:]
    return f"{service or '-'} {'<'.join(dict.fromkeys(inner))}"


def _service_of(frame: FrameType) -> str:
    """The lease that a frame works under: its context's, if it has one."""
    own = frame.f_locals.get("self")
    holder = frame.f_locals.get("context") or getattr(own, "_context", None) or getattr(own, "context", None)
    return str(getattr(holder, "service", ""))
