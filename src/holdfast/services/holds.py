"""Holds that somebody set on the bus: read before a permit, imported by the reconciler.

A batch of plans shares one reading; a plan that waited in its lane longer than a reading may be old asks anew. A bus
that cannot be read is no reading (None), and that denies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.decide.permit import BusReading
from holdfast.domain.errors import BusUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.domain.names import Symbol
    from holdfast.ports.bus import Bus
    from holdfast.services.context import Context


READINGS_MAX = 1_000
"""Symbols whose readings are kept."""


class BusHolds:
    """Recent readings of the hold keys."""

    def __init__(self, context: Context, bus: Bus) -> None:
        self._context = context
        self._bus = bus
        self._readings: dict[Symbol, BusReading] = {}

    async def refresh(self, symbols: Sequence[Symbol]) -> None:
        """Read the symbols' hold keys now, in one round trip; on failure their readings are forgotten."""
        read_ms = self._context.clock.now_ms()
        try:
            values = await self._bus.hold_values(symbols)
        except BusUnavailable as error:
            self._context.log.warning("bus_holds_unreadable", account=self._context.account, detail=str(error))
            for symbol in symbols:
                self._readings.pop(symbol, None)
            return
        if len(self._readings) > READINGS_MAX:  # plans may name any symbol
            self._readings.clear()
        for symbol in symbols:
            self._readings[symbol] = BusReading(values.get(symbol), read_ms)

    async def reading(self, symbol: Symbol) -> BusReading | None:
        """A reading young enough to be decided on, taken now if there is none; None if the bus does not answer."""
        known = self._readings.get(symbol)
        young_ms = self._context.limits.input_age_ms_max // 2
        if known is None or not 0 <= self._context.clock.now_ms() - known.read_ms <= young_ms:
            await self.refresh((symbol,))
        return self._readings.get(symbol)
