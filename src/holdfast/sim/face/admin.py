"""Serve `/sim/`: what others do to an account, faults, knobs, and the truth, as JSON over HTTP.

Invariants: every route is in the table that `GET /sim/` prints; wrong input answers 400 with a message and changes
nothing; a refusal by the exchange itself (of a manual trade, say) answers 400 with the venue's code and text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from holdfast.sim.core.fault_names import CATALOGUE
from holdfast.sim.core.refusals import ApiError
from holdfast.sim.face import admin_acts as acts
from holdfast.sim.face import admin_bodies as bodies
from holdfast.sim.face import admin_truth as truth

if TYPE_CHECKING:
    from holdfast.sim.core.venue import Venue
    from holdfast.sim.face.admin_acts import Desk

__all__ = ["Admin", "Route"]

_ENCODER: Final = msgspec.json.Encoder()
_Body = TypeVar("_Body")
Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Route:
    """One admin route."""

    method: str
    path: str
    meaning: str
    run: Callable[[Desk, Query, Any], object]
    body: type | None = None


def _reads(run: Callable[[Venue, Query], object]) -> Callable[[Desk, Query, Any], object]:
    return lambda desk, query, _body: run(desk.venue, query)


def _acts(run: Callable[[Desk, _Body], object]) -> Callable[[Desk, Query, Any], object]:
    return lambda desk, _query, body: run(desk, body)


ROUTES: Final = (
    Route(
        "POST",
        "/sim/accounts",
        "create an account with keys (permission read or trade)",
        _acts(acts.create_account),
        bodies.AccountBody,
    ),
    Route(
        "GET",
        "/sim/accounts",
        "accounts, without secrets",
        _reads(truth.accounts),
    ),
    Route(
        "POST",
        "/sim/trade",
        "trade by hand: MARKET, or LIMIT GTC with price; answers ids, time, accepted_monotonic_ns",
        _acts(acts.trade),
        bodies.TradeBody,
    ),
    Route(
        "POST",
        "/sim/cancel",
        "somebody cancels all open orders of a symbol by hand",
        _acts(acts.cancel),
        bodies.CancelBody,
    ),
    Route(
        "POST",
        "/sim/liquidate",
        "liquidate a position, or qty of it (autoclose-<n>)",
        _acts(acts.liquidate),
        bodies.ForceBody,
    ),
    Route(
        "POST",
        "/sim/adl",
        "deleverage a position, or qty of it (adl_autoclose)",
        _acts(acts.deleverage),
        bodies.ForceBody,
    ),
    Route(
        "POST",
        "/sim/settle",
        "settle a position (settlement_autoclose-<n>)",
        _acts(acts.settle),
        bodies.ForceBody,
    ),
    Route(
        "POST",
        "/sim/funding",
        "pay funding: -position * mark * rate",
        _acts(acts.funding),
        bodies.FundingBody,
    ),
    Route(
        "POST",
        "/sim/transfer",
        "deposit (positive) or withdraw USDT",
        _acts(acts.move),
        bodies.TransferBody,
    ),
    Route(
        "POST",
        "/sim/price",
        "set the mark price, freeze it or let it walk, set the spread in ticks",
        _acts(acts.price),
        bodies.PriceBody,
    ),
    Route(
        "POST",
        "/sim/depth",
        "how much one order can take at once; null is endless",
        _acts(acts.depth),
        bodies.DepthBody,
    ),
    Route(
        "POST",
        "/sim/symbol",
        "set a symbol's status, as SETTLING for a halt",
        _acts(acts.symbol),
        bodies.SymbolBody,
    ),
    Route(
        "GET",
        "/sim/market",
        "prices, depth and status by symbol",
        acts.market,
    ),
    Route(
        "POST",
        "/sim/mode",
        "switch the position mode, as the owner would in the app",
        _acts(acts.mode),
        bodies.ModeBody,
    ),
    Route(
        "POST",
        "/sim/restrict",
        "restrict an account: none, reduce_only (-4087), no_trading (-4088)",
        _acts(acts.restrict),
        bodies.RestrictBody,
    ),
    Route(
        "POST",
        "/sim/faults",
        "arm a fault; names are under `faults` of GET /sim/; count 0 is for ever",
        _acts(acts.arm),
        acts.Fault,
    ),
    Route(
        "GET",
        "/sim/faults",
        "armed and spent faults with their real hits",
        acts.list_faults,
    ),
    Route(
        "DELETE",
        "/sim/faults",
        "disarm all faults, or ?id=N",
        acts.disarm,
    ),
    Route(
        "POST",
        "/sim/knobs",
        "turn knobs; the others keep their value",
        acts.turn_knobs,
        dict,
    ),
    Route(
        "GET",
        "/sim/knobs",
        "all knobs",
        acts.list_knobs,
    ),
    Route(
        "POST",
        "/sim/limits",
        "scale the rate limits by a factor",
        _acts(acts.scale_limits),
        bodies.LimitsBody,
    ),
    Route(
        "POST",
        "/sim/clock",
        "shift the venue's clock by offset_ms against the machine's",
        _acts(acts.shift_clock),
        bodies.ClockBody,
    ),
    Route(
        "GET",
        "/sim/clock",
        "venue time and the machine's monotonic clock",
        acts.tell_clock,
    ),
    Route(
        "POST",
        "/sim/streams/close",
        "close the account's private streams",
        _acts(acts.close_streams),
        bodies.AccountName,
    ),
    Route(
        "POST",
        "/sim/streams/expire",
        "let the account's listen key expire now",
        _acts(acts.expire_key),
        bodies.AccountName,
    ),
    Route(
        "GET",
        "/sim/orders",
        "every order ever accepted; ?account= &symbol= &clientOrderId= &source= &after=N &limit=N",
        _reads(truth.orders),
    ),
    Route(
        "GET",
        "/sim/fills",
        "every fill; ?account= &symbol= &source= &after=N &limit=N",
        _reads(truth.fills),
    ),
    Route(
        "GET",
        "/sim/positions",
        "positions that are not flat; ?account= &symbol=",
        _reads(truth.positions),
    ),
    Route(
        "GET",
        "/sim/requests",
        "the latest requests, counts of all, and the weight that each address spent; ?method= &path= &limit=N",
        _reads(truth.requests),
    ),
)


def _describe_body(body: type | None) -> object:
    if body is None:
        return None
    if body is dict:
        return "any of the fields of GET /sim/knobs"
    info = msgspec.structs.fields(body)
    return {
        f.encode_name: "required"
        if f.required
        else f"optional, {json.dumps(msgspec.to_builtins(f.default))}"
        if f.default is not msgspec.NODEFAULT
        else "optional"
        for f in info
        if not (body is acts.Fault and f.name in {"id", "hits"})
    }


def manual() -> dict[str, object]:
    """Describe the admin face."""
    return {
        "what": "the admin face of the Holdfast exchange simulator: JSON in, JSON out; amounts are decimal strings",
        "routes": [
            {"method": r.method, "path": r.path, "body": _describe_body(r.body), "meaning": r.meaning} for r in ROUTES
        ],
        "faults": {name.value: meaning for name, meaning in CATALOGUE.items()},
        "match": {
            "request faults": "method, path, channel (rest or ws), account, symbol, side; a WebSocket API method is"
            " matched by the REST call that it equals, as order.place by POST /fapi/v1/order",
            "stale_*": "account, symbol",
            "stream_*": "account, symbol, event (the frame's e, as ORDER_TRADE_UPDATE)",
        },
        "example": 'curl -d \'{"account":"demo","symbol":"BTCUSDT","side":"BUY","qty":"0.007"}\' .../sim/trade',
    }


class Admin:
    """The handler of `/sim/`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._routes = {(r.method, r.path): r for r in ROUTES}

    async def handle(self, request: web.BaseRequest, path: str, query: str) -> web.Response:
        """Answer one admin request."""
        tidy = path.rstrip("/")
        if tidy == "/sim":
            return _json(200, manual())
        route = self._routes.get((request.method, tidy))
        if route is None:
            return _json(404, {"error": f"no route {request.method} {tidy}; GET /sim/ lists them"})
        try:
            body = _read_body(await request.text(), route.body) if route.body is not None else None
            return _json(200, route.run(self._desk, dict(parse_qsl(query)), body))
        except ApiError as error:
            return _json(400, {"error": error.msg, "code": error.code})
        except KeyError as error:
            return _json(400, {"error": f"unknown account {error.args[0]!r}"})
        except (ValueError, msgspec.ValidationError) as error:
            return _json(400, {"error": str(error)})


def _read_body(text: str, body: type) -> object:
    try:
        # A number's text, not its binary float, is the amount.
        raw = json.loads(text or "{}", parse_float=str)
    except ValueError as error:
        raise ValueError(f"the body is not JSON: {error}") from None
    if not isinstance(raw, dict):
        raise ValueError("the body must be a JSON object")  # noqa: TRY004 - the caller's input, answered with 400
    return raw if body is dict else msgspec.convert(raw, type=body)


def _json(status: int, body: object) -> web.Response:
    return web.Response(status=status, body=_ENCODER.encode(body), content_type="application/json")
