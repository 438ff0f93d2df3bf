"""`holdfast run` as processes on one settings file, and the desk of one account: exchange, bus and journal together.

The judge of every test is the exchange's own book and the bus. The journal is opened here for two things only: to
ask what an operator's command line asks, and to prove it afterwards.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import urllib.request
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

from holdfast.cli.journal_access import open_existing
from holdfast.domain.names import AccountId, HoldId, Symbol
from holdfast.domain.operator import OperatorRequest, RequestKind, RequestState
from tests.whole.bus import Strategy, now_ms
from tests.whole.exchange import SYMBOLS, ExchangeAccount
from tests.whole.program import WITHIN_S, Program, until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from holdfast.domain.sides import PositionSide
    from holdfast.journal.store import SqlJournal
    from holdfast.ports.journal import Reads

Facts = TypeVar("Facts")
_numbers = itertools.count(1)
ALL_SYMBOLS = ("BTCUSDT", "ETHUSDT", *(f"SYM{n:03d}USDT" for n in range(1, SYMBOLS + 1)))


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """One account as a settings file names it."""

    name: str
    prefix: str
    symbols: tuple[str, ...] = ALL_SYMBOLS
    limits: Mapping[str, int | str] = field(default_factory=dict)
    """Keys of the account's table, besides those that every account has."""

    def table(self) -> str:
        """Its table."""
        keys = {"read_key_env": "READ_KEY", "read_secret_env": "READ_SECRET"}
        keys |= {"trade_key_env": "TRADE_KEY", "trade_secret_env": "TRADE_SECRET"}
        lines = [f"[accounts.{self.name}]", f'bus_prefix = "{self.prefix}"', f"symbols = {list(self.symbols)}"]
        lines += [f'{key} = "T_{self.name.upper()}_{word}"' for key, word in keys.items()]
        lines += [f"{key} = {value!r}" for key, value in self.limits.items()]
        return "\n".join(lines)

    def environment(self) -> dict[str, str]:
        """Its keys: the reading one for reconcile, the trading one for apply."""
        names = {"READ_KEY": "read", "READ_SECRET": "read-secret", "TRADE_KEY": "key", "TRADE_SECRET": "secret"}
        return {f"T_{self.name.upper()}_{word}": f"{start}-{self.name}" for word, start in names.items()}


@dataclass(frozen=True, slots=True)
class JournalServer:
    """A journal on a PostgreSQL server."""

    url: str
    """As settings carry it: without the password."""
    password: str
    full_url: str


class House:
    """One settings file in a folder, and the processes that run on it."""

    def __init__(
        self,
        folder: Path,
        exchange_url: str,
        accounts: Sequence[AccountPlan],
        *,
        bus_url: str = "",
        alerts_url: str = "",
        journal: JournalServer | None = None,
    ) -> None:
        self.folder, self.accounts = folder, tuple(accounts)
        folder.mkdir(parents=True, exist_ok=True)
        self.settings_path = folder / "holdfast.toml"
        self.environment = {name: value for each in accounts for name, value in each.environment().items()}
        self.programs: list[Program] = []
        tables = [f'[venue]\nrest_url = "{exchange_url}"', "\n".join(each.table() for each in accounts)]
        if bus_url:
            password, _, place = bus_url.removeprefix("redis://:").partition("@")
            self.environment["T_BUS_PASSWORD"], address = password, f"redis://{place}"
            tables.append(f'[bus]\nurl = "{address}"\npassword_env = "T_BUS_PASSWORD"')
        if alerts_url:
            tables.append(f'[alerts]\nurls = ["{alerts_url}"]')
        self._journal = journal
        if journal is not None:
            self.environment["T_JOURNAL_PASSWORD"] = journal.password
            tables.append(f'[journal]\nurl = "{journal.url}"\npassword_env = "T_JOURNAL_PASSWORD"')
        self.settings_path.write_text("\n".join(tables) + '\n[log]\nformat = "json"\n', encoding="utf-8")
        self._bus_url = bus_url
        self._desks: list[Desk] = []

    def start(self, *services: str) -> Program:
        """Start one process: both services, or those named."""
        chosen = [part for name in services for part in ("--service", name)]
        name = "-".join(("run", *services, str(next(_numbers))))
        arguments = ("run", "--json", "--settings", str(self.settings_path), *chosen)
        program = Program(name, arguments, self.folder, self.environment)
        self.programs.append(program)
        return program

    @property
    def bus_url(self) -> str:
        """The bus's address: read anew, because an embedded server has another after each start."""
        if self._bus_url:
            return self._bus_url
        return (self.folder / "holdfast-data" / "bus.url").read_text(encoding="utf-8").strip()

    @property
    def journal_url(self) -> str:
        """The journal's address, with its password."""
        if self._journal is None:
            return f"sqlite:///{self.folder / 'holdfast-data' / 'journal.sqlite'}"
        return self._journal.full_url

    def desk(self, name: str, account: ExchangeAccount) -> Desk:
        """Sit down at one account."""
        plan = next(each for each in self.accounts if each.name == name)
        desk = Desk(self, account, Strategy(self.bus_url, plan.prefix))
        self._desks.append(desk)
        return desk

    def metrics(self) -> dict[str, Decimal]:
        """All samples of the newest process, by name with labels."""
        url = f"{self.programs[-1].said['metrics_url']}/metrics"
        with urllib.request.urlopen(url, timeout=WITHIN_S) as answer:  # noqa: S310 - our own http address
            lines = answer.read().decode().splitlines()
        samples = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {name: Decimal(value) for name, _, value in samples}

    def close(self) -> None:
        """End everything."""
        for desk in self._desks:
            desk.bus.close()
        for program in self.programs:
            program.stop()


