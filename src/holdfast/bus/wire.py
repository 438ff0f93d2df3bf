"""Plans and closes, between stream fields and the domain. Pure: no I/O, no clock.

`decode_entry` never raises: an entry is a plan, or carries the one Reason why it is none, with as much of
`plan_id`, `symbol` and `decision` as could be read. The first row that fits decides:

    the entry has                                                         reason
    more than ENTRY_BYTES_MAX bytes or FIELDS_MAX fields                  too_large
    a field of a plan twice                                               bad_field
    no field that a plan has, or one of them is not UTF-8                 unreadable
    a required field absent or empty (RECONCILE_CLOSE: its four too)      missing_field
    a decision that is none of the four                                   unknown_decision
    a venue's order type or time in force that we don't send              unsupported
    a value that cannot be read                                           bad_field
    a quantity that is not one finite positive number                     bad_qty

A CANCEL needs only `plan_id, symbol, decision, cancels, reason, timestamp`; what an order would be made of is not read.
Names of fields are matched exactly; the words of decision, side, type, timeInForce and positionSide in any case.
Fields that a plan does not have are ignored. Optional fields may be present and empty.
Source of facts: DESIGN, bus contract.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.bus.values import (
    NAME_CHARS_MAX,
    amount_of,
    boolean_of,
    choice_of,
    price_of,
    qty_of,
    salvaged,
    shown,
    text_of,
    texts_of,
    time_ms_of,
    words_of,
)
from holdfast.domain.amounts import ZERO, format_amount
from holdfast.domain.errors import BadPlan
from holdfast.domain.names import HoldId, PlanId, Symbol, is_plan_id, is_symbol
from holdfast.domain.plan import CloseClaim, Plan, PlanEntry
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Decision, OrderType, PlanSide, PositionSide, TimeInForce

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


ENTRY_BYTES_MAX = 64 * 1024
"""Names and values of one entry together; a plan has a few hundred bytes."""
FIELDS_MAX = 64
DETAIL_CHARS_MAX = 300
SYMBOL_CHARS_MAX = 32
DECISION_CHARS_MAX = 32

REQUIRED = ("plan_id", "symbol", "decision", "side", "qty", "type", "reduceOnly", "reason", "timestamp")
CANCEL_REQUIRED = ("plan_id", "symbol", "decision", "cancels", "reason", "timestamp")
CLOSE_REQUIRED = ("hold_id", "exchange_amt", "ledger_amt", "expires")
OPTIONAL = ("price", "timeInForce", "positionSide", "source", "expires")
_KNOWN = frozenset(name.encode() for name in (*REQUIRED, *CANCEL_REQUIRED, *CLOSE_REQUIRED, *OPTIONAL))

_DECISIONS = words_of(Decision)
_SIDES = words_of(PlanSide)
_TYPES = words_of(OrderType)
_TIMES_IN_FORCE = words_of(TimeInForce)
_POSITION_SIDES = words_of(PositionSide)
_TYPES_UNSUPPORTED = frozenset({"stop", "stop_market", "take_profit", "take_profit_market", "trailing_stop_market"})
_TIMES_UNSUPPORTED = frozenset({"gtd", "gte_gtc", "rpi"})


def decode_entry(entry_id: str, flat: Sequence[bytes]) -> PlanEntry:
    """Decode a stream entry from its flat list of names and values, as the server sends it."""
    known: dict[bytes, bytes] = {}
    twice: bytes | None = None
    for name, value in zip(flat[0 : 2 * FIELDS_MAX : 2], flat[1 : 2 * FIELDS_MAX : 2], strict=False):
        if name in known:
            twice = name
        elif name in _KNOWN:
            known[name] = value
    try:
        _check_size(flat)
        if twice is not None:
            raise BadPlan(Reason.BAD_FIELD, f"{twice.decode()}: given twice")  # noqa: TRY301 - one place answers
        plan = _plan_of(texts_of(known))
    except BadPlan as bad:
        return PlanEntry(
            entry_id=entry_id,
            plan=None,
            plan_id=salvaged(known.get(b"plan_id"), NAME_CHARS_MAX),
            symbol=salvaged(known.get(b"symbol"), SYMBOL_CHARS_MAX),
            decision=salvaged(known.get(b"decision"), DECISION_CHARS_MAX),
            problem=bad.reason,
            detail=bad.detail[:DETAIL_CHARS_MAX],
        )
    return PlanEntry(entry_id, plan, plan.plan_id, plan.symbol, plan.decision.value)


def decode_plan(entry_id: str, fields: Mapping[bytes, bytes]) -> PlanEntry:
    """Decode a stream entry from a mapping of names to values."""
    return decode_entry(entry_id, [part for pair in fields.items() for part in pair])


def checked_plan(texts: Mapping[str, str]) -> Plan:
    """Build a plan from its wire texts by the same rules. Raises BadPlan with the reason that it would be given."""
    fields = {name.encode(): value.encode("utf-8", "replace") for name, value in texts.items()}
    _check_size([part for pair in fields.items() for part in pair])
    return _plan_of(texts_of(fields))


def _check_size(flat: Sequence[bytes]) -> None:
    if len(flat) > 2 * FIELDS_MAX:
        raise BadPlan(Reason.TOO_LARGE, f"{len(flat) // 2} fields; a plan may have {FIELDS_MAX}")
    size = sum(len(part) for part in flat)
    if size > ENTRY_BYTES_MAX:
        raise BadPlan(Reason.TOO_LARGE, f"{size} bytes; a plan may have {ENTRY_BYTES_MAX}")


def _plan_of(fields: Mapping[str, str]) -> Plan:
    if not fields:
        raise BadPlan(Reason.UNREADABLE, "no field of a plan")
    decision = _DECISIONS.get(fields.get("decision", "").lower())
    if decision is Decision.CANCEL:
        return _cancel_of(fields)
    _check_present(REQUIRED, fields)
    if decision is None:
        raise BadPlan(Reason.UNKNOWN_DECISION, f"decision: {shown(fields['decision'])}")
    if decision is Decision.RECONCILE_CLOSE:
        _check_present(CLOSE_REQUIRED, fields)
    order_type = _type_of(fields)
    price = price_of(fields)
    if order_type is OrderType.LIMIT and price is None:
        raise BadPlan(Reason.MISSING_FIELD, "price: a LIMIT plan needs one")
    timestamp_ms = time_ms_of(fields, "timestamp")
    if timestamp_ms is None:
        raise BadPlan(Reason.MISSING_FIELD, "missing or empty: timestamp")
    return Plan(
        plan_id=_plan_id_of(fields, "plan_id"),
        symbol=_symbol_of(fields),
        decision=decision,
        side=choice_of(fields, "side", _SIDES),
        order_type=order_type,
        reduce_only=boolean_of(fields, "reduceOnly"),
        reason=text_of(fields, "reason"),
        timestamp_ms=timestamp_ms,
        price=price,
        time_in_force=_time_in_force_of(fields),
        position_side=choice_of(fields, "positionSide", _POSITION_SIDES) if text_of(fields, "positionSide") else None,
        source=text_of(fields, "source"),
        expires_ms=time_ms_of(fields, "expires"),
        close_claim=_claim_of(fields, decision),
        qty=qty_of(fields),
    )


def _cancel_of(fields: Mapping[str, str]) -> Plan:
    _check_present(CANCEL_REQUIRED, fields)
    timestamp_ms = time_ms_of(fields, "timestamp")
    if timestamp_ms is None:
        raise BadPlan(Reason.MISSING_FIELD, "missing or empty: timestamp")
    return Plan(
        plan_id=_plan_id_of(fields, "plan_id"),
        symbol=_symbol_of(fields),
        decision=Decision.CANCEL,
        side=PlanSide.CLOSE,
        qty=ZERO,
        order_type=OrderType.MARKET,
        reduce_only=True,
        reason=text_of(fields, "reason"),
        timestamp_ms=timestamp_ms,
        source=text_of(fields, "source"),
        expires_ms=time_ms_of(fields, "expires"),
        cancels=_plan_id_of(fields, "cancels"),
    )


def _check_present(names: Sequence[str], fields: Mapping[str, str]) -> None:
    missing = [name for name in names if not fields.get(name)]
    if missing:
        raise BadPlan(Reason.MISSING_FIELD, f"missing or empty: {', '.join(missing)}")


def _plan_id_of(fields: Mapping[str, str], name: str) -> PlanId:
    text = text_of(fields, name)
    if not is_plan_id(text):
        raise BadPlan(Reason.BAD_FIELD, f"{name}: not 1 to 128 letters, digits or . _ : / - : {shown(text)}")
    return PlanId(text)


def _symbol_of(fields: Mapping[str, str]) -> Symbol:
    text = text_of(fields, "symbol")
    if not is_symbol(text):
        raise BadPlan(Reason.BAD_FIELD, f"symbol: not 2 to 32 capital letters, digits or _ : {shown(text)}")
    return Symbol(text)


def _type_of(fields: Mapping[str, str]) -> OrderType:
    if text_of(fields, "type").lower() in _TYPES_UNSUPPORTED:
        raise BadPlan(Reason.UNSUPPORTED, f"type: {shown(text_of(fields, 'type'))}")
    return choice_of(fields, "type", _TYPES)


def _time_in_force_of(fields: Mapping[str, str]) -> TimeInForce | None:
    text = text_of(fields, "timeInForce")
    if not text:
        return None
    if text.lower() in _TIMES_UNSUPPORTED:
        raise BadPlan(Reason.UNSUPPORTED, f"timeInForce: {shown(text)}")
    return choice_of(fields, "timeInForce", _TIMES_IN_FORCE)


def _claim_of(fields: Mapping[str, str], decision: Decision) -> CloseClaim | None:
    """What a close says about itself; None for an EXECUTE, and for an operator's close under no hold."""
    if decision is Decision.EXECUTE:
        return None
    hold_id = text_of(fields, "hold_id", NAME_CHARS_MAX)
    exchange_amt = amount_of(fields, "exchange_amt")
    ledger_amt = amount_of(fields, "ledger_amt")
    if not hold_id or exchange_amt is None or ledger_amt is None:
        return None
    return CloseClaim(HoldId(hold_id), exchange_amt, ledger_amt)


