"""An episode is one story: from the first sign to the release everything of it carries the id of its hold."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from holdfast.domain.entry import EntryKind
from holdfast.domain.names import HoldId, Symbol
from holdfast.domain.operator import RequestKind, RequestState
from tests.whole.bus import new_plan
from tests.whole.program import never, until

if TYPE_CHECKING:
    from holdfast.domain.entry import JournaledEntry
    from tests.whole.services import Desk
    from tests.whole.shared import World

LOGGED = {
    "hold_set",
    "drift",
    "close_planned",
    "guardrails_passed",
    "order_outcome",
    "hold_released",
}
"""What the log says at least of a drift that heals."""


def journaled(desk: Desk, symbol: str) -> list[JournaledEntry]:
    """Every entry about the symbol, in order."""
    entries = desk.query(lambda reads: reads.entries_after(0, 1_000_000))
    return [each for each in entries if each.entry.symbol == symbol]


def logged(world: World, symbol: str) -> list[dict[str, object]]:
    """Every log line about the symbol."""
    lines = [json.loads(line) for line in world.run.log().splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("symbol") == symbol and line.get("account") in {None, "main"}]


def test_everything_of_a_healed_drift_carries_its_hold(world: World) -> None:
    """Events, journal entries, the plan, the order and every log line of one episode name the same hold."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    desk.exchange.trade(symbol, "BUY", "0.7")
    desk.until_held_and_free(symbol)
    entries = journaled(desk, symbol)
    kinds = [each.entry.kind for each in entries]
    first, last = kinds.index(EntryKind.HOLD_SET), kinds.index(EntryKind.HOLD_RELEASED)
    hold_id = entries[first].entry.hold_id
    assert hold_id is not None
    assert {each.entry.hold_id for each in entries[first : last + 1]} == {hold_id}
    assert {EntryKind.INTENT, EntryKind.FILL, EntryKind.ORDER_OUTCOME, EntryKind.CLOSE_DONE} <= set(kinds[first:last])
    events = desk.bus.event_fields(symbol)
    assert {each["hold_id"] for each in events} == {hold_id}
    # Apply and reconcile publish apart: the sequence number is what puts their events in order.
    assert max(events, key=lambda each: int(each["seq"]))["event"] == "HOLD_RELEASED"
    (plan,) = desk.bus.plans(symbol)
    assert plan["hold_id"] == hold_id
    assert hold_id in plan["plan_id"]
    (order,) = desk.query(lambda reads: reads.orders_of_hold(hold_id))
    assert desk.exchange.orders(symbol)[-1]["clientOrderId"] == order.client_order_id
    until(lambda: {line["event"] for line in logged(world, symbol)} >= LOGGED, "every line is written")
    assert {line.get("hold_id") for line in logged(world, symbol)} == {hold_id}
    close = [line for line in logged(world, symbol) if line.get("plan_id") is not None]
    assert {(line["plan_id"], line["reconcile_action"]) for line in close} == {(plan["plan_id"], True)}


def test_what_a_person_is_told_and_does_carries_the_hold(world: World) -> None:
    """The alert, in the journal and at the webhook, the request and its end name the hold, and what to type."""
    desk, symbol = world.desks["off"], "SYM007USDT"
    desk.until_open(symbol)
    desk.exchange.trade(symbol, "BUY", "0.07")
    hold_id = HoldId(desk.until_held(symbol))
    desk.until_next_step(symbol, "switched off")
    until(lambda: world.alerts.about(hold_id), "an alert with the hold's id")
    (told,) = world.alerts.about(hold_id)[:1]
    assert f"holdfast approve {hold_id} --reason" in json.dumps(told)
    assert "docs/runbooks/drift.md" in json.dumps(told)
    alert = desk.query(lambda reads: reads.alert_of_hold(hold_id))
    assert alert is not None
    assert alert.symbol == Symbol(symbol)
    assert desk.order(RequestKind.ADOPT, symbol, hold_id=hold_id).state is RequestState.DONE
    desk.until_free(symbol)
    kinds = [each.entry.kind for each in desk.query(lambda reads: reads.entries_of_hold(hold_id))]
    assert {EntryKind.ALERT, EntryKind.MANUAL_REQUIRED, EntryKind.ADOPTED, EntryKind.REQUEST_ENDED} <= set(kinds)
    assert kinds[-1] is EntryKind.HOLD_RELEASED


def test_an_episode_whose_closes_bring_nothing_waits_for_a_person_and_goes_on_after_approval(world: World) -> None:
    """After `close_attempts_max` nothing is sent; event and next step name the command; approved, it is closed."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    refusing = desk.exchange.arm_order("service_unavailable", symbol, count=0)
    desk.exchange.trade(symbol, "BUY", "0.7")
    hold_id = desk.until_held(symbol)
    desk.until_next_step(symbol, "3 closes brought no progress", 15.0)
    assert f"holdfast approve {hold_id}" in desk.bus.state(symbol)["next_step"]
    asked = [one for one in desk.bus.event_fields(symbol) if one["event"] == "MANUAL_REQUIRED"]
    assert {one["hold_id"] for one in asked} == {hold_id}
    assert f"holdfast approve {hold_id}" in asked[-1]["body"]
    until(lambda: world.alerts.about(f"`holdfast approve {hold_id}` lets it try anew"), "told")
    struck = refusing.hits
    never(lambda: refusing.hits > struck, "a fourth attempt without a person's word", 0.8)
    assert desk.exchange.orders(symbol) == []
    refusing.disarm()
    assert desk.order(RequestKind.APPROVE, symbol, hold_id=hold_id).state is RequestState.DONE
    desk.until_free(symbol)
    assert desk.exchange.sent(symbol) == [("SELL", "0.7")]
    events = [one["event"] for one in desk.bus.event_fields(symbol) if one["hold_id"] == hold_id]
    assert events.count("CLOSE_FAILED") == 3
    assert {"APPROVED", "CLOSE_DONE", "HOLD_RELEASED"} <= set(events)
    (hold,) = desk.query(lambda reads: [reads.hold(HoldId(hold_id))])
    assert hold is not None
    assert hold.released_ms is not None


def test_an_order_of_ours_that_a_hold_cancels_belongs_to_its_episode(world: World) -> None:
    """The wish that a resting order end names the hold for whose sake it is, and the episode tells of it."""
    desk, symbol = world.main, world.symbol()
    desk.until_open(symbol)
    resting = new_plan(symbol, "BUY", "0.20", type="LIMIT", price="50", timeInForce="GTC")
    desk.bus.submit(resting)
    until(lambda: [o for o in desk.exchange.orders(symbol) if o["status"] == "NEW"], "the plan's order rests")
    desk.exchange.trade(symbol, "BUY", "0.7")
    desk.until_held_and_free(symbol)
    entries = [each.entry for each in journaled(desk, symbol)]
    (held,) = {each.hold_id for each in entries if each.kind is EntryKind.HOLD_SET}
    (asked,) = [each for each in entries if each.kind is EntryKind.CANCEL_ASKED]
    assert (asked.hold_id, asked.plan_id) == (held, resting["plan_id"])
    assert desk.exchange.position(symbol) == 0
