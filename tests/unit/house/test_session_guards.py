"""The guards of tests/conftest.py, tried on small sessions of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SESSION_SECONDS_MAX = 60

SESSIONS = {
    "skip": ("import pytest\ndef test_it(): pytest.skip('not today')\n", "NOT ALLOWED"),
    "module skip": ("import pytest\npytest.skip('not here', allow_module_level=True)\n", "NOT ALLOWED"),
    "xfail": ("import pytest\n@pytest.mark.xfail\ndef test_it(): raise ValueError\n", "NOT ALLOWED"),
    "child left": (
        "import subprocess\ndef test_it(): keep.append(subprocess.Popen(['sleep', '30']))\nkeep = []\n",
        "processes outlived the test",
    ),
    "orphan left": (
        "import subprocess\ndef test_it(): subprocess.run(['sh', '-c', 'sleep 30 >/dev/null 2>&1 &'], check=True)\n",
        "processes outlived the test",
    ),
    "hung": ("import threading\ndef test_it(): threading.Event().wait()\n", "Timeout"),
}


def run_session(tmp_path: Path, test_text: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on one test file under the real conftest, with a one-second bound on a test."""
    tests = tmp_path / "tests"
    tests.mkdir()
    for name in ("conftest.py", "processes.py"):
        (tests / name).write_text((ROOT / "tests" / name).read_text(encoding="utf-8"), encoding="utf-8")
    (tests / "test_it.py").write_text(test_text, encoding="utf-8")
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    seconds = "30" if "Popen" in test_text or "run(" in test_text else "2"
    (tmp_path / "pyproject.toml").write_text(
        settings.replace("faulthandler_timeout = 120", f"faulthandler_timeout = {seconds}"), encoding="utf-8"
    )
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=SESSION_SECONDS_MAX,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_with_a_hole_fails(tmp_path: Path, name: str) -> None:
    """A skipped, expected-to-fail, leaking or hung test fails its session and says why."""
    text, said = SESSIONS[name]
    session = run_session(tmp_path, text)
    assert session.returncode == 1, session.stdout + session.stderr
    assert said in session.stdout + session.stderr


def test_a_session_without_a_hole_passes(tmp_path: Path) -> None:
    """A session whose tests all ran and whose children all ended passes, a module's own server included."""
    session = run_session(
        tmp_path,
        "import pytest, subprocess\n"
        "@pytest.fixture(scope='module')\n"
        "def server():\n"
        "    with subprocess.Popen(['sleep', '30']) as child:\n"
        "        yield child\n"
        "        child.kill()\n"
        "def test_one(server): assert server.poll() is None\n"
        "def test_two(server): assert subprocess.run(['true']).returncode == 0\n",
    )
    assert session.returncode == 0, session.stdout + session.stderr
