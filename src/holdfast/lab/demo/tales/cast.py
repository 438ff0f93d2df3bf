"""Who acts in a tale, and who watches: every act and every reading is one method, and becomes a fact.

The strategy acts by plans on the bus; other people and the venue act at the exchange's admin face; the operator types
`holdfast` commands, each a process of its own. Invariants: every wait has a bound and raises TimeoutError naming what
it waited for; a moment is read from exchange and bus alone.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from holdfast.domain.amounts import format_amount
from holdfast.domain.errors import CannotStart
from holdfast.lab.children import run_once
from holdfast.lab.demo.facts import AlertSeen, Event, EventField, Facts, HoldSeen, Moment, PlanSeen, WordSeen
from holdfast.lab.demo.reading import body_of, event_seen, fill_seen, is_close, order_seen, result_seen
from holdfast.lab.demo.scenarios import SYMBOL, WARM_UP_QTY
from holdfast.lab.demo.watch import Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.lab.demo.facts import OrderSeen
    from holdfast.lab.demo.screen import Screen
    from holdfast.lab.demo.stage import Stage
    from holdfast.lab.demo.strategy import Strategy
    from holdfast.lab.demo.watch import BusEntry, BusWatch
    from holdfast.ports.clock import Clock

READY_S_MAX = 15.0
STEP_S_MAX = 8.0
"""How long a step may take, most of which take milliseconds; some wait for evidence or a person's alert."""
STAND_S = 0.6
"""How long a hold is watched while nobody acts."""
STAND_PAUSE_S = 0.05
WHY = ("--yes", "--reason", "the demo's operator has looked", "--name", "operator")
SIDES = {"one_way": ("BOTH",), "hedge": ("LONG", "SHORT")}


def leg_key(side: str) -> str:
    """The leg's name on the bus."""
    return SYMBOL if side == "BOTH" else f"{SYMBOL}:{side}"


