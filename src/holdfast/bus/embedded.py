"""`EmbeddedServer`: our own Valkey on loopback, for machines that run none.

    async with EmbeddedServer(data_dir) as server:
        ... server.url ...

Guarantees:

    - It listens on 127.0.0.1 only, on a free port, with a random password that nobody sees: the configuration goes
      to it over a pipe, never through its arguments or a file. Its address stands in `<data dir>/bus.url` (0600).
    - It dies with this process, SIGKILL included (see `tether`), and its end is noticed (`wait_ended`).
    - One server a data directory: it holds a lock on `bus.lock` for as long as it lives, by an inherited descriptor.
      A server left from an earlier run is waited for, then refused; it is never taken for ours, because port and
      password are new at every start.
    - It starts again on the same append-only file, one with a torn tail included. Written every second: what the bus
      acknowledged last may be lost in a power cut, which costs nothing (the journal is the truth).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import socket
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from holdfast.bus.binary import server_program
from holdfast.bus.connection import BusConnection, ErrorReply
from holdfast.bus.tether import Tether, tether_here, tethered
from holdfast.domain.errors import BusUnavailable, CannotStart

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

PORT_ATTEMPTS_MAX = 5
START_MS_MAX = 30_000
"""Time for loading the append-only file included."""
LOCK_MS_MAX = 5_000
"""How long a server of an earlier run may take to die."""
STOP_MS_MAX = 5_000
"""How long an orderly end may take before SIGKILL."""
PING_MS_MAX = 500
POLL_S = 0.005
MEMORY_BYTES_MAX = 512 * 1024 * 1024
"""Beyond it the server refuses new entries instead of taking the machine down."""
BULK_BYTES_MAX = 16 * 1024 * 1024
LOG_SHOWN_BYTES = 600


class EmbeddedServer:
    """One server for one data directory; start, use, stop, and start again if wanted."""

    def __init__(
        self,
        data_dir: Path,
        program: Path | None = None,
        tether: Tether | None = None,
        choose_port: Callable[[], int] | None = None,
        lock_ms_max: int = LOCK_MS_MAX,
    ) -> None:
        """`program` is a server to run instead of the wheel's."""
        self._dir = data_dir
        self._named_program = program.absolute() if program is not None else None
        self._tether = tether if tether is not None else tether_here()
        self._choose_port = choose_port if choose_port is not None else free_port
        self._lock_ms_max = lock_ms_max
        self._process: asyncio.subprocess.Process | None = None
        self._held_fd: int | None = None
        self._url = ""
        self.start_ms = 0.0
        """How long the last start took, until the first PONG."""

    @property
    def url(self) -> str:
        """The address with its password, for clients; "" while not started. Never to be logged."""
        return self._url

    @property
    def url_path(self) -> Path:
        """The file that holds `url` while the server runs."""
        return self._dir / "bus.url"

    @property
    def pid(self) -> int | None:
        """The process that we started (the server, or with Tether.PIPE its keeper); None while not started."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Start at a new address and wait until it answers. Raises CannotStart and leaves nothing running."""
        await self._start([])

    async def restart(self) -> None:
        """Start again at the same address, so that clients only connect anew: for a server that ended by itself.

        Raises CannotStart, and then nothing runs, if somebody has taken the port since.
        """
        port, password = self._running_address()
        await self._end_process()
        await self._start([(port, password)])

    async def _start(self, addresses: list[tuple[int, str]]) -> None:
        began = asyncio.get_running_loop().time()
        program = await server_program(self._named_program)
        try:
            self._dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock_fd = await _locked(self._dir / "bus.lock", self._lock_ms_max)
            self.url_path.unlink(missing_ok=True)  # not before the lock: it may be a living server's
        except OSError as error:
            raise CannotStart(f"the bus cannot use {self._dir}: {error.strerror}") from error
        try:
            await self._start_at(addresses, program, lock_fd)
            _write_private(self.url_path, self._url)
        except BaseException:
            await self.stop()
            raise
        finally:
            os.close(lock_fd)
        self.start_ms = (asyncio.get_running_loop().time() - began) * 1000

    async def _start_at(self, addresses: list[tuple[int, str]], program: Path, lock_fd: int) -> None:
        """Try the addresses; without any, new ones on free ports, because a port may be taken before it is ours."""
        for attempt in range(len(addresses) or PORT_ATTEMPTS_MAX):
            port, password = addresses[attempt] if addresses else (self._choose_port(), secrets.token_urlsafe(32))
            self._process = await self._spawn(program, lock_fd, _configuration(self._dir, port, password))
            self._url = f"redis://:{password}@127.0.0.1:{port}/0"
            if await self._is_answering():
                return
            await self._end_process()
            if "bind" not in self._log_tail().lower():
                break
        raise CannotStart(
            f"the bus server did not start; its last words: {self._log_tail()}\n(If its append-only file is damaged "
            f"or another kind of server wrote it, "
            f"move {self._dir}/appendonlydir away: only plans that nobody has read yet are lost.)"
        )

    async def _spawn(self, program: Path, lock_fd: int, configuration: bytes) -> asyncio.subprocess.Process:
        watched_fd, self._held_fd = os.pipe()
        log_fd = os.open(self._log_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            process = await asyncio.create_subprocess_exec(
                *tethered(self._tether, str(program), watched_fd),
                stdin=asyncio.subprocess.PIPE,
                stdout=log_fd,
                stderr=log_fd,
                pass_fds=(lock_fd, watched_fd),
                # Ctrl-C on our terminal is ours to handle: the server ends last, by `stop`.
                start_new_session=True,
            )
        except OSError as error:
            raise CannotStart(f"the bus server cannot be run: {error.strerror}") from error
        finally:
            os.close(watched_fd)
            os.close(log_fd)
        # An early end shows as "not answering"; communicate() would wait for the end of the server.
        with contextlib.suppress(ConnectionError):
            await _feed(process, configuration)
        return process

    async def _is_answering(self) -> bool:
        """Ping until a PONG; False if the process ended. Raises CannotStart after START_MS_MAX."""
        process = self._running()
        connection = BusConnection(self._url, "holdfast-start", PING_MS_MAX)
        try:
            async with asyncio.timeout(START_MS_MAX / 1000):
                while process.returncode is None:
                    with contextlib.suppress(BusUnavailable):
                        (reply,) = await connection.call(("PING",))
                        if not isinstance(reply, ErrorReply):
                            return True
                    await asyncio.sleep(POLL_S)
        except TimeoutError as late:
            raise CannotStart(f"the bus server did not answer within {START_MS_MAX} ms") from late
        finally:
            await connection.close()
        return False

    async def wait_ended(self) -> int:
        """Wait for the server's end; its exit status (negative: the signal). Every end but our `stop` is a failure."""
        return await self._running().wait()

    async def stop(self) -> None:
        """End the server in order, by SIGKILL if it takes too long. Nothing happens if it does not run."""
        await self._end_process()
        self.url_path.unlink(missing_ok=True)
        self._url = ""

    async def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            try:
                async with asyncio.timeout(STOP_MS_MAX / 1000):
                    _signal_end(process)
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        if self._held_fd is not None:
            os.close(self._held_fd)
            self._held_fd = None

    def _running_address(self) -> tuple[int, str]:
        parts = urlsplit(self._url)
        if parts.port is None or parts.password is None:
            raise CannotStart("the embedded bus server was not started, so it cannot be started again")
        return parts.port, parts.password

    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise BusUnavailable("the embedded bus server was not started")
        return self._process

    @property
    def _log_path(self) -> Path:
        return self._dir / "bus.log"

    def _log_tail(self) -> str:
        """The server's last words; its log names no secret."""
        return self._log_path.read_bytes()[-LOG_SHOWN_BYTES:].decode("utf-8", "replace").strip()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def _signal_end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()


async def _feed(process: asyncio.subprocess.Process, configuration: bytes) -> None:
    pipe = process.stdin
    if pipe is None:
        raise CannotStart("the bus server has no standard input")
    pipe.write(configuration)
    await pipe.drain()
    pipe.close()
    await pipe.wait_closed()


async def _locked(path: Path, ms_max: int) -> int:
    """A descriptor that holds the directory's lock; waits `ms_max` for a server that is ending."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        async with asyncio.timeout(ms_max / 1000):
            while True:
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    await asyncio.sleep(POLL_S)
                else:
                    return fd
    except TimeoutError:
        os.close(fd)
        raise CannotStart(
            f"another bus server runs on {path.parent}: stop it, or give this one another data directory"
        ) from None
    except BaseException:
        os.close(fd)
        raise


def free_port() -> int:
    """A loopback port that nobody listens on now; somebody may a moment later."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(text + "\n")
    draft.replace(path)


def _configuration(data_dir: Path, port: int, password: str) -> bytes:
    directory = "".join(f"\\x{byte:02x}" for byte in os.fsencode(data_dir.absolute()))
    lines = (
        "bind 127.0.0.1",
        f"port {port}",
        "protected-mode yes",
        f"requirepass {password}",
        f'dir "{directory}"',
        "daemonize no",
        "loglevel warning",
        'logfile ""',
        'save ""',
        "appendonly yes",
        "appendfsync everysec",
        "aof-load-truncated yes",
        f"maxmemory {MEMORY_BYTES_MAX}",
        "maxmemory-policy noeviction",
        f"proto-max-bulk-len {BULK_BYTES_MAX}",
        "maxclients 512",
    )
    return "\n".join((*lines, "")).encode()
