"""An account that is seen for the first time, with all that stands there: held before it can be taken for drift."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.entry import EntryKind
from holdfast.domain.hold import HoldReason, StepKind
from holdfast.domain.limits import ReconcileClose, UnledgeredPolicy
from holdfast.domain.names import ClientOrderId, Symbol
from holdfast.domain.operator import RequestKind, RequestState
from holdfast.domain.order import VenueOrderStatus
from holdfast.domain.sides import Leg, PositionMode, PositionSide, Side
from holdfast.lab.torture.loop import pass_ms, play
from holdfast.services.agenda import URGENT_MAX
from holdfast.services.first_start import FirstStart
from holdfast.services.holding import put_persons_hold
from holdfast.services.leg_memory import Shown
from tests.unit.decide.samples import ACCOUNT, INSTRUMENT, LEG, LIMITS, ZERO, D
from tests.unit.services.exchange import PRICE
from tests.unit.services.test_healing import everything
from tests.unit.services.world import running, unseen_world

if TYPE_CHECKING:
    from holdfast.domain.entry import JsonValue
    from holdfast.ports.journal import Tx
    from tests.unit.services.world import World

MANY = tuple(Leg(ACCOUNT, Symbol(f"SYM{n:03d}USDT"), PositionSide.BOTH) for n in range(2 * URGENT_MAX + 7))


def stand(world: World, leg: Leg, amount: str) -> None:
    """Let the exchange hold something, traded long ago."""
    world.venue.positions[leg] = D(amount)
    world.venue.updated_ms[leg] = world.clock.now_ms() - 60_000
    world.rules.instruments = {**world.rules.instruments, leg.symbol: replace(INSTRUMENT, symbol=leg.symbol)}


def rest(world: World, name: str) -> None:
    """Let an order rest in the book."""
    world.venue.trade(LEG, Side.BUY, D(1), name)
    book = world.venue.orders[ClientOrderId(name)]
    book.report = replace(book.report, status=VenueOrderStatus.NEW, executed_qty=ZERO)
    world.venue.positions[LEG] -= D(1)


async def found(world: World) -> dict[str, JsonValue]:
    """What the baseline's entry says."""
    entry = await world.query(lambda reads: reads.newest_entry(EntryKind.BASELINE))
    return {} if entry is None else dict(entry.entry.body)


def test_every_position_is_held_for_a_person_however_many_there_are() -> None:
    """More legs than one step judges: all of them are held as unledgered, nothing is sent, nothing is booked."""

    async def story() -> None:
        world = await unseen_world()
        for leg in MANY:
            stand(world, leg, "7")
        async with running(*everything(world)):
            await pass_ms(30_000)
        holds = await world.holds()
        assert {hold.leg for hold in holds} == set(MANY)
        assert {hold.reason for hold in holds} == {HoldReason.UNLEDGERED}
        assert {hold.next_step.kind for hold in holds} == {StepKind.OPERATOR}
        assert world.venue.requests == []
        assert {(await world.ledger(leg)).amt for leg in MANY} == {ZERO}
        body = await found(world)
        assert isinstance(body["positions"], list)
        assert len(body["positions"]) == len(MANY)

    play(story)


def test_the_report_names_positions_and_open_orders() -> None:
    """What was found is journaled with side, price and notional, and every open order with whose it is."""

    async def story() -> None:
        world = await unseen_world(replace(LIMITS, reconcile_close=ReconcileClose.OFF))
        rest(world, "web_1")
        rest(world, "hf-somewhere-else")
        stand(world, LEG, "-4")
        async with running(world.feed.run_views, world.reconciler.run):
            await pass_ms(3_000)
        body = await found(world)
        assert body["positions"] == [
            {
                "leg": LEG.key,
                "symbol": LEG.symbol,
                "position_side": "BOTH",
                "amt": "-4",
                "entry_price": None,
                "mark_price": str(PRICE),
                "notional": str(4 * PRICE),
            }
        ]
        assert isinstance(body["orders"], list)
        owners = [(order["client_order_id"], order["owner"]) for order in body["orders"] if isinstance(order, dict)]
        assert owners == [("web_1", "foreign"), ("hf-somewhere-else", "stray")]
        assert (body["orders_count"], body["mode"]) == (2, "one_way")

    play(story)


def test_an_order_book_that_cannot_be_read_puts_the_baseline_off() -> None:
    """Without the open orders nothing is based and nothing permitted; the positions are held meanwhile all the same."""

    async def story() -> None:
        world = await unseen_world()
        stand(world, LEG, "7")
        world.venue.book_fails = True
        async with running(*everything(world)):
            await pass_ms(5_000)
            assert EntryKind.BASELINE not in await world.entries()
            assert 4 <= world.venue.book_reads <= 6
            assert [hold.reason for hold in await world.holds()] == [HoldReason.UNLEDGERED]
            world.venue.book_fails = False
            await pass_ms(2_000)
            assert (await world.entries()).count(EntryKind.BASELINE) == 1
            reads = world.venue.book_reads
            await pass_ms(5_000)
            assert world.venue.book_reads == reads, "it is read for the first start alone"
        assert world.venue.requests == []

    play(story)


def test_a_view_that_goes_stale_while_the_book_is_read_bases_nothing() -> None:
    """A position that could not be judged by what it holds must not be taken for drift once a baseline stands."""

    async def story() -> None:
        world = await unseen_world()
        stand(world, LEG, "7")

        async def long() -> None:
            world.venue.reads_fail = True
            await pass_ms(LIMITS.view_age_ms_max + 1_000)
            world.venue.reads_fail = False

        world.venue.before_book = long
        async with running(*everything(world)):
            await pass_ms(30_000)
        assert [hold.reason for hold in await world.holds()] == [HoldReason.UNLEDGERED]
        assert world.venue.requests == []
        assert (await world.entries()).count(EntryKind.BASELINE) == 1

    play(story)


