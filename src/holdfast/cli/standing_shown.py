"""A Standing for people (table) and for programs (JSON). A leg with two holds shows both, the automatic one first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.cli.printing import (
    Table,
    amount_json,
    amount_text,
    columns,
    duration_text,
    time_text,
)
from holdfast.cli.standing import Freshness
from holdfast.domain.hold import StepKind
from holdfast.domain.sides import TradingState
from holdfast.domain.way_out import RUNBOOKS, WAYS_OUT, commands_for

if TYPE_CHECKING:
    from holdfast.cli.standing import LegStanding, Standing
    from holdfast.domain.entry import JsonValue
    from holdfast.domain.foreign import ForeignOrder
    from holdfast.domain.hold import Hold
    from holdfast.domain.order import Order

HEADERS = ("LEG", "EXCHANGE", "LEDGER", "DRIFT", "VERDICT", "AGE", "TRADING", "HOLD", "REASON", "NEXT STEP")
NARROW_COLUMNS = 7
REASON_COLUMN = 8
NARROW_HEADERS = (*HEADERS[:NARROW_COLUMNS], "HOLD")
_FRESHNESS_TEXT = {
    Freshness.FRESH: "watched",
    Freshness.STALE: "STALE: nobody renews the stamp (is `holdfast run` running?)",
    Freshness.BLIND: "BLIND: the exchange is not seen now (is `holdfast run` running?)",
}


def heading(standing: Standing) -> str:
    """One line about the account."""
    state = standing.state
    trading = state.trading_state.value
    if state.trading_state is TradingState.HALTED:
        trading += f" ({state.halt_detail})"
    parts = [f"account {state.account}: {trading}", _watch_text(standing)]
    if state.baseline_ms is None:
        parts.append("no baseline yet")
    if standing.alerts:
        ids = ", ".join(alert.alert_id for alert in standing.alerts)
        parts.append(f"alerts wait: {ids} (`holdfast alerts ack`)")
    return "; ".join(parts)


def _watch_text(standing: Standing) -> str:
    text = _FRESHNESS_TEXT[standing.freshness]
    return text if standing.stamp_age_ms is None else f"{text}, stamp {duration_text(standing.stamp_age_ms)} old"


def table_of(standing: Standing) -> Table:
    """One row a leg, everything in it: for pipes and wide screens."""
    return columns(HEADERS, [_row(leg, standing) for leg in standing.legs])


def narrow_table_of(standing: Standing) -> Table:
    """One row a leg without what takes width: `hold_lines` says that below it."""
    rows = table_of(standing).rows
    return columns(NARROW_HEADERS, [(*row[:NARROW_COLUMNS], row[REASON_COLUMN]) for row in rows])


def hold_lines(standing: Standing) -> list[str]:
    """One line about each open hold: its id, since when, what comes next."""
    return [
        f"{hold.hold_id}: {hold.reason.value} for {duration_text(max(standing.now_ms - hold.opened_ms, 0))}; "
        f"next: {_next_step((hold,), standing.now_ms)}"
        for leg in standing.legs
        for hold in leg.holds
    ]


def order_lines(standing: Standing) -> list[str]:
    """One line about each order that rests: ours, then those of others."""
    lines = []
    for order in standing.working:
        filled = f", {amount_text(order.booked_qty)} of it filled" if order.booked_qty else ""
        ends = f", to be cancelled ({order.cancel.why})" if order.cancel is not None else ""
        what = f"{order.side.value} {amount_text(order.qty)} {order.leg.key} at {amount_text(order.price)}"
        lines.append(f"rests: {what}{filled}{ends}; plan {order.plan_id}")
    for other in standing.foreign:
        what = f"{other.side.value} {amount_text(other.qty)} {other.leg.key} at {amount_text(other.price)}"
        lines.append(f"not ours: {what}; order {other.order_id} ({other.client_order_id})")
    return lines


def _row(leg: LegStanding, standing: Standing) -> tuple[str, ...]:
    return (
        leg.ledger.leg.key,
        amount_text(leg.ledger.seen_amt),
        amount_text(leg.ledger.amt),
        amount_text(leg.drift),
        _verdict(leg, standing.freshness),
        "-" if standing.stamp_age_ms is None else duration_text(standing.stamp_age_ms),
        "ALLOW" if leg.denied is None else f"DENY {leg.denied.value}",
        ", ".join(hold.hold_id for hold in leg.holds) or "-",
        ", ".join(hold.reason.value for hold in leg.holds) or "-",
        _next_step(leg.holds, standing.now_ms),
    )


def _verdict(leg: LegStanding, freshness: Freshness) -> str:
    ledger = leg.ledger
    word = "HOLD" if leg.holds else ledger.status or "NOT SEEN"
    if ledger.agreed_version is not None:
        word += f" at v{ledger.agreed_version}"
        word += "" if ledger.is_agreed else f", ledger is v{ledger.version}"
    elif leg.holds:
        word += f" {ledger.status}".rstrip()
    return word if freshness is Freshness.FRESH else f"{freshness.value}: {word}"


def _next_step(holds: tuple[Hold, ...], now_ms: int) -> str:
    if not holds:
        return "-"
    step = holds[0].next_step
    text = f"{step.kind.value}: {step.text} ({due_text(step.due_ms, now_ms)})"
    command = commands_for(holds[0])[0]
    is_named = command.removesuffix(" --reason ...") in step.text
    return f"{text}; type: {command}" if step.kind is StepKind.OPERATOR and not is_named else text


def due_text(due_ms: int, now_ms: int) -> str:
    """When a step is due, seen from now."""
    if now_ms <= due_ms:
        return f"due in {duration_text(due_ms - now_ms)}"
    return f"due since {duration_text(now_ms - due_ms)}"


def json_of(standing: Standing) -> JsonValue:
    """The account as one JSON object."""
    state = standing.state
    alerts: list[JsonValue] = [alert.alert_id for alert in standing.alerts]
    return {
        "account": state.account,
        "condition": standing.condition.value,
        "trading_state": state.trading_state.value,
        "halt_detail": state.halt_detail,
        "freshness": standing.freshness.value,
        "stamp_age_ms": standing.stamp_age_ms,
        "now_ms": standing.now_ms,
        "baseline_ms": state.baseline_ms,
        "position_mode": None if state.position_mode is None else state.position_mode.value,
        "entries": state.last_seq,
        "alerts_waiting": alerts,
        "legs": [_leg_json(leg, standing) for leg in standing.legs],
        "working_orders": [_working_json(order) for order in standing.working],
        "foreign_orders": [_foreign_json(order) for order in standing.foreign],
    }


def _working_json(order: Order) -> JsonValue:
    return {
        "plan_id": order.plan_id,
        "client_order_id": order.client_order_id,
        "order_id": order.venue_order_id,
        "leg": order.leg.key,
        "side": order.side.value,
        "qty": amount_json(order.qty),
        "filled_qty": amount_json(order.booked_qty),
        "price": amount_json(order.price),
        "time_in_force": None if order.time_in_force is None else order.time_in_force.value,
        "reduce_only": order.reduce_only,
        "cancel": None if order.cancel is None else order.cancel.why,
    }


def _foreign_json(order: ForeignOrder) -> JsonValue:
    return {
        "order_id": order.order_id,
        "client_order_id": order.client_order_id,
        "leg": order.leg.key,
        "side": order.side.value,
        "qty": amount_json(order.qty),
        "filled_qty": amount_json(order.executed_qty),
        "price": amount_json(order.price),
        "reduce_only": order.reduce_only,
        "seen_ms": order.seen_ms,
    }


def _leg_json(leg: LegStanding, standing: Standing) -> JsonValue:
    ledger = leg.ledger
    return {
        "leg": ledger.leg.key,
        "symbol": ledger.leg.symbol,
        "position_side": ledger.leg.position_side.value,
        "exchange_amt": amount_json(ledger.seen_amt),
        "exchange_as_of_ms": ledger.seen_as_of_ms,
        "ledger_amt": amount_json(ledger.amt),
        "drift": amount_json(leg.drift),
        "verdict": ledger.status or None,
        "agreed": ledger.is_agreed,
        "ledger_version": ledger.version,
        "agreed_version": ledger.agreed_version,
        "verdict_age_ms": standing.stamp_age_ms,
        "trading": "ALLOW" if leg.denied is None else "DENY",
        "trading_reason": None if leg.denied is None else leg.denied.value,
        "orders_live": leg.orders_live,
        "hold": leg.holds[0].hold_id if leg.holds else None,
        "reason": leg.holds[0].reason.value if leg.holds else None,
        "next_step": leg.holds[0].next_step.text if leg.holds else None,
        "holds": [_hold_json(hold) for hold in leg.holds],
    }


def _hold_json(hold: Hold) -> JsonValue:
    return {
        "hold_id": hold.hold_id,
        "reason": hold.reason.value,
        "owner": hold.owner.value,
        "since_ms": hold.opened_ms,
        "since": time_text(hold.opened_ms),
        "close_attempts": hold.close_attempts,
        "next_step": {"kind": hold.next_step.kind.value, "due_ms": hold.next_step.due_ms, "text": hold.next_step.text},
        "detail": hold.detail,
        "commands": [*commands_for(hold)],
        "runbook": f"{RUNBOOKS}/{WAYS_OUT[hold.reason].page}",
    }
