"""What people and strategies do: plans on the bus, trades by hand, operators' words.

A strategy knows the bus alone and a person the exchange's own screen; an operator speaks through the journal, as the
command line does. None of them knows what the product is about to do, except at the worst moments, which are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TypeVar

from holdfast.domain.entry import Entry, EntryKind
from holdfast.domain.errors import HoldfastError
from holdfast.domain.hold import HoldReason
from holdfast.domain.names import AccountId, Symbol
from holdfast.domain.operator import OperatorRequest, RequestKind, RequestState
from holdfast.domain.order import OrderState
from holdfast.domain.sides import PositionSide as LegSide
from holdfast.domain.sides import TradingState
from holdfast.lab.torture.acts import SHRINKING, Act
from holdfast.lab.torture.machine import KEYS
from holdfast.lab.torture.schedule import FOREIGN_SYMBOL, LOT
from holdfast.lab.torture.settings import ACCOUNT
from holdfast.sim.core.legs import PositionSide as SimSide
from holdfast.sim.core.orders import Side
from holdfast.sim.core.resting import cancel_all

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from holdfast.domain.names import ClientOrderId, HoldId
    from holdfast.domain.sides import Leg
    from holdfast.journal.store import SqlJournal
    from holdfast.lab.torture.exchange import WorldExchange
    from holdfast.lab.torture.machine import Machine
    from holdfast.ports.journal import Tx
    from holdfast.sim.core.legs import PositionSide
    from holdfast.sim.core.orders import Order as SimOrder
    from holdfast.sim.core.requests import Request

Value = TypeVar("Value")
SEND_AGAIN_MS: Final = 400
SENDS_MAX: Final = 5
ASK_AGAIN_MS: Final = 5_000
OLD_MS: Final = 60_000
OVERTAKES_MS: Final = 40
"""How soon a person trades once a close was planned."""


def at_once(coroutine: Coroutine[None, None, Value]) -> Value:
    """Run a coroutine that never waits. Raises RuntimeError if it does."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        value: Value = done.value
        return value
    coroutine.close()
    raise RuntimeError("what should be done at once has to wait")


