"""PlanClient against a real server, with a small apply loop at the other end of the bus."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from holdfast.bus.connection import BusConnection
from holdfast.bus.embedded import EmbeddedServer
from holdfast.bus.valkey import ValkeyBus
from holdfast.client import PlanClient
from holdfast.domain.errors import BadPlan, BusUnavailable, CannotStart, FateUnknown
from holdfast.domain.plan import PlanEntry, PlanResult
from holdfast.domain.reasons import Reason
from holdfast.ports.bus import StateCopy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

DEADLINE_S = 30.0
RESULTS = "quantum:stream:apply.result"


def run(test: Coroutine[object, object, None]) -> None:
    """Run one test's coroutine within the deadline."""

    async def bounded() -> None:
        async with asyncio.timeout(DEADLINE_S):
            await test

    asyncio.run(bounded())


def filled(entry: PlanEntry) -> PlanResult:
    """The outcome of a plan that was filled as asked; of what is no plan, a refusal with its reason."""
    plan = entry.plan
    return PlanResult(
        result_id=f"r-{entry.plan_id}",
        plan_id=entry.plan_id,
        entry_id=entry.entry_id,
        symbol=entry.symbol,
        decision=entry.decision,
        executed=plan is not None,
        status="FILLED" if plan is not None else "REFUSED",
        error="" if plan is not None else cast("Reason", entry.problem).value,
        detail=entry.detail,
        filled_qty=plan.qty if plan is not None else Decimal(0),
        avg_price=Decimal("64000.5") if plan is not None else None,
        client_order_id="hf-x",
        order_id=7,
        duplicate=False,
        timestamp_ms=1_700_000_000_123,
    )


class Applying:
    """Answers plans as an apply service does: once by its id, repeats with the same outcome and `duplicate`."""

    def __init__(self, bus: ValkeyBus, outcome: Callable[[PlanEntry], PlanResult]) -> None:
        self.bus = bus
        self.seen: dict[str, PlanResult] = {}
        self.entries: list[PlanEntry] = []
        self._outcome = outcome

    async def serve(self) -> None:
        """Answer for ever."""
        while True:
            taken = await self.bus.read_plans(count=64, wait_ms=500)
            self.entries += taken
            await self.bus.finish([self._answer(entry) for entry in taken], [entry.entry_id for entry in taken])

    def _answer(self, entry: PlanEntry) -> PlanResult:
        before = self.seen.get(entry.plan_id)
        if before is not None:
            return replace(before, duplicate=True)
        return self.seen.setdefault(entry.plan_id, self._outcome(entry))


@asynccontextmanager
async def running_server() -> AsyncIterator[EmbeddedServer]:
    """A server of its own."""
    with tempfile.TemporaryDirectory() as fresh:
        async with EmbeddedServer(Path(fresh)) as server:
            yield server


@asynccontextmanager
async def applying(url: str, outcome: Callable[[PlanEntry], PlanResult] = filled) -> AsyncIterator[Applying]:
    """An apply loop at work."""
    bus = ValkeyBus(url, "apply")
    await bus.ensure_ready()
    service = Applying(bus, outcome)
    task = asyncio.create_task(service.serve())
    try:
        yield service
    finally:
        task.cancel()
        await asyncio.wait([task])
        await bus.close()


def test_a_plan_is_handed_in_and_its_outcome_returned() -> None:
    """Execute returns the one outcome of the plan, with everything the caller said on the stream."""

    async def body() -> None:
        async with running_server() as server, applying(server.url) as service, PlanClient(server.url) as plans:
            result = await plans.execute(
                *("ETHUSDT", "sell", "0.50"),
                plan_id="mine-1",
                reduce_only=True,
                order_type="LIMIT",
                price="3000.10",
                time_in_force="IOC",
                position_side="LONG",
                reason="take profit",
            )
            assert (result.plan_id, result.executed, result.filled_qty) == ("mine-1", True, Decimal("0.5"))
            (entry,) = service.entries
            assert entry.plan is not None
            assert entry.plan.price == Decimal("3000.10")
            assert (entry.plan.side.value, entry.plan.reduce_only, entry.plan.reason) == ("SELL", True, "take profit")
            assert entry.plan.time_in_force is not None
            assert entry.plan.position_side is not None

    run(body())


