"""What holds for every test: none is skipped, none leaves a process behind.

A hung test is ended by pytest's own faulthandler (`faulthandler_timeout` in pyproject.toml). A process that a
wider fixture (module, session) started before the test may go on living; at the end of the session none may.

Hypothesis throws the same dice in every run, so that a change is judged by what it changed;
`HYPOTHESIS_PROFILE=default` throws new ones.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.processes import end_and_name, mark_descendants, session_processes

if TYPE_CHECKING:
    from collections.abc import Iterator

_unfinished: list[str] = []
settings.register_profile("same dice", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same dice"))


def pytest_sessionstart() -> None:
    """Mark what this session will start, so that an orphan of it is recognised too."""
    mark_descendants()


@pytest.fixture(autouse=True)
def _no_process_outlives_its_test() -> Iterator[None]:
    before = session_processes()
    yield
    left = end_and_name(session_processes() - before)
    if left:
        pytest.fail("processes outlived the test: " + "; ".join(left))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note a skip or an expected failure: a test that does not count is a hole in the proof."""
    if report.skipped or hasattr(report, "wasxfail"):
        _unfinished.append(report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Note a module that skips itself."""
    if report.skipped:
        _unfinished.append(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn skips and left-over processes into a failed session."""
    left = end_and_name(session_processes())
    if (_unfinished or left) and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    _unfinished.extend(f"process left: {name}" for name in left)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why the session failed."""
    for name in _unfinished:
        terminalreporter.write_line(f"NOT ALLOWED (skipped, xfailed or left running): {name}", red=True)
