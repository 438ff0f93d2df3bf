"""The reconciliation table (rows 1 to 9), enumerated: every input of a small world falls under exactly its row."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

from holdfast.decide.evidence import Evidence
from holdfast.decide.reconcile import LegFacts, Status, Verdict, judge
from holdfast.domain.hold import HoldReason
from holdfast.domain.names import TradeId
from holdfast.domain.order import Order, OrderState
from holdfast.domain.sides import Decision, Side
from holdfast.domain.trade import Undone
from tests.unit.decide.samples import LEDGER, LIMITS, NOW, ORDER, TRADE, VIEW, ZERO, D
from tests.unit.decide.tables import Row, hold_to

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from holdfast.domain.trade import Trade

VERSION = LEDGER.version
FILL_MS = LEDGER.last_fill_ms
AGE_MAX = LIMITS.view_age_ms_max
SETTLE_MAX = LIMITS.settle_ms_max
UNKNOWN_MAX = LIMITS.unknown_ms_max

AMOUNTS = ((0, 0), (1, 0), (-2, 0), (2, 1), (-1, 1), (2, -1), (1, 2), (0, 2), (0, -1), (-1, -2), (-2, -2), (-2, -1))
"""Exchange and ledger: agreed, excess, flipped, deficit, on both sides."""
READ_AGES = (None, -1, 0, AGE_MAX, AGE_MAX + 1)
AS_OFS = (FILL_MS - 1, FILL_MS, FILL_MS + 1)
SETTLING = (None, -1, 0, SETTLE_MAX, SETTLE_MAX + 1, UNKNOWN_MAX, UNKNOWN_MAX + 1)

BUY_SENDING = replace(ORDER, side=Side.BUY, qty=D(2), state=OrderState.SENDING)
SELL_UNKNOWN = replace(ORDER, side=Side.SELL, qty=D(1), state=OrderState.UNKNOWN)
BUY_FILLED = replace(ORDER, side=Side.BUY, qty=D(2), state=OrderState.FILLED, executed_qty=D(2))
BUY_OPEN = replace(ORDER, side=Side.BUY, qty=D(3), state=OrderState.OPEN, executed_qty=D(2), booked_qty=D(1))
CLOSE_FILLED = replace(
    ORDER,
    decision=Decision.RECONCILE_CLOSE,
    side=Side.SELL,
    qty=D(2),
    against_drift_qty=D(2),
    state=OrderState.FILLED,
    executed_qty=D(2),
)
OPERATOR_FILLED = replace(CLOSE_FILLED, decision=Decision.OPERATOR_CLOSE, against_drift_qty=D(1))
ORDERS: tuple[tuple[Order, ...], ...] = (
    (),
    (BUY_SENDING,),
    (SELL_UNKNOWN,),
    (BUY_FILLED,),
    (BUY_OPEN,),
    (CLOSE_FILLED,),
    (OPERATOR_FILLED,),
    (BUY_SENDING, SELL_UNKNOWN),
)


def trade(number: int, amount: Decimal) -> tuple[Trade, ...]:
    """A trade that did this to the position; none for 0."""
    if amount == ZERO:
        return ()
    side = Side.BUY if amount > ZERO else Side.SELL
    return (replace(TRADE, trade_id=TradeId(number), side=side, qty=abs(amount)),)


def evidence_of(drift: Decimal) -> Iterator[Evidence | None]:
    """Each kind of evidence there may be for a drift: what it names, and whether that is all of it."""
    nothing = Evidence((), ZERO, (), (), complete=True, read_ms=NOW, last_trade_id=None, ledger_version=VERSION,
                       last_fill_ms=FILL_MS)  # fmt: skip
    own = replace(nothing, own=trade(101, drift), own_ledger_qty=drift)
    forced = replace(nothing, forced=trade(102, drift))
    mixed = replace(nothing, forced=trade(102, drift - 3), foreign=trade(103, D(3)))
    yield None
    yield nothing
    yield own
    yield replace(own, complete=False)
    yield replace(own, ledger_version=VERSION - 1)
    yield replace(own, last_fill_ms=FILL_MS - 1)
    yield replace(nothing, own=trade(101, D(3)), own_ledger_qty=D(3), foreign=trade(103, drift - 3))
    yield replace(nothing, own=trade(101, drift), own_ledger_qty=ZERO)  # a close's: it moves no ledger
    yield replace(own, foreign=trade(103, D(3)), undone=(Undone(TradeId(99), D(-3)),))
    yield replace(own, foreign=trade(103, D(3)))
    yield forced
    yield replace(forced, complete=False)
    yield replace(nothing, own=trade(101, D(1)), own_ledger_qty=D(1), forced=trade(102, drift - 1))
    yield mixed
    yield replace(mixed, undone=(Undone(TradeId(99), D(-1)),))
    yield replace(nothing, foreign=trade(103, drift + 3), undone=(Undone(TradeId(99), D(-3)),))


def drift(facts: LegFacts) -> Decimal:
    """D = E - L; 0 without a view (row 1 has spoken then)."""
    return ZERO if facts.view is None else facts.view.amt - facts.ledger.amt


def agrees(facts: LegFacts) -> bool:
    """abs(D) < step; without a step, D = 0."""
    return abs(drift(facts)) < facts.step if facts.step else drift(facts) == ZERO


def accuses_too_old(facts: LegFacts) -> bool:
    """Row 2: older than the last own fill, or as old and D != 0."""
    if facts.view is None:
        return False
    as_of = facts.view.as_of_ms
    return as_of < facts.ledger.last_fill_ms or (as_of == facts.ledger.last_fill_ms and not agrees(facts))


def waited(facts: LegFacts, bound_ms: int) -> bool:
    """For longer than the bound, or since a time in the future."""
    since = facts.settling_since_ms
    return since is not None and (since > facts.now_ms or since + bound_ms < facts.now_ms)


def reachable(orders: tuple[Order, ...], *, only_said: bool) -> tuple[int, int]:
    """Lowest and highest net effect on the ledger of what the orders executed beyond what is booked, by trying."""
    low = high = 0
    for order in orders:
        final = order.state in {OrderState.FILLED, OrderState.PARTIAL}
        most = order.executed_qty if only_said or final else order.qty
        spared = max(order.against_drift_qty - order.booked_qty, ZERO)
        sign = 1 if order.side is Side.BUY else -1
        effects = [sign * max(fill - int(spared), 0) for fill in range(int(most - order.booked_qty) + 1)]
        low, high = low + min(effects), high + max(effects)
    return low, high


def own_orders_may(facts: LegFacts) -> bool:
    """Row 3, its first line."""
    low, high = reachable(facts.orders, only_said=False)
    return not agrees(facts) and not waited(facts, SETTLE_MAX) and low <= drift(facts) <= high


def own_orders_did(facts: LegFacts) -> bool:
    """Row 3, its second line."""
    low, high = reachable(facts.orders, only_said=True)
    shown = own_trades(facts) or forced_trades(facts)
    return not agrees(facts) and not waited(facts, UNKNOWN_MAX) and not shown and low <= drift(facts) <= high


def explained(facts: LegFacts) -> Evidence | None:
    """Evidence that is complete, compared with this very ledger, and whose trades add up to D."""
    found = facts.evidence
    if found is None or not found.complete or found.ledger_version != facts.ledger.version:
        return None
    if found.last_fill_ms != facts.ledger.last_fill_ms:
        return None
    named = [(t.qty if t.side is Side.BUY else -t.qty) for t in (*found.own, *found.forced, *found.foreign)]
    return found if sum(named) + sum(u.signed_qty for u in found.undone) == drift(facts) else None


def own_trades(facts: LegFacts) -> bool:
    """Row 6."""
    found = explained(facts)
    return found is not None and len(found.own) > 0 and not found.forced and found.own_ledger_qty == drift(facts)


def forced_trades(facts: LegFacts) -> bool:
    """Row 7: nothing else, or a close would widen it."""
    found = explained(facts)
    if found is None or not found.forced or facts.view is None:
        return False
    forced = sum(t.qty if t.side is Side.BUY else -t.qty for t in found.forced)
    return found.own_ledger_qty + forced == drift(facts) or facts.view.amt * drift(facts) <= 0


def unledgered(facts: LegFacts) -> bool:
    """Row 4."""
    if facts.view is None or facts.view.amt == 0 or agrees(facts):
        return False
    return not facts.baseline or facts.unledgered_hold


ROWS: list[Row[LegFacts]] = [
    Row(
        "1 missing",
        lambda f: f.view is None or f.complete_read_ms is None,
        (1, Status.NO_VIEW, HoldReason.VIEW_MISSING),
    ),
    Row(
        "1 stale",
        lambda f: f.complete_read_ms is not None and not f.complete_read_ms <= f.now_ms <= f.complete_read_ms + AGE_MAX,
        (1, Status.NO_VIEW, HoldReason.VIEW_STALE),
    ),
    Row(
        "2 too long",
        lambda f: accuses_too_old(f) and waited(f, SETTLE_MAX),
        (2, Status.NO_VIEW, HoldReason.VIEW_STALE),
    ),
    Row("2", accuses_too_old, (2, Status.SETTLING, None)),
    Row("3 may", own_orders_may, (3, Status.SETTLING, None)),
    Row("3 did", own_orders_did, (3, Status.SETTLING, None)),
    Row("4", unledgered, (4, Status.UNLEDGERED, HoldReason.UNLEDGERED)),
    Row("5", agrees, (5, Status.AGREED, None)),
    Row("6", own_trades, (6, Status.REPAIR, None)),
    Row("7", forced_trades, (7, Status.FORCED, HoldReason.FORCED_REDUCTION)),
    Row(
        "8",
        lambda f: f.view is not None and f.view.amt * drift(f) > 0,
        (8, Status.EXCESS, HoldReason.DRIFT),
    ),
    Row("9", lambda _: True, (9, Status.DEFICIT, HoldReason.DEFICIT)),
]


def world() -> Iterator[LegFacts]:
    """Every fresh input, then every way of not being fresh over a smaller world."""
    ages_now = [None if age is None else NOW - age for age in SETTLING]
    flags = ((True, False), (False, False), (True, True))
    for (exchange, ledger), as_of in product(AMOUNTS, AS_OFS):
        view = replace(VIEW, amt=D(exchange), as_of_ms=as_of)
        book = replace(LEDGER, amt=D(ledger))
        kinds = tuple(evidence_of(D(exchange - ledger)))
        for since, orders, (baseline, held) in product(ages_now, ORDERS, flags):
            for evidence in kinds if as_of > FILL_MS else kinds[1:3]:
                yield LegFacts(NOW, LIMITS, D(1), view, NOW, book, baseline, held, orders, since, evidence)
            yield LegFacts(NOW, LIMITS, D(2), view, NOW, book, baseline, held, orders, since, kinds[2])
        for step, read_age, has_view, orders in product((ZERO, D(1)), READ_AGES, (True, False), ORDERS[:2]):
            read_ms = None if read_age is None else NOW - read_age
            seen = view if has_view else None
            yield LegFacts(NOW, LIMITS, step, seen, read_ms, book, True, False, orders, None, kinds[2])


def seen(facts: LegFacts) -> object:
    """The verdict's three words; its amounts are checked on the way."""
    verdict = judge(facts)
    assert verdict.exchange_amt == (None if facts.view is None else facts.view.amt)
    assert verdict.ledger_amt == facts.ledger.amt
    assert verdict.drift == (None if facts.view is None else drift(facts))
    return verdict.row, verdict.status, verdict.hold


