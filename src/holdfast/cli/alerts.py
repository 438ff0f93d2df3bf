"""`holdfast alerts`: what a person was told, and the word that it was heard. Works when no service runs."""

from typing import Annotated

import typer

from holdfast.cli.options import SETTINGS_DEFAULT, AccountName, AsJson, SettingsPath, Who

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@app.callback()
def alerts() -> None:
    """See and acknowledge alerts."""


@app.command("list")
def list_alerts(
    *,
    as_json: AsJson = False,
    account: AccountName = "",
    settings: SettingsPath = SETTINGS_DEFAULT,
) -> None:
    """List alerts that nobody has acknowledged; they are repeated until somebody does.

    Exit status: 0, whether there are any or not; 2 the journal cannot be read.
    """
    import asyncio  # noqa: PLC0415 - loaded for this command only

    from holdfast.cli import alarms  # noqa: PLC0415 - heavy: as above

    raise typer.Exit(asyncio.run(alarms.list_alerts(account, settings, as_json=as_json)))


@app.command()
def ack(
    alert_ids: Annotated[list[str], typer.Argument(help="One or more, as `alerts list` shows them.", metavar="ID...")],
    *,
    name: Who = "",
    as_json: AsJson = False,
    account: AccountName = "",
    settings: SettingsPath = SETTINGS_DEFAULT,
) -> None:
    """Acknowledge alerts: they are not repeated any more. It ends no hold.

    Exit status: 0 all acknowledged; 1 some are unknown or were acknowledged before; 2 wrong input.
    """
    import asyncio  # noqa: PLC0415 - loaded for this command only

    from holdfast.cli import alarms  # noqa: PLC0415 - heavy: as above

    raise typer.Exit(asyncio.run(alarms.acknowledge(tuple(alert_ids), name, account, settings, as_json=as_json)))
