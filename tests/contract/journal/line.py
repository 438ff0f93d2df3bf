"""A line between a client and the server that counts what passes, and breaks when a test wants it to."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

CHUNK = 65_536
SECONDS_MAX = 20


class BreakingLine:
    """Passes bytes on, both ways, until the client says `words`: the server still gets them, its answer is lost."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.words = b""
        self.passed = 0
        """How often the words went through to the server."""
        self.broken = threading.Event()
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server_port), SECONDS_MAX)
                server.settimeout(None)
                self._sockets += [client, server]
                for run in (self._forth, self._back):
                    thread = threading.Thread(target=run, args=(client, server))
                    self._threads.append(thread)
                    thread.start()

    def _forth(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while said := client.recv(CHUNK):
                if self.words and self.words in said:
                    self.passed += said.count(self.words)
                    self.broken.set()
                server.sendall(said)
        _end(server)

    def _back(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while said := server.recv(CHUNK):
                if self.broken.is_set():
                    break  # the server has taken it and answers: nobody hears that
                client.sendall(said)
        _end(client)
        _end(server)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _end(self._listener)
        for each in self._sockets:
            _end(each)
        for thread in self._threads:
            thread.join(SECONDS_MAX)
        for each in (self._listener, *self._sockets):
            each.close()


def _end(line: socket.socket) -> None:
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
