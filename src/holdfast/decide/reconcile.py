"""Does the venue agree with the ledger on one leg? The reconciliation table, first match wins.

E = exchange position, L = ledger, D = E - L, step = the symbol's quantity step.

    | row | facts                                                        | status     | hold             |
    |-----|--------------------------------------------------------------|------------|------------------|
    |  1  | no complete view yet                                         | NO_VIEW    | view_missing     |
    |  1  | the complete view is older than view_age_ms_max, or its age is negative | NO_VIEW | view_stale |
    |  2  | view older than the last own fill, or as old as it and D != 0 | SETTLING  | -                |
    |  2  | the same, for longer than settle_ms_max                      | NO_VIEW    | view_stale       |
    |  3  | D inside what own orders may have executed unbooked, for no longer than settle_ms_max | SETTLING | - |
    |  3  | D inside what they have executed unbooked (the venue said so), for no longer than |      |           |
    |     | unknown_ms_max and while no trades show it as rows 6 and 7 do | SETTLING  | -                |
    |  4  | no baseline yet (or an unledgered hold stands), E != 0, D != 0 | UNLEDGERED | unledgered      |
    |  5  | abs(D) < step                                                | AGREED     | -                |
    |  6  | the trades explain D, and our own missing fills are all of it | REPAIR    | (stays)          |
    |  7  | the trades explain D, and it is those plus fills that the venue forced; or the venue forced some  |  |
    |     | of it and a close would widen the drift                      | FORCED     | forced_reduction |
    |  8  | E and D have the same sign: closing shrinks the drift        | EXCESS     | drift            |
    |  9  | otherwise: a close would widen the drift                     | DEFICIT    | deficit          |

Row 7 by policy resume wants the hold of row 8 or 9 instead, which ends by itself. Row 2's equal case: equal
milliseconds prove nothing against the ledger (I6), but agreement at equal milliseconds is agreement. Row 3 counts only
the part of an order that moves the ledger: a close's own fills undo the drift and explain nothing. Its bounds keep it
from hiding a difference for ever: past them a hold says it aloud (no close follows while an own order is not settled).
A time since which something settles that lies in the future proves nothing: the wait counts as over. What the trades
explain is `Evidence.explains`: the sum of all of them, each named, is D (ADR 0010). Invariants I5, I6. Source: DESIGN
§5, ADR 0002.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from holdfast.domain.amounts import ZERO, same_sign
from holdfast.domain.hold import HoldReason
from holdfast.domain.limits import ForcedPolicy

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.decide.evidence import Evidence
    from holdfast.domain.ledger import LedgerState
    from holdfast.domain.limits import Limits
    from holdfast.domain.order import Order
    from holdfast.domain.view import PositionView


class Status(Enum):
    """The verdict's word, as it stands in `reconcile:state` and `holdfast status`."""

    NO_VIEW = "NO_VIEW"
    SETTLING = "SETTLING"
    UNLEDGERED = "UNLEDGERED"
    AGREED = "AGREED"
    REPAIR = "REPAIR"
    FORCED = "FORCED"
    EXCESS = "EXCESS"
    DEFICIT = "DEFICIT"


