"""The strategy: a program that hands in plans through PlanClient and believes what the bus answers, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.domain.amounts import format_amount
from holdfast.domain.errors import CannotStart, FateUnknown
from holdfast.lab.demo.facts import PlanSeen
from holdfast.lab.demo.scenarios import SYMBOL, WARM_UP_QTY

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.client import PlanClient
    from holdfast.ports.clock import Clock

RESULT_S_MAX = 5.0


class Strategy:
    """Trades one symbol by EXECUTE plans."""

    def __init__(self, plans: PlanClient, clock: Clock) -> None:
        self._plans = plans
        self._clock = clock

    async def trade(self, amount: Decimal, position_side: str = "BOTH") -> PlanSeen:
        """Hand in one plan for a signed amount; what became of it. Raises TimeoutError if no result came."""
        side = "BUY" if amount > 0 else "SELL"
        try:
            result = await self._plans.execute(
                SYMBOL,
                side,
                format_amount(abs(amount)),
                timeout_s=RESULT_S_MAX,
                reason="demo",
                position_side=None if position_side == "BOTH" else position_side,
            )
        except FateUnknown as unknown:
            raise TimeoutError(f"the result of plan {unknown.plan_id}") from unknown
        at_ns = self._clock.monotonic_ns()
        return PlanSeen(result.plan_id, result.executed, result.error, result.order_id, at_ns)

    async def build(self, ledger: Decimal) -> None:
        """Open and close a little, so that the ledger is a real 0, then take the scenario's position."""
        for amount in (WARM_UP_QTY, -WARM_UP_QTY, ledger):
            if not amount:
                continue
            seen = await self.trade(amount)
            if not seen.executed:
                raise CannotStart(
                    f"the strategy's plan over {format_amount(amount)} {SYMBOL} was not executed before any drift: "
                    f"error={seen.error}"
                )
