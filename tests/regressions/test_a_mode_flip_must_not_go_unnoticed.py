"""Must not happen again: a position mode that flips unnoticed, and hedge legs that are collapsed into one.

One bot traded on while its account had been switched to the other mode (hummingbot PR #8249); another netted LONG and
SHORT into one position, silently (nautilus_trader #4738).
"""

from __future__ import annotations

from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING

from tests.whole.exchange import Exchange
from tests.whole.program import never, until
from tests.whole.services import AccountPlan, House
from tests.whole.shared import Alerts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.whole.exchange import ExchangeAccount
    from tests.whole.services import Desk

SYMBOLS = ("BTCUSDT", "ETHUSDT")
QUIET_S = 1.0
NOTICED_S = 12.0
QUICK = {"view_interval_ms": 400}
"""The mode is read with every fifth view."""


@contextmanager
def a_house(folder: Path, account: ExchangeAccount, alerts: Alerts, mode: str) -> Iterator[Desk]:
    """One process on one account, whose settings say `mode`; its journal stays in the folder."""
    plan = AccountPlan("solo", "quantum", SYMBOLS, {**QUICK, "position_mode": mode})
    house = House(folder, account.exchange.url, (plan,), alerts_url=alerts.url)
    try:
        house.start()
        desk = house.desk("solo", account)
        for symbol in SYMBOLS:
            desk.until_open(symbol)
        yield desk
    finally:
        house.close()


@contextmanager
def told() -> Iterator[Alerts]:
    """A webhook that remembers."""
    alerts = Alerts()
    try:
        yield alerts
    finally:
        alerts.close()


def test_a_mode_that_flips_holds_everything_and_a_new_one_is_a_persons_word(tmp_path: Path) -> None:
    """Flipped: all is held, told once, nothing sent. Back: all is free. New settings and a flat account: accepted."""
    with Exchange(tmp_path) as exchange, told() as alerts:
        account, folder = exchange.account("solo"), tmp_path / "house"
        with a_house(folder, account, alerts, "one_way") as desk:
            flips_and_returns(desk, alerts)
            sent = len(account.orders("BTCUSDT"))
        exchange.post("mode", account="solo", mode="hedge")
        with a_house(folder, account, alerts, "hedge") as desk:
            legs_drift_apart(desk, sent)
            assert desk.verify() > 0


def flips_and_returns(desk: Desk, alerts: Alerts) -> None:
    """Somebody switches the mode while all is flat, trades by hand in it, and switches back."""
    account, exchange = desk.exchange, desk.exchange.exchange
    desk.bus.execute("BTCUSDT", "BUY", "0.10")
    desk.until_agreed("BTCUSDT")
    desk.until_open("BTCUSDT")
    desk.bus.execute("BTCUSDT", "SELL", "0.10")
    desk.until_agreed("BTCUSDT")

    exchange.post("mode", account="solo", mode="hedge")
    for symbol in SYMBOLS:
        desk.until_held(symbol, NOTICED_S)
        assert desk.bus.refusal(symbol) == "hold_active"
    until(lambda: alerts.about("hedge mode at the exchange"), "an alert")
    account.trade("BTCUSDT", "BUY", "0.07", positionSide="LONG")
    never(lambda: len(account.orders("BTCUSDT")) > 2, "an order in the wrong mode", QUIET_S)
    assert len({one["title"] for one in alerts.heard}) == 1
    account.trade("BTCUSDT", "SELL", "0.07", positionSide="LONG")

    exchange.post("mode", account="solo", mode="one_way")
    for symbol in SYMBOLS:
        desk.until_free(symbol, NOTICED_S)
        desk.until_open(symbol)
    account.trade("BTCUSDT", "BUY", "0.03")
    until(lambda: account.sent("BTCUSDT")[2:] == [("SELL", "0.03")], "the drift of afterwards is closed")
    desk.until_free("BTCUSDT")


def legs_drift_apart(desk: Desk, sent: int) -> None:
    """Both legs of one symbol drift, in opposite directions and by different amounts; each is closed and let go."""
    account = desk.exchange
    desk.bus.execute("BTCUSDT", "BUY", "0.04", positionSide="LONG")
    desk.until_agreed("BTCUSDT", "LONG")
    account.trade("BTCUSDT", "BUY", "0.07", positionSide="LONG")
    account.trade("BTCUSDT", "SELL", "0.05", positionSide="SHORT")
    until(lambda: len(account.orders("BTCUSDT")) == sent + 3, "both closes")
    for side in ("LONG", "SHORT"):
        desk.until_free(f"BTCUSDT:{side}")
        desk.until_agreed("BTCUSDT", side)
    desk.until_free("BTCUSDT")
    assert account.position("BTCUSDT", "LONG") == Decimal("0.04")
    assert account.position("BTCUSDT", "SHORT") == 0
    closes = {(row["side"], row["positionSide"], row["executedQty"]) for row in account.orders("BTCUSDT")[sent + 1 :]}
    assert closes == {("SELL", "LONG", "0.07"), ("BUY", "SHORT", "0.05")}
    assert all(row["reduceOnly"] is False for row in account.orders("BTCUSDT")[sent:])
