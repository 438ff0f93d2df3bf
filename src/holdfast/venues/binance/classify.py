"""THE table: how a request ended -> what that proves about an order. Pure; first match wins.

    end of the exchange                                          outcome
    -----------------------------------------------------------  ------------------------------------------
    not sent: a ban or limit stands                              NotExecuted rate_limited, after its end
    no answer, not one byte written                              NotExecuted venue_unavailable
    no answer otherwise (reset, time-out, cut body)              Unknown
    200 and the body is an order                                 Accepted / Cancelled
    200 otherwise                                                Unknown
    429, 418                                                     NotExecuted rate_limited, wait
    503 and the text is exactly one of `_NOT_EXECUTED_503`       NotExecuted venue_unavailable, backoff
    503 otherwise, 408, any 5xx, any 3xx, not the venue's JSON   Unknown
    400, 401, 403 with -1003, -1015                              NotExecuted rate_limited, wait
                  with -1021, -5028 (clock)                      NotExecuted venue_unavailable, after a resync
                  with -1022, -2014, -2015                       Refused keys_rejected
                  with -4116 (orders)                            AlreadyExists
                  with -2011 (cancels)                           NothingToCancel
                  with -5022                                     Refused post_only_would_take
                  with -5021                                     Refused expired_unfilled (FOK)
                  with a code of `REFUSED_CODES`                 Refused venue_refused
    anything else, codes that nobody listed included             Unknown

Invariant: a code alone never decides about a 503, the exact text does (two 503 of opposite meaning were seen
under the same code); a text that differs by one character is Unknown. Facts: venue documentation of error
codes and of the 503 messages.
"""

from __future__ import annotations

from holdfast.domain.errors import VenueUnavailable
from holdfast.domain.reasons import Reason
from holdfast.ports.venue import (
    Accepted,
    AlreadyExists,
    Cancelled,
    CancelOutcome,
    NotExecuted,
    NothingToCancel,
    Refused,
    SubmitOutcome,
    Unknown,
)
from holdfast.venues.binance.exchange import STATUS_OK, Answer, Blocked, Exchange, NoAnswer, Reach
from holdfast.venues.binance.waiting import (
    CODE_TOO_MANY_ORDERS,
    CODE_TOO_MUCH_WEIGHT,
    STATUS_BANNED,
    STATUS_LIMITED,
    wait_ms,
)
from holdfast.venues.binance.wire import VenueWord, decode_order, decode_word

STATUS_UNAVAILABLE = 503
RESEND_MS = 200
"""First wait after a documented "not executed" (the venue advises 200, 400, 800); the caller doubles it."""
RECONNECT_MS = 200
LIMIT_CODES = frozenset({CODE_TOO_MUCH_WEIGHT, CODE_TOO_MANY_ORDERS})
CLOCK_CODES = frozenset({-1021, -5028})
KEY_CODES = frozenset({-1022, -2014, -2015})
CODE_DUPLICATE_ID = -4116
CODE_NOT_OPEN = -2011
CODE_NO_SUCH_ORDER = -2013
_REFUSAL_STATUS = frozenset({400, 401, 403})
TEXT_UNAVAILABLE = "Service Unavailable."
TEXT_INTERNAL = "Internal error; unable to process your request. Please try again."
TEXT_THROTTLED = (
    "Request throttled by system-level protection. Reduce-only/close-position orders are exempt. Please try again."
)
_NOT_EXECUTED_503: dict[str, int | None] = {TEXT_UNAVAILABLE: None, TEXT_INTERNAL: -1001, TEXT_THROTTLED: -1008}
"""Text -> the code that it must come with; None where none is documented."""
REFUSED_CODES = frozenset(
    {
        *(-1102, -1104, -1106, -1111, -1116, -1117, -1121, -1122),
        *(-2010, -2018, -2019, -2020, -2021, -2022, -2023, -2024, -2025, -2026, -2027),
        *(-4003, -4004, -4005, -4013, -4014, -4015, -4016, -4023, -4024),
        *(-4059, -4060, -4061, -4062, -4087, -4088, -4105, -4106, -4107, -4109),
        *(-4118, -4120, -4131, -4136, -4137, -4138, -4140, -4141, -4164, -4189, -4192),
        *(-4400, -4401, -5041),
    }
)
"""The venue's documented refusals of an order: nothing was executed, and the same order would be refused again."""

NOT_RESTING = {-5022: Reason.POST_ONLY_WOULD_TAKE, -5021: Reason.EXPIRED_UNFILLED}
"""A time in force that could not be kept: nothing was executed, and the venue keeps no record of the order."""


