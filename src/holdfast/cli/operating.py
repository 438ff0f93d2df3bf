"""The work behind close, adopt, release, approve, resolve and hold: what stands, the question back, the answer.

Asked back for (unless --yes): what trades, what rewrites the ledger, what lets trading go on. Holding and halting are
never asked back for: stopping is always safe.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.cli.asking import Answer, Wish, ask, signed_by
from holdfast.cli.exit_status import DONE
from holdfast.cli.journal_access import open_desk
from holdfast.cli.printing import amount_text, print_json, print_line
from holdfast.cli.standing import has_drift, read_standing
from holdfast.cli.wording import reason_of
from holdfast.domain.errors import CannotStart
from holdfast.domain.hold import HoldOwner
from holdfast.domain.operator import RequestKind

if TYPE_CHECKING:
    from pathlib import Path

    from holdfast.cli.standing import LegStanding, Standing
    from holdfast.domain.entry import JsonValue
    from holdfast.domain.names import AccountId, ClientOrderId, HoldId, Symbol
    from holdfast.domain.sides import PositionSide
    from holdfast.ports.journal import Journal

NEVER_ASKED_BACK = frozenset({RequestKind.HOLD})


@dataclass(frozen=True, slots=True)
class Order:
    """What the command line said, checked."""

    kind: RequestKind
    reason: str
    name: str
    symbol: Symbol | None = None
    """None: every symbol with a difference (ADOPT), or the hold's (APPROVE)."""
    position_side: PositionSide | None = None
    hold_id: HoldId | None = None
    qty: str = ""
    client_order_id: ClientOrderId | None = None
    """The order to be resolved."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How it is carried out and shown."""

    settings: Path
    account: str
    timeout_s: float
    is_confirmed: bool
    is_json: bool


async def operate(order: Order, manner: Manner) -> int:
    """Ask for it, wait, print; the worst exit status of what was asked."""
    name, reason = signed_by(order.name), reason_of(order.reason)
    async with open_desk(manner.settings) as desk:
        account = desk.account(manner.account)
        limits = desk.limits(account)
        standing = await desk.journal.query(account, lambda reads: read_standing(reads, limits))
        wishes = await _wishes(desk.journal, account, order, standing, name=name, reason=reason)
        if not wishes:
            _print_nothing(order.kind, manner)
            return DONE
        if order.kind not in NEVER_ASKED_BACK and not manner.is_confirmed:
            confirm("\n".join(_stake(wish, standing) for wish in wishes))
        answers = [await ask(desk.journal, wish, manner.timeout_s) for wish in wishes]
    _print(answers, manner)
    return max(answer.status for answer in answers)


async def _wishes(
    journal: Journal, account: AccountId, order: Order, standing: Standing, *, name: str, reason: str
) -> list[Wish]:
    legs: list[tuple[Symbol | None, PositionSide | None]] = [(order.symbol, order.position_side)]
    hold_id = order.hold_id
    if order.kind is RequestKind.ADOPT and order.symbol is None:
        differ = [each.ledger.leg for each in standing.legs if has_drift(each)]
        legs = [(leg.symbol, leg.position_side) for leg in sorted(differ, key=lambda leg: leg.sort_key())]
    elif hold_id is not None:
        hold = await journal.query(account, lambda reads: reads.hold(hold_id))
        if hold is None:
            raise CannotStart(f"the journal knows no hold {hold_id}: `holdfast status` lists those that stand")
        legs = [(hold.leg.symbol, order.position_side)]
    elif order.client_order_id is not None:
        legs = [(await _symbol_of_order(journal, account, order.client_order_id), order.position_side)]
    return [
        Wish(
            account=account,
            kind=order.kind,
            name=name,
            reason=reason,
            symbol=symbol,
            position_side=side,
            hold_id=order.hold_id or _hold_on(standing, symbol, side),
            qty=order.qty,
            client_order_id=order.client_order_id,
        )
        for symbol, side in legs
    ]


async def _symbol_of_order(journal: Journal, account: AccountId, name: ClientOrderId) -> Symbol:
    order = await journal.query(account, lambda reads: reads.order(name))
    if order is None:
        raise CannotStart(f"the journal knows no order {name}: `holdfast explain SYMBOL` names those of a hold")
    return order.leg.symbol


def _hold_on(standing: Standing, symbol: Symbol | None, side: PositionSide | None) -> HoldId | None:
    """The hold that the request belongs to when its story is told: of the leg that is meant, an automatic one first."""
    legs = [each for each in standing.legs if each.ledger.leg.symbol == symbol]
    meant = [each for each in legs if side in {None, each.ledger.leg.position_side}]
    holds = [hold for each in meant for hold in each.holds]
    return min(holds, key=lambda hold: hold.owner is HoldOwner.OPERATOR).hold_id if holds else None


def _stake(wish: Wish, standing: Standing) -> str:
    """What is at stake, for the question back."""
    legs = [leg for leg in standing.legs if leg.ledger.leg.symbol == wish.symbol]
    if wish.position_side is not None:
        legs = [leg for leg in legs if leg.ledger.leg.position_side is wish.position_side]
    known = "; ".join(_leg_text(leg) for leg in legs) or "nothing is known of it"
    what = {
        RequestKind.CLOSE: f"CLOSE {wish.qty or 'all'} of {wish.leg_name}",
        RequestKind.ADOPT: f"ADOPT what the exchange holds of {wish.leg_name} into the ledger",
        RequestKind.RELEASE: f"RELEASE {wish.leg_name}, so that trading may go on",
        RequestKind.RESOLVE_FILLED: f"Say that order {wish.client_order_id} was FILLED: the ledger moves by it",
        RequestKind.RESOLVE_ENDED: f"Say that order {wish.client_order_id} is OVER, with the fills that are booked",
        RequestKind.RESOLVE_NOT_ACCEPTED: f"Say that order {wish.client_order_id} NEVER reached the book",
    }.get(wish.kind, f"APPROVE closing under {wish.hold_id}")
    return f"{what} on account {wish.account} ({known})"


def _leg_text(leg: LegStanding) -> str:
    holds = ", ".join(hold.reason.value for hold in leg.holds) or "no hold"
    amounts = f"exchange {amount_text(leg.ledger.seen_amt)}, ledger {amount_text(leg.ledger.amt)}"
    return f"{leg.ledger.leg.key}: {amounts}, {holds}"


def confirm(question: str) -> None:
    """Ask back on the terminal. Raises CannotStart unless the answer is yes, or if there is no terminal."""
    if not sys.stdin.isatty():
        raise CannotStart("this needs a person's word: answer at a terminal, or pass --yes; nothing was done")
    sys.stderr.write(f"{question}\nGo on? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise CannotStart("not confirmed; nothing was done")


def _print(answers: list[Answer], manner: Manner) -> None:
    if manner.is_json:
        found: list[JsonValue] = [answer.json() for answer in answers]
        print_json({"requests": found})
        return
    for answer in answers:
        if answer.status == DONE:
            print_line(answer.text())
        else:
            sys.stderr.write(f"holdfast: {answer.text()}\n")


def _print_nothing(kind: RequestKind, manner: Manner) -> None:
    if manner.is_json:
        print_json({"requests": []})
    else:
        print_line(f"{kind.value}: exchange and ledger differ nowhere by the last verdicts; nothing to do")
