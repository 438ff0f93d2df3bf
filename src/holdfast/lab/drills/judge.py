"""What must be true once everything is at rest. The exchange's own book is the truth; journal and bus are compared.

    J1  a client order id was accepted at most once
    J2  every order of ours at the exchange is in the journal, with the same executed quantity, all of it booked
    J3  per symbol: EXECUTE fills + what persons and repairs moved = ledger = position
    J4  every plan that the bus took has an outcome; all its outcomes say the same; executed is what the exchange says;
        of a CANCEL: the order that it names rests no more, and was ended unfilled if it says so
    J5  no RECONCILE_CLOSE raised an exposure, flipped it, or closed more than the drift of its moment
    J6  no hold stands but one that waits for a person
    J7  nothing is under way: no order that is not settled, no close, no request
    J8  the journal's chain holds, and its sums
    J9  a hold stands on the bus exactly while one stands in the journal

Fills are read in the exchange's order, so position and ledger of every moment are known (J5).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from holdfast.clock import SystemClock
from holdfast.domain.errors import BusUnavailable, HoldfastError
from holdfast.domain.names import CLIENT_ORDER_PREFIX, AccountId, PlanId, client_order_id
from holdfast.journal import InlineRunner
from holdfast.journal.opening import FileDatabase
from holdfast.journal.store import SqlJournal
from holdfast.lab.drills.record import POLL_S, Record, Stuck
from holdfast.lab.drills.victim_settings import ACCOUNT, PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

ZERO = Decimal(0)
EXECUTE, RECONCILE_CLOSE = "EXECUTE", "RECONCILE_CLOSE"
REST_S_MAX = 30.0
OWN_ANSWERS = ("reused-", "full-", "busy-", "forged-", "bad-")
"""Results about one delivery, not about the plan: they say so by their id."""


@dataclass(frozen=True, slots=True)
class Seen:
    """All that is compared, read once."""

    orders: list[dict[str, Any]]
    fills: list[dict[str, Any]]
    positions: dict[str, Decimal]
    journal_orders: dict[str, dict[str, Any]]
    ledger: dict[str, Decimal]
    moves: dict[str, Decimal]
    """What persons, policies and the trades of others moved each symbol's ledger by."""


@dataclass(slots=True)
class Verdict:
    """What was found."""

    orders: int = 0
    violations: list[str] = field(default_factory=list)


async def come_to_rest(record: Record) -> list[str]:
    """Wait until nothing is under way; what still is when time is up."""

    async def at_rest() -> bool:
        return not await unrest(record)

    try:
        await record.until(at_rest, "everything comes to rest", REST_S_MAX)
    except Stuck:
        return [f"no rest: {each}" for each in await unrest(record)]
    return []


async def unrest(record: Record) -> list[str]:
    """What is still under way."""
    left = [f"order {row['client_order_id']} is {row['state']}" for row in record.rows(_LIVE)]
    left += [f"hold {row['hold_id']} ({row['reason']}) next {row['step_kind']}" for row in record.rows(_HOLDS)]
    left += [f"close {row['plan_id']} is {row['state']}" for row in record.rows(_CLOSES)]
    left += [f"request {row['request_id']} is open" for row in record.rows(_REQUESTS)]
    left += [f"plan {name} has no outcome" for name in record.taken if not record.results.get(name)]
    if not left:
        seen = await look(record)
        left += [
            f"{symbol}: ledger {seen.ledger.get(symbol, ZERO)}, position {seen.positions.get(symbol, ZERO)}"
            for symbol in sorted({*seen.ledger, *seen.positions})
            if seen.ledger.get(symbol, ZERO) != seen.positions.get(symbol, ZERO)
        ]
    return left


_LIVE = "SELECT client_order_id, state FROM orders WHERE settled = 0"
_HOLDS = (
    "SELECT hold_id, symbol, reason, owner, step_kind FROM hold WHERE released_ms IS NULL AND step_kind != 'operator'"
)
_CLOSES = "SELECT plan_id, state FROM close WHERE state IN ('planned', 'claimed')"
_REQUESTS = "SELECT request_id FROM request WHERE state = 'open'"
_MOVES = "SELECT symbol, delta FROM ledger_move WHERE cause IN ('adopt', 'baseline', 'write_down')"


