"""What the machine is, and what processes cost it: read from Linux's /proc, measured where reading is not enough.

Everything here is for figures only; no decision of the product reads it.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from holdfast.domain.errors import CannotStart
from holdfast.lab.samples import Timing, timing_of

_PROC = Path("/proc")
_US_PER_S = 1_000_000
_KB_PER_MB = 1_024
_UTIME, _STIME, _PARENT = 11, 12, 1
"""Places in /proc/<pid>/stat, counted after the name in brackets."""
IN_MEMORY = frozenset({"tmpfs", "ramfs"})
"""File systems without a disk: an fsync costs nothing there and proves nothing."""
FSYNC_SAMPLES = 200
BLOCK_BYTES = 4_096


@dataclass(frozen=True, slots=True)
class Machine:
    """Where figures were measured."""

    cores: int
    cpu: str
    kernel: str
    python: str
    file_system: str
    fdatasync_ms: Timing
    """One block written and made durable, in the folder that the journals lie in."""
    load_average_1m: float
    """Before the measurement began: above 0 others were at work too."""


def require_linux() -> None:
    """Raise CannotStart where there is no /proc to read from."""
    if sys.platform != "linux":
        raise CannotStart("holdfast bench reads CPU time and memory from /proc: it runs on Linux")


def machine_at(folder: Path) -> Machine:
    """Describe the machine, and measure the disk under `folder`."""
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        cpu=_cpu_name(),
        kernel=platform.release(),
        python=platform.python_version(),
        file_system=file_system_of(folder),
        fdatasync_ms=timing_of(_fdatasync_ns(folder)),
        load_average_1m=round(os.getloadavg()[0], 2),
    )


def disk_folder() -> Path:
    """A folder for temporary files that lies on a disk. Raises CannotStart if none of the usual ones does."""
    tried = (Path(tempfile.gettempdir()), Path("/var/tmp"), Path.cwd())  # noqa: S108 - a folder of one's own is made in it
    for folder in tried:
        if folder.is_dir() and os.access(folder, os.W_OK) and file_system_of(folder) not in IN_MEMORY:
            return folder
    raise CannotStart(f"no folder on a disk for the journal: tried {', '.join(map(str, tried))}; set TMPDIR to one")


def file_system_of(folder: Path) -> str:
    """The type of the file system that a folder lies on, "" if the system does not say."""
    resolved, found, depth = folder.resolve(), "", -1
    for line in _PROC.joinpath("self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split(" ")
        mounted = Path(place)
        if len(mounted.parts) > depth and (mounted == resolved or mounted in resolved.parents):
            found, depth = kind, len(mounted.parts)
    return found


def cpu_us_of(pid: int) -> int:
    """CPU time that a process used so far, user and system, all its threads, in microseconds."""
    fields = _stat(pid)
    ticks = int(fields[_UTIME]) + int(fields[_STIME])
    return ticks * _US_PER_S // os.sysconf("SC_CLK_TCK")


def rss_mb_of(pid: int) -> float:
    """Resident memory of a process now, pages shared with others included, in MB (2^20 bytes)."""
    for line in _PROC.joinpath(str(pid), "status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / _KB_PER_MB
    return 0.0


def children_of(pid: int) -> tuple[int, ...]:
    """Processes whose parent is `pid`."""
    found = []
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                parent = int(_stat(int(entry.name))[_PARENT])
            except OSError:
                continue  # it ended while we were looking
            if parent == pid:
                found.append(int(entry.name))
    return tuple(found)


def _stat(pid: int) -> list[str]:
    return _PROC.joinpath(str(pid), "stat").read_text().rpartition(")")[2].split()


def _cpu_name() -> str:
    for line in _PROC.joinpath("cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _fdatasync_ns(folder: Path) -> list[int]:
    fd, name = tempfile.mkstemp(dir=folder)
    try:
        samples = []
        for number in range(FSYNC_SAMPLES):
            os.pwrite(fd, b"\0" * BLOCK_BYTES, number * BLOCK_BYTES)
            started = time.monotonic_ns()
            os.fdatasync(fd)
            samples.append(time.monotonic_ns() - started)
        return samples
    finally:
        os.close(fd)
        Path(name).unlink()
