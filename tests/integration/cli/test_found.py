"""A first start on accounts that hold positions and orders, on real parts: found, adopted, closed; nothing assumed."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.integration.cli.command_line import Said, say
from tests.whole.exchange import Exchange
from tests.whole.program import until
from tests.whole.services import AccountPlan, Desk, House

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHY = ("--yes", "--reason", "the test says so", "--name", "ada")
ONE_WAY, HEDGE = "oneway", "hedge"
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SYM001USDT")


class Place(NamedTuple):
    """Exchange and services; both accounts were first seen with what `stand` put there."""

    house: House
    desks: dict[str, Desk]

    def ask(self, account: str, *words: str) -> Said:
        """Run one command on an account."""
        return say(*words, "--account", account, "--settings", str(self.house.settings_path))

    def sent(self, account: str) -> list[str]:
        """Client ids of all that our side ever sent."""
        return [row["clientOrderId"] for symbol in SYMBOLS for row in self.desks[account].exchange.orders(symbol)]


def stand(exchange: Exchange) -> None:
    """Let both accounts hold positions, and one of them an order in the book, before anybody looks."""
    for name, hedge in ((ONE_WAY, False), (HEDGE, True)):
        exchange.account(name, hedge=hedge)
    exchange.post("trade", account=ONE_WAY, symbol="BTCUSDT", side="BUY", qty="0.5")
    exchange.post("trade", account=ONE_WAY, symbol="ETHUSDT", side="SELL", qty="2")
    exchange.post("trade", account=ONE_WAY, symbol="BTCUSDT", side="BUY", qty="0.1", price="1000")
    exchange.post("trade", account=HEDGE, symbol="BTCUSDT", side="BUY", qty="0.3", positionSide="LONG")
    exchange.post("trade", account=HEDGE, symbol="BTCUSDT", side="SELL", qty="0.2", positionSide="SHORT")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A running exchange with what stood there, and services that were started afterwards."""
    folder: Path = tmp_path_factory.mktemp("first")
    accounts = (
        AccountPlan(ONE_WAY, "oneway", SYMBOLS),
        AccountPlan(HEDGE, "hedge", SYMBOLS[:1], {"position_mode": "hedge"}),
    )
    with Exchange(folder) as exchange:
        stand(exchange)
        house = House(folder / "house", exchange.url, accounts)
        try:
            house.start()
            keys = {name: Desk for name in ()}
            del keys
            yield Place(house, _desks(house, exchange))
        finally:
            house.close()
