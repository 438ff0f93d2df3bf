"""A request of a person and its end: still asked, too old, wrongly named, ended."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.domain.entry import Entry, EntryKind, JsonValue
from holdfast.domain.operator import REQUEST_AGE_MS_MAX, OperatorRequest, RequestState
from holdfast.domain.sides import PositionMode, PositionSide

if TYPE_CHECKING:
    from holdfast.ports.journal import Reads, Tx
    from holdfast.services.context import Context


def is_still_asked(reads: Reads, request: OperatorRequest) -> bool:
    """Tell whether the request stands: whoever asked may have withdrawn it while the venue was looked at."""
    known = reads.request(request.request_id)
    return known is not None and known.state is RequestState.OPEN


async def refuse_old(context: Context, request: OperatorRequest) -> bool:
    """Refuse a request that nobody can be waiting for any more; True if it was one."""
    age_ms = await context.journal.now_ms() - request.created_ms
    if 0 <= age_ms <= REQUEST_AGE_MS_MAX:
        return False
    text = f"asked {age_ms} ms ago: nobody waits for it any more, ask again"
    await context.transact(
        read=lambda _: None,
        decide=lambda _: None,
        write=lambda tx, _choice, _facts: end_request(tx, request, RequestState.REFUSED, text),
    )
    return True


def side_problem(request: OperatorRequest, mode: PositionMode) -> str | None:
    """Say if the position side that was named cannot be in the account's position mode."""
    if request.position_side is None:
        return None
    if (request.position_side is PositionSide.BOTH) == (mode is PositionMode.ONE_WAY):
        return None
    return f"the account is in {mode.value} mode: it has no {request.position_side.value} position"


def end_request(tx: Tx, request: OperatorRequest, state: RequestState, outcome: str) -> None:
    """Write a request's end and its journal line."""
    tx.put_request(replace(request, state=state, outcome=outcome))
    body: dict[str, JsonValue] = {
        "request_id": request.request_id,
        "kind": request.kind.value,
        "state": state.value,
        "who": request.name,
        "why": request.reason,
        "outcome": outcome,
    }
    tx.append(Entry(EntryKind.REQUEST_ENDED, request.account, request.symbol, request.hold_id, None, body))
