"""What ties a server's life to its parent's: a few lines of Python that run between fork and the server.

    DEATH_SIGNAL  Linux. The kernel sends SIGKILL when the parent THREAD ends (prctl PR_SET_PDEATHSIG, kept over exec);
                  then this process becomes the server. Start the server from the thread that lives as long as the
                  program: the main one. If the parent died before prctl ran, its pid is not the expected one any
                  more, and nothing is started.
    PIPE          Elsewhere (macOS has no prctl). This process stays, 10 MB, as the server's parent, and reads from a
                  pipe that only the program holds open: its end is the program's end, and the server is killed.
                  What it does not cover: this process itself being killed with SIGKILL.

It runs as a program of its own, not as `preexec_fn`: code between fork and exec of a process with threads may
deadlock. It is a text for `python -I -S -c`, so that it starts in about 15 ms and imports nothing of ours.
"""

from __future__ import annotations

import os
import sys
from enum import Enum

_DEATH_SIGNAL = """
import ctypes, os, sys
parent, program = int(sys.argv[1]), sys.argv[2]
if ctypes.CDLL(None, use_errno=True).prctl(1, 9, 0, 0, 0) != 0:
    sys.exit("tether: prctl failed: " + os.strerror(ctypes.get_errno()))
if os.getppid() != parent:
    sys.exit("tether: the parent is gone")
os.execv(program, [program, "-"])
"""

_PIPE = """
import os, signal, subprocess, sys, threading
held, program = int(sys.argv[1]), sys.argv[2]
server, asked = None, []
def stop(number, frame):
    asked.append(number)
    if server is not None:
        server.send_signal(number)
signal.signal(signal.SIGTERM, stop)
server = subprocess.Popen([program, "-"], close_fds=False)
if asked:
    server.send_signal(asked[0])
sys.stdin.close()
def watch():
    os.read(held, 1)
    server.kill()
threading.Thread(target=watch, daemon=True).start()
sys.exit(server.wait() & 127)
"""


class Tether(Enum):
    """How the server is tied to this process."""

    DEATH_SIGNAL = "death_signal"
    PIPE = "pipe"


def tether_here() -> Tether:
    """The strongest that this system has."""
    return Tether.DEATH_SIGNAL if sys.platform == "linux" else Tether.PIPE


def tethered(kind: Tether, program: str, held_fd: int) -> tuple[str, ...]:
    """The command line that runs `program -` tied to this process; `held_fd` is the pipe's end for PIPE to read."""
    python = (sys.executable, "-I", "-S", "-c")
    if kind is Tether.DEATH_SIGNAL:
        return (*python, _DEATH_SIGNAL, str(os.getpid()), program)
    return (*python, _PIPE, str(held_fd), program)
