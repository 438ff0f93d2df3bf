"""How a stage is set for one play: what differs from an empty one-way account with everything as it is by default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from holdfast.lab.desk import Desk


async def _nothing(_desk: Desk) -> None:
    """Nothing stands there."""


@dataclass(frozen=True, slots=True)
class Staging:
    """One play's wishes."""

    mode: str = "one_way"
    """The account's position mode, at the exchange and in the settings."""
    limits: tuple[str, ...] = ()
    """Lines of the account's table in the settings."""
    alerts: str = "webhook"
    """`webhook`: alerts go to the demo's own; `none`: they reach nobody."""
    balance: str = "100000"
    """USDT in the account."""
    before: Callable[[Desk], Awaitable[None]] = _nothing
    """What people do at the exchange before the services start."""


EMPTY = Staging()
"""An empty one-way account, everything as it is by default."""