@dataclass(slots=True)
class Desk:
    """One account: the exchange's books, the bus, the journal."""

    house: House
    exchange: ExchangeAccount
    bus: Strategy

    @property
    def account(self) -> AccountId:
        """Its name."""
        return AccountId(self.exchange.name)

    # --- waiting --------------------------------------------------------------------------------------

    def until_open(self, symbol: str, within_s: float = WITHIN_S) -> None:
        """Wait until the published permit of the symbol says ALLOW."""
        key = f"permit:state:{symbol}"
        until(lambda: self.bus.fields(key).get("state") == "ALLOW", f"{symbol} open", within_s)

    def until_held(self, symbol: str, within_s: float = WITHIN_S) -> str:
        """Wait for a hold; its id."""
        until(lambda: self.bus.hold(symbol) is not None, f"a hold on {symbol}", within_s)
        return self.bus.hold(symbol) or ""

    def until_free(self, symbol: str, within_s: float = WITHIN_S) -> None:
        """Wait until no hold stands on the bus."""
        until(lambda: self.bus.hold(symbol) is None, f"{symbol} free: {self.bus.state(symbol)}", within_s)

    def until_held_and_free(self, symbol: str, within_s: float = WITHIN_S) -> None:
        """Wait for the end of the episode that a drift opens, however short its hold is on the bus."""
        until(lambda: "HOLD_SET" in self.bus.events(symbol), f"{symbol} held", within_s)
        until(lambda: self.is_released(symbol), f"{symbol} free: {self.bus.state(symbol)}", within_s)
        self.until_free(symbol, within_s)

    def until_written_down(self, symbol: str, within_s: float = WITHIN_S) -> None:
        """Wait until the ledger was moved by the trades of others and the episode is over."""
        until(lambda: "WRITTEN_DOWN" in self.bus.events(symbol), f"{symbol} written down", within_s)
        self.until_held_and_free(symbol, within_s)

    def is_released(self, symbol: str) -> bool:
        """Tell whether every hold of the symbol that was ever set was released."""
        events = self.bus.events(symbol)
        return events.count("HOLD_SET") == events.count("HOLD_RELEASED")

    def until_next_step(self, symbol: str, words: str, within_s: float = WITHIN_S) -> None:
        """Wait until the hold's published next step has these words."""
        until(
            lambda: words in self.bus.state(symbol).get("next_step", ""),
            f"{symbol}: next step {words!r}, it is {self.bus.state(symbol)}",
            within_s,
        )

    def until_agreed(self, symbol: str, side: str = "BOTH") -> None:
        """Wait until the ledger on the bus is what the exchange holds."""
        key = symbol if side == "BOTH" else f"{symbol}:{side}"

        def agrees() -> bool:
            ledger = self.bus.fields(f"position:ledger:{key}").get("ledger_amt")
            return ledger is not None and Decimal(ledger) == self.exchange.position(symbol, side)

        until(agrees, f"{key}: ledger {self.bus.fields(f'position:ledger:{key}')}")

    def heals(self, symbol: str, side: str, qty: str, within_s: float = WITHIN_S) -> None:
        """Somebody trades by hand on a symbol that agrees; the excess is closed by one order, and the hold ends."""
        before = len(self.exchange.orders(symbol))
        self.exchange.trade(symbol, side, qty)
        self.until_held_and_free(symbol, within_s)
        other = {"BUY": "SELL", "SELL": "BUY"}[side]
        assert self.exchange.sent(symbol)[before:] == [(other, plain(qty))]

    # --- the journal ----------------------------------------------------------------------------------

    def query(self, read: Callable[[Reads], Facts]) -> Facts:
        """Read the journal."""
        return asyncio.run(self._with_journal(lambda journal: journal.query(self.account, read)))

    def verify(self) -> int:
        """Prove the journal; how many entries it has."""
        return asyncio.run(self._with_journal(lambda journal: journal.verify(self.account)))

    async def _with_journal(self, work: Callable[[SqlJournal], Awaitable[Facts]]) -> Facts:
        journal = open_existing(self.house.journal_url)
        try:
            return await work(journal)
        finally:
            await journal.close()

    def order(
        self, kind: RequestKind, symbol: str, *, hold_id: str | None = None, side: PositionSide | None = None
    ) -> OperatorRequest:
        """Ask as an operator's command line does, and wait for the answer."""
        request = OperatorRequest(
            request_id=f"test-{os.getpid()}-{next(_numbers)}",
            account=self.account,
            kind=kind,
            symbol=Symbol(symbol),
            position_side=side,
            hold_id=HoldId(hold_id) if hold_id else None,
            qty="",
            name="ada",
            reason="test",
            created_ms=now_ms(),
            state=RequestState.OPEN,
            outcome="",
        )
        asyncio.run(
            self._with_journal(
                lambda journal: journal.transact(
                    self.account,
                    None,
                    read=lambda _: None,
                    decide=lambda _: None,
                    write=lambda tx, _choice, _facts: tx.put_request(request),
                )
            )
        )
        ended: list[OperatorRequest] = []

        def is_over() -> bool:
            found = self.query(lambda reads: reads.request(request.request_id))
            ended[:] = [found] if found is not None and found.state is not RequestState.OPEN else []
            return bool(ended)

        until(is_over, f"an answer to {kind.value} {symbol}")
        return ended[0]


def plain(qty: str) -> str:
    """An amount as the simulator writes it."""
    text = format(Decimal(qty), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
