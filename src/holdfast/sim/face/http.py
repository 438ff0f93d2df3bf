"""Take every HTTP request of the port and send it where it belongs.

Invariants: a path is decided by its first segment; errors are JSON with their content type (one client reads texts only
then); a request that a fault cuts gets no byte of an answer; nothing is logged per request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import hdrs, web
from multidict import CIMultiDict

from holdfast.sim.core.faults import Channel, Cut, Page
from holdfast.sim.core.requests import Reply, Request, read_params
from holdfast.sim.face.streams import Hub, scope_of

if TYPE_CHECKING:
    from holdfast.sim.core.venue import Venue
    from holdfast.sim.face.admin import Admin
    from holdfast.sim.face.waits import Waits
    from holdfast.sim.face.ws_api import WsApi

__all__ = ["Face"]

_ENCODER: Final = msgspec.json.Encoder()
JSON_TYPE: Final = "application/json;charset=UTF-8"
KEY_HEADER: Final = "X-MBX-APIKEY"


@dataclass(slots=True)
class Face:
    """The handler of the port."""

    venue: Venue
    hub: Hub
    ws_api: WsApi
    admin: Admin
    waits: Waits

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        path, _, query = request.raw_path.partition("?")
        if path.startswith(("/fapi/", "/api/")):
            return await self._rest(request, path, query)
        if path == "/sim" or path.startswith("/sim/"):
            return await self.admin.handle(request, path, query)
        if request.headers.get(hdrs.UPGRADE, "").lower() == "websocket":
            if path.rstrip("/") == "/ws-fapi/v1":
                return await self.ws_api.serve(request, query)
            found = scope_of(path)
            if found is not None:
                scope, named, topic = found
                return await self.hub.serve(request, scope, named=named, topic=topic, query=query)
        return _json(Reply(404, {"code": -1020, "msg": f"{path} is not here; GET /sim/ says what is."}))

    async def _rest(self, request: web.BaseRequest, path: str, query: str) -> web.StreamResponse:
        body = (await request.read()).decode("utf-8", "replace") if request.can_read_body else ""
        flight = self.venue.look(
            Request(
                channel=Channel.REST,
                method=request.method,
                path=path,
                address=request.remote or "",
                api_key=request.headers.get(KEY_HEADER),
                params=read_params(query, body),
                query=query,
                body=body,
            )
        )
        if isinstance(flight, Reply):
            return _json(flight)
        reply = await self.waits.carry_out(self.venue, flight)
        if flight.strike.cut is not Cut.NONE and request.transport is not None:
            # No answer, no goodbye: the client can't tell whether the request was executed.
            request.transport.abort()
        return _json(reply)


def _json(reply: Reply) -> web.Response:
    if isinstance(reply.body, Page):
        return web.Response(status=reply.status, text=reply.body.text, content_type="text/html")
    headers = CIMultiDict(reply.headers)
    headers[hdrs.CONTENT_TYPE] = JSON_TYPE
    return web.Response(status=reply.status, body=_ENCODER.encode(reply.body), headers=headers)
