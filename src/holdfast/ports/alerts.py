"""Telling a person. Delivery runs beside the trading path and never blocks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from holdfast.domain.operator import Alert


class Alerts(Protocol):
    """One or more channels that reach a person."""

    @property
    def has_channel(self) -> bool:
        """Tell whether anything is configured; without a channel nobody is ever told."""
        ...

    async def deliver(self, alert: Alert) -> bool:
        """Hand the alert to the channels; True if at least one took it. Never raises; bounded in time."""
        ...
