"""One tale told on one stage: its acts, and then what is true at the end, whatever the acts missed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.lab.demo.tales.cast import Cast

if TYPE_CHECKING:
    from holdfast.lab.demo.facts import Event, Facts
    from holdfast.lab.demo.screen import Screen
    from holdfast.lab.demo.stage import Stage
    from holdfast.lab.demo.strategy import Strategy
    from holdfast.lab.demo.tales.tale import Tale
    from holdfast.lab.demo.watch import BusWatch
    from holdfast.ports.clock import Clock


async def tell(  # noqa: PLR0917 - the tale and the five that take part
    tale: Tale, stage: Stage, watch: BusWatch, strategy: Strategy, screen: Screen, clock: Clock
) -> tuple[Facts, list[Event]]:
    """Tell it to its end; what was seen, and the story. Raises CannotStart if it could not begin."""
    cast = Cast(stage, watch, strategy, screen, clock, tale.staging.mode)
    try:
        await tale.acts(cast)
    except TimeoutError as unseen:
        cast.facts = replace(cast.facts, unseen=str(unseen))
    return await cast.collect(), cast.told
