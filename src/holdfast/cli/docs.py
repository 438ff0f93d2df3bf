"""`holdfast docs`: pages that are generated from the code."""

import sys

import typer

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@app.callback()
def docs() -> None:
    """Print pages that are generated from the code."""


@app.command()
def reasons() -> None:
    """Print docs/reasons.md: every code of a result's error and of a hold's reason."""
    from holdfast.domain.reasons_page import reasons_page  # noqa: PLC0415 - loaded for this command only

    sys.stdout.write(reasons_page())
