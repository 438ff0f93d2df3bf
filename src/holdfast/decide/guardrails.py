"""May this close become an order? All guardrails, in one function, first refusal wins.

A close passes the ordinary permits by; these are what stands in their place. Nothing of the message is believed:
it only names a close, and the journal's own copy is what is judged and sent.

    | rule             | the close is refused when                                        | code                  |
    |------------------|------------------------------------------------------------------|-----------------------|
    | decision         | decision is neither RECONCILE_CLOSE nor OPERATOR_CLOSE           | close_wrong_decision  |
    | market           | type is not MARKET                                               | close_not_market      |
    | reduce_only      | reduceOnly is not true                                           | close_not_reduce_only |
    | side             | side is not `close`                                              | close_side_not_close  |
    | quantity         | quantity <= 0 or off the step                                    | bad_qty, qty_off_step |
    | journaled        | the journal has no such close                                    | close_not_journaled   |
    | differs          | a field of the message differs from the journal                  | close_differs_...     |
    | unclaimed        | the journal's close is not PLANNED                               | close_superseded      |
    | expired          | its life is over, or begins in the future                        | close_expired         |
    | mode             | the account is held because its position mode changed             | position_mode_changed |
    | approval         | OPERATOR: no journaled approval with a name and a reason         | close_not_approved    |
    | switched_on      | RECONCILE: RECONCILE_CLOSE is switched off                       | closes_switched_off   |
    | hold             | RECONCILE: its hold is not open                                  | close_hold_not_open   |
    | symbol           | RECONCILE: leg is not the hold's                                 | close_symbol_not_held |
    | halted           | RECONCILE: trading is HALTED                                     | halted                |
    | trading          | the venue does not trade the symbol                              | symbol_not_trading    |
    | fresh            | no fresh position or ledger of the leg, too old a read, or older than our last fill; | |
    |                  | RECONCILE: or as old as it: equal milliseconds accuse nobody     | close_position_stale  |
    | flat             | the position is flat                                             | close_position_flat   |
    | flipped          | its sign is not the planned one                                  | close_position_flipped |
    | exposure         | quantity above the position                                      | close_above_exposure  |
    | drift            | RECONCILE: no drift left                                         | close_drift_gone      |
    | drift_sign       | RECONCILE: the drift's sign is not the position's                | close_drift_sign      |
    | above_drift      | RECONCILE: quantity above the drift                              | close_above_drift     |
    | other_order      | another own order of the leg is not settled                      | close_other_order_live |
    | other_close      | another close of the leg is unfinished                           | close_other_close_... |
    | attempts         | RECONCILE: close_attempts_max closes brought no progress         | close_attempts_spent  |
    | backoff          | RECONCILE: the next attempt is not due yet                       | close_backing_off     |
    | notional         | RECONCILE: above close_notional_max and an approval, or unknown  | close_notional_...    |

Invariants I1, I2, I3, I5. Real checks, never `assert`: that vanishes under -O. Source: DESIGN §6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.domain.amounts import ZERO, format_amount, is_on_step, same_sign, sign_of
from holdfast.domain.close import Close, CloseState, plan_of_close
from holdfast.domain.hold import StepKind
from holdfast.domain.limits import ReconcileClose
from holdfast.domain.names import client_order_id
from holdfast.domain.permit import Permit, Refusal
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Decision, OrderType, PlanSide, TradingState

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.domain.hold import Hold
    from holdfast.domain.instrument import Instrument
    from holdfast.domain.ledger import LedgerState
    from holdfast.domain.limits import Limits
    from holdfast.domain.names import AccountId
    from holdfast.domain.order import Order
    from holdfast.domain.plan import Plan
    from holdfast.domain.view import PositionView


@dataclass(frozen=True, slots=True)
class CloseFacts:
    """All that the guardrails look at."""

    account: AccountId
    plan: Plan
    """The message, or the journal's close put as a plan when the message was lost."""
    close: Close | None
    """The journal's close of that plan id."""
    hold: Hold | None
    """The journal's hold of that close."""
    now_ms: int
    venue_offset_ms: int
    limits: Limits
    trading: TradingState
    instrument: Instrument | None
    position: PositionView | None
    """Read fresh from the venue for this decision; None if it could not be read."""
    ledger: LedgerState
    mode_changed: bool
    """True while any leg of the account is held because its position mode changed at the venue."""
    orders: tuple[Order, ...]
    """Own orders of the leg that are not settled, without the close's own."""
    unfinished: Close | None
    """The leg's unfinished close."""


