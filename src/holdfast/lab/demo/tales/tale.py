"""What a tale is: a name, a stage, acts, and a judge of what was seen.

Healing takes some 20 ms, and the strategy's plan must arrive while the hold stands. Where it came too late all the
same, nothing was proved and nothing was broken: the tale is told once more, on a new stage, at most `TELLINGS_MAX`
times, and said so. No time is stretched to make it fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.lab.demo.play import LATER_ROWS
from holdfast.lab.demo.staging import EMPTY, Staging

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from holdfast.lab.demo.facts import Facts
    from holdfast.lab.demo.judge import Promise
    from holdfast.lab.demo.tales.cast import Cast

TELLINGS_MAX = 4


def in_time(_facts: Facts) -> bool:
    """Nothing in this tale can come too late."""
    return False


def came_too_late(facts: Facts, closes: int) -> bool:
    """Tell whether the plan under the hold met no hold any more, all `closes` being at the exchange before it.

    A plan that was executed before the last of them is a breach and stays one.
    """
    plan = facts.refused
    if plan is None or facts.released_ns is None:
        return False
    if not plan.executed:
        return plan.error in LATER_ROWS
    place = {order.order_id: number for number, order in enumerate(facts.orders)}
    planned = {r.order_id for r in facts.results if r.decision == "RECONCILE_CLOSE" and r.executed}
    places = [place[order_id] for order_id in planned if order_id in place]
    at = place.get(plan.order_id or 0)
    return at is not None and len(places) == closes and at > max(places)


@dataclass(frozen=True, slots=True)
class Tale:
    """One play that is no simple drift."""

    name: str
    story: str
    acts: Callable[[Cast], Awaitable[None]]
    """Raises TimeoutError naming what was waited for in vain; the judge names the rest."""
    judge: Callable[[Facts], tuple[Promise, ...]]
    staging: Staging = EMPTY
    is_too_late: Callable[[Facts], bool] = in_time
    """Tells whether it must be told once more because a plan of the strategy missed its hold."""
