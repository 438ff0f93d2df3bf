"""A first start on accounts that hold positions and orders, on real parts: found, adopted, closed; nothing assumed."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.integration.cli.command_line import Said, say
from tests.whole.exchange import Exchange
from tests.whole.program import until
from tests.whole.services import AccountPlan, House

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.whole.exchange import ExchangeAccount
    from tests.whole.services import Desk

WHY = ("--yes", "--reason", "the test says so", "--name", "ada")
ONE_WAY, HEDGE = "oneway", "hedge"
CLOSING, ADOPTING = "closing", "adopting"
"""Hedge accounts whose policy chooses."""
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SYM001USDT")
NOT_ALLOWED = "SYM002USDT"
"""Traded there by somebody, on nobody's allowlist."""


class Place(NamedTuple):
    """Exchange and services; both accounts were first seen with what `stand` put there."""

    house: House
    desks: dict[str, Desk]

    def ask(self, account: str, *words: str) -> Said:
        """Run one command on an account."""
        return say(*words, "--account", account, "--settings", str(self.house.settings_path))

    def sent(self, account: str) -> list[str]:
        """Client ids of all that our side ever sent."""
        return [
            row["clientOrderId"]
            for symbol in (*SYMBOLS, NOT_ALLOWED)
            for row in self.desks[account].exchange.orders(symbol)
        ]


