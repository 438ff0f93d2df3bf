"""The command line in this process, and one house for all tests: exchange and services as processes of their own.

Each test uses a symbol of its own, so that all can share the house. Account `auto` heals drift by itself; account
`manual` may not close, so that its holds wait for a person.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from holdfast.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DEADLINE_S = 30
LOOK_S = 0.02
"""Between two looks at a condition that lives in another process."""
SYMBOLS = 60
COMMAND = (sys.executable, "-c", "from holdfast.cli.main import main; main()")
SIM = ("sim", "--port", "0", "--json", "--volatility", "0", "--limits", "100", "--symbols", str(SYMBOLS))
KEYS = {"T_KEY_A": "key-a", "T_SECRET_A": "secret-a", "T_KEY_M": "key-m", "T_SECRET_M": "secret-m"}
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said and how it ended."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        """Its one line of JSON."""
        return json.loads(self.out)


def say(*words: str) -> Said:
    """Run one command in this process, its standard input no terminal."""
    out, err = io.StringIO(), io.StringIO()
    status = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(list(words))
        except SystemExit as end:
            status = int(end.code or 0)
    return Said(status, out.getvalue(), err.getvalue())


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until something in another process came true, within the deadline."""
    tick = threading.Event()
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come true within {DEADLINE_S} s")
        tick.wait(LOOK_S)


@dataclass(slots=True)
class Process:
    """A `holdfast` process whose first line was read."""

    popen: subprocess.Popen[str]
    first: dict[str, Any]

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit status."""
        self.popen.send_signal(number)
        return self.popen.wait(DEADLINE_S)


@contextlib.contextmanager
def process(*words: str, log: Path) -> Iterator[Process]:
    """Start one that prints JSON first; it ends with the block."""
    with log.open("w") as stderr:
        popen = subprocess.Popen(  # noqa: S603 - our own words
            [*COMMAND, *words], stdout=subprocess.PIPE, stderr=stderr, text=True, env={**os.environ, **KEYS}
        )
    if popen.stdout is None:
        raise RuntimeError("no pipe")
    try:
        line = popen.stdout.readline()
        if not line:
            raise RuntimeError(f"{words[0]} did not start: {log.read_text()}")
        yield Process(popen, json.loads(line))
    finally:
        if popen.poll() is None:
            popen.terminate()
        try:
            popen.wait(DEADLINE_S)
        finally:
            popen.kill()
            popen.wait(DEADLINE_S)
            popen.stdout.close()


def settings_text(address: str, *, more: str = "") -> str:
    """Settings for the simulator at `address`, `http://HOST:PORT`."""
    names = ", ".join(f'"SYM{number:03d}USDT"' for number in range(1, SYMBOLS + 1))
    return f"""
[venue]
rest_url = "{address}"
[accounts.auto]
symbols = [{names}]
bus_prefix = "auto"
read_key_env = "T_KEY_A"
read_secret_env = "T_SECRET_A"
[accounts.manual]
symbols = [{names}]
bus_prefix = "manual"
reconcile_close = "off"
read_key_env = "T_KEY_M"
read_secret_env = "T_SECRET_M"
{more}
"""


@dataclass(slots=True)
class House:
    """A running exchange and running services."""

    settings: Path
    exchange: dict[str, Any]
    services: dict[str, Any]
    free: list[str] = field(default_factory=lambda: [f"SYM{number:03d}USDT" for number in range(1, SYMBOLS + 1)])

    def symbol(self) -> str:
        """A symbol that no other test uses."""
        return self.free.pop(0)

    def ask(self, account: str, *words: str) -> Said:
        """Run one command on an account."""
        return say(*words, "--account", account, "--settings", str(self.settings))

    def admin(self, act: str, **body: object) -> dict[str, Any]:
        """Do something at the exchange that the system knows nothing of."""
        request = urllib.request.Request(  # noqa: S310 - loopback, our own simulator
            f"{self.exchange['admin_url']}/{act}", data=json.dumps(body).encode()
        )
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:  # noqa: S310 - as above
            return dict(json.load(answer))

    def trade(self, account: str, symbol: str, side: str, qty: str) -> None:
        """Somebody trades by hand."""
        self.admin("trade", account=account, symbol=symbol, side=side, qty=qty)

    def leg(self, account: str, symbol: str) -> dict[str, Any]:
        """How `holdfast status --json` shows a symbol now."""
        shown = self.ask(account, "status", "--json").json()
        return next(dict(leg) for leg in shown["accounts"][0]["legs"] if leg["symbol"] == symbol)

    def held(self, account: str, symbol: str, side: str = "BUY", qty: str = "1") -> dict[str, Any]:
        """Make a drift by hand and wait until a person is needed; the leg then."""
        self.trade(account, symbol, side, qty)
        until(
            lambda: "switched off" in (self.leg(account, symbol)["next_step"] or ""), f"a person is needed on {symbol}"
        )
        return self.leg(account, symbol)

    def flat(self, account: str, symbol: str) -> None:
        """Wait until nothing is held there and nothing stands on it."""
        until(
            lambda: (leg := self.leg(account, symbol))["hold"] is None and leg["agreed"] and leg["exchange_amt"] == "0",
            f"{symbol} is flat and free",
        )


@contextlib.contextmanager
def house(folder: Path) -> Iterator[House]:
    """Start the exchange and the services, and wait until both accounts are watched."""
    accounts = ("--account", "key-a:secret-a:trade:auto", "--account", "key-m:secret-m:trade:manual")
    with process(*SIM, *accounts, log=folder / "sim.log") as exchange:
        settings = folder / "holdfast.toml"
        settings.write_text(settings_text(exchange.first["base_url"]))
        with process("run", "--json", "--settings", str(settings), log=folder / "run.log") as services:
            found = House(settings, exchange.first, services.first)
            until(
                lambda: say("status", "--settings", str(settings)).status == 0, f"agreement; {folder / 'run.log'} tells"
            )
            yield found
