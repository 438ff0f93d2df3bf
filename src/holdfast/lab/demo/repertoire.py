"""Everything that may be played, by name, in the order in which it is listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.lab.demo.scenarios import SCENARIOS
from holdfast.lab.demo.tales.by_hand import MANUAL_CLOSE
from holdfast.lab.demo.tales.first import FIRST_START
from holdfast.lab.demo.tales.forced import ADL, LIQUIDATION
from holdfast.lab.demo.tales.hedge import HEDGE
from holdfast.lab.demo.tales.large import LARGE
from holdfast.lab.demo.tales.missed import MISSED_FILL
from holdfast.lab.demo.tales.resting import FOREIGN_ORDER

if TYPE_CHECKING:
    from holdfast.lab.demo.scenarios import Scenario
    from holdfast.lab.demo.tales.tale import Tale

TALES = {
    tale.name: tale for tale in (LIQUIDATION, ADL, MANUAL_CLOSE, HEDGE, MISSED_FILL, FIRST_START, LARGE, FOREIGN_ORDER)
}
PLAYS: dict[str, Scenario | Tale] = {**SCENARIOS, **TALES}
