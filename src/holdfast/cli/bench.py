"""`holdfast bench`: latency, throughput and cost, beside those of bare code.

Exit status: 0 when everything was measured, whatever the figures are; 2 when something could not be started, 1 when
something did not do what it was measured for, 143 after SIGTERM.
"""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from holdfast.lab.bench_report import Report

__all__ = ["bench"]

CANNOT_START = 2
FAILED = 1
TERMINATED = 143


def bench(
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON instead of tables.")] = False,  # noqa: FBT002 - a flag of the command line
    plans: Annotated[int, typer.Option(min=1, help="Plans to time, one by one.")] = 1_000,
    drifts: Annotated[int, typer.Option(min=1, help="Foreign trades to time, one by one.")] = 300,
    seconds: Annotated[float, typer.Option(min=0.1, help="Seconds of load, 64 plans in flight on 50 symbols.")] = 12.0,
) -> None:
    """Measure plans and drifts on the real parts, beside the same trips done by bare code."""
    import asyncio  # noqa: PLC0415 - heavy: loaded for this command only

    import uvloop  # noqa: PLC0415 - as above

    from holdfast.domain.errors import CannotStart, HoldfastError  # noqa: PLC0415 - as above
    from holdfast.lab.bench import BenchConfig, run_bench  # noqa: PLC0415 - as above

    try:
        report = uvloop.run(run_bench(BenchConfig(plans, drifts, seconds), _progress))
    except CannotStart as error:
        sys.stderr.write(f"holdfast bench cannot start: {error}\n")
        raise typer.Exit(CANNOT_START) from None
    except HoldfastError as error:
        sys.stderr.write(f"holdfast bench failed: {error}\n")
        raise typer.Exit(FAILED) from None
    except asyncio.CancelledError:
        sys.stderr.write("holdfast bench was told to end\n")
        raise typer.Exit(TERMINATED) from None
    _show(report, as_json=json)


def _progress(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _show(report: "Report", *, as_json: bool) -> None:
    from holdfast.lab import bench_report  # noqa: PLC0415 - heavy: loaded for this command only

    if as_json:
        sys.stdout.write(bench_report.as_json(report) + "\n")
        return
    from rich.console import Console  # noqa: PLC0415 - as above

    console = Console()
    machine, conditions = report.machine, report.conditions
    for table in bench_report.as_tables(report):
        console.print(table)
    console.print(
        f"{machine.cores} cores, {machine.cpu}, {machine.file_system}, fdatasync p50 {machine.fdatasync_ms.p50} ms; "
        f"{conditions.in_flight} plans in flight on {conditions.symbols} symbols for {conditions.seconds_of_load:g} s; "
        f"the simulator's rate limits raised {conditions.limits_factor} times; refused {dict(conditions.refused)}",
        highlight=False,
    )
