"""`holdfast run`: reconcile and apply, until stopped.

Exit status: 0 after SIGTERM or SIGINT, 2 when it could not start (the message says what to do), 1 when a service
ended for a reason (the log says which).
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from holdfast.compose import Started

__all__ = ["run"]

CANNOT_START = 2
STOPPED = 1


def run(
    settings: Annotated[Path, typer.Option(help="The settings file.")] = Path("holdfast.toml"),
    service: Annotated[str, typer.Option(help="reconcile or apply alone; both when left out.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON line when everything runs.")] = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Run reconcile and apply until stopped."""
    import uvloop  # noqa: PLC0415 - heavy: loaded for this command only

    from holdfast.compose import BOTH, ServiceName  # noqa: PLC0415 - as above
    from holdfast.compose import run as run_services  # noqa: PLC0415 - as above
    from holdfast.domain.errors import CannotStart, HoldfastError  # noqa: PLC0415 - as above
    from holdfast.settings import load_settings  # noqa: PLC0415 - as above

    try:
        services = (ServiceName(service),) if service else BOTH
    except ValueError:
        raise typer.BadParameter("--service is reconcile or apply") from None
    try:
        uvloop.run(run_services(load_settings(settings), services, _announce_json if json else _announce))
    except CannotStart as error:
        sys.stderr.write(f"holdfast cannot start: {error}\n")
        raise typer.Exit(CANNOT_START) from None
    except HoldfastError as error:
        sys.stderr.write(f"holdfast stopped: {error}\n")
        raise typer.Exit(STOPPED) from None


def _announce(started: "Started") -> None:
    services = " and ".join(each.value for each in started.services)
    lines = [f"holdfast runs {services} for {', '.join(started.accounts)}"]
    lines.append(f"  journal  {started.journal}")
    if started.bus_file:
        lines.append(f"  bus      its address is in {started.bus_file}")
    lines.append(f"  metrics  {started.metrics_url}/metrics")
    if not started.has_alerts:
        lines.append("  alerts   NONE: nobody is told when a hold waits for a person (see [alerts] in the settings)")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _announce_json(started: "Started") -> None:
    import msgspec  # noqa: PLC0415 - heavy: loaded for this command only

    body = {
        "accounts": started.accounts,
        "services": [each.value for each in started.services],
        "bus_file": started.bus_file,
        "metrics_url": started.metrics_url,
        "journal": started.journal,
        "has_alerts": started.has_alerts,
    }
    sys.stdout.write(msgspec.json.encode(body).decode() + "\n")
    sys.stdout.flush()