def classify_submit(exchange: Exchange, venue_now_ms: int) -> SubmitOutcome:
    """What an exchange proves about a new order."""
    if not isinstance(exchange, Answer):
        return _without_answer(exchange)
    if exchange.status == STATUS_OK:
        try:
            return Accepted(decode_order(exchange.body))
        except VenueUnavailable as error:
            return Unknown(f"answered 200: {error}")
    word = decode_word(exchange.body)
    if word is not None and word.code == CODE_DUPLICATE_ID and exchange.status in _REFUSAL_STATUS:
        return AlreadyExists(word.msg)
    return _error(exchange, word, venue_now_ms)


def classify_cancel(exchange: Exchange, venue_now_ms: int) -> CancelOutcome:
    """What an exchange proves about a cancel. "Not executed" is Unknown here: asking again is always safe."""
    if isinstance(exchange, Answer) and exchange.status == STATUS_OK:
        try:
            return Cancelled(decode_order(exchange.body))
        except VenueUnavailable as error:
            return Unknown(f"answered 200: {error}")
    if not isinstance(exchange, Answer):
        return _unknown_cancel(_without_answer(exchange))
    word = decode_word(exchange.body)
    if word is not None and word.code == CODE_NOT_OPEN and exchange.status in _REFUSAL_STATUS:
        return NothingToCancel(word.msg)
    return _unknown_cancel(_error(exchange, word, venue_now_ms))


def _unknown_cancel(outcome: Refused | NotExecuted | Unknown) -> Refused | Unknown:
    return Unknown(f"not cancelled: {outcome.text}") if isinstance(outcome, NotExecuted) else outcome


def is_clock_fault(exchange: Exchange) -> bool:
    """Tell whether the venue refused the request's timestamp: the offset must be measured again."""
    return _refusal_code(exchange) in CLOCK_CODES


def is_key_fault(exchange: Exchange) -> bool:
    """Tell whether the venue refuses the key, its permissions or the signature."""
    return _refusal_code(exchange) in KEY_CODES


def is_no_such_order(exchange: Exchange) -> bool:
    """Tell whether the venue says that the order does not exist (-2013)."""
    return _refusal_code(exchange) == CODE_NO_SUCH_ORDER


def _refusal_code(exchange: Exchange) -> int | None:
    if not isinstance(exchange, Answer) or exchange.status not in _REFUSAL_STATUS:
        return None
    word = decode_word(exchange.body)
    return word.code if word is not None else None


def _without_answer(exchange: NoAnswer | Blocked) -> NotExecuted | Unknown:
    if isinstance(exchange, Blocked):
        return NotExecuted(Reason.RATE_LIMITED, "not sent: the venue asked for a pause", exchange.retry_after_ms)
    if exchange.reach is Reach.UNWRITTEN:
        return NotExecuted(Reason.VENUE_UNAVAILABLE, f"not sent: {exchange.detail}", RECONNECT_MS)
    return Unknown(exchange.detail)


def _error(answer: Answer, word: VenueWord | None, venue_now_ms: int) -> Refused | NotExecuted | Unknown:
    text = f"{answer.status} {_said(word)}"
    refused = word if answer.status in _REFUSAL_STATUS else None
    if answer.status in (STATUS_LIMITED, STATUS_BANNED) or _has_code(refused, LIMIT_CODES):
        return NotExecuted(Reason.RATE_LIMITED, text, wait_ms(answer, venue_now_ms))
    if _has_code(refused, CLOCK_CODES) or (answer.status == STATUS_UNAVAILABLE and _is_documented_503(word)):
        return NotExecuted(Reason.VENUE_UNAVAILABLE, text, RESEND_MS)
    if refused is not None and refused.code in KEY_CODES:
        return Refused(Reason.KEYS_REJECTED, refused.code, refused.msg)
    if refused is not None and refused.code in NOT_RESTING:
        return Refused(NOT_RESTING[refused.code], refused.code, refused.msg)
    if refused is not None and refused.code in REFUSED_CODES:
        return Refused(Reason.VENUE_REFUSED, refused.code, refused.msg)
    return Unknown(text)


def _has_code(word: VenueWord | None, codes: frozenset[int]) -> bool:
    return word is not None and word.code in codes


def _is_documented_503(word: VenueWord | None) -> bool:
    if word is None or word.msg not in _NOT_EXECUTED_503:
        return False
    code = _NOT_EXECUTED_503[word.msg]
    return code is None or code == word.code


def _said(word: VenueWord | None) -> str:
    return "without the venue's JSON" if word is None else f"{word.code} {word.msg}"
