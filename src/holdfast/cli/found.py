"""`holdfast found`: what the account held when it was first seen, and what each choice about it would do.

Exit status: 0 nothing waits for a choice; 1 a position that was found there still waits for one; 2 the journal cannot
be read; 3 the account has not been seen completely yet.
"""

from typing import Annotated

import typer

from holdfast.cli.options import SETTINGS_DEFAULT, AsJson, SettingsPath

__all__ = ["found"]


def found(
    *,
    as_json: AsJson = False,
    account: Annotated[str, typer.Option("--account", help="One account; left out: all of them.")] = "",
    settings: SettingsPath = SETTINGS_DEFAULT,
) -> None:
    """Show what the account held when it was first seen, and the choices.

    Exit status: 0 nothing waits for a choice; 1 a position that was found there does; 2 the journal cannot be read; 3
    the account has not been seen completely yet.
    """
    import asyncio  # noqa: PLC0415 - loaded for this command only

    from holdfast.cli import finding  # noqa: PLC0415 - heavy: as above

    raise typer.Exit(asyncio.run(finding.show(account, settings, as_json=as_json)))
