"""Options that several commands share: same name, same meaning everywhere. Imports nothing but Typer."""

from pathlib import Path
from typing import Annotated

import typer

SETTINGS_DEFAULT = Path("holdfast.toml")
TIMEOUT_S_DEFAULT = 15.0
TIMEOUT_S_MAX = 100.0
"""Below the age at which the services refuse a request that nobody can be waiting for any more."""

SettingsPath = Annotated[Path, typer.Option("--settings", help="The settings file.")]
AccountName = Annotated[str, typer.Option("--account", help="The account; may be left out when there is one.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON; amounts are strings.")]
SymbolName = Annotated[str, typer.Argument(help="BTCUSDT; BTCUSDT:LONG or :SHORT in hedge mode.", metavar="SYMBOL")]
SideName = Annotated[str, typer.Option("--position-side", help="LONG or SHORT; needed in hedge mode.")]
Why = Annotated[str, typer.Option("--reason", help="Why; it is journaled.")]
Who = Annotated[str, typer.Option("--name", help="Who asks; journaled. Left out: the login name.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask back.")]
TimeoutS = Annotated[
    float,
    typer.Option("--timeout", min=0.1, max=TIMEOUT_S_MAX, help="Seconds to wait for the answer."),
]
