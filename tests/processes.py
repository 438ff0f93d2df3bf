"""Finds and ends the processes that the test session started, orphans of its children included (Linux).

Children are known by their parent's id; whoever lost his parent (killed with SIGKILL, say) by a mark in the
environment that he inherited. Elsewhere than on Linux nothing is found: the guard is CI's.
"""

from __future__ import annotations

import os
import secrets
import select
import signal
from pathlib import Path

_PROC = Path("/proc")
_MARK = "HOLDFAST_TEST_SESSION"
_foreign: set[int] = set()
"""Processes that stood there before the session: looking at the newer ones only keeps the guard cheap."""
END_SECONDS_MAX = 3
"""A process that is ending may take this long before it counts as left behind."""


def mark_descendants() -> None:
    """Put the mark into this process's environment; it is inherited by whatever is started from now on."""
    os.environ[_MARK] = f"{os.getpid()}-{secrets.token_hex(8)}"
    _foreign.clear()
    _foreign.update(_all_pids())


def session_processes() -> frozenset[int]:
    """Ids of all live processes that this session started."""
    own = os.getpid()
    mark = f"{_MARK}={os.environ.get(_MARK, 'unmarked')}".encode()
    return frozenset(pid for pid in _all_pids() - _foreign if _is_ours(pid, own, mark))


def end_and_name(pids: frozenset[int]) -> list[str]:
    """Wait a moment for `pids` to end by themselves, kill the rest and return the command lines of those."""
    left = []
    for pid in sorted(pids):
        if _ends_in_time(pid):
            continue
        left.append(f"{pid} {_read(pid, 'cmdline').replace(bytes(1), b' ').decode(errors='replace')[:200]}")
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return left


def _all_pids() -> set[int]:
    if not _PROC.joinpath("self/stat").exists():
        return set()
    return {int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()}


def _is_ours(pid: int, own: int, mark: bytes) -> bool:
    state, parent = _state_and_parent(pid)
    if state in {"", "Z", "X"}:
        return False
    if parent != own and mark not in _read(pid, "environ").split(b"\0"):
        return False
    return b"multiprocessing.resource_tracker" not in _read(pid, "cmdline")  # the standard library's, ends with us


def _ends_in_time(pid: int) -> bool:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(END_SECONDS_MAX * 1000))
    finally:
        os.close(descriptor)


def _state_and_parent(pid: int) -> tuple[str, int]:
    # "pid (name) state ppid ...": the name may hold spaces and brackets, so split after the last one.
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return (fields[0].decode(), int(fields[1])) if len(fields) > 1 else ("", 0)


def _read(pid: int, name: str) -> bytes:
    try:
        return _PROC.joinpath(str(pid), name).read_bytes()
    except (OSError, ProcessLookupError):
        return b""
