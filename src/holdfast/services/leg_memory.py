"""What the reconciler remembers of one leg between evaluations (only what a restart may lose), and its facts.

The facts of one evaluation are of two kinds: what the venue showed, fixed before the transaction (`Shown`), and what
the journal says inside it (`read_leg`). The journal may run a step on a thread of its own; nothing here is shared
with it but frozen values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.decide.move import EpisodeFacts, automatic_hold
from holdfast.decide.reconcile import LegFacts
from holdfast.domain.amounts import ZERO
from holdfast.domain.entry import EntryKind
from holdfast.domain.hold import HoldReason

if TYPE_CHECKING:
    import asyncio
    from decimal import Decimal

    from holdfast.decide.evidence import Evidence
    from holdfast.domain.instrument import Instrument
    from holdfast.domain.limits import Limits
    from holdfast.domain.sides import Leg
    from holdfast.domain.view import PositionView
    from holdfast.ports.journal import AccountState, Reads
    from holdfast.services.context import Rules
    from holdfast.services.picture import Picture


@dataclass(slots=True)
class LegMemory:
    """What a restart may lose about one leg."""

    settling_since_ms: int | None = None
    evidence: Evidence | None = None
    second: PositionView | None = None
    earlier: PositionView | None = None
    """The newest view when the second look was taken, from before it."""
    looks: int = 0
    looking: asyncio.Task[None] | None = None
    looked_ns: int = 0
    drift_ns: int | None = None
    """CLOCK_MONOTONIC when the drift that now stands was first evaluated."""

    def shown(self, leg: Leg, picture: Picture, rules: Rules) -> Shown:
        """What the venue showed of the leg until now, fixed before the transaction that decides about it."""
        mark = rules.marks.get(leg.symbol)
        looked = self.second.mark_price if self.second is not None else None
        return Shown(
            leg=leg,
            view=picture.of(leg),
            complete_read_ms=picture.complete_read_ms,
            settling_since_ms=self.settling_since_ms,
            evidence=self.evidence,
            second=self.second,
            earlier=self.earlier,
            instrument=rules.instruments.get(leg.symbol),
            mark_price=looked if looked is not None or mark is None else mark[0],
        )


def fresh_second(
    second: PositionView | None, view: PositionView | None, last_fill_ms: int, opened_ms: int | None
) -> PositionView | None:
    """The second look counts if it was taken after the hold was placed, and is not older than what we know."""
    if second is None or view is None or opened_ms is None or second.read_ms < opened_ms:
        return None
    if second.as_of_ms < last_fill_ms or (second.as_of_ms < view.as_of_ms and second.amt != view.amt):
        return None
    return second


@dataclass(frozen=True, slots=True)
class Shown:
    """What the venue showed of one leg until an evaluation began."""

    leg: Leg
    view: PositionView | None
    complete_read_ms: int | None
    settling_since_ms: int | None
    evidence: Evidence | None
    second: PositionView | None
    earlier: PositionView | None
    instrument: Instrument | None
    mark_price: Decimal | None


@dataclass(frozen=True, slots=True)
class LegStep:
    """One leg's facts, and how many closes were planned under its hold so far."""

    facts: EpisodeFacts
    closes_planned: int


def read_leg(reads: Reads, shown: Shown, state: AccountState, limits: Limits) -> LegStep:
    """Join what the venue showed with what the journal says."""
    leg = shown.leg
    ledger = reads.leg(leg)
    holds = tuple(hold for hold in reads.open_holds(leg.symbol) if hold.leg == leg)
    auto = automatic_hold(holds)
    facts = EpisodeFacts(
        leg=LegFacts(
            now_ms=reads.now_ms(),
            limits=limits,
            step=shown.instrument.qty_step if shown.instrument is not None else ZERO,
            view=shown.view,
            complete_read_ms=shown.complete_read_ms,
            ledger=ledger,
            baseline=state.baseline_ms is not None,
            unledgered_hold=auto is not None and auto.reason is HoldReason.UNLEDGERED,
            orders=tuple(order for order in reads.live_orders(leg.symbol) if order.leg == leg),
            settling_since_ms=shown.settling_since_ms,
            evidence=shown.evidence,
        ),
        holds=holds,
        unfinished=reads.unfinished_close(leg) if auto is not None else None,
        second=fresh_second(shown.second, shown.view, ledger.last_fill_ms, auto.opened_ms if auto else None),
        earlier=shown.earlier,
        instrument=shown.instrument,
        mark_price=shown.mark_price,
        trading=state.trading_state,
    )
    planned = 0
    if auto is not None:
        planned = sum(each.entry.kind is EntryKind.CLOSE_PLANNED for each in reads.entries_of_hold(auto.hold_id))
    return LegStep(facts, planned)
