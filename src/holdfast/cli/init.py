"""`holdfast init`: a commented settings file, mode 0600, never over an existing one."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli.options import SETTINGS_DEFAULT

__all__ = ["init"]


def init(path: Annotated[Path, typer.Argument(help="Where to write it.")] = SETTINGS_DEFAULT) -> None:
    """Write a commented settings file."""
    from holdfast.settings import write_example  # noqa: PLC0415 - heavy: loaded for this command only

    target = path / SETTINGS_DEFAULT.name if path.is_dir() else path
    write_example(target)
    sys.stdout.write(
        f"{target} is written: for the exchange's futures demo, with every key and its default.\n"
        "Next: export HOLDFAST_READ_KEY and HOLDFAST_READ_SECRET, see `symbols` and [alerts], then "
        f"holdfast run --settings {target}\n"
    )
