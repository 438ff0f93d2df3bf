"""One of our programs as a process, started as a user starts it; and how a test waits for what it does."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

START_S_MAX = 20.0
STOP_S_MAX = 10.0
PACE_S = 0.004
WITHIN_S = 8.0
_PROGRAM = "from holdfast.cli.main import main; main()"
_pace = threading.Event()


def until(condition: Callable[[], object], what: str, within_s: float = WITHIN_S) -> None:
    """Ask until the condition holds; fail with `what` once `within_s` is over."""
    ends = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < ends, f"not within {within_s} s: {what}"
        _pace.wait(PACE_S)


def never(condition: Callable[[], object], what: str, for_s: float) -> None:
    """Ask all the time for `for_s` and fail with `what` if the condition ever holds."""
    ends = time.monotonic() + for_s
    while time.monotonic() < ends:
        assert not condition(), what
        _pace.wait(PACE_S)


class Program:
    """A running `holdfast ...`; ready when it has printed its JSON line."""

    def __init__(
        self, name: str, arguments: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.log_path = folder / f"{name}.log"
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-c", _PROGRAM, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        self.said: dict[str, Any] = {}
        try:
            self.said = self._first_line()
        except BaseException:
            self.kill()
            raise

    def _first_line(self) -> dict[str, Any]:
        out = self.process.stdout
        assert out is not None
        ready, _, _ = select.select([out], [], [], START_S_MAX)
        line = out.readline() if ready else b""
        assert line, f"{self.name} did not start: {self.log()[-2000:]}"
        return dict(json.loads(line))

    def log(self) -> str:
        """What it wrote on standard error."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def is_running(self) -> bool:
        """Tell whether it still runs."""
        return self.process.poll() is None

    def wait(self, within_s: float = STOP_S_MAX) -> int:
        """Wait for its end; its exit status."""
        return self.process.wait(within_s)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.process.kill()
        self.process.wait(STOP_S_MAX)
        self._close()

    def freeze(self) -> None:
        """Stop it where it stands (SIGSTOP)."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on (SIGCONT)."""
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """End it in order (SIGTERM); its exit status."""
        if self.is_running():
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        try:
            status = self.process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait(STOP_S_MAX)
        self._close()
        return status

    def _close(self) -> None:
        if self.process.stdout is not None:
            self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
