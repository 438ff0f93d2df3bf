"""The whole system with its journal on PostgreSQL: it heals, apart too; a server that dies stops trading."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.postgres import PASSWORD, QUOTED, USER, PostgresServer, a_server
from tests.whole.audit import audit
from tests.whole.bus import new_plan
from tests.whole.program import never, until
from tests.whole.services import JournalServer
from tests.whole.solo import START_S, a_bus, a_house, exchange

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.whole.exchange import Exchange
    from tests.whole.services import House

__all__ = ["exchange"]
BTC = "SYM001USDT"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One for the tests that leave it alive."""
    yield from a_server()


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """One that a test may kill."""
    yield from a_server()


def journal_on(server: PostgresServer) -> JournalServer:
    """A database as settings name it: the password apart."""
    full = server.url(server.new_database())
    return JournalServer(full.replace(f"{USER}:{QUOTED}@", f"{USER}@"), PASSWORD, full)


def ask(house: House, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One command of the command line on the house's settings."""
    program = "from holdfast.cli.main import main; main()"
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program, *arguments, "--settings", str(house.settings_path)],
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **house.environment},
    )  # fmt: skip


def test_one_process_heals_and_the_command_line_reads_along(
    tmp_path: Path, exchange: Exchange, server: PostgresServer
) -> None:
    """Plans trade, drifts heal, and audit and status answer, with no journal file anywhere and no password in a log."""
    account = exchange.account("solo")
    with a_house(tmp_path, exchange, journal=journal_on(server)) as house:
        run = house.start()
        desk = house.desk("solo", account)
        desk.until_open(BTC)
        desk.bus.execute(BTC, "BUY", "0.20")
        desk.heals(BTC, "BUY", "0.07")
        desk.heals("SYM002USDT", "SELL", "0.05")
        desk.until_open(BTC)
        desk.bus.execute(BTC, "SELL", "0.10")
        audit(desk)
        assert ask(house, "audit", "verify").returncode == 0
        status = ask(house, "status", "--json")
        assert (status.returncode, BTC in status.stdout) == (0, True)
        assert not list(house.folder.glob("**/*.sqlite*"))
        assert f"127.0.0.1:{server.port}/t" in run.said["journal"]
        assert PASSWORD not in run.log() + str(run.said) + status.stdout + status.stderr
        assert run.stop() == 0


def test_separate_processes_heal_together(tmp_path: Path, exchange: Exchange, server: PostgresServer) -> None:
    """Reconcile and apply apart share the server: a drift heals, and apply killed is followed by another."""
    account = exchange.account("solo")
    with (
        a_bus(tmp_path / "bus") as bus_url,
        a_house(tmp_path, exchange, bus_url=bus_url, journal=journal_on(server)) as house,
    ):
        house.start("reconcile")
        apply = house.start("apply")
        desk = house.desk("solo", account)
        desk.until_open(BTC)
        desk.bus.execute(BTC, "BUY", "0.20")
        desk.heals(BTC, "BUY", "0.07")
        apply.kill()
        account.trade("SYM002USDT", "SELL", "0.07")
        desk.until_held("SYM002USDT")
        house.start("apply")
        until(lambda: account.position("SYM002USDT") == 0, "closed by the second", START_S)
        desk.until_free("SYM002USDT")
        audit(desk)


def test_server_killed_in_the_middle_of_a_close_stops_trading_and_the_next_run_heals(
    tmp_path: Path, exchange: Exchange, own_server: PostgresServer
) -> None:
    """The process ends with status 1 and says why; nothing is sent meanwhile; once it is back, nothing twice."""
    account = exchange.account("solo")
    with (
        a_bus(tmp_path / "bus") as bus_url,
        a_house(tmp_path, exchange, bus_url=bus_url, journal=journal_on(own_server)) as house,
    ):
        first = house.start()
        desk = house.desk("solo", account)
        desk.until_open(BTC)
        desk.bus.execute(BTC, "BUY", "0.20")
        slow = account.arm_order("reply_delay", BTC, delay_ms=600)
        account.trade(BTC, "BUY", "0.07")
        until(lambda: slow.hits, "the close is at the exchange")
        own_server.kill()
        assert first.wait() == 1
        assert "holdfast stopped: the journal's database failed" in first.log()

        desk.bus.submit(new_plan(BTC, "BUY", "0.10"))
        with pytest.raises(AssertionError, match=r"holdfast cannot start: .* check that the server runs"):
            house.start()
        assert PASSWORD not in first.log()
        never(lambda: len(account.orders(BTC)) > 2, "an order while the journal is away", 0.5)

        own_server.start()
        house.start()
        desk = house.desk("solo", account)
        desk.until_open(BTC, START_S)
        desk.until_agreed(BTC)
        audit(desk)
        filled = [one for one in account.sent(BTC) if Decimal(one[1]) > 0]
        assert filled[:2] == [("BUY", "0.2"), ("SELL", "0.07")]
        assert filled[2:] in ([], [("BUY", "0.1")])  # the plan that waited is executed once, or was too old
        desk.bus.execute(BTC, "SELL", "0.20")
