"""GET /fapi/v1/exchangeInfo to instruments, pure.

A filter value of 0 disables the filter (None here). `qty_step` is the coarser of LOT_SIZE and MARKET_LOT_SIZE, so
that one quantity fits both. A symbol whose steps are missing or do not divide each other is left out: it is
then unknown, and nothing is traded on it. `pricePrecision` and `quantityPrecision` are not steps.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from holdfast.domain.amounts import ZERO
from holdfast.domain.instrument import Instrument
from holdfast.domain.names import Symbol
from holdfast.venues.binance.budget import Counter, Limit
from holdfast.venues.binance.wire import Text, decode, not_negative

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal


class _Filter(msgspec.Struct, frozen=True, rename="camel"):
    filter_type: str
    step_size: str | None = None
    min_qty: str | None = None
    max_qty: str | None = None
    tick_size: str | None = None
    min_price: str | None = None
    max_price: str | None = None
    notional: str | None = None


class _Symbol(msgspec.Struct, frozen=True, rename="camel"):
    symbol: Text
    status: str
    filters: list[_Filter]


class _RateLimit(msgspec.Struct, frozen=True, rename="camel"):
    rate_limit_type: str
    interval: str
    interval_num: int
    limit: int


class _ExchangeInfo(msgspec.Struct, frozen=True, rename="camel"):
    symbols: list[_Symbol]
    rate_limits: list[_RateLimit] = []


_info = msgspec.json.Decoder(_ExchangeInfo)
_NONE = _Filter("")


_INTERVALS_MS = {"SECOND": 1_000, "MINUTE": 60_000, "HOUR": 3_600_000, "DAY": 86_400_000}
_COUNTERS = {counter.value: counter for counter in Counter}


def decode_limits(body: bytes) -> tuple[Limit, ...]:
    """The limits that we know how to count; others are left out. Raises VenueUnavailable if it cannot be read."""
    found = []
    for row in decode(_info, body, "exchange info").rate_limits:
        counter, interval_ms = _COUNTERS.get(row.rate_limit_type), _INTERVALS_MS.get(row.interval)
        if counter is not None and interval_ms is not None and row.interval_num > 0 and row.limit > 0:
            found.append(Limit(counter, interval_ms * row.interval_num, row.limit))
    return tuple(found)


def decode_instruments(body: bytes) -> Mapping[Symbol, Instrument]:
    """All symbols whose rules can be read. Raises VenueUnavailable if the answer or an amount in it cannot."""
    rows = decode(_info, body, "exchange info").symbols
    found = (_instrument(row) for row in rows)
    return MappingProxyType({one.symbol: one for one in found if one is not None})


def _instrument(row: _Symbol) -> Instrument | None:
    filters = {one.filter_type: one for one in row.filters}
    lot = filters.get("LOT_SIZE", _NONE)
    market = filters.get("MARKET_LOT_SIZE", _NONE)
    price = filters.get("PRICE_FILTER", _NONE)
    step = _coarser(_enabled(lot.step_size), _enabled(market.step_size))
    if step is None:
        return None
    return Instrument(
        symbol=Symbol(row.symbol),
        status=row.status,
        qty_step=step,
        qty_min=_enabled(lot.min_qty),
        qty_max=_enabled(lot.max_qty),
        market_qty_min=_enabled(market.min_qty),
        market_qty_max=_enabled(market.max_qty),
        price_tick=_enabled(price.tick_size),
        notional_min=_enabled(filters.get("MIN_NOTIONAL", _NONE).notional),
        price_min=_enabled(price.min_price),
        price_max=_enabled(price.max_price),
    )


def _enabled(text: str | None) -> Decimal | None:
    if text is None:
        return None
    value = not_negative(text, "filter value")
    return value if value > ZERO else None


def _coarser(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    if one is None or other is None:
        return one if other is None else other
    coarse, fine = max(one, other), min(one, other)
    return coarse if coarse % fine == ZERO else None
