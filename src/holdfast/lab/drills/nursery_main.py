"""The program that victims are forked from: all is imported once, so that a start costs what it does, not Python.

    python -m holdfast.lab.drills.nursery_main PARENT_PID

It reads one errand a line, forks, and writes one line for each thing that happens to a victim: born (its pid), said
(what it printed when it was ready), ended (its status, negative for a signal). No thread and no event loop runs here,
so a fork is safe; a victim's own loop is made after it.

Invariants: a victim dies with its nursery and a nursery with its driver (prctl PR_SET_PDEATHSIG); a line is one write
of less than PIPE_BUF, so that lines of several processes never mix.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
from typing import TYPE_CHECKING

import msgspec

from holdfast.domain.errors import CannotStart
from holdfast.lab.drills.victim import Errand, live

if TYPE_CHECKING:
    from holdfast.compose import Started

IN, OUT, ERR = 0, 1, 2
CHUNK_BYTES = 65_536
PR_SET_PDEATHSIG = 1
BROKEN = 70


class News(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a nursery: what happened to the victim of this number."""

    number: int
    pid: int = 0
    is_ready: bool = False
    ended: int | None = None
    """Exit status; negative: the signal."""


def main() -> None:
    """Fork until the driver closes our standard input or is gone."""
    _die_with(int(sys.argv[1]))
    poll = select.poll()
    poll.register(IN, select.POLLIN | select.POLLHUP)
    numbers: dict[int, tuple[int, int]] = {}
    """pidfd -> number and pid."""
    pending = b""
    while True:
        for fd, _ in poll.poll():
            if fd != IN:
                poll.unregister(fd)
                number, pid = numbers.pop(fd)
                os.close(fd)
                _tell(News(number, pid, ended=os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))
                continue
            read = os.read(IN, CHUNK_BYTES)
            if not read:
                return
            *lines, pending = (pending + read).split(b"\n")
            for line in lines:
                errand = msgspec.json.decode(line, type=Errand)
                pid = _fork(errand)
                watched = os.pidfd_open(pid)
                numbers[watched] = (errand.number, pid)
                poll.register(watched, select.POLLIN)
                _tell(News(errand.number, pid))


def _fork(errand: Errand) -> int:
    nursery = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = BROKEN
    try:
        _die_with(nursery)
        os.setsid()
        _own_descriptors(errand)
        os.environ.update(errand.secrets)
        status = live(errand, lambda started: _announce(errand, started))
    except BaseException:  # noqa: BLE001 - the last frame of a forked process: nothing may run on into the nursery's code
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(status)  # a fork must not run the nursery's own end


def _own_descriptors(errand: Errand) -> None:
    log = os.open(errand.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(log, ERR)
    os.close(log)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, IN)
    os.close(nothing)


def _announce(errand: Errand, _started: Started) -> None:
    _tell(News(errand.number, os.getpid(), is_ready=True))


def _tell(news: News) -> None:
    os.write(OUT, msgspec.json.encode(news) + b"\n")


def _die_with(parent: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        raise CannotStart("the drills need Linux: victims die with their driver by prctl")
    if os.getppid() != parent:
        sys.exit("the parent is gone")


if __name__ == "__main__":
    main()
