"""The one system that most tests share: a simulator, one `holdfast run` with several accounts, a webhook for alerts.

Every test takes symbols of its own (`world.symbol()`), so that tests disturb each other only by what strikes a whole
account; those take an account of their own.
"""

from __future__ import annotations

import atexit
import http.server
import itertools
import json
import shutil
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.whole.audit import audit
from tests.whole.exchange import Exchange
from tests.whole.program import until
from tests.whole.services import ALL_SYMBOLS, AccountPlan, House

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.whole.services import Desk

ACCOUNTS = (
    # What was not executed is proven by time alone: a short life of requests keeps these tests short.
    AccountPlan("main", "quantum", limits={"recv_window_ms": 1000, "unknown_margin_ms": 500}),
    AccountPlan("hedge", "hedged", ("BTCUSDT", "ETHUSDT"), {"position_mode": "hedge"}),
    AccountPlan("off", "closesoff", ALL_SYMBOLS[:12], {"reconcile_close": "off"}),
    AccountPlan("small", "small", ("BTCUSDT", "ETHUSDT"), {"close_notional_max": "300"}),
    AccountPlan("line", "line", ALL_SYMBOLS[:20]),
)


class Alerts:
    """A local webhook that remembers what it was told."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        heard = self.heard

        class Hook(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        self.url = f"json://127.0.0.1:{self._server.server_port}/alerts"

    def about(self, words: str) -> list[dict[str, Any]]:
        """What was told with these words."""
        return [one for one in self.heard if words in json.dumps(one)]

    def close(self) -> None:
        """End."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class World:
    """The shared system."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="holdfast-whole-"))
        self.alerts = Alerts()
        self._symbols = itertools.count(1)
        try:
            self.exchange = Exchange(self.folder)
            accounts = {one.name: self.exchange.account(one.name, hedge=one.name == "hedge") for one in ACCOUNTS}
            self.house = House(self.folder / "house", self.exchange.url, ACCOUNTS, alerts_url=self.alerts.url)
            self.run = self.house.start()
            self.desks = {name: self.house.desk(name, account) for name, account in accounts.items()}
            for desk in self.desks.values():
                desk.until_open("BTCUSDT")
        except BaseException:
            self.close()
            raise

    @property
    def main(self) -> Desk:
        """The account with everything as it is by default."""
        return self.desks["main"]

    def symbol(self) -> str:
        """A symbol of `main` that no other test uses."""
        return f"SYM{next(self._symbols):03d}USDT"

    def audit(self) -> None:
        """What must be true at rest, whatever was done to the system before; raises AssertionError."""
        assert self.run.is_running(), self.run.log()[-2000:]
        assert "service_stopped" not in self.run.log()
        assert "Traceback" not in self.run.log()
        until(lambda: self.house.metrics()["holdfast_holds_without_next_step"] == 0, "every hold has a next step")
        for desk in self.desks.values():
            audit(desk)

    def close(self) -> None:
        """End everything."""
        if hasattr(self, "house"):
            self.house.close()
        if hasattr(self, "exchange"):
            self.exchange.stop()
        self.alerts.close()
        shutil.rmtree(self.folder, ignore_errors=True)


_standing: list[World] = []


@contextmanager
def shared_world() -> Iterator[World]:
    """The system; whoever asks first ends it, which is at the end of the session."""
    if _standing:
        yield _standing[0]
        return
    world = World()
    _standing.append(world)
    atexit.register(world.close)
    try:
        yield world
        world.audit()
    finally:
        atexit.unregister(world.close)
        _standing.remove(world)
        world.close()
