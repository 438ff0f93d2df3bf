"""Record what a client library saw: one JSON line a check, for the test that started the script."""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

DEADLINE_S = 15.0
ACCOUNT = "demo"
KEY, SECRET = "demo-key", "demo-secret"


@dataclass(frozen=True)
class Addresses:
    """Where the simulator is."""

    base_url: str
    ws_api_url: str
    stream_url: str
    admin_url: str

    def admin(self, path: str, **body: Any) -> Any:
        """POST to the admin face, as somebody else would."""
        url = f"{self.admin_url}/{path}"
        request = urllib.request.Request(url, json.dumps(body).encode(), method="POST")  # noqa: S310 - as below
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:  # noqa: S310 - our own loopback address
            return json.load(answer)


def addresses() -> Addresses:
    """Read the addresses from the command line."""
    return Addresses(*sys.argv[1:5])


def record(check: str, detail: object, *, ok: bool) -> None:
    """Print one line."""
    print(json.dumps({"check": check, "ok": ok, "detail": str(detail)[:500]}), flush=True)  # noqa: T201 - the output


async def expect(check: str, attempt: Callable[[], Awaitable[Any]], proves: Callable[[Any], bool]) -> Any:
    """Run one attempt that should succeed."""
    try:
        answer = await asyncio.wait_for(attempt(), DEADLINE_S)
        record(check, answer, ok=bool(proves(answer)))
    except Exception as error:  # noqa: BLE001 - whatever the library raises is the finding
        record(check, f"{type(error).__name__}: {error}", ok=False)
        return None
    return answer


async def expect_refusal(check: str, attempt: Callable[[], Awaitable[Any]], code: int) -> None:
    """Run one attempt that the exchange should refuse with a code, however the library carries it."""
    try:
        answer = await asyncio.wait_for(attempt(), DEADLINE_S)
    except Exception as error:  # noqa: BLE001 - whatever the library raises is the finding
        carried = (getattr(error, "code", None), getattr(error, "status_code", None))
        text = f"{type(error).__name__} {carried}: {error}"
        record(check, text, ok=code in carried or f'"code":{code}' in str(error))
    else:
        record(check, f"not refused: {answer}", ok=False)