class Cast:
    """All that take part in one tale."""

    def __init__(  # noqa: PLR0917 - the six that take part
        self, stage: Stage, watch: BusWatch, strategy: Strategy, screen: Screen, clock: Clock, mode: str
    ) -> None:
        self.stage = stage
        self.watch = watch
        self.strategy = strategy
        self.clock = clock
        self.facts = Facts(drift_ns=0)
        self.told: list[Event] = []
        self._screen = screen
        self._mark = 0
        self._sides = SIDES[mode]

    # --- the strategy -----------------------------------------------------------------------------------

    async def open_with(self, *amounts: tuple[Decimal, str]) -> None:
        """Let the strategy take its positions before anything happens. Raises CannotStart if it cannot."""
        try:
            await self.allowed(READY_S_MAX)
            for amount, side in amounts:
                seen = await self.strategy.trade(amount, side)
                if not seen.executed:
                    raise CannotStart(f"the strategy could not trade before anything happened: error={seen.error}")
            await self.agreed()
        except TimeoutError as unseen:
            raise CannotStart(f"before anything happened, this was waited for in vain: {unseen}") from unseen
        held = ", ".join(format_amount(amount) for amount, _ in amounts) or "nothing"
        self._screen.note(f"the strategy holds {held}")

    async def plan_under_the_hold(self, side: str = "BOTH") -> None:
        """The strategy tries to trade."""
        plan = await self.strategy.trade(WARM_UP_QTY if side != "SHORT" else -WARM_UP_QTY, side)
        self.facts = replace(self.facts, refused=plan)
        self._tell_plan("plan_refused", plan, "the strategy's next plan")

    async def buys_unheard(self, amount: Decimal, text: str) -> None:
        """The strategy trades, and times count from the moment in which the exchange took the order."""
        mark = self.watch.mark()
        plan = await self.strategy.trade(amount)
        self.facts = replace(self.facts, plans={**self.facts.plans, "unheard": plan})
        orders = await self._orders()
        at_ns = next((o.accepted_ns for o in orders if o.order_id == plan.order_id), plan.at_ns)
        self.begin(at_ns, mark, len(orders), "the exchange executed the plan")
        self.tell("unheard_fill", at_ns, text, plan_id=plan.plan_id, order_id=plan.order_id)

    async def plan_meanwhile(self) -> None:
        """The strategy tries to trade although its last fill was not booked yet."""
        plan = await self.strategy.trade(WARM_UP_QTY)
        self.facts = replace(self.facts, refused=plan)
        self._tell_plan("plan_refused", plan, "the strategy's next plan")

    async def until_allowed(self) -> None:
        """Wait until P3.3 says ALLOW."""
        at_ns = await self.allowed(STEP_S_MAX)
        self.facts = replace(self.facts, allow_ns=at_ns)
        self.tell("permit_allow", at_ns, "P3.3 says ALLOW")

    async def trade_again(self, side: str = "BOTH") -> None:
        """The strategy opens a little and closes it again."""
        first = WARM_UP_QTY if side != "SHORT" else -WARM_UP_QTY
        after = await self.strategy.trade(first, side)
        self.facts = replace(self.facts, after=after)
        self._tell_plan("plan_executed", after, "the strategy's plan")
        await self.strategy.trade(-first, side)
        await self.agreed()

    # --- others at the exchange -------------------------------------------------------------------------

    async def by_hand(self, amount: Decimal, text: str, **more: object) -> dict[str, Any]:
        """Somebody trades by hand: a signed amount."""
        side = "BUY" if amount > 0 else "SELL"
        return await self.act("trade", text, side=side, qty=format_amount(abs(amount)), **more)

    async def act(self, what: str, text: str, **body: object) -> dict[str, Any]:
        """Somebody, or the venue, does something to the account; the first act is the one from which times count."""
        orders = len(await self._orders())
        mark = self.watch.mark()
        answer = await self.stage.desk.act(what, symbol=SYMBOL, **body)
        at_ns = int(answer.get("accepted_monotonic_ns", self.clock.monotonic_ns()))
        if not self.facts.drift_ns:
            self.begin(at_ns, mark, orders + 1)
        self.tell(what.replace("/", "_"), at_ns, text, order_id=answer.get("orderId"))
        return answer

    def begin(self, at_ns: int, mark: int, orders_before: int, since: str = "it happened at the exchange") -> None:
        """Count times from here, and take what is read from here on for what follows."""
        self._mark = mark
        self.facts = replace(self.facts, drift_ns=at_ns, orders_before=orders_before)
        self._screen.drift(at_ns, since)

    async def arm(self, name: str, *, delay_ms: int | None = None, **match: object) -> int:
        """Arm a fault of the exchange on the account until it is taken away; its number."""
        return await self.stage.desk.arm(name, count=0, delay_ms=delay_ms, symbol=SYMBOL, **match)

    async def hits(self, numbers: dict[str, int]) -> None:
        """Note how often faults really struck, and take them away."""
        table = {int(one["id"]): int(one["hits"]) for one in (await self.stage.desk.get("faults"))["faults"]}
        self.facts = replace(self.facts, faults={name: table.get(number, 0) for name, number in numbers.items()})
        for number in numbers.values():
            await self.stage.desk.delete(f"faults?id={number}")

    # --- the operator -----------------------------------------------------------------------------------

    async def operator(self, *words: str) -> WordSeen:
        """The operator types one `holdfast` command; what it said and how it ended."""
        typed = " ".join(words[: words.index("--yes")] if "--yes" in words else words)
        began_ns = self.clock.monotonic_ns()
        ended = await run_once((*words, "--settings", str(self.stage.settings)), self.stage.folder, self.stage.secrets)
        seen = WordSeen(typed, ended.status, ended.out, began_ns, self.clock.monotonic_ns())
        self.facts = replace(self.facts, words=(*self.facts.words, seen))
        self.tell("operator", seen.ended_ns, f"the operator types: holdfast {typed} (status {seen.status})")
        return seen

    async def alert(self, words: str) -> AlertSeen:
        """Wait for the first alert at the webhook whose title has these words."""
        try:
            alert = await self.stage.webhook.about(words, STEP_S_MAX)
        except TimeoutError:
            raise TimeoutError(f"an alert at the webhook: {words}") from None
        self.facts = replace(self.facts, alert=alert)
        self.tell("operator_alerted", alert.at_ns, f"alert delivered to the webhook: {alert.title}", title=alert.title)
        return alert

    # --- watching ---------------------------------------------------------------------------------------

    async def event(self, kind: str, **body: object) -> BusEntry:
        """The first event of this kind since times count whose body has these fields."""

        def fits(entry: BusEntry) -> bool:
            return entry.is_event(kind) and body.items() <= body_of(entry).items()

        return await self.watch.entry(f"{kind} {body} on reconcile.events", fits, self._mark, STEP_S_MAX)

    async def hold(self, key: str = SYMBOL) -> HoldSeen:
        """Wait until the hold's key stands on the bus."""
        value, at_ns = await self.watch.until(
            f"the key of a hold on {key}", lambda: self.watch.hold(key), bool, STEP_S_MAX
        )
        seen = HoldSeen(value or "", at_ns)
        if self.facts.hold is None:
            self.facts = replace(self.facts, hold=seen)
        state = await self.watch.state(key)
        self.tell("hold_placed", at_ns, f"HOLD placed on {key}: {state.get('reason', '')}", hold_id=seen.hold_id)
        return seen

    async def released(self, key: str = SYMBOL) -> int:
        """Wait until the hold's key is gone; when that was read."""
        _, at_ns = await self.watch.until(
            f"the key of the hold on {key} gone", lambda: self.watch.hold(key), lambda value: value is None, STEP_S_MAX
        )
        self.tell("hold_released", at_ns, f"HOLD on {key} released")
        return at_ns

    async def let_trade_again(self) -> None:
        """Wait until the symbol is free and P3.3 says ALLOW."""
        at_ns = await self.released()
        await self.event("HOLD_RELEASED")
        named = [entry.fields["hold_id"] for entry in self.watch.since(self._mark) if entry.is_event("HOLD_RELEASED")]
        self.facts = replace(self.facts, released_ns=at_ns, release_event_hold=named[-1])
        at_ns = await self.allowed(STEP_S_MAX)
        self.facts = replace(self.facts, allow_ns=at_ns)
        self.tell("permit_allow", at_ns, "P3.3 back to ALLOW")

    async def allowed(self, s_max: float) -> int:
        """Wait until P3.3 says ALLOW; when that was read."""
        _, at_ns = await self.watch.until(
            "P3.3 to say ALLOW", lambda: self.watch.permit(SYMBOL), lambda permit: permit == "ALLOW", s_max
        )
        return at_ns

    async def agreed(self) -> None:
        """Wait until every leg's ledger on the bus is what the exchange holds."""
        await self.watch.until("exchange and ledger to agree", self._read, lambda seen: seen.is_agreed, STEP_S_MAX)

    async def stand(self, key: str = SYMBOL) -> None:
        """Read the hold's key again and again while nobody acts."""
        began_ns, seen = self.clock.monotonic_ns(), list[str]()
        while self.clock.monotonic_ns() - began_ns < STAND_S * 1_000_000_000:
            seen.append(await self.watch.hold(key) or "")
            await asyncio.sleep(STAND_PAUSE_S)
        at_ns = self.clock.monotonic_ns()
        state = await self.watch.state(key)
        watched_ms = (at_ns - began_ns) // 1_000_000
        step = state.get("next_step", "")
        self.facts = replace(self.facts, hold_ids_watched=tuple(seen), watched_ms=watched_ms, next_step=step)
        text = f"read {len(seen)} times, the HOLD stands; next step: {step}" if any(seen) else "no HOLD stands"
        self.tell("hold_stands" if any(seen) else "never_held", at_ns, f"nobody acts: {text}")

    async def moment(self, name: str) -> Moment:
        """Read exchange and bus as they are now, under a name."""
        seen = await self._read()
        self.facts = replace(self.facts, moments={**self.facts.moments, name: seen})
        return seen

    async def until_moment(self, name: str, what: str, fits: Callable[[Moment], bool]) -> Moment:
        """Read until it fits; kept under a name."""
        seen, _ = await self.watch.until(what, self._read, fits, STEP_S_MAX)
        self.facts = replace(self.facts, moments={**self.facts.moments, name: seen})
        return seen

    async def _read(self) -> Moment:
        positions = await self.stage.desk.positions(SYMBOL)
        ledgers, holds, reasons = {}, {}, {}
        for key in (leg_key(side) for side in self._sides):
            text = await self.watch.ledger(key)
            ledgers[key] = Decimal(text) if text else None
            holds[key] = await self.watch.hold(key)
            reasons[key] = (await self.watch.state(key)).get("reason", "")
        amounts = {leg_key(side): Decimal(positions.get(side, "0")) for side in self._sides}
        return Moment(amounts, ledgers, holds, reasons, await self.watch.permit(SYMBOL), self.clock.monotonic_ns())

    async def _orders(self) -> tuple[OrderSeen, ...]:
        return tuple(order_seen(row) for row in await self.stage.desk.orders())

    async def collect(self) -> Facts:
        """Read what is true at the end."""
        end = await self.moment("end")
        entries = self.watch.since(self._mark)
        fills = (await self.stage.desk.fills())["fills"]
        (first, *_) = end.positions
        self.facts = replace(
            self.facts,
            orders=await self._orders(),
            fills=tuple(fill_seen(row) for row in fills),
            events=tuple(event_seen(entry) for entry in entries if entry.stream is Stream.EVENTS),
            closes=tuple(entry.fields for entry in entries if is_close(entry)),
            claimed=tuple(entry.fields["plan_id"] for entry in entries if entry.is_event("CLOSE_CLAIMED")),
            results=tuple(result_seen(entry) for entry in self.watch.since(0) if entry.stream is Stream.RESULTS),
            position_end=end.positions[first],
            ledger_end=end.ledgers[first],
            hold_end=await self.watch.hold(SYMBOL),
        )
        return self.facts

    # --- telling ----------------------------------------------------------------------------------------

    def tell(self, name: str, at_ns: int, text: str, **fields: EventField) -> None:
        """One step of the story."""
        event = Event(name, at_ns, text, fields)
        self.told.append(event)
        self._screen.event(event)

    def _tell_plan(self, expected: str, plan: PlanSeen, who: str) -> None:
        if plan.executed:
            self.tell("plan_executed", plan.at_ns, f"{who} executed", plan_id=plan.plan_id, order_id=plan.order_id)
        else:
            name = "plan_refused" if expected == "plan_executed" else expected
            self.tell(name, plan.at_ns, f"{who} refused: error={plan.error}", plan_id=plan.plan_id, error=plan.error)
