"""The table of `classify`, row by row, with the venue's exact texts, and the near misses that must prove nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.reasons import Reason
from holdfast.ports.venue import (
    Accepted,
    AlreadyExists,
    Cancelled,
    NotExecuted,
    NothingToCancel,
    Refused,
    Unknown,
)
from holdfast.venues.binance.classify import classify_cancel, classify_submit
from holdfast.venues.binance.exchange import Answer, Blocked, NoAnswer, Reach
from tests.unit.venues.venue_kit import NOW_MS, ORDER_BODY

if TYPE_CHECKING:
    from holdfast.ports.venue import SubmitOutcome

UNKNOWN_503 = "Unknown error, please check your request or try again later."
UNAVAILABLE_503 = "Service Unavailable."
INTERNAL_503 = "Internal error; unable to process your request. Please try again."
THROTTLED_503 = (
    "Request throttled by system-level protection. Reduce-only/close-position orders are exempt. Please try again."
)
TIMEOUT_408 = "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
BUS = "An unexpected response was received from the message bus. Execution status unknown."


def said(status: int, code: int, msg: str, retry_after: str | None = None) -> Answer:
    """An error as the venue writes it."""
    return Answer(status, json.dumps({"code": code, "msg": msg}).encode(), retry_after)


def judged(answer: Answer) -> SubmitOutcome:
    """The outcome of a submit that was answered so."""
    return classify_submit(answer, NOW_MS)


@pytest.mark.parametrize(
    ("code", "text"),
    [(-1000, UNAVAILABLE_503), (0, UNAVAILABLE_503), (-1001, INTERNAL_503), (-1008, THROTTLED_503)],
)
def test_a_documented_503_text_is_not_executed(code: int, text: str) -> None:
    """The three 503 texts that the venue documents as a failure may be repeated, after its shortest backoff."""
    outcome = judged(said(503, code, text))
    assert isinstance(outcome, NotExecuted)
    assert outcome.reason is Reason.VENUE_UNAVAILABLE
    assert outcome.retry_after_ms == 200
    assert text in outcome.text


@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        (503, -1000, UNKNOWN_503),
        (503, -1001, UNKNOWN_503),
        (503, -1008, UNKNOWN_503),
        (503, 0, UNKNOWN_503),
        (408, -1007, TIMEOUT_408),
        (503, -1007, TIMEOUT_408),
        (400, -1007, TIMEOUT_408),
        (400, -1006, BUS),
        (503, -1006, BUS),
        (500, -1000, "An unknown error occurred while processing the request."),
        (400, -1000, "An unknown error occurred while processing the request."),
    ],
)
def test_an_unknown_execution_status_is_unknown(status: int, code: int, text: str) -> None:
    """Whatever says that the execution status is unknown is Unknown, under whichever code and status."""
    assert isinstance(judged(said(status, code, text)), Unknown)


@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        (503, -1008, THROTTLED_503[:-1]),
        (503, -1008, THROTTLED_503.lower()),
        (503, -1008, THROTTLED_503 + " "),
        (503, -1008, "Server is currently overloaded with other requests. Please try again in a few minutes."),
        (503, -1001, THROTTLED_503),
        (503, -1001, "Internal error; unable to process your request."),
        (503, -1001, "Internal error, unable to process your request. Please try again."),
        (503, -1000, INTERNAL_503),
        (503, -1008, INTERNAL_503),
        (503, -1001, ""),
        (503, -1000, "Service Unavailable"),
        (503, -1000, "service unavailable."),
        (503, -1000, "Service Unavailable. Unknown error, please check your request or try again later."),
        (503, -2022, "ReduceOnly Order is rejected."),
        (503, -1003, "Too many requests."),
        (503, -1021, "Timestamp for this request is outside of the recvWindow."),
        (503, -2015, "Invalid API-key, IP, or permissions for action."),
        (503, -4116, "ClientOrderId is duplicated."),
        (500, -1001, INTERNAL_503),
        (502, -1008, THROTTLED_503),
        (504, 0, UNAVAILABLE_503),
        (400, -1008, THROTTLED_503),
        (400, -1001, INTERNAL_503),
        (400, 0, UNAVAILABLE_503),
        (200, -1008, THROTTLED_503),
        (202, -2022, "ReduceOnly Order is rejected."),
        (302, -2022, "ReduceOnly Order is rejected."),
        (408, -2022, "ReduceOnly Order is rejected."),
        (500, -2022, "ReduceOnly Order is rejected."),
    ],
)
def test_a_near_miss_is_unknown(status: int, code: int, text: str) -> None:
    """One character, one code or one status off the documented pair, and nothing is proven."""
    assert isinstance(judged(said(status, code, text)), Unknown)


@pytest.mark.parametrize("status", [400, 403, 404, 500, 502, 503, 504, 301, 204, 200])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><head><title>503 Service Temporarily Unavailable</title></head></html>",
        b"Service Unavailable.",
        b'{"code":"-2022","msg":"ReduceOnly Order is rejected."}',
        b'{"code":-2022}',
        b'[{"code":-2022,"msg":"ReduceOnly Order is rejected."}]',
        b'{"code":-2022,"msg":"ReduceOnly Order is rejected."',
    ],
)
def test_a_body_that_is_not_the_venues_json_is_unknown(status: int, body: bytes) -> None:
    """A page of some proxy in between, or half a body, proves nothing."""
    assert isinstance(judged(Answer(status, body)), Unknown)


@pytest.mark.parametrize(
    ("answer", "retry_after_ms"),
    [
        (said(429, -1003, "Too many requests; current limit is 2400 requests per minute."), 10_000),
        (said(429, -1003, "Too many requests.", "7"), 7_000),
        (said(429, -1015, "Too many new orders; current limit is 300 orders per 10 SECOND."), 10_000),
        (said(418, -1003, f"Way too many requests; IP banned until {NOW_MS + 300_123}. Use the websocket."), 300_123),
        (said(418, -1003, f"IP banned until {NOW_MS + 300_123}.", "5"), 5_000),
        (said(418, -1003, f"IP banned until {NOW_MS - 1}."), 1),
        (said(418, -1003, "IP banned until 9999999999999."), 259_200_000),
        (Answer(418, b"teapot"), 120_000),
        (Answer(429, b"<html/>"), 10_000),
        (Answer(429, b"", "Wed, 21 Oct 2026 07:28:00 GMT"), 10_000),
        (Answer(429, b"", "-5"), 10_000),
        (said(400, -1003, "Too many requests."), 10_000),
        (said(400, -1015, "Too many new orders; current limit is 1200 orders per 1 MINUTE.", "2"), 2_000),
    ],
)
def test_a_limit_is_not_executed_and_says_how_long_to_wait(answer: Answer, retry_after_ms: int) -> None:
    """The wait is the header's, else the text's until a moment of the venue's clock, else a named default."""
    outcome = judged(answer)
    assert isinstance(outcome, NotExecuted)
    assert outcome.reason is Reason.RATE_LIMITED
    assert outcome.retry_after_ms == retry_after_ms


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (-1021, "Timestamp for this request is outside of the recvWindow."),
        (-1021, "Timestamp for this request was 1000ms ahead of the server's time."),
        (-5028, "Timestamp for this request is outside of the ME recvWindow."),
    ],
)
def test_a_refused_timestamp_is_not_executed(code: int, text: str) -> None:
    """A timestamp refused at the edge or in the engine means that nothing was executed."""
    outcome = judged(said(400, code, text))
    assert isinstance(outcome, NotExecuted)
    assert outcome.reason is Reason.VENUE_UNAVAILABLE


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize(
    ("code", "text"),
    [
        (-1022, "Signature for this request is not valid."),
        (-2014, "API-key format invalid."),
        (-2015, "Invalid API-key, IP, or permissions for action."),
    ],
)
def test_refused_keys_are_named_as_such(status: int, code: int, text: str) -> None:
    """Key trouble is Refused with its own reason: a person must act."""
    assert judged(said(status, code, text)) == Refused(Reason.KEYS_REJECTED, code, text)


