"""`holdfast run`: reconcile and apply, until stopped.

Exit status: 0 after SIGTERM or SIGINT; 2 when it could not start (the message says what to do, nothing was traded); 1
when a service ended for a reason (the log says which).
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.exit_status import NOT_TRIED, REFUSED
from holdfast.cli.options import SETTINGS_DEFAULT

if TYPE_CHECKING:
    from holdfast.compose import ServiceName, Started
    from holdfast.domain.errors import HoldfastError

__all__ = ["run"]


def run(
    *,
    settings: Annotated[Path, typer.Option(help="The settings file.")] = SETTINGS_DEFAULT,
    service: Annotated[str, typer.Option(help="reconcile or apply alone; both when left out.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line when everything runs.")] = False,
) -> None:
    """Run reconcile and apply until stopped.

    Exit status: 0 after SIGTERM or Ctrl-C; 2 it could not start, nothing was traded; 1 a service ended for a reason.
    """
    import uvloop  # noqa: PLC0415 - heavy: loaded for this command only

    from holdfast.compose import run as run_services  # noqa: PLC0415 - as above
    from holdfast.domain.errors import HoldfastError  # noqa: PLC0415 - as above
    from holdfast.settings import load_settings  # noqa: PLC0415 - as above

    services = _services(service)
    running: list[Started] = []

    def announce(started: "Started") -> None:
        running.append(started)
        _announce_json(started) if as_json else _announce(started)

    try:
        uvloop.run(run_services(load_settings(settings), services, announce))
    except HoldfastError as error:
        if running:
            sys.stderr.write(f"holdfast stopped: {error}\n")
            raise typer.Exit(REFUSED) from None
        sys.stderr.write(f"holdfast cannot start: {error}{_what_to_do(error)}\n")
        raise typer.Exit(NOT_TRIED) from None


def _services(name: str) -> "tuple[ServiceName, ...]":
    from holdfast.compose import BOTH, ServiceName  # noqa: PLC0415 - heavy: loaded for this command only

    try:
        return (ServiceName(name),) if name else BOTH
    except ValueError:
        raise typer.BadParameter("--service is reconcile or apply") from None


def _what_to_do(error: "HoldfastError") -> str:
    """Complete a message that comes from a part which does not know that it is asked at the start."""
    from holdfast.domain import errors  # noqa: PLC0415 - loaded when something failed

    advice = {
        errors.BusUnavailable: "check bus.url and its password, and that the server runs; nothing was traded",
        errors.JournalBusy: "another process holds the journal: end it (`fuser` names it), or wait; nothing was traded",
        errors.JournalLost: "check the file, its owner and the disk's space, or restore a backup; nothing was traded",
        errors.ChainBroken: "the journal was changed from outside: see `holdfast audit verify`; nothing was traded",
    }
    return f" ({advice[type(error)]})" if type(error) in advice else ""


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
