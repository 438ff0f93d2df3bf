"""Answer what changes orders: place, amend, cancel, batches, the dead man's switch.

Invariants: a batch answers one row an order, refusals in place; an order that is refused changes nothing.
Source: venue documentation of the trade endpoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from holdfast.sim.core.amounts import parse_amount
from holdfast.sim.core.order_request import Params, Response, read_int, read_new_order, required
from holdfast.sim.core.orders import FINAL, Order, Source
from holdfast.sim.core.placing import place
from holdfast.sim.core.refusals import ApiError, Code, refuse
from holdfast.sim.core.reports import OrderAnswer, acknowledged, order_answer
from holdfast.sim.core.resting import amend, cancel, cancel_all

if TYPE_CHECKING:
    from holdfast.sim.core.account import Account
    from holdfast.sim.core.exchange import Exchange
    from holdfast.sim.core.venue import Call, Venue

__all__ = [
    "amend_order",
    "cancel_batch",
    "cancel_open_orders",
    "cancel_order",
    "countdown_cancel",
    "place_batch",
    "place_order",
    "test_order",
]

BATCH_MAX: Final = 5
CANCEL_BATCH_MAX: Final = 10
Scalar = str | int | float | bool | None


def _place(exchange: Exchange, account: Account, params: Params) -> OrderAnswer:
    new = read_new_order(params)
    order = place(exchange, account, new, Source.API)
    if new.response is Response.RESULT:
        return order_answer(order, exchange.knobs)
    return acknowledged(order, exchange.knobs)


def place_order(venue: Venue, call: Call) -> object:
    """Place one order."""
    return _place(venue.exchange, call.account, call.params)


def test_order(venue: Venue, call: Call) -> object:
    """Read an order and its symbol without placing it."""
    new = read_new_order(call.params)
    venue.exchange.market(new.symbol)
    return {}


def _batch_rows(text: str, most: int) -> list[dict[str, str]]:
    """Read the JSON list inside a batch parameter; values may be strings, numbers or booleans."""
    try:
        rows = msgspec.json.decode(text, type=list[dict[str, Scalar]])
    except msgspec.MsgspecError:
        raise refuse(Code.ILLEGAL_CHARACTERS, "batchOrders", "a JSON list of orders") from None
    if not rows:
        raise refuse(Code.BATCH_EMPTY)
    if len(rows) > most:
        raise refuse(Code.BATCH_TOO_LARGE)
    return [{k: _as_text(v) for k, v in row.items() if v is not None} for row in rows]


def _as_text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def place_batch(venue: Venue, call: Call) -> object:
    """Place up to five orders, each for itself."""
    answers: list[object] = []
    for row in _batch_rows(required(call.params, "batchOrders"), BATCH_MAX):
        try:
            answers.append(_place(venue.exchange, call.account, row))
        except ApiError as error:
            answers.append({"code": error.code, "msg": error.msg})
    return answers


def named_order(venue: Venue, account: Account, params: Params) -> Order | None:
    """Find the order that a request names by id or by client id."""
    symbol = required(params, "symbol")
    venue.exchange.market(symbol)
    order_id, client_id = read_int(params, "orderId"), params.get("origClientOrderId") or None
    if order_id is None and client_id is None:
        text = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
        raise ApiError(400, int(Code.MISSING_PARAMETER), text)
    if order_id is None and client_id is not None:
        open_one = account.book(symbol).open_by_client.get(client_id)
        if open_one is not None:
            return open_one
    return account.book(symbol).find(order_id, client_id, venue.exchange.knobs.client_id_lookup)


def cancel_order(venue: Venue, call: Call) -> object:
    """Cancel one order."""
    order = cancel(venue.exchange, call.account, named_order(venue, call.account, call.params))
    return order_answer(order, venue.exchange.knobs)


def cancel_batch(venue: Venue, call: Call) -> object:
    """Cancel several orders, each for itself."""
    symbol = required(call.params, "symbol")
    ids = call.params.get("orderIdList")
    name = "orderIdList" if ids else "origClientOrderIdList"
    try:
        listed = msgspec.json.decode(required(call.params, name), type=list[str | int])
    except msgspec.MsgspecError:
        raise refuse(Code.ILLEGAL_CHARACTERS, name, "a JSON list") from None
    if not 0 < len(listed) <= CANCEL_BATCH_MAX:
        raise refuse(Code.BATCH_TOO_LARGE)
    answers: list[object] = []
    for item in listed:
        one = {"symbol": symbol, "orderId" if ids else "origClientOrderId": str(item)}
        try:
            order = cancel(venue.exchange, call.account, named_order(venue, call.account, one))
            answers.append(order_answer(order, venue.exchange.knobs))
        except ApiError as error:
            answers.append({"code": error.code, "msg": error.msg})
    return answers


def cancel_open_orders(venue: Venue, call: Call) -> object:
    """Cancel everything on a symbol."""
    symbol = required(call.params, "symbol")
    venue.exchange.market(symbol)
    cancel_all(venue.exchange, call.account, symbol)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def amend_order(venue: Venue, call: Call) -> object:
    """Change quantity and price of a LIMIT order."""
    required(call.params, "side")
    qty = parse_amount("quantity", required(call.params, "quantity"))
    price = parse_amount("price", required(call.params, "price"))
    order = named_order(venue, call.account, call.params)
    if order is not None and order.status in FINAL:
        order = None
    return order_answer(amend(venue.exchange, call.account, order, qty, price), venue.exchange.knobs)


def countdown_cancel(venue: Venue, call: Call) -> object:
    """Arm, renew or stop the dead man's switch of a symbol."""
    symbol = required(call.params, "symbol")
    venue.exchange.market(symbol)
    countdown = read_int(call.params, "countdownTime")
    if countdown is None:
        raise refuse(Code.MISSING_PARAMETER, "countdownTime")
    if countdown:
        call.account.countdowns[symbol] = call.now_ms + countdown
    else:
        call.account.countdowns.pop(symbol, None)
    return {"symbol": symbol, "countdownTime": str(countdown)}