async def look(record: Record) -> Seen:
    """Read exchange and journal."""
    desk = record.stage.desk
    account = record.stage.name
    positions = (await desk.get("positions", account=account))["positions"]
    ledger: dict[str, Decimal] = defaultdict(Decimal)
    for row in record.rows("SELECT symbol, amt FROM leg"):
        ledger[row["symbol"]] += Decimal(row["amt"])
    moves: dict[str, Decimal] = defaultdict(Decimal)
    for row in record.rows(_MOVES):
        moves[row["symbol"]] += Decimal(row["delta"])
    return Seen(
        orders=await desk.orders(),
        fills=list((await desk.get("fills", account=account))["fills"]),
        positions={row["symbol"]: Decimal(row["positionAmt"]) for row in positions},
        journal_orders={row["client_order_id"]: row for row in record.rows("SELECT * FROM orders")},
        ledger=dict(ledger),
        moves=dict(moves),
    )


async def judge(record: Record) -> Verdict:
    """Judge a stage that came to rest."""
    seen = await look(record)
    verdict = Verdict(orders=sum(_is_ours(each) for each in seen.orders))
    for check in (_accepted_once, _journaled, _sums, _closes):
        verdict.violations.extend(check(seen))
    verdict.violations.extend(_outcomes(record, seen))
    verdict.violations.extend(await _chain(record))
    verdict.violations.extend(await _bus_holds(record))
    return verdict


def _is_ours(row: dict[str, Any]) -> bool:
    return str(row["clientOrderId"]).startswith(CLIENT_ORDER_PREFIX)


def _accepted_once(seen: Seen) -> Iterator[str]:
    counts = Counter(each["clientOrderId"] for each in seen.orders if _is_ours(each))
    for name, count in counts.items():
        if count > 1:
            yield f"J1: {name} was accepted {count} times"


def _journaled(seen: Seen) -> Iterator[str]:
    for each in seen.orders:
        if not _is_ours(each):
            continue
        known = seen.journal_orders.get(each["clientOrderId"])
        if known is None:
            yield f"J2: {each['clientOrderId']} on {each['symbol']} is not in the journal"
            continue
        executed = Decimal(each["executedQty"])
        if Decimal(known["booked_qty"]) != executed or Decimal(known["executed_qty"]) != executed:
            yield (
                f"J2: {each['clientOrderId']} executed {executed}, journal says {known['executed_qty']} "
                f"and booked {known['booked_qty']} ({known['state']})"
            )


def _is_forced(fill: dict[str, Any]) -> bool:
    """Tell whether the exchange itself reduced the position: ledger and position both follow, nothing is drift."""
    return str(fill["clientOrderId"]).startswith(("autoclose-", "adl_autoclose", "settlement_autoclose-"))


def _ledger_part(order: dict[str, Any], done: Decimal, qty: Decimal) -> Decimal:
    """How much of a fill moves the ledger: what exceeds the order's part against the drift."""
    if order["decision"] == EXECUTE:
        return qty
    left = max(Decimal(order["against_drift_qty"]) - done, ZERO)
    return max(qty - left, ZERO)


def _signed(fill: dict[str, Any], qty: Decimal) -> Decimal:
    return qty if fill["side"] == "BUY" else -qty


def _sums(seen: Seen) -> Iterator[str]:
    """J3, from the exchange's fills alone but for what persons moved."""
    expected: dict[str, Decimal] = defaultdict(Decimal, seen.moves)
    done: dict[str, Decimal] = defaultdict(Decimal)
    for fill in seen.fills:
        order = seen.journal_orders.get(fill["clientOrderId"])
        qty = Decimal(fill["qty"])
        if _is_forced(fill):
            expected[fill["symbol"]] += _signed(fill, qty)
        if order is None:
            continue
        expected[fill["symbol"]] += _signed(fill, _ledger_part(order, done[fill["clientOrderId"]], qty))
        done[fill["clientOrderId"]] += qty
    for symbol in sorted({*expected, *seen.ledger, *seen.positions}):
        ledger = seen.ledger.get(symbol, ZERO)
        if expected[symbol] != ledger:
            yield f"J3: {symbol}: fills and moves make {expected[symbol]}, the ledger is {ledger}"
        if seen.positions.get(symbol, ZERO) != ledger:
            yield f"J3: {symbol}: the position is {seen.positions.get(symbol, ZERO)}, the ledger is {ledger}"


