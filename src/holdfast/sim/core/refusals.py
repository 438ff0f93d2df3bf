"""Decide how the exchange says no: one error type, one table of codes, texts and HTTP statuses.

Invariants: every refusal carries a code, a text and a status; a text is stated here once and nowhere else.
Source: the venue's documented error list (codes and texts), and for HTTP statuses its documented rules: 400 for
business refusals, 401 for key problems, 429/418 for limits, 408 and 503 for "execution status unknown".
"""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType
from typing import Final

__all__ = ["ApiError", "Code", "refuse"]

NO_HEADERS: Final = MappingProxyType[str, str]({})


class Code(IntEnum):
    """The codes that the simulator can answer with, named by meaning."""

    UNKNOWN = -1000
    DISCONNECTED = -1001
    TOO_MANY_REQUESTS = -1003
    UNEXPECTED_RESPONSE = -1006
    TIMEOUT = -1007
    OVERLOADED = -1008
    TOO_MANY_ORDERS = -1015
    UNSUPPORTED = -1020
    STALE_TIMESTAMP = -1021
    BAD_SIGNATURE = -1022
    NOT_AUTHENTICATED = -1099
    ILLEGAL_CHARACTERS = -1100
    MISSING_PARAMETER = -1102
    NOT_REQUIRED_PARAMETER = -1106
    BAD_PRECISION = -1111
    BAD_TIME_IN_FORCE = -1115
    BAD_ORDER_TYPE = -1116
    BAD_SIDE = -1117
    BAD_SYMBOL = -1121
    BAD_LISTEN_KEY = -1125
    BAD_INTERVAL = -1128
    BAD_PARAMETER = -1130
    CANCEL_REJECTED = -2011
    NO_SUCH_ORDER = -2013
    BAD_KEY_FORMAT = -2014
    REJECTED_KEY = -2015
    INSUFFICIENT_MARGIN = -2019
    REDUCE_ONLY_REJECTED = -2022
    TOO_MANY_OPEN_ORDERS = -2025
    PRICE_NOT_POSITIVE = -4001
    PRICE_ABOVE_MAX = -4002
    QTY_NOT_POSITIVE = -4003
    QTY_BELOW_MIN = -4004
    QTY_ABOVE_MAX = -4005
    PRICE_BELOW_MIN = -4013
    PRICE_OFF_TICK = -4014
    BAD_CLIENT_ID = -4015
    PRICE_ABOVE_CAP = -4016
    QTY_OFF_STEP = -4023
    PRICE_BELOW_FLOOR = -4024
    BAD_LEVERAGE = -4028
    MARGIN_TYPE_SAME = -4046
    MODE_SAME = -4059
    BAD_POSITION_SIDE = -4060
    POSITION_SIDE_MISMATCH = -4061
    MODE_BLOCKED_BY_ORDERS = -4067
    MODE_BLOCKED_BY_POSITION = -4068
    BATCH_EMPTY = -4081
    BATCH_TOO_LARGE = -4082
    REDUCE_ONLY_ACCOUNT = -4087
    MAY_NOT_TRADE = -4088
    DUPLICATE_CLIENT_ID = -4116
    REDUCE_ONLY_CONFLICT = -4118
    USE_ALGO_ENDPOINT = -4120
    COUNTER_PRICE_OUT_OF_BAND = -4131
    CLOSE_POSITION_NOT_ALLOWED = -4136
    SYMBOL_STATUS = -4140
    NOTIONAL_TOO_SMALL = -4164
    BAD_TIME_INTERVAL = -4165
    FOK_UNFILLABLE = -5021
    POST_ONLY_WOULD_TAKE = -5022
    AMEND_NOTHING = -5027
    ENGINE_TIMESTAMP = -5028
    NO_DEPTH = -5041


