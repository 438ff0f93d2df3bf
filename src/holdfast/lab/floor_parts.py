"""The bare parts of the floor: the same client libraries as the product's, and next to nothing around them.

    BareBus        redis-py's Connection with hiredis: one write, one reply after the other, a lock for several tasks
    BareJournal    Python's sqlite3 on a file, WAL, synchronous=FULL; what one turn of the loop asks for is one commit
    BareVenue      aiohttp's session with kept connections; HMAC over the query; the listen key

What they leave out is what the product is about: no permit, no hash chain, no lease, no bound, no proof that nothing is
sent twice, no check of an answer but its status. Nothing of it may be used for trading.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import sqlite3
import time
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import urlencode

import aiohttp
import hiredis
import msgspec
from redis.asyncio.connection import Connection, parse_url
from yarl import URL

from holdfast.domain.errors import Unclassified

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

STATUS_OK = 200
_pack = cast("Callable[[tuple[bytes | str | int, ...]], bytes]", hiredis.pack_command)
"""Its published type names a tuple of exactly one argument."""


class FloorConfig(msgspec.Struct, frozen=True):
    """What a floor program is told, as a JSON file: addresses, the account's keys, where its database goes."""

    bus_url: str
    rest_url: str
    stream_url: str
    key: str
    secret: str
    database: str
    symbol: str = ""
    """The one symbol that the floor of the drifts watches."""


class BareBus:
    """One connection to Valkey."""

    def __init__(self, url: str) -> None:
        # redis-py's published types leave its constructors' arguments open
        self._connection = Connection(**cast("dict[str, Any]", parse_url(url)), protocol=2)
        self._line = asyncio.Lock()

    async def call(self, *commands: tuple[bytes | str | int, ...]) -> list[Any]:
        """Send the commands in one write; their replies."""
        async with self._line:
            await self._connection.send_packed_command([_pack(command) for command in commands], check_health=False)
            return [await self._connection.read_response() for _ in commands]


class BareJournal:
    """One durable table. The commit blocks the loop, as the plainest code would."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute("CREATE TABLE entry (number INTEGER PRIMARY KEY, plan_id TEXT, kind TEXT, body TEXT)")
        self._waiting: list[tuple[tuple[str, str, str], asyncio.Future[None]]] = []

    async def record(self, plan_id: str, kind: str, body: str) -> None:
        """Insert one line; returns when it is on disk."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._commit)
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append(((plan_id, kind, body), done))
        await done

    def _commit(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._database.execute("BEGIN IMMEDIATE")
        for row, _ in waiting:
            self._database.execute("INSERT INTO entry (plan_id, kind, body) VALUES (?, ?, ?)", row)
        self._database.execute("COMMIT")
        for _, done in waiting:
            done.set_result(None)


class BareVenue:
    """One account at the exchange."""

    def __init__(self, config: FloorConfig) -> None:
        self._config = config
        self._secret = config.secret.encode()
        self._headers = {"X-MBX-APIKEY": config.key}
        self._session = aiohttp.ClientSession(headers={"Accept-Encoding": "identity"})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def signed(self, method: str, path: str, params: dict[str, str]) -> bytes:
        """One signed request on a kept connection; the body of a 200. Raises Unclassified for anything else."""
        query = urlencode({**params, "recvWindow": "5000", "timestamp": str(time.time_ns() // 1_000_000)})
        signature = hmac.new(self._secret, query.encode(), hashlib.sha256).hexdigest()
        return await self._request(method, f"{path}?{query}&signature={signature}")

    async def order(self, name: str, symbol: str, side: str, qty: str, *more: tuple[str, str]) -> bytes:
        """Send a MARKET order."""
        params = {"symbol": symbol, "side": side, "type": "MARKET", "quantity": qty, "newClientOrderId": name}
        return await self.signed("POST", "/fapi/v1/order", {**params, "newOrderRespType": "RESULT", **dict(more)})

    async def stream(self) -> aiohttp.ClientWebSocketResponse:
        """Open the account's private stream."""
        key = msgspec.json.decode(await self._request("POST", "/fapi/v1/listenKey"), type=dict[str, str])["listenKey"]
        return await self._session.ws_connect(f"{self._config.stream_url}/private/ws/{key}")

    async def _request(self, method: str, target: str) -> bytes:
        url = URL(self._config.rest_url + target, encoded=True)
        async with self._session.request(method, url, headers=self._headers) as answer:
            body = await answer.read()
            if answer.status != STATUS_OK:
                raise Unclassified(f"the exchange answered {answer.status} {body[:200]!r}")
            return body
