"""`holdfast status`: read from the journal alone, so that it works when the bus, the exchange or the services do not.

Exit status: 0 all agrees and is watched; 1 a hold stands, a leg is not agreed, or trading is halted; 3 nobody watches
(the stamp is old or void), so that what is shown may be over; 2 it cannot be read. With --watch 0, when stopped.
"""

from typing import Annotated

import typer

from holdfast.cli.options import SETTINGS_DEFAULT, AccountName, AsJson, SettingsPath

__all__ = ["status"]


def status(
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again and again until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds between two looks of --watch.")] = 1.0,
    as_json: AsJson = False,
    account: AccountName = "",
    settings: SettingsPath = SETTINGS_DEFAULT,
) -> None:
    """Show what is held where, and whether it agrees.

    Exit status: 0 all agrees and is watched; 1 a hold stands, a leg is not agreed, or trading is halted; 2 the
    journal cannot be read; 3 nobody watches now (stamp old or void). With --watch 0, when stopped.
    """
    import asyncio  # noqa: PLC0415 - loaded for this command only
    import sys  # noqa: PLC0415 - as above

    from holdfast.cli import watching  # noqa: PLC0415 - heavy: as above

    show = watching.show_json if as_json else watching.show_text
    if not watch:
        work = watching.show_once(settings, account, show)
    elif sys.stdout.isatty() and not as_json:
        work = watching.watch_terminal(settings, account, every)
    else:
        work = watching.show_until_stopped(settings, account, every, show)
    raise typer.Exit(asyncio.run(work))
