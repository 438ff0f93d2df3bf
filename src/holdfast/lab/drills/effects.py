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
    life: int = 0
    """Which process of this folder reached it: 1 is the first."""

    @property
    def side(self) -> Shot:
        """The shot that would have fallen here."""
        return Shot(self.name, self.moment)


class Effects:
    """Counts the effects of this process and ends it at the first of those that were asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._trace_fd = os.open(trace_path(folder), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(self._trace_fd, f"born\t{os.getpid()}\n".encode())
        self._left: dict[Shot, int] = {}
        self.arm()

    def arm(self) -> None:
        """Read anew when to die. A file that is not there: never."""
        path = shot_path(self._folder)
        if not path.exists():
            self._left = {}
            return
        try:
            shots = msgspec.json.decode(path.read_bytes(), type=tuple[Shot, ...])
        except msgspec.MsgspecError as error:
            raise CannotStart(f"{path} holds no shots: {error}") from None
        self._left = {shot: shot.count for shot in shots}

    def reach(self, moment: Moment, name: str) -> None:
        """Note the effect; die if it is one of those."""
        line = f"{moment.value}\t{name}\n"
        for shot in self._left:
            if shot.fits(moment, name):
                self._left[shot] -= 1
                if self._left[shot] <= 0:
                    os.write(self._trace_fd, (line + f"killed\t{moment.value}\t{name}\n").encode())
                    os.kill(os.getpid(), signal.SIGKILL)
        os.write(self._trace_fd, line.encode())


def trace_path(folder: Path) -> Path:
    """Where the victims of a folder write what they reached."""
    return folder / "effects.trace"


def shot_path(folder: Path) -> Path:
    """Where a victim reads when it is to die."""
    return folder / "shot.json"


def aim(folder: Path, *shots: Shot) -> None:
    """Write where the next (or, after a SIGUSR1, this) victim dies: at the first of these that comes up."""
    path = shot_path(folder)
    if not shots:
        path.unlink(missing_ok=True)
        return
    draft = path.with_suffix(".draft")
    draft.write_bytes(msgspec.json.encode(shots))
    draft.replace(path)


class Trace:
    """What the victims of a folder reached, in order; reads on from where it stopped."""

    def __init__(self, folder: Path) -> None:
        self._path = trace_path(folder)
        self._offset = 0
        self._life = 0
        self._found: list[Reached] = []
        self.deaths: list[Reached] = []
        """The effects that were a process's last."""

    def read(self) -> list[Reached]:
        """All of it until now; `is_death` on the effects that were a process's last."""
        if not self._path.exists():
            return self._found
        with self._path.open("rb") as file:
            file.seek(self._offset)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.decode().splitlines():
            self._take(line)
        return self._found

    def _take(self, line: str) -> None:
        word, _, rest = line.partition("\t")
        if word == "born":
            self._life += 1
            return
        if word == "killed":
            moment, _, rest = rest.partition("\t")
            self.deaths.append(Reached(Moment(moment), rest, is_death=True, life=self._life))
            self._found.append(self.deaths[-1])
            return
        self._found.append(Reached(Moment(word), rest, is_death=False, life=self._life))


def read_trace(folder: Path) -> tuple[Reached, ...]:
    """What the victims of a folder reached until now."""
    return tuple(Trace(folder).read())


def path_of_caller() -> str:
    """The service and the chain of our functions that led here, nearest first."""
    names: list[str] = []
    service = ""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the documented way to read the stack
    for _ in range(FRAMES_MAX):
        if frame is None:
            break
        file, tidy = frame.f_code.co_filename, frame.f_code.co_qualname.replace(".<locals>", "")
        if (SERVICES in file or COMPOSE in file) and tidy not in PASSED_THROUGH:
            service = service or _service_of(frame)
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
