"""Runs all tests in two pytest sessions side by side: most waiting is for processes and time-outs, not for a core.

Prints both sessions' lines as they come, each with its number, and closes with one line in pytest's own form. Exit
status 0 only if both sessions passed and both ran something. A folder of tests that is in neither half is an error.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from pathlib import Path

APART = ("tests/integration/cli", "tests/integration/test_demo_scenarios.py", "tests/integration/test_bench.py")
"""Programs run by themselves: taken from the longer half."""
HALVES = (
    ("tests/contract", "tests/unit", *APART),
    ("tests/drills", "tests/integration", "tests/regressions", *(f"--ignore={path}" for path in APART)),
)
SHARED = {"whole"}
"""Folders of `tests/` that hold no tests of their own."""
CLOSING = re.compile(r"(\d+) passed")


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _missing() -> list[str]:
    named = {name for half in HALVES for name in half}
    folders = [path for path in Path("tests").iterdir() if path.is_dir() and any(path.rglob("test_*.py"))]
    return sorted(str(path) for path in folders if str(path) not in named and path.name not in SHARED)


def _relay(number: int, session: subprocess.Popen[str], passed: list[int]) -> None:
    for line in session.stdout or ():
        _say(f"[{number}] {line}")
        found = CLOSING.search(line)
        if found is not None and " in " in line:
            passed[number - 1] = int(found.group(1))


def main() -> int:
    """Run both halves; the exit status."""
    missing = _missing()
    if missing:
        _say(f"no half runs {', '.join(missing)}: add them to .ci/halves.py\n")
        return 2
    started = time.monotonic()
    passed = [0 for _ in HALVES]
    sessions = [
        subprocess.Popen(  # noqa: S603 - pytest of this very environment
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *half, *sys.argv[1:]],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for half in HALVES
    ]
    relays = [
        threading.Thread(target=_relay, args=(number, session, passed))
        for number, session in enumerate(sessions, start=1)
    ]
    for relay in relays:
        relay.start()
    for relay in relays:
        relay.join()
    statuses = [session.wait() for session in sessions]
    took = time.monotonic() - started
    if any(statuses) or not all(passed):
        _say(f"not a clean pass: the sessions ended with {statuses}, {passed} passed\n")
        return 1
    _say(f"{sum(passed)} passed in {took:.1f}s\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