REFUSALS = [
    (-1102, "Mandatory parameter 'price' was not sent, was empty/null, or malformed."),
    (-1104, "Not all sent parameters were read; read '8' parameter(s) but was sent '9'."),
    (-1106, "Parameter 'reduceonly' sent when not required."),
    (-1111, "Precision is over the maximum defined for this asset."),
    (-1116, "Invalid orderType."),
    (-1117, "Invalid side."),
    (-1121, "Invalid symbol."),
    (-1122, "Invalid symbol status."),
    (-2010, "NEW_ORDER_REJECTED"),
    (-2018, "Balance is insufficient."),
    (-2019, "Margin is insufficient."),
    (-2020, "Unable to fill."),
    (-2021, "Order would immediately trigger."),
    (-2022, "ReduceOnly Order is rejected."),
    (-2023, "User in liquidation mode now."),
    (-2024, "Position is not sufficient."),
    (-2025, "Reach max open order limit."),
    (-2026, "This OrderType is not supported when reduceOnly."),
    (-2027, "Exceeded the maximum allowable position at current leverage."),
    (-4003, "Quantity less than zero."),
    (-4004, "Quantity less than min quantity."),
    (-4005, "Quantity greater than max quantity."),
    (-4013, "Price less than min price."),
    (-4014, "Price not increased by tick size."),
    (-4015, "Client order id is not valid. Client order id length should not be more than 36 chars"),
    (-4016, "Limit price can't be higher than 100."),
    (-4023, "Qty not increased by step size."),
    (-4024, "Limit price can't be lower than 100."),
    (-4059, "No need to change position side."),
    (-4060, "Invalid position side."),
    (-4061, "Order's position side does not match user's setting."),
    (-4062, "Invalid or improper reduceOnly value."),
    (-4087, "User can only place reduce only order"),
    (-4088, "User can not place order currently"),
    (-4105, "reduce-only"),
    (-4106, "reduce-only"),
    (-4107, "reduce-only"),
    (-4109, "This account is inactive"),
    (-4118, "ReduceOnly Order Failed. Please check your existing position and open orders"),
    (-4120, "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead."),
    (-4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit."),
    (-4136, "Target strategy invalid for orderType MARKET, closePosition true"),
    (-4137, "Quantity must be zero with closePosition equals true"),
    (-4138, "Reduce only must be true with closePosition equals true"),
    (-4140, "Invalid symbol status for opening position."),
    (-4141, "Symbol is closed."),
    (-4164, "Order's notional must be no smaller than 100 (unless you choose reduce only)"),
    (-4189, "reduce-only"),
    (-4192, "cooling-off"),
    (-4400, "reduce-only"),
    (-4401, "reduce-only"),
    (-5041, "no depth"),
]


@pytest.mark.parametrize(("code", "text"), REFUSALS)
def test_a_documented_refusal_is_refused(code: int, text: str) -> None:
    """The venue's documented refusals under status 400 are its word that nothing was executed."""
    assert judged(said(400, code, text)) == Refused(Reason.VENUE_REFUSED, code, text)


def test_a_time_in_force_that_could_not_be_kept_is_refused_by_its_own_name() -> None:
    """A FOK that found too little and a post-only order that would have taken are told apart from other refusals."""
    fok = "Due to the order could not be filled immediately, the FOK order has been rejected."
    assert judged(said(400, -5021, fok)) == Refused(Reason.EXPIRED_UNFILLED, -5021, fok)
    gtx = "Due to the order could not be executed as maker, the Post Only order will be rejected."
    assert judged(said(400, -5022, gtx)) == Refused(Reason.POST_ONLY_WOULD_TAKE, -5022, gtx)


def test_a_duplicate_client_id_means_that_the_order_exists() -> None:
    """-4116 on a send is proof of an open order, not a refusal."""
    assert judged(said(400, -4116, "ClientOrderId is duplicated.")) == AlreadyExists("ClientOrderId is duplicated.")


@pytest.mark.parametrize("code", [-1, -1125, -2011, -2013, -4067, -4115, -4117, -9999, 0, 200])
def test_a_code_that_nobody_listed_is_unknown(code: int) -> None:
    """A refusal that we do not know, or that cannot concern a new order, proves nothing about it."""
    assert isinstance(judged(said(400, code, "Something new.")), Unknown)


def test_what_was_not_sent_is_not_executed() -> None:
    """A closed gate and a connection that failed before the first byte are NotExecuted."""
    blocked = classify_submit(Blocked(1_234), NOW_MS)
    assert isinstance(blocked, NotExecuted)
    assert (blocked.reason, blocked.retry_after_ms) == (Reason.RATE_LIMITED, 1_234)
    unwritten = classify_submit(NoAnswer(Reach.UNWRITTEN, "ClientConnectorError: Connection refused"), NOW_MS)
    assert isinstance(unwritten, NotExecuted)
    assert unwritten.reason is Reason.VENUE_UNAVAILABLE


def test_what_may_have_been_written_is_unknown() -> None:
    """Any transport trouble after the first byte may have left is Unknown."""
    assert classify_submit(NoAnswer(Reach.WRITTEN, "cut"), NOW_MS) == Unknown("cut")
    assert classify_cancel(NoAnswer(Reach.WRITTEN, "cut"), NOW_MS) == Unknown("cut")


def test_an_order_in_a_200_is_accepted_or_cancelled() -> None:
    """The report is read from the answer; a missing average price stays missing."""
    accepted = classify_submit(Answer(200, ORDER_BODY), NOW_MS)
    assert isinstance(accepted, Accepted)
    assert accepted.report.avg_price is None
    assert isinstance(classify_cancel(Answer(200, ORDER_BODY), NOW_MS), Cancelled)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (said(400, -2011, "Unknown order sent."), NothingToCancel("Unknown order sent.")),
        (said(503, -2011, "Unknown order sent."), Unknown("503 -2011 Unknown order sent.")),
        (said(400, -1121, "Invalid symbol."), Refused(Reason.VENUE_REFUSED, -1121, "Invalid symbol.")),
        (said(401, -2015, "No."), Refused(Reason.KEYS_REJECTED, -2015, "No.")),
        (said(503, -1000, UNAVAILABLE_503), Unknown(f"not cancelled: 503 -1000 {UNAVAILABLE_503}")),
        (said(429, -1003, "Slow."), Unknown("not cancelled: 429 -1003 Slow.")),
        (said(400, -4116, "Odd."), Unknown("400 -4116 Odd.")),
    ],
)
def test_a_cancel_is_judged_by_the_same_table(answer: Answer, expected: object) -> None:
    """A cancel that was not executed is Unknown: asking for the order is always safe."""
    assert classify_cancel(answer, NOW_MS) == expected