def stand(exchange: Exchange) -> dict[str, ExchangeAccount]:
    """Let both accounts hold positions, and one of them an order in the book, before anybody looks."""
    names = (ONE_WAY, HEDGE, CLOSING, ADOPTING)
    accounts = {name: exchange.account(name, hedge=name != ONE_WAY) for name in names}
    accounts[ONE_WAY].trade(NOT_ALLOWED, "BUY", "3")
    accounts[ONE_WAY].trade("BTCUSDT", "BUY", "0.5")
    accounts[ONE_WAY].trade("ETHUSDT", "SELL", "2")
    accounts[ONE_WAY].trade("BTCUSDT", "BUY", "0.1", price="1000", clientOrderId="web_resting")
    for name in (HEDGE, CLOSING, ADOPTING):
        accounts[name].trade("BTCUSDT", "BUY", "0.3", positionSide="LONG")
        accounts[name].trade("BTCUSDT", "SELL", "0.2", positionSide="SHORT")
    return accounts


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A running exchange with what stood there, and services that were started afterwards."""
    folder: Path = tmp_path_factory.mktemp("first")
    plans = (
        AccountPlan(ONE_WAY, "oneway", SYMBOLS),
        AccountPlan(HEDGE, "hedge", SYMBOLS[:1], {"position_mode": "hedge"}),
        AccountPlan(CLOSING, "closing", SYMBOLS[:1], {"position_mode": "hedge", "unledgered": "close"}),
        AccountPlan(ADOPTING, "adopting", SYMBOLS[:1], {"position_mode": "hedge", "unledgered": "adopt"}),
    )
    with Exchange(folder) as exchange:
        accounts = stand(exchange)
        house = House(folder / "house", exchange.url, plans)
        try:
            house.start()
            found = Place(house, {name: house.desk(name, account) for name, account in accounts.items()})
            until(lambda: found.ask(ONE_WAY, "found").status == 1, "seen")
            until(lambda: found.ask(HEDGE, "found").status == 1, "seen")
            yield found
        finally:
            house.close()


def legs(place: Place, account: str) -> dict[str, dict[str, Any]]:
    """The legs of the report, by name."""
    (report,) = place.ask(account, "found", "--json").json()["accounts"]
    return {leg["leg"]: leg for leg in report["legs"]}


def test_the_report_says_what_was_found_and_what_each_choice_would_do(place: Place) -> None:
    """Positions with side, price and notional, the order that rests and whose it is; what adopt, close, waiting do."""
    said = place.ask(ONE_WAY, "found")
    assert said.status == 1
    assert "BTCUSDT waits for a choice" in said.out
    assert "holdfast adopt ETHUSDT --reason ..." in said.out
    assert "the ledger becomes -2; no order is sent" in said.out
    assert "BUY 2 MARKET, reduce-only, a notional of about" in said.out
    assert "web_resting" in said.out
    assert "somebody else's: it is left alone" in said.out
    found = legs(place, ONE_WAY)
    assert {key: (leg["side"], leg["found_amt"]) for key, leg in found.items()} == {
        "BTCUSDT": ("LONG", "0.5"),
        "ETHUSDT": ("SHORT", "-2"),
        NOT_ALLOWED: ("LONG", "3"),
    }
    for leg in found.values():
        assert Decimal(leg["entry_price"]) > 0
        worth = abs(Decimal(leg["found_amt"])) * Decimal(leg["mark_price"])
        assert Decimal(leg["notional"]) == worth
        assert (leg["ledger_amt"], leg["waits"]) == ("0", True)


def test_hedge_legs_are_found_apart_and_named_apart(place: Place) -> None:
    """LONG and SHORT of one symbol are two findings with holds of their own; one is adopted, the other is closed."""
    found = legs(place, HEDGE)
    assert set(found) == {"BTCUSDT:LONG", "BTCUSDT:SHORT"}
    assert found["BTCUSDT:LONG"]["hold"] != found["BTCUSDT:SHORT"]["hold"]
    assert "adopt BTCUSDT:LONG" in found["BTCUSDT:LONG"]["choices"]["adopt"]["command"]
    assert place.sent(HEDGE) == []
    desk = place.desks[HEDGE]
    assert place.ask(HEDGE, "adopt", "BTCUSDT:LONG", *WHY).status == 0
    until(lambda: not legs(place, HEDGE)["BTCUSDT:LONG"]["waits"], "the LONG is settled")
    assert legs(place, HEDGE)["BTCUSDT:SHORT"]["waits"]
    assert place.ask(HEDGE, "close", "BTCUSDT:SHORT", *WHY).status == 0
    until(lambda: place.ask(HEDGE, "found").status == 0, "both are settled")
    assert desk.exchange.position("BTCUSDT", "LONG") == Decimal("0.3")
    assert desk.exchange.position("BTCUSDT", "SHORT") == 0
    (close,) = desk.exchange.orders("BTCUSDT")
    assert (close["side"], close["positionSide"]) == ("BUY", "SHORT")
    desk.until_open("BTCUSDT")
    told = place.ask(HEDGE, "explain", "BTCUSDT:SHORT").out
    pieces = (
        "It showed BTCUSDT:LONG 0.3, BTCUSDT:SHORT -0.2, and no open order",
        "Row 4 decided",
        "A person is needed",
        "ada asked to close BTCUSDT SHORT",
        "OPERATOR_CLOSE",
        "BUY 0.2 BTCUSDT",
        "was released after",
    )
    places = [told.find(piece) for piece in pieces]
    assert -1 not in places, told
    assert places == sorted(places), told
    assert "adopt" not in told.partition("next")[0].partition("A person is needed")[2].partition("Type:")[0]
    assert found["BTCUSDT:LONG"]["hold"] not in told


@pytest.mark.parametrize(
    ("account", "left", "sent"),
    [
        (CLOSING, {"LONG": "0", "SHORT": "0"}, {("SELL", "LONG", "0.3"), ("BUY", "SHORT", "0.2")}),
        (ADOPTING, {"LONG": "0.3", "SHORT": "-0.2"}, set()),
    ],
)
def test_a_policy_chooses_for_each_hedge_leg(
    place: Place, account: str, left: dict[str, str], sent: set[tuple[str, str, str]]
) -> None:
    """Closed: one order a leg, by its own side. Adopted: no order at all. Then plans may trade, and nothing waits."""
    desk = place.desks[account]
    until(lambda: place.ask(account, "found").status == 0, "nothing waits")
    desk.until_open("BTCUSDT")
    for side, amount in left.items():
        desk.until_agreed("BTCUSDT", side)
        assert desk.exchange.position("BTCUSDT", side) == Decimal(amount)
    orders = desk.exchange.orders("BTCUSDT")
    assert {(one["side"], one["positionSide"], one["executedQty"]) for one in orders} == sent
    assert len(orders) == len(sent)


def test_nothing_is_traded_or_assumed_until_everything_is_adopted(place: Place) -> None:
    """Plans are refused while a position waits; `adopt --all` books both, sends nothing, and trading begins."""
    desk = place.desks[ONE_WAY]
    assert desk.bus.refusal("BTCUSDT") == "hold_active"
    assert place.sent(ONE_WAY) == []
    said = place.ask(ONE_WAY, "adopt", "--all", "--json", *WHY)
    assert {each["state"] for each in said.json()["requests"]} == {"done"}
    until(lambda: place.ask(ONE_WAY, "found").status == 0, "nothing waits")
    assert "nothing waits for a choice" in place.ask(ONE_WAY, "found").out
    desk.until_agreed("BTCUSDT")
    desk.until_agreed("ETHUSDT")
    desk.until_agreed(NOT_ALLOWED)
    assert place.sent(ONE_WAY) == []
    assert desk.bus.refusal(NOT_ALLOWED) == "symbol_not_allowed"
    desk.until_open("ETHUSDT")
    desk.bus.execute("ETHUSDT", "BUY", "0.5")
    assert desk.exchange.position("ETHUSDT") == Decimal("-1.5")


@pytest.mark.parametrize(
    ("account", "words", "status", "why"),
    [
        (HEDGE, ("adopt", "BTCUSDT:BOTH", *WHY), 2, "names no leg"),
        (HEDGE, ("close", "BTCUSDT:LONG", "--position-side", "SHORT", *WHY), 2, "name two legs"),
        (HEDGE, ("adopt", "--all", "--position-side", "LONG", *WHY), 2, "leave --position-side out"),
        (HEDGE, ("close", "BTCUSDT", *WHY), 1, "in hedge mode say which leg"),
        (ONE_WAY, ("adopt", "BTCUSDT:LONG", *WHY), 1, "one_way mode"),
        (ONE_WAY, ("adopt", "NOSUCHUSDT", *WHY), 1, "Invalid symbol"),
        (ONE_WAY, ("found", "--nonsense"), 2, "No such option"),
    ],
)
def test_wrong_input_is_said_and_changes_nothing(
    place: Place, account: str, words: tuple[str, ...], status: int, why: str
) -> None:
    """A leg that is not there or not clear is one message and a status; nothing is booked or sent."""
    before = {name: place.sent(name) for name in place.desks}
    said = place.ask(account, *words)
    assert said.status == status
    assert why in said.err
    assert {name: place.sent(name) for name in place.desks} == before


def test_an_account_that_nobody_has_seen_is_said(lonely: Path) -> None:
    """Before the first complete view there is nothing to report: status 3."""
    said = say("found", "--account", "auto", "--settings", str(lonely))
    assert (said.status, "not seen completely yet" in said.out) == (3, True)
