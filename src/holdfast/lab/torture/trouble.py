"""What goes wrong, and how it ends: every fault of a schedule, done to the world from outside.

A fault counts as hit when it struck something: a request, a frame, a process that ran. What was armed and met nobody
counts nothing. `calm` ends every fault; from then on the product has to come to rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Final

from holdfast.compose import ServiceName
from holdfast.domain.entry import EntryKind
from holdfast.lab.torture.acts import Act
from holdfast.lab.torture.loop import running_loop
from holdfast.lab.torture.machine import KEYS
from holdfast.lab.torture.net import OUTSIDE
from holdfast.lab.torture.old_words import WAYLAYING
from holdfast.lab.torture.schedule import LOT
from holdfast.lab.torture.waylay import Waylay
from holdfast.sim.core.account import Mode, Restriction
from holdfast.sim.core.calls.settings import switch_mode
from holdfast.sim.core.fault_names import FaultName
from holdfast.sim.core.faults import Fault, Match
from holdfast.sim.core.forced import Force, force_close
from holdfast.sim.core.market import SymbolStatus
from holdfast.sim.core.refusals import ApiError
from holdfast.sim.core.resting import cancel_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.lab.torture.bus import Picture
    from holdfast.lab.torture.clock import VirtualClock
    from holdfast.lab.torture.exchange import WorldExchange
    from holdfast.lab.torture.machine import Machine
    from holdfast.lab.torture.unit import Unit

Args = tuple[int | str, ...]
RECONCILE_ALONE: Final = (ServiceName.RECONCILE,)
ORDER_PATH: Final = "/fapi/v1/order"


@dataclass(slots=True)
class Trouble:
    """See the module."""

    machine: Machine
    exchange: WorldExchange
    venue_clock: VirtualClock
    clock_was_set: Callable[[], None] = lambda: None
    """Called when the exchange's clock is about to be set."""
    is_calm: bool = False
    waylay: Waylay = field(init=False)
    _armed: dict[int, str] = field(default_factory=dict)
    """The simulator's faults by id, for counting."""
    _paused: list[Unit] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.waylay = Waylay(self.machine, self.exchange, self._arm, self._later, self._disarm, self._do_liquidation)

    def strike(self, act: Act) -> None:
        """Begin one fault."""
        if self.is_calm:
            return
        self.machine.chronicle.say("fault", " ".join((act.kind, *map(str, act.args))))
        if act.kind in WAYLAYING:
            self.waylay.wait(act.kind, *act.args)
            return
        getattr(self, f"_do_{act.kind.replace(' ', '_')}")(*act.args)

    def calm(self) -> None:
        """End every fault that still goes on."""
        self.is_calm = True
        self.machine.chronicle.say("fault", "no more faults")
        machine, venue = self.machine, self.exchange.venue
        self._disarm_all()
        self.waylay.calm()
        machine.net.weather.refused_until = machine.net.weather.cut_until = machine.net.weather.mute_until = 0.0
        machine.net.weather.torn_answers = 0
        machine.bus_cuts = ()
        machine.deadly = ""
        machine.awaiting.clear()
        machine.pager_is_down = False
        self._disk_again()
        self._bus_again()
        for market in venue.exchange.markets.values():
            market.depth = None
            market.status = SymbolStatus.TRADING
        self.exchange.account.restriction = Restriction.NONE
        for caller in venue.limits.callers.values():
            caller.banned_until_ms = min(caller.banned_until_ms, venue.exchange.clock.now_ms() + 1_000)
        for unit in machine.units:
            unit.fuse = unit.next_fuse = 0
            self._resume(unit)
        if machine.is_off:
            machine.power_on()
        self.end_resting()
        machine.net.looked()

    @property
    def has_its_mode(self) -> bool:
        """Whether the account's position mode is what it was at the start."""
        return self.exchange.account.mode is self.exchange.mode

    def set_mode_back(self) -> None:
        """Somebody who heard of it sets the account's position mode as it was."""
        if not self.has_its_mode:
            self._empty()
            self._mode_back(self.exchange.mode)
            self.machine.net.looked()

    def end_resting(self) -> None:
        """Somebody cancels what rests: a limit order has no result before its end."""
        account = self.exchange.account
        for symbol in sorted(account.books):
            if account.books[symbol].open:
                cancel_all(self.exchange.venue.exchange, account, symbol)

    def hits(self) -> None:
        """Count what the simulator's faults struck."""
        for fault in self.exchange.venue.faults.table:
            if fault.hits:
                self.machine.hits[self._armed[fault.id]] += fault.hits
                fault.hits = 0
        refusals, self.machine.disk.refusals = self.machine.disk.refusals, 0
        if refusals:
            self.machine.hits["disk full"] += refusals

    def _do_upon(self, kind: str, word: str, *args: int | str) -> None:
        now_ms = int(self.machine.chronicle.now_ms())
        self.machine.awaiting.append((EntryKind(kind), partial(self.strike, Act(now_ms, word, args))))

    def _later(self, delay_ms: int | str, end: Callable[..., None], *args: object) -> None:
        self.machine.net.later(int(delay_ms), self._unless_calm, end, *args)

    def _unless_calm(self, end: Callable[..., None], *args: object) -> None:
        if not self.is_calm:
            end(*args)

    # --- processes --------------------------------------------------------------------------------------

    def _do_crash(self, index: int, fuse: int, again: int) -> None:
        unit = self.machine.units[index]
        unit.fuse, unit.next_fuse = fuse, again

    def _do_kill(self, index: int) -> None:
        unit = self.machine.units[index]
        if unit.life is not None:
            self.machine.hit("kill")
            unit.kill("killed from outside")

    def _do_kill_after(self, kind: str) -> None:
        self.machine.deadly = kind

    def _do_stop(self, index: int) -> None:
        unit = self.machine.units[index]
        if unit.life is not None:
            self.machine.hit("stop")
            unit.stop()

    def _do_cut_at_stop(self, index: int, turns: int) -> None:
        unit = self.machine.units[index]
        if unit.life is not None:
            self.machine.hit("stop")
            unit.stop()
            self._cut_in(unit, turns)

    def _cut_in(self, unit: Unit, turns: int) -> None:
        if turns:
            running_loop().call_soon(self._cut_in, unit, turns - 1, context=OUTSIDE)
            return
        for socket in [each for each in self.machine.net.sockets if each.unit is unit]:
            self.machine.hit("stream broken at a stop")
            self.machine.net.drop(socket)
            socket.hang_up()

    def _do_pause(self, index: int, pause_ms: int) -> None:
        unit = self.machine.units[index]
        if unit.life is None:
            return
        self.machine.hit("pause longer than a lease" if pause_ms > 5_000 else "pause")  # noqa: PLR2004 - the lease
        unit.life.pause()
        life = unit.life
        self._later(pause_ms, self._end_pause, unit, life)

    def _end_pause(self, unit: Unit, life: object) -> None:
        if unit.life is life:
            self._resume(unit)

    def _resume(self, unit: Unit) -> None:
        if unit.life is not None:
            unit.life.resume()

    def _do_stand_still(self, apply_ms: int, reconcile_ms: int) -> None:
        """Everything stops at once; a reconciler of its own may go on later than apply."""
        for index, unit in enumerate(self.machine.units):
            self._do_pause(index, reconcile_ms if unit.services == RECONCILE_ALONE else apply_ms)

    def _do_power_loss(self, dark_ms: int) -> None:
        if not self.machine.is_off:
            self.machine.lose_power(dark_ms)

    # --- the bus ----------------------------------------------------------------------------------------

    def _do_bus_down(self, down_ms: int) -> None:
        self.machine.hit("bus down")
        self.machine.valkey.refuse()
        self._later(down_ms, self._bus_again)

    def _bus_again(self) -> None:
        if self.machine.valkey.is_refusing:
            self.machine.valkey.accept()

    def _do_bus_emptied(self) -> None:
        self.machine.hit("bus emptied")
        self.machine.valkey.wipe()
        self.machine.bus_written()

    def _do_bus_restarted(self, lost_ms: int) -> None:
        picture = self.machine.valkey.picture()
        self._later(lost_ms, self._bus_restart, picture)

    def _bus_restart(self, picture: Picture) -> None:
        self.machine.hit("bus restarted, newest writes lost")
        self.machine.valkey.restart(picture)
        self.machine.bus_written()

    def _do_bus_cut(self, count: int, side: str) -> None:
        self.machine.bus_cuts += (side,) * count

    def _do_bus_twice(self, count: int) -> None:
        if not self.machine.valkey.is_refusing and self.machine.valkey.redeliver(KEYS.plans, count):
            self.machine.hit("bus delivers twice")

    # --- the venue's answers ----------------------------------------------------------------------------

    def _arm(self, name: str, word: str, match: Match, count: int, delay_ms: int | None) -> Fault:
        faults = self.exchange.venue.faults
        armed = faults.arm(Fault(FaultName(name), match, count, delay_ms))
        self._armed[armed.id] = word
        return armed

    def _disarm_all(self) -> None:
        self.hits()
        self.exchange.venue.faults.armed.clear()

    def _do_order_answer(self, name: str, count: int, delay_ms: int) -> None:
        self._arm(name, f"order: {name}", Match(method="POST", path=ORDER_PATH), count, delay_ms)

    def _do_order_delay(self, name: str, count: int, delay_ms: int) -> None:
        self._arm(name, f"order: {name}", Match(method="POST", path=ORDER_PATH), count, delay_ms)

    def _do_read_answer(self, name: str, path: str, count: int, delay_ms: int) -> None:
        method = "POST" if path.endswith("listenKey") else "GET"
        self._arm(name, f"read: {name}", Match(method=method, path=path), count, delay_ms)

    def _do_stale(self, name: str, lag_ms: int, for_ms: int) -> None:
        fault = self._arm(name, name, Match(), 0, lag_ms)
        self._later(for_ms, self._disarm, fault)

    def _do_no_answers(self, path: str, for_ms: int) -> None:
        fault = self._arm(FaultName.RESET_NOT_EXECUTED, f"no answers of {path}", Match(method="GET", path=path), 0, 0)
        self._later(for_ms, self._disarm, fault)

    def _disarm(self, fault: Fault) -> None:
        armed = self.exchange.venue.faults.armed
        if fault in armed:
            armed.remove(fault)

    def _do_partial_answer(self, count: int) -> None:
        self.machine.net.weather.torn_answers += count

    def _do_ban(self, ban_ms: int) -> None:
        self._arm(FaultName.BANNED, "rate-limit ban", Match(), 1, ban_ms)

    # --- lines and stream -------------------------------------------------------------------------------

    def _until(self, ms: int) -> float:
        return self.machine.chronicle.now_ms() / 1_000 + ms / 1_000

    def _do_refused(self, ms: int) -> None:
        self.machine.net.weather.refused_until = self._until(ms)

    def _do_network_cut(self, ms: int) -> None:
        self.machine.net.weather.cut_until = self._until(ms)

    def _do_stream_silent(self, ms: int) -> None:
        self.machine.net.weather.mute_until = self._until(ms)

    def _do_stream_event(self, name: str, count: int, delay_ms: int) -> None:
        self._arm(name, name, Match(), count, delay_ms)

    def _do_stream_ended(self) -> None:
        for socket in list(self.machine.net.sockets):
            self.machine.hit("stream ended")
            self.machine.net.end(socket)

    def _do_key_expired(self) -> None:
        if self.exchange.venue.expire_listen_key(self.exchange.account.name) is not None:
            self.machine.hit("listen key expired")

    # --- clocks and machine -----------------------------------------------------------------------------

    def _do_clock_jump(self, ms: int) -> None:
        self.machine.hit("clock jumps back" if ms < 0 else "clock jumps ahead")
        self.machine.clock.jump(ms)

    def _do_venue_clock(self, ms: int) -> None:
        self.machine.hit("venue clock moves")
        self.clock_was_set()
        self.venue_clock.jump(ms)

    def _do_disk_full(self, ms: int) -> None:
        self.machine.disk.is_full = True
        self._later(ms, self._disk_again)

    def _disk_again(self) -> None:
        self.machine.disk.is_full = False

    def _do_pager_down(self, ms: int) -> None:
        self.machine.pager_is_down = True
        self._later(ms, self._pager_again)

    def _pager_again(self) -> None:
        self.machine.pager_is_down = False

    # --- the market and the account ---------------------------------------------------------------------

    def _do_liquidation(self, symbol: str, leg: str, share: int) -> None:
        self._force(symbol, leg, share, Force.LIQUIDATION, "liquidation")

    def _do_adl(self, symbol: str, leg: str, share: int) -> None:
        self._force(symbol, leg, share, Force.ADL, "ADL")

    def _force(self, symbol: str, leg: str, share: int, force: Force, word: str) -> None:
        side = self.exchange.leg_side(leg)
        held = abs(self.exchange.position(symbol, side))
        qty = (held / share).quantize(Decimal("0.001"))
        if qty <= 0:
            return
        self.machine.hit(word)
        self.machine.chronicle.say("venue", f"{word} of {qty} {symbol} {side}")
        force_close(self.exchange.venue.exchange, self.exchange.account, symbol, side, qty=qty, force=force)
        self.machine.net.looked()

    def _do_thin_book(self, symbol: str, ms: int, lots: int) -> None:
        market = self.exchange.venue.exchange.market(symbol)
        market.depth = Decimal(LOT[symbol] * lots) / 1000
        self._later(ms, self._deep_again, symbol)

    def _deep_again(self, symbol: str) -> None:
        self.exchange.venue.exchange.market(symbol).depth = None

    def _do_symbol_halted(self, symbol: str, ms: int) -> None:
        self.exchange.venue.exchange.market(symbol).status = SymbolStatus.SETTLING
        self.machine.hit("symbol halted")
        self._later(ms, self._trading_again, symbol)

    def _trading_again(self, symbol: str) -> None:
        self.exchange.venue.exchange.market(symbol).status = SymbolStatus.TRADING

    def _do_restricted(self, word: str, ms: int) -> None:
        self.exchange.account.restriction = Restriction(word)
        self.machine.hit("account restricted")
        self._later(ms, self._free_again)

    def _free_again(self) -> None:
        self.exchange.account.restriction = Restriction.NONE

    def _do_mode_changed(self, back_ms: int) -> None:
        """Somebody closes everything, and switches the account's mode in the app."""
        self._empty()
        account = self.exchange.account
        before = account.mode
        try:
            switch_mode(account, Mode.ONE_WAY if before is Mode.HEDGE else Mode.HEDGE)
        except ApiError:
            return
        self.machine.hit("position mode changed")
        self.machine.net.looked()
        if back_ms:
            self._later(back_ms, self._mode_back, before)

    def _empty(self) -> None:
        account, exchange = self.exchange.account, self.exchange.venue.exchange
        for symbol in sorted(account.books):
            cancel_all(exchange, account, symbol)
        for symbol, side in sorted(account.open_legs):
            self.exchange.close_by_hand(symbol, side, "person")

    def _mode_back(self, before: Mode) -> None:
        try:
            switch_mode(self.exchange.account, before)
        except ApiError as error:
            self.machine.chronicle.say("venue", f"mode stays: {error.msg}")
