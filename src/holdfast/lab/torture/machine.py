"""The machine that the product runs on: clock, disk, bus server, pager, and the supervisor that starts units again.

All processes of a machine share its clock (a journal in a file is for one machine); the venue has its own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from holdfast.bus.keys import Keys
from holdfast.bus.valkey import ValkeyBus
from holdfast.lab.torture.loop import pass_ms
from holdfast.lab.torture.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.domain.entry import EntryKind
    from holdfast.domain.operator import Alert
    from holdfast.lab.torture.bus import MemoryValkey
    from holdfast.lab.torture.chronicle import Chronicle
    from holdfast.lab.torture.clock import VirtualClock
    from holdfast.lab.torture.dice import Dice
    from holdfast.lab.torture.disk import Disk
    from holdfast.lab.torture.net import Net
    from holdfast.lab.torture.settings import WorldSettings
    from holdfast.lab.torture.unit import Unit
    from holdfast.ports.telemetry import Log
    from holdfast.telemetry.redact import Redactor

RESTART_MS: Final = (50, 600)
"""How soon a supervisor starts again what ended."""
BUS_TRIP_MS: Final = 0.2
KEYS: Final = Keys(PREFIX)


class UnitWire:
    """`bus.Wire`: the lines of one unit to the bus server."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    async def connect(self, name: str) -> None:
        """Connect."""
        del name
        await self._unit.reach("bus: connect")
        await pass_ms(BUS_TRIP_MS)

    async def carry(self, name: str, count: int, take_effect: Callable[[int], None]) -> bool:
        """Carry one write; a cut lets none of it, or a part, or all of it take effect."""
        del name
        machine = self._unit.machine
        await self._unit.reach("bus: before a write")
        await pass_ms(BUS_TRIP_MS)
        cut, machine.bus_cuts = machine.bus_cuts[:1], machine.bus_cuts[1:]
        if cut:
            machine.hit(f"bus cut {cut[0]} a command")
            if cut[0] == "within":
                take_effect(count // 2)
            elif cut[0] == "after":
                take_effect(count)
            machine.bus_written()
            return False
        take_effect(count)
        machine.bus_written()
        await self._unit.reach("bus: after a write")
        return True


@dataclass(slots=True)
class Machine:
    """See the module."""

    dice: Dice
    chronicle: Chronicle
    net: Net
    settings: WorldSettings
    clock: VirtualClock
    disk: Disk
    valkey: MemoryValkey
    log_of: Callable[[Unit, Redactor], Log] | None = None
    hits: Counter[str] = field(default_factory=Counter)
    units: list[Unit] = field(default_factory=list)
    without_next_step: dict[str, int] = field(default_factory=dict)
    """What the product's own metric says of holds that nothing will end, by account."""
    bus_cuts: tuple[str, ...] = ()
    """How the next writes to the bus are cut."""
    pager_is_down: bool = False
    deadly: str = ""
    """A kind of journal entry: whose process commits the next one dies right after the commit."""
    newest: Callable[[str], int] = lambda _kind: 0
    """The number of the newest entry of a kind."""
    awaiting: list[tuple[EntryKind, Callable[[], None]]] = field(default_factory=list)
    """What happens as the next entry of a kind is committed, before anything else does."""
    pages: list[tuple[float, Alert]] = field(default_factory=list)
    """When which alert reached the person."""
    paged: Callable[[Alert], None] = lambda _alert: None
    """Called when the person was told."""
    is_off: bool = False
    committed: Callable[[], None] = lambda: None
    """Called after every commit."""
    bus_written: Callable[[], None] = lambda: None
    """Called after every write to the bus."""

    def hit(self, name: str) -> None:
        """Count a fault that really struck."""
        self.hits[name] += 1

    def open_bus(self, unit: Unit, owner: str, prefix: str) -> ValkeyBus:
        """The real adapter, on a line to the server in memory."""
        return ValkeyBus("redis://127.0.0.1:6379/0", owner, prefix, dial=self.valkey.dial(UnitWire(unit)))

    def page(self, alert: Alert) -> bool:
        """Tell the person on duty; False if no channel works."""
        if self.pager_is_down:
            self.hit("pager down")
            return False
        self.pages.append((self.chronicle.now_ms(), alert))
        self.paged(alert)
        self.chronicle.say("pager", f"{alert.title}: {alert.text}")
        return True

    def start_later(self, unit: Unit) -> None:
        """Start a unit again in a while."""
        low, high = RESTART_MS
        self.net.later(low + (high - low) * self.dice(f"{unit.name} starts again").random(), unit.start)

    def lose_power(self, dark_ms: float) -> None:
        """Everything on the machine ends at once; what was not durable is gone."""
        self.is_off = True
        self.hit("power loss")
        for unit in self.units:
            unit.kill("dies with the machine")
        self.disk.lose_power()
        self.valkey.restart()
        self.net.later(dark_ms, self.power_on)

    def power_on(self) -> None:
        """Start everything."""
        self.is_off = False
        for unit in self.units:
            unit.start()
