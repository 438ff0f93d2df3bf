"""Bugs in the guardrails of closes, one skipped row each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from holdfast.decide import guardrails
from holdfast.lab.torture.plants.catalogue import Catalogue, adder
from holdfast.lab.torture.plants.swaps import swapped, without
from holdfast.services.closing import Closer

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from holdfast.domain.close import Close
    from holdfast.domain.view import PositionView

GUARDS: Catalogue = {}
_plant = adder(GUARDS)


@_plant("skip-guard-type", "a close's message may be of any type")
def _market() -> AbstractContextManager[None]:
    return without(guardrails._message, "'market'")


@_plant("skip-guard-reduce-only", "a close's message need not be reduce-only")
def _reduce_only() -> AbstractContextManager[None]:
    return without(guardrails._message, "'reduce_only'")


@_plant("skip-guard-side", "a close's message may name any side")
def _side() -> AbstractContextManager[None]:
    return without(guardrails._message, "'side'")


@_plant("skip-guard-quantity", "a close's message may name a quantity off the step")
def _quantity() -> AbstractContextManager[None]:
    return without(guardrails._message, "'quantity'")


@_plant("skip-guard-differs", "a close's message need not be the journal's close")
def _differs() -> AbstractContextManager[None]:
    return without(guardrails.judge_message, "'differs'")


@_plant("skip-guard-journaled", "a close's message that the journal knows nothing of passes for one")
def _journaled() -> AbstractContextManager[None]:
    return without(guardrails.judge_message, "'journaled'")


@_plant("skip-guard-expired", "a close may be claimed after its life is over")
def _expired() -> AbstractContextManager[None]:
    return without(guardrails._authority, "'expired'")


@_plant("skip-guard-halted", "a close may be claimed while trading is halted")
def _halted() -> AbstractContextManager[None]:
    return without(guardrails._authority, "'halted'")


@_plant("skip-guard-hold", "a close may be claimed though its hold is not open")
def _hold() -> AbstractContextManager[None]:
    return without(guardrails._authority, "'hold'")


@_plant("skip-guard-symbol", "a close may be claimed under another leg's hold")
def _symbol() -> AbstractContextManager[None]:
    return without(guardrails._authority, "'symbol'")


@_plant("skip-guard-flat", "a close is sent though the position is flat")
def _flat() -> AbstractContextManager[None]:
    return without(guardrails._position, "'flat'", "'exposure'")


@_plant("skip-guard-sign", "a close is sent though the fresh position has another sign than the planned one")
def _flipped() -> AbstractContextManager[None]:
    return without(guardrails._position, "'flipped'")


@_plant("skip-guard-exposure", "a close is sent for more than the fresh position")
def _exposure() -> AbstractContextManager[None]:
    return without(guardrails._position, "'exposure'")


@_plant("skip-guard-drift", "a close is sent for more than the fresh drift, or against none")
def _drift() -> AbstractContextManager[None]:
    return without(guardrails._drift, "'drift'", "'drift_sign'", "'above_drift'")


@_plant("skip-guard-other-orders", "a close is sent while another own order of the leg is not settled")
def _others() -> AbstractContextManager[None]:
    return without(guardrails._others, "'other_order'")


@_plant("skip-guard-attempts", "closes without progress are sent for ever")
def _attempts() -> AbstractContextManager[None]:
    return without(guardrails._bounds, "'attempts'")


@_plant("close-trusts-its-plan", "the position is not read again before a close: what it was planned on is believed")
def _trusting() -> AbstractContextManager[None]:
    read = Closer._position

    async def position(self: Any, close: Close) -> PositionView | None:
        fresh = await read(self, close)
        return None if fresh is None else replace(fresh, amt=close.exchange_amt)

    return swapped(Closer, "_position", position)
