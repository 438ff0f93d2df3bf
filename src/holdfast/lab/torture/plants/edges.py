"""Bugs at the edges: what is written where it must not be."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from holdfast.compose import account as compose_account
from holdfast.journal import leases
from holdfast.lab.torture.acts import ACTIVE_MS
from holdfast.lab.torture.plants.catalogue import Catalogue, adder
from holdfast.lab.torture.plants.needs import act, both, shape
from holdfast.lab.torture.plants.swaps import everywhere, swapped
from holdfast.services import concluding
from holdfast.services.context import Context

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from holdfast.lab.torture.acts import Shape

EDGES: Catalogue = {}
_plant = adder(EDGES)


def _has_two_appliers(shape: Shape) -> bool:
    return sum(unit != "reconcile" for unit in shape.units) > 1


@_plant(
    "secret-in-a-log-line",
    "the key is written to the log before the redactor was told of it",
    shape(lambda shape: shape.is_logged),
)
def _secret() -> AbstractContextManager[None]:
    config = compose_account._venue_config

    def talkative(world: Any, account: Any, use: Any) -> Any:
        world.log.info("venue_config", account=account, detail=world.settings.keys(account, use).key.get_secret_value())
        return config(world, account, use)

    return swapped(compose_account, "_venue_config", talkative)


@_plant(
    "attempts-not-counted",
    "closes without progress are not counted, and the next one follows at once",
    act(f"no_trading {ACTIVE_MS}"),
)
def _attempts() -> AbstractContextManager[None]:
    def uncounted(tx: Any, order: Any, limits: Any, now_ms: int) -> Any:
        before = tx.hold(order.hold_id) if order.hold_id is not None else None
        written = end(tx, order, limits, now_ms)
        if before is not None and before.is_open:
            tx.put_hold(before)
        return written

    end = concluding.end_close
    return swapped(concluding, "end_close", uncounted)


@_plant(
    "no-fence",
    "a process whose lease another has taken goes on, and takes it back",
    both(act(*(f"pause {unit} {ms}" for unit in range(4) for ms in (6_000, 9_000))), shape(_has_two_appliers)),
)
def _no_fence() -> AbstractContextManager[None]:
    return _unfenced()


@contextmanager
def _unfenced() -> Iterator[None]:
    check = leases.check_fence

    def lenient(session: Any, fence: Any) -> Any:
        lease = leases._find(session, fence.account, fence.service)
        return check(session, fence) if lease is None else lease

    with everywhere(check, lenient), swapped(Context, "live_fence", lambda self: self.lease.fence):
        yield
