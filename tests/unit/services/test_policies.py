"""What the settings choose for each kind of drift, on both services in virtual time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.entry import EntryKind
from holdfast.domain.hold import HoldReason
from holdfast.domain.limits import DeficitPolicy, ForcedPolicy, ForeignPolicy
from holdfast.domain.operator import RequestKind
from holdfast.domain.order import OrderState
from holdfast.domain.sides import Side
from holdfast.lab.torture.loop import pass_ms, play
from tests.unit.decide.samples import LEG, LIMITS, ORDER, ZERO, D
from tests.unit.services.test_healing import everything
from tests.unit.services.world import new_world, running

if TYPE_CHECKING:
    from tests.unit.services.world import World

FORCED = ("autoclose-1596107620040000020", "adl_autoclose", "settlement_autoclose-7")


async def forced_out(world: World, qty: int, name: str) -> None:
    """Hold 7, and let the venue close some of it."""
    await world.own(D(7))
    await pass_ms(3_000)
    world.venue.trade(LEG, Side.SELL, D(qty), name)
    await pass_ms(10_000)


@pytest.mark.parametrize("name", FORCED)
@pytest.mark.parametrize("qty", [3, 7], ids=["partial", "whole"])
def test_what_the_venue_forced_is_booked_and_held_until_a_person_has_looked(name: str, qty: int) -> None:
    """Liquidation, ADL and settlement, whole or partial: the ledger follows by trade ids, a person releases."""

    async def story() -> None:
        world = await new_world()
        async with running(*everything(world)):
            await forced_out(world, qty, name)
            assert (await world.ledger()).amt == D(7 - qty)
            assert [hold.reason for hold in await world.holds()] == [HoldReason.FORCED_REDUCTION]
            assert world.person.told
            assert world.venue.requests == []
            await world.ask(RequestKind.RELEASE)
            await pass_ms(3_000)
            assert await world.holds() == ()
            assert (await world.ledger()).is_agreed

    play(story)


def test_by_policy_resume_a_forced_reduction_is_booked_told_and_traded_past() -> None:
    """The ledger follows by trade ids, a person is told, the hold ends by itself."""

    async def story() -> None:
        world = await new_world(replace(LIMITS, forced=ForcedPolicy.RESUME))
        async with running(*everything(world)):
            await forced_out(world, 3, FORCED[0])
            assert (await world.ledger()).amt == D(4)
            assert await world.holds() == ()
            assert [alert for alert in world.person.told if "by force" in alert.text]
            assert (await world.entries()).count(EntryKind.REPAIR) == 1

    play(story)


@pytest.mark.parametrize(("sold", "sent"), [(5, [(Side.SELL, D(2))]), (7, []), (9, [(Side.BUY, D(2))])])
def test_by_policy_flatten_a_deficit_without_trades_is_given_up_and_closed(
    sold: int, sent: list[tuple[Side, D]]
) -> None:
    """Ledger 7, the exchange holds 2, 0 or -2 and no trades say why: the ledger becomes 0, what is left is closed."""

    async def story() -> None:
        world = await new_world(replace(LIMITS, deficit=DeficitPolicy.FLATTEN))
        world.venue.trades_are_hidden = True
        await world.own(D(7))
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.SELL, D(sold))
            await pass_ms(2_000)
            assert (await world.ledger()).amt == D(7), "given up before the trades had their time"
            await pass_ms(20_000)
            assert [(permit.side, permit.qty) for permit in world.venue.requests] == sent
            assert world.venue.positions[LEG] == ZERO
            assert (await world.ledger()).amt == ZERO
            assert await world.holds() == ()
            assert [alert for alert in world.person.told if "from 7 to 0" in alert.text]
            assert (await world.entries()).count(EntryKind.FLATTENED) == 1

    play(story)


@pytest.mark.parametrize("policy", [ForeignPolicy.ADOPT, ForeignPolicy.HOLD])
def test_foreign_trades_are_adopted_or_held_by_policy(policy: ForeignPolicy) -> None:
    """By policy adopt the ledger follows somebody's purchase; by policy hold a person decides; nothing is sent."""

    async def story() -> None:
        world = await new_world(replace(LIMITS, foreign=policy))
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.BUY, D(7))
            await pass_ms(10_000)
            assert world.venue.requests == []
            held = [hold.reason for hold in await world.holds()]
            if policy is ForeignPolicy.ADOPT:
                assert ((await world.ledger()).amt, held) == (D(7), [])
            else:
                assert ((await world.ledger()).amt, held) == (ZERO, [HoldReason.DRIFT])
                assert world.person.told

    play(story)


def test_by_policy_adopt_what_no_trades_explain_is_a_persons() -> None:
    """An excess that nobody's trades show is not adopted: the position alone never sets the ledger."""

    async def story() -> None:
        world = await new_world(replace(LIMITS, foreign=ForeignPolicy.ADOPT))
        world.venue.trades_are_hidden = True
        async with running(*everything(world)):
            await pass_ms(3_000)
            world.venue.trade(LEG, Side.BUY, D(7))
            await pass_ms(10_000)
            assert (await world.ledger()).amt == ZERO
            assert [hold.reason for hold in await world.holds()] == [HoldReason.DRIFT]
            assert world.person.told

    play(story)


def test_no_agreement_stands_beside_a_difference_that_a_resting_order_explains() -> None:
    """A trade of others inside what a resting order may have filled: the agreement ends at once, a hold follows."""

    async def story() -> None:
        world = await new_world()
        resting = replace(ORDER, state=OrderState.OPEN, qty=D(9), created_ms=world.clock.now_ms())
        await world.write(lambda tx: tx.put_order(resting))
        async with running(*everything(world)):
            await pass_ms(3_000)
            assert (await world.ledger()).is_agreed
            world.venue.trade(LEG, Side.BUY, D(4))
            await pass_ms(2_100)  # seen by the next complete view
            assert not (await world.ledger()).is_agreed, "a permit could be given beside a known difference"
            assert EntryKind.DOUBTED in await world.entries()
            await pass_ms(LIMITS.settle_ms_max + 2_500)
            assert [hold.reason for hold in await world.holds()] == [HoldReason.DRIFT]

    play(story)
