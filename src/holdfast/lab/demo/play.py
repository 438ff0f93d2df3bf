"""The acts of a scenario. Two parties act, a strategy on the bus and somebody at the exchange; the rest is watched.

A round is one drift from the trade by hand to its end. Healing takes some 20 ms, and the strategy's plan must arrive
while the hold stands; it is sent at the very HOLD_SET that the strategy reads. If it comes too late all the same (it
was executed after the close was through), nothing was proved and nothing was broken: the position is restored and the
round is played again, at most `ROUNDS_MAX` times, and said so. No time is stretched to make it fit.

Invariant: a wait that ends in vain is kept as `unseen`, and what can still be read is read: the judge names the rest.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from holdfast.domain.amounts import format_amount
from holdfast.domain.errors import CannotStart
from holdfast.lab.demo.facts import AlertSeen, Event, EventField, Facts, HoldSeen, OrderSeen, PlanSeen
from holdfast.lab.demo.reading import body_of, is_close, order_seen, result_seen
from holdfast.lab.demo.scenarios import SYMBOL, WARM_UP_QTY, Ending
from holdfast.lab.demo.watch import Stream

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from holdfast.lab.demo.scenarios import Scenario
    from holdfast.lab.demo.screen import Screen
    from holdfast.lab.demo.stage import Stage
    from holdfast.lab.demo.strategy import Strategy
    from holdfast.lab.demo.watch import BusWatch
    from holdfast.ports.clock import Clock

ROUNDS_MAX = 12
READY_S_MAX = 15.0
STEP_S_MAX = 5.0
"""How long a step may take that takes milliseconds."""
OPERATOR_S_MAX = 10.0
"""How long until a person is asked: `evidence_ms_max` and some more."""
STAND_MS = 1_500
"""How long a hold is watched while nobody acts."""
STAND_PAUSE_S = 0.05
LATER_ROWS = frozenset({"input_stale", "stamp_stale", "order_pending", "not_agreed"})
"""Refusals that the permit table gives only where no hold stands."""


class Play:
    """One scenario on one stage."""

    def __init__(  # noqa: PLR0917 - the six that take part
        self, scenario: Scenario, stage: Stage, watch: BusWatch, strategy: Strategy, screen: Screen, clock: Clock
    ) -> None:
        self._scenario = scenario
        self._stage = stage
        self._watch = watch
        self._strategy = strategy
        self._screen = screen
        self._clock = clock
        self._facts = Facts(drift_ns=0)
        self._mark = 0
        self._known_orders: frozenset[int] = frozenset()
        self.events: list[Event] = []
        """Of the round that counts."""

    async def run(self) -> Facts:
        """Play it to its end; what was seen. Raises CannotStart if the strategy could not trade before any drift."""
        try:
            await self._allowed(READY_S_MAX)
            await self._strategy.build(self._scenario.ledger)
            await self._settled(self._scenario.ledger)
        except TimeoutError as unseen:
            raise CannotStart(f"before any drift, this was waited for in vain: {unseen}") from unseen
        self._screen.note(f"the strategy traded by EXECUTE plans; the ledger is {format_amount(self._scenario.ledger)}")
        for number in range(1, ROUNDS_MAX + 1):
            await self._round(number)
            if number == ROUNDS_MAX or not self._came_too_late() or not await self._restored():
                break
        return self._facts

    def _came_too_late(self) -> bool:
        """Tell whether the round proved nothing: its hold was over before the strategy's plan, or our look, came.

        Executed is too late only behind the close at the exchange: before it, it is a breach and stays one.
        """
        facts = self._facts
        if self._scenario.ending is not Ending.HEALED or facts.released_ns is None or facts.refused is None:
            return False
        if not facts.refused.executed:
            return facts.hold is None or facts.refused.error in LATER_ROWS
        place = {order.order_id: n for n, order in enumerate(facts.orders)}
        closes = [place[order.order_id] for order in facts.orders_by_us() if order.reduce_only]
        plan = place.get(facts.refused.order_id or 0)
        return plan is not None and bool(closes) and plan > max(closes)

    async def _restored(self) -> bool:
        """Bring the strategy's position back to where the scenario starts; False if that failed."""
        self._screen.note("the HOLD was released before the strategy's plan came: once more from the start")
        try:
            if self._facts.refused is not None and self._facts.refused.executed:
                await self._strategy.trade(-WARM_UP_QTY)
            await self._settled(self._scenario.ledger)
        except TimeoutError as unseen:
            self._facts = replace(self._facts, unseen=str(unseen))
            return False
        return True

    # --- one round --------------------------------------------------------------------------------------

    async def _round(self, number: int) -> None:
        self.events.clear()
        self._facts = Facts(drift_ns=0)
        self._mark = self._watch.mark()
        self._known_orders = frozenset(order.order_id for order in await self._orders())
        acts = [self._drift(number), self._hold(), self._drift_event()]
        if self._scenario.close:
            acts.append(self._close())
        if self._scenario.ending is Ending.WRITTEN_DOWN:
            acts.append(self._written_down())
        if self._scenario.ending in {Ending.HEALED, Ending.WRITTEN_DOWN}:
            acts.append(self._release(self._mark))
        try:
            await _all(acts)
            await self._end()
        except TimeoutError as unseen:
            self._facts = replace(self._facts, unseen=str(unseen))
        await self._collect()

    async def _end(self) -> None:
        match self._scenario.ending:
            case Ending.HEALED:
                await self._trade_again()
            case Ending.WRITTEN_DOWN:
                await self._tell_alert()
                await self._trade_again()
            case Ending.HELD:
                await self._wait_for_a_person()
            case Ending.FREED_BY_HAND:
                await self._wait_for_a_person()
                mark = self._watch.mark()
                await self._close_by_hand()
                await self._release(mark)
                await self._trade_again()

    async def _drift(self, number: int) -> None:
        answer = await self._by_hand(self._scenario.by_hand)
        at_ns = int(answer["accepted_monotonic_ns"])
        self._facts = replace(self._facts, drift_ns=at_ns)
        text = f"somebody trades by hand at the exchange: {_order_text(self._scenario.by_hand)}"
        self._screen.drift(at_ns)
        self._tell("foreign_trade", at_ns, text, round=number, order_id=int(answer["orderId"]))

    async def _hold(self) -> None:
        entry = await self._watch.event("HOLD_SET", self._mark, STEP_S_MAX)
        plan = asyncio.create_task(self._strategy.trade(WARM_UP_QTY), name="demo plan under the hold")
        try:
            hold_id, at_ns = await self._watch.until(
                "the hold's key", self._hold_key, lambda key: key != "", STEP_S_MAX
            )
            if hold_id is None:
                raise TimeoutError("the hold's key before it was gone again")
            self._facts = replace(self._facts, hold=HoldSeen(hold_id, at_ns))
            reason = str(body_of(entry).get("reason", ""))
            self._tell("hold_placed", at_ns, f"HOLD placed: {reason}", hold_id=hold_id, reason=reason)
        finally:
            refused = await plan
            self._facts = replace(self._facts, refused=refused)
            self._tell_plan("plan_refused", refused, "the strategy's next plan")

    async def _hold_key(self) -> str | None:
        """The hold's id; "" while it does not stand there yet, None once it was released."""
        held = await self._watch.hold(SYMBOL)
        if held is None and not any(entry.is_event("HOLD_RELEASED") for entry in self._watch.since(self._mark)):
            return ""
        return held

    async def _drift_event(self) -> None:
        held = body_of(await self._watch.event("HOLD_SET", self._mark, STEP_S_MAX))
        event = await self._watch.event("DRIFT", self._mark, STEP_S_MAX)
        amount = str(body_of(event)["drift"])
        self._facts = replace(self._facts, drift_amt=Decimal(amount))
        text = f"drift seen: exchange {held['exchange_amt']}, ledger {held['ledger_amt']}"
        self._tell("drift_seen", event.at_ns, text, exchange_amt=str(held["exchange_amt"]), drift=amount)

    async def _close(self) -> None:
        planned = await self._watch.entry("RECONCILE_CLOSE on the plan stream", is_close, self._mark, STEP_S_MAX)
        qty, plan_id = planned.fields.get("qty", ""), planned.fields.get("plan_id", "")
        self._tell("close_planned", planned.at_ns, f"RECONCILE_CLOSE planned: {qty}", plan_id=plan_id, qty=qty)
        claimed = await self._watch.event("CLOSE_CLAIMED", self._mark, STEP_S_MAX)
        found, _ = await self._watch.until("the close at the exchange", self._new_close, bool, STEP_S_MAX)
        order = found[0]
        # The event is published while the order is on its way, and read after it; but apply sends only what has passed.
        passed_ns = min(claimed.at_ns, order.accepted_ns)
        self._tell("guardrails_passed", passed_ns, "guardrails passed", plan_id=claimed.fields["plan_id"])
        text = f"order at the exchange: {order.side} {format_amount(order.qty)} reduce-only, {order.status}"
        self._tell("order_at_exchange", order.accepted_ns, text, order_id=order.order_id, side=order.side)
        await self._read_position()

    async def _release(self, mark: int) -> None:
        event = await self._watch.event("HOLD_RELEASED", mark, STEP_S_MAX)
        self._facts = replace(self._facts, release_event_hold=event.fields["hold_id"])
        _, at_ns = await self._watch.until(
            "the hold's key gone", lambda: self._watch.hold(SYMBOL), lambda hold: hold is None, STEP_S_MAX
        )
        self._facts = replace(self._facts, released_ns=at_ns)
        self._tell("hold_released", at_ns, "HOLD released by itself", hold_id=event.fields["hold_id"])
        at_ns = await self._allowed(STEP_S_MAX)
        self._facts = replace(self._facts, allow_ns=at_ns)
        self._tell("permit_allow", at_ns, "P3.3 back to ALLOW")

    async def _trade_again(self) -> None:
        if self._facts.refused is not None and self._facts.refused.executed:
            return  # the position is not what the scenario says: the round is over
        after = await self._strategy.trade(WARM_UP_QTY)
        self._facts = replace(self._facts, after=after)
        self._tell_plan("plan_executed", after, "the strategy's plan")
        await self._strategy.trade(-WARM_UP_QTY)

    async def _wait_for_a_person(self) -> None:
        manual = await self._watch.event("MANUAL_REQUIRED", self._mark, OPERATOR_S_MAX)
        step = str(body_of(manual).get("next_step", ""))
        self._tell("manual_required", manual.at_ns, f"next step: a person. {step}", next_step=step)
        await self._tell_alert()
        await self._stand()
        state = await self._watch.state(SYMBOL)
        self._facts = replace(self._facts, next_step=state.get("next_step", ""))
        again = await self._strategy.trade(WARM_UP_QTY)
        self._facts = replace(self._facts, refused_again=again)
        self._tell_plan("plan_still_refused", again, "the strategy's plan, still")

    async def _written_down(self) -> None:
        event = await self._watch.event("WRITTEN_DOWN", self._mark, STEP_S_MAX)
        body = body_of(event)
        was, now = str(body["was"]), str(body["ledger_after"])
        self._facts = replace(self._facts, written_down=(was, now))
        text = f"the trades explain the rest: ledger written down from {was} to {now}"
        self._tell("ledger_written_down", event.at_ns, text, was=was, ledger=now)

    async def _tell_alert(self) -> None:
        alert = await self._first_alert()
        self._tell("operator_alerted", alert.at_ns, f"alert delivered to the webhook: {alert.title}", title=alert.title)

    async def _first_alert(self) -> AlertSeen:
        try:
            alert = await self._stage.webhook.first(OPERATOR_S_MAX)
        except TimeoutError:
            raise TimeoutError("an alert at the webhook") from None
        self._facts = replace(self._facts, alert=alert)
        return alert

    async def _stand(self) -> None:
        """Read the hold's key again and again while nobody acts."""
        began_ns, seen, watched_ms = self._clock.monotonic_ns(), list[str](), 0
        while watched_ms < STAND_MS:
            seen.append(await self._watch.hold(SYMBOL) or "")
            await asyncio.sleep(STAND_PAUSE_S)
            watched_ms = (self._clock.monotonic_ns() - began_ns) // 1_000_000
        self._facts = replace(self._facts, hold_ids_watched=tuple(seen), watched_ms=watched_ms)
        text = f"nobody acts: read {len(seen)} times in {watched_ms} ms, the HOLD stands"
        if len(set(seen)) > 1 or not seen[0]:
            text = f"nobody acts: the key held {sorted(set(seen))}"
        self._tell("hold_stands", self._clock.monotonic_ns(), text, hold_id=seen[-1], watched_ms=watched_ms)

    async def _close_by_hand(self) -> None:
        amount = self._scenario.position_end - self._scenario.exchange
        answer = await self._by_hand(amount)
        at_ns = int(answer["accepted_monotonic_ns"])
        self._facts = replace(self._facts, hand_close_ns=at_ns)
        text = f"somebody closes by hand at the exchange: {_order_text(amount)}"
        self._tell("hand_close", at_ns, text, order_id=int(answer["orderId"]))
        await self._read_position()

    # --- reading ----------------------------------------------------------------------------------------

    async def _by_hand(self, amount: Decimal) -> dict[str, Any]:
        return await self._stage.desk.trade(SYMBOL, "BUY" if amount > 0 else "SELL", format_amount(abs(amount)))

    async def _read_position(self) -> None:
        amount = Decimal(await self._stage.desk.position(SYMBOL))
        at_ns = self._clock.monotonic_ns()
        self._facts = replace(self._facts, position_closed=amount, position_closed_ns=at_ns)
        if amount:
            self._tell("position_reduced", at_ns, f"position {format_amount(amount)}", position=format_amount(amount))
        else:
            self._tell("position_flat", at_ns, "position flat", position="0")

    async def _allowed(self, s_max: float) -> int:
        """Wait until P3.3 says ALLOW; when that was read. Raises TimeoutError."""
        _, at_ns = await self._watch.until(
            "P3.3 to say ALLOW", lambda: self._watch.permit(SYMBOL), lambda permit: permit == "ALLOW", s_max
        )
        return at_ns

    async def _orders(self) -> tuple[OrderSeen, ...]:
        return tuple(order_seen(row) for row in await self._stage.desk.orders())

    async def _new_close(self) -> list[OrderSeen]:
        orders = await self._orders()
        return [o for o in orders if o.order_id not in self._known_orders and o.source == "api" and o.reduce_only]

    async def _settled(self, amount: Decimal) -> None:
        """Wait until bus and exchange agree on the amount and no hold stands. Raises TimeoutError."""

        async def read() -> tuple[str, str, str]:
            state = await self._watch.state(SYMBOL)
            return state.get("status", ""), await self._watch.ledger(SYMBOL), await self._stage.desk.position(SYMBOL)

        text = format_amount(amount)
        await self._watch.until(
            f"agreement at {text}",
            read,
            lambda seen: seen[0] == "AGREED" and seen[1] == text and Decimal(seen[2]) == amount,
            STEP_S_MAX,
        )

    async def _collect(self) -> None:
        """Read what is true at the end of the round, once it has come to rest."""
        if self._scenario.ending is not Ending.HELD and not self._facts.unseen and self._facts.after is not None:
            try:
                await self._settled(self._scenario.position_end)
            except TimeoutError as unseen:
                self._facts = replace(self._facts, unseen=str(unseen))
        entries, orders = self._watch.since(self._mark), await self._orders()
        ledger = await self._watch.ledger(SYMBOL)
        self._facts = replace(
            self._facts,
            orders_before=len(self._known_orders) + 1,
            orders=orders,
            closes=tuple(entry.fields for entry in entries if is_close(entry)),
            claimed=tuple(entry.fields["plan_id"] for entry in entries if entry.is_event("CLOSE_CLAIMED")),
            results=tuple(result_seen(entry) for entry in self._watch.since(0) if entry.stream is Stream.RESULTS),
            position_end=Decimal(await self._stage.desk.position(SYMBOL)),
            ledger_end=Decimal(ledger) if ledger else None,
            hold_end=await self._watch.hold(SYMBOL),
        )

    # --- telling ----------------------------------------------------------------------------------------

    def _tell(self, name: str, at_ns: int, text: str, **fields: EventField) -> None:
        event = Event(name, at_ns, text, fields)
        self.events.append(event)
        self._screen.event(event)

    def _tell_plan(self, expected: str, plan: PlanSeen, who: str) -> None:
        if plan.executed:
            self._tell("plan_executed", plan.at_ns, f"{who} executed", plan_id=plan.plan_id, order_id=plan.order_id)
        else:
            name = "plan_refused" if expected == "plan_executed" else expected
            self._tell(name, plan.at_ns, f"{who} refused: error={plan.error}", plan_id=plan.plan_id, error=plan.error)


async def _all(acts: list[Coroutine[Any, Any, None]]) -> None:
    """Run all to their ends, then raise the first thing that went wrong: one late act must not hide the others."""
    for outcome in await asyncio.gather(*acts, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


def _order_text(amount: Decimal) -> str:
    return f"{'BUY' if amount > 0 else 'SELL'} {format_amount(abs(amount))} {SYMBOL}"
