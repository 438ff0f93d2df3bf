"""What was seen while a scenario was played: values only, each with the place where it was seen.

Times are CLOCK_MONOTONIC in nanoseconds. Those of orders are the exchange's own stamps of acceptance, all others the
moment at which an observer outside the system had read the fact, so they err to the late side.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

EventField = str | int | bool | None
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Event:
    """One step of the story, for the screen and for the JSON."""

    name: str
    at_ns: int
    text: str
    fields: Mapping[str, EventField] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HoldSeen:
    """The hold, as it stood on the bus."""

    hold_id: str
    at_ns: int
    """When the key was read with it."""


@dataclass(frozen=True, slots=True)
class PlanSeen:
    """What became of a plan of the strategy, by the result on the bus."""

    plan_id: str
    executed: bool
    error: str
    order_id: int | None
    at_ns: int


@dataclass(frozen=True, slots=True)
class OrderSeen:
    """One order that the exchange accepted, by its admin face."""

    order_id: int
    client_order_id: str
    source: str
    """`api`, `manual` or `venue`."""
    side: str
    order_type: str
    reduce_only: bool
    qty: Decimal
    executed: Decimal
    avg_price: str
    status: str
    accepted_ns: int
    position_side: str = "BOTH"

    @property
    def signed(self) -> Decimal:
        """What it did to the position."""
        return self.executed if self.side == "BUY" else -self.executed


@dataclass(frozen=True, slots=True)
class ResultSeen:
    """One line of `apply.result`."""

    plan_id: str
    decision: str
    executed: bool
    error: str
    order_id: int | None


@dataclass(frozen=True, slots=True)
class AlertSeen:
    """What arrived at the operator's webhook."""

    title: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class EventSeen:
    """One entry of `reconcile.events`."""

    kind: str
    symbol: str
    hold_id: str
    plan_id: str
    body: Mapping[str, object]

    def of(self, name: str) -> str:
        """A field of the body as text; "" if it is missing."""
        value = self.body.get(name)
        return "" if value is None else str(value)

    @property
    def side(self) -> str:
        """The leg's position side; BOTH if the event names none."""
        return self.of("position_side") or "BOTH"

    def trade_ids(self) -> frozenset[int]:
        """The trades that it names: those that were booked, and the evidence that it rests on."""
        trades, evidence = self.body.get("trades"), self.body.get("evidence")
        found = (
            {each.get("trade_id") for each in trades if isinstance(each, dict)} if isinstance(trades, list) else set()
        )
        for name in ("own", "forced", "foreign"):
            ids = evidence.get(name) if isinstance(evidence, dict) else None
            found |= set(ids) if isinstance(ids, list) else set()
        return frozenset(each for each in found if isinstance(each, int))


@dataclass(frozen=True, slots=True)
class FillSeen:
    """One fill at the exchange, by its admin face."""

    trade_id: int
    order_id: int
    source: str
    """`api`, `manual` or `venue`: whose order it was."""
    position_side: str
    signed: Decimal


@dataclass(frozen=True, slots=True)
class Moment:
    """Exchange and bus at one moment, by leg (`BTCUSDT`, or `BTCUSDT:LONG` and `BTCUSDT:SHORT`)."""

    positions: Mapping[str, Decimal]
    ledgers: Mapping[str, Decimal | None]
    holds: Mapping[str, str | None]
    reasons: Mapping[str, str]
    permit: str
    at_ns: int

    @property
    def is_agreed(self) -> bool:
        """Tell whether every leg's ledger is what the exchange holds."""
        return all(self.ledgers.get(key) == amount for key, amount in self.positions.items())

    @property
    def is_free(self) -> bool:
        """Tell whether no hold stands."""
        return not any(self.holds.values())


@dataclass(frozen=True, slots=True)
class WordSeen:
    """One command that the operator typed."""

    words: str
    status: int
    """Its exit status."""
    out: str
    began_ns: int
    ended_ns: int


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the judge looks at. None and empty mean: not seen in time."""

    drift_ns: int
    """When the exchange accepted the trade by hand."""
    orders_before: int = 0
    """Orders that it had accepted until then, this trade included."""
    drift_amt: Decimal | None = None
    """By the DRIFT event."""
    hold: HoldSeen | None = None
    refused: PlanSeen | None = None
    """The plan that was sent as soon as the hold was seen."""
    refused_again: PlanSeen | None = None
    """Another one, later under the same hold."""
    closes: tuple[Mapping[str, str], ...] = ()
    """RECONCILE_CLOSE entries on the plan stream."""
    claimed: tuple[str, ...] = ()
    """Plan ids of closes that passed the guardrails, by the events."""
    results: tuple[ResultSeen, ...] = ()
    orders: tuple[OrderSeen, ...] = ()
    """Every order that the exchange ever accepted."""
    position_closed: Decimal | None = None
    """The position once the close, or the close by hand, was at the exchange."""
    position_closed_ns: int | None = None
    next_step: str = ""
    """What the published state said while a person was waited for."""
    manual_ns: int | None = None
    alert: AlertSeen | None = None
    hold_ids_watched: tuple[str, ...] = ()
    """What the hold's key held each time it was read while nobody acted."""
    watched_ms: int = 0
    hand_close_ns: int | None = None
    """When the exchange accepted the close by hand."""
    released_ns: int | None = None
    """When the hold's key was gone."""
    written_down: tuple[str, str] | None = None
    """What the ledger was and became, by the WRITTEN_DOWN event."""
    release_event_hold: str = ""
    """The hold that the HOLD_RELEASED event named."""
    allow_ns: int | None = None
    after: PlanSeen | None = None
    """The strategy's plan after the release."""
    position_end: Decimal | None = None
    ledger_end: Decimal | None = None
    hold_end: str | None = None
    events: tuple[EventSeen, ...] = ()
    """Every reconcile event since times count (tales)."""
    fills: tuple[FillSeen, ...] = ()
    """Every fill that ever was at the exchange (tales)."""
    moments: Mapping[str, Moment] = field(default_factory=dict)
    """What was read when, by name (tales)."""
    plans: Mapping[str, PlanSeen] = field(default_factory=dict)
    """Other plans of the strategy, by name (tales)."""
    words: tuple[WordSeen, ...] = ()
    """What the operator typed (tales)."""
    faults: Mapping[str, int] = field(default_factory=dict)
    """How often the exchange's faults really struck (tales)."""
    unseen: str = ""
    """What was waited for in vain, if anything was."""

    @property
    def is_healed(self) -> bool:
        """Tell whether exchange and ledger agree and no hold stands at the end."""
        end = self.moments.get("end")
        if end is not None:
            return end.is_agreed and end.is_free
        return self.position_end is not None and self.position_end == self.ledger_end and self.hold_end is None

    def orders_by_us(self) -> tuple[OrderSeen, ...]:
        """Orders sent over the API since the drift, until the strategy was let trade again."""
        since = self.orders[self.orders_before :]
        after = self.after.order_id if self.after is not None else None
        until = next((n for n, order in enumerate(since) if order.order_id == after), len(since))
        return tuple(order for order in since[:until] if order.source == "api")
