"""The simulator as a process, seen by people: what they do at the exchange, and what is true there.

Nothing here goes through our own adapter. Every reading is of the simulator's own books.
"""

from __future__ import annotations

import http.client
import itertools
import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from tests.whole.program import Program

if TYPE_CHECKING:
    from pathlib import Path

STATUS_OK = 200
SYMBOLS = 220
"""Each test takes one of its own, so that all can share one system."""
DEADLINE_S = 10.0


class Exchange(Program):
    """One running simulator."""

    def __init__(self, folder: Path, *more: str, name: str = "sim") -> None:
        super().__init__(
            name,
            ("sim", "--json", "--port", "0", "--symbols", str(SYMBOLS), "--limits", "200", "--volatility", "0", *more),
            folder,
        )
        self._port = urlsplit(self.said["admin_url"]).port or 0
        self._numbers = itertools.count(1)

    @property
    def url(self) -> str:
        """REST base address."""
        return str(self.said["base_url"])

    def call(self, method: str, path: str, /, **body: object) -> dict[str, Any]:
        """One request to the admin face."""
        line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=DEADLINE_S)
        try:
            if method == "POST":
                line.request(method, f"/sim/{path}", json.dumps(body))
            else:
                line.request(method, f"/sim/{path}?{urlencode(body)}")
            answer = line.getresponse()
            said = dict(json.loads(answer.read()))
        finally:
            line.close()
        assert answer.status == STATUS_OK, said
        return said

    def post(self, path: str, /, **body: object) -> dict[str, Any]:
        """Do something there."""
        return self.call("POST", path, **body)

    def get(self, path: str, /, **query: object) -> dict[str, Any]:
        """Look something up."""
        return self.call("GET", path, **query)

    def account(self, name: str, *, hedge: bool = False) -> ExchangeAccount:
        """Open an account with one key that trades and one that reads."""
        keys = [
            {"key": f"key-{name}", "secret": f"secret-{name}", "permission": "trade"},
            {"key": f"read-{name}", "secret": f"read-secret-{name}", "permission": "read"},
        ]
        self.post("accounts", name=name, keys=keys, mode="hedge" if hedge else "one_way", balance="10000000")
        return ExchangeAccount(name, self)


@dataclass(frozen=True, slots=True)
class Fault:
    """An armed fault."""

    number: int
    exchange: Exchange = field(repr=False)

    @property
    def hits(self) -> int:
        """How often it really struck."""
        return next(int(one["hits"]) for one in self.exchange.get("faults")["faults"] if one["id"] == self.number)

    def disarm(self) -> None:
        """Take it away."""
        self.exchange.call("DELETE", "faults", id=self.number)


@dataclass(frozen=True, slots=True)
class ExchangeAccount:
    """One account's own books."""

    name: str
    exchange: Exchange = field(repr=False)

    def trade(self, symbol: str, side: str, qty: str, **more: object) -> dict[str, Any]:
        """Somebody trades by hand."""
        return self.exchange.post("trade", account=self.name, symbol=symbol, side=side, qty=qty, **more)

    def position(self, symbol: str, side: str = "BOTH") -> Decimal:
        """What the exchange holds."""
        rows = self.exchange.get("positions", account=self.name, symbol=symbol)["positions"]
        return Decimal(next((one["positionAmt"] for one in rows if one["positionSide"] == side), "0"))

    def orders(self, symbol: str) -> list[dict[str, Any]]:
        """Every order ever accepted on the symbol from our side of the wire, oldest first; people's are left out."""
        rows = self.exchange.get("orders", account=self.name, symbol=symbol, limit=100_000)["orders"]
        return [row for row in rows if row["source"] == "api"]

    def sent(self, symbol: str) -> list[tuple[str, str]]:
        """Side and executed quantity of each such order."""
        return [(row["side"], row["executedQty"]) for row in self.orders(symbol)]

    def arm(self, name: str, *, count: int = 1, **match_and_more: object) -> Fault:
        """Arm a fault on this account."""
        more = {key: match_and_more.pop(key) for key in ("delay_ms", "skip") if key in match_and_more}
        match = {"account": self.name, **match_and_more}
        armed = self.exchange.post("faults", name=name, match=match, count=count, **more)
        return Fault(int(armed["id"]), self.exchange)

    def arm_order(self, name: str, symbol: str, *, count: int = 1, **more: object) -> Fault:
        """Arm a fault on the account's next order of a symbol."""
        return self.arm(name, count=count, method="POST", path="/fapi/v1/order", symbol=symbol, **more)
