"""`holdfast audit`: read the journal, and prove it again from what is on disk."""

from typing import Annotated

import typer

from holdfast.cli.options import SETTINGS_DEFAULT, AccountName, AsJson, SettingsPath

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)
LIMIT_MAX = 10_000


@app.callback()
def audit() -> None:
    """Read and prove the journal."""


@app.command()
def verify(
    *,
    as_json: AsJson = False,
    account: Annotated[str, typer.Option("--account", help="One account; left out: all of them.")] = "",
    settings: SettingsPath = SETTINGS_DEFAULT,
) -> None:
    """Prove the hash chain, and the ledger by its moves.

    Exit status: 0 everything holds; 1 it does not: the first bad entry is named; 2 the journal cannot be read.
    """
    import asyncio  # noqa: PLC0415 - loaded for this command only

    from holdfast.cli import auditing  # noqa: PLC0415 - heavy: as above

    raise typer.Exit(asyncio.run(auditing.verify(account, settings, as_json=as_json)))


@app.command()
def show(
    *,
    limit: Annotated[int, typer.Option(min=1, max=LIMIT_MAX, help="How many of the newest entries.")] = 20,
    as_json: AsJson = False,
    account: AccountName = "",
    settings: SettingsPath = SETTINGS_DEFAULT,
) -> None:
    """Show the newest entries, oldest first, in words; with --json whole, one a line.

    Exit status: 0 shown; 2 the journal cannot be read.
    """
    import asyncio  # noqa: PLC0415 - loaded for this command only

    from holdfast.cli import auditing  # noqa: PLC0415 - heavy: as above

    raise typer.Exit(asyncio.run(auditing.show(limit, account, settings, as_json=as_json)))
