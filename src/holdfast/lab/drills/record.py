"""What was handed in and what came back, seen from outside, across every death of the victim.

A plan is put on the stream and, while no result comes, put there again with the same id, as a careful producer does;
or, with `Resend.NEVER`, once and never again, so that only the services' own recovery answers it.

Invariant: every result that ever stood on the stream is kept, repeats included: the judge looks at all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections import defaultdict
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, cast

from holdfast.clock import SystemClock
from holdfast.domain.errors import BusUnavailable, Unclassified
from holdfast.lab.drills.victim_settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from holdfast.lab.drills.stage import Stage

POLL_S = 0.02
RESEND_S = 1.5
WAIT_S_MAX = 30.0
PLANS = f"{PREFIX}:stream:trading.plan"
RESULTS = f"{PREFIX}:stream:apply.result"


class Resend(Enum):
    """What a producer does while no result comes."""

    SAME_ID = "same_id"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class PlanSent:
    """A plan that the bus took, or may have taken."""

    plan_id: str
    symbol: str
    side: str
    qty: str
    cancels: str = ""
    """Of a CANCEL: the plan whose order is to end."""


class Stuck(Unclassified):
    """Something did not come to its end in time."""


@dataclass(slots=True)
class Record:
    """See the module."""

    stage: Stage
    resend: Resend = Resend.SAME_ID
    taken: dict[str, PlanSent] = field(default_factory=dict)
    """Plans that the bus acknowledged: each needs an outcome."""
    results: dict[str, list[dict[str, str]]] = field(default_factory=lambda: defaultdict(list))
    deliveries: int = 0
    _last_id: str = "0-0"
    _clock: SystemClock = field(default_factory=SystemClock)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Collect results until the end of the block."""
        task = asyncio.create_task(self._listen(), name="results")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _listen(self) -> None:
        while True:
            try:
                await self.collect()
            except BusUnavailable:
                await asyncio.sleep(POLL_S)
            await asyncio.sleep(POLL_S)

    async def collect(self) -> None:
        """Read what stands on the result stream now and was not read yet."""
        rows = cast(
            "list[tuple[bytes, list[bytes]]]", await self.stage.bus("XRANGE", RESULTS, f"({self._last_id}", "+")
        )
        for entry_id, flat in rows or ():
            texts = [part.decode("utf-8", "replace") for part in flat]
            fields = dict(zip(texts[::2], texts[1::2], strict=True))
            self._last_id = entry_id.decode()
            self.results[fields["plan_id"]].append(fields)

    async def plan(self, plan_id: str, symbol: str, side: str, qty: str, **more: str) -> dict[str, str]:
        """Hand in an EXECUTE plan and wait for its outcome. Raises Stuck."""
        fields = {
            "plan_id": plan_id,
            "symbol": symbol,
            "decision": "EXECUTE",
            "side": side,
            "qty": qty,
            "type": "MARKET",
            "reduceOnly": "false",
            "reason": "drill",
            **more,
        }
        return await self._outcome(PlanSent(plan_id, symbol, side, qty), fields)

    async def cancel(self, plan_id: str, symbol: str, cancels: str) -> dict[str, str]:
        """Hand in a CANCEL of a plan's order and wait for its outcome. Raises Stuck."""
        fields = {"plan_id": plan_id, "symbol": symbol, "decision": "CANCEL", "cancels": cancels, "reason": "drill"}
        return await self._outcome(PlanSent(plan_id, symbol, "", "0", cancels), fields)

    async def _outcome(self, sent: PlanSent, fields: dict[str, str]) -> dict[str, str]:
        plan_id = sent.plan_id
        known = len(self.results[plan_id])
        await self._hand_in(sent, fields)
        again_s = RESEND_S
        waited = 0.0
        while len(self.results[plan_id]) <= known:
            await asyncio.sleep(POLL_S)
            waited += POLL_S
            if waited > WAIT_S_MAX:
                raise Stuck(f"plan {plan_id} on {sent.symbol} has no outcome after {WAIT_S_MAX:g} s")
            if self.resend is Resend.SAME_ID and waited > again_s:
                again_s += RESEND_S
                with contextlib.suppress(BusUnavailable):
                    await self._add(fields)
        return self.results[plan_id][-1]

    async def _hand_in(self, sent: PlanSent, fields: dict[str, str]) -> None:
        async def taken() -> bool:
            try:
                await self._add(fields)
            except BusUnavailable:
                return False
            return True

        await self.until(taken, f"the bus takes plan {sent.plan_id}")
        self.taken.setdefault(sent.plan_id, sent)

    async def _add(self, fields: dict[str, str]) -> None:
        stamped = {**fields, "timestamp": str(self._clock.now_ms())}
        flat = [part for pair in stamped.items() for part in pair]
        await self.stage.bus("XADD", PLANS, "*", *flat)
        self.deliveries += 1

    async def raw(self, **fields: str) -> None:
        """Put anything on the plan stream, and wait for nothing."""
        flat = [part for pair in fields.items() for part in pair]

        async def taken() -> bool:
            try:
                await self.stage.bus("XADD", PLANS, "*", *flat)
            except BusUnavailable:
                return False
            return True

        await self.until(taken, "the bus takes an entry")

    async def until(self, holds: Callable[[], Awaitable[bool]], what: str, wait_s: float = WAIT_S_MAX) -> None:
        """Wait until something is so. Raises Stuck."""
        try:
            async with asyncio.timeout(wait_s):
                while not await _holds_now(holds):  # noqa: ASYNC110 - other processes' files tell of no event
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise Stuck(f"not within {wait_s:g} s: {what}") from None

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Rows of the journal."""
        return self.stage.rows(query, *values)


async def _holds_now(holds: Callable[[], Awaitable[bool]]) -> bool:
    """Ask; a journal that cannot be read just now (its files are being made again) is no yes."""
    try:
        return await holds()
    except sqlite3.OperationalError:
        return False
