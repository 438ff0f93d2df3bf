"""Serve the order WebSocket API: one JSON request a frame, one JSON answer a frame.

Every method is the REST call that it equals (`WS_METHODS`), so filters, limits, codes and faults are the same.
Requests on one connection are carried out in order of arrival; one that a fault delays does not hold up the next.

Invariants: the id comes back as it was sent; a request in flight when the connection is cut gets no answer; at most
`IN_FLIGHT_MAX` requests are delayed at once.
Source: venue documentation. Clients send amounts as strings, floats and booleans: the literal text is kept, as they
signed it. `session.logon` needs Ed25519 keys, which the simulator does not have: it is refused.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiohttp import WSMsgType, web

from holdfast.sim.core.calls.table import WS_METHODS
from holdfast.sim.core.faults import Channel, Cut, Page
from holdfast.sim.core.refusals import ApiError, Code, refuse
from holdfast.sim.core.requests import Reply, Request, error_reply
from holdfast.sim.face.streams import CLOSE_WAIT_S, PING_S

if TYPE_CHECKING:
    from holdfast.sim.core.venue import Flight, Venue
    from holdfast.sim.face.waits import Waits

__all__ = ["WsApi"]

IN_FLIGHT_MAX: Final = 1000
HANDSHAKE_WEIGHT: Final = 5
OK: Final = 200
_ENCODER: Final = msgspec.json.Encoder()


@dataclass(slots=True)
class WsApi:
    """The WebSocket API of one venue."""

    venue: Venue
    waits: Waits
    sockets: set[web.WebSocketResponse] = field(default_factory=set)

    async def serve(self, request: web.BaseRequest, query: str) -> web.StreamResponse:
        """Serve one connection until it ends."""
        address = request.remote or ""
        try:
            self.venue.limits.spend(address, HANDSHAKE_WEIGHT, self.venue.exchange.clock.now_ms())
        except ApiError as error:
            body = _ENCODER.encode({"code": error.code, "msg": error.msg})
            return web.Response(status=error.status, body=body, content_type="application/json")
        ws = web.WebSocketResponse(heartbeat=PING_S, timeout=CLOSE_WAIT_S)
        await ws.prepare(request)
        self.sockets.add(ws)
        connection = _Connection(self, ws, address, tell_limits="returnRateLimits=false" not in query)
        try:
            async for message in ws:
                if message.type is WSMsgType.TEXT:
                    await connection.on_text(message.data)
        finally:
            self.sockets.discard(ws)
            await connection.drop()
        return ws

    async def close_all(self) -> None:
        """Close every connection."""
        for ws in list(self.sockets):
            await ws.close()


@dataclass(slots=True)
class _Connection:
    api: WsApi
    ws: web.WebSocketResponse
    address: str
    tell_limits: bool
    delayed: set[asyncio.Task[None]] = field(default_factory=set)

    async def on_text(self, text: str) -> None:
        """Take one request."""
        try:
            # Numbers stay the text that the client wrote and signed.
            message = json.loads(text, parse_float=str, parse_int=_keep_text)
            request_id, method = _plain_id(message.get("id")), str(message["method"])
            params = {str(k): _text(v) for k, v in (message.get("params") or {}).items() if v is not None}
        except (ValueError, KeyError, AttributeError):
            await self._answer(None, error_reply(refuse(Code.BAD_PARAMETER, "request")))
            return
        if method not in WS_METHODS:
            await self._answer(request_id, self._without_call(method))
            return
        verb, path = WS_METHODS[method]
        request = Request(Channel.WS, verb, path, self.address, params.get("apiKey"), params)
        flight = self.api.venue.look(request)
        if isinstance(flight, Reply):
            await self._answer(request_id, flight)
            return
        strike = flight.strike
        latency = self.api.venue.exchange.knobs.latency_ms
        if strike.edge_delay_ms or strike.engine_delay_ms or strike.reply_delay_ms or strike.hang_ms or latency:
            if len(self.delayed) >= IN_FLIGHT_MAX:
                await self.ws.close()
                return
            task = asyncio.create_task(self._carry_out(request_id, flight), name="sim ws-api delayed request")
            self.delayed.add(task)
            task.add_done_callback(self.delayed.discard)
        else:
            await self._carry_out(request_id, flight)

    async def _carry_out(self, request_id: object, flight: Flight) -> None:
        reply = await self.api.waits.carry_out(self.api.venue, flight)
        if flight.strike.cut is not Cut.NONE:
            # The request was, or was not, executed; the client only sees the connection end.
            await self.ws.close()
            return
        await self._answer(request_id, reply)

    async def _answer(self, request_id: object, reply: Reply) -> None:
        answer: dict[str, object] = {"id": request_id, "status": reply.status}
        if isinstance(reply.body, Page):
            answer["error"] = {"code": int(Code.UNKNOWN), "msg": "Bad gateway."}
        elif reply.status == OK:
            answer["result"] = reply.body
        else:
            answer["error"] = reply.body
        if self.tell_limits:
            answer["rateLimits"] = self._rate_limits(reply)
        try:
            await self.ws.send_str(_ENCODER.encode(answer).decode())
        except ConnectionError:
            return

    def _rate_limits(self, reply: Reply) -> list[dict[str, object]]:
        limits, headers = self.api.venue.limits, reply.headers
        rows: list[tuple[str, str, int, int, str]] = [
            ("REQUEST_WEIGHT", "MINUTE", 1, limits.weight_max, "X-MBX-USED-WEIGHT-1M"),
            ("ORDERS", "SECOND", 10, limits.orders_max_10s, "X-MBX-ORDER-COUNT-10S"),
            ("ORDERS", "MINUTE", 1, limits.orders_max_1m, "X-MBX-ORDER-COUNT-1M"),
        ]
        return [
            {"rateLimitType": kind, "interval": unit, "intervalNum": n, "limit": most, "count": int(headers[header])}
            for kind, unit, n, most, header in rows
            if header in headers
        ]

    def _without_call(self, method: str) -> Reply:
        if method == "session.status":
            now = self.api.venue.exchange.clock.now_ms()
            body = {"apiKey": None, "authorizedSince": None, "returnRateLimits": self.tell_limits, "serverTime": now}
            return Reply(OK, body)
        if method.startswith("session."):
            return error_reply(ApiError(401, int(Code.NOT_AUTHENTICATED), "Only Ed25519 keys can log on."))
        return error_reply(refuse(Code.UNSUPPORTED))

    async def drop(self) -> None:
        """Forget delayed requests: the connection has ended."""
        for task in list(self.delayed):
            task.cancel()
        await asyncio.gather(*self.delayed, return_exceptions=True)


class _Number(str):
    """The text of a JSON integer."""

    __slots__ = ()


def _keep_text(text: str) -> _Number:
    return _Number(text)


def _plain_id(value: Any) -> object:
    return int(value) if isinstance(value, _Number) else value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return json.dumps(value)
    return str(value)