@given(
    st.integers(100, 599),
    st.one_of(st.binary(max_size=200), st.just(ORDER_BODY)),
    st.one_of(st.none(), st.text(max_size=20)),
)
def test_no_answer_makes_the_table_fail(status: int, body: bytes, retry_after: str | None) -> None:
    """Whatever comes back, the table has a row, and only a 200 is Accepted."""
    answer = Answer(status, body, retry_after)
    outcome = classify_submit(answer, NOW_MS)
    assert isinstance(outcome, Accepted) == (status == 200 and body == ORDER_BODY)
    assert isinstance(outcome, Accepted | Unknown | NotExecuted)
    assert not isinstance(classify_cancel(answer, NOW_MS), Refused)


@given(st.integers(100, 599), st.integers(-10_000, 300), st.text(max_size=60))
def test_not_executed_needs_a_listed_word(status: int, code: int, text: str) -> None:
    """Invariant 2: a made-up text is NotExecuted only for limits and timestamps, Refused only for listed codes."""
    outcome = classify_submit(said(status, code, text), NOW_MS)
    if isinstance(outcome, NotExecuted):
        assert status in (418, 429) or (status in (400, 401, 403) and code in (-1003, -1015, -1021, -5028))
    if isinstance(outcome, Refused):
        assert status in (400, 401, 403)
        assert code in {*(code for code, _ in REFUSALS), -1022, -2014, -2015}
