"""One leg as it was judged: what the journal keeps of the facts behind it, and the hold's next step.

Shared by those who write moves down; nothing here decides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from holdfast.decide.move import EpisodeFacts, Move, automatic_hold
from holdfast.domain.amounts import format_amount
from holdfast.domain.entry import EntryKind, JsonValue
from holdfast.domain.hold import HoldReason, StepKind
from holdfast.services.holding import Written, alert_person, append_entry

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from holdfast.decide.evidence import Evidence
    from holdfast.decide.reconcile import Verdict
    from holdfast.domain.ledger import LedgerState
    from holdfast.domain.trade import Trade, Undone
    from holdfast.ports.journal import Tx


@dataclass(frozen=True, slots=True)
class Judged:
    """One leg, judged."""

    facts: EpisodeFacts
    verdict: Verdict
    move: Move
    closes_planned: int
    """Closes planned under the leg's hold so far."""

    @property
    def is_of_another_mode(self) -> bool:
        """Tell whether the leg is held because the account's position mode changed: looks at it show nothing."""
        hold = automatic_hold(self.facts.holds)
        return hold is not None and hold.reason is HoldReason.MODE_CHANGED


def what_it_saw(judged: Judged) -> dict[str, JsonValue]:
    """The facts behind a verdict, as the journal keeps them."""
    facts, verdict = judged.facts.leg, judged.verdict
    view, second, evidence = facts.view, judged.facts.second, facts.evidence
    earlier = judged.facts.earlier if view == second else None
    return {
        "position_side": facts.ledger.leg.position_side.value,
        "row": verdict.row,
        "status": verdict.status.value,
        "exchange_amt": amount_text(verdict.exchange_amt),
        "ledger_amt": amount_text(verdict.ledger_amt),
        "drift": amount_text(verdict.drift),
        "ledger_version": facts.ledger.version,
        "last_fill_ms": facts.ledger.last_fill_ms,
        "step": amount_text(facts.step),
        "view": None
        if view is None
        else {"source": view.source.value, "as_of_ms": view.as_of_ms, "read_ms": view.read_ms},
        "second": None
        if second is None
        else {"amt": amount_text(second.amt), "as_of_ms": second.as_of_ms, "read_ms": second.read_ms},
        "earlier": None
        if earlier is None
        else {"amt": amount_text(earlier.amt), "as_of_ms": earlier.as_of_ms, "read_ms": earlier.read_ms},
        "evidence": None if evidence is None else _evidence(evidence),
        "orders": [order.client_order_id for order in facts.orders],
    }


def _evidence(evidence: Evidence) -> dict[str, JsonValue]:
    return {
        "complete": evidence.complete,
        "own": trade_ids(evidence.own),
        "forced": trade_ids(evidence.forced),
        "foreign": trade_ids(evidence.foreign),
        "undone": trade_ids(evidence.undone),
        "read_ms": evidence.read_ms,
    }


def trade_ids(trades: Iterable[Trade | Undone]) -> list[JsonValue]:
    """The trades' ids, as the journal keeps them."""
    return [trade.trade_id for trade in trades]


def amount_text(amount: Decimal | None) -> str | None:
    """An amount, as the journal keeps it."""
    return None if amount is None else format_amount(amount)


def seen_in(judged: Judged, state: LedgerState) -> LedgerState:
    """The leg's row with what this verdict saw."""
    view = judged.facts.leg.view
    return replace(
        state,
        seen_amt=judged.verdict.exchange_amt,
        seen_as_of_ms=view.as_of_ms if view is not None else None,
        status=judged.verdict.status.value,
    )


def write_next_step(tx: Tx, judged: Judged, out: Written) -> None:
    """Write the hold's next step if it changed, with an alert if it is a person's."""
    standing, step = automatic_hold(judged.facts.holds), judged.move.step
    if standing is None or step is None:
        return
    hold = tx.hold(standing.hold_id)
    if hold is None or not hold.is_open:
        return
    _keep_what_wasseen_in(tx, judged)
    if (hold.next_step.kind, hold.next_step.text) == (step.kind, step.text):
        return
    tx.put_hold(replace(hold, next_step=step))
    body = what_it_saw(judged) | {"reason": hold.reason.value, "next_step": step.text, "due_ms": step.due_ms}
    if step.kind is StepKind.OPERATOR:
        append_entry(tx, out, EntryKind.MANUAL_REQUIRED, hold.leg, hold.hold_id, body)
        alert_person(tx, hold, step.text, out)
    else:
        append_entry(tx, out, EntryKind.HOLD_UPDATED, hold.leg, hold.hold_id, body)


def _keep_what_wasseen_in(tx: Tx, judged: Judged) -> None:
    """A held leg's exchange amount goes on changing: what people are shown follows, also where no move is due."""
    now = tx.leg(judged.facts.leg.ledger.leg)
    seen = seen_in(judged, now)
    if (seen.seen_amt, seen.status) != (now.seen_amt, now.status):
        tx.put_leg(seen)
