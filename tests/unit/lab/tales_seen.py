"""Facts as each tale promises them, and every way in which one of them can be spoiled."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.lab.demo.facts import AlertSeen, EventSeen, Facts, PlanSeen, ResultSeen, WordSeen
from holdfast.lab.demo.repertoire import TALES
from holdfast.lab.demo.tales import by_hand, first, forced, hedge, large, missed, resting
from tests.unit.lab.tales_made import (
    AFTER,
    AGAIN,
    BASE,
    HOLD,
    MS,
    OTHER_HOLD,
    REFUSAL,
    REFUSED,
    SYMBOL,
    T0,
    D,
    Spoil,
    alone,
    changed_close,
    changed_order,
    event,
    fill,
    moment,
    order,
    with_events,
    with_moment,
    without_event,
    word,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.lab.demo.tales.tale import Tale

# --- liquidation, adl --------------------------------------------------------------------------------------


def forced_facts(before: str, taken: str, left: str) -> Facts:
    """The venue took a part, the ledger was repaired, a person released."""
    return replace(
        BASE,
        orders_before=2,
        orders=(order(1, before), order(2, taken, source="venue"), *AGAIN),
        fills=(fill(11, before, source="api"), fill(12, taken)),
        events=(event("HOLD_SET"), event("REPAIR", evidence={"forced": [12]})),
        moments={"held": alone(left, left, hold=HOLD, reason="forced_reduction"), "end": alone(left, left)},
        alert=AlertSeen("BTCUSDT is held: forced_reduction", T0),
        words=(word("release BTCUSDT"),),
    )


FORCED_SPOILS: tuple[Spoil, ...] = (
    ("forced_by_venue", lambda f: replace(f, fills=f.fills[:1])),
    ("forced_by_venue", lambda f: replace(f, fills=(*f.fills, fill(13, "0.001", source="manual")))),
    ("ledger_repaired", lambda f: replace(f, events=(event("HOLD_SET"),))),
    ("ledger_repaired", lambda f: replace(f, events=(event("HOLD_SET"), event("REPAIR", evidence={"forced": [13]})))),
    ("ledger_repaired", lambda f: with_moment(f, "held", ledgers={SYMBOL: D("0.007")})),
)

# --- hedge -------------------------------------------------------------------------------------------------

LONG, SHORT = "BTCUSDT:LONG", "BTCUSDT:SHORT"


def hedge_facts() -> Facts:
    """Both legs drifted, were held, closed and released apart."""
    held = {"LONG": HOLD, "SHORT": OTHER_HOLD}
    events = [event("HOLD_SET", hold, position_side=side) for side, hold in held.items()]
    events += [event("DRIFT", hold, drift=str(hedge.DRIFT[side])) for side, hold in held.items()]
    events += [event("HOLD_RELEASED", hold, position_side=side) for side, hold in held.items()]
    end = moment({LONG: "0.004", SHORT: "-0.005"}, {LONG: "0.004", SHORT: "-0.005"})
    return replace(
        BASE,
        orders_before=3,
        orders=(
            order(1, "0.004", position_side="LONG"),
            order(2, "-0.005", position_side="SHORT"),
            order(3, "0.007", source="manual", position_side="LONG"),
            order(4, "-0.007", source="manual", position_side="SHORT"),
            order(5, "-0.007", position_side="LONG"),
            order(6, "0.007", position_side="SHORT"),
            *AGAIN,
        ),
        closes=({"plan_id": "rc-l", "hold_id": HOLD}, {"plan_id": "rc-s", "hold_id": OTHER_HOLD}),
        results=(
            REFUSAL,
            ResultSeen("rc-l", "RECONCILE_CLOSE", executed=True, error="", order_id=5),
            ResultSeen("rc-s", "RECONCILE_CLOSE", executed=True, error="", order_id=6),
        ),
        events=tuple(events),
        moments={"healed": end, "end": end},
    )


HEDGE_SPOILS: tuple[Spoil, ...] = (
    ("legs_held", without_event("HOLD_SET")),
    ("legs_held", without_event("DRIFT")),
    ("legs_held", lambda f: replace(f, events=tuple(replace(e, hold_id=HOLD) for e in f.events))),
    ("legs_closed", changed_order(6, position_side="LONG")),
    ("legs_closed", changed_order(5, executed=D("0.006"))),
    ("legs_closed", changed_order(5, status="EXPIRED")),
    ("legs_closed", changed_order(5, order_type="LIMIT")),
    ("legs_closed", lambda f: replace(f, closes=f.closes[:1])),
    ("legs_closed", lambda f: replace(f, results=f.results[:2])),
    ("legs_closed", lambda f: replace(f, orders=(*f.orders[:6], order(7, "0.001"), *f.orders[6:]))),
    ("legs_released", without_event("HOLD_RELEASED")),
    ("legs_released", lambda f: with_moment(f, "healed", holds={LONG: HOLD, SHORT: None})),
)

# --- first-start -------------------------------------------------------------------------------------------

FOUND = {"leg": SYMBOL, "found_amt": "0.007", "entry_price": "64000", "choices": {"adopt": {}, "close": {}}}
REPORT = {
    "legs": [FOUND],
    "orders": [{"order_id": 2, "owner": "foreign"}],
}


def first_facts() -> Facts:
    """What stood there was held, reported, adopted, and nothing was sent."""
    resting = order(2, "0.2", source="manual", executed=D(0), status="NEW", order_type="LIMIT")
    return replace(
        BASE,
        orders_before=2,
        orders=(order(1, "0.007", source="manual"), resting, *AGAIN),
        events=(event("HOLD_SET"),),
        moments={"held": alone("0.007", "0", hold=HOLD, reason="unledgered"), "end": alone("0.007", "0.007")},
        alert=AlertSeen("BTCUSDT is held: unledgered", T0),
        words=(word("found --json", 1, json.dumps({"accounts": [REPORT]})), word("adopt --all")),
    )


def reported(**report: object) -> Callable[[Facts], Facts]:
    """Spoil the report."""
    out = json.dumps({"accounts": [{**REPORT, **report}]})
    return lambda f: replace(f, words=(word("found --json", 1, out), *f.words[1:]))


FIRST_SPOILS: tuple[Spoil, ...] = (
    ("nothing_assumed", lambda f: with_moment(f, "held", ledgers={SYMBOL: D("0.007")})),
    ("nothing_assumed", lambda f: with_moment(f, "held", positions={SYMBOL: D(0)})),
    ("report_names_it", lambda f: replace(f, words=f.words[1:])),
    ("report_names_it", lambda f: replace(f, words=(word("found --json", 0, f.words[0].out), *f.words[1:]))),
    ("report_names_it", lambda f: replace(f, words=(word("found --json", 1, "no JSON"), *f.words[1:]))),
    ("report_names_it", reported(legs=[])),
    ("report_names_it", reported(legs=[{**FOUND, "found_amt": "0.006"}])),
    ("report_names_it", reported(legs=[{**FOUND, "entry_price": "1"}])),
    ("report_names_it", reported(legs=[{**FOUND, "choices": {"close": {}}}])),
    ("report_names_it", reported(orders=[])),
    ("report_names_it", reported(orders=[{"order_id": 2, "owner": "ours"}])),
    ("order_left_alone", changed_order(2, status="CANCELED")),
)

# --- large -------------------------------------------------------------------------------------------------


def large_facts() -> Facts:
    """250 were closed in three slices of one hold."""
    names = ("rc-1", "rc-2", "rc-3")
    amounts = zip(names, large.SLICES, ("250", "130", "10"), strict=True)
    closes = [{"plan_id": n, "hold_id": HOLD, "qty": str(q), "exchange_amt": left} for n, q, left in amounts]
    slices = [order(2 + n, str(-qty), reduce_only=True) for n, qty in enumerate(large.SLICES)]
    return replace(
        BASE,
        orders_before=1,
        orders=(order(1, "250", source="manual"), *slices, *AGAIN),
        closes=tuple(closes),
        events=(event("HOLD_SET"), event("DRIFT", drift="250")),
        moments={"held": alone("250", "0", hold=HOLD, reason="drift"), "end": alone("0", "0")},
    )


LARGE_SPOILS: tuple[Spoil, ...] = (
    ("drift_seen", without_event("DRIFT")),
    ("slices_planned", lambda f: replace(f, closes=f.closes[:2])),
    ("slices_planned", changed_close(1, exchange_amt="250")),
    ("slices_planned", changed_close(1, hold_id=OTHER_HOLD)),
    ("slices_planned", changed_close(1, plan_id="rc-1")),
    ("slices_planned", changed_close(2, qty="120")),
    ("slices_filled", changed_order(3, reduce_only=False)),
    ("slices_filled", changed_order(3, executed=D(119))),
    ("slices_filled", changed_order(3, qty=D(121))),
    ("slices_filled", changed_order(3, status="EXPIRED")),
    ("slices_filled", lambda f: replace(f, orders=(*f.orders[:3], order(8, "-0.001"), *f.orders[3:]))),
)

# --- manual-close ------------------------------------------------------------------------------------------


def written(**body: object) -> EventSeen:
    """The event of a ledger that was written down."""
    return EventSeen("WRITTEN_DOWN", SYMBOL, HOLD, "", {"evidence": {"foreign": [12]}, "ledger_after": "0.004", **body})


def manual_facts() -> Facts:
    """Somebody sold a part, the ledger followed by trade ids."""
    return replace(
        BASE,
        orders_before=2,
        orders=(order(1, "0.007"), order(2, "-0.003", source="manual"), *AGAIN),
        fills=(fill(11, "0.007", source="api"), fill(12, "-0.003", source="manual")),
        events=(event("HOLD_SET"), written()),
        moments={"held": alone("0.004", "0.007", hold=HOLD, reason="deficit"), "end": alone("0.004", "0.004")},
        alert=AlertSeen("BTCUSDT is held: deficit", T0),
        faults={"stale_trades": 3},
    )


MANUAL_SPOILS: tuple[Spoil, ...] = (
    ("ledger_waited", lambda f: replace(f, faults={"stale_trades": 0})),
    ("ledger_waited", lambda f: with_moment(f, "held", ledgers={SYMBOL: D("0.004")})),
    ("ledger_waited", lambda f: with_moment(f, "held", positions={SYMBOL: D("0.007")})),
    ("ledger_written_down", with_events(event("HOLD_SET"))),
    ("ledger_written_down", with_events(event("HOLD_SET"), written(evidence={"foreign": [13]}))),
    ("ledger_written_down", with_events(event("HOLD_SET"), written(evidence={"foreign": []}))),
    ("ledger_written_down", with_events(event("HOLD_SET"), written(ledger_after="0.005"))),
    ("ledger_written_down", with_events(event("HOLD_SET"), written(), written())),
)

# --- missed-fill -------------------------------------------------------------------------------------------

UNHEARD = PlanSeen("p-0", executed=True, error="", order_id=2, at_ns=T0)


def missed_facts() -> Facts:
    """Our own fill was lost on the way, and repaired."""
    return replace(
        BASE,
        hold=None,
        released_ns=None,
        release_event_hold="",
        refused=replace(REFUSED, error="order_pending"),
        orders_before=2,
        orders=(order(1, "0.004"), order(2, "0.003"), *AGAIN),
        fills=(fill(1, "0.004", source="api"), fill(2, "0.003", source="api")),
        events=(event("REPAIR", trades=[{"trade_id": 2}], evidence={"own": [2]}),),
        moments={"lagging": alone("0.007", "0.004"), "end": alone("0.007", "0.007")},
        plans={"unheard": UNHEARD},
        faults={"stream_drop": 4, "stale_trades": 9},
    )


MISSED_SPOILS: tuple[Spoil, ...] = (
    ("fill_lost", lambda f: replace(f, faults={"stream_drop": 0, "stale_trades": 9})),
    ("fill_lost", lambda f: replace(f, faults={"stream_drop": 4})),
    ("plan_once", lambda f: replace(f, plans={})),
    ("plan_once", lambda f: replace(f, plans={"unheard": replace(UNHEARD, executed=False, error="x")})),
    ("plan_once", changed_order(2, executed=D("0.001"))),
    ("plan_once", changed_order(2, status="EXPIRED")),
    ("ledger_lagged", lambda f: with_moment(f, "lagging", ledgers={SYMBOL: D("0.007")})),
    ("ledger_lagged", lambda f: with_moment(f, "lagging", holds={SYMBOL: HOLD})),
    ("ledger_lagged", lambda f: replace(f, refused=None)),
    ("ledger_lagged", lambda f: replace(f, refused=PlanSeen("p", executed=True, error="", order_id=3, at_ns=T0))),
    ("ledger_repaired", with_events()),
    ("ledger_repaired", with_events(event("REPAIR", evidence={"own": [1]}))),
    ("ledger_repaired", lambda f: replace(f, fills=f.fills[:1])),
)

# --- foreign-order -----------------------------------------------------------------------------------------

BID = {"order_id": 1, "side": "BUY", "qty": "0.2", "price": "1000", "policy": "report"}


def listed(*order_ids: int) -> WordSeen:
    """What `holdfast status` says."""
    rows = [{"order_id": each} for each in order_ids]
    return word("status --json", 0, json.dumps({"accounts": [{"foreign_orders": rows}]}))


def resting_facts() -> Facts:
    """Somebody's order was reported and left alone."""
    bid = order(1, "0.2", source="manual", executed=D(0), status="NEW", order_type="LIMIT")
    return replace(
        BASE,
        hold=None,
        released_ns=None,
        release_event_hold="",
        hold_ids_watched=("",) * 9,
        refused=None,
        orders_before=1,
        orders=(bid, *AGAIN),
        events=(event("FOREIGN_ORDER", "", **BID),),
        moments={"rests": alone("0", "0"), "end": alone("0", "0")},
        alert=AlertSeen("BTCUSDT: a foreign order rests", T0),
        words=(listed(1),),
    )


