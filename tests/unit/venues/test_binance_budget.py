"""The budget that is kept for closes: every lane against every state of the venue's counters."""

from __future__ import annotations

import itertools

import pytest

from holdfast.venues.binance.budget import (
    Count,
    Counter,
    Lane,
    Limit,
    Wanted,
    open_orders_spacing_ms,
    room_ms,
    view_spacing_ms,
    wait_ms,
)
from holdfast.venues.binance.instruments import decode_limits

WEIGHT = Limit(Counter.WEIGHT, 60_000, 2_400)
ORDERS_10S = Limit(Counter.ORDERS, 10_000, 300)
ORDERS_1M = Limit(Counter.ORDERS, 60_000, 1_200)
NOW_MS = 1_000_003_500
"""3.5 s into a ten-second interval, 43.5 s into a minute."""


def test_only_what_can_wait_ever_waits() -> None:
    """Background reads and looks wait on weight, EXECUTE orders on order counts; closes and cancels on nothing."""
    shares = {0: False, 79: False, 80: True, 89: True, 90: True, 100: True}
    for lane, weight, in_10s, in_1m in itertools.product(Lane, shares, shares, shares):
        counts = {
            WEIGHT: Count(2_400 * weight // 100, NOW_MS),
            ORDERS_10S: Count(300 * in_10s // 100, NOW_MS),
            ORDERS_1M: Count(1_200 * in_1m // 100, NOW_MS),
        }
        expected = {
            Lane.BACKGROUND: shares[weight],
            Lane.LOOK: weight >= 90,
            Lane.ORDER: shares[in_10s] or shares[in_1m],
        }.get(lane, False)
        assert (wait_ms(lane, counts, NOW_MS) > 0) is expected, (lane, weight, in_10s, in_1m)


@pytest.mark.parametrize(
    ("limit", "now_ms", "left_ms"),
    [
        (ORDERS_10S, NOW_MS, 6_500),
        (ORDERS_1M, NOW_MS, 16_500),
        (ORDERS_10S, NOW_MS + 6_499, 1),
        (ORDERS_10S, NOW_MS + 6_500, 0),
        (ORDERS_10S, NOW_MS + 60_000, 0),
    ],
)
def test_a_lane_waits_until_the_interval_of_its_count_has_ended(limit: Limit, now_ms: int, left_ms: int) -> None:
    """A count of an interval that is over holds nobody up."""
    assert wait_ms(Lane.ORDER, {limit: Count(limit.count_max, NOW_MS)}, now_ms) == left_ms


def test_before_the_limits_were_read_nothing_waits() -> None:
    """No limit is hard-coded."""
    assert all(wait_ms(lane, {}, NOW_MS) == 0 for lane in Lane)


def test_limits_come_from_exchange_info_and_unknown_kinds_are_left_out() -> None:
    """Weight and orders are counted; what the venue invents next is not guessed at."""
    body = b"""{"symbols": [], "rateLimits": [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
        {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
        {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61000},
        {"rateLimitType": "ORDERS", "interval": "FORTNIGHT", "intervalNum": 1, "limit": 1}]}"""
    assert decode_limits(body) == (WEIGHT, ORDERS_10S, ORDERS_1M)


def test_views_and_open_orders_of_one_address_lie_so_far_apart_that_they_keep_their_parts_of_its_weight() -> None:
    """1,350 of 2,400 a minute are 225 views of weight 6; a sixteenth are 3.75 readings of weight 40."""
    assert view_spacing_ms((WEIGHT, ORDERS_10S)) == 267
    assert open_orders_spacing_ms((WEIGHT, ORDERS_10S)) == 16_000
    for spacing_ms in (view_spacing_ms, open_orders_spacing_ms):
        assert spacing_ms((ORDERS_10S,)) == 0
        assert spacing_ms(()) == 0


@pytest.mark.parametrize(
    ("used", "at_once", "per_minute", "left_ms", "waits_ms"),
    [
        (0, 50, 1_860, 60_000, 0),
        (11, 50, 1_860, 60_000, 60_000),
        (1_120, 100, 1_860, 60_000, 60_000),
        (1_120, 100, 1_400, 30_000, 0),
        (1_820, 100, 0, 60_000, 0),
        (1_821, 100, 0, 60_000, 60_000),
    ],
)
def test_there_is_room_while_four_fifths_hold_what_is_wanted_for_the_rest_of_the_minute(
    used: int, at_once: int, per_minute: int, left_ms: int, waits_ms: int
) -> None:
    """What was used, what is wanted now and what goes on until the minute ends stay below 1,920 of 2,400 together."""
    now_ms = 1_000_020_000 + 60_000 - left_ms
    counts = {WEIGHT: Count(used, now_ms)}
    assert room_ms((WEIGHT, ORDERS_10S), counts, Wanted(at_once, per_minute), now_ms) == waits_ms


def test_a_count_of_a_minute_that_is_over_takes_no_room() -> None:
    """A new minute is empty, whatever the last answer of the old one said."""
    counts = {WEIGHT: Count(2_400, 1_000_019_999)}
    assert room_ms((WEIGHT,), counts, Wanted(100, 1_800), 1_000_020_000) == 0
