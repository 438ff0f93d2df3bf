"""What people may count on, judged once nothing goes wrong any more: whom the product tells what, and what it asks for.

    L8    a process that was told to stop has ended
    L9    time passes: nobody runs in circles, and nobody waits for what nobody will do (`world` says so)
    L10   what became of an order that rested is told within TOLD_MS_MAX, if it was over before the apply that is to
          tell it took its lease: a frame that was lost may cost more, a start may not
    L11   that the account's position mode was changed at the exchange is told within TOLD_MS_MAX; nobody sets it back
          before
    L12   nobody is asked about an order that the exchange never had: that can be proven without a person, TOLD_MS_MAX
          after its window (which lies ahead if it was signed by a clock that ran ahead)
    L13   what a person adopted is settled: TOLD_MS_MAX later no hold on that leg says that trades do not explain its
          difference, for every difference in this world is a trade

L12 and L13 say nothing where the exchange's clock was set or the position mode changed, nor of a leg on which others
traded in the very millisecond of a trade of ours: there trades do not tell all, and no view which came first.

Each is judged as soon as its time is over, so that a history that breaks one ends there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.domain.hold import StepKind
from holdfast.domain.names import AccountId, PlanId, client_order_id
from holdfast.lab.torture.settings import ACCOUNT
from holdfast.sim.core.orders import FINAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from decimal import Decimal

    from holdfast.domain.hold import Hold
    from holdfast.domain.sides import Leg
    from holdfast.lab.torture.audit import LegKey
    from holdfast.lab.torture.exchange import WorldExchange
    from holdfast.lab.torture.machine import Machine
    from holdfast.lab.torture.watch import Watch

NAME: Final = AccountId(ACCOUNT)
TOLD_MS_MAX: Final = 20_000
POLICY: Final = "policy"
"""Who adopts by the settings' word."""
UNEXPLAINED: Final = ("do not explain", "no trades")
"""How a hold says that it found no trades for its difference."""


@dataclass(slots=True)
class Persons:
    """See the module."""

    machine: Machine
    exchange: WorldExchange
    watch: Watch
    has_result: Callable[[str], bool]
    """Whether a plan was answered on the bus."""
    plans: Mapping[str, Mapping[str, str]]
    adopted: Sequence[tuple[LegKey, Decimal, str]]
    """What persons took into the ledger, as the journal's audit has it."""
    accuse: Callable[[str], None]
    start_ms: int
    """What the exchange's clock showed when the history began."""
    calm_ms: float | None = None
    """Since when nothing goes wrong any more, in the world's ms."""

    @property
    def _is_late(self) -> bool:
        return self.calm_ms is not None and self.machine.chronicle.now_ms() > self.calm_ms + TOLD_MS_MAX

    def left_waiting(self, standing: Callable[[], tuple[Hold, ...]]) -> Iterator[str]:
        """What is overdue at this moment. `standing` are the holds that stand."""
        if not self._is_late:
            return
        yield from self.unexplained(standing())
        for unit in self.machine.units:
            if unit.is_told_to_stop:
                yield f"L8: {unit.name} was told to stop, and still runs"
        yield from self._untold_orders()
        if self.exchange.account.mode is not self.exchange.mode and not self.knows_of_mode():
            yield "L11: the account's position mode was changed, and nobody was told"

    def knows_of_mode(self) -> bool:
        """Whether a person heard that the position mode was changed: from the pager, or from a process that ended."""
        ends = (end for unit in self.machine.units for end in unit.ends)
        told = (*(alert.text for _, alert in self.machine.pages), *ends)
        return any("position mode" in text or "position_mode" in text for text in told)

    def are_needed(self, name: str, leg: Leg) -> bool:
        """Whether the person on duty says what became of an order; one that never was may be proven without them."""
        if any(name in book.by_client for book in self.exchange.account.books.values()):
            return True
        if self._is_late and self._trades_tell_all(leg) and self._is_window_long_over(name):
            self.accuse(f"L12: a person is asked about {name}, which the exchange never had")
        return self._is_late

    def _is_window_long_over(self, name: str) -> bool:
        intents = self.watch.books.audit.intents.get(name)
        if not intents:
            return True
        return (
            self.exchange.venue.exchange.clock.now_ms()
            > intents[-1].timestamp_ms + intents[-1].recv_window_ms + TOLD_MS_MAX
        )

    def unexplained(self, holds: tuple[Hold, ...]) -> Iterator[str]:
        """Holds that ask a person for what trades explain: wrong, unless they are gone in time."""
        adopted = {leg for leg, _amount, who in self.adopted if who != POLICY}
        for hold in holds:
            text, leg = hold.next_step.text, (str(hold.leg.symbol), hold.leg.position_side.value)
            if leg not in adopted or not self._trades_tell_all(hold.leg):
                continue
            if hold.next_step.kind is StepKind.OPERATOR and any(words in text for words in UNEXPLAINED):
                yield f"L13: {hold.hold_id} waits for a person: {text}"

    def _trades_tell_all(self, leg: Leg) -> bool:
        key = (str(leg.symbol), leg.position_side.value)
        is_plain = self.watch.clocks_are_true and not self.machine.hits["position mode changed"]
        return is_plain and not self.watch.books.has_coincidence(key)

    def _untold_orders(self) -> Iterator[str]:
        lease_ms = self.watch.lease_ms
        if not self.watch.clocks_are_true or self.machine.chronicle.now_ms() <= lease_ms + TOLD_MS_MAX:
            return
        for plan_id, fields in self.plans.items():
            if fields.get("type") != "LIMIT" or self.has_result(plan_id):
                continue
            name = client_order_id(NAME, PlanId(plan_id))
            orders = self.exchange.account.book(fields["symbol"]).by_client.get(name, [])
            if orders and all(each.status in FINAL and each.updated_ms - self.start_ms <= lease_ms for each in orders):
                yield f"L10: plan {plan_id} has no result, and its order was over before apply's newest start"
