"""Must an own resting order be cancelled? First match wins; the answer is why, in the words that are journaled.

    | # | the order, and what stands                                                          | cancel it |
    |---|-------------------------------------------------------------------------------------|-----------|
    | 1 | it does not rest (any other state, or MARKET)                                       | no        |
    | 2 | somebody asked for it already (a plan, a person, an earlier look at this table)     | yes       |
    | 3 | a close of its leg is planned or claimed: it would use the position up (-4118)      | yes       |
    | 4 | a hold disputes the amounts of its leg (any reason but those of row 5 alone)        | yes       |
    | 5 | it could raise an exposure, and any hold stands on its symbol (view_missing,        | yes       |
    |   | view_stale, foreign_order, operator; on another leg)                                |           |
    | 6 | it could raise an exposure, and trading is HALTED                                   | yes       |
    | 7 | otherwise                                                                           | no        |

So an exit that rests survives a blind moment, a person's pause and a halt, and ends where amounts are in doubt: a close
may be needed there, and needs the leg to itself. Source: DESIGN §5, ADR 0009.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.domain.hold import HoldReason
from holdfast.domain.sides import TradingState

if TYPE_CHECKING:
    from holdfast.domain.close import Close
    from holdfast.domain.hold import Hold
    from holdfast.domain.order import Order

UNDISPUTED = frozenset({HoldReason.VIEW_MISSING, HoldReason.VIEW_STALE, HoldReason.FOREIGN_ORDER, HoldReason.OPERATOR})
"""Reasons of holds that say nothing against the amounts."""


@dataclass(frozen=True, slots=True)
class CancelFacts:
    """All that the table looks at."""

    order: Order
    holds: tuple[Hold, ...]
    """Open holds of the symbol, any leg, any owner."""
    unfinished: Close | None
    """The leg's close that is planned or claimed."""
    trading: TradingState


def why_to_cancel(facts: CancelFacts) -> str | None:
    """Run the table (see the module); None: let it rest."""
    order = facts.order
    if not order.rests:
        return None
    if order.cancel is not None:
        return order.cancel.why
    if facts.unfinished is not None:
        return f"close {facts.unfinished.plan_id} needs the position"
    for hold in facts.holds:
        if hold.leg == order.leg and hold.reason not in UNDISPUTED:
            return f"hold {hold.hold_id} ({hold.reason.value})"
    if order.shrinks_only:
        return None
    for hold in facts.holds:
        return f"hold {hold.hold_id} ({hold.reason.value})"
    return "trading is halted" if facts.trading is TradingState.HALTED else None
