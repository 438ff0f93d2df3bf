"""An order that rests at the exchange and is nobody's here: placed by hand, or by another program on the account.

It cannot move our ledger, but what it fills later is a foreign trade; so it is reported before that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.domain.sides import Leg

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.domain.names import AccountId, ClientOrderId, Symbol, VenueOrderId
    from holdfast.domain.sides import PositionSide, Side


@dataclass(frozen=True, slots=True)
class ForeignOrder:
    """One foreign open order as the journal keeps it."""

    account: AccountId
    symbol: Symbol
    order_id: VenueOrderId
    client_order_id: ClientOrderId
    """Whatever its maker gave it."""
    side: Side
    position_side: PositionSide
    qty: Decimal
    executed_qty: Decimal
    """When it was last read."""
    price: Decimal | None
    reduce_only: bool
    seen_ms: int
    """Our clock when it was first seen to rest."""
    gone_ms: int | None = None
    """Our clock when it was first missed; None while it rests."""

    @property
    def leg(self) -> Leg:
        """The leg that its fills would move."""
        return Leg(self.account, self.symbol, self.position_side)
