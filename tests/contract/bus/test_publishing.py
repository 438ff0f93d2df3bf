"""Results and events out, published copies, holds in: ordered, bounded, and never over another's hold."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import cast

import pytest

from holdfast.bus.keys import EVENTS_KEPT, RESULTS_KEPT
from holdfast.domain.close import Close, CloseState
from holdfast.domain.entry import Entry, EntryKind, JournaledEntry
from holdfast.domain.errors import BusUnavailable
from holdfast.domain.names import AccountId, HoldId, PlanId, Symbol
from holdfast.domain.sides import Decision, Leg, PositionSide, Side
from holdfast.ports.bus import Backlog, StateCopy
from tests.contract.bus.parts import (
    HOLD,
    PLANS,
    RESULTS,
    CutLine,
    add_plan,
    entries,
    raw,
    result_of,
    run,
    running_bus,
    running_server,
)

BTC, ETH, SOL = Symbol("BTCUSDT"), Symbol("ETHUSDT"), Symbol("SOLUSDT")
EVENTS = "quantum:stream:reconcile.events"


def test_results_stand_before_their_plans_are_acknowledged() -> None:
    """After finish both results stand in order, and nothing is pending."""

    async def body() -> None:
        async with running_server() as server, running_bus(server.url) as bus, raw(server.url) as other:
            for n in range(2):
                await add_plan(other, f"p-{n}")
            taken = await bus.read_plans(count=9, wait_ms=0)
            await bus.finish([result_of(e.plan_id, e.entry_id) for e in taken], [e.entry_id for e in taken])
            written = await entries(other, RESULTS)
            assert [(row["plan_id"], row["error"], row["executed"]) for row in written] == [
                ("p-0", "hold_active", "false"),
                ("p-1", "hold_active", "false"),
            ]
            assert await bus.backlog() == Backlog(0, 0)
            await bus.finish([], [])

    run(body())


@pytest.mark.parametrize(("reply_lost", "left"), [(False, ["p-1"]), (True, [])])
def test_a_line_cut_at_the_acknowledgement_leaves_one_result(*, reply_lost: bool, left: list[str]) -> None:
    """When the line dies behind the result, finish raises and one result stands.

    A plan whose acknowledgement was lost on the way stays pending and is delivered again; where only its answer was
    lost, nothing is repeated.
    """

    async def body() -> None:
        async with (
            running_server() as server,
            CutLine(server.url, b"XACK", reply_lost=reply_lost) as line,
            raw(server.url) as other,
            running_bus(line.url) as bus,
        ):
            await add_plan(other, "p-1")
            (taken,) = await bus.read_plans(count=9, wait_ms=0)
            with pytest.raises(BusUnavailable):
                await bus.finish([result_of("p-1", taken.entry_id)], [taken.entry_id])
            assert line.cut.is_set()
            assert len(await entries(other, RESULTS)) == 1
            assert await bus.backlog() == Backlog(len(left), 0)
            assert [entry.plan_id for entry in await bus.reclaim_plans(idle_ms=0, count=9)] == left

    run(body())


def test_streams_out_are_bounded() -> None:
    """However much is published, results and events stay near their bounds."""

    async def body() -> None:
        async with running_server() as server, running_bus(server.url) as bus, raw(server.url) as other:
            results = [result_of(f"p-{n}") for n in range(1_000)]
            for _ in range(RESULTS_KEPT // 1_000 + 2):
                await bus.finish(results, [])
            (kept,) = await other.call(("XLEN", RESULTS))
            assert RESULTS_KEPT <= cast("int", kept) < RESULTS_KEPT + 500
            entry = Entry(EntryKind.DRIFT, AccountId("main"), BTC)
            for _ in range(EVENTS_KEPT // 1_000 + 2):
                await bus.publish_events([JournaledEntry(n, 1_700_000_000_000, entry, "", "") for n in range(1_000)])
            (kept,) = await other.call(("XLEN", EVENTS))
            assert EVENTS_KEPT <= cast("int", kept) < EVENTS_KEPT + 500

    run(body())


def test_a_full_server_is_unavailable_and_loses_nothing() -> None:
    """When the server refuses writes for want of memory, finish raises; with memory again the result is taken."""

    async def body() -> None:
        async with running_server() as server, running_bus(server.url) as bus, raw(server.url) as other:
            await other.call(("CONFIG", "SET", "maxmemory", "1"))
            with pytest.raises(BusUnavailable, match="OOM"):
                await bus.finish([result_of("p-1")], [])
            await other.call(("CONFIG", "SET", "maxmemory", "0"))
            await bus.finish([result_of("p-1")], [])
            assert len(await entries(other, RESULTS)) == 1

    run(body())


def test_a_close_wakes_the_reader_of_plans() -> None:
    """A published close is read back as a RECONCILE_CLOSE plan under the id that publishing returned."""

    async def body() -> None:
        close = Close(
            plan_id=PlanId("close-1"),
            decision=Decision.RECONCILE_CLOSE,
            hold_id=HoldId("h-1"),
            leg=Leg(AccountId("main"), BTC, PositionSide.BOTH),
            side=Side.SELL,
            qty=Decimal("0.007"),
            exchange_amt=Decimal("0.007"),
            ledger_amt=Decimal(0),
            reason="drift_detected:drift",
            created_ms=1_700_000_000_000,
            expires_ms=1_700_000_005_000,
            attempt=1,
            state=CloseState.PLANNED,
        )
        async with running_server() as server, running_bus(server.url) as bus:
            entry_id = await bus.publish_close(close)
            (entry,) = await bus.read_plans(count=9, wait_ms=0)
            assert (entry.entry_id, entry.plan_id, entry.decision) == (entry_id, "close-1", "RECONCILE_CLOSE")
            assert entry.plan is not None
            assert entry.plan.close_claim is not None
            assert entry.plan.close_claim.hold_id == "h-1"

    run(body())


@pytest.mark.parametrize("free", ["", "0", "false", "FALSE", "False"])
def test_values_that_mean_free(free: str) -> None:
    """Empty, 0 and false in any case on a hold key mean that the symbol is free; anything else holds it."""

    async def body() -> None:
        async with running_server() as server, running_bus(server.url) as bus, raw(server.url) as other:
            await other.call(("SET", HOLD + BTC, free), ("SET", HOLD + ETH, "1"))
            assert await bus.hold_values([BTC, ETH, SOL]) == {ETH: "1"}
            assert await bus.hold_values([]) == {}

    run(body())


def test_any_other_value_holds() -> None:
    """A blank, bytes that are no text and a megabyte hold the symbol; what is read of them is bounded."""

    async def body() -> None:
        async with running_server() as server, running_bus(server.url) as bus, raw(server.url) as other:
            await other.call(
                ("SET", HOLD + BTC, " "), ("SET", HOLD + ETH, b"\xff"), ("SET", HOLD + SOL, "x" * 1_000_000)
            )
            assert await bus.hold_values([BTC, ETH, SOL]) == {BTC: " ", ETH: "\ufffd", SOL: "x" * 256}

    run(body())


def test_a_hold_is_deleted_only_while_it_is_ours() -> None:
    """Compare-and-delete removes our own value, and leaves one that somebody else set, or a key of another type."""

    async def body() -> None:
        async with running_server() as server, running_bus(server.url) as bus, raw(server.url) as other:
            await bus.publish_copies([StateCopy(f"reconcile:hold:{s}", text="h-1") for s in (BTC, ETH)])
            await other.call(("SET", HOLD + ETH, "by hand"), ("HSET", HOLD + SOL, "a", "b"))
            for _ in range(2):
                await bus.publish_copies(
                    [StateCopy(f"reconcile:hold:{s}", expected="h-1") for s in (BTC, ETH, SOL)],
                )
                assert await bus.hold_values([BTC, ETH]) == {ETH: "by hand"}
            assert await other.call(("TYPE", HOLD + SOL)) == [b"hash"]
            await bus.publish_copies([StateCopy(f"reconcile:hold:{ETH}")])
            assert await bus.hold_values([ETH]) == {ETH: "by hand"}

    run(body())


def test_our_hold_does_not_overwrite_one_set_by_hand() -> None:
    """A guarded hold is written over nothing, a free value and itself, and not over anybody else's value."""

    async def body() -> None:
        async with running_server() as server, running_bus(server.url) as bus, raw(server.url) as other:
            await other.call(("SET", HOLD + ETH, "by hand"), ("SET", HOLD + SOL, "False"))
            holds = [StateCopy(f"reconcile:hold:{s}", text="h-1", expected="h-1") for s in (BTC, ETH, SOL)]
            await bus.publish_copies(holds)
            await bus.publish_copies([replace(hold, ttl_ms=60_000) for hold in holds])
            assert await bus.hold_values([BTC, ETH, SOL]) == {BTC: "h-1", ETH: "by hand", SOL: "h-1"}
            assert (await other.call(("PTTL", HOLD + ETH))) == [-1]
            (life,) = await other.call(("PTTL", HOLD + BTC))
            assert 0 < cast("int", life) <= 60_000

    run(body())


