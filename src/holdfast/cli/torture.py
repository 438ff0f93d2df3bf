"""`holdfast torture`: thousands of histories in a deterministic world, each judged by an oracle that does not trust us.

Exit status: 0 when nothing was found, 1 when something was, 2 when it could not be started.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from holdfast.lab.torture.report import Report

__all__ = ["torture"]

CANNOT_START = 2
FOUND = 1
SCHEDULES = 300
BAR = 30


def torture(  # noqa: PLR0917 - Typer reads options from parameters, by name
    schedules: Annotated[int | None, typer.Option(min=1, help="Histories; 300, or what fits into --seconds.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the first history; the next one has the next seed.")] = 1,
    jobs: Annotated[int, typer.Option(min=0, help="Processes that play; 0: one a core.")] = 0,
    seconds: Annotated[float | None, typer.Option(min=1, help="As many histories as fit into this time.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as one JSON line.")] = False,  # noqa: FBT002 - a flag of the command line
    replay: Annotated[int | None, typer.Option(help="Play one seed and tell all of it.")] = None,
    acts: Annotated[str, typer.Option(help="With --replay: these acts alone, as a violation names them.")] = "",
    keep: Annotated[Path | None, typer.Option(help="With --replay: write it out in full, as a story.")] = None,
    story: Annotated[Path | None, typer.Option(help="Play a story that was kept, and tell all of it.")] = None,
    storm: Annotated[bool, typer.Option("--storm", help="More of everything at once.")] = False,  # noqa: FBT002 - a flag of the command line
    plant: Annotated[str, typer.Option(help="Put a planted bug into the product (source checkout only).")] = "",
) -> None:
    """Attack the product in a deterministic world: seeded faults, virtual time, every history replayable."""
    from holdfast.domain.errors import CannotStart  # noqa: PLC0415 - heavy: loaded for this command only
    from holdfast.lab.torture.climate import STORM, USUAL  # noqa: PLC0415 - as above
    from holdfast.lab.torture.jobs import Order, run_order  # noqa: PLC0415 - as above
    from holdfast.lab.torture.replay import keep_story, replay_text, story_text  # noqa: PLC0415 - as above

    try:
        climate = STORM if storm else USUAL
        if story is not None:
            _tell(story_text(story, plant))
        if replay is not None and keep is None:
            _tell(replay_text(replay, acts, plant, climate))
        if keep is not None:
            if replay is None:
                raise CannotStart("--keep needs --replay SEED: it writes out the history of a seed")  # noqa: TRY301 - told like the others
            sys.stdout.write(keep_story(keep, replay, acts, plant, climate) + "\n")
            return
        count = SCHEDULES if schedules is None and seconds is None else schedules
        order = Order(seed, count, seconds, jobs or os.cpu_count() or 1, plant, climate)
        report = run_order(order, lambda so_far: _progress(so_far, count))
    except (CannotStart, ValueError) as error:
        sys.stderr.write(f"holdfast torture cannot start: {error}\n")
        raise typer.Exit(CANNOT_START) from None
    if sys.stderr.isatty():
        sys.stderr.write("\n")
    sys.stdout.write((report.json() if json else report.text()) + "\n")
    if report.violations:
        raise typer.Exit(FOUND)


def _tell(told: tuple[str, bool]) -> NoReturn:
    """Print a history, and end with whether anything was violated in it."""
    text, is_found = told
    sys.stdout.write(text + "\n")
    raise typer.Exit(FOUND if is_found else 0)


def _progress(report: "Report", count: int | None) -> None:
    """One line that is written over and over, on a terminal only."""
    if not sys.stderr.isatty():
        return
    done = report.schedules
    share = min(done / count, 1.0) if count else 0.0
    bar = f"[{'#' * int(share * BAR):<{BAR}}] {done}/{count}" if count else f"{done}"
    sys.stderr.write(f"\r{bar} histories  {report.histories_per_s:.1f}/s  {report.violations} violations ")
    sys.stderr.flush()