@dataclass(slots=True)
class Desk:
    """See the module."""

    machine: Machine
    exchange: WorldExchange
    journal: SqlJournal
    """The operators' own way to the journal."""
    plans: dict[str, dict[str, str]] = field(default_factory=dict)
    """What the bus took, by plan id."""
    sent: int = 0
    asked: int = 0
    resolved: dict[str, float] = field(default_factory=dict)
    """Orders that the person on duty spoke of, and when."""
    forge: Callable[[str], None] = lambda _flaw: None
    """Lets the intruder put a forged message on the bus."""
    _ambushes: list[tuple[str, Act]] = field(default_factory=list)
    """What a person does at the next close (or order) of the product, in the moment in which it arrives."""

    def act(self, act: Act) -> None:
        """Do one deed."""
        match act.kind:
            case "plan":
                self._plan(act)
            case "cancel plan":
                self._cancel(int(act.args[0]), str(act.args[1]))
            case "repeat":
                self._repeat(f"p{act.args[0]}")
            case "forge close" | "reuse id" | "garbage" | "old plan":
                self._oddity(act)
            case "forge":
                self.forge(str(act.args[0]))
            case "hand before close" | "hand after order" | "before read":
                self._ambushes.append((act.kind, act))
            case "upon":
                self._await(str(act.args[0]), str(act.args[1]), int(act.args[2]))
            case "hand cancel":
                self._cancel_by_hand(str(act.args[0]))
            case "operator":
                self._operator(str(act.args[0]), str(act.args[1]))
            case _:
                self._hand(act.kind, act)

    # --- strategies -------------------------------------------------------------------------------------

    def _plan(self, act: Act) -> None:
        number, symbol, word, side, leg, lots = act.args
        self._send(f"p{number}", self._fields(str(symbol), str(word), str(side), str(leg), int(lots)))

    def _fields(self, symbol: str, word: str, side: str, leg: str, lots: int) -> dict[str, str]:
        held = self.exchange.leg_side(leg or "LONG")
        position = self.exchange.position(symbol, held)
        fields = {
            "symbol": symbol,
            "decision": "EXECUTE",
            "side": side,
            "qty": str(Decimal(LOT[symbol] * lots) / 1000),
            "type": "MARKET",
            "reduceOnly": "false",
            "reason": "torture",
            "timestamp": str(self.machine.clock.now_ms()),
        }
        if leg:
            fields["positionSide"] = leg
        if word == "close":
            fields |= {"side": "close", "reduceOnly": "true"}
        elif word == "reduce":
            fields |= {"side": "SELL" if position > 0 else "BUY", "reduceOnly": "true"}
        elif word in {"ioc", "gtc"}:
            fields |= {"type": "LIMIT", "timeInForce": word.upper(), "price": self._price(symbol, side, word)}
        return fields

    def _price(self, symbol: str, side: str, word: str) -> str:
        """At once for IOC; for GTC so far away that it rests."""
        market = self.exchange.venue.exchange.market(symbol)
        quote = market.quote(self.exchange.venue.exchange.clock.now_ms())
        share = Decimal("1.001") if word == "ioc" else Decimal("0.98")
        price = quote.mark * (share if side == "BUY" else 2 - share)
        return str(price.quantize(market.rules.tick))

    def _send(self, plan_id: str, fields: dict[str, str], tries: int = 1) -> None:
        if self.machine.valkey.is_refusing:
            if tries < SENDS_MAX:
                self.machine.net.later(SEND_AGAIN_MS, self._send, plan_id, fields, tries + 1)
            return
        self.plans.setdefault(plan_id, fields)
        self.sent += 1
        what = " ".join(fields.get(name, "") for name in ("side", "qty", "symbol", "positionSide", "type")).rstrip()
        self.machine.chronicle.say("strategy", f"{plan_id}: {fields.get('decision', '?')} {what}")
        flat = [part for pair in ({"plan_id": plan_id} | fields).items() for part in pair]
        self.machine.valkey.run("XADD", KEYS.plans, "*", *flat)

    def _cancel(self, number: int, symbol: str) -> None:
        fields = {
            "symbol": symbol,
            "decision": "CANCEL",
            "cancels": f"p{number}",
            "reason": "torture",
            "timestamp": str(self.machine.clock.now_ms()),
        }
        self._send(f"c{number}", fields)

    def _repeat(self, plan_id: str) -> None:
        known = self.plans.get(plan_id)
        if known is not None:
            now_ms = self.machine.clock.now_ms()
            self._send(plan_id, known | {"timestamp": str(now_ms)})
            known["timestamp"] = str(max(now_ms, int(known["timestamp"])))  # it is as old as its newest word

    def _oddity(self, act: Act) -> None:
        plan_id = f"p{act.args[0]}"
        fields = self._fields("BTCUSDT", "market", "BUY", "LONG" if self.exchange.account.mode == "hedge" else "", 2)
        match act.kind:
            case "forge close":
                fields |= {
                    "decision": "RECONCILE_CLOSE",
                    "side": "close",
                    "reduceOnly": "true",
                    "reason": "drift_detected:drift",
                    "hold_id": "hold-BTCUSDT-1-0",
                    "exchange_amt": "0.004",
                    "ledger_amt": "0",
                    "expires": str(self.machine.clock.now_ms() + 5_000),
                }
                self._send("rc-forged-1", fields)
            case "reuse id":
                if plan_id in self.plans:
                    self._send(plan_id, fields | {"qty": "0.031"})
            case "old plan":
                self._send("old", fields | {"timestamp": str(self.machine.clock.now_ms() - OLD_MS)})
            case _:
                self._send("garbage", {"symbol": "BTCUSDT", "qty": "NaN"})

    # --- people -----------------------------------------------------------------------------------------

    def ambush(self, request: Request) -> None:
        """Called as an order arrives at the exchange: who waited for it, trades first."""
        direction = (request.params.get("positionSide"), request.params.get("side"))
        is_close = direction in SHRINKING or request.params.get("reduceOnly") == "true"
        symbol = request.params.get("symbol", "")
        for each in list(self._ambushes):
            kind, act = each
            if kind == "before read":
                continue
            if (kind == "hand before close") is is_close:
                self._ambushes.remove(each)
                self.machine.hit(
                    "trade by hand as a close arrives" if is_close else "trade by hand as an order arrives"
                )
                self._hand("hand", replace(act, args=(symbol, *act.args[1:])))

    def _await(self, kind: str, word: str, lots: int) -> None:
        self.machine.awaiting.append(
            (
                EntryKind(kind),
                lambda: self.machine.net.later(OVERTAKES_MS, self._overtake, word, lots),
            )
        )

    def _overtake(self, word: str, lots: int) -> None:
        """Trade on the leg of a planned close before anybody claims it."""
        closes = at_once(self.journal.query(AccountId(ACCOUNT), lambda reads: reads.planned_closes()))
        if not closes:
            return
        close = closes[-1]
        held = "SHORT" if close.leg.position_side is LegSide.SHORT else "LONG"
        self.machine.hit("trade by hand between a close's plan and its claim")
        if word == "hand part":
            part = (close.qty / 2).quantize(Decimal("0.001"))
            if part > 0:
                self._by_hand(close.leg.symbol, Side(close.side.value), part, self.exchange.leg_side(held))
        else:
            self._hand(word, Act(0, word, (close.leg.symbol, "BUY", held, lots)))

    def before_read(self, symbol: str) -> None:
        """Called as somebody asks for a symbol's position: if it is for a close, the worst happens first."""
        waiting = [each for each in self._ambushes if each[0] == "before read"]
        if not waiting:
            return
        closes = at_once(self.journal.query(AccountId(ACCOUNT), lambda reads: reads.planned_closes()))
        leg = next((close.leg for close in closes if close.leg.symbol == symbol), None)
        if leg is None:
            return
        self._ambushes.remove(waiting[0])
        word, lots = str(waiting[0][1].args[0]), int(waiting[0][1].args[1])
        self.machine.hit("the worst before a close's read")
        if word == "halt":
            self._operator("halt", symbol)
        else:
            held = "SHORT" if leg.position_side is LegSide.SHORT else "LONG"
            self._hand(word, Act(0, word, (symbol, "BUY", held, lots)))

    def _hand(self, kind: str, act: Act) -> None:
        symbol, side, leg, lots = str(act.args[0]), Side(str(act.args[1])), str(act.args[2]), int(act.args[3])
        held_leg = self.exchange.leg_side(leg)
        held = self.exchange.position(symbol, held_leg)
        lot = Decimal(LOT.get(symbol, LOT[FOREIGN_SYMBOL])) / 1000
        qty = lot * lots
        if kind == "hand":
            self._by_hand(symbol, side, qty, held_leg)
            return
        if held == 0:
            return
        against = Side.SELL if held > 0 else Side.BUY
        amount = {"hand flatten": abs(held), "hand halve": abs(held) / 2, "hand flip": abs(held) + qty}[kind]
        amount = amount.quantize(Decimal("0.001"))
        if amount > 0:
            self._by_hand(symbol, against, amount, held_leg)

    def _cancel_by_hand(self, symbol: str) -> None:
        """A person cancels whatever rests on a symbol."""
        cancelled = cancel_all(self.exchange.venue.exchange, self.exchange.account, symbol)
        if cancelled:
            self.machine.hit("cancel by hand")
            self.machine.chronicle.say("person", f"cancels {len(cancelled)} orders of {symbol}")
            self.machine.net.looked()

    def _by_hand(self, symbol: str, side: Side, qty: Decimal, leg: PositionSide) -> None:
        self.machine.hit("trade by hand")
        self.exchange.by_hand(symbol, side, qty, leg, "person")

    # --- operators --------------------------------------------------------------------------------------

    def _operator(self, word: str, symbol: str) -> None:
        self.machine.chronicle.say("operator", f"{word} {symbol}")
        try:
            if word in {"halt", "resume"}:
                self._switch(TradingState.HALTED if word == "halt" else TradingState.ACTIVE)
            elif word == "bus hold":
                self._on_bus("SET", KEYS.hold(Symbol(symbol)), "held by hand")
            elif word == "bus unhold":
                self._on_bus("DEL", KEYS.hold(Symbol(symbol)))
            else:
                self._ask(RequestKind(word), Symbol(symbol))
        except HoldfastError as error:
            self.machine.chronicle.say("operator", f"cannot: {error}")

    def on_duty(self, is_needed: Callable[[str, Leg], bool]) -> None:
        """Whoever was paged about an order of unknown fate looks it up at the exchange and says what became of it."""
        orders = at_once(self.journal.query(AccountId(ACCOUNT), lambda reads: reads.live_orders(None)))
        now = self.machine.chronicle.now_ms()
        for order in orders:
            name = order.client_order_id
            if order.state is not OrderState.UNKNOWN or not any(name in page.text for _, page in self.machine.pages):
                continue
            if now - self.resolved.get(name, -ASK_AGAIN_MS) < ASK_AGAIN_MS or not is_needed(name, order.leg):
                continue
            self.resolved[name] = now
            kind = fate_of(self.exchange.account.book(order.leg.symbol).by_client.get(name, []))
            self.machine.chronicle.say("operator", f"{kind.value} {name}")
            self._put(kind, order.leg.symbol, None, client_order_id=name)

    def answer(self, hold_id: HoldId) -> None:
        """The person on duty answers a page: releases what only a person ends, adopts or closes what differs."""
        account = AccountId(ACCOUNT)
        try:
            hold = at_once(self.journal.query(account, lambda reads: reads.hold(hold_id)))
            if hold is None or not hold.is_open or hold.reason is HoldReason.UNKNOWN_ORDER:
                return
            ledger = at_once(self.journal.query(account, lambda reads: reads.leg(hold.leg)))
            leg = SimSide(hold.leg.position_side.value)
            differs = self.exchange.position(hold.leg.symbol, leg) != ledger.amt
            chance = self.machine.dice("the person on duty")
            word = chance.choice((RequestKind.ADOPT, RequestKind.CLOSE)) if differs else RequestKind.RELEASE
            self.machine.chronicle.say("operator", f"{word.value} {hold.leg.key}, as {hold.reason.value} asks for")
            self._put(word, hold.leg.symbol, hold_id)
        except HoldfastError as error:
            self.machine.chronicle.say("operator", f"cannot: {error}")

    def calm(self) -> None:
        """Nobody lies in wait any more."""
        self._ambushes.clear()

    def _on_bus(self, *command: str) -> None:
        if not self.machine.valkey.is_refusing:
            self.machine.valkey.run(*command)

    def _ask(self, kind: RequestKind, symbol: Symbol) -> None:
        holds = at_once(self.journal.query(AccountId(ACCOUNT), lambda reads: reads.open_holds(symbol)))
        if kind is RequestKind.APPROVE and not holds:
            return
        self._put(kind, symbol, holds[0].hold_id if holds else None)

    def _put(
        self, kind: RequestKind, symbol: Symbol, hold_id: HoldId | None, client_order_id: ClientOrderId | None = None
    ) -> None:
        self.asked += 1
        leg = LegSide.LONG if self.exchange.account.mode == "hedge" and kind is RequestKind.CLOSE else None
        request = OperatorRequest(
            request_id=f"request-{self.asked}",
            account=AccountId(ACCOUNT),
            kind=kind,
            symbol=symbol,
            position_side=leg,
            hold_id=hold_id,
            qty="",
            name="operator",
            reason="torture",
            created_ms=self.machine.clock.now_ms(),
            state=RequestState.OPEN,
            outcome="",
            client_order_id=client_order_id,
        )
        self._write(lambda tx: tx.put_request(request))

    def _switch(self, state: TradingState) -> None:
        kind = EntryKind.HALTED if state is TradingState.HALTED else EntryKind.RESUMED

        def write(tx: Tx) -> None:
            if tx.account().trading_state is not state:
                tx.set_trading_state(state, "operator: torture" if state is TradingState.HALTED else "")
                tx.append(Entry(kind, AccountId(ACCOUNT), body={"who": "operator", "why": "torture"}))

        self._write(write)

    def _write(self, write: Callable[[Tx], None]) -> None:
        step = self.journal.transact(
            AccountId(ACCOUNT),
            None,
            read=lambda _: None,
            decide=lambda _: None,
            write=lambda tx, _choice, _facts: write(tx),
        )
        at_once(step)


def fate_of(found: Sequence[SimOrder]) -> RequestKind:
    """What a person truly says of an order, as the exchange's own screen shows it."""
    if not found:
        return RequestKind.RESOLVE_NOT_ACCEPTED
    is_whole = all(each.executed == each.qty_asked for each in found)
    return RequestKind.RESOLVE_FILLED if is_whole else RequestKind.RESOLVE_ENDED
