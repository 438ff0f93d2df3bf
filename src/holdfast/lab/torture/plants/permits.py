"""Bugs in what lets an EXECUTE become an order, one skipped row each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.decide import permit
from holdfast.lab.torture.plants.catalogue import Catalogue, adder
from holdfast.lab.torture.plants.needs import act
from holdfast.lab.torture.plants.swaps import without

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

PERMITS: Catalogue = {}
_plant = adder(PERMITS)


@_plant("skip-hold-check", "an EXECUTE is permitted while a hold stands")
def _hold() -> AbstractContextManager[None]:
    return without(permit._reconciled, "Reason.HOLD_ACTIVE")


@_plant("skip-halted", "an EXECUTE is permitted while trading is halted", act("halt"))
def _halted() -> AbstractContextManager[None]:
    return without(permit._standing, "Reason.HALTED")


@_plant("skip-stamp", "an EXECUTE is permitted on a stamp of any age, or on none")
def _stamp() -> AbstractContextManager[None]:
    return without(permit._reconciled, "Reason.STAMP_STALE", "stamp_age")


@_plant("skip-order-pending", "an EXECUTE is permitted while an order of ours on the symbol has no known fate")
def _pending() -> AbstractContextManager[None]:
    return without(permit._reconciled, "Reason.ORDER_PENDING")


@_plant("skip-agreement", "an EXECUTE is permitted before the reconciler has agreed with the ledger as it is")
def _agreement() -> AbstractContextManager[None]:
    return without(permit._reconciled, "Reason.NOT_AGREED")


@_plant("skip-plan-age", "an EXECUTE is permitted however old its plan is", act("old plan"))
def _plan_age() -> AbstractContextManager[None]:
    return without(permit._plan_itself, "Reason.STALE_PLAN")