def test_scripts_are_sent_again_after_the_server_forgot_them() -> None:
    """NOSCRIPT in the middle of a batch costs nothing: the rest is written once, the script runs with its text."""

    async def body() -> None:
        async with running_server() as server, running_bus(server.url) as bus, raw(server.url) as other:
            batch = [
                StateCopy("a", text="1"),
                StateCopy("reconcile:hold:BTCUSDT", expected="h-1"),
                StateCopy("reconcile:hold:ETHUSDT", text="h-2", expected="h-2"),
                StateCopy("b", fields={"x": "1"}, ttl_ms=60_000),
            ]
            for _ in range(2):
                await other.call(("SET", HOLD + BTC, "h-1"), ("SCRIPT", "FLUSH"))
                await bus.publish_copies(batch)
                assert await bus.hold_values([BTC, ETH]) == {ETH: "h-2"}
            assert await other.call(("GET", "quantum:a"), ("HGET", "quantum:b", "x")) == [b"1", b"1"]

    run(body())


def test_copies_are_written_deleted_and_expire() -> None:
    """Strings and hashes are written with their life, deleted when both are None, and replaced if of another type."""

    async def body() -> None:
        async with running_server() as server, running_bus(server.url) as bus, raw(server.url) as other:
            await other.call(
                ("SET", "quantum:h", "text"), ("HSET", "quantum:t", "a", "b"), ("SET", "quantum:gone", "x")
            )
            await bus.publish_copies(
                [
                    StateCopy("h", fields={"status": "AGREED", "größe": "\ud800"}, ttl_ms=60_000),
                    StateCopy("t", text="ALLOW", ttl_ms=60_000),
                    StateCopy("gone"),
                    StateCopy("kept", text="x"),
                ]
            )
            assert await other.call(("HGETALL", "quantum:h"), ("GET", "quantum:t"), ("EXISTS", "quantum:gone")) == [
                [b"status", b"AGREED", "größe".encode(), b"?"],
                b"ALLOW",
                0,
            ]
            h_life, t_life, kept_life = await other.call(
                ("PTTL", "quantum:h"), ("PTTL", "quantum:t"), ("PTTL", "quantum:kept")
            )
            assert 0 < cast("int", h_life) <= 60_000
            assert 0 < cast("int", t_life) <= 60_000
            assert kept_life == -1
            await bus.publish_copies([])

    run(body())


