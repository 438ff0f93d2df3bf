"""What happens at the exchange in the very moment in which a request of ours arrives there.

    twin order      an order that may open something: a person trades the same, the order waits in the engine for a
                    moment, and the positions that its fills make are told to nobody
    late read       a question for all positions: its answer takes its time, and a person trades right before it leaves
    orphaned fill   an order that enlarges a position, of a process that runs apply alone: it hears nothing for a
                    while, and a moment later the exchange reduces the leg by force

Each waits for the first request that fits, and happens once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from holdfast.compose import ServiceName
from holdfast.lab.torture.acts import SHRINKING
from holdfast.lab.torture.schedule import LOT
from holdfast.sim.core.fault_names import FaultName
from holdfast.sim.core.faults import Match
from holdfast.sim.core.legs import PositionSide
from holdfast.sim.core.orders import Side

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.lab.torture.exchange import WorldExchange
    from holdfast.lab.torture.machine import Machine
    from holdfast.lab.torture.unit import Unit
    from holdfast.sim.core.faults import Fault
    from holdfast.sim.core.requests import Request

ORDER_PATH: Final = "/fapi/v1/order"
POSITIONS_PATH: Final = "/fapi/v3/positionRisk"
FORCED_AFTER_MS: Final = 200
UNTOLD_MS: Final = 300
"""So long after an order's execution positions are not told."""
FRAMES: Final = "ACCOUNT_UPDATE"


@dataclass(slots=True)
class Waylay:
    """See the module."""

    machine: Machine
    exchange: WorldExchange
    arm: Callable[[str, str, Match, int, int | None], Fault]
    later: Callable[..., None]
    """Does something after so many ms, unless no faults are to happen any more."""
    disarm: Callable[[Fault], None]
    force: Callable[[str, str, int], None]
    """Reduces a leg by force, to nothing or to half."""
    _waiting: list[tuple[str, tuple[int | str, ...]]] = field(default_factory=list)

    def wait(self, kind: str, *args: int | str) -> None:
        """Lie in wait for the first request that fits."""
        self._waiting.append((kind, args))

    def calm(self) -> None:
        """Nobody lies in wait any more."""
        self._waiting.clear()

    def arrives(self, owner: str, request: Request) -> None:
        """Called as an order, or a question for positions, arrives."""
        if not self._waiting:
            return
        for each in [waiting for waiting in self._waiting if self._fits(waiting[0], owner, request)]:
            self._waiting.remove(each)
            kind, args = each
            self.machine.hit(kind)
            if kind == "twin order":
                self._twin(request, int(args[0]))
            elif kind == "late read":
                self._late_read(int(args[0]), int(args[1]), *args[2:])
            else:
                self._orphan(owner, request, int(args[0]), int(args[1]))

    def _fits(self, kind: str, owner: str, request: Request) -> bool:
        if kind == "late read":
            return request.method == "GET" and "symbol" not in request.params
        if request.method != "POST" or not _may_open(request):
            return False
        return kind == "twin order" or (self._unit(owner).services == (ServiceName.APPLY,) and self._enlarges(request))

    def _enlarges(self, request: Request) -> bool:
        symbol, side, _qty, leg = _ordered(request)
        return self.exchange.position(symbol, leg) * (1 if side is Side.BUY else -1) > 0

    def _unit(self, owner: str) -> Unit:
        return next(unit for unit in self.machine.units if unit.owner == owner)

    def _twin(self, request: Request, lead_ms: int) -> None:
        symbol, side, qty, leg = _ordered(request)
        self.arm(FaultName.ENGINE_DELAY, "order: engine_delay", Match(method="POST", path=ORDER_PATH), 1, lead_ms)
        self.exchange.by_hand(symbol, side, qty, leg, "person")
        lost = self.arm(FaultName.STREAM_DROP, "stream_drop", Match(symbol=symbol, event=FRAMES), 0, None)
        self.later(lead_ms + UNTOLD_MS, self.disarm, lost)

    def _late_read(self, late_ms: int, before_ms: int, *trade: int | str) -> None:
        symbol, side, leg, lots = str(trade[0]), Side(str(trade[1])), str(trade[2]), int(trade[3])
        positions = Match(method="GET", path=POSITIONS_PATH)
        self.arm(FaultName.REPLY_DELAY, "read: reply_delay", positions, 1, late_ms)
        qty = Decimal(LOT[symbol] * lots) / 1000
        at_ms = late_ms - before_ms
        self.later(at_ms, self.exchange.by_hand, symbol, side, qty, self.exchange.leg_side(leg), "person")

    def _orphan(self, owner: str, request: Request, pause_ms: int, share: int) -> None:
        symbol, _side, _qty, leg = _ordered(request)
        unit = self._unit(owner)
        life = unit.life
        if life is None:
            return
        life.pause()
        self.later(pause_ms, life.resume)
        self.later(FORCED_AFTER_MS, self.force, symbol, leg.value, share)


def _may_open(request: Request) -> bool:
    params = request.params
    shrinks = (params.get("positionSide"), params.get("side")) in SHRINKING
    return not shrinks and params.get("reduceOnly") != "true"


def _ordered(request: Request) -> tuple[str, Side, Decimal, PositionSide]:
    params = request.params
    leg = PositionSide(params.get("positionSide", PositionSide.BOTH.value))
    return params["symbol"], Side(params["side"]), Decimal(params["quantity"]), leg
