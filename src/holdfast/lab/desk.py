"""The simulator's admin face, from outside: what other people do at the exchange, and what is true there.

Invariants: nothing here goes through our own adapter, so that a mistake of ours can not hide itself; a refusal raises
with the exchange's own words.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import msgspec

from holdfast.domain.errors import Unclassified, VenueUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

STATUS_OK = 200


class Desk:
    """One account at the simulator; one kept connection."""

    def __init__(self, admin_url: str, account: str = "demo") -> None:
        """`admin_url` as the simulator names it in its JSON line."""
        self._url = admin_url
        self._account = account
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.close()

    async def trade(self, symbol: str, side: str, qty: str) -> dict[str, Any]:
        """Somebody trades by hand: MARKET. Answers ids, `time` and `accepted_monotonic_ns`."""
        return await self.post("trade", account=self._account, symbol=symbol, side=side, qty=qty)

    async def orders(self, **filters: str) -> list[dict[str, Any]]:
        """Orders that were ever accepted on the account, oldest first; filters as in `GET /sim/orders`."""
        found = await self.get("orders", account=self._account, **filters)
        return list(found["orders"])

    async def position(self, symbol: str) -> str:
        """The account's position in one-way mode, signed decimal text; "0" when flat."""
        rows = (await self.get("positions", account=self._account, symbol=symbol))["positions"]
        return str(rows[0]["positionAmt"]) if rows else "0"

    async def positions(self, symbol: str) -> dict[str, str]:
        """The account's positions by position side, signed decimal text; flat ones are left out."""
        rows = (await self.get("positions", account=self._account, symbol=symbol))["positions"]
        return {str(row["positionSide"]): str(row["positionAmt"]) for row in rows}

    async def fills(self) -> dict[str, Any]:
        """Every fill of the account, oldest first."""
        return await self.get("fills", account=self._account)

    async def act(self, path: str, **body: object) -> dict[str, Any]:
        """Somebody, or the venue, does something to the account (`POST /sim/<path>`)."""
        return await self.post(path, account=self._account, **body)

    async def arm(self, name: str, *, count: int = 1, delay_ms: int | None = None, **match: object) -> int:
        """Arm a fault on the account; its number."""
        more = {} if delay_ms is None else {"delay_ms": delay_ms}
        armed = await self.post("faults", name=name, count=count, match={"account": self._account, **match}, **more)
        return int(armed["id"])

    async def post(self, path: str, **body: object) -> dict[str, Any]:
        """Do something; the answer."""
        with _as_unavailable(path):
            async with self._session().post(f"{self._url}/{path}", data=msgspec.json.encode(body)) as answer:
                return _read(path, answer.status, await answer.read())

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        """Look something up."""
        with _as_unavailable(path):
            async with self._session().get(f"{self._url}/{path}", params=query) as answer:
                return _read(path, answer.status, await answer.read())

    async def delete(self, path: str) -> dict[str, Any]:
        """Take something away."""
        async with self._session().delete(f"{self._url}/{path}") as answer:
            return _read(path, answer.status, await answer.read())

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            raise Unclassified("the desk was not opened")
        return self._http


@contextlib.contextmanager
def _as_unavailable(path: str) -> Iterator[None]:
    """Turn every failure of the line into VenueUnavailable."""
    try:
        yield
    except aiohttp.ClientError as error:
        raise VenueUnavailable(f"the simulator did not answer /sim/{path}: {error}") from error


def _read(path: str, status: int, body: bytes) -> dict[str, Any]:
    said = msgspec.json.decode(body, type=dict[str, Any])
    if status != STATUS_OK:
        raise Unclassified(f"the simulator refused /sim/{path}: {said}")
    return said
