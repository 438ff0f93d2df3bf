"""`holdfast`: one command a matter, one file a command group.

Invariant: `holdfast --help` imports no command, `holdfast COMMAND --help` imports that command's file alone, and
those files import Typer alone at module level: every help answers at once. What the table says of a command is what
its own help begins with (a test holds the two together).
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, NamedTuple

import typer

from holdfast.cli.exit_status import BUG, say, status_of

if TYPE_CHECKING:
    from collections.abc import Sequence

TRACEBACK_VARIABLE = "HOLDFAST_TRACEBACK"


class Command(NamedTuple):
    """Where a command lives."""

    name: str
    place: str
    """`module:function`, or `module:app` for a group of commands."""
    text: str
    """The first sentence of its help."""


COMMANDS = (
    Command("demo", "demo:demo", "Heal one drift end to end, before your eyes."),
    Command("init", "init:init", "Write a commented settings file."),
    Command("run", "run:run", "Run reconcile and apply until stopped."),
    Command("status", "status:status", "Show what is held where, and whether it agrees."),
    Command("found", "found:found", "Show what the account held when it was first seen, and the choices."),
    Command("explain", "explain:explain", "Tell the story of a hold, a symbol's last hold, or a plan."),
    Command("plan", "plan:app", "Hand in plans."),
    Command("close", "operate:close", "Close a position by your word, during a hold or a halt too."),
    Command("adopt", "operate:adopt", "Set the ledger to what the exchange holds."),
    Command("release", "operate:release", "End a hold that waits for a person."),
    Command("approve", "operate:approve", "Let a hold close above close_notional_max, or try anew."),
    Command("resolve", "resolve:resolve", "Say what became of an order whose fate nobody could prove."),
    Command("hold", "operate:hold", "Stop trading on one symbol."),
    Command("halt", "operate:halt", "Stop trading on the account: the kill switch."),
    Command("resume", "operate:resume", "End a halt."),
    Command("alerts", "alerts:app", "See and acknowledge alerts."),
    Command("audit", "audit:app", "Read and prove the journal."),
    Command("docs", "docs:app", "Print pages that are generated from the code."),
    Command("sim", "sim:sim", "Serve a Binance USD-M futures exchange to test against, until stopped."),
    Command(
        "bench", "bench:bench", "Measure plans and drifts on the real parts, beside the same trips done by bare code."
    ),
    Command(
        "torture",
        "torture:torture",
        "Attack the product in a deterministic world: seeded faults, virtual time, every history replayable.",
    ),
    Command("drill", "drill:drill", "Kill the services at every side effect and judge by the exchange's own book."),
)


def build(wanted: str) -> typer.Typer:
    """Build the command line with the command `wanted` ready to run; the others are there by name and text only."""
    app = typer.Typer(
        name="holdfast",
        help="Keeps a trading system's book and its exchange account in agreement.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    for command in COMMANDS:
        if command.name == wanted:
            _load(app, command)
        else:
            app.command(command.name, help=command.text)(_listed)
    return app


def _load(app: typer.Typer, command: Command) -> None:
    module, _, attribute = command.place.partition(":")
    found = getattr(importlib.import_module(f"holdfast.cli.{module}"), attribute)
    if isinstance(found, typer.Typer):
        app.add_typer(found, name=command.name, help=command.text)
    else:
        app.command(command.name)(found)


def _listed() -> None:
    """Stand in the list of commands."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the `holdfast` command; `arguments` are the process's own if left out. Raises SystemExit always."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    wanted = next((word for word in given if not word.startswith("-")), "")
    try:
        build(wanted)(args=given, prog_name="holdfast")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter's last flush fails again
        sys.exit(1)
    except Exception as error:  # the last catcher: whatever it is, it is said in one line
        status = status_of(error)
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        if status == BUG:
            say(f"this is a bug: {type(error).__name__}: {error} ({TRACEBACK_VARIABLE}=1 shows where)")
        else:
            say(str(error))
        sys.exit(status)
