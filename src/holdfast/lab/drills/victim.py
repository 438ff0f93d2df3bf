"""The program that the drills kill: the real services in one process, every effect of theirs counted.

    python -m holdfast.lab.drills.victim SETTINGS FOLDER [apply|reconcile]

With a file `FOLDER/file-layer` the drill's file layer lies under its journal (see `filelayer`).
SIGUSR1 makes it read `FOLDER/shot.json` again (see `effects`). It prints the line of `holdfast run --json`.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import msgspec
import uvloop

from holdfast.compose import BOTH, ServiceName, Started, run
from holdfast.domain.errors import CannotStart, HoldfastError
from holdfast.lab.drills.effects import Effects
from holdfast.lab.drills.filelayer import FileLayer
from holdfast.lab.drills.wrapping import KillingPorts
from holdfast.settings import load_settings

FILE_LAYER = "file-layer"
CANNOT_START = 2
STOPPED = 1


def main() -> None:
    """Run until stopped or killed."""
    settings, folder, *services = sys.argv[1:]
    chosen = tuple(ServiceName(word) for word in services) or BOTH
    try:
        uvloop.run(_run(Path(settings), Path(folder), chosen))
    except CannotStart as error:
        sys.stderr.write(f"the victim cannot start: {error}\n")
        sys.exit(CANNOT_START)
    except HoldfastError as error:
        sys.stderr.write(f"the victim stopped: {type(error).__name__}: {error}\n")
        sys.exit(STOPPED)


async def _run(settings: Path, folder: Path, services: tuple[ServiceName, ...]) -> None:
    effects = Effects(folder)
    if (folder / FILE_LAYER).exists():
        FileLayer(files_trace(folder), effects).install()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, effects.arm)
    await run(load_settings(settings), services, _announce, KillingPorts(effects))


def with_file_layer(folder: Path) -> None:
    """Let the victims of a folder run on the file layer."""
    (folder / FILE_LAYER).touch()


def files_trace(folder: Path) -> Path:
    """Where the file layer of a folder's newest victim notes what it does."""
    return folder / "files.trace"


def _announce(started: Started) -> None:
    sys.stdout.write(msgspec.json.encode({"bus_file": started.bus_file, "journal": started.journal}).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
