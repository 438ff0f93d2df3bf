"""`holdfast found`, the work: the baseline's entry joined with how each leg stands now, from the journal alone.

A leg waits for a choice while an `unledgered` hold stands on it. What was found is of the first complete view; what
stands beside it (exchange now, ledger, hold) is of the newest verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from holdfast.cli.entry_words import Said
from holdfast.cli.exit_status import DONE, NO_ANSWER, REFUSED
from holdfast.cli.journal_access import open_desk
from holdfast.cli.printing import (
    amount_json,
    amount_text,
    columns,
    print_json,
    print_line,
    print_table,
    time_text,
)
from holdfast.decide.close import side_that_shrinks
from holdfast.domain.amounts import ZERO, format_amount, parse_amount, sign_of
from holdfast.domain.entry import EntryKind
from holdfast.domain.errors import BadAmount
from holdfast.domain.hold import HoldReason
from holdfast.domain.limits import ForeignOrderPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal
    from pathlib import Path

    from holdfast.domain.entry import JournaledEntry, JsonValue
    from holdfast.domain.hold import Hold
    from holdfast.domain.ledger import LedgerState
    from holdfast.domain.limits import Limits
    from holdfast.domain.names import AccountId
    from holdfast.ports.journal import Reads

LEG_HEADERS = ("LEG", "SIDE", "FOUND", "ENTRY PRICE", "NOTIONAL", "EXCHANGE NOW", "LEDGER", "STANDS")
ORDER_HEADERS = ("SYMBOL", "POSITION", "SIDE", "QTY", "PRICE", "EXECUTED", "ORDER", "WHOSE")
WHOSE = {
    "ours": "ours: in the journal",
    "stray": "our prefix, but not in the journal: the account halts",
}
FOREIGN = {
    ForeignOrderPolicy.REPORT: "somebody else's: it is left alone",
    ForeignOrderPolicy.CANCEL: "somebody else's: it is cancelled, by policy",
    ForeignOrderPolicy.HOLD: "somebody else's: its leg is held, by policy",
}
ALL = "holdfast adopt --all --reason ..."


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that a person may do about a leg."""

    name: str
    command: str
    """What to type; "" to do nothing."""
    does: str


@dataclass(frozen=True, slots=True)
class FoundLeg:
    """One position of the first view, and how it stands now."""

    found: Said
    ledger: LedgerState
    hold: Hold | None
    """The open `unledgered` hold; None once a choice was made."""

    @property
    def key(self) -> str:
        """The leg's name: `SYMBOL`, or `SYMBOL:LONG` and `SYMBOL:SHORT`."""
        return self.ledger.leg.key

    @property
    def amt(self) -> Decimal:
        """What is there: by the newest verdict while it waits, else what was found."""
        seen = self.ledger.seen_amt
        return seen if self.hold is not None and seen is not None else _amount(self.found.text("amt"))

    def choices(self) -> tuple[Choice, ...]:
        """What a person may do about it; nothing once it was done."""
        if self.hold is None or self.amt == ZERO:
            return ()
        amount = format_amount(self.amt)
        side = side_that_shrinks(self.amt).value
        about = f", a notional of about {worth}" if (worth := self.found.text("notional")) else ""
        adopts = f"the ledger becomes {amount}; no order is sent; the hold ends and plans may trade it"
        closes = (
            f"{side} {format_amount(abs(self.amt))} MARKET, reduce-only{about} (in slices, if one order may not be so "
            "large); the ledger stays 0; the hold ends when the position is flat"
        )
        waits = f"it stays held: no plan trades {self.ledger.leg.symbol}, nothing is closed, the alert is repeated"
        return (
            Choice("adopt", f"holdfast adopt {self.key} --reason ...", adopts),
            Choice("close", f"holdfast close {self.key} --reason ...", closes),
            Choice("wait", "", waits),
        )


@dataclass(frozen=True, slots=True)
class Report:
    """What was found on one account."""

    account: AccountId
    limits: Limits
    entry: JournaledEntry | None
    """The baseline's; None before the first complete view."""
    legs: tuple[FoundLeg, ...]

    @property
    def said(self) -> Said:
        """The entry's fields."""
        return Said(self.entry.entry.body if self.entry is not None else {})

    @property
    def waiting(self) -> tuple[FoundLeg, ...]:
        """The legs that wait for a choice."""
        return tuple(leg for leg in self.legs if leg.hold is not None)

    @property
    def status(self) -> int:
        """The exit status."""
        if self.entry is None:
            return NO_ANSWER
        return REFUSED if self.waiting else DONE


async def show(account: str, settings: Path, *, as_json: bool) -> int:
    """Show it; the worst status of the accounts."""
    reports: list[Report] = []
    async with open_desk(settings) as desk:
        for name in desk.accounts(account):
            read = partial(read_report, account=name, limits=desk.limits(name))
            reports.append(await desk.journal.query(name, read))
    if as_json:
        shown: list[JsonValue] = [_json(report) for report in reports]
        print_json({"accounts": shown})
    else:
        for report in reports:
            _print(report)
    return max(report.status for report in reports)