@dataclass(frozen=True, slots=True)
class LegFacts:
    """All that the table looks at, for one leg."""

    now_ms: int
    limits: Limits
    step: Decimal
    """The symbol's quantity step; 0 if the venue lists no such symbol: then any difference is drift."""
    view: PositionView | None
    """The newest view of the leg (`newest`)."""
    complete_read_ms: int | None
    """Our clock before the newest complete view's request; None before the first."""
    ledger: LedgerState
    baseline: bool
    """True once the account's first complete view was journaled."""
    unledgered_hold: bool
    """True while an unledgered hold stands on the leg."""
    orders: tuple[Order, ...]
    """Own orders of the leg that are not settled."""
    settling_since_ms: int | None
    """Our clock when the leg stopped being agreed; None if it was agreed until now."""
    evidence: Evidence | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the table says of one leg."""

    row: int
    status: Status
    hold: HoldReason | None
    """The hold that must stand by this verdict; None if none need be placed."""
    exchange_amt: Decimal | None
    ledger_amt: Decimal
    drift: Decimal | None
    """E - L; None without a view."""


def judge(facts: LegFacts) -> Verdict:
    """Run the table (see the module) over one leg."""
    stale = _row_1(facts)
    if stale is not None:
        return _verdict(facts, 1, Status.NO_VIEW, stale)
    if facts.view is None:  # row 1 answered that; the type checker cannot know
        return _verdict(facts, 1, Status.NO_VIEW, HoldReason.VIEW_MISSING)
    amount = facts.view.amt
    drift = amount - facts.ledger.amt
    agreed = drift == ZERO or abs(drift) < facts.step
    if not _view_counts(facts, facts.view, agreed=agreed):
        if _settled_long_enough(facts):
            return _verdict(facts, 2, Status.NO_VIEW, HoldReason.VIEW_STALE)
        return _verdict(facts, 2, Status.SETTLING, None)
    if not agreed and _own_orders_explain(facts, drift):
        return _verdict(facts, 3, Status.SETTLING, None)
    if (not facts.baseline or facts.unledgered_hold) and amount != ZERO and not agreed:
        return _verdict(facts, 4, Status.UNLEDGERED, HoldReason.UNLEDGERED)
    if agreed:
        return _verdict(facts, 5, Status.AGREED, None)
    return _rows_6_to_9(facts, amount, drift)


def _row_1(facts: LegFacts) -> HoldReason | None:
    if facts.view is None or facts.complete_read_ms is None:
        return HoldReason.VIEW_MISSING
    age = facts.now_ms - facts.complete_read_ms
    if age < 0 or age > facts.limits.view_age_ms_max:
        return HoldReason.VIEW_STALE
    return None


def _view_counts(facts: LegFacts, view: PositionView, *, agreed: bool) -> bool:
    if view.as_of_ms == facts.ledger.last_fill_ms:
        return agreed
    return view.as_of_ms > facts.ledger.last_fill_ms


def _settled_long_enough(facts: LegFacts) -> bool:
    return _settles_beyond(facts, facts.limits.settle_ms_max)


def _settles_beyond(facts: LegFacts, bound_ms: int) -> bool:
    if facts.settling_since_ms is None:
        return False
    return not 0 <= facts.now_ms - facts.settling_since_ms <= bound_ms


def _own_orders_explain(facts: LegFacts, drift: Decimal) -> bool:
    """Row 3: first what they may have executed, after `settle_ms_max` only what the venue said they did."""
    if not _settled_long_enough(facts):
        return _inside(drift, [(o, o.unbooked_max) for o in facts.orders])
    if _settles_beyond(facts, facts.limits.unknown_ms_max) or _shown_by_trades(facts, drift) is not None:
        return False
    said = [(o, max(o.executed_qty - o.booked_qty, ZERO)) for o in facts.orders]
    return _inside(drift, said)


def _inside(drift: Decimal, parts: list[tuple[Order, Decimal]]) -> bool:
    low = high = ZERO
    for order, qty in parts:
        signed = order.ledger_part(qty) * order.side.sign
        low += min(signed, ZERO)
        high += max(signed, ZERO)
    return low <= drift <= high


def _rows_6_to_9(facts: LegFacts, amount: Decimal, drift: Decimal) -> Verdict:
    shown = _shown_by_trades(facts, drift)
    if shown is Status.REPAIR:
        return _verdict(facts, 6, Status.REPAIR, None)
    is_excess = same_sign(amount, drift)
    reason = HoldReason.DRIFT if is_excess else HoldReason.DEFICIT
    if shown is Status.FORCED:
        waits = facts.limits.forced is ForcedPolicy.HOLD
        return _verdict(facts, 7, Status.FORCED, HoldReason.FORCED_REDUCTION if waits else reason)
    if is_excess:
        return _verdict(facts, 8, Status.EXCESS, reason)
    return _verdict(facts, 9, Status.DEFICIT, reason)


def _shown_by_trades(facts: LegFacts, drift: Decimal) -> Status | None:
    """Rows 6 and 7: REPAIR or FORCED if the trades that the ledger lacks explain the drift that way, else None."""
    evidence = facts.evidence
    if evidence is None or facts.view is None or not evidence.explains(drift, facts.ledger):
        return None
    if evidence.own and not evidence.forced and evidence.own_ledger_qty == drift:
        return Status.REPAIR
    is_all = evidence.own_ledger_qty + evidence.forced_qty == drift
    if evidence.forced and (is_all or not same_sign(facts.view.amt, drift)):
        return Status.FORCED
    return None


def _verdict(facts: LegFacts, row: int, status: Status, hold: HoldReason | None) -> Verdict:
    amount = facts.view.amt if facts.view is not None else None
    drift = amount - facts.ledger.amt if amount is not None else None
    return Verdict(row, status, hold, amount, facts.ledger.amt, drift)
