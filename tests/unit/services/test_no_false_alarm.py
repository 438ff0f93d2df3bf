"""No false alarm, and none missed, whatever the weather: real services, real journal, virtual time (I5, I6, I9)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from holdfast.domain.entry import EntryKind
from holdfast.domain.hold import StepKind
from holdfast.domain.sides import PlanSide, Side
from holdfast.lab.torture.loop import pass_ms, play
from tests.unit.decide.samples import LEG, LIMITS, ZERO, D
from tests.unit.services.exchange import PRICE
from tests.unit.services.weather import Weather, in_weather
from tests.unit.services.world import new_world, running

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from holdfast.domain.entry import JournaledEntry
    from holdfast.domain.order import Order
    from tests.unit.services.world import World

LAG_MS_MAX = LIMITS.settle_ms_max
STEP_MS = 2_000
STEPS_MAX = 60
"""Long enough for three closes that never arrive, each proven absent."""


@dataclass(frozen=True, slots=True)
class Act:
    """Somebody trades, after a wait."""

    wait_ms: int
    signed_qty: int
    who: str
    """market: ours, at once; rest: ours, an order that rests; foreign."""


def acts(*who: str) -> st.SearchStrategy[Act]:
    """Trades of these."""
    waits = st.sampled_from((0, 1, 7, 60, 300, 900, 2_500))
    return st.builds(Act, waits, st.integers(-5, 5).filter(bool), st.sampled_from(who))


OURS = acts("market", "market", "rest")


def some(values: tuple[int, ...]) -> st.SearchStrategy[tuple[int, ...]]:
    """A few of them, in any order."""
    return st.lists(st.sampled_from(values), min_size=1, max_size=5).map(tuple)


weathers = st.builds(
    Weather,
    tells_after_ms=some((1, 5, 80, 400, 950)),
    tells_again_after_ms=some((0, 0, 1, 50, 700)),
    reads_take_ms=some((1, 20, 150)),
    reads_lag_ms=some((0, 0, 30, 300, LAG_MS_MAX)),
    answers=st.lists(st.sampled_from(("full", "full", "part", "lost", "late", "never")), min_size=1, max_size=4).map(
        tuple
    ),
)


def everything(world: World) -> tuple[Callable[[], Coroutine[Any, Any, None]], ...]:
    """All that sees, judges, closes, resolves and tells."""
    return (
        world.feed.run_stream,
        world.feed.run_views,
        world.reconciler.run,
        world.alerting.run,
        world.intake.run_closes,
        world.inbox.run,
        world.resolver.run,
        world.canceller.run,
    )


async def carry_out(world: World, number: int, act: Act) -> None:
    """Do what the act says. A plan that is refused was refused, as a strategy's may be."""
    await pass_ms(act.wait_ms)
    world.rules.marks = {LEG.symbol: (PRICE, world.clock.now_ms())}
    side = PlanSide.BUY if act.signed_qty > 0 else PlanSide.SELL
    if act.who == "market":
        await world.execute(world.plan(f"p{number}", side, D(abs(act.signed_qty))), f"{number}-0")
    elif act.who == "rest":
        await world.execute(world.limit(f"p{number}", side, D(abs(act.signed_qty))), f"{number}-0")
    else:
        world.venue.trade(LEG, Side.BUY if act.signed_qty > 0 else Side.SELL, D(abs(act.signed_qty)), f"web_{number}")


async def until_over(world: World) -> None:
    """Wait until both agree or a person has it, and no order is in doubt; or until that should long have been so."""
    for _ in range(STEPS_MAX):
        await pass_ms(STEP_MS)
        holds, ledger = await world.holds(), await world.ledger()
        agree = not holds and ledger.is_agreed and ledger.amt == world.venue.positions.get(LEG, ZERO)
        is_told = bool(holds) and all(hold.next_step.kind is StepKind.OPERATOR for hold in holds)
        if (agree or is_told) and not await in_doubt(world):
            return


async def in_doubt(world: World) -> list[Order]:
    """Own orders that neither ended nor rest."""
    return [order for order in await world.query(lambda reads: reads.live_orders(None)) if not order.rests]


async def lines(world: World) -> tuple[JournaledEntry, ...]:
    """The whole journal."""
    return await world.query(lambda reads: reads.entries_after(0, 100_000))


PLAYED = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
"""A story that fails is printed as it was drawn: shrinking it would take minutes."""


@PLAYED
@given(st.lists(OURS, min_size=1, max_size=5), weathers)
def test_what_we_traded_ourselves_is_never_closed(ours: list[Act], weather: Weather) -> None:
    """Own orders in any weather: no close is ever planned, no hold outlives the weather, and both agree in the end."""

    async def story() -> None:
        world = await new_world(LIMITS, partial(in_weather, weather))
        async with running(*everything(world)):
            await pass_ms(600)
            for number, act in enumerate(ours):
                await carry_out(world, number, act)
            await until_over(world)
        assert EntryKind.CLOSE_PLANNED not in await world.entries()
        assert not any(permit.reduce_only for permit in world.venue.requests)
        assert [hold.reason for hold in await world.holds()] == []
        ledger = await world.ledger()
        assert ledger.amt == world.venue.positions.get(LEG, ZERO)
        assert ledger.is_agreed
        assert await in_doubt(world) == []

    play(story)


BOUND_MS = 950 + LAG_MS_MAX + 250
"""When a difference must be known and doubted: the stream's longest delay, what own orders may explain, a step."""
HELD_MS = 950 + 2 * LAG_MS_MAX + 500
"""When it must be held though own orders are filled beside it, each of which may make the newest view an old one."""


@PLAYED
@given(st.lists(OURS, max_size=3), acts("foreign"), st.lists(OURS, max_size=3), weathers)
def test_what_somebody_else_traded_is_never_overlooked(
    before: list[Act], foreign: Act, after: list[Act], weather: Weather
) -> None:
    """A foreign trade of any size in any weather is held, nothing opens beside it, and the end is good."""

    async def story() -> None:
        world = await new_world(LIMITS, partial(in_weather, weather))
        async with running(*everything(world)):
            await pass_ms(600)
            for number, act in enumerate(before):
                await carry_out(world, number, act)
            await carry_out(world, 100, foreign)
            traded_ms = world.clock.now_ms()
            for number, act in enumerate(after):
                await carry_out(world, 200 + number, act)
            await until_over(world)
        entries = await lines(world)
        held = [each.at_ms for each in entries if each.entry.kind is EntryKind.HOLD_SET and each.at_ms >= traded_ms]
        assert held, "nobody noticed"
        assert held[0] <= traded_ms + HELD_MS, "noticed too late"
        opened = [each.at_ms for each in entries if each.entry.kind is EntryKind.INTENT and not closes(each)]
        assert not [at for at in opened if traded_ms + BOUND_MS < at < held[0]], "permitted beside a known difference"
        holds = await world.holds()
        if holds:
            assert world.person.told
            assert all(hold.next_step.kind is StepKind.OPERATOR for hold in holds)
        else:
            assert (await world.ledger()).amt == world.venue.positions.get(LEG, ZERO)

    play(story)


def closes(entry: JournaledEntry) -> bool:
    """Tell whether an intent is a close of the reconciler's."""
    return entry.entry.body["decision"] != "EXECUTE"
