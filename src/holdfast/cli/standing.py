"""How every leg stands, read from the journal alone: no bus, no exchange, no running service is needed.

A verdict is as fresh as the reconciler's stamp, which says until when nothing was missed:

    | stamp                                      | freshness | what the amounts are                            |
    |--------------------------------------------|-----------|-------------------------------------------------|
    | renewed within `stamp_age_ms_max`          | FRESH     | true now                                        |
    | older, or from the future                  | STALE     | true when the stamp was: nobody watches any more|
    | none, or voided (the stream was lost)      | BLIND     | the last that was seen                          |

Trading on a symbol is what its permit would say first: ALLOW, or DENY with the reason that stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from holdfast.domain.amounts import ZERO
from holdfast.domain.hold import Hold, HoldOwner
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Leg, PositionMode, PositionSide, TradingState

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.domain.foreign import ForeignOrder
    from holdfast.domain.ledger import LedgerState
    from holdfast.domain.limits import Limits
    from holdfast.domain.operator import Alert
    from holdfast.domain.order import Order
    from holdfast.ports.journal import AccountState, Reads


class Freshness(Enum):
    """Whether somebody watches the account now."""

    FRESH = "fresh"
    STALE = "stale"
    BLIND = "blind"


class Condition(Enum):
    """The account in one word, worst first when several are shown."""

    BLIND = "blind"
    """Stale or blind: what is shown may be over."""
    ATTENTION = "attention"
    """A hold stands, a leg is not agreed, or trading is halted."""
    OK = "ok"


@dataclass(frozen=True, slots=True)
class LegStanding:
    """One leg."""

    ledger: LedgerState
    holds: tuple[Hold, ...]
    """Open ones of this leg, the automatic one first."""
    denied: Reason | None
    """Why an EXECUTE on the symbol would be refused; None: it would not."""
    orders_live: int

    @property
    def drift(self) -> Decimal | None:
        """Exchange minus ledger; None before the first verdict."""
        return None if self.ledger.seen_amt is None else self.ledger.seen_amt - self.ledger.amt


@dataclass(frozen=True, slots=True)
class Standing:
    """One account at one moment."""

    state: AccountState
    now_ms: int
    freshness: Freshness
    stamp_age_ms: int | None
    """None when there is no stamp."""
    legs: tuple[LegStanding, ...]
    alerts: tuple[Alert, ...]
    """Not acknowledged yet."""
    working: tuple[Order, ...] = ()
    """Own orders that rest at the exchange."""
    foreign: tuple[ForeignOrder, ...] = ()
    """Open orders at the exchange that are not ours."""

    @property
    def condition(self) -> Condition:
        """The account in one word."""
        if self.freshness is not Freshness.FRESH:
            return Condition.BLIND
        halted = self.state.trading_state is TradingState.HALTED
        if halted or any(leg.holds or not leg.ledger.is_agreed for leg in self.legs):
            return Condition.ATTENTION
        return Condition.OK


def read_standing(reads: Reads, limits: Limits) -> Standing:
    """Read one consistent state of the account."""
    state, now_ms = reads.account(), reads.now_ms()
    age_ms = None if state.stamp_ms is None else now_ms - state.stamp_ms
    freshness = _freshness(age_ms, limits)
    holds, orders = reads.open_holds(None), reads.live_orders(None)
    ledgers = {ledger.leg: ledger for ledger in reads.legs()}
    for leg in (*(hold.leg for hold in holds), *_allowed(state, limits, ledgers)):
        ledgers.setdefault(leg, reads.leg(leg))
    legs = tuple(
        LegStanding(
            ledger=ledgers[leg],
            holds=tuple(sorted((h for h in holds if h.leg == leg), key=lambda h: h.owner is HoldOwner.OPERATOR)),
            denied=_denied(ledgers[leg], state, limits, freshness, holds, orders),
            orders_live=sum(order.leg == leg for order in orders),
        )
        for leg in sorted(ledgers, key=Leg.sort_key)
    )
    working = tuple(order for order in orders if order.rests)
    return Standing(state, now_ms, freshness, age_ms, legs, reads.alerts_unacked(), working, reads.foreign_orders())


def _freshness(age_ms: int | None, limits: Limits) -> Freshness:
    if age_ms is None:
        return Freshness.BLIND
    return Freshness.FRESH if 0 <= age_ms <= limits.stamp_age_ms_max else Freshness.STALE


def _allowed(state: AccountState, limits: Limits, known: dict[Leg, LedgerState]) -> list[Leg]:
    """A leg for every allowlisted symbol that the journal has not heard of yet."""
    heard = {leg.symbol for leg in known}
    hedge = state.position_mode is PositionMode.HEDGE
    sides = (PositionSide.LONG, PositionSide.SHORT) if hedge else (PositionSide.BOTH,)
    return [Leg(state.account, symbol, side) for symbol in limits.symbols - heard for side in sides]


def _denied(  # noqa: PLR0917 - the facts of a permit, each named
    ledger: LedgerState,
    state: AccountState,
    limits: Limits,
    freshness: Freshness,
    holds: tuple[Hold, ...],
    orders: tuple[Order, ...],
) -> Reason | None:
    symbol = ledger.leg.symbol
    rows = (
        (state.trading_state is TradingState.HALTED, Reason.HALTED),
        (symbol not in limits.symbols, Reason.NOT_ALLOWED),
        (state.baseline_ms is None, Reason.NO_BASELINE),
        (any(hold.leg.symbol == symbol for hold in holds), Reason.HOLD_ACTIVE),
        (freshness is not Freshness.FRESH, Reason.STAMP_STALE),
        (any(o.leg.symbol == symbol and o.is_pending for o in orders), Reason.ORDER_PENDING),
        (not ledger.is_agreed, Reason.NOT_AGREED),
    )
    return next((reason for denies, reason in rows if denies), None)


def has_drift(leg: LegStanding) -> bool:
    """Tell whether the last verdict saw a difference."""
    return leg.drift is not None and leg.drift != ZERO
