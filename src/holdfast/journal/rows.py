"""Domain values to rows and back: accounts, ledgers, holds.

A row's order is its `*_COLUMNS`, so encoding, decoding and SQL can not drift apart. Amounts are text, enumerations
their wire words. A word that no enumeration knows raises KeyError: such a row was not written by us.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

from holdfast.domain.amounts import format_amount
from holdfast.domain.hold import Hold, HoldOwner, HoldReason, NextStep, StepKind
from holdfast.domain.ledger import LedgerState
from holdfast.domain.sides import Leg, PositionMode, PositionSide, TradingState
from holdfast.ports.journal import AccountState

if TYPE_CHECKING:
    from enum import Enum

    from holdfast.journal.sql import Row

    AnyEnum = TypeVar("AnyEnum", bound=Enum)


def words_of(kind: type[AnyEnum]) -> dict[str, AnyEnum]:
    """The members by their wire word (a plain dictionary is several times faster than the enumeration's call)."""
    return {member.value: member for member in kind}


POSITION_SIDES = words_of(PositionSide)
_POSITION_MODES = words_of(PositionMode)
_TRADING_STATES = words_of(TradingState)
_HOLD_REASONS = words_of(HoldReason)
_HOLD_OWNERS = words_of(HoldOwner)
_STEP_KINDS = words_of(StepKind)


def amount_or_null(value: Decimal | None) -> str | None:
    """Write an amount that may be missing."""
    return None if value is None else format_amount(value)


def amount_or_none(text: str | None) -> Decimal | None:
    """Read an amount that may be missing."""
    return None if text is None else Decimal(text)


ACCOUNT_COLUMNS = (
    "account",
    "baseline_ms",
    "position_mode",
    "stamp_ms",
    "trading_state",
    "halt_detail",
    "last_seq",
    "head_hash",
    "events_published_seq",
)


def account_row(state: AccountState) -> Row:
    """Encode."""
    mode = state.position_mode
    return (
        state.account,
        state.baseline_ms,
        None if mode is None else mode.value,
        state.stamp_ms,
        state.trading_state.value,
        state.halt_detail,
        state.last_seq,
        state.head_hash,
        state.events_published_seq,
    )


def account_of(row: Row) -> AccountState:
    """Decode."""
    account, baseline, mode, stamp, trading, detail, seq, head, published = row
    known_mode = None if mode is None else _POSITION_MODES[mode]
    return AccountState(account, baseline, known_mode, stamp, _TRADING_STATES[trading], detail, seq, head, published)


LEG_KEY = ("account", "symbol", "position_side")
LEG_COLUMNS = (
    *LEG_KEY,
    "amt",
    "version",
    "agreed_version",
    "last_fill_ms",
    "watermark_trade_id",
    "watermark_ms",
    "divergent_since_ms",
    "seen_amt",
    "seen_as_of_ms",
    "status",
)


def leg_row(state: LedgerState) -> Row:
    """Encode."""
    leg = state.leg
    return (
        leg.account,
        leg.symbol,
        leg.position_side.value,
        format_amount(state.amt),
        state.version,
        state.agreed_version,
        state.last_fill_ms,
        state.watermark_trade_id,
        state.watermark_ms,
        state.divergent_since_ms,
        amount_or_null(state.seen_amt),
        state.seen_as_of_ms,
        state.status,
    )


def leg_of(row: Row) -> LedgerState:
    """Decode."""
    account, symbol, side, amt, version, agreed, fill_ms, trade_id, mark_ms, since, seen, seen_ms, status = row
    leg = Leg(account, symbol, POSITION_SIDES[side])
    seen_amt = amount_or_none(seen)
    return LedgerState(leg, Decimal(amt), version, agreed, fill_ms, trade_id, mark_ms, since, seen_amt, seen_ms, status)


HOLD_COLUMNS = (
    "account",
    "hold_id",
    "symbol",
    "position_side",
    "reason",
    "owner",
    "opened_ms",
    "cause_as_of_ms",
    "exchange_amt",
    "ledger_amt",
    "step_kind",
    "step_due_ms",
    "step_text",
    "close_attempts",
    "detail",
    "approved_notional",
    "released_ms",
)


def hold_row(hold: Hold) -> Row:
    """Encode."""
    return (
        hold.leg.account,
        hold.hold_id,
        hold.leg.symbol,
        hold.leg.position_side.value,
        hold.reason.value,
        hold.owner.value,
        hold.opened_ms,
        hold.cause_as_of_ms,
        amount_or_null(hold.exchange_amt),
        format_amount(hold.ledger_amt),
        hold.next_step.kind.value,
        hold.next_step.due_ms,
        hold.next_step.text,
        hold.close_attempts,
        hold.detail,
        amount_or_null(hold.approved_notional),
        hold.released_ms,
    )


def hold_of(row: Row) -> Hold:
    """Decode."""
    (account, hold_id, symbol, position_side, reason, owner, opened, cause_ms, exchange, ledger) = row[:10]
    (step, due_ms, text, attempts, detail, approved, released) = row[10:]
    return Hold(
        hold_id=hold_id,
        leg=Leg(account, symbol, POSITION_SIDES[position_side]),
        reason=_HOLD_REASONS[reason],
        owner=_HOLD_OWNERS[owner],
        opened_ms=opened,
        cause_as_of_ms=cause_ms,
        exchange_amt=amount_or_none(exchange),
        ledger_amt=Decimal(ledger),
        next_step=NextStep(_STEP_KINDS[step], due_ms, text),
        close_attempts=attempts,
        detail=detail,
        approved_notional=amount_or_none(approved),
        released_ms=released,
    )
