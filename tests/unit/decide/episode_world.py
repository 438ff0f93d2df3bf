"""A small world of episodes, in words: each field one dimension of the episode table, `build` turns it into facts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations, product
from random import Random
from typing import TYPE_CHECKING, Any

from holdfast.decide.evidence import Evidence
from holdfast.decide.move import EpisodeFacts
from holdfast.decide.reconcile import LegFacts, Status, Verdict
from holdfast.domain.close import CloseState
from holdfast.domain.hold import Hold, HoldOwner, HoldReason, NextStep, StepKind
from holdfast.domain.limits import DeficitPolicy, ForeignPolicy, ReconcileClose, UnledgeredPolicy
from holdfast.domain.order import OrderState
from holdfast.domain.sides import OrderType, Source, TradingState
from tests.unit.decide.samples import (
    CLOSE,
    HOLD,
    INSTRUMENT,
    LEDGER,
    LIMITS,
    NOW,
    OPERATOR_CLOSE,
    ORDER,
    TRADE,
    VIEW,
    ZERO,
    D,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.domain.close import Close
    from holdfast.domain.instrument import Instrument
    from holdfast.domain.order import Order
    from holdfast.domain.view import PositionView

OPENED = NOW - LIMITS.evidence_ms_max
"""The hold's age is `evidence_ms_max` to the millisecond, unless the world says otherwise."""


@dataclass(frozen=True, slots=True)
class World:
    """One input of the episode table; the defaults lead to a close."""

    status: Status = Status.EXCESS
    hold: HoldReason | None = HoldReason.DRIFT
    attempts: int = 0
    stands: str = "evidence"
    unfinished: str = "none"
    evidence: str = "whole"
    second: str = "same"
    order: str = "none"
    foreign: ForeignPolicy = ForeignPolicy.CLOSE
    deficit: DeficitPolicy = DeficitPolicy.HOLD
    unledgered: UnledgeredPolicy = UnledgeredPolicy.CLOSE
    closing: ReconcileClose = ReconcileClose.ON
    trading: TradingState = TradingState.ACTIVE
    rules: str = "trading"
    mark: str = "low"
    deadline: str = "at"
    # --- for AGREED
    agreed: bool = True
    as_of: int = 1
    read: int = 1
    source: Source = Source.REST
    operator_hold: bool = False


SAME_READ = (
    "same read",
    "same read, another before",
    "same read, one before our fill",
    "same read, an old one before",
)
"""The newest view is the second look itself: what was there before it counts."""
DIMENSIONS: dict[str, tuple[Any, ...]] = {
    "status": (Status.EXCESS, Status.DEFICIT, Status.UNLEDGERED, Status.NO_VIEW, Status.REPAIR, Status.FORCED),
    "hold": (None, *HoldReason),
    "attempts": (0, 2, 3),
    "stands": ("evidence", "backing off", "backed off", "told"),
    "unfinished": (
        "none",
        "planned",
        "planned, too large",
        "planned, at its end",
        "planned, expired",
        "claimed",
        "claimed, expired",
        "person's",
        "person's, too large",
        "person's, expired",
    ),
    "evidence": ("none", "old version", "own", "stray", "whole", "incomplete", "part"),
    "second": (
        "none",
        "same",
        "smaller",
        "opposite",
        "flat",
        "old",
        "at its age",
        "future",
        "before our fill",
        *SAME_READ,
    ),
    "order": ("none", "unknown", "rests"),
    "foreign": tuple(ForeignPolicy),
    "deficit": tuple(DeficitPolicy),
    "unledgered": tuple(UnledgeredPolicy),
    "closing": tuple(ReconcileClose),
    "trading": tuple(TradingState),
    "rules": ("none", "trading", "break", "coarse"),
    "mark": ("none", "zero", "low", "at the limit", "high", "high, approved"),
    "deadline": ("before", "at", "after", "after, younger cause"),
}