def test_many_calls_at_once_each_get_their_own_outcome() -> None:
    """Five hundred calls at once on one client each get the result of their own plan."""

    async def body() -> None:
        async with running_server() as server, applying(server.url), PlanClient(server.url) as plans:
            results = await asyncio.gather(
                *(plans.execute("BTCUSDT", "BUY", f"0.{n:03}", plan_id=f"p-{n}") for n in range(1, 501))
            )
            assert [result.plan_id for result in results] == [f"p-{n}" for n in range(1, 501)]
            assert [result.filled_qty for result in results] == [Decimal(n) / 1000 for n in range(1, 501)]

    run(body())


def test_a_refusal_is_an_outcome_too() -> None:
    """A refused plan returns with executed false and its error, and raises nothing."""

    def refused(entry: PlanEntry) -> PlanResult:
        return replace(filled(entry), executed=False, status="REFUSED", error="hold_active", filled_qty=Decimal(0))

    async def body() -> None:
        async with running_server() as server, applying(server.url, refused), PlanClient(server.url) as plans:
            result = await plans.execute("BTCUSDT", "BUY", "0.003")
            assert (result.executed, result.error) == (False, "hold_active")

    run(body())


def test_a_plan_that_could_never_be_one_is_not_sent() -> None:
    """A quantity that is no number raises BadPlan with the stream's own code, and nothing is on the stream."""

    async def body() -> None:
        async with running_server() as server, PlanClient(server.url) as plans:
            with pytest.raises(BadPlan) as caught:
                await plans.execute("BTCUSDT", "BUY", "NaN")
            assert caught.value.reason is Reason.BAD_QTY
            with pytest.raises(BadPlan):
                await plans.execute("BTCUSDT", "LONG", "1")
            line = BusConnection(server.url, "test")
            assert await line.call(("EXISTS", "quantum:stream:trading.plan")) == [0]
            await line.close()

    run(body())


def test_without_an_answer_the_fate_is_unknown_and_the_same_id_finds_it() -> None:
    """A call that nobody answers in time says that the fate is unknown; the same id again returns the outcome."""

    async def body() -> None:
        async with running_server() as server, PlanClient(server.url) as plans:
            with pytest.raises(FateUnknown, match="SAME plan_id") as caught:
                await plans.execute("BTCUSDT", "BUY", "0.003", timeout_s=0.05, plan_id="p-1")
            assert caught.value.plan_id == "p-1"
            async with applying(server.url) as service:
                again = await plans.execute("BTCUSDT", "BUY", "0.003", plan_id=caught.value.plan_id)
                third = await plans.execute("BTCUSDT", "BUY", "0.003", plan_id=caught.value.plan_id)
                assert (again.executed, third.executed, third.duplicate) == (True, True, True)
                assert len(service.seen) == 1

    run(body())


def test_two_callers_with_one_id_both_get_its_outcome() -> None:
    """Two calls with the same plan id at once both return, and the plan was decided once."""

    async def body() -> None:
        async with running_server() as server, applying(server.url) as service, PlanClient(server.url) as plans:
            one, two = await asyncio.gather(
                *(plans.execute("BTCUSDT", "BUY", "0.003", plan_id="same") for _ in range(2)),
            )
            assert one.result_id == two.result_id
            assert len(service.seen) == 1

    run(body())


def test_a_dead_server_is_told_to_every_waiting_caller() -> None:
    """When the server dies for good, each waiting call raises FateUnknown long before its time is up."""

    async def body() -> None:
        async with running_server() as server, PlanClient(server.url) as plans:
            waiting = [asyncio.create_task(plans.execute("BTCUSDT", "BUY", "0.003", timeout_s=600)) for _ in range(3)]
            line = BusConnection(server.url, "test")
            while (await line.call(("XLEN", "quantum:stream:trading.plan")))[0] != 3:
                pass
            await line.close()
            os.kill(server.pid or 0, signal.SIGKILL)
            ended = await asyncio.gather(*waiting, return_exceptions=True)
            assert [type(error) for error in ended] == [FateUnknown] * 3
            with pytest.raises(BusUnavailable):
                await plans.execute("BTCUSDT", "BUY", "0.003")
            with pytest.raises(BusUnavailable):
                await plans.hold_of("BTCUSDT")

    run(body())


