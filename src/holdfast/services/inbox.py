"""One look into the journal for all that others put there for apply: it knocks at whoever carries it out.

    an unclaimed close        knocks at `closes`
    a CLOSE request           knocks at `operator_closes`
    a RESOLVE_... request     knocks at `operator_resolves`

Each of those looks by itself too, every `OWN_LOOK_MS`; so this one only has to be quick, not right. It is one read ten
times a second instead of three.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from holdfast.domain.errors import JournalBusy
from holdfast.domain.operator import RequestKind

if TYPE_CHECKING:
    from holdfast.domain.names import PlanId
    from holdfast.ports.journal import Reads
    from holdfast.services.context import Context

OWN_LOOK_MS: Final = 1_000
"""How long those who carry things out wait for a knock."""
RESOLVE_KINDS: Final = frozenset(
    {RequestKind.RESOLVE_FILLED, RequestKind.RESOLVE_ENDED, RequestKind.RESOLVE_NOT_ACCEPTED}
)


@dataclass(frozen=True, slots=True)
class _Found:
    closes: tuple[PlanId, ...]
    kinds: frozenset[RequestKind]


def _look(reads: Reads) -> _Found:
    closes = tuple(close.plan_id for close in reads.planned_closes())
    return _Found(closes, frozenset(request.kind for request in reads.requests_open()))


class Inbox:
    """See the module."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def run(self) -> None:
        """Look until cancelled."""
        context, wakes = self._context, self._context.wakes
        while True:
            await asyncio.sleep(context.pace.asked_ms / 1000)
            try:
                found = await context.journal.query(context.account, _look)
            except JournalBusy as error:
                context.log.warning("inbox_waits", account=context.account, detail=str(error))
                continue
            for plan_id in found.closes:
                wakes.closes.knock(plan_id)
            if RequestKind.CLOSE in found.kinds:
                wakes.operator_closes.knock("journal")
            if found.kinds & RESOLVE_KINDS:
                wakes.operator_resolves.knock("journal")