RESTING_SPOILS: tuple[Spoil, ...] = (
    ("order_reported", with_events()),
    *(("order_reported", with_events(event("FOREIGN_ORDER", "", **{**BID, name: "x"}))) for name in BID),
    ("order_reported", lambda f: replace(f, events=f.events * 2)),
    ("status_shows_it", lambda f: replace(f, words=())),
    ("status_shows_it", lambda f: replace(f, words=(listed(),))),
    ("status_shows_it", lambda f: replace(f, words=(listed(2),))),
    ("status_shows_it", lambda f: replace(f, words=(word("status --json", 0, "no JSON"),))),
    ("never_held", lambda f: replace(f, hold_ids_watched=())),
    ("never_held", lambda f: replace(f, hold_ids_watched=("", HOLD))),
    ("never_held", lambda f: replace(f, events=(*f.events, event("HOLD_SET")))),
    ("never_held", lambda f: with_moment(f, "rests", permit="DENY")),
    ("order_left_alone", changed_order(1, status="CANCELED")),
    ("order_left_alone", changed_order(1, executed=D("0.2"))),
)

# --- what several promise ----------------------------------------------------------------------------------

SHARED_SPOILS: tuple[Spoil, ...] = (
    ("hold_placed", lambda f: replace(f, hold=None)),
    ("hold_placed", without_event("HOLD_SET")),
    ("hold_placed", lambda f: with_moment(f, "held", reasons={SYMBOL: "operator"})),
    ("plan_refused", lambda f: replace(f, refused=None)),
    ("plan_refused", lambda f: replace(f, refused=replace(REFUSED, executed=True, error=""))),
    ("plan_refused", lambda f: replace(f, refused=replace(REFUSED, error="stamp_stale"))),
    ("plan_refused", lambda f: replace(f, results=f.results[1:])),
    ("nothing_sent", lambda f: replace(f, closes=({"plan_id": "rc-1"},))),
    ("nothing_sent", lambda f: replace(f, claimed=("rc-1",))),
    (
        "nothing_sent",
        lambda f: replace(f, orders=(*f.orders[: f.orders_before], order(8, "0.001"), *f.orders[f.orders_before :])),
    ),
    ("operator_alerted", lambda f: replace(f, alert=None)),
    ("operator_alerted", lambda f: replace(f, alert=AlertSeen("hello", T0))),
    ("hold_stood", lambda f: replace(f, hold_ids_watched=())),
    ("hold_stood", lambda f: replace(f, hold_ids_watched=(HOLD, "", HOLD))),
    ("hold_stood", lambda f: replace(f, next_step="")),
    ("operator_done", lambda f: replace(f, words=())),
    ("operator_done", lambda f: replace(f, words=tuple(replace(w, status=3) for w in f.words))),
    ("hold_released", lambda f: replace(f, released_ns=None)),
    ("hold_released", lambda f: replace(f, release_event_hold=OTHER_HOLD)),
    ("permit_allow", lambda f: replace(f, allow_ns=None)),
    ("plan_executed", lambda f: replace(f, after=None)),
    ("plan_executed", lambda f: replace(f, after=PlanSeen("p", executed=False, error="x", order_id=AFTER, at_ns=T0))),
    ("plan_executed", lambda f: replace(f, orders=tuple(o for o in f.orders if o.order_id != AFTER))),
    ("agreed_at_end", lambda f: with_moment(f, "end", positions=dict.fromkeys(f.moments["end"].positions, D(1)))),
    ("agreed_at_end", lambda f: with_moment(f, "end", ledgers=dict.fromkeys(f.moments["end"].ledgers))),
    ("agreed_at_end", lambda f: with_moment(f, "end", holds=dict.fromkeys(f.moments["end"].holds, HOLD))),
)
BY_AN_OPERATOR: tuple[Spoil, ...] = (("hold_released", lambda f: replace(f, released_ns=T0 + 5 * MS)),)

