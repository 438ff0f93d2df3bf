"""Bugs in the guardrails of closes, one skipped row each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.decide import guardrails
from holdfast.lab.torture.plants.catalogue import Catalogue, adder
from holdfast.lab.torture.plants.needs import act, both
from holdfast.lab.torture.plants.swaps import without

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


GUARDS: Catalogue = {}
_plant = adder(GUARDS)


@_plant("skip-guard-type", "a close's message may be of any type", act("forge type"))
def _market() -> AbstractContextManager[None]:
    return without(guardrails._message, "'market'")


@_plant("skip-guard-reduce-only", "a close's message need not be reduce-only", act("forge reduceOnly"))
def _reduce_only() -> AbstractContextManager[None]:
    return without(guardrails._message, "'reduce_only'")


@_plant("skip-guard-side", "a close's message may name any side", act("forge side"))
def _side() -> AbstractContextManager[None]:
    return without(guardrails._message, "'side'")


@_plant("skip-guard-quantity", "a close's message may name a quantity off the step", act("forge step"))
def _quantity() -> AbstractContextManager[None]:
    return without(guardrails._message, "'quantity'")


@_plant(
    "skip-guard-differs",
    "a close's message need not be the journal's close",
    act("forge quantity", "forge hold", "forge life"),
)
def _differs() -> AbstractContextManager[None]:
    return without(guardrails.judge_message, "'differs'")


@_plant(
    "skip-guard-journaled",
    "a close's message that the journal knows nothing of passes for one",
    act("forge name", "forge close"),
)
def _journaled() -> AbstractContextManager[None]:
    return without(guardrails.judge_message, "'journaled'")


@_plant("skip-guard-expired", "a close may be claimed after its life", act("upon CLOSE_PLANNED"))
def _expired() -> AbstractContextManager[None]:
    return without(guardrails._authority, "'expired'")


@_plant(
    "skip-guard-flipped",
    "a close may be claimed when the fresh position has another sign than the planned one",
    both(act("upon CLOSE_PLANNED hand flip"), act("upon CLOSE_PLANNED stand still")),
)
def _flipped() -> AbstractContextManager[None]:
    return without(guardrails._position, "'flipped'")


@_plant(
    "skip-guard-above-drift",
    "a close may be claimed for more than the fresh drift",
    both(act("upon CLOSE_PLANNED hand"), act("upon CLOSE_PLANNED stand still")),
)
def _above_drift() -> AbstractContextManager[None]:
    return without(guardrails._drift, "'above_drift'")


@_plant("skip-guard-halted", "a close may be claimed while trading is halted", act("before read halt"))
def _halted() -> AbstractContextManager[None]:
    return without(guardrails._authority, "'halted'")