def _closes(seen: Seen) -> Iterator[str]:
    """J5: walk the fills in the exchange's order."""
    position: dict[str, Decimal] = defaultdict(Decimal)
    drift: dict[str, Decimal] = defaultdict(Decimal)
    done: dict[str, Decimal] = defaultdict(Decimal)
    for fill in seen.fills:
        symbol, qty = fill["symbol"], Decimal(fill["qty"])
        order = seen.journal_orders.get(fill["clientOrderId"])
        part = (
            (qty if _is_forced(fill) else ZERO)
            if order is None
            else _ledger_part(order, done[fill["clientOrderId"]], qty)
        )
        done[fill["clientOrderId"]] += qty
        before = position[symbol]
        after = before + _signed(fill, qty)
        if order is not None and order["decision"] == RECONCILE_CLOSE:
            name = f"{order['plan_id']} on {symbol}"
            if abs(after) >= abs(before) or before * after < ZERO:
                yield f"J5: close {name} took the position from {before} to {after}"
            # A person's adoption counts from its own moment, which fills do not tell: it can only lower the drift.
            if not seen.moves.get(symbol) and qty > abs(drift[symbol]):
                yield f"J5: close {name} of {qty} is above the drift of {drift[symbol]}"
        position[symbol] = after
        drift[symbol] += _signed(fill, qty - part)


def _outcomes(record: Record, seen: Seen) -> Iterator[str]:
    executed: dict[str, Decimal] = defaultdict(Decimal)
    for each in seen.orders:
        executed[each["clientOrderId"]] += Decimal(each["executedQty"])
    for plan_id in record.taken:
        results = [each for each in record.results.get(plan_id, ()) if not each["result_id"].startswith(OWN_ANSWERS)]
        if not record.results.get(plan_id):
            yield f"J4: plan {plan_id} has no outcome"
        filled = executed.get(client_order_id(AccountId(ACCOUNT), PlanId(plan_id)), ZERO)
        cancels = record.taken[plan_id].cancels
        yield from _cancelled(plan_id, cancels, results, seen) if cancels else ()
        for each in () if cancels else results:
            if (each["executed"] == "true") != (filled > ZERO) or Decimal(each["filled_qty"]) != filled:
                yield (
                    f"J4: plan {plan_id} says executed={each['executed']} {each['filled_qty']} {each['error']}, "
                    f"the exchange executed {filled}"
                )
        if len({(each["result_id"], each["executed"], each["error"]) for each in results}) > 1:
            yield f"J4: plan {plan_id} has different outcomes: {[(r['result_id'], r['error']) for r in results]}"
        if any(each["executed"] != "true" and not each["error"] for each in record.results.get(plan_id, ())):
            yield f"J4: plan {plan_id} was not executed and nobody says why"


def _cancelled(plan_id: str, cancels: str, results: list[dict[str, str]], seen: Seen) -> Iterator[str]:
    """J4 of a CANCEL: what it says of the order that it names, against the exchange's book."""
    name = client_order_id(AccountId(ACCOUNT), PlanId(cancels))
    orders = [each for each in seen.orders if each["clientOrderId"] == name]
    status = str(orders[-1]["status"]) if orders else "not there"
    for each in results:
        is_false = each["executed"] == "true" and status not in {"CANCELED", "EXPIRED"}
        if is_false or status in {"NEW", "PARTIALLY_FILLED"}:
            yield f"J4: CANCEL {plan_id} says executed={each['executed']} {each['error']}, the order is {status}"


async def _chain(record: Record) -> list[str]:
    journal = SqlJournal(InlineRunner(FileDatabase(record.stage.journal_path, SystemClock())))
    try:
        await journal.verify(AccountId(ACCOUNT))
    except HoldfastError as error:
        return [f"J8: {error}"]
    finally:
        await journal.close()
    return []


async def _bus_holds(record: Record) -> list[str]:
    """J9; copies may lag for a moment, so it is looked at until it fits."""
    found: list[str] = []

    async def fits() -> bool:
        found.clear()
        held = {row["symbol"] for row in record.rows("SELECT symbol FROM hold WHERE released_ms IS NULL")}
        for symbol in record.stage.symbols:
            try:
                value = await record.stage.bus("GET", f"{PREFIX}:reconcile:hold:{symbol}")
            except BusUnavailable:
                found.append("J9: the bus cannot be read")
                return False
            if (value is not None) != (symbol in held):
                found.append(f"J9: {symbol} is held: journal {symbol in held}, bus {value!r}")
        return not found

    try:
        await record.until(fits, "bus and journal show the same holds", 5.0)
    except Stuck:
        return list(found)
    return []


__all__ = ["POLL_S", "Verdict", "come_to_rest", "judge"]