PROMISED: dict[str, Facts] = {
    forced.LIQUIDATION.name: forced_facts("0.007", "-0.004", "0.003"),
    forced.ADL.name: forced_facts("-0.007", "0.004", "-0.003"),
    hedge.HEDGE.name: hedge_facts(),
    first.FIRST_START.name: first_facts(),
    large.LARGE.name: large_facts(),
    by_hand.MANUAL_CLOSE.name: manual_facts(),
    missed.MISSED_FILL.name: missed_facts(),
    resting.FOREIGN_ORDER.name: resting_facts(),
}
OWN_SPOILS: dict[str, tuple[Spoil, ...]] = {
    forced.LIQUIDATION.name: FORCED_SPOILS + BY_AN_OPERATOR,
    forced.ADL.name: FORCED_SPOILS + BY_AN_OPERATOR,
    hedge.HEDGE.name: HEDGE_SPOILS,
    first.FIRST_START.name: FIRST_SPOILS + BY_AN_OPERATOR,
    large.LARGE.name: LARGE_SPOILS,
    by_hand.MANUAL_CLOSE.name: MANUAL_SPOILS,
    missed.MISSED_FILL.name: MISSED_SPOILS,
    resting.FOREIGN_ORDER.name: RESTING_SPOILS,
}


def spoils_of(tale: Tale) -> tuple[Spoil, ...]:
    """Every way in which this tale can be broken."""
    promised = {promise.name for promise in tale.judge(PROMISED[tale.name])}
    return OWN_SPOILS[tale.name] + tuple(spoil for spoil in SHARED_SPOILS if spoil[0] in promised)


ALL = [(tale, number, spoil) for tale in TALES.values() for number, spoil in enumerate(spoils_of(tale))]