ORDERS: dict[str, tuple[Order, ...]] = {
    "none": (),
    "claimed": (replace(ORDER, state=OrderState.CLAIMED),),
    "sending": (ORDER,),
    "unknown": (replace(ORDER, state=OrderState.UNKNOWN),),
    "not ended": (replace(ORDER, state=OrderState.OPEN, executed_qty=D(2), booked_qty=D(2)),),
    "rests": (replace(ORDER, state=OrderState.OPEN, order_type=OrderType.LIMIT, executed_qty=D(2), booked_qty=D(2)),),
    "rests, unbooked": (replace(ORDER, state=OrderState.OPEN, order_type=OrderType.LIMIT, executed_qty=D(2)),),
    "ended, unbooked": (replace(ORDER, state=OrderState.PARTIAL, executed_qty=D(2), booked_qty=D(1)),),
    "settled": (replace(ORDER, state=OrderState.FILLED, executed_qty=D(2), booked_qty=D(2)),),
    "one rests, one is sent": (replace(ORDER, state=OrderState.OPEN, order_type=OrderType.LIMIT), ORDER),
}
"""Own orders of the leg, by what is going on with them."""
PENDING = frozenset(ORDERS) - {"none", "rests", "settled"}
GIVEN_UP = World(
    status=Status.DEFICIT,
    hold=HoldReason.DEFICIT,
    evidence="part",
    deadline="after",
    deficit=DeficitPolicy.FLATTEN,
)
"""The other way that is long: a deficit that nothing explains in time."""
HOLDS = (
    None,
    HoldReason.VIEW_STALE,
    HoldReason.DRIFT,
    HoldReason.DEFICIT,
    HoldReason.SYMBOL_NOT_TRADING,
    HoldReason.UNLEDGERED,
    HoldReason.MODE_CHANGED,
)
"""One hold of each weight, for pairs and triples; the sample of all draws from all."""
AMOUNTS = {
    Status.EXCESS: (7, 2),
    Status.DEFICIT: (2, 7),
    Status.UNLEDGERED: (7, 0),
    Status.REPAIR: (7, 2),
    Status.FORCED: (2, 7),
    Status.NO_VIEW: (7, 2),
    Status.SETTLING: (7, 2),
    Status.AGREED: (2, 2),
}
HOLD_OF = {
    Status.EXCESS: HoldReason.DRIFT,
    Status.DEFICIT: HoldReason.DEFICIT,
    Status.UNLEDGERED: HoldReason.UNLEDGERED,
    Status.NO_VIEW: HoldReason.VIEW_STALE,
    Status.FORCED: HoldReason.FORCED_REDUCTION,
}


def differences() -> Iterator[World]:
    """Every combination of any two dimensions, the others leading to a close or to giving up; samples of more."""
    shorter = {**DIMENSIONS, "hold": HOLDS}
    dice = Random(20260701)  # noqa: S311 - a fixed sample for a test, not a secret
    for pair in combinations(shorter, 2):
        for values in product(*(shorter[name] for name in pair)):
            changed = dict(zip(pair, values, strict=True))
            yield World(**changed)
            yield replace(GIVEN_UP, **changed)
    for three in combinations(shorter, 3):
        for _ in range(8):
            yield World(**{name: dice.choice(shorter[name]) for name in three})
    for _ in range(3_000):
        yield World(**{name: dice.choice(values) for name, values in DIMENSIONS.items()})


def agreed_world() -> Iterator[World]:
    """Every input of the AGREED and SETTLING rows."""
    closes = ("none", "planned", "planned, expired", "claimed, expired", "person's", "person's, expired")
    holds = (*HOLDS, HoldReason.UNKNOWN_ORDER, HoldReason.FORCED_REDUCTION)
    beside = [*product(closes, ("none", "unknown", "rests")), *(("none", order) for order in ORDERS)]
    for hold, (unfinished, order), agreed in product(holds, dict.fromkeys(beside), (True, False)):
        base = World(status=Status.AGREED, hold=hold, unfinished=unfinished, order=order, agreed=agreed)
        for as_of, read, source, own in product((-1, 0, 1), (-1, 0, 1), Source, (True, False)):
            yield replace(base, as_of=as_of, read=read, source=source, operator_hold=own)
        for evidence, as_of in product(("own", "own, old version"), (0, 1)):
            yield replace(base, evidence=evidence, as_of=as_of)
            yield replace(base, evidence=evidence, as_of=as_of, status=Status.SETTLING)


def hold_of(world: World) -> Hold | None:
    """The automatic hold that stands."""
    if world.hold is None:
        return None
    opened = OPENED + {"before": 1, "at": 0, "after": -1, "after, younger cause": -1}[world.deadline]
    cause = OPENED + 1 if world.deadline == "after, younger cause" else opened - 10
    steps = {
        "evidence": NextStep(StepKind.EVIDENCE, NOW + 100, "a second look is taken"),
        "backing off": NextStep(StepKind.CLOSE_BACKOFF, NOW + 1, "the next attempt is timed"),
        "backed off": NextStep(StepKind.CLOSE_BACKOFF, NOW, "the next attempt is timed"),
        "told": NextStep(StepKind.OPERATOR, NOW - 1, "a person was told"),
    }
    return replace(
        HOLD,
        reason=world.hold,
        opened_ms=opened,
        cause_as_of_ms=cause,
        close_attempts=world.attempts,
        next_step=steps[world.stands],
        approved_notional=D(10**6) if world.mark == "high, approved" else None,
    )


