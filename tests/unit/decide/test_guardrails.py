"""The guardrails of a close: every two rules broken at once, by every way to break them, and every near miss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

from holdfast.decide.guardrails import CloseFacts, against_drift, judge_message, permit_close
from holdfast.domain.close import Approval, Close, CloseState, plan_of_close
from holdfast.domain.hold import NextStep, StepKind
from holdfast.domain.limits import ReconcileClose
from holdfast.domain.names import HoldId, PlanId, client_order_id
from holdfast.domain.order import OrderState
from holdfast.domain.permit import Permit, Refusal
from holdfast.domain.plan import CloseClaim
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Decision, OrderType, PlanSide, PositionSide, Side, TradingState
from tests.unit.decide.samples import (
    ACCOUNT,
    CLOSE,
    HOLD,
    INSTRUMENT,
    LEDGER,
    LEG,
    LIMITS,
    LONG_LEG,
    NOW,
    OPERATOR_CLOSE,
    ORDER,
    OTHER_LEG,
    VIEW,
    ZERO,
    D,
)
from tests.unit.decide.tables import Row, hold_to

if TYPE_CHECKING:
    from collections.abc import Iterator

Change = Callable[[CloseFacts], CloseFacts]
FILL_MS = LEDGER.last_fill_ms
GOOD = CloseFacts(
    account=ACCOUNT,
    plan=plan_of_close(CLOSE),
    close=CLOSE,
    hold=HOLD,
    now_ms=NOW,
    venue_offset_ms=-7,
    limits=replace(LIMITS, close_notional_max=D(50)),
    trading=TradingState.ACTIVE,
    instrument=INSTRUMENT,
    position=VIEW,
    ledger=replace(LEDGER, amt=D(2)),
    mode_changed=False,
    orders=(),
    unfinished=CLOSE,
)
"""E 7, L 2: the close of 5 is exactly the drift, its notional of 50 exactly the limit."""
OPERATORS = replace(
    GOOD, plan=plan_of_close(OPERATOR_CLOSE), close=OPERATOR_CLOSE, hold=None, unfinished=OPERATOR_CLOSE
)


def plan(**changes: Any) -> Change:
    """Change the message alone."""
    return lambda f: replace(f, plan=replace(f.plan, **changes))


def close(**changes: Any) -> Change:
    """Change the journal's close, and the message with it."""

    def change(facts: CloseFacts) -> CloseFacts:
        if facts.close is None:
            return facts
        changed = replace(facts.close, **changes)
        return replace(facts, close=changed, plan=plan_of_close(changed), unfinished=changed)

    return change


def position(**changes: Any) -> Change:
    """Change the fresh position."""
    return lambda f: replace(f, position=replace(VIEW, **changes))


def hold(**changes: Any) -> Change:
    """Change the hold, if there is one."""
    return lambda f: f if f.hold is None else replace(f, hold=replace(f.hold, **changes))


def ledger(**changes: Any) -> Change:
    """Change the ledger."""
    return lambda f: replace(f, ledger=replace(f.ledger, **changes))


def facts(**changes: Any) -> Change:
    """Change other facts."""
    return lambda f: replace(f, **changes)


