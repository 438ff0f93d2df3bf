"""What we believe is held: signed amounts folded from own fills and journaled repairs.

Invariants: a ledger moves only by a fill of an own order (the part that the order's intent says), by a
journaled repair with its evidence, or by an operator's word; each move raises `version` by exactly 1.
`agreed_version` is the version at which the reconciler last saw the venue agree, or None; permission to trade
needs `agreed_version == version`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.domain.names import TradeId
    from holdfast.domain.sides import Leg


class MoveCause(Enum):
    """Why a ledger moved."""

    FILL = "fill"
    REPAIR = "repair"
    WRITE_DOWN = "write_down"
    """By venue trades that explain the whole drift and are not ours."""
    FLATTEN = "flatten"
    """Set to 0 by the settings' word: nobody could say why the exchange holds less."""
    ADOPT = "adopt"
    BASELINE = "baseline"


@dataclass(frozen=True, slots=True)
class LedgerState:
    """One leg of the ledger as the journal keeps it."""

    leg: Leg
    amt: Decimal
    """Signed base asset."""
    version: int
    """0 for a leg never moved; +1 a move."""
    agreed_version: int | None
    """The version that the reconciler last saw the venue agree with; None when voided."""
    last_fill_ms: int
    """Venue time of the last own fill on the leg (of any own order, closes included), 0 if none."""
    watermark_trade_id: TradeId | None
    """All the account's trades on this leg up to this id are accounted for; None: use `watermark_ms`."""
    watermark_ms: int
    """Venue time up to which trades are accounted for (the baseline's at first)."""
    divergent_since_ms: int | None
    """Our clock when the drift that now stands was first seen; None while agreed."""
    seen_amt: Decimal | None
    """Exchange amount at the last verdict; None before the first."""
    seen_as_of_ms: int | None
    status: str
    """The last verdict's status word, for people (`status`) only; no decision reads it."""

    @property
    def is_agreed(self) -> bool:
        """Tell whether the reconciler has seen agreement since the ledger's last move."""
        return self.agreed_version == self.version
