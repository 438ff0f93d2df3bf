"""The words of an episode: what the reconciler looks at of one leg, and the one move that follows.

Shared by `episode` (the life of a hold), `remedies` (what ends a difference) and whoever writes moves down.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from holdfast.domain.hold import Hold, HoldOwner, HoldReason, NextStep, StepKind

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.decide.reconcile import LegFacts
    from holdfast.domain.close import Close
    from holdfast.domain.instrument import Instrument
    from holdfast.domain.sides import TradingState
    from holdfast.domain.view import PositionView


class MoveKind(Enum):
    """What the reconciler does next."""

    NOTHING = "nothing"
    AGREE = "agree"
    HOLD = "hold"
    LOOK = "look"
    REPAIR = "repair"
    WRITE_DOWN = "write_down"
    FLATTEN = "flatten"
    DOUBT = "doubt"
    ADOPT = "adopt"
    CLOSE = "close"
    SUPERSEDE = "supersede"
    WAIT = "wait"
    OPERATOR = "operator"


STARTS_ANEW = frozenset({MoveKind.REPAIR, MoveKind.WRITE_DOWN, MoveKind.FLATTEN, MoveKind.ADOPT, MoveKind.SUPERSEDE})
"""Moves after which the leg is looked at and judged as if for the first time."""


@dataclass(frozen=True, slots=True)
class EpisodeFacts:
    """What the table looks at besides the verdict's own facts."""

    leg: LegFacts
    holds: tuple[Hold, ...]
    """Open holds of this leg, of both owners."""
    unfinished: Close | None
    """The leg's close that is planned or claimed."""
    second: PositionView | None
    """A REST look taken for this episode, after the hold was placed; None before it came."""
    earlier: PositionView | None
    """The newest view from before the second look, another read by nature; None before the first look."""
    instrument: Instrument | None
    mark_price: Decimal | None
    trading: TradingState


@dataclass(frozen=True, slots=True)
class Move:
    """One next step, with what the hold says about it."""

    kind: MoveKind
    step: NextStep | None
    """The hold's next step by this move; None where no hold stands."""
    release: tuple[Hold, ...] = ()
    """Holds that AGREE releases."""
    reason: HoldReason | None = None
    """Why HOLD holds; None for every other kind."""
    wait_until_ms: int | None = None
    """When to look again at the latest; None: only on new facts."""


WAITS_FOR_A_PERSON = frozenset(
    {HoldReason.FORCED_REDUCTION, HoldReason.LATE_ACCEPTANCE, HoldReason.FOREIGN_ORDER, HoldReason.MODE_CHANGED}
)
"""Reasons of automatic holds that agreement alone does not end."""


def automatic_hold(holds: tuple[Hold, ...]) -> Hold | None:
    """The leg's open automatic hold; there is at most one."""
    return next((hold for hold in holds if hold.is_open and hold.owner is HoldOwner.AUTO), None)


def look(facts: EpisodeFacts, hold: Hold | None, text: str) -> Move:
    """Read the venue again; the hold, if one stands, says what for."""
    step = step_of(facts, StepKind.EVIDENCE, text) if hold is not None else None
    return Move(MoveKind.LOOK, step)


def operator(facts: EpisodeFacts, text: str) -> Move:
    """Leave it to a person, who is told `text`."""
    return Move(MoveKind.OPERATOR, step_of(facts, StepKind.OPERATOR, text))


def step_of(facts: EpisodeFacts, kind: StepKind, text: str) -> NextStep:
    """A next step from now on, due after the wait that belongs to its kind."""
    waits = {
        StepKind.VIEW: facts.leg.limits.view_age_ms_max,
        StepKind.EVIDENCE: facts.leg.limits.evidence_ms_max,
        StepKind.RELEASE: facts.leg.limits.view_age_ms_max,
        StepKind.CLOSE: facts.leg.limits.close_ttl_ms,
        StepKind.CLOSE_BACKOFF: facts.leg.limits.close_backoff_ms,
        StepKind.OPERATOR: facts.leg.limits.alert_ms_max,
    }
    return NextStep(kind, facts.leg.now_ms + waits[kind], text)