def encode_plan(plan: Plan) -> tuple[bytes, ...]:
    """Write a plan as the flat list of names and values that `decode_entry` reads."""
    pairs = {
        "plan_id": plan.plan_id,
        "symbol": plan.symbol,
        "decision": plan.decision.value,
        "side": plan.side.value,
        "qty": format_amount(plan.qty),
        "type": plan.order_type.value,
        "reduceOnly": boolean_text(plan.reduce_only),
        "reason": plan.reason,
        "timestamp": str(plan.timestamp_ms),
        "price": format_amount(plan.price) if plan.price is not None else "",
        "timeInForce": plan.time_in_force.value if plan.time_in_force is not None else "",
        "positionSide": plan.position_side.value if plan.position_side is not None else "",
        "source": plan.source,
        "expires": str(plan.expires_ms) if plan.expires_ms is not None else "",
    }
    if plan.cancels is not None:
        pairs = {name: pairs.get(name, plan.cancels) for name in (*CANCEL_REQUIRED, "source", "expires")}
    if plan.close_claim is not None:
        pairs["hold_id"] = plan.close_claim.hold_id
        pairs["exchange_amt"] = format_amount(plan.close_claim.exchange_amt)
        pairs["ledger_amt"] = format_amount(plan.close_claim.ledger_amt)
    return flat_of({name: value for name, value in pairs.items() if value or name in REQUIRED})


def boolean_text(value: bool) -> str:  # noqa: FBT001 - the value itself, not a switch
    """Write a truth value as `true` or `false`."""
    return "true" if value else "false"


def flat_of(pairs: Mapping[str, str]) -> tuple[bytes, ...]:
    """Names and values as bytes, in order. Text that UTF-8 cannot hold (lone surrogates) becomes `?`."""
    return tuple(part.encode("utf-8", "replace") for pair in pairs.items() for part in pair)