def judge_message(plan: Plan, close: Close | None, instrument: Instrument | None) -> Refusal | None:
    """Tell whether a message on the bus is the journal's close; a forged one is refused and touches nothing."""
    refusal = _message(plan, instrument)
    if refusal is not None:
        return refusal
    if close is None:
        return _no("journaled", Reason.NOT_JOURNALED, "the journal knows no such close")
    if plan_of_close(close).content_hash() != plan.content_hash() or _differs(plan, close):
        return _no("differs", Reason.CLOSE_DIFFERS, "the message is not the close that the journal holds")
    return None


def permit_close(facts: CloseFacts) -> Permit | Refusal:
    """Run every guardrail (see the module)."""
    refusal = judge_message(facts.plan, facts.close, facts.instrument)
    if refusal is not None:
        return refusal
    close = facts.close
    if close is None:  # judge_message answered that; the type checker cannot know
        return _no("journaled", Reason.NOT_JOURNALED, "the journal knows no such close")
    refusal = (
        _authority(facts, close)
        or _position(facts, close)
        or _drift(facts, close)
        or _others(facts, close)
        or _bounds(facts, close)
    )
    if refusal is not None:
        return refusal
    return Permit(
        plan_id=close.plan_id,
        decision=close.decision,
        leg=close.leg,
        side=close.side,
        qty=close.qty,
        order_type=OrderType.MARKET,
        reduce_only=True,
        price=None,
        time_in_force=None,
        client_order_id=client_order_id(facts.account, close.plan_id),
        against_drift_qty=against_drift(facts, close),
        hold_id=close.hold_id,
        timestamp_ms=facts.now_ms + facts.venue_offset_ms,
        recv_window_ms=facts.limits.recv_window_ms,
    )


def against_drift(facts: CloseFacts, close: Close) -> Decimal:
    """The first part of the fill, which undoes the drift; what exceeds it moves the ledger (operator's closes).

    All of a RECONCILE_CLOSE; of an OPERATOR_CLOSE the drift at this moment, if it has the position's sign.
    """
    if close.decision is Decision.RECONCILE_CLOSE or facts.position is None:
        return close.qty
    drift = facts.position.amt - facts.ledger.amt
    if not same_sign(drift, facts.position.amt):
        return ZERO
    return min(abs(drift), close.qty)


def _no(rule: str, reason: Reason, detail: str) -> Refusal:
    return Refusal(reason, detail, rule)


def _is_reconcile(facts: CloseFacts) -> bool:
    return facts.plan.decision is Decision.RECONCILE_CLOSE


def _message(plan: Plan, instrument: Instrument | None) -> Refusal | None:
    if plan.decision not in {Decision.RECONCILE_CLOSE, Decision.OPERATOR_CLOSE}:
        return _no("decision", Reason.NOT_A_CLOSE, f"decision is {plan.decision.value}")
    if plan.order_type is not OrderType.MARKET:
        return _no("market", Reason.NOT_MARKET, f"type is {plan.order_type.value}")
    if not plan.reduce_only:
        return _no("reduce_only", Reason.NOT_REDUCE_ONLY, "reduceOnly is not true")
    if plan.side is not PlanSide.CLOSE:
        return _no("side", Reason.NOT_SIDE_CLOSE, f"side is {plan.side.value}")
    if plan.qty <= ZERO:
        return _no("quantity", Reason.BAD_QTY, f"quantity is {format_amount(plan.qty)}")
    if instrument is None or not is_on_step(plan.qty, instrument.qty_step):
        return _no("quantity", Reason.OFF_STEP, f"{format_amount(plan.qty)} is not on the symbol's step")
    return None


def _authority(facts: CloseFacts, close: Close) -> Refusal | None:
    if close.state is not CloseState.PLANNED:
        return _no("unclaimed", Reason.SUPERSEDED, f"the close is {close.state.value}")
    if not close.created_ms <= facts.now_ms <= close.expires_ms:
        return _no("expired", Reason.EXPIRED, f"it expired {facts.now_ms - close.expires_ms} ms ago")
    if facts.mode_changed:
        return _no("mode", Reason.MODE_CHANGED, "the account's position mode was changed at the exchange")
    if not _is_reconcile(facts):
        approval = close.approval
        if approval is None or not approval.name.strip() or not approval.reason.strip():
            return _no("approval", Reason.NOT_APPROVED, "no person's name and reason stand behind it")
        return None
    if facts.limits.reconcile_close is ReconcileClose.OFF:
        return _no("switched_on", Reason.CLOSES_OFF, "RECONCILE_CLOSE is switched off")
    if facts.hold is None or not facts.hold.is_open or facts.hold.hold_id != close.hold_id:
        return _no("hold", Reason.HOLD_NOT_OPEN, f"hold {close.hold_id} is not open")
    if facts.hold.leg != close.leg:
        return _no("symbol", Reason.WRONG_SYMBOL, f"the hold is of {facts.hold.leg.key}")
    if facts.trading is TradingState.HALTED:
        return _no("halted", Reason.HALTED, "trading on the account is halted")
    return None


