"""`holdfast demo`: one drift, played on the real programs and judged at the exchange and on the bus.

Exit status: 0 if every promise of the scenario was kept; 1 if one was broken (each is named, with --json on standard
error); 2 for a scenario that does not exist or parts that did not start; 130 after Ctrl-C; for a part that fails
meanwhile see `exit_status`.
"""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from holdfast.lab.demo.report import Report
    from holdfast.lab.demo.scenarios import Scenario
    from holdfast.lab.demo.tales.tale import Tale

__all__ = ["demo"]

BROKEN = 1
CANNOT_START = 2
INTERRUPTED = 130


def demo(
    scenario: Annotated[str, typer.Option(help="What to play; --list names them.")] = "drift-long",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else.")] = False,  # noqa: FBT002 - a flag of the command line
    list_all: Annotated[bool, typer.Option("--list", help="List the scenarios.")] = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Heal one drift end to end, before your eyes.

    Starts an exchange simulator, a bus and the services, lets somebody trade by hand at the exchange, and judges what
    follows at the exchange and on the bus.
    """
    from holdfast.lab.demo.repertoire import PLAYS  # noqa: PLC0415 - heavy: loaded for this command only

    if list_all:
        sys.stdout.write("".join(f"{one.name:<15}{one.story}\n" for one in PLAYS.values()))
        return
    chosen = PLAYS.get(scenario)
    if chosen is None:
        sys.stderr.write(f"there is no scenario {scenario!r}; there are: {', '.join(PLAYS)}\n")
        raise typer.Exit(CANNOT_START)
    report = _play(chosen, as_json=json)
    if json:
        _print_json(report)
    if not report.is_kept:
        raise typer.Exit(BROKEN)


def _print_json(report: "Report") -> None:
    import msgspec  # noqa: PLC0415 - heavy: loaded for this command only

    sys.stdout.write(msgspec.json.encode(report.to_json()).decode() + "\n")
    sys.stdout.flush()
    for promise in report.broken:
        sys.stderr.write(f"broken promise: {promise.name}: {promise.seen}\n")
    if report.facts.unseen:
        sys.stderr.write(f"waited in vain for: {report.facts.unseen}\n")


def _play(chosen: "Scenario | Tale", *, as_json: bool) -> "Report":
    import asyncio  # noqa: PLC0415 - heavy: loaded for this command only

    import uvloop  # noqa: PLC0415 - as above

    from holdfast.lab.demo.run import run_demo  # noqa: PLC0415 - as above
    from holdfast.lab.demo.screen import Lines, Silent  # noqa: PLC0415 - as above

    try:
        return uvloop.run(run_demo(chosen, Silent() if as_json else Lines()))
    except (asyncio.CancelledError, KeyboardInterrupt):
        sys.stderr.write("interrupted; everything that was started has ended\n")
        raise typer.Exit(INTERRUPTED) from None
