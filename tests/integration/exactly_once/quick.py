"""One system whose windows are short, so that fates are proven, and given up, within a second or two."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.integration.cli.command_line import Said, say
from tests.whole.audit import audit
from tests.whole.exchange import Exchange
from tests.whole.services import ALL_SYMBOLS, AccountPlan, House
from tests.whole.shared import Alerts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.whole.program import Program
    from tests.whole.services import Desk

WINDOW_MS = 1_400
"""recvWindow and margin."""
QUICK = AccountPlan(
    "quick",
    "quantum",
    ALL_SYMBOLS[:60],
    {"recv_window_ms": 1_000, "unknown_margin_ms": 400, "unknown_ms_max": 1_600, "evidence_ms_max": 600},
)


@dataclass(slots=True)
class Quick:
    """The system, and the next free symbol."""

    exchange: Exchange
    house: House
    run: Program
    desk: Desk
    alerts: Alerts
    by_word: set[str] = field(default_factory=set)
    """Orders that a person said were filled."""
    _symbols: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def symbol(self) -> str:
        """A symbol that no other test uses, open for trading."""
        found = f"SYM{next(self._symbols):03d}USDT"
        self.desk.until_open(found)
        return found

    def command(self, *words: str) -> Said:
        """What an operator types."""
        return say(*words, "--name", "ada", "--reason", "test", "--yes", "--settings", str(self.house.settings_path))


@contextmanager
def quick_system(folder: Path) -> Iterator[Quick]:
    """Start it; at the end it must agree with the exchange."""
    alerts = Alerts()
    try:
        with Exchange(folder) as exchange:
            account = exchange.account(QUICK.name)
            house = House(folder / "house", exchange.url, (QUICK,), alerts_url=alerts.url)
            try:
                run = house.start()
                desk = house.desk(QUICK.name, account)
                running = Quick(exchange, house, run, desk, alerts)
                yield running
                assert "service_stopped" not in run.log(), run.log()[-2000:]
                assert "Traceback" not in run.log()
                audit(desk, running.by_word)
            finally:
                house.close()
    finally:
        alerts.close()
