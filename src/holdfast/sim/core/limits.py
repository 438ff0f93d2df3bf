"""Decide when a caller asks too much: request weight by address, orders by account, bans for those who don't listen.

| state | verdict |
|---|---|
| weight of this minute over the limit | 429 -1003 with Retry-After |
| the same again, more than `WARNINGS_MAX` times in one minute | 418, banned: 2 minutes, doubled each time |
| banned | 418 -1003 "IP banned until <ms>" with Retry-After |
| new orders of this account over 300 / 10 s or 1200 / 1 min | 429 -1015 |

Invariants: windows are aligned to the clock; a limit counts what was asked, whatever came of it; the factor scales
all three limits alike.
Source: venue documentation (limits and bans); the number of ignored warnings that leads to a ban is not published.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from holdfast.sim.core.refusals import ApiError, Code, refuse

__all__ = ["Limits", "Window"]

MINUTE_MS: Final = 60_000
TEN_SECONDS_MS: Final = 10_000
WARNINGS_MAX: Final = 10
BAN_MS: Final = 120_000
BAN_MS_MAX: Final = 3 * 86_400_000
BANNED: Final = 418
CALLERS_MAX: Final = 10_000


@dataclass(slots=True)
class Window:
    """A count that starts anew at each multiple of its length."""

    length_ms: int
    number: int = -1
    count: int = 0
    warnings: int = 0

    def at(self, now_ms: int) -> Window:
        """Return this window, emptied if its time is over."""
        number = now_ms // self.length_ms
        if number != self.number:
            self.number, self.count, self.warnings = number, 0, 0
        return self

    def left_s(self, now_ms: int) -> int:
        """Return the seconds until the count starts anew, rounded up."""
        return -(-(self.length_ms - now_ms % self.length_ms) // 1000)


@dataclass(slots=True)
class Caller:
    """What one address has used."""

    weight: Window = field(default_factory=lambda: Window(MINUTE_MS))
    spent: int = 0
    """Weight since the start."""
    banned_until_ms: int = 0
    ban_ms: int = BAN_MS


@dataclass(slots=True)
class Pace:
    """How many orders one account has sent."""

    ten_seconds: Window = field(default_factory=lambda: Window(TEN_SECONDS_MS))
    minute: Window = field(default_factory=lambda: Window(MINUTE_MS))


@dataclass(slots=True)
class Limits:
    """All limits of the exchange."""

    factor: Decimal = Decimal(1)
    callers: dict[str, Caller] = field(default_factory=dict)
    paces: dict[str, Pace] = field(default_factory=dict)

    @property
    def weight_max(self) -> int:
        """Weight a minute and address."""
        return int(2400 * self.factor)

    @property
    def orders_max_10s(self) -> int:
        """New orders in ten seconds and account."""
        return int(300 * self.factor)

    @property
    def orders_max_1m(self) -> int:
        """New orders a minute and account."""
        return int(1200 * self.factor)

    def caller(self, address: str) -> Caller:
        """Return what an address has used."""
        found = self.callers.get(address)
        if found is None:
            if len(self.callers) >= CALLERS_MAX:
                self.callers.clear()
            found = self.callers[address] = Caller()
        return found

    def pace(self, account: str) -> Pace:
        """Return what an account has ordered."""
        found = self.paces.get(account)
        if found is None:
            found = self.paces[account] = Pace()
        return found

    def spend(self, address: str, weight: int, now_ms: int) -> int:
        """Count a request's weight; return the weight used, or refuse."""
        caller = self.caller(address)
        if now_ms < caller.banned_until_ms:
            raise banned(address, caller.banned_until_ms, now_ms)
        window = caller.weight.at(now_ms)
        window.count += weight
        caller.spent += weight
        if window.count <= self.weight_max:
            return window.count
        window.warnings += 1
        if window.warnings > WARNINGS_MAX:
            self.ban(address, caller.ban_ms, now_ms)
            caller.ban_ms = min(caller.ban_ms * 2, BAN_MS_MAX)
            raise banned(address, caller.banned_until_ms, now_ms)
        raise too_many_requests(address, self.weight_max, window.left_s(now_ms))

    def ban(self, address: str, ban_ms: int, now_ms: int) -> int:
        """Ban an address; return until when."""
        caller = self.caller(address)
        caller.banned_until_ms = now_ms + ban_ms
        return caller.banned_until_ms

    def check_pace(self, account: str, orders: int, now_ms: int) -> None:
        """Refuse more orders than the account may send."""
        pace = self.pace(account)
        if (window := pace.ten_seconds.at(now_ms)).count + orders > self.orders_max_10s:
            raise too_many_orders(self.orders_max_10s, "10 SECOND", window.left_s(now_ms))
        if (window := pace.minute.at(now_ms)).count + orders > self.orders_max_1m:
            raise too_many_orders(self.orders_max_1m, "1 MINUTE", window.left_s(now_ms))

    def count_orders(self, account: str, in_10s: int, in_1m: int, now_ms: int) -> tuple[int, int]:
        """Count orders that were taken; return the counts of both windows."""
        pace = self.pace(account)
        pace.ten_seconds.at(now_ms).count += in_10s
        pace.minute.at(now_ms).count += in_1m
        return pace.ten_seconds.count, pace.minute.count


def _with_wait(error: ApiError, seconds: int) -> ApiError:
    return ApiError(error.status, error.code, error.msg, MappingProxyType({"Retry-After": str(max(1, seconds))}))


def too_many_requests(address: str, limit: int, wait_s: int) -> ApiError:
    """Build the 429 of an address."""
    return _with_wait(refuse(Code.TOO_MANY_REQUESTS, address, limit), wait_s)


def too_many_orders(limit: int, window: str, wait_s: int) -> ApiError:
    """Build the 429 of an account."""
    return _with_wait(refuse(Code.TOO_MANY_ORDERS, limit, window), wait_s)


def banned(address: str, until_ms: int, now_ms: int) -> ApiError:
    """Build the 418 of a banned address."""
    text = (
        f"Way too many requests; IP({address}) banned until {until_ms}. Please use the websocket for live"
        " updates to avoid bans."
    )
    error = ApiError(BANNED, int(Code.TOO_MANY_REQUESTS), text)
    return _with_wait(error, -(-(until_ms - now_ms) // 1000))
