"""`holdfast drill`: the services killed at every side effect, the exchange failing in every way, judged from outside.

Exit status: 0 when nothing was found, 1 when something was, 2 when a drill could not be started.
"""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from holdfast.lab.drills.rounds import Round

__all__ = ["drill"]

CANNOT_START = 2
FOUND = 1


def drill(  # noqa: PLR0917 - Typer reads options from parameters, by name
    kills: Annotated[int, typer.Option(min=0, help="Kills of the crash drill; 0: every side of every effect.")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of every choice.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as one JSON line.")] = False,  # noqa: FBT002 - a flag of the command line
    only: Annotated[list[str] | None, typer.Option(help="crash, faults, deliveries or power; may be repeated.")] = None,
    fault_rounds: Annotated[int, typer.Option(min=0, help="Rounds of the fault drill; 0: all.")] = 0,
    power_cuts: Annotated[int, typer.Option(min=1, help="Power cuts.")] = 40,
    plans: Annotated[int, typer.Option(min=1, help="Plans of the delivery drill.")] = 20_000,
    deliveries: Annotated[int, typer.Option(min=1, help="Their deliveries.")] = 100_000,
    seconds: Annotated[float, typer.Option(min=1, help="No round of a drill begins after so long.")] = 3_600.0,
    play: Annotated[str, typer.Option(help="A round to play again: the JSON of a violation, or a file.")] = "",
) -> None:
    """Kill the services at every side effect and judge by the exchange's own book."""
    import asyncio  # noqa: PLC0415 - heavy: loaded for this command only

    from holdfast.domain.errors import CannotStart, HoldfastError  # noqa: PLC0415 - as above
    from holdfast.lab.drills.deliveries import Amount  # noqa: PLC0415 - as above
    from holdfast.lab.drills.program import DrillName, Program, run_program  # noqa: PLC0415 - as above

    try:
        names = tuple(DrillName(name) for name in only or ()) or tuple(DrillName)
    except ValueError:
        raise typer.BadParameter(f"--only is one of {', '.join(each.value for each in DrillName)}") from None
    program = Program(
        seed=seed,
        kills=kills,
        fault_rounds=fault_rounds,
        power_cuts=power_cuts,
        amount=Amount(plans, max(plans, deliveries)),
        seconds_max=seconds,
        play=_round(play),
    )
    try:
        report = asyncio.run(run_program(names, program, _progress))
    except CannotStart as error:
        sys.stderr.write(f"holdfast drill cannot start: {error}\n")
        raise typer.Exit(CANNOT_START) from None
    except HoldfastError as error:
        sys.stderr.write(f"holdfast drill broke: {error}\n")
        raise typer.Exit(FOUND) from None
    sys.stdout.write((report.json() if json else report.text()) + "\n")
    if report.violations:
        raise typer.Exit(FOUND)


def _round(text: str) -> "Round | None":
    from pathlib import Path  # noqa: PLC0415 - heavy: loaded for this command only

    import msgspec  # noqa: PLC0415 - as above

    from holdfast.lab.drills.rounds import Round  # noqa: PLC0415 - as above

    if not text:
        return None
    try:
        body = text if text.lstrip().startswith("{") else Path(text).read_text("utf-8")
        return msgspec.json.decode(body, type=Round)
    except (msgspec.MsgspecError, OSError) as error:
        raise typer.BadParameter(f"--play is the JSON that a violation names, or a file with it: {error}") from None


def _progress(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
