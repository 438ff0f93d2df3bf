"""What tales are made of: orders, fills, events, moments, and ways to spoil them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from holdfast.lab.demo.facts import (
    EventSeen,
    Facts,
    FillSeen,
    HoldSeen,
    Moment,
    OrderSeen,
    PlanSeen,
    ResultSeen,
    WordSeen,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MS = 1_000_000
T0 = 1_000 * MS
HOLD, OTHER_HOLD = "hold-BTCUSDT-9", "hold-BTCUSDT-12"
SYMBOL = "BTCUSDT"
AFTER = 90
D = Decimal
Spoil = tuple[str, "Callable[[Facts], Facts]"]
"""The promise that it breaks, and how."""


def order(order_id: int, amount: str, *, source: str = "api", **more: object) -> OrderSeen:
    """A filled order."""
    qty = abs(D(amount))
    made = OrderSeen(
        order_id=order_id,
        client_order_id=f"o-{order_id}",
        source=source,
        side="SELL" if D(amount) < 0 else "BUY",
        order_type="MARKET",
        reduce_only=False,
        qty=qty,
        executed=qty,
        avg_price="64000",
        status="FILLED",
        accepted_ns=T0 + order_id * MS,
    )
    return replace(made, **more)  # type: ignore[arg-type]  # names and types are the caller's


def fill(trade_id: int, amount: str, *, source: str = "venue", side: str = "BOTH") -> FillSeen:
    """A fill at the exchange."""
    return FillSeen(trade_id, trade_id, source, side, D(amount))


def event(kind: str, hold_id: str = HOLD, **body: object) -> EventSeen:
    """A reconcile event."""
    return EventSeen(kind, SYMBOL, hold_id, "", body)


def moment(
    positions: Mapping[str, str], ledgers: Mapping[str, str | None], *, hold: str | None = None, reason: str = ""
) -> Moment:
    """Exchange and bus at one moment; a hold stands on all legs or on none."""
    return Moment(
        {key: D(amount) for key, amount in positions.items()},
        {key: None if amount is None else D(amount) for key, amount in ledgers.items()},
        dict.fromkeys(positions, hold),
        dict.fromkeys(positions, reason),
        "DENY" if hold else "ALLOW",
        T0,
    )


def alone(position: str, ledger: str | None, *, hold: str | None = None, reason: str = "") -> Moment:
    """The same in one-way mode."""
    return moment({SYMBOL: position}, {SYMBOL: ledger}, hold=hold, reason=reason)


REFUSED = PlanSeen("p-1", executed=False, error="hold_active", order_id=None, at_ns=T0 + 9 * MS)
REFUSAL = ResultSeen("p-1", "EXECUTE", executed=False, error="hold_active", order_id=None)
BASE = Facts(
    drift_ns=T0,
    hold=HoldSeen(HOLD, T0 + 3 * MS),
    refused=REFUSED,
    results=(REFUSAL,),
    next_step="a person decides",
    hold_ids_watched=(HOLD,) * 9,
    watched_ms=600,
    released_ns=T0 + 2_000 * MS,
    release_event_hold=HOLD,
    allow_ns=T0 + 2_001 * MS,
    after=PlanSeen("p-3", executed=True, error="", order_id=AFTER, at_ns=T0 + 2_010 * MS),
)
AGAIN = (order(AFTER, "0.003"), order(AFTER + 1, "-0.003"))


def word(words: str, status: int = 0, out: str = "") -> WordSeen:
    """A command of the operator, typed before the release."""
    return WordSeen(words, status, out, T0 + 1_500 * MS, T0 + 1_900 * MS)


def changed_order(order_id: int, **fields: object) -> Callable[[Facts], Facts]:
    """Spoil one order at the exchange."""
    return lambda f: replace(
        f,
        orders=tuple(replace(o, **fields) if o.order_id == order_id else o for o in f.orders),  # type: ignore[arg-type]  # as above
    )


def without_event(kind: str) -> Callable[[Facts], Facts]:
    """Take the last event of a kind away."""

    def spoil(facts: Facts) -> Facts:
        last = max(n for n, each in enumerate(facts.events) if each.kind == kind)
        return replace(facts, events=facts.events[:last] + facts.events[last + 1 :])

    return spoil


def with_moment(facts: Facts, name: str, **fields: object) -> Facts:
    """Spoil one moment."""
    return replace(facts, moments={**facts.moments, name: replace(facts.moments[name], **fields)})  # type: ignore[arg-type]  # as above


def with_events(*events: EventSeen) -> Callable[[Facts], Facts]:
    """Let other events have come."""
    return lambda f: replace(f, events=events)


def changed_close(number: int, **fields: str) -> Callable[[Facts], Facts]:
    """Spoil one close on the plan stream."""
    return lambda f: replace(
        f, closes=tuple({**close, **fields} if n == number else close for n, close in enumerate(f.closes))
    )
