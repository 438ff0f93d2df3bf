"""Name what the admin face takes: one strict structure a body.

Invariant: an unknown field, a wrong type or an amount that is not a plain number is refused with a message, never
guessed. Amounts may be JSON strings or numbers; a number is taken by its text, not through binary floating point.
"""

from decimal import Decimal

import msgspec

from holdfast.sim.core.account import Mode, Permission, Restriction
from holdfast.sim.core.legs import PositionSide
from holdfast.sim.core.market import Motion, SymbolStatus
from holdfast.sim.core.orders import Side


def _check(name: str, value: Decimal | None, least: str) -> None:
    """Refuse what is no number, or too small; msgspec turns the ValueError into its own."""
    if value is not None and (not value.is_finite() or value < 0 or (value == 0 and least == "positive")):
        raise ValueError(f"{name} must be a {least} number, not {value}")


class KeyBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One key."""

    key: str
    secret: str
    permission: Permission = Permission.TRADE


class AccountBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """POST /sim/accounts."""

    name: str
    keys: tuple[KeyBody, ...] = ()
    balance: Decimal = Decimal(100_000)
    mode: Mode = Mode.ONE_WAY

    def __post_init__(self) -> None:
        _check("balance", self.balance, "not negative")


class TradeBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """POST /sim/trade."""

    account: str
    symbol: str
    side: Side
    qty: Decimal
    position_side: PositionSide | None = msgspec.field(default=None, name="positionSide")
    reduce_only: bool = msgspec.field(default=False, name="reduceOnly")
    price: Decimal | None = None
    client_id: str | None = msgspec.field(default=None, name="clientOrderId")

    def __post_init__(self) -> None:
        _check("qty", self.qty, "positive")
        _check("price", self.price, "positive")


class ForceBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """POST /sim/liquidate, /sim/adl, /sim/settle."""

    account: str
    symbol: str
    position_side: PositionSide | None = msgspec.field(default=None, name="positionSide")
    qty: Decimal | None = None

    def __post_init__(self) -> None:
        _check("qty", self.qty, "positive")


class FundingBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """POST /sim/funding."""

    account: str
    symbol: str
    rate: Decimal

    def __post_init__(self) -> None:
        _check("rate", abs(self.rate), "finite")


class TransferBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """POST /sim/transfer."""

    account: str
    amount: Decimal

    def __post_init__(self) -> None:
        _check("amount", abs(self.amount), "finite")


class PriceBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """POST /sim/price."""

    symbol: str
    price: Decimal | None = None
    motion: Motion | None = None
    spread_ticks: int | None = None

    def __post_init__(self) -> None:
        _check("price", self.price, "positive")


class DepthBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """POST /sim/depth."""

    symbol: str
    qty: Decimal | None

    def __post_init__(self) -> None:
        _check("qty", self.qty, "not negative")


class SymbolBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """POST /sim/symbol."""

    symbol: str
    status: SymbolStatus


class ModeBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """POST /sim/mode."""

    account: str
    mode: Mode


class RestrictBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """POST /sim/restrict."""

    account: str
    restriction: Restriction


class CancelBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """POST /sim/cancel."""

    account: str
    symbol: str


class AccountName(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """POST /sim/streams/close and /sim/streams/expire."""

    account: str


class ClockBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """POST /sim/clock."""

    offset_ms: int


class LimitsBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """POST /sim/limits."""

    factor: Decimal

    def __post_init__(self) -> None:
        _check("factor", self.factor, "positive")