def read_report(reads: Reads, account: AccountId, limits: Limits) -> Report:
    """Join the baseline with the legs as they stand."""
    entry = reads.newest_entry(EntryKind.BASELINE)
    said = Said(entry.entry.body if entry is not None else {})
    found = {each.text("leg"): each for each in said.many("positions")}
    holds = {hold.leg: hold for hold in reads.open_holds(None) if hold.reason is HoldReason.UNLEDGERED}
    ledgers = {ledger.leg: ledger for ledger in reads.legs()}
    for leg in holds:
        ledgers.setdefault(leg, reads.leg(leg))
    legs = tuple(
        FoundLeg(found.get(leg.key, Said({})), ledgers[leg], holds.get(leg))
        for leg in sorted(ledgers, key=lambda each: each.sort_key())
        if leg.key in found or leg in holds
    )
    return Report(account, limits, entry, legs)


def _amount(text: str) -> Decimal:
    try:
        return parse_amount(text)
    except BadAmount:
        return ZERO


def _side(amount: Decimal) -> str:
    return ("FLAT", "LONG", "SHORT")[sign_of(amount)]


def _print(report: Report) -> None:
    if report.entry is None:
        print_line(f"account {report.account}: not seen completely yet (is `holdfast run` running?); nothing is traded")
        return
    said = report.said
    print_line(
        f"account {report.account}: first seen {time_text(report.entry.at_ms)}, {said.text('mode')} mode; "
        f"policy unledgered = {report.limits.unledgered.value}"
    )
    if report.legs:
        print_table(columns(LEG_HEADERS, [_row(leg) for leg in report.legs]))
    else:
        print_line("no position stood there")
    if said.many("orders"):
        print_table(columns(ORDER_HEADERS, [_order_row(order, report.limits) for order in said.many("orders")]))
        hidden = (said.ms("orders_count") or 0) - len(said.many("orders"))
        if hidden > 0:
            print_line(f"and {hidden} open orders more")
    else:
        print_line("no open order stood there")
    for line in _choice_lines(report.waiting):
        print_line(line)


def _choice_lines(waiting: tuple[FoundLeg, ...]) -> Iterable[str]:
    for leg in waiting:
        yield f"{leg.key} waits for a choice:"
        for choice in leg.choices():
            yield f"  {choice.command or 'do nothing'}"
            yield f"      {choice.does}"
    if waiting:
        yield f"all of them at once: {ALL}"
    else:
        yield "nothing waits for a choice"


def _row(leg: FoundLeg) -> tuple[str, ...]:
    found, now = leg.found, leg.ledger
    return (
        leg.key,
        _side(_amount(found.text("amt"))),
        found.text("amt") or "-",
        found.text("entry_price") or "-",
        found.text("notional") or "-",
        amount_text(now.seen_amt),
        amount_text(now.amt),
        f"{leg.hold.reason.value}: {leg.hold.hold_id}" if leg.hold is not None else "settled",
    )


def _order_row(order: Said, limits: Limits) -> tuple[str, ...]:
    owner = order.text("owner")
    return (
        order.text("symbol"),
        order.text("position_side"),
        order.text("side") + (" reduce-only" if order.text("reduce_only") == "True" else ""),
        order.text("qty"),
        order.text("price") or "-",
        order.text("executed_qty"),
        order.text("client_order_id"),
        WHOSE.get(owner) or FOREIGN[limits.foreign_orders],
    )


def _json(report: Report) -> JsonValue:
    entry, said = report.entry, report.said
    body = entry.entry.body if entry is not None else {}
    return {
        "account": report.account,
        "found_ms": entry.at_ms if entry is not None else None,
        "position_mode": said.text("mode") or None,
        "policy": report.limits.unledgered.value,
        "waiting": len(report.waiting),
        "legs": [_leg_json(leg) for leg in report.legs],
        "orders": body.get("orders", []),
        "orders_count": said.ms("orders_count") or 0,
    }


def _leg_json(leg: FoundLeg) -> JsonValue:
    found = leg.found
    return {
        "leg": leg.key,
        "symbol": leg.ledger.leg.symbol,
        "position_side": leg.ledger.leg.position_side.value,
        "side": _side(_amount(found.text("amt"))),
        "found_amt": found.text("amt") or None,
        "entry_price": found.text("entry_price") or None,
        "mark_price": found.text("mark_price") or None,
        "notional": found.text("notional") or None,
        "exchange_amt": amount_json(leg.ledger.seen_amt),
        "ledger_amt": amount_json(leg.ledger.amt),
        "hold": leg.hold.hold_id if leg.hold is not None else None,
        "waits": leg.hold is not None,
        "choices": {choice.name: {"command": choice.command, "does": choice.does} for choice in leg.choices()},
    }
