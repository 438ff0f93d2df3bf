"""`PlanClient`: how another program hands in plans and learns what became of them.

    async with PlanClient(url) as plans:
        result = await plans.execute("BTCUSDT", "BUY", "0.003", timeout_s=5, reason="breakout")

It knows the bus alone, and has no authority: a plan is a wish. Many calls may run at once on one client.

Guarantees:

    - A result is never missed between sending and listening: the listener knows the stream's last entry before the
      plan is sent.
    - `FateUnknown` means what it says: the plan may still become an order. Hand it in again with the SAME plan_id;
      the apply layer executes a plan id once and answers a repeat with the same outcome (`duplicate=True`).
    - A lost connection is mended a few times within about a second, from the entry where it broke; after that every
      waiting call raises, and the next call starts anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import TYPE_CHECKING, Self, cast

from holdfast.bus.connection import BusConnection, ErrorReply
from holdfast.bus.keys import PREFIX_DEFAULT, Keys
from holdfast.bus.outcomes import decode_result
from holdfast.bus.wire import checked_plan, encode_plan
from holdfast.clock import SystemClock
from holdfast.domain.errors import BadPlan, BusUnavailable, FateUnknown, Unclassified
from holdfast.domain.names import PlanId, Symbol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from holdfast.domain.plan import Plan, PlanResult
    from holdfast.ports.clock import Clock

READ_COUNT_MAX = 256
READ_WAIT_MS = 1_000
RECONNECTS_MAX = 5
"""Attempts in a row to mend the listener's connection, spaced 50, 100, 200 ... ms."""
RECONNECT_S = 0.05
WAITING_MAX = 10_000
"""Calls that may wait at once on one client."""


