"""`holdfast`: one command a matter, one file a command group. Heavy imports wait inside the commands."""

from __future__ import annotations

import typer

from holdfast.cli.run import run
from holdfast.cli.sim import sim

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
app.command()(run)
app.command()(sim)


def main() -> None:
    """Entry point of the `holdfast` command."""
    app()