TEXTS: Final = MappingProxyType(
    {
        Code.UNKNOWN: "An unknown error occurred while processing the request.",
        Code.DISCONNECTED: "Internal error; unable to process your request. Please try again.",
        Code.TOO_MANY_REQUESTS: "Too many requests; current limit of IP({}) is {} requests per minute. Please use"
        " the websocket for live updates to avoid polling the API.",
        Code.UNEXPECTED_RESPONSE: "An unexpected response was received from the message bus. Execution status unknown.",
        Code.TIMEOUT: "Timeout waiting for response from backend server. Send status unknown;"
        " execution status unknown.",
        Code.OVERLOADED: "Request throttled by system-level protection. Reduce-only/close-position orders are"
        " exempt. Please try again.",
        Code.TOO_MANY_ORDERS: "Too many new orders; current limit is {} orders per {}.",
        Code.UNSUPPORTED: "This operation is not supported.",
        Code.STALE_TIMESTAMP: "Timestamp for this request is outside of the recvWindow.",
        Code.BAD_SIGNATURE: "Signature for this request is not valid.",
        Code.NOT_AUTHENTICATED: "Not found, authenticated, or authorized.",
        Code.ILLEGAL_CHARACTERS: "Illegal characters found in parameter '{}'; legal range is '{}'.",
        Code.MISSING_PARAMETER: "Mandatory parameter '{}' was not sent, was empty/null, or malformed.",
        Code.NOT_REQUIRED_PARAMETER: "Parameter '{}' sent when not required.",
        Code.BAD_PRECISION: "Precision is over the maximum defined for this asset.",
        Code.BAD_TIME_IN_FORCE: "Invalid timeInForce.",
        Code.BAD_ORDER_TYPE: "Invalid orderType.",
        Code.BAD_SIDE: "Invalid side.",
        Code.BAD_SYMBOL: "Invalid symbol.",
        Code.BAD_LISTEN_KEY: "This listenKey does not exist.",
        Code.BAD_INTERVAL: "Combination of optional parameters invalid.",
        Code.BAD_PARAMETER: "Data sent for parameter '{}' is not valid.",
        Code.CANCEL_REJECTED: "Unknown order sent.",
        Code.NO_SUCH_ORDER: "Order does not exist.",
        Code.BAD_KEY_FORMAT: "API-key format invalid.",
        Code.REJECTED_KEY: "Invalid API-key, IP, or permissions for action.",
        Code.INSUFFICIENT_MARGIN: "Margin is insufficient.",
        Code.REDUCE_ONLY_REJECTED: "ReduceOnly Order is rejected.",
        Code.TOO_MANY_OPEN_ORDERS: "Reach max open order limit.",
        Code.PRICE_NOT_POSITIVE: "Price less than or equal to zero.",
        Code.PRICE_ABOVE_MAX: "Price greater than max price.",
        Code.QTY_NOT_POSITIVE: "Quantity less than or equal to zero.",
        Code.QTY_BELOW_MIN: "Quantity less than min quantity.",
        Code.QTY_ABOVE_MAX: "Quantity greater than max quantity.",
        Code.PRICE_BELOW_MIN: "Price less than min price.",
        Code.PRICE_OFF_TICK: "Price not increased by tick size.",
        Code.BAD_CLIENT_ID: "Client order id is not valid: not more than 36 chars of ^[\\.A-Z\\:/a-z0-9_-]{{1,36}}$.",
        Code.PRICE_ABOVE_CAP: "Limit price can't be higher than {}.",
        Code.QTY_OFF_STEP: "Qty not increased by step size.",
        Code.PRICE_BELOW_FLOOR: "Limit price can't be lower than {}.",
        Code.BAD_LEVERAGE: "Leverage {} is not valid.",
        Code.MARGIN_TYPE_SAME: "No need to change margin type.",
        Code.MODE_SAME: "No need to change position side.",
        Code.BAD_POSITION_SIDE: "Invalid position side.",
        Code.POSITION_SIDE_MISMATCH: "Order's position side does not match user's setting.",
        Code.MODE_BLOCKED_BY_ORDERS: "Position side cannot be changed if there exists open orders.",
        Code.MODE_BLOCKED_BY_POSITION: "Position side cannot be changed if there exists position.",
        Code.BATCH_EMPTY: "Invalid number of batch place orders.",
        Code.BATCH_TOO_LARGE: "Invalid number of batch place orders.",
        Code.REDUCE_ONLY_ACCOUNT: "User can only place reduce only order.",
        Code.MAY_NOT_TRADE: "User can not place order currently.",
        Code.DUPLICATE_CLIENT_ID: "ClientOrderId is duplicated.",
        Code.REDUCE_ONLY_CONFLICT: "ReduceOnly Order Failed. Please check your existing position and open orders.",
        Code.USE_ALGO_ENDPOINT: "Order type not supported for this endpoint. Please use the Algo Order API"
        " endpoints instead.",
        Code.COUNTER_PRICE_OUT_OF_BAND: "The counterparty's best price does not meet the PERCENT_PRICE filter limit.",
        Code.CLOSE_POSITION_NOT_ALLOWED: "Target strategy invalid for orderType {}, closePosition true.",
        Code.SYMBOL_STATUS: "Invalid symbol status for opening position.",
        Code.NOTIONAL_TOO_SMALL: "Order's notional must be no smaller than {} (unless you choose reduce only).",
        Code.BAD_TIME_INTERVAL: "Maximum time interval is {} days.",
        Code.FOK_UNFILLABLE: "Due to the order could not be filled immediately, the FOK order has been rejected."
        " The order will not be recorded in the order history.",
        Code.POST_ONLY_WOULD_TAKE: "Due to the order could not be executed as maker, the Post Only order will be"
        " rejected. The order will not be recorded in the order history.",
        Code.AMEND_NOTHING: "No need to modify the order.",
        Code.ENGINE_TIMESTAMP: "Timestamp for this request is outside of the ME recvWindow.",
        Code.NO_DEPTH: "Due to insufficient depth, the BBO order could not be priced.",
    }
)

STATUSES: Final = MappingProxyType(
    {
        Code.UNKNOWN: 503,
        Code.DISCONNECTED: 503,
        Code.UNEXPECTED_RESPONSE: 503,
        Code.TIMEOUT: 408,
        Code.OVERLOADED: 503,
        Code.TOO_MANY_REQUESTS: 429,
        Code.TOO_MANY_ORDERS: 429,
        Code.BAD_KEY_FORMAT: 401,
        Code.REJECTED_KEY: 401,
        Code.NOT_AUTHENTICATED: 401,
    }
)


class ApiError(Exception):
    """A refusal as the venue words it; the catcher turns it into one reply and changes no state."""

    def __init__(self, status: int, code: int, msg: str, headers: MappingProxyType[str, str] = NO_HEADERS) -> None:
        super().__init__(f"{code} {msg}")
        self.status = status
        self.code = code
        self.msg = msg
        self.headers = headers


def refuse(code: Code, *args: object) -> ApiError:
    """Build the refusal for a code; `args` fill the gaps of its text."""
    return ApiError(STATUSES.get(code, 400), int(code), TEXTS[code].format(*args))
