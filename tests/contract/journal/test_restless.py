"""Which legs are not at rest by the journal alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.domain.ledger import MoveCause
from tests.contract.journal.samples import ETH_LEG, HOLD, LEG, LONG, ORDER, SHORT, D, get, put, released

if TYPE_CHECKING:
    from holdfast.domain.sides import Leg
    from holdfast.journal.store import SqlJournal
    from tests.contract.journal.places import Place


def test_a_leg_is_restless_while_it_is_not_agreed_held_or_has_an_order(place: Place) -> None:
    """A leg that moved since its agreement, one with a hold and one with an unsettled order are named; no other."""

    async def body(journal: SqlJournal) -> None:
        async def restless() -> set[Leg]:
            return set(await get(journal, lambda reads: reads.restless_legs()))

        assert await restless() == set()
        for leg in (LEG, LONG, SHORT, ETH_LEG):
            await put(journal, lambda tx, leg=leg: tx.put_leg(replace(tx.leg(leg), agreed_version=0)))  # type: ignore[misc]  # lambda default
        assert await restless() == set()
        await put(journal, lambda tx: tx.move_ledger(ETH_LEG, D(1), MoveCause.FILL, "t"))
        await put(journal, lambda tx: tx.put_hold(replace(HOLD, leg=LONG)))
        await put(journal, lambda tx: tx.put_order(ORDER))
        assert await restless() == {ETH_LEG, LONG, ORDER.leg}
        await put(journal, lambda tx: tx.put_leg(replace(tx.leg(ETH_LEG), agreed_version=1)))
        await put(journal, lambda tx: tx.put_hold(released(replace(HOLD, leg=LONG), 3_000)))
        assert await restless() == {ORDER.leg}
        await put(journal, lambda tx: tx.put_leg(replace(tx.leg(SHORT), agreed_version=None)))
        assert await restless() == {ORDER.leg, SHORT}

    place.run(body)
