"""Decide what an order request says: its parameters as values, or the refusal for what can't be read.

This is the part of validation that needs no exchange: names, enums, numbers. What the account and the market make of
the values is `admission`.

Invariants: nothing unread passes as a default; conditional types are refused by name, as the venue has moved them.
Source: venue documentation of the new-order endpoint, the conditional-order migration (-4120, since 2025-12-09) and
the client id's pattern; `closePosition` on MARKET was seen refused with -4136.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeVar

from holdfast.sim.core.amounts import parse_amount
from holdfast.sim.core.legs import PositionSide
from holdfast.sim.core.orders import OrderType, Side, TimeInForce
from holdfast.sim.core.refusals import Code, refuse

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = ["NewOrder", "Params", "ReduceOnly", "Response", "read_flag", "read_int", "read_new_order", "required"]

Params = Mapping[str, str]
INT_DIGITS_MAX: Final = 19
"""A 64-bit number has no more."""
CLIENT_ID: Final = re.compile(r"[\.A-Z\:/a-z0-9_-]{1,36}")
CONDITIONAL: Final = frozenset({"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"})
STP_MODES: Final = frozenset({"NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"})
PRICE_MATCHES: Final = frozenset({"NONE", "OPPONENT", "QUEUE"})
_Choice = TypeVar("_Choice", bound=StrEnum)


class ReduceOnly(StrEnum):
    """What was sent as `reduceOnly`; hedge mode tells absent from false."""

    ABSENT = "absent"
    FALSE = "false"
    TRUE = "true"


class Response(StrEnum):
    """How much the answer tells."""

    ACK = "ACK"
    RESULT = "RESULT"


@dataclass(frozen=True, slots=True)
class NewOrder:
    """One order as asked for."""

    symbol: str
    side: Side
    order_type: OrderType
    position_side: PositionSide
    time_in_force: TimeInForce
    qty: Decimal
    price: Decimal | None
    reduce_only: ReduceOnly
    client_id: str | None
    response: Response
    stp_mode: str
    good_till_ms: int
    price_match: str


def required(params: Params, name: str) -> str:
    """Return a parameter that must be there."""
    value = params.get(name)
    if not value:
        raise refuse(Code.MISSING_PARAMETER, name)
    return value


def read_int(params: Params, name: str) -> int | None:
    """Return an integer parameter, None if absent."""
    text = params.get(name)
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > INT_DIGITS_MAX:
        raise refuse(Code.ILLEGAL_CHARACTERS, name, "^[0-9]{1,20}$")
    return int(text)


def read_flag(params: Params, name: str) -> ReduceOnly:
    """Return a true/false parameter, which may be absent."""
    text = params.get(name)
    if text is None or text == "":
        return ReduceOnly.ABSENT
    lowered = text.lower()
    if lowered not in {"true", "false"}:
        raise refuse(Code.MISSING_PARAMETER, name)
    return ReduceOnly(lowered)


def _choice(kind: type[_Choice], text: str, code: Code) -> _Choice:
    try:
        return kind(text)
    except ValueError:
        raise refuse(code) from None


def _order_type(params: Params) -> OrderType:
    text = required(params, "type")
    if text in CONDITIONAL:
        raise refuse(Code.USE_ALGO_ENDPOINT)
    if text not in {"LIMIT", "MARKET"}:
        raise refuse(Code.BAD_ORDER_TYPE)
    return OrderType(text)


def _client_id(params: Params) -> str | None:
    text = params.get("newClientOrderId")
    if text is None or text == "":
        return None
    if CLIENT_ID.fullmatch(text) is None:
        raise refuse(Code.BAD_CLIENT_ID)
    return text


def _limit_terms(params: Params) -> tuple[TimeInForce, Decimal | None, int, str]:
    """Read what only a LIMIT order has: time in force, price, end, price match."""
    tif = _choice(TimeInForce, required(params, "timeInForce"), Code.BAD_TIME_IN_FORCE)
    match = params.get("priceMatch") or "NONE"
    if match not in PRICE_MATCHES:
        raise refuse(Code.BAD_PARAMETER, "priceMatch")
    price = None if match != "NONE" else parse_amount("price", required(params, "price"))
    good_till = read_int(params, "goodTillDate") or 0
    if tif is TimeInForce.GTD and not good_till:
        raise refuse(Code.MISSING_PARAMETER, "goodTillDate")
    return tif, price, good_till if tif is TimeInForce.GTD else 0, match


def read_new_order(params: Params) -> NewOrder:
    """Read the parameters of POST order (and of each order in a batch)."""
    symbol = required(params, "symbol")
    side = _choice(Side, required(params, "side"), Code.BAD_SIDE)
    order_type = _order_type(params)
    position_side = _choice(PositionSide, params.get("positionSide") or "BOTH", Code.BAD_POSITION_SIDE)
    if read_flag(params, "closePosition") is ReduceOnly.TRUE:
        raise refuse(Code.CLOSE_POSITION_NOT_ALLOWED, order_type.value)
    qty = parse_amount("quantity", required(params, "quantity"))
    if order_type is OrderType.LIMIT:
        tif, price, good_till, match = _limit_terms(params)
    else:
        tif, price, good_till, match = TimeInForce.GTC, None, 0, "NONE"
    stp = params.get("selfTradePreventionMode") or "EXPIRE_MAKER"
    if stp not in STP_MODES:
        raise refuse(Code.BAD_PARAMETER, "selfTradePreventionMode")
    response = params.get("newOrderRespType") or "ACK"
    if response not in {"ACK", "RESULT"}:
        raise refuse(Code.BAD_PARAMETER, "newOrderRespType")
    return NewOrder(
        symbol=symbol,
        side=side,
        order_type=order_type,
        position_side=position_side,
        time_in_force=tif,
        qty=qty,
        price=price,
        reduce_only=read_flag(params, "reduceOnly"),
        client_id=_client_id(params),
        response=Response(response),
        stp_mode=stp,
        good_till_ms=good_till,
        price_match=match,
    )
