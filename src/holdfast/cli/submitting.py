"""`holdfast plan submit`, the work: find the bus, hand the plan in by PlanClient, print its one outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.cli.exit_status import DONE, REFUSED
from holdfast.cli.journal_access import one_account
from holdfast.cli.printing import amount_json, amount_text, print_json, print_line
from holdfast.cli.wording import position_side_of, reason_of, symbol_of
from holdfast.client import PlanClient
from holdfast.domain.errors import BusUnavailable, CannotStart
from holdfast.domain.names import is_plan_id
from holdfast.domain.reasons import REASON_TEXT
from holdfast.domain.sides import Decision
from holdfast.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from holdfast.domain.plan import PlanResult
    from holdfast.settings import Settings

SIDES = {"BUY": "BUY", "SELL": "SELL", "CLOSE": "close"}
URL_FILE = "bus.url"
_REASONS = {reason.value: text for reason, text in REASON_TEXT.items()}


@dataclass(frozen=True, slots=True)
class Ticket:
    """What the command line said."""

    symbol: str
    side: str
    qty: str
    price: str
    """"" for a MARKET plan."""
    time_in_force: str
    plan_id: str
    """"" for one of the client's making."""
    is_reduce_only: bool
    position_side: str
    reason: str
    wait_s: float


@dataclass(frozen=True, slots=True)
class CancelTicket:
    """What the command line said of a cancel."""

    symbol: str
    cancels: str
    plan_id: str
    reason: str
    wait_s: float


async def submit_cancel(ticket: CancelTicket, account: str, settings_path: Path, *, as_json: bool) -> int:
    """Hand it in and print what came of it. Raises like `submit_plan`."""
    settings = load_settings(settings_path)
    prefix = settings.bus_prefix(one_account(settings, account))
    for name, plan_id in (("PLAN_ID", ticket.cancels), ("--id", ticket.plan_id or "x")):
        if not is_plan_id(plan_id):
            raise CannotStart(f"{name} has 1 to 128 letters, digits and . _ : / -")
    async with PlanClient(bus_url(settings), prefix) as plans:
        result = await plans.cancel(
            symbol_of(ticket.symbol),
            ticket.cancels,
            timeout_s=ticket.wait_s,
            plan_id=ticket.plan_id or None,
            reason=reason_of(ticket.reason),
        )
    return _shown(result, as_json=as_json)


async def submit_plan(ticket: Ticket, account: str, settings_path: Path, *, as_json: bool) -> int:
    """Hand it in and print what came of it.

    Raises CannotStart and BadPlan (not sent), BusUnavailable (not sent), FateUnknown (sent, no outcome).
    """
    settings = load_settings(settings_path)
    prefix = settings.bus_prefix(one_account(settings, account))
    side = SIDES.get(ticket.side.strip().upper())
    if side is None:
        raise CannotStart(f"--side is BUY, SELL or close, not {ticket.side[:40]!r}")
    if ticket.time_in_force and not ticket.price:
        raise CannotStart("--time-in-force needs --price: a MARKET plan has none")
    if ticket.plan_id and not is_plan_id(ticket.plan_id):
        raise CannotStart("--id has 1 to 128 letters, digits and . _ : / -")
    position_side = position_side_of(ticket.position_side)
    async with PlanClient(bus_url(settings), prefix) as plans:
        result = await plans.execute(
            symbol_of(ticket.symbol),
            side,
            ticket.qty,
            timeout_s=ticket.wait_s,
            plan_id=ticket.plan_id or None,
            reduce_only=ticket.is_reduce_only,
            order_type="LIMIT" if ticket.price else "MARKET",
            price=ticket.price or None,
            time_in_force=ticket.time_in_force or None,
            position_side=None if position_side is None else position_side.value,
            reason=reason_of(ticket.reason),
        )
    return _shown(result, as_json=as_json)


def _shown(result: PlanResult, *, as_json: bool) -> int:
    if as_json:
        _print_json(result)
    else:
        print_line(text_of(result))
    return DONE if result.executed else REFUSED


def bus_url(settings: Settings) -> str:
    """The bus's address: the settings', or the embedded server's own file. Raises BusUnavailable without either."""
    url = settings.bus_url()
    if url is not None:
        return url.get_secret_value()
    path = settings.data_dir / URL_FILE
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise BusUnavailable(f"there is no {path}: is `holdfast run` running? (nothing was sent)") from None
    except OSError as error:
        raise CannotStart(f"cannot read {path}: {error.strerror}") from error


def text_of(result: PlanResult) -> str:
    """The outcome as one line."""
    again = ", answered before (duplicate)" if result.duplicate else ""
    if result.executed and result.decision == Decision.CANCEL.value:
        return f"plan {result.plan_id}: cancelled: {result.detail}{again}"
    if result.executed:
        return (
            f"plan {result.plan_id}: executed: {result.status} {amount_text(result.filled_qty)} {result.symbol} at "
            f"{amount_text(result.avg_price)}, order {result.order_id} ({result.client_order_id}){again}"
        )
    why = result.detail or _REASONS.get(result.error, "")
    return f"plan {result.plan_id}: not executed: {result.error}: {why}{again}"


def _print_json(result: PlanResult) -> None:
    print_json(
        {
            "result_id": result.result_id,
            "plan_id": result.plan_id,
            "symbol": result.symbol,
            "decision": result.decision,
            "executed": result.executed,
            "status": result.status,
            "error": result.error or None,
            "detail": result.detail,
            "filled_qty": amount_json(result.filled_qty),
            "avg_price": amount_json(result.avg_price),
            "client_order_id": result.client_order_id,
            "order_id": result.order_id,
            "duplicate": result.duplicate,
            "timestamp": result.timestamp_ms,
        }
    )
