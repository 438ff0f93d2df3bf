"""A venue's stream face over real HTTP and WebSockets, told what to do by the test."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


@dataclass(slots=True)
class StreamVenue:
    """A venue's stream face: hands out listen keys, keeps the sockets, answers pings unless told not to."""

    url: str = ""
    posts: int = 0
    puts: int = 0
    deletes: int = 0
    put_status: int = 200
    post_status: int = 200
    post_body: bytes = b'{"listenKey":"secretlistenkey"}'
    answers_pings: bool = True
    refuse_sockets: int = 0
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    pings: int = 0
    pongs: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def key(self, request: web.Request) -> web.Response:
        """The listen key's three methods."""
        self.changed.set()
        if request.method == "POST":
            self.posts += 1
            return web.Response(status=self.post_status, body=self.post_body)
        if request.method == "DELETE":
            self.deletes += 1
            return web.json_response({})
        self.puts += 1
        return web.Response(status=self.put_status, body=b'{"code":-1125,"msg":"This listenKey does not exist."}')

    async def socket(self, request: web.Request) -> web.StreamResponse:
        """One connection."""
        self.paths.append(request.path)
        if self.refuse_sockets:
            return web.Response(status=self.refuse_sockets, headers={"Retry-After": "30"})
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        self.sockets.append(socket)
        self.changed.set()
        async for message in socket:
            if message.type is WSMsgType.PING:
                self.pings += 1
                if self.answers_pings:
                    await socket.pong(message.data)
            elif message.type is WSMsgType.PONG:
                self.pongs.append(message.data)
            self.changed.set()
        self.changed.set()
        return socket

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something that this venue sees holds."""
        while not holds():
            self.changed.clear()
            await self.changed.wait()


@asynccontextmanager
async def stream_venue() -> AsyncIterator[StreamVenue]:
    """Serve a stream on a free port."""
    venue = StreamVenue()
    app = web.Application()
    app.router.add_route("*", "/fapi/v1/listenKey", venue.key)
    app.router.add_get("/private/ws/{key}", venue.socket)
    server = TestServer(app)
    await server.start_server()
    venue.url = str(server.make_url("")).rstrip("/")
    try:
        yield venue
    finally:
        for socket in venue.sockets:
            await socket.close()
        await server.close()
