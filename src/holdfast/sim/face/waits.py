"""Wait where a strike says so: between the steps that the core takes with one request.

Invariant: every wait is bounded by the strike's own number and ends at once when the simulator stops.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from holdfast.sim.core.faults import Cut

if TYPE_CHECKING:
    from holdfast.sim.core.requests import Reply
    from holdfast.sim.core.venue import Flight, Venue

__all__ = ["Waits"]


@dataclass(slots=True)
class Waits:
    """The waiting side of the shell."""

    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def pause(self, delay_ms: int) -> None:
        """Wait, or less if the simulator stops."""
        try:
            await asyncio.wait_for(self.stopping.wait(), delay_ms / 1000)
        except TimeoutError:
            return

    async def carry_out(self, venue: Venue, flight: Flight) -> Reply:
        """Take one request through the core, waiting where its strike says so."""
        strike = flight.strike
        if strike.edge_delay_ms:
            await self.pause(strike.edge_delay_ms)
        reply = venue.admit(flight)
        if reply is None:
            delay = strike.engine_delay_ms + venue.exchange.knobs.latency_ms
            if delay:
                await self.pause(delay)
            reply = venue.execute(flight)
        if strike.cut is Cut.HANG:
            await self.pause(strike.hang_ms)
        if strike.reply_delay_ms:
            await self.pause(strike.reply_delay_ms)
        return reply
