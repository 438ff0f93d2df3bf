"""The journal may be lost only loudly: trading stops before the next order, says why, and ends with a status.

The judge is the exchange's log of requests: after the trouble began no order was asked for.
"""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.integration.cli.command_line import say
from tests.integration.exactly_once.stage import START_S, a_bus, a_house, open_again, order_requests
from tests.whole.bus import new_plan
from tests.whole.program import never, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.whole.exchange import Exchange
    from tests.whole.program import Program
    from tests.whole.services import Desk, House

SYMBOL = "SYM001USDT"
STOPS_S = 10.0


def journal_path(house: House) -> Path:
    """The file."""
    return house.folder / "holdfast-data" / "journal.sqlite"


def fill_the_disk(house: House, program: Program) -> None:
    """The next byte that makes the log longer finds no room: what a full disk does to a write."""
    size = journal_path(house).with_name("journal.sqlite-wal").stat().st_size
    resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE, (size, size))


def replace_the_file(house: House, _program: Program) -> None:
    """Somebody puts a copy in its place while it runs."""
    path = journal_path(house)
    shutil.copy2(path, path.with_name("copy"))
    path.with_name("copy").replace(path)


def remove_the_file(house: House, _program: Program) -> None:
    """Somebody deletes it."""
    for each in journal_path(house).parent.glob("journal.sqlite*"):
        each.unlink()


def truncate_the_file(house: House, _program: Program) -> None:
    """Half of it is gone."""
    path = journal_path(house)
    with closing(sqlite3.connect(path)) as line:
        line.execute("PRAGMA wal_checkpoint(PASSIVE)")
    os.truncate(path, path.stat().st_size // 8192 * 4096)
    os.truncate(path.with_name("journal.sqlite-wal"), 0)


TROUBLES: dict[str, Callable[[House, Program], None]] = {
    "disk full": fill_the_disk,
    "replaced": replace_the_file,
    "removed": remove_the_file,
    "truncated": truncate_the_file,
}


def trades_on(desk: Desk) -> None:
    """Plans as fast as they come, without waiting for what becomes of them."""
    for _ in range(5):
        desk.bus.submit(new_plan(SYMBOL, "BUY", "0.10"))


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_journal_that_is_lost_while_it_runs_ends_the_process_before_the_next_order(
    tmp_path: Path, exchange: Exchange, trouble: str
) -> None:
    """Full disk, file replaced, removed or cut: no order is sent any more, the message says so, the status is 1."""
    account = exchange.account("solo")
    with a_bus(tmp_path / "bus") as bus, a_house(tmp_path, exchange, bus_url=bus.url) as house:
        program = house.start()
        desk = house.desk("solo", account)
        desk.until_open(SYMBOL)
        desk.bus.execute(SYMBOL, "BUY", "0.10")
        desk.until_agreed(SYMBOL)
        TROUBLES[trouble](house, program)
        before = len(order_requests(exchange))
        trades_on(desk)
        until(lambda: not program.is_running(), f"it ends: {program.log()[-500:]}", STOPS_S)
        assert program.wait() == 1
        last = program.log().splitlines()[-1]
        assert last.startswith("holdfast stopped: "), last
        assert "journal" in last, last
        assert len(order_requests(exchange)) == before, "an order was sent without a journal"
        assert account.sent(SYMBOL) == [("BUY", "0.1")]


def test_a_journal_locked_by_another_process_refuses_and_goes_on_when_it_is_free(
    tmp_path: Path, exchange: Exchange
) -> None:
    """While somebody holds the file's lock for seconds nothing is sent; afterwards plans trade and drift heals."""
    account = exchange.account("solo")
    with a_bus(tmp_path / "bus") as bus, a_house(tmp_path, exchange, bus_url=bus.url) as house:
        program = house.start()
        desk = house.desk("solo", account)
        desk.until_open(SYMBOL)
        with closing(sqlite3.connect(journal_path(house), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            before = len(order_requests(exchange))
            refused, waiting = (desk.bus.submit(new_plan(SYMBOL, "BUY", "0.10")) for _ in range(2))
            account.trade("SYM002USDT", "BUY", "0.07")
            never(lambda: len(order_requests(exchange)) > before, "an order without an intent", 3.0)
            other.execute("ROLLBACK")
        assert desk.bus.result_of_entry(refused)["error"] in {"journal_busy", "input_stale", "stamp_stale"}
        later = desk.bus.result_of_entry(waiting)
        until(lambda: account.position("SYM002USDT") == 0, "closed", START_S)
        desk.until_open(SYMBOL)
        desk.bus.execute(SYMBOL, "BUY", "0.10")
        assert program.is_running()
        assert account.sent("SYM002USDT") == [("SELL", "0.07")]
        assert len(account.sent(SYMBOL)) == 1 + (later["executed"] == "true")
        assert desk.verify() > 0


def tamper(house: House) -> int:
    """Change one old entry; its sequence."""
    with closing(sqlite3.connect(journal_path(house))) as file:
        (seq,) = file.execute("SELECT min(seq) FROM entry WHERE kind = 'INTENT'").fetchone()
        file.execute("UPDATE entry SET body = replace(body, '\"0.1\"', '\"0.9\"') WHERE seq = ?", (seq,))
        file.commit()
    return int(seq)


def test_a_journal_that_does_not_hold_is_not_started_on(tmp_path: Path, exchange: Exchange) -> None:
    """A changed entry or a cut file refuses the start, `audit verify` names the entry, nothing is sent."""
    account = exchange.account("solo")
    with a_house(tmp_path, exchange) as house:
        first = house.start()
        desk = house.desk("solo", account)
        desk.until_open(SYMBOL)
        desk.bus.execute(SYMBOL, "BUY", "0.10")
        desk.until_agreed(SYMBOL)
        assert first.stop() == 0
        shutil.copy2(journal_path(house), tmp_path / "good")
        before = len(order_requests(exchange))
        seq = tamper(house)
        refused_start(house, f"entry {seq}")
        said = say("audit", "verify", "--settings", str(house.settings_path))
        assert said.status == 1, said
        assert f"entry {seq}" in said.out + said.err, said
        for each in journal_path(house).parent.glob("journal.sqlite*"):
            each.unlink()
        shutil.copy2(tmp_path / "good", journal_path(house))
        os.truncate(journal_path(house), journal_path(house).stat().st_size // 8192 * 4096)
        refused_start(house, "journal")
        assert len(order_requests(exchange)) == before
        shutil.copy2(tmp_path / "good", journal_path(house))
        house.start()
        open_again(house, account, SYMBOL).bus.execute(SYMBOL, "SELL", "0.10")


def refused_start(house: House, words: str) -> None:
    """A start ends with status 2, one line that says why and nothing on standard output."""
    with pytest.raises(AssertionError) as refused:
        house.start()
    said = str(refused.value)
    assert "holdfast cannot start" in said
    assert words in said
    assert "Traceback" not in said