def close_of(world: World) -> Close | None:
    """The unfinished close of the leg."""
    if world.unfinished == "none":
        return None
    close = OPERATOR_CLOSE if world.unfinished.startswith("person's") else CLOSE
    expires = {"at its end": NOW, "expired": NOW - 1}.get(world.unfinished.rpartition(", ")[2], NOW + 1)
    state = CloseState.CLAIMED if world.unfinished.startswith("claimed") else CloseState.PLANNED
    exchange, ledger = AMOUNTS[world.status]
    qty = max(abs(D(exchange - ledger)), D(1)) + (1 if world.unfinished.endswith("too large") else 0)
    return replace(close, state=state, expires_ms=expires, qty=qty)


def _evidence(world: World) -> Evidence | None:
    exchange, ledger = AMOUNTS[world.status]
    drift = D(exchange - ledger)
    whole = Evidence((), ZERO, (), (replace(TRADE, qty=drift),), complete=True, read_ms=NOW, last_trade_id=None,
                     ledger_version=LEDGER.version, last_fill_ms=LEDGER.last_fill_ms)  # fmt: skip
    return {
        "none": None,
        "old version": replace(whole, ledger_version=LEDGER.version - 1),
        "own": replace(whole, own=(TRADE,), own_ledger_qty=D(1)),
        "own, old version": replace(whole, own=(TRADE,), own_ledger_qty=D(1), ledger_version=LEDGER.version - 1),
        "whole": whole,
        "stray": replace(whole, complete=False, stray=(TRADE,)),
        "incomplete": replace(whole, complete=False),
        "part": replace(whole, foreign=(replace(TRADE, qty=drift - 1),)),
    }[world.evidence]


def _second(world: World, view: PositionView) -> PositionView | None:
    exchange = D(AMOUNTS[world.status][0])
    age_max = LIMITS.view_age_ms_max
    same = replace(VIEW, amt=exchange)
    return {
        "none": None,
        "same": same,
        "smaller": replace(VIEW, amt=exchange - 2),
        "opposite": replace(VIEW, amt=-exchange),
        "flat": replace(VIEW, amt=ZERO),
        "old": replace(same, read_ms=NOW - age_max - 1),
        "at its age": replace(same, read_ms=NOW - age_max),
        "future": replace(same, read_ms=NOW + 1),
        "before our fill": replace(same, as_of_ms=LEDGER.last_fill_ms - 1),
        **dict.fromkeys(SAME_READ, view),
    }[world.second]


def _earlier(world: World) -> PositionView | None:
    before = replace(VIEW, amt=D(AMOUNTS[world.status][0]), source=Source.STREAM)
    return {
        "same read": None,
        "same read, one before our fill": replace(before, as_of_ms=LEDGER.last_fill_ms - 1),
        "same read, an old one before": replace(before, read_ms=NOW - LIMITS.view_age_ms_max - 1),
    }.get(world.second, before)


def _rules(world: World) -> Instrument | None:
    if world.rules == "none":
        return None
    status = "BREAK" if world.rules == "break" else "TRADING"
    return replace(INSTRUMENT, status=status, qty_min=D(50) if world.rules == "coarse" else D(1))


def build(world: World) -> tuple[EpisodeFacts, Verdict]:
    """The facts and the verdict that the words mean."""
    exchange, ledger = (D(amount) for amount in AMOUNTS[world.status])
    hold = hold_of(world)
    opened, cause = (hold.opened_ms, hold.cause_as_of_ms) if hold is not None else (OPENED, OPENED)
    view = replace(VIEW, amt=exchange, as_of_ms=cause + world.as_of, read_ms=opened + world.read, source=world.source)
    limits = replace(
        LIMITS,
        foreign=world.foreign,
        deficit=world.deficit,
        unledgered=world.unledgered,
        reconcile_close=world.closing,
        close_notional_max=D(1000) * abs(exchange - ledger),
    )
    book = replace(LEDGER, amt=ledger, agreed_version=LEDGER.version if world.agreed else None)
    marks = {"none": None, "zero": ZERO, "low": D(10), "at the limit": D(1000)}
    facts = EpisodeFacts(
        leg=LegFacts(NOW, limits, D(1), view, NOW, book, True, False, ORDERS[world.order], None, _evidence(world)),
        holds=tuple(
            each
            for each in (replace(HOLD, owner=HoldOwner.OPERATOR) if world.operator_hold else None, hold)
            if each is not None
        ),
        unfinished=close_of(world),
        second=_second(world, view),
        earlier=_earlier(world),
        instrument=_rules(world),
        mark_price=marks.get(world.mark, D(1001)),
        trading=world.trading,
    )
    verdict = Verdict(0, world.status, HOLD_OF.get(world.status), exchange, ledger, exchange - ledger)
    return facts, verdict
