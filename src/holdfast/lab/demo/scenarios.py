"""What the demo can play, and what each scenario promises. Amounts are signed BTC: + is long.

| scenario    | ledger | by hand | exchange | close        | ends                                        |
|-------------|--------|---------|----------|--------------|---------------------------------------------|
| drift-long  |  0     | +0.007  | +0.007   | SELL 0.007   | healed, agreed at 0                         |
| drift-short |  0     | -0.007  | -0.007   | BUY 0.007    | healed, agreed at 0                         |
| partial     | +0.002 | +0.005  | +0.007   | SELL 0.005   | healed, agreed at 0.002                     |
| flip        | -0.003 | +0.010  | +0.007   | SELL 0.007   | the ledger is written down to 0 by trade ids |
| deficit     | +0.007 | -0.005  | +0.002   | none         | held: no trades say why, nothing is closed  |
| deadlock    |  0     | +0.007  | +0.007   | switched off | held; freed by itself once somebody closed by hand |
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING

from holdfast.lab.demo.staging import EMPTY, Staging

if TYPE_CHECKING:
    from holdfast.lab.desk import Desk

SYMBOL = "BTCUSDT"
WARM_UP_QTY = Decimal("0.003")
"""What the strategy opens and closes, before the drift and after it was healed."""


class Ending(Enum):
    """How a scenario ends."""

    HEALED = "healed"
    """The system closes the drift, releases its hold and trades again."""
    WRITTEN_DOWN = "written down"
    """What a close can't mend is mended in the ledger by the trades of others; a person is told, trading goes on."""
    HELD = "held"
    """The hold stands, and a person was told."""
    FREED_BY_HAND = "freed by hand"
    """The hold stands until somebody closes at the exchange; then it releases by itself."""


HIDDEN_MS = 3_600_000
"""For so long the exchange's trade history does not show what was traded."""


async def _hide_trades(desk: Desk) -> None:
    await desk.arm("stale_trades", count=0, delay_ms=HIDDEN_MS)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One play."""

    name: str
    story: str
    ledger: Decimal
    """What the strategy holds, by EXECUTE plans, when the drift comes."""
    by_hand: Decimal
    """What somebody trades at the exchange."""
    close: Decimal
    """What the system must close, signed as the order: -0.007 is SELL 0.007; 0 if it must close nothing."""
    ending: Ending
    are_trades_hidden: bool = False
    """Whether the exchange's trade history fails to show what was traded by hand."""

    @property
    def exchange(self) -> Decimal:
        """The position at the exchange once somebody has traded."""
        return self.ledger + self.by_hand

    @property
    def position_end(self) -> Decimal:
        """The position at the exchange when all is over."""
        return self.ledger if self.ending is Ending.FREED_BY_HAND else self.exchange + self.close

    @property
    def staging(self) -> Staging:
        """How the stage is set for it."""
        limits = ('reconcile_close = "off"',) if self.ending is Ending.FREED_BY_HAND else ()
        before = _hide_trades if self.are_trades_hidden else EMPTY.before
        return Staging(limits=limits, alerts="webhook" if self.tells_operator else "none", before=before)

    @property
    def needs_operator(self) -> bool:
        """Tell whether a person must act, or could."""
        return self.ending in {Ending.HELD, Ending.FREED_BY_HAND}

    @property
    def tells_operator(self) -> bool:
        """Tell whether a person must have been told."""
        return self.ending is not Ending.HEALED


_SCENARIOS = (
    Scenario(
        "drift-long",
        "Somebody buys 0.007 by hand; the ledger holds nothing. Holdfast sells it again.",
        Decimal(0),
        Decimal("0.007"),
        Decimal("-0.007"),
        Ending.HEALED,
    ),
    Scenario(
        "drift-short",
        "Somebody sells 0.007 by hand; the ledger holds nothing. The close is a BUY.",
        Decimal(0),
        Decimal("-0.007"),
        Decimal("0.007"),
        Ending.HEALED,
    ),
    Scenario(
        "partial",
        "The strategy holds 0.002, somebody adds 0.005 by hand. Only the 0.005 is closed.",
        Decimal("0.002"),
        Decimal("0.005"),
        Decimal("-0.005"),
        Ending.HEALED,
    ),
    Scenario(
        "flip",
        "The strategy is short 0.003, somebody buys 0.010. The 0.007 long are closed; the trades explain the rest.",
        Decimal("-0.003"),
        Decimal("0.010"),
        Decimal("-0.007"),
        Ending.WRITTEN_DOWN,
    ),
    Scenario(
        "deficit",
        "The strategy holds 0.007, 0.005 of it is gone, no trade says why. Closing would widen it: a person is told.",
        Decimal("0.007"),
        Decimal("-0.005"),
        Decimal(0),
        Ending.HELD,
        are_trades_hidden=True,
    ),
    Scenario(
        "deadlock",
        "RECONCILE_CLOSE is switched off: the old deadlock. A person is told, and closes at the exchange.",
        Decimal(0),
        Decimal("0.007"),
        Decimal(0),
        Ending.FREED_BY_HAND,
    ),
)
SCENARIOS = {scenario.name: scenario for scenario in _SCENARIOS}
"""By name, in the order in which they are listed."""
SCENARIO_DEFAULT = "drift-long"