def test_every_input_falls_under_its_row() -> None:
    """Over every combination of a small world the verdict is the first row of the table that applies."""
    decided = hold_to(ROWS, world(), seen)
    assert sum(decided.values()) > 40_000


EXAMPLES: list[tuple[str, str, int]] = [
    ("0.007", "0", 8),
    ("0.007", "0.002", 8),
    ("-0.4", "0", 8),
    ("0.007", "-0.003", 8),
    ("0.002", "0.007", 9),
    ("0", "0.007", 9),
    ("0", "-0.003", 9),
    ("-0.002", "-0.007", 9),
    ("0.0075", "0.007", 5),
    ("0.007", "0.007", 5),
]


def test_the_examples_of_the_design_fall_where_it_says() -> None:
    """The amounts that the design names as examples get the rows that it names."""
    for exchange, ledger, row in EXAMPLES:
        verdict = of(exchange, ledger)
        assert verdict.row == row, (exchange, ledger)


def of(exchange: str, ledger: str) -> Verdict:
    """The verdict on fresh facts with a step of 0.001."""
    view, book = replace(VIEW, amt=D(exchange)), replace(LEDGER, amt=D(ledger))
    return judge(LegFacts(NOW, LIMITS, D("0.001"), view, NOW, book, True, False, (), None, None))
