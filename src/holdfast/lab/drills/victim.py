"""What the drills kill: the real services in one process, every effect of theirs counted.

With a file `FOLDER/file-layer` the drill's file layer lies under its journal (see `filelayer`).
SIGUSR1 makes it read `FOLDER/shot.json` again (see `effects`). A `nursery` starts it.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import uvloop

from holdfast.compose import BOTH, ServiceName, Started, run
from holdfast.domain.errors import CannotStart, HoldfastError
from holdfast.lab.drills.effects import Effects
from holdfast.lab.drills.filelayer import FileLayer
from holdfast.lab.drills.wrapping import KillingPorts
from holdfast.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

FILE_LAYER = "file-layer"
CANNOT_START = 2
STOPPED = 1


class Errand(msgspec.Struct, frozen=True):
    """What a victim is to run, as its nursery is told."""

    number: int
    settings: str
    """Path of its settings."""
    place: str
    """Its folder: trace, shots."""
    log: str
    """Path of its standard error."""
    services: tuple[str, ...]
    """Both when empty."""
    secrets: dict[str, str]
    """Variables of its environment: the keys that its settings name."""


def live(errand: Errand, announce: Callable[[Started], None]) -> int:
    """Run until stopped or killed; the exit status."""
    chosen = tuple(ServiceName(word) for word in errand.services) or BOTH
    try:
        uvloop.run(_run(Path(errand.settings), Path(errand.place), chosen, announce))
    except CannotStart as error:
        sys.stderr.write(f"the victim cannot start: {error}\n")
        return CANNOT_START
    except HoldfastError as error:
        sys.stderr.write(f"the victim stopped: {type(error).__name__}: {error}\n")
        return STOPPED
    return 0


async def _run(
    settings: Path, folder: Path, services: tuple[ServiceName, ...], announce: Callable[[Started], None]
) -> None:
    effects = Effects(folder)
    if (folder / FILE_LAYER).exists():
        FileLayer(files_trace(folder), effects).install()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, effects.arm)
    await run(load_settings(settings), services, announce, KillingPorts(effects))


def with_file_layer(folder: Path) -> None:
    """Let the victims of a folder run on the file layer."""
    (folder / FILE_LAYER).touch()


def files_trace(folder: Path) -> Path:
    """Where the file layer of a folder's newest victim notes what it does."""
    return folder / "files.trace"