@pytest.mark.parametrize(
    ("policy", "ledger", "left", "requests"),
    [
        (UnledgeredPolicy.ADOPT, "7", "7", 0),
        (UnledgeredPolicy.CLOSE, "0", "0", 1),
        (UnledgeredPolicy.HOLD, "0", "7", 0),
    ],
)
def test_a_policy_chooses_for_the_person(policy: UnledgeredPolicy, ledger: str, left: str, requests: int) -> None:
    """Adopt books it and sends nothing, close sends one close and books nothing, hold does neither."""

    async def story() -> None:
        world = await unseen_world(replace(LIMITS, unledgered=policy))
        stand(world, LEG, "7")
        async with running(*everything(world)):
            await pass_ms(20_000)
        assert (await world.ledger()).amt == D(ledger)
        assert world.venue.positions[LEG] == D(left)
        assert len(world.venue.requests) == requests
        assert (await world.holds() == ()) is (policy is not UnledgeredPolicy.HOLD)

    play(story)


def test_a_persons_adoption_ends_the_hold_and_a_restart_before_it_does_not() -> None:
    """What was found waits for its choice over a restart; adopted, it is ours, and its story carries the hold's id."""

    async def story() -> None:
        world = await unseen_world()
        stand(world, LEG, "7")
        for _ in range(2):
            async with running(*everything(world)):
                await pass_ms(5_000)
            (hold,) = await world.holds()
            assert hold.reason is HoldReason.UNLEDGERED
        async with running(*everything(world)):
            await world.ask(RequestKind.ADOPT)
            await pass_ms(5_000)
            assert (await world.request()).state is RequestState.DONE
        assert await world.holds() == ()
        assert (await world.ledger()).amt == D(7)
        told = await world.query(lambda reads: reads.entries_of_hold(hold.hold_id))
        assert EntryKind.ADOPTED in [each.entry.kind for each in told]
        assert world.venue.requests == []

    play(story)


def test_an_evaluation_that_leaves_a_position_out_bases_nothing() -> None:
    """Only an evaluation of every leg that any view named may carry the baseline."""

    async def story() -> None:
        world = await unseen_world()
        stand(world, LEG, "7")
        first = FirstStart(world.reconcile, world.venue, world.picture, PositionMode.ONE_WAY)
        assert not await first.is_due()
        world.picture.see_all(await world.venue.account_view())
        assert await first.is_due()
        assert not first.speaks_of(())
        shown = Shown(
            leg=LEG,
            view=world.picture.of(LEG),
            complete_read_ms=world.picture.complete_read_ms,
            settling_since_ms=None,
            evidence=None,
            second=None,
            earlier=None,
            instrument=INSTRUMENT,
            mark_price=PRICE,
        )
        assert first.speaks_of((shown,))

    play(story)


@pytest.mark.parametrize("reason", [HoldReason.UNKNOWN_ORDER, HoldReason.LATE_ACCEPTANCE])
def test_another_finding_does_not_make_drift_of_what_stood_there(reason: HoldReason) -> None:
    """A leg that waits for its choice may be held for something else besides: it still waits, and is never closed."""

    async def story() -> None:
        world = await unseen_world()
        stand(world, LEG, "7")

        def write(tx: Tx) -> None:
            put_persons_hold(tx, LEG, reason, "something else was found")

        async with running(*everything(world)):
            await pass_ms(3_000)
            await world.write(write)
            world.wakes.legs.knock(LEG)
            await pass_ms(15_000)
        assert [hold.reason for hold in await world.holds()] == [HoldReason.UNLEDGERED]
        assert world.venue.requests == []

    play(story)


@pytest.mark.parametrize("reason", [HoldReason.UNKNOWN_ORDER, HoldReason.LATE_ACCEPTANCE, HoldReason.FOREIGN_ORDER])
def test_a_hold_that_stood_before_the_first_look_does_not_make_drift_of_what_is_seen_there(reason: HoldReason) -> None:
    """Whatever was found on a leg before its position was seen: the position waits for its choice, unclosed."""

    async def story() -> None:
        world = await unseen_world()
        stand(world, LEG, "7")

        def write(tx: Tx) -> None:
            put_persons_hold(tx, LEG, reason, "found before anything was seen")

        await world.write(write)
        async with running(*everything(world)):
            await pass_ms(15_000)
        assert [hold.reason for hold in await world.holds()] == [HoldReason.UNLEDGERED]
        assert world.venue.requests == []

    play(story)


def test_a_changed_mode_puts_the_baseline_off() -> None:
    """While legs are held for the position mode nothing is based; let go, what stood there is unledgered."""

    async def story() -> None:
        world = await unseen_world()
        stand(world, LEG, "7")

        def hold(tx: Tx) -> None:
            put_persons_hold(tx, LEG, HoldReason.MODE_CHANGED, "the mode was changed")

        def let_go(tx: Tx) -> None:
            (standing,) = tx.open_holds(LEG.symbol)
            tx.put_hold(replace(standing, reason=HoldReason.VIEW_STALE))

        await world.write(hold)
        async with running(*everything(world)):
            await pass_ms(5_000)
            assert EntryKind.BASELINE not in await world.entries()
            await world.write(let_go)
            await pass_ms(15_000)
        assert [each.reason for each in await world.holds()] == [HoldReason.UNLEDGERED]
        assert world.venue.requests == []

    play(story)