def test_a_cut_listener_goes_on_where_it_was() -> None:
    """When the listening line is cut, a result written meanwhile still reaches its caller."""

    async def body() -> None:
        async with running_server() as server, PlanClient(server.url) as plans:
            line = BusConnection(server.url, "test")
            waiting = asyncio.create_task(plans.execute("BTCUSDT", "BUY", "0.003", plan_id="p-1", timeout_s=20))
            while (await line.call(("XLEN", "quantum:stream:trading.plan")))[0] != 1:
                pass
            (clients,) = await line.call(("CLIENT", "LIST"))
            (number,) = (
                row.split(b" ")[0].removeprefix(b"id=")
                for row in cast("bytes", clients).splitlines()
                if b"name=holdfast-client-results" in row
            )
            async with applying(server.url):
                await line.call(("CLIENT", "KILL", "ID", number))
                assert (await waiting).executed
            await line.close()

    run(body())


def test_junk_on_the_result_stream_answers_nobody() -> None:
    """Entries that are no results, and other people's results, are passed over."""

    async def body() -> None:
        async with running_server() as server, PlanClient(server.url) as plans:
            line = BusConnection(server.url, "test")
            waiting = asyncio.create_task(plans.execute("BTCUSDT", "BUY", "0.003", plan_id="p-1", timeout_s=20))
            while (await line.call(("XLEN", "quantum:stream:trading.plan")))[0] != 1:
                pass
            await line.call(
                ("XADD", RESULTS, "*", "plan_id", "p-1", "executed", "perhaps"),
                ("XADD", RESULTS, "*", b"\xff", b"\xff", "plan_id", "p-1"),
            )
            await line.close()
            async with applying(server.url):
                result = await waiting
                assert (result.executed, result.status) == (True, "FILLED")

    run(body())


def test_closing_the_client_ends_who_waits() -> None:
    """A call that waits when the client is closed raises FateUnknown at once."""

    async def body() -> None:
        async with running_server() as server:
            async with PlanClient(server.url) as plans:
                waiting = asyncio.create_task(plans.execute("BTCUSDT", "BUY", "0.003", timeout_s=600))
                line = BusConnection(server.url, "test")
                while (await line.call(("EXISTS", "quantum:stream:trading.plan")))[0] != 1:
                    pass
                await line.close()
            with pytest.raises(FateUnknown, match="closed"):
                await waiting

    run(body())


def test_published_state_is_read() -> None:
    """Hold and state of a symbol are what was published; None and empty when nothing was."""

    async def body() -> None:
        async with running_server() as server, applying(server.url) as service, PlanClient(server.url) as plans:
            assert await plans.hold_of("BTCUSDT") is None
            assert await plans.state_of("BTCUSDT") == {}
            await service.bus.publish_copies(
                [
                    StateCopy("reconcile:hold:BTCUSDT", text="h-1"),
                    StateCopy("reconcile:state:BTCUSDT", fields={"status": "HOLD", "drift": "0.007"}),
                ]
            )
            assert await plans.hold_of("BTCUSDT") == "h-1"
            assert await plans.state_of("BTCUSDT") == {"status": "HOLD", "drift": "0.007"}

    run(body())


def test_an_unusable_address_or_server_is_said_at_once() -> None:
    """A bad address raises CannotStart; a server that is not there raises BusUnavailable on entering."""

    async def body() -> None:
        with pytest.raises(CannotStart):
            PlanClient("localhost:6379")
        async with running_server() as server:
            url = server.url
        with pytest.raises(BusUnavailable):
            async with PlanClient(url):
                raise RuntimeError("not reached")

    run(body())


def test_a_hanging_server_costs_no_caller_more_than_his_time() -> None:
    """With a server that hangs, each of many calls ends within its own time and says that nothing was sent."""

    async def body() -> None:
        async with running_server() as server:
            os.kill(server.pid or 0, signal.SIGSTOP)
            try:
                plans = PlanClient(server.url)
                began = asyncio.get_running_loop().time()
                calls = (plans.execute("BTCUSDT", "BUY", "0.003", timeout_s=0.2) for _ in range(50))
                ended = await asyncio.gather(*calls, return_exceptions=True)
                assert {type(error) for error in ended} == {BusUnavailable}
                assert "was not sent" in str(ended[0])
                assert asyncio.get_running_loop().time() - began < 2
                await plans.close()
            finally:
                os.kill(server.pid or 0, signal.SIGCONT)

    run(body())
