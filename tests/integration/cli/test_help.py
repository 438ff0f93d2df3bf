"""The command line's frame: every help answers at once, every failure is one line."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from holdfast.cli.exit_status import BUG, NO_ANSWER, NOT_TRIED, REFUSED, status_of
from holdfast.cli.main import COMMANDS, Command
from holdfast.domain import errors
from tests.integration.cli.command_line import COMMAND, DEADLINE_S, say

HELP_CPU_S_MAX = 0.3
"""What a help may cost: on a machine with nothing else to do that is the time until it is read."""
TRIES = 20
GROUPS = {"plan": ["submit"], "alerts": ["list", "ack"], "audit": ["verify", "show"], "docs": ["reasons"]}
HEAVY = ("pydantic", "rich", "aiohttp", "redis", "sqlalchemy", "msgspec", "sqlite3", "asyncio", "apprise", "structlog")
_LOADED = f"""
import sys
from holdfast.cli.main import COMMANDS, build
for command in COMMANDS:
    build(command.name)
print(*(name for name in {HEAVY} if name in sys.modules))
"""


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_a_commands_help_begins_with_what_the_list_says_of_it(command: Command) -> None:
    """`--help` of every command and group answers, in the words that `holdfast --help` has for it."""
    said = say(command.name, "--help")
    assert (said.status, said.err) == (0, "")
    assert command.text in " ".join(said.out.split())
    for inner in GROUPS.get(command.name, []):
        assert say(command.name, inner, "--help").status == 0


def test_the_list_names_every_command() -> None:
    """`holdfast --help`, and holdfast alone, list all commands."""
    listed = say("--help")
    assert listed.status == 0
    assert all(f"  {command.name} " in listed.out for command in COMMANDS)


def test_no_help_loads_what_is_heavy() -> None:
    """Building every command imports Typer and the standard library's light parts alone."""
    loaded = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", _LOADED], capture_output=True, text=True, timeout=DEADLINE_S, check=True
    )
    assert loaded.stdout.split() == []


@pytest.mark.parametrize("words", [("--help",), ("close", "--help"), ("status", "--help"), ("run", "--help")])
def test_help_answers_at_once(words: tuple[str, ...]) -> None:
    """One of some tries costs less than 0.3 s of processor time, the start of the interpreter included."""
    took = []
    for _ in range(TRIES):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*COMMAND, *words], capture_output=True, timeout=DEADLINE_S, check=True)  # noqa: S603 - our own words
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if took[-1] < HELP_CPU_S_MAX:
            break
    assert 0 < min(took) < HELP_CPU_S_MAX


@pytest.mark.parametrize("words", [("statsu",), ("status", "--nonsense"), ("plan", "sumbit"), ("explain",)])
def test_a_slip_is_said_and_is_status_2(words: tuple[str, ...]) -> None:
    """An unknown command or option, or a missing argument, is named; there is no traceback."""
    said = say(*words)
    assert said.status == 2
    assert "Error" in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.CannotStart("x"), NOT_TRIED),
        (errors.BadAmount("x"), NOT_TRIED),
        (errors.JournalLost("x"), NOT_TRIED),
        (errors.JournalBusy("x"), NO_ANSWER),
        (errors.BusUnavailable("x"), NO_ANSWER),
        (errors.FateUnknown("x", "plan-1"), NO_ANSWER),
        (errors.ChainBroken("x"), REFUSED),
        (errors.Unclassified("x"), REFUSED),
        (KeyError("x"), BUG),
    ],
)
def test_every_error_has_its_exit_status(error: Exception, status: int) -> None:
    """Input, files: 2. Nobody answers: 3. The answer is no: 1. A bug: 70."""
    assert status_of(error) == status


def test_a_planted_bug_that_does_not_exist_is_named_with_those_that_do() -> None:
    """Torture refuses it before a history is played: status 2, one line, no traceback."""
    said = say("torture", "--plant", "nonesuch", "--schedules", "2", "--jobs", "2")
    assert said.status == NOT_TRIED
    assert "'nonesuch'" in said.err
    assert "retry-post" in said.err
    assert "Traceback" not in said.err
