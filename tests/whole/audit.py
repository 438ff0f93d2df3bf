"""What must be true of one account at rest: the journal proves, and agrees with the exchange to the step."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from holdfast.domain.names import ClientOrderId
from tests.whole.program import until

if TYPE_CHECKING:
    from collections.abc import Collection

    from holdfast.domain.order import Order
    from holdfast.domain.sides import Leg
    from holdfast.ports.journal import Reads
    from tests.whole.services import Desk


def audit(desk: Desk, by_word: Collection[str] = ()) -> None:
    """Raises AssertionError with what is wrong. `by_word`: orders that a person said were filled, without any trade."""
    assert desk.verify() > 0
    for result in desk.bus.results():
        assert (result["executed"] == "true") == (result["error"] == ""), result
    until(lambda: desk.bus.pending() == 0, f"{desk.account}: every plan is acknowledged")
    until(lambda: not desk.query(lambda reads: reads.live_orders(None)), f"{desk.account}: every order is settled")
    _ledgers(desk)
    _orders(desk, by_word)


def _ledgers(desk: Desk) -> None:
    """Where no hold stands, ledger and exchange agree; a position without a ledger is held."""
    rows = desk.exchange.exchange.get("positions", account=desk.exchange.name)["positions"]
    held = {hold.leg.symbol for hold in desk.query(lambda reads: reads.open_holds(None))}
    positions = {(row["symbol"], row["positionSide"]): Decimal(row["positionAmt"]) for row in rows}

    def ledger(reads: Reads) -> dict[tuple[str, str], Decimal]:
        return {_name(state.leg): state.amt for state in reads.legs() if state.amt != 0}

    ledgers = desk.query(ledger)
    for name in positions.keys() | ledgers.keys():
        if name[0] not in held:
            assert positions.get(name, Decimal(0)) == ledgers.get(name, Decimal(0)), name


def _name(leg: Leg) -> tuple[str, str]:
    return leg.symbol, leg.position_side.value


def _orders(desk: Desk, by_word: Collection[str]) -> None:
    """Every order that the exchange ever accepted from us is in the journal, executed and booked as it was there."""
    rows = desk.exchange.exchange.get("orders", account=desk.exchange.name, limit=100_000)["orders"]
    ours = {row["clientOrderId"]: Decimal(row["executedQty"]) for row in rows if row["source"] == "api"}
    assert len(ours) == sum(row["source"] == "api" for row in rows), "a client id was used twice"

    def read(reads: Reads) -> dict[str, Order | None]:
        return {name: reads.order(ClientOrderId(name)) for name in ours}

    for name, order in desk.query(read).items():
        assert order is not None, f"the journal does not know {name}"
        if name not in by_word:
            assert (order.executed_qty, order.booked_qty) == (ours[name], ours[name]), name