def test_a_plan_costs_at_most_six_commands() -> None:
    """Reading, looking for a hold, answering and publishing one plan at a time takes the server six commands a plan."""

    async def body() -> None:
        async with running_server() as server, running_bus(server.url) as bus, raw(server.url) as other:
            for n in range(50):
                await add_plan(other, f"p-{n}")
            await other.call(("CONFIG", "RESETSTAT"))
            for _ in range(50):
                (entry,) = await bus.read_plans(count=1, wait_ms=1_000)
                await bus.hold_values([BTC])
                await bus.finish([result_of(entry.plan_id, entry.entry_id)], [entry.entry_id])
                await bus.publish_copies([StateCopy("permit:state:BTCUSDT", fields={"verdict": "ALLOW"})])
            (stats,) = await other.call(("INFO", "commandstats"))
            counts = {
                line.split(b":")[0]: int(line.split(b"calls=")[1].split(b",")[0])
                for line in cast("bytes", stats).splitlines()
                if line.startswith(b"cmdstat_")
            }
            assert counts.pop(b"cmdstat_config|resetstat") == 1
            assert sum(counts.values()) <= 6 * 50, counts

    run(body())


def test_two_prefixes_share_nothing() -> None:
    """A bus with another prefix sees none of this one's plans."""

    async def body() -> None:
        async with running_server() as server, running_bus(server.url) as bus, raw(server.url) as other:
            await other.call(("XADD", PLANS.replace("quantum", "second"), "*", "plan_id", "p"))
            assert await bus.read_plans(count=9, wait_ms=0) == ()

    run(body())