def _differs(plan: Plan, close: Close) -> bool:
    """Compare what the content hash leaves out: the amounts the message claims and its life."""
    canonical = plan_of_close(close)
    return plan.close_claim != canonical.close_claim or plan.expires_ms != canonical.expires_ms


def _position(facts: CloseFacts, close: Close) -> Refusal | None:
    if facts.instrument is not None and not facts.instrument.is_trading:
        return _no("trading", Reason.SYMBOL_NOT_TRADING, f"{close.leg.symbol} is {facts.instrument.status}")
    position = facts.position
    if position is None or position.leg != close.leg or facts.ledger.leg != close.leg:
        return _no("fresh", Reason.POSITION_STALE, "the position could not be read")
    age = facts.now_ms - position.read_ms
    if not 0 <= age <= facts.limits.input_age_ms_max:
        return _no("fresh", Reason.POSITION_STALE, f"the position was read {age} ms ago")
    if position.as_of_ms < facts.ledger.last_fill_ms:
        return _no("fresh", Reason.POSITION_STALE, "the venue showed a position older than our last fill")
    if _is_reconcile(facts) and position.as_of_ms == facts.ledger.last_fill_ms:
        return _no("fresh", Reason.POSITION_STALE, "the position is of our last fill's millisecond, and may lack it")
    if position.amt == ZERO:
        return _no("flat", Reason.POSITION_FLAT, "the position is flat")
    if sign_of(position.amt) == close.side.sign:
        return _no("flipped", Reason.POSITION_FLIPPED, f"the position is {format_amount(position.amt)}")
    if close.qty > abs(position.amt):
        return _no("exposure", Reason.ABOVE_EXPOSURE, f"the position is only {format_amount(position.amt)}")
    return None


def _drift(facts: CloseFacts, close: Close) -> Refusal | None:
    if not _is_reconcile(facts) or facts.position is None:
        return None
    drift = facts.position.amt - facts.ledger.amt
    if drift == ZERO:
        return _no("drift", Reason.DRIFT_GONE, "exchange and ledger agree")
    if not same_sign(drift, facts.position.amt):
        return _no("drift_sign", Reason.DRIFT_SIGN, f"a drift of {format_amount(drift)} would widen")
    if close.qty > abs(drift):
        return _no("above_drift", Reason.ABOVE_DRIFT, f"the drift is only {format_amount(drift)}")
    return None


def _others(facts: CloseFacts, close: Close) -> Refusal | None:
    for order in facts.orders:
        return _no("other_order", Reason.OTHER_ORDER, f"order {order.client_order_id} is {order.state.value}")
    other = facts.unfinished
    if other is not None and other.plan_id != close.plan_id:
        return _no("other_close", Reason.OTHER_CLOSE, f"close {other.plan_id} is {other.state.value}")
    return None


def _bounds(facts: CloseFacts, close: Close) -> Refusal | None:
    allowed = facts.limits.close_notional_max
    if _is_reconcile(facts) and facts.hold is not None:
        hold = facts.hold
        if hold.close_attempts >= facts.limits.close_attempts_max:
            return _no("attempts", Reason.ATTEMPTS_SPENT, f"{hold.close_attempts} closes brought no progress")
        if hold.next_step.kind is StepKind.CLOSE_BACKOFF and facts.now_ms < hold.next_step.due_ms:
            return _no("backoff", Reason.BACKING_OFF, "the next attempt is not due yet")
        allowed = max(allowed, hold.approved_notional or ZERO)
    if not _is_reconcile(facts):
        return None
    mark = facts.position.mark_price if facts.position is not None else None
    if mark is None or mark <= ZERO:
        return _no("notional", Reason.ABOVE_CLOSE_NOTIONAL, "no mark price bounds the notional")
    if close.qty * mark > allowed:
        return _no("notional", Reason.ABOVE_CLOSE_NOTIONAL, f"more than {format_amount(allowed)}")
    return None
