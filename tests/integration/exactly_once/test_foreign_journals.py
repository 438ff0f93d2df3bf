"""A journal that is not the newest truth, or an order of ours that it does not know: the account halts."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from holdfast.domain.sides import TradingState
from tests.integration.cli.command_line import say
from tests.integration.exactly_once.stage import START_S, SYMBOLS, a_bus, a_house, open_again, order_requests
from tests.whole.program import never, until
from tests.whole.services import AccountPlan, House

if TYPE_CHECKING:
    from pathlib import Path

    from tests.whole.exchange import Exchange, ExchangeAccount
    from tests.whole.services import Desk

HALT_S = 6.0
"""The backstop's interval, and some."""


def until_halted(desk: Desk, words: str, within_s: float = HALT_S) -> None:
    """Wait until the account is halted for a reason with these words, published and told."""
    until(lambda: desk.query(lambda reads: reads.account().trading_state) is TradingState.HALTED, "halted", within_s)
    reason = desk.query(lambda reads: reads.account().halt_detail)
    assert words in reason, reason
    until(lambda: desk.bus.fields("permit:state:SYM001USDT").get("reason") == "halted", "published", within_s)


def nothing_is_sent(exchange: Exchange, account: ExchangeAccount, desk: Desk) -> None:
    """Plans are refused, a drift is held and not closed."""
    before = len(order_requests(exchange))
    for _ in range(3):
        assert desk.bus.refusal("SYM001USDT") == "halted"
    account.trade("SYM004USDT", "BUY", "0.07")
    desk.until_held("SYM004USDT")
    never(lambda: len(order_requests(exchange)) > before, "an order was sent", 1.0)


def command(house: House, *words: str) -> None:
    """What an operator types; it must be done."""
    said = say(*words, "--name", "ada", "--reason", "looked into it", "--yes", "--settings", str(house.settings_path))
    assert said.status == 0, said


def copy_journal(house: House, to: Path) -> None:
    """A backup: the files as they are while nothing runs."""
    to.mkdir()
    for each in (house.folder / "holdfast-data").glob("journal.sqlite*"):
        shutil.copy2(each, to / each.name)


def put_back(house: House, copy: Path) -> None:
    """Restore it."""
    folder = house.folder / "holdfast-data"
    for each in folder.glob("journal.sqlite*"):
        each.unlink()
    for each in copy.iterdir():
        shutil.copy2(each, folder / each.name)


def test_a_restored_older_copy_of_the_journal_halts_until_a_person_adopts_and_resumes(
    tmp_path: Path, exchange: Exchange
) -> None:
    """After a restore nothing is sent; adopt and resume bring trading back, and the ledger is the exchange's."""
    account = exchange.account("solo")
    with a_house(tmp_path, exchange) as house:
        first = house.start()
        desk = house.desk("solo", account)
        desk.until_open("SYM001USDT")
        desk.bus.execute("SYM001USDT", "BUY", "0.10")
        desk.until_agreed("SYM001USDT")
        assert first.stop() == 0
        copy_journal(house, tmp_path / "copy")
        second = house.start()
        desk = open_again(house, account, "SYM001USDT")
        desk.bus.execute("SYM001USDT", "BUY", "0.20")
        desk.until_agreed("SYM001USDT")
        until(lambda: desk.bus.pending() == 0, "acknowledged")
        assert second.stop() == 0

        put_back(house, tmp_path / "copy")
        third = house.start()
        desk = house.desk("solo", account)
        until_halted(desk, "older copy")
        nothing_is_sent(exchange, account, desk)
        for symbol in ("SYM001USDT", "SYM004USDT"):
            command(house, "adopt", symbol)
            desk.until_agreed(symbol)
        assert desk.bus.refusal("SYM001USDT") == "halted"
        command(house, "resume")
        desk.until_open("SYM001USDT", START_S)
        desk.bus.execute("SYM001USDT", "SELL", "0.30")
        desk.until_agreed("SYM001USDT")
        assert account.sent("SYM001USDT") == [("BUY", "0.1"), ("BUY", "0.2"), ("SELL", "0.3")]
        assert third.stop() == 0
        house.start()
        desk = open_again(house, account, "SYM001USDT")
        assert desk.verify() > 0


def test_another_journal_on_the_same_bus_halts(tmp_path: Path, exchange: Exchange) -> None:
    """A journal made anew beside a bus that an older one has marked is not taken for the truth."""
    account = exchange.account("solo")
    with a_bus(tmp_path / "bus") as bus, a_house(tmp_path, exchange, bus_url=bus.url) as house:
        first = house.start()
        desk = house.desk("solo", account)
        desk.until_open("SYM001USDT")
        desk.bus.execute("SYM001USDT", "BUY", "0.10")
        desk.until_agreed("SYM001USDT")
        assert first.stop() == 0
        (tmp_path / "none").mkdir()
        put_back(house, tmp_path / "none")
        house.start()
        desk = house.desk("solo", account)
        until_halted(desk, "published")
        assert desk.bus.refusal("SYM001USDT") == "halted"
        assert len(order_requests(exchange)) == 1


def trades_unknown(account: ExchangeAccount, state: str) -> None:
    """An order with our prefix that this journal never sent."""
    more = {"price": "1", "qty": "10"} if state == "rests" else {"qty": "0.10"}
    account.trade("SYM002USDT", "BUY", clientOrderId=f"hf-not-of-{account.name}", **more)


def test_an_order_of_ours_that_the_journal_does_not_know_halts(tmp_path: Path, exchange: Exchange) -> None:
    """Our prefix, not in the journal, resting or filled, found while running or at a start: that account halts."""
    names = ("rests", "filled", "rests_before", "filled_before")
    plans = [AccountPlan(name, name, SYMBOLS) for name in names]
    accounts = {name: exchange.account(name) for name in names}
    house = House(tmp_path / "house", exchange.url, plans)
    try:
        first = house.start()
        desks = {name: house.desk(name, account) for name, account in accounts.items()}
        for desk in desks.values():
            desk.until_open("SYM001USDT")
        assert first.stop() == 0
        for name in names[2:]:
            trades_unknown(accounts[name], name.partition("_")[0])
        program = house.start()
        desks = {name: open_again(house, accounts[name], "SYM001USDT") for name in names[:2]}
        desks |= {name: house.desk(name, accounts[name]) for name in names[2:]}
        for name in names[2:]:
            until_halted(desks[name], "the journal does not know")
        for name in names[:2]:
            desks[name].bus.execute("SYM001USDT", "BUY", "0.10")
            trades_unknown(accounts[name], name)
            until_halted(desks[name], "the journal does not know")
        before = len(order_requests(exchange))
        for name, desk in desks.items():
            assert desk.bus.refusal("SYM001USDT") == "halted"
            accounts[name].trade("SYM004USDT", "BUY", "0.07")
            desk.until_held("SYM004USDT")
        never(lambda: len(order_requests(exchange)) > before, "an order was sent", 1.0)
        assert program.is_running()
    finally:
        house.close()