class PlanClient:
    """Hands in plans, waits for their results, looks at published state."""

    def __init__(self, url: str, prefix: str = PREFIX_DEFAULT, clock: Clock | None = None) -> None:
        """Connect to nothing yet; `clock` stamps the plans. Raises CannotStart for an unusable address or prefix."""
        self._clock = clock if clock is not None else SystemClock()
        self._keys = Keys(prefix)
        self._calls = BusConnection(url, "holdfast-client")
        self._listening = BusConnection(url, "holdfast-client-results")
        self._waiters: dict[str, list[asyncio.Future[PlanResult]]] = {}
        self._listener: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    async def execute(
        self,
        symbol: str,
        side: str,
        qty: str,
        *,
        timeout_s: float = 5.0,
        plan_id: str | None = None,
        reduce_only: bool = False,
        order_type: str = "MARKET",
        price: str | None = None,
        time_in_force: str | None = None,
        position_side: str | None = None,
        reason: str = "client",
    ) -> PlanResult:
        """Hand in an EXECUTE plan and wait for its one outcome, refusals included (`executed` tells).

        `side` is BUY, SELL or close; `qty` and `price` are decimal text, base and quote asset. Raises BadPlan (not
        sent), BusUnavailable (not sent), FateUnknown (sent; see the module).
        """
        plan = checked_plan(
            {
                "plan_id": plan_id if plan_id is not None else f"client-{secrets.token_hex(12)}",
                "symbol": symbol,
                "decision": "EXECUTE",
                "side": side,
                "qty": qty,
                "type": order_type,
                "reduceOnly": "true" if reduce_only else "false",
                "reason": reason,
                "timestamp": str(self._clock.now_ms()),
                "price": price or "",
                "timeInForce": time_in_force or "",
                "positionSide": position_side or "",
                "source": "client",
            }
        )
        return await self.outcome(plan, timeout_s=timeout_s)

    async def limit(
        self,
        symbol: str,
        side: str,
        qty: str,
        price: str,
        *,
        time_in_force: str = "GTC",
        timeout_s: float = 5.0,
        plan_id: str | None = None,
        reduce_only: bool = False,
        position_side: str | None = None,
        reason: str = "client",
    ) -> PlanResult:
        """Hand in a LIMIT plan and wait for its one outcome, which comes when its order ends.

        `time_in_force` is GTC, IOC, FOK or GTX (post-only). An order that still rests after `timeout_s` raises
        FateUnknown, which carries the plan's id: wait on with the same id, or `cancel` it. Raises like `execute`.
        """
        return await self.execute(
            symbol,
            side,
            qty,
            timeout_s=timeout_s,
            plan_id=plan_id,
            reduce_only=reduce_only,
            order_type="LIMIT",
            price=price,
            time_in_force=time_in_force,
            position_side=position_side,
            reason=reason,
        )

    async def cancel(
        self, symbol: str, cancels: str, *, timeout_s: float = 5.0, plan_id: str | None = None, reason: str = "client"
    ) -> PlanResult:
        """Hand in a CANCEL of the plan `cancels` and wait for its own outcome.

        `executed` is true once the order is out of the book with a part or all of it unfilled; `nothing_to_cancel` says
        that it was filled, or had ended, or never was. The cancelled plan has its own outcome. Raises like `execute`.
        """
        plan = checked_plan(
            {
                "plan_id": plan_id if plan_id is not None else f"client-{secrets.token_hex(12)}",
                "symbol": symbol,
                "decision": "CANCEL",
                "cancels": cancels,
                "reason": reason,
                "timestamp": str(self._clock.now_ms()),
                "source": "client",
            }
        )
        return await self.outcome(plan, timeout_s=timeout_s)

    async def outcome(self, plan: Plan, *, timeout_s: float = 5.0) -> PlanResult:
        """Hand in any plan and wait for its outcome. Raises like `execute`."""
        waiter: asyncio.Future[PlanResult] | None = None
        try:
            async with asyncio.timeout(timeout_s):
                await self._ensure_listening()
                await self._calls.connect()
                waiter = self._new_waiter(plan.plan_id)
                await self.submit(plan)
                return await waiter
        except (TimeoutError, BusUnavailable) as error:
            why = str(error) or f"no result within {timeout_s:g} s"
            if waiter is None:
                raise BusUnavailable(f"plan {plan.plan_id} was not sent: {why}") from error
            raise FateUnknown(
                f"plan {plan.plan_id}: {why}. It may still be executed: its fate is unknown. "
                f"Sending it again with the SAME plan_id is safe, and returns its outcome.",
                plan.plan_id,
            ) from error
        finally:
            if waiter is not None:
                self._forget(plan.plan_id, waiter)

    async def submit(self, plan: Plan) -> str:
        """Put the plan on the stream and return its entry id, without waiting for an outcome.

        Raises BusUnavailable; whether the plan was taken is unknown then.
        """
        return cast("bytes", await self._asked("XADD", self._keys.plans, "*", *encode_plan(plan))).decode()

    async def hold_of(self, symbol: str) -> str | None:
        """The id on the symbol's hold key, None when free. Raises BusUnavailable."""
        value = cast("bytes | None", await self._asked("GET", self._keys.hold(Symbol(symbol))))
        return value.decode("utf-8", "replace") if value is not None else None

    async def state_of(self, symbol: str) -> Mapping[str, str]:
        """The symbol's published reconciliation state, empty if there is none. Raises BusUnavailable."""
        flat = cast("list[bytes]", await self._asked("HGETALL", self._keys.state(Symbol(symbol))))
        texts = [part.decode("utf-8", "replace") for part in flat]
        return dict(zip(texts[::2], texts[1::2], strict=True))

    async def close(self) -> None:
        """End. Calls that still wait raise FateUnknown."""
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.wait([self._listener])
            self._listener = None
        self._fail_all("the client was closed")
        await self._listening.close()
        await self._calls.close()

    async def __aenter__(self) -> Self:
        await self._calls.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # --- waiting and listening ------------------------------------------------------------------------

    async def _asked(self, *command: bytes | str | int) -> object:
        (reply,) = await self._calls.call(command)
        if isinstance(reply, ErrorReply):
            raise BusUnavailable(f"the bus refused: {reply.text}")
        return reply

    def _new_waiter(self, plan_id: PlanId) -> asyncio.Future[PlanResult]:
        if sum(map(len, self._waiters.values())) >= WAITING_MAX:
            raise BusUnavailable(f"{WAITING_MAX} plans of this client wait already")
        waiter: asyncio.Future[PlanResult] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(plan_id, []).append(waiter)
        return waiter

    def _forget(self, plan_id: PlanId, waiter: asyncio.Future[PlanResult]) -> None:
        if waiter.done() and not waiter.cancelled():
            waiter.exception()  # counts as seen: the caller got its error another way
        waiter.cancel()
        with_same_id = [other for other in self._waiters.get(plan_id, []) if other is not waiter]
        if with_same_id:
            self._waiters[plan_id] = with_same_id
        else:
            self._waiters.pop(plan_id, None)

    async def _ensure_listening(self) -> None:
        """Have a listener that knows the stream's last entry, before anything is sent."""
        async with self._starting:
            if self._listener is None or self._listener.done():
                (newest,) = await self._listening.call(("XREVRANGE", self._keys.results, "+", "-", "COUNT", 1))
                if isinstance(newest, ErrorReply):
                    raise BusUnavailable(f"the bus refused: {newest.text}")
                rows = cast("list[tuple[bytes, object]]", newest)
                last_id = rows[0][0] if rows else b"0-0"
                self._listener = asyncio.create_task(self._listen(last_id), name="holdfast-client-results")
                self._listener.add_done_callback(self._listener_ended)

    def _listener_ended(self, listener: asyncio.Task[None]) -> None:
        if listener.cancelled():
            self._fail_all("the client was closed")
        else:
            error = listener.exception() or Unclassified("the listener returned")
            self._fail_all(f"results cannot be read any more: {error}")

    def _fail_all(self, why: str) -> None:
        for waiters in self._waiters.values():
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_exception(BusUnavailable(why))

    async def _listen(self, last_id: bytes) -> None:
        failures = 0
        while True:
            try:
                (reply,) = await self._listening.call(
                    ("XREAD", "COUNT", READ_COUNT_MAX, "BLOCK", READ_WAIT_MS, "STREAMS", self._keys.results, last_id),
                    wait_ms=READ_WAIT_MS,
                )
                if isinstance(reply, ErrorReply):
                    raise BusUnavailable(f"the bus refused: {reply.text}")  # noqa: TRY301 - counted like a lost line
            except BusUnavailable:
                failures += 1
                if failures > RECONNECTS_MAX:
                    raise
                await asyncio.sleep(RECONNECT_S * 2 ** (failures - 1))
                continue
            failures = 0
            streams = cast("list[tuple[bytes, list[tuple[bytes, list[bytes]]]]] | None", reply)
            for entry_id, flat in streams[0][1] if streams else ():
                last_id = entry_id
                self._deliver(flat)

    def _deliver(self, flat: Sequence[bytes]) -> None:
        # What is no result of ours answers nobody: whoever waits for its plan goes on waiting.
        with contextlib.suppress(BadPlan):
            result = decode_result(dict(zip(flat[::2], flat[1::2], strict=False)))
            for waiter in self._waiters.get(result.plan_id, ()):
                if not waiter.done():
                    waiter.set_result(result)
