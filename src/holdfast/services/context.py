"""What the services of one account share: its ports, its limits, its fence and the ways they wake each other."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from holdfast.domain.errors import Fenced
from holdfast.domain.reasons import Reason
from holdfast.services.knocks import Changes, Knocks
from holdfast.services.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from decimal import Decimal

    from holdfast.domain.entry import JournaledEntry
    from holdfast.domain.instrument import Instrument
    from holdfast.domain.limits import Limits
    from holdfast.domain.names import AccountId, PlanId, Symbol
    from holdfast.domain.order import OrderReport
    from holdfast.domain.plan import PlanResult
    from holdfast.domain.sides import Leg
    from holdfast.ports.clock import Clock
    from holdfast.ports.journal import Choice as _Choice
    from holdfast.ports.journal import Facts as _Facts
    from holdfast.ports.journal import Fence, Journal, Reads, Tx
    from holdfast.ports.telemetry import Log, Metrics


class Errand(Enum):
    """What the reconciler may be asked for besides looking at a leg."""

    LOOK_AROUND = "look_around"
    """Judge every leg that is not quiet."""
    STAMP = "stamp"
    VOID_STAMP = "void_stamp"


@dataclass(slots=True)
class Lease:
    """The fence a service holds, and until when it may believe in it."""

    fence: Fence | None = None
    live_until_ns: int = 0
    """CLOCK_MONOTONIC: read before the renewal that proved it, plus the lease's life."""


@dataclass(slots=True)
class Rules:
    """What the venue said of symbols and prices, to all accounts alike; replaced as a whole when read again."""

    instruments: Mapping[Symbol, Instrument] = field(default_factory=dict)
    marks: dict[Symbol, tuple[Decimal, int]] = field(default_factory=dict)
    """Mark price, and our clock before it was read."""
    read_ns: int = 0
    """CLOCK_MONOTONIC before the instruments were read."""
    are_doubted: bool = False
    """The venue refused an order, or something waits for its symbol to trade: the instruments are read again soon."""
    marks_ns: int = 0
    """The same of the mark prices."""
    asked_ns: int = 0
    """CLOCK_MONOTONIC when mark prices were last asked for, answered or not."""
    reader: int = 0
    """The number of the account that asked."""

    def doubt(self, reason: Reason) -> None:
        """Something was refused by what these rules say: if they call a symbol halted, it may trade again by now."""
        if reason is Reason.SYMBOL_NOT_TRADING:
            self.are_doubted = True


@dataclass(slots=True)
class Resting:
    """What rested at the venue by apply's newest reading: a dear request, and the other service may use its answer."""

    reports: tuple[OrderReport, ...] | None = None
    """None before the first reading."""


@dataclass(slots=True)
class Wakes:
    """The in-process wake-ups of one account."""

    legs: Knocks[Leg | Errand] = field(default_factory=Knocks)
    """To the reconciler: look at this leg, or run this errand."""
    closes: Knocks[PlanId] = field(default_factory=Knocks)
    """To apply: a close may be unclaimed."""
    cancels: Knocks[str] = field(default_factory=Knocks)
    """To apply: a resting order may have to be cancelled."""
    symbols: Changes[Symbol] = field(default_factory=Changes)
    """To whoever waits: holds, ledger, agreement or orders of this symbol changed."""
    publish: Knocks[Symbol] = field(default_factory=Knocks)
    """To whoever publishes copies: this symbol's may be out of date."""
    urgent: asyncio.Event = field(default_factory=asyncio.Event)
    """To the same: a hold changed, do not gather any longer."""
    requests: Knocks[str] = field(default_factory=Knocks)
    """To whoever carries operators' requests out (the reconciler)."""
    operator_closes: Knocks[str] = field(default_factory=Knocks)
    """To apply: an operator may have asked for a close."""
    operator_resolves: Knocks[str] = field(default_factory=Knocks)
    """To apply: an operator may have said what became of an order."""
    mode: Knocks[str] = field(default_factory=Knocks)
    """To whoever watches the account's position mode: something speaks for its having changed."""
    alerts: Knocks[str] = field(default_factory=Knocks)
    """To the alerting task."""


@dataclass(slots=True)
class Context:
    """One account, as one service sees it."""

    account: AccountId
    service: str
    """`apply` or `reconcile`: the lease it works under."""
    limits: Limits
    journal: Journal
    clock: Clock
    metrics: Metrics
    log: Log
    wakes: Wakes
    rules: Rules
    lease: Lease
    emit: Callable[[list[JournaledEntry]], None]
    """Hand journaled entries to the publisher after their commit."""
    answer: Callable[[PlanResult], None] = lambda _result: None
    """Hand the outcome of a plan that nobody here carries in hand to the publisher after its commit."""
    pace: Pace = field(default_factory=Pace)
    resting: Resting = field(default_factory=Resting)
    """Shared by both services of the account where one process runs both."""

    async def transact(
        self,
        *,
        read: Callable[[Reads], _Facts],
        decide: Callable[[_Facts], _Choice],
        write: Callable[[Tx, _Choice, _Facts], None],
    ) -> _Choice:
        """Run one journal step under this service's fence."""
        return await self.journal.transact(self.account, self.live_fence(), read=read, decide=decide, write=write)

    def live_fence(self) -> Fence:
        """The fence, if the lease behind it still lives by our own clock; raises Fenced otherwise."""
        if self.lease.fence is None or self.clock.monotonic_ns() > self.lease.live_until_ns:
            raise Fenced(f"the {self.service} lease of {self.account} has run out")
        return self.lease.fence

    def changed(self, symbol: Symbol) -> None:
        """Tell everybody in this process that something journaled about the symbol changed."""
        self.wakes.symbols.tell(symbol)
        self.wakes.publish.knock(symbol)

    def hold_changed(self, symbol: Symbol) -> None:
        """The same, and copies are published at once."""
        self.changed(symbol)
        self.wakes.urgent.set()
        self.wakes.cancels.knock(symbol)
