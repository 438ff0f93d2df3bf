"""`holdfast bench`: latency, throughput and cost, beside those of bare code; `--scale`, `--rest-lag-ms` apart.

Exit status: 0 when everything was measured, whatever the figures are; 2 when something could not be started, 1 when
something did not do what it was measured for, 143 after SIGTERM.
"""

import sys
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from rich.console import Console

    from holdfast.lab.bench_report import Report

__all__ = ["bench"]

CANNOT_START = 2
FAILED = 1
TERMINATED = 143
LOAD_S = 12.0
SCALE_S = 60.0
LAG_S = 20.0
Found = TypeVar("Found")


def bench(  # noqa: PLR0917 - Typer reads options from parameters, by name
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON instead of tables.")] = False,  # noqa: FBT002 - a flag of the command line
    plans: Annotated[int, typer.Option(min=1, help="Plans to time, one by one.")] = 1_000,
    drifts: Annotated[int, typer.Option(min=1, help="Foreign trades to time, one by one.")] = 300,
    seconds: Annotated[
        float, typer.Option(min=0, help="Seconds of load; 0 is 12, with --scale 60, with --rest-lag-ms 20.")
    ] = 0.0,
    scale: Annotated[  # noqa: FBT002 - as above
        bool, typer.Option("--scale", help="Measure one process with many accounts and symbols instead.")
    ] = False,
    accounts: Annotated[int, typer.Option(min=1, max=20, help="With --scale: accounts.")] = 20,
    symbols: Annotated[int, typer.Option(min=1, help="With --scale: symbols of the first account.")] = 500,
    other_symbols: Annotated[int, typer.Option(min=1, help="With --scale: symbols of each other account.")] = 10,
    limits: Annotated[int, typer.Option(min=1, help="With --scale: factor on the exchange's rate limits.")] = 1,
    drifts_per_s: Annotated[float, typer.Option(min=0.01, help="With --scale: foreign trades a second.")] = 0.4,
    quiet_seconds: Annotated[float, typer.Option(min=1, help="With --scale: length of the quiet windows.")] = 20.0,
    rest_lag_ms: Annotated[
        int, typer.Option(min=0, max=900, help="Measure own plans alone instead, while REST lags by so much.")
    ] = 0,
) -> None:
    """Measure plans and drifts on the real parts, beside the same trips done by bare code."""
    if scale and rest_lag_ms:
        raise typer.BadParameter("--scale and --rest-lag-ms are two measurements: one at a time")
    if scale:
        size = (accounts, symbols, other_symbols, limits)
        _scale(size, (quiet_seconds, seconds or SCALE_S), drifts_per_s, as_json=json)
    elif rest_lag_ms:
        _lag(rest_lag_ms, seconds or LAG_S, as_json=json)
    else:
        _bench(plans, drifts, seconds or LOAD_S, as_json=json)


def _bench(plans: int, drifts: int, seconds: float, *, as_json: bool) -> None:
    from holdfast.lab import bench_report  # noqa: PLC0415 - heavy: loaded for this command only
    from holdfast.lab.bench import BenchConfig, run_bench  # noqa: PLC0415 - as above

    report = _run(run_bench(BenchConfig(plans, drifts, seconds), _progress))
    if as_json:
        sys.stdout.write(bench_report.as_json(report) + "\n")
        return
    console = _console()
    for table in bench_report.as_tables(report):
        console.print(table)
    console.print(_conditions(report), highlight=False)


def _scale(
    size: tuple[int, int, int, int], seconds: tuple[float, float], drifts_per_s: float, *, as_json: bool
) -> None:
    from holdfast.lab import scale_report  # noqa: PLC0415 - heavy: loaded for this command only
    from holdfast.lab.scale import ScaleConfig, run_scale  # noqa: PLC0415 - as above

    accounts, symbols, others, limits = size
    quiet_s, load_s = seconds
    config = ScaleConfig(
        accounts,
        symbols,
        others,
        drifts_per_s=drifts_per_s,
        quiet_s=quiet_s,
        load_s=load_s,
        limits_factor=limits,
    )
    report = _run(run_scale(config, _progress))
    if as_json:
        sys.stdout.write(scale_report.as_json(report) + "\n")
        return
    for table in scale_report.as_tables(report):
        _console().print(table)


def _lag(rest_lag_ms: int, seconds: float, *, as_json: bool) -> None:
    from holdfast.lab import lag  # noqa: PLC0415 - heavy: loaded for this command only

    report = _run(lag.run_lag(lag.LagConfig(rest_lag_ms, seconds), _progress))
    if as_json:
        sys.stdout.write(lag.as_json(report) + "\n")
        return
    for table in lag.as_tables(report):
        _console().print(table)


def _run(measurement: "Coroutine[Any, Any, Found]") -> Found:
    """Run it, and turn what ends it into words and an exit status."""
    import asyncio  # noqa: PLC0415 - heavy: loaded for this command only

    import uvloop  # noqa: PLC0415 - as above

    from holdfast.domain.errors import CannotStart, HoldfastError  # noqa: PLC0415 - as above

    try:
        return uvloop.run(measurement)
    except CannotStart as error:
        sys.stderr.write(f"holdfast bench cannot start: {error}\n")
        raise typer.Exit(CANNOT_START) from None
    except HoldfastError as error:
        sys.stderr.write(f"holdfast bench failed: {error}\n")
        raise typer.Exit(FAILED) from None
    except asyncio.CancelledError:
        sys.stderr.write("holdfast bench was told to end\n")
        raise typer.Exit(TERMINATED) from None


def _progress(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _console() -> "Console":
    from rich.console import Console  # noqa: PLC0415 - heavy: loaded for this command only

    return Console()


def _conditions(report: "Report") -> str:
    machine, conditions = report.machine, report.conditions
    return (
        f"{machine.cores} cores, {machine.cpu}, {machine.file_system}, fdatasync p50 {machine.fdatasync_ms.p50} ms; "
        f"{conditions.in_flight} plans in flight on {conditions.symbols} symbols for {conditions.seconds_of_load:g} s; "
        f"the simulator's rate limits raised {conditions.limits_factor} times; refused {dict(conditions.refused)}"
    )
