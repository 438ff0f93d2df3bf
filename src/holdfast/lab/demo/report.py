"""What the demo says at its end: the JSON object, and the three times that both faces show.

Times are milliseconds since the exchange accepted the trade by hand. An order's is the exchange's own stamp; all others
are when an observer had read the fact from the bus or the exchange.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from holdfast.domain.amounts import format_amount
from holdfast.lab.demo.judge import judge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from decimal import Decimal

    from holdfast.lab.demo.facts import Event, Facts, Moment, OrderSeen
    from holdfast.lab.demo.judge import Promise
    from holdfast.lab.demo.scenarios import Scenario
    from holdfast.lab.demo.tales.tale import Tale


class Playable(Protocol):
    """What a screen and a report need to know of a play."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def story(self) -> str:
        """What happens in it, in a sentence or two."""
        ...


@dataclass(frozen=True, slots=True)
class Report:
    """One played scenario."""

    scenario: Playable
    facts: Facts
    events: tuple[Event, ...]
    """In the order in which they happened."""
    promises: tuple[Promise, ...]

    @property
    def is_kept(self) -> bool:
        """Tell whether every promise was kept."""
        return all(promise.kept for promise in self.promises)

    @property
    def broken(self) -> tuple[Promise, ...]:
        """The promises that were not."""
        return tuple(promise for promise in self.promises if not promise.kept)

    @property
    def drift_to_hold_ms(self) -> float | None:
        """Until the hold's key stood on the bus."""
        return self.since_drift_ms(self.facts.hold.at_ns if self.facts.hold is not None else None)

    @property
    def drift_to_close_ms(self) -> float | None:
        """Until the exchange accepted the close; None if we sent none."""
        planned = {result.order_id for result in self.facts.results if result.decision == "RECONCILE_CLOSE"}
        ours = self.facts.orders_by_us()
        closes = [order for order in ours if order.reduce_only or order.order_id in planned]
        return self.since_drift_ms(closes[0].accepted_ns if closes else None)

    @property
    def drift_to_release_ms(self) -> float | None:
        """Until the hold's key was gone; None while it stands."""
        return self.since_drift_ms(self.facts.released_ns)

    def since_drift_ms(self, at_ns: int | None) -> float | None:
        """Milliseconds since the trade by hand."""
        if at_ns is None or not self.facts.drift_ns:
            return None
        return round((at_ns - self.facts.drift_ns) / 1_000_000, 3)

    def to_json(self) -> dict[str, object]:
        """The object that `--json` prints."""
        facts = self.facts
        return {
            "scenario": self.scenario.name,
            "healed": facts.is_healed,
            "events": [
                {"event": event.name, "at_ms": self.since_drift_ms(event.at_ns), **event.fields}
                for event in self.events
            ],
            "drift_to_hold_ms": self.drift_to_hold_ms,
            "drift_to_close_ms": self.drift_to_close_ms,
            "drift_to_release_ms": self.drift_to_release_ms,
            "position_after": self._at_end(facts.position_end, lambda end: end.positions),
            "ledger_after": self._at_end(facts.ledger_end, lambda end: end.ledgers),
            "hold_after": facts.hold_end,
            "orders_at_exchange": [self._order(order) for order in facts.orders],
            "plan_refused_error": facts.refused.error or None if facts.refused is not None else None,
            "plan_after_executed": facts.after is not None and facts.after.executed,
        }

    def _at_end(self, alone: Decimal | None, of: Callable[[Moment], Mapping[str, Decimal | None]]) -> object:
        """An amount; in hedge mode one a leg."""
        end = self.facts.moments.get("end")
        if end is None or len(end.positions) == 1:
            return _text(alone)
        return {key: _text(amount) for key, amount in of(end).items()}

    def _order(self, order: OrderSeen) -> dict[str, object]:
        result = next((r for r in self.facts.results if r.order_id == order.order_id), None)
        return {
            "order_id": order.order_id,
            "client_order_id": order.client_order_id,
            "source": order.source,
            "decision": result.decision if result is not None else None,
            "side": order.side,
            "position_side": order.position_side,
            "type": order.order_type,
            "reduce_only": order.reduce_only,
            "qty": format_amount(order.qty),
            "executed_qty": format_amount(order.executed),
            "avg_price": order.avg_price,
            "status": order.status,
            "at_ms": self.since_drift_ms(order.accepted_ns),
        }


def report_of(scenario: Scenario, facts: Facts, events: Sequence[Event]) -> Report:
    """Judge what was seen, and put the events in order of time; those of one moment stay as they were told."""
    in_order = tuple(sorted(events, key=lambda event: event.at_ns))
    return Report(scenario, facts, in_order, judge(scenario, facts))


def report_of_tale(tale: Tale, facts: Facts, events: Sequence[Event]) -> Report:
    """The same for a tale, by its own judge."""
    return Report(tale, facts, tuple(sorted(events, key=lambda event: event.at_ns)), tale.judge(facts))


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else format_amount(amount)
