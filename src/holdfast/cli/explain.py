"""`holdfast explain`: the journal's entries of one episode, in order, in words.

Exit status: 0 told; 2 the journal knows nothing of it, or cannot be read.
"""

from typing import Annotated

import typer

from holdfast.cli.options import SETTINGS_DEFAULT, AccountName, AsJson, SettingsPath

__all__ = ["explain"]


def explain(
    subject: Annotated[str, typer.Argument(help="SYMBOL or SYMBOL:LONG (its last hold), HOLD_ID, PLAN_ID, an order.")],
    *,
    as_json: AsJson = False,
    account: AccountName = "",
    settings: SettingsPath = SETTINGS_DEFAULT,
) -> None:
    """Tell the story of a hold, a symbol's last hold, or a plan.

    Times are milliseconds since the first sign. Exit status: 0 told; 2 the journal knows nothing of it.
    """
    import asyncio  # noqa: PLC0415 - loaded for this command only

    from holdfast.cli import telling  # noqa: PLC0415 - heavy: as above

    raise typer.Exit(asyncio.run(telling.explain(subject, account, settings, as_json=as_json)))