AGE_MAX = LIMITS.input_age_ms_max
OTHER = replace(CLOSE, plan_id=PlanId("rc-h-1-0"))
CHANGES: dict[str, list[Change]] = {
    "decision": [plan(decision=Decision.EXECUTE)],
    "market": [plan(order_type=OrderType.LIMIT)],
    "reduce_only": [plan(reduce_only=False)],
    "side": [plan(side=PlanSide.BUY), plan(side=PlanSide.SELL)],
    "qty": [close(qty=D(q)) for q in ("0", "-5", "4.5", "4", "6", "7", "8")],
    "rules": [facts(instrument=None), facts(instrument=replace(INSTRUMENT, status="BREAK"))],
    "journaled": [facts(close=None)],
    "differs": [
        plan(qty=D(4)),
        plan(expires_ms=NOW + 10**6),
        plan(close_claim=None),
        plan(decision=Decision.OPERATOR_CLOSE),
        plan(decision=Decision.RECONCILE_CLOSE),
        plan(plan_id=PlanId("rc-h-1-9")),
    ],
    "state": [close(state=state) for state in CloseState],
    "life": [close(expires_ms=NOW), close(expires_ms=NOW - 1), close(created_ms=NOW), close(created_ms=NOW + 1)],
    "mode": [facts(mode_changed=True)],
    "switched_on": [lambda f: replace(f, limits=replace(f.limits, reconcile_close=ReconcileClose.OFF))],
    "hold": [facts(hold=None), hold(released_ms=NOW - 1), hold(hold_id=HoldId("h-2"))],
    "symbol": [hold(leg=OTHER_LEG)],
    "approval": [
        close(approval=None),
        close(approval=Approval("ana", " ")),
        close(approval=Approval("", "why")),
        close(approval=Approval("ana", "why")),
    ],
    "halted": [facts(trading=TradingState.HALTED)],
    "fresh": [
        facts(position=None),
        position(leg=OTHER_LEG),
        position(read_ms=NOW - AGE_MAX),
        position(read_ms=NOW - AGE_MAX - 1),
        position(read_ms=NOW),
        position(read_ms=NOW + 1),
        position(as_of_ms=FILL_MS - 1),
        position(as_of_ms=FILL_MS),
        position(as_of_ms=FILL_MS + 1),
        ledger(leg=OTHER_LEG),
    ],
    "position": [position(amt=D(q)) for q in ("0", "-7", "4", "5", "6", "1000")],
    "ledger": [ledger(amt=D(q)) for q in ("7", "8", "3", "0", "-3")],
    "other_order": [facts(orders=(replace(ORDER, state=state),)) for state in OrderState],
    "other_close": [facts(unfinished=OTHER), facts(unfinished=None)],
    "attempts": [hold(close_attempts=2), hold(close_attempts=3), hold(close_attempts=4)],
    "backoff": [
        hold(next_step=NextStep(StepKind.CLOSE_BACKOFF, NOW + 1, "")),
        hold(next_step=NextStep(StepKind.CLOSE_BACKOFF, NOW, "")),
        hold(next_step=NextStep(StepKind.OPERATOR, NOW + 1, "")),
    ],
    "notional": [
        position(mark_price=None),
        position(mark_price=ZERO),
        position(mark_price=D(-1)),
        position(mark_price=D("10.01")),
        lambda f: hold(approved_notional=D("50.05"))(position(mark_price=D("10.01"))(f)),
        lambda f: hold(approved_notional=D("50.04"))(position(mark_price=D("10.01"))(f)),
    ],
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What the table speaks about, read off the facts again in the words of the table."""

    f: CloseFacts

    @property
    def close(self) -> Close:
        """The journal's close; the rows before it have answered if there is none."""
        return self.f.close or CLOSE

    @property
    def reconcile(self) -> bool:
        """Tell whether the close is the reconciler's."""
        return self.f.plan.decision is Decision.RECONCILE_CLOSE

    @property
    def held(self) -> int:
        """The position in whole units, signed."""
        return int(self.f.position.amt) if self.f.position is not None else 0

    @property
    def drift(self) -> int:
        """E - L."""
        return self.held - int(self.f.ledger.amt)


def differs(s: Seen) -> bool:
    """Any field that the message and the journal's close share."""
    p, c = s.f.plan, s.close
    claim = p.close_claim
    claimed = (claim.hold_id, claim.exchange_amt, claim.ledger_amt) if claim is not None else None
    kept = (c.hold_id, c.exchange_amt, c.ledger_amt) if c.hold_id is not None else None
    return (p.plan_id, p.symbol, p.decision, p.qty, p.expires_ms, claimed) != (
        c.plan_id, c.leg.symbol, c.decision, c.qty, c.expires_ms, kept,
    )  # fmt: skip


def not_fresh(s: Seen) -> bool:
    """No position, of another leg, too old or from the future, older than our last fill (or as old)."""
    p = s.f.position
    if p is None or p.leg != s.close.leg or s.f.ledger.leg != s.close.leg:
        return True
    if not p.read_ms <= s.f.now_ms <= p.read_ms + AGE_MAX:
        return True
    return p.as_of_ms < FILL_MS or (s.reconcile and p.as_of_ms == FILL_MS)


def hold_open(s: Seen) -> bool:
    """The hold of this close is open."""
    h = s.f.hold
    return h is not None and h.released_ms is None and h.hold_id == s.close.hold_id


def above_notional(s: Seen) -> bool:
    """Above the limit and above what a person approved, or not known."""
    mark = s.f.position.mark_price if s.f.position is not None else None
    approved = s.f.hold.approved_notional if s.f.hold is not None else None
    return mark is None or mark <= 0 or mark * s.close.qty > max(s.f.limits.close_notional_max, approved or ZERO)


def no(reason: Reason, rule: str) -> tuple[str, str]:
    """What a refusal says."""
    return (reason.value, rule)


def unapproved(s: Seen) -> bool:
    """No journaled approval with a name and a reason."""
    a = s.close.approval
    return a is None or not (a.name.strip() and a.reason.strip())


def backs_off(s: Seen) -> bool:
    """The next attempt is not due yet."""
    h = s.f.hold
    return h is not None and h.next_step.kind is StepKind.CLOSE_BACKOFF and h.next_step.due_ms > s.f.now_ms


def off_step(s: Seen) -> bool:
    """No whole number of steps, or no step known."""
    rules = s.f.instrument
    return rules is None or (s.f.plan.qty / rules.qty_step) % 1 != 0


ROWS: list[Row[Seen]] = [
    Row("decision", lambda s: s.f.plan.decision is Decision.EXECUTE, no(Reason.NOT_A_CLOSE, "decision")),
    Row("market", lambda s: s.f.plan.order_type is not OrderType.MARKET, no(Reason.NOT_MARKET, "market")),
    Row("reduce_only", lambda s: not s.f.plan.reduce_only, no(Reason.NOT_REDUCE_ONLY, "reduce_only")),
    Row("side", lambda s: s.f.plan.side is not PlanSide.CLOSE, no(Reason.NOT_SIDE_CLOSE, "side")),
    Row("positive", lambda s: s.f.plan.qty <= 0, no(Reason.BAD_QTY, "quantity")),
    Row("on step", off_step, no(Reason.OFF_STEP, "quantity")),
    Row("journaled", lambda s: s.f.close is None, no(Reason.NOT_JOURNALED, "journaled")),
    Row("differs", differs, no(Reason.CLOSE_DIFFERS, "differs")),
    Row("unclaimed", lambda s: s.close.state is not CloseState.PLANNED, no(Reason.SUPERSEDED, "unclaimed")),
    Row(
        "expired",
        lambda s: s.close.expires_ms < s.f.now_ms or s.close.created_ms > s.f.now_ms,
        no(Reason.EXPIRED, "expired"),
    ),
    Row("mode", lambda s: s.f.mode_changed, no(Reason.MODE_CHANGED, "mode")),
    Row("approval", lambda s: not s.reconcile and unapproved(s), no(Reason.NOT_APPROVED, "approval")),
    Row(
        "switched_on",
        lambda s: s.reconcile and s.f.limits.reconcile_close is ReconcileClose.OFF,
        no(Reason.CLOSES_OFF, "switched_on"),
    ),
    Row("hold", lambda s: s.reconcile and not hold_open(s), no(Reason.HOLD_NOT_OPEN, "hold")),
    Row(
        "symbol",
        lambda s: s.reconcile and s.f.hold is not None and s.f.hold.leg != s.close.leg,
        no(Reason.WRONG_SYMBOL, "symbol"),
    ),
    Row("halted", lambda s: s.reconcile and s.f.trading is TradingState.HALTED, no(Reason.HALTED, "halted")),
    Row(
        "trading",
        lambda s: s.f.instrument is not None and s.f.instrument.status != "TRADING",
        no(Reason.SYMBOL_NOT_TRADING, "trading"),
    ),
    Row("fresh", not_fresh, no(Reason.POSITION_STALE, "fresh")),
    Row("flat", lambda s: s.held == 0, no(Reason.POSITION_FLAT, "flat")),
    Row("flipped", lambda s: s.held < 0, no(Reason.POSITION_FLIPPED, "flipped")),
    Row("exposure", lambda s: s.close.qty > s.held, no(Reason.ABOVE_EXPOSURE, "exposure")),
    Row("drift", lambda s: s.reconcile and s.drift == 0, no(Reason.DRIFT_GONE, "drift")),
    Row("drift_sign", lambda s: s.reconcile and s.drift < 0, no(Reason.DRIFT_SIGN, "drift_sign")),
    Row("above_drift", lambda s: s.reconcile and s.close.qty > s.drift, no(Reason.ABOVE_DRIFT, "above_drift")),
    Row("other_order", lambda s: len(s.f.orders) > 0, no(Reason.OTHER_ORDER, "other_order")),
    Row("other_close", lambda s: s.f.unfinished == OTHER, no(Reason.OTHER_CLOSE, "other_close")),
    Row(
        "attempts",
        lambda s: s.reconcile and s.f.hold is not None and s.f.hold.close_attempts >= 3,
        no(Reason.ATTEMPTS_SPENT, "attempts"),
    ),
    Row("backoff", lambda s: s.reconcile and backs_off(s), no(Reason.BACKING_OFF, "backoff")),
    Row("notional", lambda s: s.reconcile and above_notional(s), no(Reason.ABOVE_CLOSE_NOTIONAL, "notional")),
    Row("permit", lambda _: True, "permit"),
]


def world() -> Iterator[Seen]:
    """Both kinds of close under every one, two and (where amounts meet) three changes, in both orders."""
    for base in (GOOD, OPERATORS):
        yield Seen(base)
        for (left, lefts), (right, rights) in combinations(CHANGES.items(), 2):
            for first, second in product(lefts, rights):
                yield Seen(second(first(base)))
                yield Seen(first(second(base)))
                if {left, right} <= {"qty", "fresh", "position", "ledger", "notional", "hold"}:
                    for third in (*CHANGES["qty"], *CHANGES["ledger"], *CHANGES["position"]):
                        yield Seen(third(second(first(base))))


def judged(s: Seen) -> object:
    """The refusal's code and rule, or `permit`; a permit is checked field for field on the way."""
    choice = permit_close(s.f)
    message = judge_message(s.f.plan, s.f.close, s.f.instrument)
    assert message is None or message == choice, "the message's own judge says otherwise"
    if isinstance(choice, Refusal):
        assert choice.detail
        assert not choice.can_wait
        return choice.reason.value, choice.rule
    drift = max(s.drift, 0)
    assert choice == Permit(
        plan_id=s.close.plan_id,
        decision=s.close.decision,
        leg=s.close.leg,
        side=Side.SELL,
        qty=s.close.qty,
        order_type=OrderType.MARKET,
        reduce_only=True,
        price=None,
        time_in_force=None,
        client_order_id=client_order_id(ACCOUNT, s.close.plan_id),
        against_drift_qty=s.close.qty if s.reconcile else min(D(drift), s.close.qty),
        hold_id=s.close.hold_id,
        timestamp_ms=NOW - 7,
        recv_window_ms=LIMITS.recv_window_ms,
    )
    return "permit"


def test_the_first_broken_rule_refuses() -> None:
    """Whatever is broken, alone or together, the first rule of the table that applies refuses; else a permit."""
    decided = hold_to(ROWS, world(), judged)
    assert sum(decided.values()) > 15_000
    assert decided["permit"] > 100


def test_what_a_persons_close_takes_from_the_drift_and_what_from_the_ledger() -> None:
    """For every E, L and quantity the fill of a person's close first undoes the drift, then moves the ledger."""
    for exchange, book, qty in product(range(-4, 5), range(-4, 5), range(1, 5)):
        if exchange == 0:
            continue
        side = Side.SELL if exchange > 0 else Side.BUY
        own = replace(OPERATOR_CLOSE, side=side, qty=D(qty))
        given = replace(OPERATORS, position=replace(VIEW, amt=D(exchange)), ledger=replace(LEDGER, amt=D(book)))
        against = against_drift(given, own)
        assert 0 <= against <= qty
        sign = 1 if exchange > 0 else -1
        new_drift = (exchange - sign * qty) - (book - sign * (qty - against))
        assert abs(new_drift) == abs(exchange - book) - against, (exchange, book, qty)
        widest = max(0, sign * (exchange - book))
        assert against == min(widest, qty), "all of the drift that the close can undo is undone first"


def test_a_journaled_close_stands_on_the_stream_as_the_contract_says() -> None:
    """The message of a close has `close`, MARKET, reduce-only, the journal's amounts and life, and its leg's side."""
    for kept, leg in product((CLOSE, OPERATOR_CLOSE), (LEG, LONG_LEG)):
        put = plan_of_close(replace(kept, leg=leg))
        assert (put.side, put.order_type, put.reduce_only) == (PlanSide.CLOSE, OrderType.MARKET, True)
        assert (put.plan_id, put.decision, put.symbol, put.qty) == (kept.plan_id, kept.decision, leg.symbol, kept.qty)
        assert (put.reason, put.timestamp_ms, put.expires_ms) == (kept.reason, kept.created_ms, kept.expires_ms)
        assert put.position_side is (None if leg is LEG else PositionSide.LONG)
        assert put.source == ("reconcile" if kept is CLOSE else "operator")
        claim = CloseClaim(HOLD.hold_id, kept.exchange_amt, kept.ledger_amt) if kept is CLOSE else None
        assert put.close_claim == claim


def test_all_of_a_reconcile_close_is_against_the_drift() -> None:
    """A RECONCILE_CLOSE never moves the ledger, whatever the position is by then; nor does one without a position."""
    flat = replace(GOOD, position=replace(VIEW, amt=ZERO))
    assert against_drift(flat, CLOSE) == CLOSE.qty
    assert against_drift(replace(OPERATORS, position=None), OPERATOR_CLOSE) == OPERATOR_CLOSE.qty
